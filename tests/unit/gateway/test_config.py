"""gateway.toml: closed, relative to its folder, and every mistake named without its value."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from gateway.config import GatewayConfig
from gateway.policy_bundle import PACKAGED

GOOD = """
listen = "127.0.0.1:7000"
anchors = "anchors.toml"
database = "sqlite:///gateway.db"
institutions = "institutions.toml"
ready_file = "ready.json"

[tls]
certificate = "tls.pem"
private_key = "tls.key"

[subject_keys]
database = "sqlite:///keys.db"
key_encryption_key = "subject-keys.key"

[ledger]
address = "127.0.0.1:7001"
peer = "spiffe://consentgate.test/ledger/ledger-1"

[[departments]]
id = "tax"
address = "127.0.0.1:7002"
"""
TWICE = """[[departments]]
id = "tax"
address = "127.0.0.1:7003"

"""
EMBEDDED = """
[ledger.embedded]
origin = "consentgate.test/ledger"
signing_key = "log.key"
database = "sqlite:///ledger.db"
second_place = "second"
"""
REMOTE = GOOD[GOOD.index("[ledger]") : GOOD.index("[[departments]]")]


def load(folder: Path, text: str = GOOD) -> GatewayConfig:
    file = folder / "gateway.toml"
    file.write_text(text)
    return GatewayConfig.load(file)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config.anchors == tmp_path / "anchors.toml"
    assert config.database == f"sqlite:///{tmp_path / 'gateway.db'}"
    assert config.subject_keys.database == f"sqlite:///{tmp_path / 'keys.db'}"
    assert config.subject_keys.key_encryption_key == tmp_path / "subject-keys.key"
    assert config.tls.private_key == tmp_path / "tls.key"
    assert config.ready_file == tmp_path / "ready.json"
    assert (config.policies, config.department_deadline_seconds) == (PACKAGED, 10)
    assert (config.minimum_departments, config.compute_processes) == (2, 1)


def test_absolute_paths_and_other_databases_stay(tmp_path: Path) -> None:
    text = GOOD.replace("sqlite:///gateway.db", "postgresql+psycopg://db/gateway").replace(
        '"anchors.toml"', '"/etc/anchors.toml"'
    )
    config = load(tmp_path, text)
    assert config.database == "postgresql+psycopg://db/gateway"
    assert config.anchors == Path("/etc/anchors.toml")


def test_an_embedded_ledger(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD.replace(REMOTE, EMBEDDED))
    assert config.ledger.embedded is not None
    assert config.ledger.embedded.signing_key == tmp_path / "log.key"
    assert config.ledger.embedded.database == f"sqlite:///{tmp_path / 'ledger.db'}"
    assert config.ledger.address is None


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('listen = "127.0.0.1:7000"', "", "listen"),
        ('listen = "127.0.0.1:7000"', 'listen = "127.0.0.1"', "listen"),
        ("ready_file", "redy_file", "redy_file"),
        ('id = "tax"', 'id = "Tax Office"', "departments.0.id"),
        ('peer = "spiffe://consentgate.test/ledger/ledger-1"', "", "ledger"),
        ('peer = "spiffe://consentgate.test/ledger/ledger-1"', 'peer = "ledger-1"', "ledger.peer"),
        ("[tls]\ncertificate", "[tls]\ncertificates", "tls.certificate"),
        (REMOTE, REMOTE + EMBEDDED, "ledger"),
        (REMOTE, "[ledger]\n", "ledger"),
        (REMOTE, EMBEDDED.replace("signing_key", "key"), "ledger.embedded.signing_key"),
        (REMOTE, EMBEDDED.replace('origin = "consentgate.test/ledger"', 'origin = ""'), "ledger.embedded.origin"),
        ("[tls]", "department_deadline_seconds = 51\n[tls]", "department_deadline_seconds"),
        ("[tls]", "minimum_departments = 0\n[tls]", "minimum_departments"),
        (
            "[[departments]]",
            '[[departments]]\nid = "tax"\naddress = "h:1"\n[[departments]]',
            "a department is named twice",
        ),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in GOOD
    with pytest.raises(ConsentgateError) as caught:
        load(tmp_path, GOOD.replace(old, new))
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    assert str(caught.value.field).startswith(str(tmp_path / "gateway.toml"))
    assert named in str(caught.value.field)


def test_a_value_is_never_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConsentgateError) as caught:
        load(tmp_path, GOOD.replace('"127.0.0.1:7000"', '"a secret that was pasted here"'))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["not toml = = =", "\x00"])
def test_no_toml(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConsentgateError, match="CONFIG_INVALID"):
        load(tmp_path, text)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConsentgateError, match=r"none\.toml"):
        GatewayConfig.load(tmp_path / "none.toml")
