"""Findings: a check that raises anything at all is one, with cause and cure, and shown the same way everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import structlog

from consentgate import findings
from consentgate.doctor import Finding, Verdict
from consentgate.errors import ConsentgateError, ErrorCode
from ledger.errors import PolicyInvalid
from tests.support.federation import Federation

SECRET = "91350100M000100Y43"


def _raising(error: Exception):
    def examine() -> str:
        raise error

    return examine


def test_what_a_check_returns_is_found_good():
    assert findings.look("database", lambda: "reachable") == Finding("database", Verdict.OK, "reachable")


def test_error_of_the_catalogue_is_cause_and_cure():
    error = ConsentgateError(ErrorCode.CONFIG_INVALID, field="gateway.toml: listen", private=SECRET)
    found = findings.look("configuration", _raising(error))
    assert (found.verdict, found.code, found.cure) == (Verdict.FAILED, ErrorCode.CONFIG_INVALID, error.hint)
    assert "(gateway.toml: listen)" in found.cause
    assert SECRET not in found.cause


def test_error_of_another_package_is_translated():
    found = findings.look("policy", _raising(PolicyInvalid(SECRET)))
    assert (found.code, found.cure) == (ErrorCode.CONFIG_INVALID, PolicyInvalid.hint)
    assert SECRET not in found.cause


def test_unexpected_exception_is_a_finding_too():
    with structlog.testing.capture_logs():
        found = findings.look("database", _raising(ZeroDivisionError(SECRET)))
    assert found.code is ErrorCode.INTERNAL
    assert SECRET not in f"{found.cause} {found.cure}"


def test_loaded_or_a_finding():
    seen: list[Finding] = []
    assert findings.loaded(seen, "number", lambda: 7, lambda number: f"it is {number}") == 7
    assert findings.loaded(seen, "none", _raising(ConsentgateError(ErrorCode.KEY_FILE)), str) is None
    assert [(found.check, found.verdict) for found in seen] == [("number", Verdict.OK), ("none", Verdict.FAILED)]
    assert seen[0].cause == "it is 7"


def test_anchors_are_described_for_comparison(federation: Federation):
    text = findings.describe_anchors(federation.anchors)
    assert text.startswith("trust domain consentgate.test; registry market-regulation; 2 of 3 reviewers; 4 witnesses")


def test_member_ca_of_the_anchors(tmp_path: Path):
    (tmp_path / "anchors.toml").write_text('member_ca = "pki/ca.pem"\n', encoding="utf-8")
    assert findings.member_ca_file(tmp_path / "anchors.toml") == tmp_path / "pki" / "ca.pem"


@pytest.mark.parametrize("cause", ["[red]markup[/]", "plain"])
def test_shown_for_people_and_for_machines(capsys: pytest.CaptureFixture[str], cause: str):
    seen = [Finding("a", Verdict.OK, "good"), Finding("b", Verdict.FAILED, cause, "Do this.", ErrorCode.KEY_FILE)]
    findings.show_findings(seen, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("failed")
    assert cause in lines[1]
    assert lines[2].strip() == "→ Do this."
    findings.show_findings(seen, as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert answer["healthy"] is False
    assert answer["findings"][1] == {
        "check": "b",
        "verdict": "failed",
        "cause": cause,
        "cure": "Do this.",
        "code": "KEY_FILE",
    }
