"""Checks that become findings, whatever they raise, and how a command shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from consentgate.doctor import Finding, Verdict
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.findings import describe_anchors, failed, loaded, look, member_ca_file, show_findings
from ledger.errors import PolicyInvalid
from tests.support.federation import Federation


def raising(error: Exception) -> str:
    raise error


def test_a_check_that_returns_is_good() -> None:
    assert look("thing", lambda: "it is there") == Finding("thing", Verdict.OK, "it is there")


def test_a_check_that_raises_carries_cause_and_cure() -> None:
    found = look("thing", lambda: raising(ConsentgateError(ErrorCode.CONFIG_INVALID, field="x.toml: entry")))
    assert (found.verdict, found.code) == (Verdict.FAILED, ErrorCode.CONFIG_INVALID)
    assert "(x.toml: entry)" in found.cause
    assert found.cure


def test_errors_of_other_packages_are_translated() -> None:
    assert look("policy", lambda: raising(PolicyInvalid("quorum"))).code is ErrorCode.CONFIG_INVALID
    assert look("surprise", lambda: raising(RuntimeError("secret"))).code is ErrorCode.INTERNAL


def test_a_surprise_is_not_repeated() -> None:
    assert "secret" not in str(look("surprise", lambda: raising(RuntimeError("secret"))))


def test_what_was_loaded_is_handed_on() -> None:
    findings: list[Finding] = []
    assert loaded(findings, "number", lambda: 7, lambda number: f"{number} found") == 7
    assert loaded(findings, "nothing", lambda: int(raising(ConsentgateError(ErrorCode.KEY_FILE))), str) is None
    assert [(found.check, found.verdict) for found in findings] == [("number", Verdict.OK), ("nothing", Verdict.FAILED)]


def test_anchors_are_described_and_their_ca_found(tmp_path: Path) -> None:
    text = describe_anchors(Federation().anchors)
    assert "trust domain consentgate.test" in text
    assert "2 of 3 reviewers" in text
    (tmp_path / "anchors.toml").write_text('member_ca = "ca/member.pem"\n')
    assert member_ca_file(tmp_path / "anchors.toml") == tmp_path / "ca" / "member.pem"


FINDINGS = [
    Finding("good", Verdict.OK, "[all] is well"),
    failed("bad", ConsentgateError(ErrorCode.CERTIFICATE_EXPIRED)),
]


def test_shown_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    show_findings(FINDINGS, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["ok", "good", "[all]", "is", "well"]
    assert lines[1].startswith("failed")
    assert lines[2].strip().startswith("→")


def test_shown_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    show_findings(FINDINGS, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert shown["healthy"] is False
    assert [(found["verdict"], found["code"]) for found in shown["findings"]] == [
        ("ok", None),
        ("failed", "CERTIFICATE_EXPIRED"),
    ]
