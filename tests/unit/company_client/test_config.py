"""company.toml: relative to its own folder, closed, and an error names the entry and never the company."""

from __future__ import annotations

from pathlib import Path

import pytest
from stdnum.cn import uscc

from company_client import config
from company_client.config import CompanyConfig
from consentgate.errors import ConsentgateError, ErrorCode
from tests.support.federation import company_code

CODE = company_code(1)
GOOD = f"""
anchors = "anchors.toml"
company = "{CODE}"
attestation = "attestation.jws"
signatories = ["keys/one.key", "/abs/two.key"]
[tls]
certificate = "tls.pem"
private_key = "tls.key"
[gateway]
address = "127.0.0.1:7001"
peer = "spiffe://consentgate.test/gateway/gateway"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "company.toml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    read = CompanyConfig.load(written(tmp_path, GOOD))
    assert read.signatories == (tmp_path / "keys" / "one.key", Path("/abs/two.key"))
    assert (read.attestation, read.tokens) == (tmp_path / "attestation.jws", tmp_path / "tokens.json")
    assert (read.anchors, read.tls.private_key) == (tmp_path / "anchors.toml", tmp_path / "tls.key")


def test_nobody_need_sign_here(tmp_path: Path) -> None:
    text = GOOD.replace('["keys/one.key", "/abs/two.key"]', "[]")
    assert CompanyConfig.load(written(tmp_path, text)).signatories == ()


@pytest.mark.parametrize("stem", ["A1110000400000000", "N2110000MF0000000", "91350100M00000001"])
def test_a_company_of_any_registering_authority(tmp_path: Path, stem: str) -> None:
    """GB 32100-2015, table 1: the first character may be a letter."""
    code = stem + uscc.calc_check_digit(stem)
    assert CompanyConfig.load(written(tmp_path, GOOD.replace(CODE, code))).company == code


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (CODE, CODE[:-1] + ("0" if CODE[-1] != "0" else "1")),
        (CODE, "somebody"),
        ('anchors = "anchors.toml"', ""),
        ('address = "127.0.0.1:7001"', 'address = "nowhere"'),
        ("spiffe://consentgate.test/gateway/gateway", "gateway"),
        ('attestation = "attestation.jws"', 'attestation = "attestation.jws"\npassphrase = "secret"'),
        ("[tls]", "[ssl]"),
    ],
    ids=["check digit", "no code", "absent", "no port", "no SPIFFE id", "unknown entry", "unknown table"],
)
def test_a_wrong_entry_is_refused_without_its_value(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        CompanyConfig.load(written(tmp_path, GOOD.replace(old, new)))
    assert refusal.value.code is ErrorCode.CONFIG_INVALID
    assert str(refusal.value.field).startswith(f"{tmp_path / 'company.toml'}: ")
    for value in (CODE, "secret", "nowhere"):
        assert value not in str(refusal.value)


@pytest.mark.parametrize("text", ["[", "\x00", "anchors = 1"], ids=["no TOML", "NUL", "wrong type"])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        CompanyConfig.load(written(tmp_path, text))
    assert refusal.value.code is ErrorCode.CONFIG_INVALID


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        CompanyConfig.load(tmp_path / "absent.toml")
    assert "absent.toml" in str(refusal.value.field)


def test_the_example_in_the_documentation_loads(tmp_path: Path) -> None:
    text = config.__doc__ or ""
    example = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    assert CompanyConfig.load(written(tmp_path, example)).gateway.address
