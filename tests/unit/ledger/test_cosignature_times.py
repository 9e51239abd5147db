"""Witnesses date their cosignatures themselves, and freshness is judged by these times: a single one that dates falsely
harms nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from ledger.note import Note
from ledger.verify import verify_receipt
from ledger.witness import utc_now
from tests.support.running_log import KIND, POLICY, LocalWitness, LogFolder, transition
from tests.support.witnessed_log import witness_signer

STALE = timedelta(seconds=5)
"""The bound by which departments call a quorum's cosignatures stale."""
LIAR = "tax"
FALSE_TIMES = [datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]


class FalseClock(LocalWitness):
    """Cosigns whatever it is shown, at once, and dates it as it pleases."""

    moment = FALSE_TIMES[0]

    async def add_checkpoint(self, _old_size: int, _proof: Sequence[bytes], checkpoint: bytes) -> bytes:
        return witness_signer(LIAR).cosign(Note.parse(checkpoint).text, self.moment).line()


@pytest.fixture
def liar(folder: LogFolder) -> FalseClock:
    liar = FalseClock(folder.witnesses[LIAR].witness)
    folder.witnesses[LIAR] = liar
    return liar


@pytest.mark.parametrize("moment", FALSE_TIMES, ids=["1970", "9999"])
async def test_one_witness_that_dates_falsely_spoils_no_receipt_and_no_checkpoint(
    folder: LogFolder, liar: FalseClock, moment: datetime
) -> None:
    liar.moment = moment
    reached = []
    async with folder.running() as log:
        for number in range(30):
            receipt = await log.append(KIND, transition(number), f"key {number}")
            newest = POLICY.check(log.published.current().note)
            reached += [verify_receipt(receipt, POLICY).cosigned_at, newest.cosigned_at]
    assert all(at is not None and abs(utc_now() - at) < STALE for at in reached)


async def test_where_the_quorum_needs_it_it_counts_and_is_named(folder: LogFolder, liar: FalseClock) -> None:
    folder.witnesses["courts"].dead = True
    with capture_logs() as logs:
        async with folder.running() as log:
            receipt = await log.append(KIND, transition(), "key")
    assert verify_receipt(receipt, POLICY).cosigned_at == liar.moment
    told = [line for line in logs if line["event"] == "witness dates otherwise"]
    assert [line["witness"] for line in told] == [LIAR]


async def test_a_log_whose_own_clock_is_wrong_has_its_quorum_all_the_same(folder: LogFolder) -> None:
    async with folder.running(clock=lambda: utc_now() - timedelta(days=365)) as log:
        receipt = await log.append(KIND, transition(), "key")
    assert abs(utc_now() - verify_receipt(receipt, POLICY).cosigned_at) < STALE
