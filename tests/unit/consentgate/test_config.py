"""What configuration files of all members have in common: which entry an error names, and that it shows no value."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import pytest
from pydantic import ValidationError, model_validator

from consentgate.config import Address, Endpoint, KeyPair, Table, database_in, read_config
from consentgate.errors import ConsentgateError, ErrorCode


class Sample(Table):
    listen: Address
    ledger: Endpoint
    tls: KeyPair | None = None

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.listen == self.ledger.address:
            raise ValueError("two servers on one address")
        return self


GOOD = """listen = "127.0.0.1:1"  # 监听
[ledger]
address = "127.0.0.1:2"
peer = "spiffe://consentgate.test/ledger/ledger-1"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sample.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def refused(file: Path, content: str, **more: object) -> ConsentgateError:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConsentgateError) as caught:
        read_config(Sample, file, **more)  # type: ignore[arg-type]
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    return caught.value


def test_a_file_becomes_an_object_that_nobody_changes(file: Path) -> None:
    read = read_config(Sample, file)
    assert read.ledger.address == "127.0.0.1:2"
    with pytest.raises(ValidationError):
        read.listen = "127.0.0.1:3"


@pytest.mark.parametrize(
    ("old", "new", "entry"),
    [
        ("address", "adress", "ledger.address"),
        ('"127.0.0.1:1"', '"secret"', "listen"),
        ("spiffe://", "secret://", "ledger.peer"),
        ("listen", "unknown = 'secret'\nlisten", "unknown"),
        ('"127.0.0.1:1"', '"127.0.0.1:2"', "Value error, two servers on one address"),
    ],
)
def test_the_first_wrong_entry_is_named_and_no_value(file: Path, old: str, new: str, entry: str) -> None:
    error = refused(file, GOOD.replace(old, new))
    assert error.field == f"{file}: {entry}"
    assert "secret" not in f"{error} {error!r} {error.private}"
    assert error.__suppress_context__


def test_who_knows_better_names_the_entry_and_says_more(file: Path) -> None:
    assert refused(file, "", named=lambda _: "other").field == f"{file}: other"
    hints = {"listen": "Say where."}
    assert refused(file, GOOD.replace("listen", "#"), hints=hints).hint == "Say where."
    assert refused(file, GOOD.replace("spiffe", "x"), hints=hints).hint != "Say where."


@pytest.mark.parametrize("content", [b"listen =", b"\x00", b"\xff"])
def test_what_is_no_toml_is_named_by_its_file(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    for path in (file, file.with_name("absent.toml")):
        with pytest.raises(ConsentgateError) as caught:
            read_config(Sample, path)
        assert (caught.value.code, caught.value.field) == (ErrorCode.CONFIG_INVALID, str(path))


def test_paths_and_databases_are_taken_relative_to_a_folder(tmp_path: Path) -> None:
    pair = KeyPair(certificate=Path("tls.pem"), private_key=Path("/abs/tls.key")).inside(tmp_path)
    assert (pair.certificate, pair.private_key) == (tmp_path / "tls.pem", Path("/abs/tls.key"))
    assert database_in(tmp_path, "sqlite:///a/b.db") == f"sqlite:///{tmp_path / 'a' / 'b.db'}"
    assert database_in(tmp_path, "sqlite:////abs/b.db") == "sqlite:////abs/b.db"
    assert database_in(tmp_path, "postgresql://u@/d") == "postgresql://u@/d"
