"""adapter.toml: relative to its own folder, closed, and an error names the entry and never a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.config import AdapterConfig

GOOD = """
listen = "127.0.0.1:0"
department = "tax"
anchors = "anchors.toml"
mapping = "mapping.toml"
state = "sqlite:///state.db"
[tls]
certificate = "tls.pem"
private_key = "keys/tls.key"
[signing]
certificate = "signing.pem"
private_key = "/abs/signing.key"
[ledger]
address = "127.0.0.1:7001"
peer = "spiffe://consentgate.test/ledger/ledger"
"""
WITNESS = '[witness]\nname = "tax.witness"\nsigning_key = "witness.key"\nstate = "witness-state"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "adapter.toml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = AdapterConfig.load(written(tmp_path, 'ready_file = "r.json"' + GOOD + WITNESS))
    assert config.anchors == tmp_path / "anchors.toml"
    assert config.mapping == tmp_path / "mapping.toml"
    assert config.state == f"sqlite:///{tmp_path}/state.db"
    assert config.tls.private_key == tmp_path / "keys" / "tls.key"
    assert config.signing.private_key == Path("/abs/signing.key")
    assert config.ready_file == tmp_path / "r.json"
    assert config.witness is not None
    assert config.witness.state == tmp_path / "witness-state"


def test_optional_tables_have_defaults(tmp_path: Path) -> None:
    config = AdapterConfig.load(written(tmp_path, GOOD))
    assert (config.witness, config.registry, config.ready_file) == (None, None, None)
    assert (config.encryption.active_keys, config.encryption.pool) == (4, 256)


def test_state_of_another_database_is_left_alone(tmp_path: Path) -> None:
    text = GOOD.replace("sqlite:///state.db", "postgresql+psycopg://adapter@db/tax")
    assert AdapterConfig.load(written(tmp_path, text)).state == "postgresql+psycopg://adapter@db/tax"


def test_evidence_is_kept_beside_the_state_unless_said_otherwise(tmp_path: Path) -> None:
    assert AdapterConfig.load(written(tmp_path, GOOD)).refused_folder == tmp_path / "state.db.refused"
    said = AdapterConfig.load(written(tmp_path, 'refused = "evidence"' + GOOD))
    assert said.refused_folder == tmp_path / "evidence"
    elsewhere = GOOD.replace("sqlite:///state.db", "postgresql+psycopg://tax@/state?host=/run/postgresql")
    assert AdapterConfig.load(written(tmp_path, elsewhere)).refused_folder == tmp_path / "tax.refused"


def test_registry_key(tmp_path: Path) -> None:
    config = AdapterConfig.load(written(tmp_path, GOOD + '[registry]\nsigning_key = "registry.key"\n'))
    assert config.registry is not None
    assert config.registry.signing_key == tmp_path / "registry.key"


@pytest.mark.parametrize(
    ("old", "new", "entry"),
    [
        ('department = "tax"', 'department = "Tax Office"', "department"),
        ('department = "tax"', "", "department"),
        ('listen = "127.0.0.1:0"', 'listen = "nowhere"', "listen"),
        ('address = "127.0.0.1:7001"', 'address = "x"', "ledger.address"),
        ('peer = "spiffe', 'peer = "http', "ledger.peer"),
        ('anchors = "anchors.toml"', 'anchors = "anchors.toml"\nanchor = "x"', "anchor"),
        ('[signing]\ncertificate = "signing.pem"', "[signing]", "signing.certificate"),
    ],
)
def test_error_names_the_entry(tmp_path: Path, old: str, new: str, entry: str) -> None:
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ConsentgateError) as caught:
        AdapterConfig.load(path)
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFIG_INVALID, f"{path}: {entry}")


@pytest.mark.parametrize("entry", ["active_keys = 0", "pool = 0", "table_megabytes = 7"])
def test_bounds_of_encryption(tmp_path: Path, entry: str) -> None:
    with pytest.raises(ConsentgateError, match="CONFIG_INVALID"):
        AdapterConfig.load(written(tmp_path, f"{GOOD}[encryption]\n{entry}\n"))


def test_file_that_is_no_toml_or_absent(tmp_path: Path) -> None:
    for path in (written(tmp_path, "listen ="), tmp_path / "absent.toml"):
        with pytest.raises(ConsentgateError) as caught:
            AdapterConfig.load(path)
        assert caught.value.field == str(path)
