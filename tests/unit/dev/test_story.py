"""The demo's narrator counts what was not as expected; the ledger chapter changes one letter, and that is located."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from dev.commands import Outcome
from dev.demo import conclude
from dev.ledger_story import tamper
from dev.processes import Service
from dev.story import EXIT_DISAPPOINTED, Story, explained
from ledger.errors import LedgerError
from ledger.policy import LogPolicy
from ledger.verify import read_leaves, verify_export
from tests.support.sample_log import export_log, sample_log
from tests.support.witnessed_log import policy_text


@pytest.fixture
def story() -> Story:
    return Story(Console(file=io.StringIO(), highlight=False, width=200))


def told(story: Story) -> str:
    file = story.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_expectations_are_counted_and_shown(story: Story) -> None:
    story.expect("the sky is above", True)
    story.expect("the sea is above", False)
    assert story.disappointments == ["the sea is above"]
    assert "✓ the sky" in told(story)
    assert "✗ the sea" in told(story)


def test_what_a_command_says_is_no_markup(story: Story) -> None:
    story.command(Outcome("bank score [bold]", 3, {}, "", 0.5))
    story.say("a [red]herring[/red]")
    assert "[bold]" in told(story)
    assert "[red]herring[/red]" in told(story)


def test_the_end_repeats_every_disappointment_and_writes_the_summary(story: Story, tmp_path: Path) -> None:
    class Run:
        """What `conclude` looks at."""

        def __init__(self) -> None:
            self.story, self.summary = story, {"score": 1}

    assert conclude(Run(), tmp_path) == 0  # type: ignore[arg-type]
    story.expect("a department answered", False)
    assert conclude(Run(), tmp_path) == EXIT_DISAPPOINTED  # type: ignore[arg-type]
    assert "Not as expected: a department answered" in told(story)
    assert (tmp_path / "summary.json").read_text() == '{\n "score": 1\n}\n'


def test_a_failure_names_the_process_that_has_ended_with_the_end_of_its_log(story: Story, tmp_path: Path) -> None:
    config = tmp_path / "courts.toml"
    (tmp_path / "courts.log").write_text("first line\nthe disk is full\n")
    services = [Service("courts", "department-adapter", config)]

    def fail() -> None:
        with explained(story, services, {"courts": 2**22 + 1}):
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    assert "courts has ended" in told(story)
    assert "the disk is full" in told(story)


def test_a_failure_without_a_dead_process_shows_the_gateways_log(story: Story, tmp_path: Path) -> None:
    (tmp_path / "gateway.log").write_text("odd things\n")
    services = [Service("gateway", "gateway", tmp_path / "gateway.toml")]

    def fail() -> None:
        with explained(story, services, {}):
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    assert "gateway still runs" in told(story)
    assert "odd things" in told(story)


def test_tampering_changes_one_letter_of_a_decision_and_is_located(tmp_path: Path) -> None:
    export = export_log(sample_log(), tmp_path / "export")
    before = list(read_leaves(export))
    number = tamper(export)
    after = list(read_leaves(export))
    changed = [index for index, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert changed == [number]
    assert sum(a != b for a, b in zip(before[number], after[number], strict=True)) == 1
    with pytest.raises(LedgerError, match=f"leaf {number + 1} does not name"):
        verify_export(export, LogPolicy.parse(policy_text()))
