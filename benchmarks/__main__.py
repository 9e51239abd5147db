"""`python -m benchmarks paillier [--quick] [--json] [--save]`: compare with peers, in one run."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.paillier import measure, picture, report

RESULTS = Path(__file__).with_name("results")


def main() -> None:
    """Parses arguments, measures, shows and, with --save, writes benchmarks/results/paillier.{json,svg}."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", choices=["paillier"])
    parser.add_argument("--quick", action="store_true", help="under a minute, 3072 bits only")
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--save", action="store_true", help="also write benchmarks/results/")
    arguments = parser.parse_args()
    result = measure.run(measure.QUICK if arguments.quick else measure.FULL, _say)
    print(json.dumps(result, indent=1) if arguments.json else report.table(result))
    if arguments.save:
        _save(result)


def _save(result: dict[str, object]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "paillier.json").write_text(json.dumps(result, indent=1) + "\n")
    by_size = result["by_key_size"]
    assert isinstance(by_size, dict)
    facts = result["machine"]
    assert isinstance(facts, dict)
    subtitle = f"{result['bits']} bits, one core of {facts['processor']}, Python {facts['python']}"
    (RESULTS / "paillier.svg").write_text(picture.draw(by_size[str(result["bits"])]["milliseconds"], subtitle))


def _say(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
