"""Peak memory of a streamed portfolio, in its own process: `python -m benchmarks.paillier.streaming 100000 40 3072`.

Block by block: encrypt, score, decrypt, add to a sum, forget. What is resident must not depend on how many there are.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

from paillier.encryption import Encryptor
from paillier.portfolio import PortfolioScorecard, encrypt_column, score_portfolio
from paillier.private import generate
from paillier.private.portfolio import decrypt_scores

TOP = (1 << 20) - 1


def run(companies: int, columns: int, bits: int) -> dict[str, float]:
    """Streams the portfolio; returns the peak resident set in MB and the difference to plain arithmetic (0)."""
    source = random.Random(1)
    weights = [source.randrange(-(1 << 15), 1 << 15) for _ in range(columns)]
    low, high = sum(min(0, w * TOP) for w in weights), sum(max(0, w * TOP) for w in weights)
    card = PortfolioScorecard(weights, 0, low, high)
    key = generate(bits)
    encryptor, layout = Encryptor(key.public, window=8), card.layout(key.public)
    difference = 0
    for start in range(0, companies, layout.slots):
        count = min(layout.slots, companies - start)
        block = [[source.randrange(TOP + 1) for _ in range(count)] for _ in weights]
        data = [encrypt_column(encryptor, layout, column) for column in block]
        (scores,) = score_portfolio(key.public, layout, data, [card], count)
        opened = decrypt_scores(key, layout, scores, count, low, high)
        plain = sum(w * sum(column) for w, column in zip(weights, block, strict=True))
        difference += abs(sum(opened) - plain)
    return {"rss_mb": _peak_kb() / 1024, "difference": difference}


def _peak_kb() -> int:
    """High-water mark of this process alone: `getrusage` would count the parent that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def peak_mb(companies: int, columns: int, bits: int) -> float:
    """The same in a fresh process; raises when a score was wrong."""
    command = [sys.executable, "-m", "benchmarks.paillier.streaming", str(companies), str(columns), str(bits)]
    result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    if result["difference"] != 0:
        raise AssertionError("the streamed portfolio differs from plain arithmetic")
    return round(float(result["rss_mb"]), 1)


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:4]))))
