"""`python -m benchmarks paillier|ledger [--quick] [--json] [--save]`: compare with others, in one run."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.ledger import measure as ledger_measure
from benchmarks.ledger import picture as ledger_picture
from benchmarks.ledger import report as ledger_report
from benchmarks.ledger import samples as ledger_samples
from benchmarks.paillier import measure as paillier_measure
from benchmarks.paillier import picture
from benchmarks.paillier import report as paillier_report
from benchmarks.progress import shown_progress

RESULTS = Path(__file__).with_name("results")


def main() -> None:
    """Parses arguments, measures, shows and, with --save, writes benchmarks/results/."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", choices=["paillier", "ledger"])
    parser.add_argument("--quick", action="store_true", help="under a minute: fewer sizes, a smaller log")
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--save", action="store_true", help="also write benchmarks/results/")
    arguments = parser.parse_args()
    result = _measured(arguments.what, arguments.quick)
    table = paillier_report.table if arguments.what == "paillier" else ledger_report.table
    print(json.dumps(result, indent=1) if arguments.json else table(result))
    if arguments.save:
        _save(arguments.what, result)


def _measured(what: str, quick: bool) -> dict[str, object]:
    if what == "paillier":
        return paillier_measure.run(paillier_measure.QUICK if quick else paillier_measure.FULL, _say)
    with shown_progress() as tell:
        return ledger_measure.run(ledger_samples.QUICK if quick else ledger_samples.FULL, tell)


def _save(what: str, result: Mapping[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{what}.json").write_text(json.dumps(result, indent=1) + "\n")
    facts = result["machine"]
    machine = f"{facts['processor']}, Python {facts['python']}"
    if what == "paillier":
        milliseconds = result["by_key_size"][str(result["bits"])]["milliseconds"]
        drawn = picture.draw(milliseconds, f"{result['bits']} bits, one core of {machine}")
    else:
        drawn = ledger_picture.draw(
            result, f"leaves of {result['leaf_bytes']} bytes, {facts['cores']} cores of {machine}"
        )
    (RESULTS / f"{what}.svg").write_text(drawn)
    _say("saved; the READMEs take the figures with: python -m tests.docs.regenerate")


def _say(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
