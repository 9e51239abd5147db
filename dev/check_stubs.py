"""Fails when the committed stubs differ from a fresh generation. Usage: python -m dev.check_stubs"""

from __future__ import annotations

import filecmp
import sys
import tempfile
from pathlib import Path

from dev.generate_stubs import ROOT, generate

COMMITTED = ROOT / "consentgate" / "v1"


def differing_stubs() -> list[str]:
    """Names of generated files that are missing, left over or different."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        fresh = Path(scratch) / "consentgate" / "v1"
        names = {path.name for path in fresh.iterdir()} | {path.name for path in COMMITTED.glob("*_pb2*")}
        _, different, absent = filecmp.cmpfiles(fresh, COMMITTED, sorted(names), shallow=False)
    return sorted(different + absent)


def main() -> None:
    stale = differing_stubs()
    if stale:
        sys.exit(f"Generated stubs are stale: {', '.join(stale)}. Run `make protos` and commit the result.")
    print("Generated stubs equal a fresh generation.")


if __name__ == "__main__":
    main()
