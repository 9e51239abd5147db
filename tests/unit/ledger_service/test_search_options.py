"""Filters of `ledger search`: what is misspelt is refused, and never reads as "nobody looked"."""

from __future__ import annotations

import re
from pathlib import Path

import protovalidate
import pytest

from consentgate.terminal import ExitCode
from consentgate.v1 import ledger_pb2
from ledger_service.cli import app
from ledger_service.search_options import FORMS
from tests.support.command_line import Ended, run_command
from tests.support.sample_log import SUBJECT, export_log, sample_log

LOG = sample_log(repeat=60)
ENTRIES = len(LOG.leaves)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_log(LOG, tmp_path_factory.mktemp("source") / "export")


def search(source: Path, *options: object) -> Ended:
    return run_command(app, ["search", "--from", source, "--limit", 500, "--json", *options])


MISSPELT = [
    ("--subject", SUBJECT.upper()),
    ("--subject", f"{SUBJECT} "),
    ("--subject", SUBJECT[:-1]),
    ("--subject", ""),
    ("--institution", "BANK-A"),
    ("--institution", "银行"),
    ("--institution", "bank-a\n"),
    ("--kind", "query.decisions"),
    ("--kind", ""),
    ("--purpose", "Credit.Origination"),
    ("--category", "tax declarations"),
    ("--verdict", "denied"),
    ("--reason", "consent_revoked"),
]


@pytest.mark.parametrize(("option", "value"), MISSPELT)
def test_a_misspelt_filter_is_refused(source: Path, option: str, value: str) -> None:
    ended = search(source, option, value)
    assert (ended.code, ended.out) == (ExitCode.USAGE, "")
    assert f"Invalid value for '{option}'" in ended.err


def test_a_misspelt_filter_is_neither_asked_nor_recorded(tmp_path: Path) -> None:
    """There is not even a configuration to ask anybody with."""
    ended = run_command(app, ["search", "--verdict", "denied", "--config", tmp_path / "officer.toml"])
    assert (ended.code, "allow or deny" in ended.err) == (ExitCode.USAGE, True)


VALUES = [
    "a",
    "A",
    "AB",
    "allow",
    "deny",
    "Deny",
    "a.b",
    "a b",
    "_a",
    "a_",
    "-a",
    "A_B",
    "A.B",
    "0",
    "a" * 64,
    "a" * 65,
]
VALUES += ["A" * 49, "A" * 50, "0" * 32, "0" * 31, "0" * 33, "g" * 32, "F" * 32, "银行", "allow\n", "a/b", "\x1b[31m"]


@pytest.mark.parametrize("name", FORMS)
def test_forms_are_those_of_the_wire(name: str) -> None:
    def is_taken(value: str) -> bool:
        try:
            protovalidate.validate(ledger_pb2.SearchEntriesRequest(**{name: value}))  # type: ignore[arg-type]
        except protovalidate.ValidationError:
            return False
        return True

    pattern, _ = FORMS[name]
    assert [value for value in VALUES if re.fullmatch(pattern, value)] == [*filter(is_taken, VALUES)]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--not-after", "2026-11-24"], 500),
        (["--not-after", "20261124"], 500),
        (["--not-after", "2026-W48-2"], 500),
        (["--not-after", "2026-11-23"], 0),
        (["--not-after", "2026-11-24T00:00"], 0),
        (["--not-before", "2026-11-24", "--not-after", "2026-11-24"], 500),
        (["--not-before", "0001-01-01", "--not-after", "9999-12-31"], 500),
    ],
)
def test_the_last_day_is_meant_with_all_its_hours(source: Path, options: list[str], count: int) -> None:
    assert len(search(source, *options).members["entries"]) == count


@pytest.mark.parametrize(
    "options",
    [
        ["--not-before", "0001-01-01T00:00+14:00"],
        ["--not-after", "9999-12-31T23:59:59-10:00"],
        ["--not-before", "2026-13-01"],
        ["--not-before", "2026"],
        ["--not-before", "２０２６-11-24"],
        ["--not-before", "2026-11-25", "--not-after", "2026-11-24"],
        ["--after-seq", 2**53],
        ["--after-seq", 10**30],
    ],
)
def test_no_such_time_or_place(source: Path, options: list[object]) -> None:
    ended = search(source, *options)
    assert (ended.code, ended.out) == (ExitCode.USAGE, "")


def test_an_export_without_its_last_entries_finds_nothing_silently(tmp_path: Path) -> None:
    """They might be what is looked for."""
    directory = export_log(sample_log(), tmp_path / "export")
    entries = directory / "entries" / "000000000000.jsonl"
    lines = entries.read_bytes().splitlines(keepends=True)
    entries.write_bytes(b"".join(lines[:-1]))
    ended = search(directory, "--kind", "log.closed")
    assert (ended.code, ended.members["error"]) == (ExitCode.INVALID, "ExportInvalid")
    assert f"there are {len(lines) - 1} leaves, but the checkpoint counts {len(lines)}" in ended.err
    first = run_command(app, ["search", "--from", directory, "--limit", 1, "--json"])
    assert (first.code, len(first.members["entries"])) == (ExitCode.OK, 1)
