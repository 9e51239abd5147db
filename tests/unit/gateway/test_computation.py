"""Arrangement of ciphertexts with their weights, and the computation in worker processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NoReturn

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from gateway.computation import Computation, WeightedColumns, arrange, compute_score
from paillier.score_range import decode_signed
from paillier.wire import split
from tests.support.federation import Federation, encryptor
from tests.support.sample_scorecard import SCORECARD, small_scorecard

FEDERATION = Federation()
KEY = FEDERATION.paillier_key
PUBLIC = KEY.public
PRESENT = {name: encryptor(PUBLIC.n).encrypt(FEDERATION.positions(name)) for name in ("tax", "customs")}


def opened(output: bytes) -> int:
    (ciphertext,) = split(output, PUBLIC, 1)
    return decode_signed(KEY.decrypt(ciphertext), PUBLIC)


def test_ciphertexts_stand_in_the_headers_order() -> None:
    columns = arrange(SCORECARD, dict(reversed(PRESENT.items())))
    assert columns.ciphertexts == PRESENT["tax"] + PRESENT["customs"]
    assert columns.weights == tuple(SCORECARD.points())
    assert (columns.bias, columns.weight_bits) == (600, 16)


def test_a_missing_department_becomes_a_constant() -> None:
    columns = arrange(small_scorecard(missing="encode"), {"tax": PRESENT["tax"]})
    assert columns.ciphertexts == PRESENT["tax"]
    assert len(columns.weights) == 7
    assert columns.bias == 600 - 5  # the missing bin of exports


def test_missing_numbers_count_as_lo_with_their_indicator() -> None:
    columns = arrange(SCORECARD, {"customs": PRESENT["customs"]})
    assert columns.bias == 600 - 25 - 70


def test_the_score_is_the_plaintext_one_and_never_the_same_bytes() -> None:
    columns = arrange(SCORECARD, PRESENT)
    outputs = [compute_score(int(PUBLIC.n), columns) for _ in range(2)]
    assert [opened(output) for output in outputs] == [FEDERATION.plaintext_score()] * 2
    assert outputs[0] != outputs[1], "re-randomised"


def test_nothing_but_a_constant() -> None:
    assert opened(compute_score(int(PUBLIC.n), WeightedColumns(b"", (), -17, 16))) == -17


@pytest.fixture(scope="module")
def computation() -> Iterator[Computation]:
    """Real worker processes; spawning them takes a second."""
    made = Computation(1)
    yield made
    made.close()


async def test_in_a_worker_process(computation: Computation) -> None:
    await computation.warm()
    output = await computation.score(PUBLIC, arrange(SCORECARD, PRESENT))
    assert opened(output) == FEDERATION.plaintext_score()


async def test_a_killed_worker_is_replaced(computation: Computation) -> None:
    """Exactly what an out-of-memory killer does."""
    await computation.warm()
    (worker,) = computation._pool._processes  # type: ignore[attr-defined]
    os.kill(worker, signal.SIGKILL)
    output = await computation.score(PUBLIC, arrange(SCORECARD, PRESENT))
    assert opened(output) == FEDERATION.plaintext_score()


class BrokenPool(Executor):
    """A pool whose workers die whatever they are given."""

    def submit(self, *_work: Any, **_options: Any) -> NoReturn:
        raise BrokenProcessPool

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing runs."""


class Dying(Computation):
    """Gets such a pool again and again."""

    def _new_pool(self) -> Executor:
        return BrokenPool()


async def test_workers_that_keep_dying_are_an_error() -> None:
    with pytest.raises(ConsentgateError) as caught:
        await Dying(1).score(PUBLIC, arrange(SCORECARD, PRESENT))
    assert caught.value.code is ErrorCode.INTERNAL
