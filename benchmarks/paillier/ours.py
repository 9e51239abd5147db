"""The engine's side of every measurement, with results checked like a peer's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from gmpy2 import f_divmod, mpz

from benchmarks.paillier.workload import BIAS, Workload
from paillier.encryption import Encryptor, table_bytes, window_for
from paillier.linear import weighted_sum
from paillier.portfolio import PortfolioScorecard, encrypt_column, score_portfolio
from paillier.private import PrivateKey, generate
from paillier.private.portfolio import decrypt_scores
from paillier.randomizer_pool import RandomizerPool
from paillier.wire import join, split

PORTFOLIO_CIPHERTEXTS = 5_000_000
"""What the portfolio's window is chosen for: 40 columns of nine million companies, packed."""
PORTFOLIO_BUDGET = 600 << 20
"""bytes for the portfolio's tables."""
POOL = 256
"""randomizers made ahead for the online measurement."""


class Ours:
    """Keys, tables and a sample, made once."""

    def __init__(self, bits: int, workload: Workload) -> None:
        self.workload = workload
        self.key: PrivateKey = generate(bits)
        self.public = self.key.public
        self.single = Encryptor(self.public)
        window = window_for(self.public, PORTFOLIO_CIPHERTEXTS, PORTFOLIO_BUDGET)
        start = time.perf_counter()
        self.wide = Encryptor(self.public, memory_budget_bytes=PORTFOLIO_BUDGET, window=window)
        self.table_seconds = time.perf_counter() - start
        self.card = PortfolioScorecard(workload.weights, BIAS, workload.low, workload.high)
        self.layout = self.card.layout(self.public)
        self.pool = RandomizerPool(self.single, POOL)
        self.sample = split(self.single.encrypt(workload.rows[0]), self.public, len(workload.weights))
        self.result = self.dot()
        if self.key.decrypt(self.result) not in (workload.expected[0], workload.expected[0] + self.public.n):
            raise AssertionError("our scalar product differs from plain arithmetic")

    def encrypt(self) -> None:
        """One value, no pool, to wire bytes."""
        self.single.encrypt([self.workload.rows[0][0]])

    def decrypt(self) -> None:
        """One ciphertext, checked."""
        self.key.decrypt(self.result)

    def dot(self) -> mpz:
        """One scorecard over 40 ciphertexts."""
        return weighted_sum(self.public, self.sample, self.workload.weights, BIAS)

    def seconds(self, what: str, repeat: int) -> float:
        """Seconds of one operation, averaged over `repeat` calls."""
        return _timed(getattr(self, what), repeat)

    def online_seconds(self) -> float:
        """Seconds of one encryption whose randomizer was ready."""
        self.pool.fill()
        ready = len(self.pool)
        value = [self.workload.rows[0][0]]
        return _timed(lambda: self.pool.encrypt(value), ready)

    def portfolio_seconds(self, companies: int) -> float:
        """Seconds per company of the whole packed path; raises when a score is wrong."""
        columns = [list(column) for column in zip(*self.workload.rows[:companies], strict=True)]
        start = time.perf_counter()
        encrypted = [encrypt_column(self.wide, self.layout, column) for column in columns]
        (scores,) = score_portfolio(self.public, self.layout, encrypted, [self.card], companies)
        opened = decrypt_scores(self.key, self.layout, scores, companies, self.card.low, self.card.high)
        seconds = time.perf_counter() - start
        if opened != self.workload.expected[:companies]:
            raise AssertionError("our portfolio differs from plain arithmetic")
        return seconds / companies

    def floor_seconds(self, repeat: int) -> float:
        """Seconds of the bare multiplications and divisions that one encryption needs, on operands in the cache."""
        n = self.public.n
        y, z = self.sample[0] % n, self.sample[1] % n
        steps, odd = range(self.single.products // 2), self.single.products % 2

        def bare() -> None:
            x, t = z, z
            for _ in steps:
                q, r = f_divmod(y * z, n)
                p, after = f_divmod(x * r, n)
                t = (t * r + x * q + p) % n
                x = after
            if odd:
                f_divmod(x * y, n)

        return _timed(bare, repeat)

    def wire_share(self, count: int) -> float:
        """Time of turning ciphertexts into wire bytes and back into integers, as a share of their encryption."""
        ciphertexts = [self.sample[index % len(self.sample)] for index in range(count)]
        start = time.perf_counter()
        data = join(ciphertexts, self.public)
        back = list(_integers(data, self.public.ciphertext_bytes))
        seconds = (time.perf_counter() - start) / count
        if back != ciphertexts:
            raise AssertionError("wire bytes did not come back")
        return seconds / self.seconds("encrypt", 50)

    def facts(self) -> dict[str, object]:
        """What the figures were measured with."""
        return {
            "window_single": self.single.window,
            "window_portfolio": self.wide.window,
            "table_mb_single": round(table_bytes(self.public, self.single.window) / 1e6),
            "table_mb_portfolio": round(table_bytes(self.public, self.wide.window) / 1e6),
            "table_seconds_portfolio": round(self.table_seconds, 2),
            "slot_bits": self.layout.slot_bits,
            "slots": self.layout.slots,
        }


def _integers(data: bytes, width: int) -> Iterator[mpz]:
    for start in range(0, len(data), width):
        yield mpz(int.from_bytes(data[start : start + width], "big"))


def _timed(work: Callable[[], object], repeat: int) -> float:
    start = time.perf_counter()
    for _ in range(repeat):
        work()
    return (time.perf_counter() - start) / repeat
