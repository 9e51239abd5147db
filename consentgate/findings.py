"""How the checks of a `check` command become findings, and how a command shows them: the same for every member.

`consentgate.doctor` examines certificates and connections; what a gateway or a department needs beyond that is examined
by its own package with the functions here. One defect does not hide the next: a check that raises is a finding.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.markup import escape

from consentgate.anchors import Anchors
from consentgate.doctor import Finding, Verdict, healthy
from consentgate.error_status import translate
from consentgate.errors import ConsentgateError
from consentgate.terminal import show

NAME_COLUMNS = 22
"""Characters for the name of a check; a longer one moves its line."""

Loaded = TypeVar("Loaded")

_COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "bold red"}


def look(check: str, examine: Callable[[], str]) -> Finding:
    """Runs one check: what it returns is found good, what it raises carries cause and cure."""
    try:
        return Finding(check, Verdict.OK, examine())
    except Exception as error:  # also a ledger or Paillier error, which the catalogue knows by translation
        return failed(check, translate(error))


def failed(check: str, error: ConsentgateError) -> Finding:
    """The finding that an error of the catalogue is."""
    where = f" ({error.field})" if error.field else ""
    return Finding(check, Verdict.FAILED, f"{error.message}{where}", error.hint, error.code)


def loaded(
    findings: list[Finding], check: str, load: Callable[[], Loaded], describe: Callable[[Loaded], str]
) -> Loaded | None:
    """What was loaded; None, and a finding that says why, when it cannot be."""
    found: list[Loaded] = []

    def examine() -> str:
        found.append(load())
        return describe(found[0])

    findings.append(look(check, examine))
    return found[0] if found else None


def describe_anchors(anchors: Anchors) -> str:
    """What a person compares with what the federation published."""
    return (
        f"trust domain {anchors.trust_domain}; registry {anchors.registry_department}; "
        f"{anchors.reviewers_required} of {len(anchors.reviewers)} reviewers; "
        f"{len(anchors.log_policy.witnesses)} witnesses, quorum {anchors.log_policy.quorum}, "
        f"a fork needs {anchors.log_policy.shared_witnesses()} of them to lie; "
        f"freshness {anchors.freshness.total_seconds():.0f} s"
    )


def member_ca_file(anchors: Path) -> Path:
    """The path that the anchors, which were loaded already, name."""
    return anchors.parent / str(tomllib.loads(anchors.read_text(encoding="utf-8"))["member_ca"])


def show_findings(findings: Sequence[Finding], as_json: bool) -> None:
    """On stdout: one line per check with its cause, and the cure below; or one JSON object."""
    if as_json:
        show({"healthy": healthy(findings), "findings": [_members(found) for found in findings]}, [], True)
        return
    console = Console(highlight=False, soft_wrap=True)
    for found in findings:
        colour = _COLOURS[found.verdict]
        console.print(f"[{colour}]{found.verdict:8}[/] {found.check:{NAME_COLUMNS}} {escape(found.cause)}")
        if found.cure:
            console.print(f"{'':9}{'':{NAME_COLUMNS}} → {escape(found.cure)}")


def _members(found: Finding) -> dict[str, object]:
    return {
        "check": found.check,
        "verdict": str(found.verdict),
        "cause": found.cause,
        "cure": found.cure,
        "code": None if found.code is None else str(found.code),
    }
