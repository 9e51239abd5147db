"""What a `paillier.randomizer_worker` process runs: randomizers, one after the other, on its standard output.

Spec: design 2 "Randomizer pool". Standard input brings one line of JSON: {"modulus": hex, "window": bits}. Each message
is both digits of a randomizer, each as long as n, big-endian. Whoever reads decides the pace, because a full pipe
blocks; when nobody reads any more, the process ends.

Idle work must stay idle work where the lowest priority does not count (containers and sessions share a machine by
groups, whatever the priorities inside). So the process also looks at the clock: it works in stints, and rests after one
that took clearly longer than its processor time, since then somebody else wanted the core. Wide tables, half a second
of work in one piece, wait for a quiet moment, but not for ever.

Left out: any other use. Thread-safety: one thread, one process.
"""

import json
import sys
import time
from collections.abc import Callable
from io import FileIO
from typing import BinaryIO, TypeVar

import gmpy2
from gmpy2 import mpz

from paillier.encryption import Encryptor, table_bytes
from paillier.public_key import PublicKey

STINT_SECONDS = 0.02
"""processor time between two looks at the clock: longer than the slices in which busy systems share a core."""

CONTENDED = 1.5
"""wall time per processor time from which somebody else wanted the core; alone it is 1.0 to 1.1."""

REST = 10
"""wall times of a contended stint to rest after it: on a busy machine about a twentieth of a core is used."""

LONGEST_REST_SECONDS = 0.5
"""After so long another look costs little and may find an idle machine."""

WIDE_BYTES = 10 << 20
"""Tables above this take noticeable time to build: 0.1 s for 10 MB at 3072 bits."""

PATIENCE_SECONDS = 10.0
"""Longest wait for a quiet moment before wide tables are built all the same: they pay for themselves."""

Result = TypeVar("Result")


class Pace:
    """Times work and rests after a stint during which others wanted the core."""

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.thread_time,
        rest: Callable[[float], None] = time.sleep,
    ) -> None:
        """The clocks count seconds, of the wall and of this thread; tests bring their own."""
        self._wall, self._processor, self._rest = wall, processor, rest
        self._wall_spent = self._processor_spent = 0.0

    def timed(self, work: Callable[[], Result]) -> Result:
        """Does `work`; what happens between two calls, such as waiting for a reader, does not count."""
        wall, processor = self._wall(), self._processor()
        result = work()
        self._wall_spent += self._wall() - wall
        self._processor_spent += self._processor() - processor
        return result

    def rested(self) -> bool:
        """At the end of a stint: True after a rest, False where none was needed, or the stint goes on."""
        if self._processor_spent < STINT_SECONDS:
            return False
        wall, contended = self._wall_spent, self._wall_spent > CONTENDED * self._processor_spent
        self._wall_spent = self._processor_spent = 0.0
        if contended:
            self._rest(min(REST * wall, LONGEST_REST_SECONDS))
        return contended

    def await_quiet(self, probe: Callable[[], object]) -> None:
        """Returns after a stint of probing that nobody disturbed, or after PATIENCE_SECONDS."""
        deadline = self._wall() + PATIENCE_SECONDS
        while self._wall() < deadline:
            while self._processor_spent < STINT_SECONDS:
                self.timed(probe)
            if not self.rested():
                return


def produce(order: BinaryIO, messages: BinaryIO | FileIO, pace: Pace) -> None:
    """Reads the order, writes until the other end is closed."""
    parameters = json.loads(order.readline())
    public_key, window = PublicKey(mpz(parameters["modulus"], 16)), int(parameters["window"])
    size, n = table_bytes(public_key, window), public_key.n
    if size > WIDE_BYTES:
        pace.await_quiet(lambda: gmpy2.powmod(3, n, n))
    encryptor = Encryptor(public_key, window=window, memory_budget_bytes=size)
    width = public_key.bits // 8
    while True:
        low, high = pace.timed(encryptor.randomizer)
        try:
            messages.write(int(low).to_bytes(width, "big") + int(high).to_bytes(width, "big"))
        except BrokenPipeError:
            return
        pace.rested()


def main() -> None:
    """Unbuffered: what a process that is killed had made and not sent is lost, never sent twice."""
    with open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as messages:
        produce(sys.stdin.buffer, messages, Pace())
