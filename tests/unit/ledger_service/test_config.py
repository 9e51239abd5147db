"""ledger.toml, witness.toml and `[ledger.embedded]`: read strictly, paths relative to the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from ledger_service.config import LedgerConfig, WitnessConfig
from tests.support.ledger_folder import write_ledger, write_witness
from tests.support.witnessed_log import ORIGIN, WITNESSES


def test_paths_are_taken_relative_to_the_file(tmp_path: Path) -> None:
    config = LedgerConfig.load(write_ledger(tmp_path))
    assert config.origin == ORIGIN
    assert config.database == f"sqlite:///{tmp_path / 'data' / 'ledger.db'}"
    assert config.second_place == tmp_path / "second-place"
    assert config.anchors == tmp_path / "anchors.toml"
    assert config.tls.certificate.parent == tmp_path
    assert [witness.name for witness in config.witnesses] == list(WITNESSES)
    witness = WitnessConfig.load(write_witness(tmp_path))
    assert witness.witness.state == tmp_path / "witness.state"
    assert witness.witness.signing_key == tmp_path / "witness.key"


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('origin = "', 'orgin = "', "orgin"),
        ("sqlite:///data/ledger.db", "postgresql://ledger", "database"),
        ("sqlite:///data/ledger.db", "sqlite:///a b", "database"),
        ("sqlite:///data/ledger.db", "mysql://u@h/ledger", "database"),
        ("sqlite:///data/ledger.db", "postgresql://u:pass@h/ledger", "database: Value error, no password"),
        ('listen = "127.0.0.1:0"', 'listen = "127.0.0.1"', "listen"),
        ('name = "customs"', 'name = "tax"', "witnesses: a name occurs twice"),
        ('name = "customs"', 'name = "cus toms"', "witnesses.1.name"),
        ("spiffe://", "http://", "witnesses.0.peer"),
        ("[tls]", "[tsl]", "tsl"),
        ("listen", "= listen", "ledger.toml"),
    ],
)
def test_whatever_is_wrong_is_named_by_file_and_entry(tmp_path: Path, old: str, new: str, where: str) -> None:
    path = write_ledger(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConsentgateError) as caught:
        LedgerConfig.load(path)
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    assert str(path) in str(caught.value.field)
    assert where in str(caught.value.field)


def test_a_log_in_postgresql(tmp_path: Path) -> None:
    address = "postgresql://ledger_app@/ledger?host=/run/postgresql"
    path = write_ledger(tmp_path)
    path.write_text(path.read_text().replace("sqlite:///data/ledger.db", address))
    config = LedgerConfig.load(path)
    assert config.database == address


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for load in (LedgerConfig.load, WitnessConfig.load):
        with pytest.raises(ConsentgateError) as caught:
            load(tmp_path / "none.toml")
        assert caught.value.field == str(tmp_path / "none.toml")
