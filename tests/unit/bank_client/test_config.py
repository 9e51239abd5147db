"""bank.toml: relative to its own folder, closed, and an error names the entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from bank_client import config
from bank_client.config import BankConfig
from consentgate.errors import ConsentgateError, ErrorCode

GOOD = """
anchors = "anchors.toml"
[tls]
certificate = "tls.pem"
private_key = "keys/tls.key"
[signing]
certificate = "signing.pem"
private_key = "/abs/signing.key"
[gateway]
address = "127.0.0.1:7001"
peer = "spiffe://consentgate.test/gateway/gateway"
[paillier]
private_key = "key.json"
registration = "registration.jws"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "bank.toml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    read = BankConfig.load(written(tmp_path, GOOD))
    assert read.anchors == tmp_path / "anchors.toml"
    assert read.tls.private_key == tmp_path / "keys" / "tls.key"
    assert read.signing.private_key == Path("/abs/signing.key")
    assert read.paillier.private_key == tmp_path / "key.json"
    assert (read.paillier.passphrase_file, read.archive) == (None, None)


@pytest.mark.parametrize(
    ("old", "new", "entry"),
    [
        ('anchors = "anchors.toml"', "", "anchors"),
        ('address = "127.0.0.1:7001"', 'address = "nowhere"', "gateway.address"),
        ("spiffe://consentgate.test/gateway/gateway", "gateway", "gateway.peer"),
        (
            'registration = "registration.jws"',
            'registration = "r"\npassphrase = "secret"',
            "paillier.passphrase",
        ),
        ("[signing]", "[signature]", "signature"),
    ],
    ids=["absent", "no port", "no SPIFFE id", "secret in the file", "unknown table"],
)
def test_a_wrong_entry_is_named_and_its_value_is_not(tmp_path: Path, old: str, new: str, entry: str) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        BankConfig.load(written(tmp_path, GOOD.replace(old, new)))
    assert refusal.value.code is ErrorCode.CONFIG_INVALID
    assert str(refusal.value.field).startswith(f"{tmp_path / 'bank.toml'}: ")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("text", ["[", "\x00", "anchors = 1"], ids=["no TOML", "NUL", "wrong type"])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        BankConfig.load(written(tmp_path, text))
    assert refusal.value.code is ErrorCode.CONFIG_INVALID


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        BankConfig.load(tmp_path / "absent.toml")
    assert "absent.toml" in str(refusal.value.field)


def test_the_example_in_the_documentation_loads(tmp_path: Path) -> None:
    text = config.__doc__ or ""
    example = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    assert BankConfig.load(written(tmp_path, example)).archive == tmp_path / "archive"
