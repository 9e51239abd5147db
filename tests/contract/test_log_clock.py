"""A clock that goes backwards: the log records what it said, in the order of seq, and refuses nothing. When an entry
was there at the latest is told by the witnesses' clocks (docs/adr/0012), which the log's clock does not touch.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ledger.entry import parse
from ledger.fsck import fsck
from ledger.storage.searchable import SearchFilters
from ledger.verify import verify_leaves, verify_receipt
from ledger.witness import utc_now
from tests.contract.log_storages import StorageKind
from tests.support.running_log import KIND, POLICY, LogFolder, transition

NOW = utc_now()
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(lambda: NOW, lambda: NOW - DAY, id="set back while the log was down"),
        pytest.param(lambda: NOW + 3 * DAY, lambda: NOW, id="had been ahead, and was put right"),
        pytest.param(lambda: NOW, lambda: datetime(1970, 1, 1, tzinfo=UTC), id="empty battery"),
    ],
)
async def test_a_clock_that_was_set_back_is_recorded_and_harms_nothing(
    kind: StorageKind,
    place: str,
    folder: LogFolder,
    first: Callable[[], datetime],
    second: Callable[[], datetime],
) -> None:
    async with folder.running(clock=first) as log:
        for number in range(3):
            await log.append(KIND, transition(number), f"key {number}")
    began = utc_now()
    async with folder.running(clock=second) as log:
        receipt = await log.append(KIND, transition(3), "key 3")
        again = await log.append(KIND, transition(1), "key 1")
        leaves = await log.published.leaves(0, 100)
        report = verify_leaves(leaves, log.published.current().note, POLICY)
    # 1. One history in the order of seq; that the clock stepped is told, not hidden.
    assert [parse(leaf).seq for leaf in leaves] == list(range(5))
    assert report.clock_steps_back == 1
    assert again.existing
    # 2. Witnesses date the entry, whatever the log's clock said.
    verified = verify_receipt(receipt, POLICY)
    assert datetime.fromisoformat(verified.entry.ts) == second()
    assert verified.cosigned_at >= began.replace(microsecond=0)
    # 3. Searches by time answer by what was recorded, and everything derived agrees.
    storage = kind.open(place)
    assert storage.search(SearchFilters(not_before=first()), None, 10) == leaves[:4]
    assert storage.search(SearchFilters(not_after=second()), None, 10) == [leaves[4]]
    storage.close()
    with kind.open_audit(place) as audit:
        assert fsck(audit).findings == ()
