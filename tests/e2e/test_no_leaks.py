"""After the demo at debug level: no raw value, company code, name or private key in any log, error or ledger leaf."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from dev.companies import extract, sample_companies
from dev.demo import COMPANY, STRANGER
from dev.ledger_story import EXPORT
from tests.e2e.conftest import TEST_SECONDS, DemoRun

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]

SIGNIFICANT = 5
"""Digits that make a value recognisable: shorter numbers occur by chance in ports, sizes and durations."""
KEY_LINE = 40
"""Characters of a line of a PEM or JSON key that are secret enough to be looked for."""


def found(secrets: Iterable[str], texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """(secret, place) of every secret that stands in a text."""
    return [(secret, place) for place, text in texts.items() for secret in secrets if secret in text]


def texts_of(demo_run: DemoRun) -> dict[str, str]:
    """All logs, all error texts of refused commands, all ledger leaves."""
    files = [*demo_run.directory.rglob("*.log"), *(demo_run.directory / EXPORT / "entries").iterdir()]
    return {str(path.relative_to(demo_run.directory)): path.read_text(errors="replace") for path in files}


@pytest.fixture(scope="module")
def texts(demo_run: DemoRun) -> dict[str, str]:
    assert demo_run.code == 0, demo_run.output
    return texts_of(demo_run)


def test_there_is_something_to_search(texts: dict[str, str]) -> None:
    """Every process wrote its log, refusals left error texts, and the ledger has leaves."""
    names = {Path(place).name for place in texts}
    assert {"gateway.log", "ledger.log", "tax.log", "courts.log", "errors.log"} <= names
    assert all(text for place, text in texts.items() if place.endswith(".log")), "an empty log proves nothing"
    assert any('"event": "step"' in text for text in texts.values())
    assert sum(text.count("\n") for text in texts.values()) > 100
    leaves = "".join(text for place, text in texts.items() if EXPORT in place)
    assert '"kind":"query.release"' in leaves


def test_the_search_finds_what_it_is_told_to_find(texts: dict[str, str]) -> None:
    planted = {**texts, "planted.log": '{"event": "asked", "company": "91440100SECRETCODE"}'}
    assert found(["91440100SECRETCODE"], planted) == [("91440100SECRETCODE", "planted.log")]


def test_no_company_code_or_name(texts: dict[str, str]) -> None:
    companies = sample_companies(extract())
    assert found([company.code for company in companies], texts) == []
    assert found([company.name for company in companies], texts) == []


def test_nothing_of_the_shape_of_a_company_code(texts: dict[str, str]) -> None:
    assert [place for place, text in texts.items() if re.search(r"\b91440100[0-9A-Z]{10}\b", text, re.I)] == []


def test_no_raw_value_of_a_company_that_was_asked_about(texts: dict[str, str]) -> None:
    companies = sample_companies(extract())
    values = {
        value
        for company in (companies[COMPANY], companies[STRANGER])
        for value in company.row.ratios.values()
        if value is not None and len(re.sub(r"^[-0.]+|\.", "", value)) >= SIGNIFICANT
    }
    assert len(values) >= 10
    numbers = {place: " ".join(re.findall(r"-?\d+\.\d+", text)) for place, text in texts.items()}
    padded = {place: f" {text} " for place, text in numbers.items()}
    assert found([f" {value} " for value in values], padded) == []


def test_no_private_key_and_no_passphrase(demo_run: DemoRun, texts: dict[str, str]) -> None:
    assert [place for place, text in texts.items() if "PRIVATE KEY" in text] == []
    files = [*demo_run.directory.rglob("*.key"), *demo_run.directory.rglob("paillier.key.json")]
    lines = {line for path in files for line in path.read_text().splitlines() if len(line) >= KEY_LINE}
    lines |= {line.rpartition(":")[2] for line in lines if line.startswith("consentgate-key-encryption-key")}
    lines |= {path.read_text().strip() for path in demo_run.directory.rglob("passphrase")}
    assert len(lines) >= len(files)
    assert found(lines, texts) == []


def test_the_gateways_databases_name_no_company(demo_run: DemoRun, texts: dict[str, str]) -> None:
    """Nor do its key database and the files that SQLite keeps beside them: whoever copies them learns of no company."""
    codes = [company.code for company in sample_companies(extract())]
    files = sorted(demo_run.directory.rglob("gateway/*/*.db*"))
    assert {path.name for path in files} >= {"gateway.db", "keys.db"}
    asked = next(path for path in files if path.name == "gateway.db").read_bytes()
    assert b"query.release" in asked, "an empty database proves nothing"
    for path in files:
        content = path.read_bytes()
        readable = content + b"".join(
            b"\x00" + urlsafe_b64decode(run[offset : len(run) - (len(run) - offset) % 4])
            for run in re.findall(rb"[A-Za-z0-9_-]{16,}", content)
            for offset in range(4)
        )
        assert [code for code in codes if code.encode() in readable] == []


def test_no_decrypted_score_beside_its_name(demo_run: DemoRun, texts: dict[str, str]) -> None:
    score = json.dumps(demo_run.summary["score"])
    assert [place for place, text in texts.items() if re.search(rf'"score"\s*:\s*{score}\b', text)] == []
