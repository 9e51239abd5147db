"""What a log cannot prove is not believed; what it signed against itself is kept, and stops the department."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.ledger_feed import Extension
from department_adapter.projection import ConsentState
from ledger.evidence import Material, Told, Verdict, judge
from ledger.evidence_material import read_material
from ledger.refused import Refusals
from tests.support.federation import NOW
from tests.support.witnessed_log import WITNESSES, WitnessedLog
from tests.unit.department_adapter.ledger_entries import granted, moved
from tests.unit.department_adapter.tail_setting import Setting, until


def fork_of(log: WitnessedLog, size: int) -> WitnessedLog:
    """Another history under the same keys."""
    fork = WitnessedLog(NOW - timedelta(minutes=11))
    while len(fork.leaves) < size:
        fork.append("log.opened", {}, NOW)
    return fork


def lies(setting: Setting) -> dict[str, tuple[list[Extension], ErrorCode]]:
    """Extensions of a history of two known leaves, each wrong in one way."""
    log, feed = setting.log, setting.feed
    leaves = log.leaves[2:]
    fork = fork_of(log, 3)
    own = WitnessedLog(NOW - timedelta(minutes=10), key_label="operator's second key")
    note = feed.note()
    invalid = ErrorCode.LEDGER_INVALID
    return {
        "leaf of a fork": ([Extension(fork.leaves[2:], feed.note())], invalid),
        "checkpoint of a fork": ([Extension(leaves, fork.note(NOW))], invalid),
        "whole fork": ([Extension(fork.leaves[2:], fork.note(NOW))], invalid),
        "leaf withheld": ([Extension([], note)], invalid),
        "leaf before the known ones": ([Extension(log.leaves[1:], note)], invalid),
        "leaf twice": ([Extension([*leaves, *leaves], note)], invalid),
        "leaf altered": ([Extension([leaves[0].replace(b'"seq":2', b'"seq":9')], note)], invalid),
        "leaf that is no entry": ([Extension([b"{}"], note)], invalid),
        "rolled back": ([Extension([], feed.note(1))], invalid),
        "checkpoint without the log's signature": ([Extension(leaves, log.note(NOW, log_signs=False))], invalid),
        "checkpoint under another log key": ([Extension(leaves, own.note(NOW))], invalid),
        "checkpoint without quorum": (
            [Extension(leaves, log.note(NOW, witnesses=WITNESSES[:2]))],
            ErrorCode.LEDGER_QUORUM,
        ),
        "checkpoint cosigned by strangers": (
            [Extension(leaves, log.note(NOW, witnesses=("stranger-1", "stranger-2", "stranger-3")))],
            ErrorCode.LEDGER_QUORUM,
        ),
        "checkpoint that is no note": ([Extension(leaves, b"checkpoint")], invalid),
    }


LIES = (
    "leaf of a fork",
    "checkpoint of a fork",
    "whole fork",
    "leaf withheld",
    "leaf before the known ones",
    "leaf twice",
    "leaf altered",
    "leaf that is no entry",
    "rolled back",
    "checkpoint without the log's signature",
    "checkpoint under another log key",
    "checkpoint without quorum",
    "checkpoint cosigned by strangers",
    "checkpoint that is no note",
)


SIGNED = {
    "checkpoint of a fork": Verdict.OTHER_PREFIX,
    "whole fork": Verdict.OTHER_PREFIX,
    "rolled back": Verdict.ROLLBACK,
}
"""Lies that the log itself signed, and what they show."""
SIZES = {"checkpoint of a fork": {2, 3}, "whole fork": {2, 3}, "rolled back": {1, 2}}


@pytest.mark.parametrize("lie", LIES)
async def test_lie_is_refused_and_said(setting: Setting, lie: str) -> None:
    setting.append(granted())
    async with setting.running():
        await setting.tail.reach(2)
    setting.append(moved("revoked"))
    table = lies(setting)
    assert set(table) == set(LIES)
    setting.feed.extensions, code = table[lie]
    setting.feed.answering = fork_of(setting.log, 3) if lie in SIGNED else None
    async with setting.running():
        await until(lambda: setting.tail.status.fault is not None)
        # 1. Said, to health and to whoever waits, without waiting the patience out.
        with pytest.raises(ConsentgateError) as caught:
            setting.tail.check()
        assert (caught.value.code, caught.value.field) == (code, "tail")
        with pytest.raises(ConsentgateError) as waited:
            await setting.tail.reach(2)
        assert waited.value.code == code
        # 2. Not believed.
        assert setting.tail.status.size == 2
        assert setting.state_of() is ConsentState.ACTIVE
        # 3. The true history goes on, unless the log itself signed what contradicts it.
        setting.feed.extensions = setting.feed.answering = None
        setting.feed.publish()
        await until(lambda: setting.tail.status.size == 3)
        assert setting.refusals.kept() == [SIGNED[lie]] if lie in SIGNED else setting.refusals.forks() == []
        if lie in SIGNED:
            with pytest.raises(ConsentgateError, match="LEDGER_INVALID"):
                setting.tail.check()
        else:
            await until(lambda: setting.tail.status.fault is None)
            setting.tail.check()
    assert setting.state_of() is ConsentState.REVOKED


@pytest.mark.parametrize("lie", SIGNED)
async def test_what_the_log_signed_stops_the_department_until_an_operator_acts(setting: Setting, lie: str) -> None:
    setting.append(granted())
    async with setting.running():
        await setting.tail.reach(2)
    setting.append(moved("revoked"))
    setting.feed.extensions, _ = lies(setting)[lie]
    setting.feed.answering = fork_of(setting.log, 3)
    async with setting.running():
        await until(lambda: setting.refusals.kept() == [SIGNED[lie]])
    kept = read_material(setting.refusals.folder / SIGNED[lie].value)
    finding = judge(kept, setting.federation.anchors.log_policy)
    assert {finding.first.checkpoint.size, finding.second.checkpoint.size} == SIZES[lie]
    # 1. A restart does not change it, nor does a log that is honest again.
    setting.feed.extensions = setting.feed.answering = None
    setting.tail = setting.make()
    with pytest.raises(ConsentgateError, match="LEDGER_INVALID"):
        setting.tail.check()
    async with setting.running():
        await until(lambda: setting.tail.status.size == 3)
        with pytest.raises(ConsentgateError, match="LEDGER_INVALID"):
            await setting.tail.reach(3)
        # 2. An operator takes the evidence away.
        setting.refusals.folder.rename(setting.refusals.folder.with_name("handed over"))
        setting.feed.publish()
        await until(lambda: setting.tail.status.fault is None)
        setting.tail.check()


async def test_the_first_contradiction_is_kept(setting: Setting) -> None:
    setting.append(granted())
    async with setting.running():
        await setting.tail.reach(2)
    first, second = fork_of(setting.log, 2), WitnessedLog(NOW - timedelta(minutes=12))
    second.append("log.closed", {}, NOW)
    setting.feed.extensions = [Extension([], first.note(NOW))]
    async with setting.running():
        await until(lambda: setting.refusals.kept() == [Verdict.SAME_SIZE])
        setting.feed.extensions = [Extension([], second.note(NOW))]
        before = len(setting.feed.starts)
        await until(lambda: len(setting.feed.starts) > before + 2)
    assert read_material(setting.refusals.folder / "same-size").second == first.note(NOW)


async def test_a_long_lie_is_followed_to_the_checkpoint_that_signs_it(setting: Setting) -> None:
    """Leaves are not signed: the log is held to what it signed after them."""
    setting.append(granted())
    async with setting.running():
        await setting.tail.reach(2)
    fork = fork_of(setting.log, 9)
    pieces = [Extension(fork.leaves[number : number + 1], b"") for number in range(2, 9)]
    setting.feed.extensions = [*pieces, Extension([], fork.note(NOW))]
    setting.feed.answering = fork
    async with setting.running():
        await until(lambda: setting.refusals.kept() == [Verdict.OTHER_PREFIX])
    assert setting.feed.asked[0] == 1


async def test_a_log_that_shows_one_tree_and_answers_from_another(setting: Setting) -> None:
    """Kept, but no proof: the department goes on when the log does."""
    setting.append(granted())
    async with setting.running():
        await setting.tail.reach(2)
    setting.append(moved("revoked"))
    fork = fork_of(setting.log, 3)
    setting.feed.extensions = [Extension(fork.leaves[2:], fork.note(NOW))]
    async with setting.running():
        await until(lambda: setting.refusals.kept() == [Verdict.UNANSWERED])
        setting.feed.extensions = None
        setting.feed.publish()
        await until(lambda: setting.tail.status.fault is None)


async def test_a_fork_that_the_own_witness_saw_stops_the_department(setting: Setting, tmp_path: Path) -> None:
    other = Refusals(tmp_path / "witness.refused")
    setting.refused = replace(setting.refused, others=[other])
    setting.tail = setting.make()
    material = Material(fork_of(setting.log, 2).note(NOW), WitnessedLog(NOW).note(NOW))
    small = replace(material, told=Told("tax", NOW))
    async with setting.running():
        await setting.tail.reach(1)
        other.keep(small, setting.federation.anchors.log_policy)
        assert other.kept() == [Verdict.ROLLBACK]
        setting.feed.publish()
        await setting.tail.reach(1)
        fork = Material(setting.log.note(NOW), fork_of(setting.log, 1).note(NOW))
        other.keep(fork, setting.federation.anchors.log_policy)
        setting.feed.publish()
        await until(lambda: setting.tail.status.fault is ErrorCode.LEDGER_INVALID)


async def test_a_disk_that_is_full_changes_nothing_about_the_refusal(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with setting.running():
        await setting.tail.reach(1)
    (setting.refusals.folder.parent).mkdir(exist_ok=True)
    setting.refusals.folder.write_text("no folder can be made here")
    setting.feed.extensions = [Extension([], fork_of(setting.log, 1).note(NOW))]
    async with setting.running():
        await until(lambda: setting.tail.status.fault is ErrorCode.LEDGER_INVALID)
        with pytest.raises(ConsentgateError, match="LEDGER_INVALID"):
            setting.tail.check()
    assert setting.refusals.kept() == []
