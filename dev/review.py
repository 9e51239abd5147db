"""Two reviewers approve a scorecard for a grantee group by their own commands: fetch, review and sign, combine, submit.

The first fetches the package and hands in what both signed; each recomputes the disclosure report before signing,
offline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consentgate.identity import Role
from dev.commands import Outcome, patiently, run_command
from dev.layout import GATEWAY, REVIEWERS, Layout, spiffe


@dataclass(frozen=True)
class Approval:
    """An approved scorecard: the commands that led to it, what the reviewers read, and the ledger entry."""

    commands: tuple[Outcome, ...]
    report: dict[str, Any]
    seq: int


def approve(layout: Layout, scorecard: str, group: str, members: Sequence[str]) -> Approval:
    """Both reviewers approve `scorecard` for `group`; raises CommandFailed when report or chain refuse it."""
    first, *_ = folders = [layout.member(Role.REVIEWER, name) for name in REVIEWERS]
    package, statement = first / f"{scorecard[:8]}.review.json", first / f"{scorecard[:8]}.approval.json"
    members_options = [option for member in members for option in ("--member", member)]
    fetched = _run(
        layout,
        ["fetch", "--group", group, "--scorecard", scorecard, *members_options, "--out", str(package)],
        _connection(layout, first),
    )
    signatures = [folder / f"{scorecard[:8]}.signature.jws" for folder in folders]
    reviewed = [
        _run(
            layout,
            ["review", str(package), "--key", str(folder / "person.key"), "--out", str(signature)],
            ["--yes", *_anchors(folder)],
        )
        for folder, signature in zip(folders, signatures, strict=True)
    ]
    combined = _run(layout, ["combine", *map(str, signatures), "--out", str(statement)], _anchors(first))
    submitted = _run(layout, ["submit", str(statement)], _connection(layout, first))
    return Approval(
        (fetched, *reviewed, combined, submitted), reviewed[0].members["report"], int(submitted.members["seq"])
    )


def _run(layout: Layout, arguments: Sequence[str], options: Sequence[str]) -> Outcome:
    command = ["gateway", "scorecard", *arguments]
    return patiently(lambda: run_command(layout.directory, command, [*options, "--json"]))


def _anchors(folder: Path) -> list[str]:
    return ["--anchors", str(folder / "anchors.toml")]


def _connection(layout: Layout, folder: Path) -> list[str]:
    """Where the gateway answers, and as whom this reviewer calls."""
    return [
        *("--gateway", layout.addresses["gateway"], "--peer", spiffe(Role.GATEWAY, GATEWAY)),
        *("--certificate", str(folder / "tls.pem"), "--private-key", str(folder / "tls.key")),
        *_anchors(folder),
        "--development",
    ]
