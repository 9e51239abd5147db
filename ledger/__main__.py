"""`python -m ledger` (installed alone: `ledger-verify`): verification for an auditor who installs almost nothing.

    python -m ledger DIRECTORY --policy ledger-policy.txt [--earlier CHECKPOINT]
    python -m ledger --receipt NAME.leaf --policy ledger-policy.txt
    python -m ledger --evidence DIRECTORY --policy ledger-policy.txt

Needs this package and `cryptography`, and asks no server. The command `ledger verify` of the whole project does the
same and more, with a progress bar. Exit codes: 0 it holds, 5 it does not, 2 for wrong arguments and for files that
cannot be read, 1 when the result cannot be written, 130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ledger.entry import MAX_LEAF
from ledger.errors import KeyInvalid, LedgerError, PolicyInvalid
from ledger.evidence_folder import members, read_bundle
from ledger.evidence_words import lines
from ledger.policy import LogPolicy
from ledger.proof import MAX_PROOF_BYTES
from ledger.receipt import Receipt
from ledger.verify import verify_export, verify_receipt

OK, UNWRITTEN, USAGE, INVALID, INTERRUPTED = 0, 1, 2, 5, 130

Result = tuple[dict[str, object], list[str]]
"""JSON members, and the same for a person."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Ends the process with an exit code."""
    given = _parser().parse_args(arguments)
    try:
        found, text = _verified(given)
    except LedgerError as error:
        code = USAGE if isinstance(error, PolicyInvalid | KeyInvalid) else INVALID
        _fail(code, given.json, type(error).__name__, [str(error), error.hint, *getattr(error, "__notes__", ())])
    except (OSError, UnicodeDecodeError) as error:
        _fail(USAGE, given.json, type(error).__name__, [str(error)])
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    _print(json.dumps({"valid": True, **found}, indent=2) if given.json else "\n".join(text))
    sys.exit(OK)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ledger-verify", description="Verify an export, a receipt or evidence of a ledger, offline."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("export", nargs="?", type=Path, help="an exported directory")
    what.add_argument("--receipt", type=Path, metavar="FILE", help="one receipt, NAME.leaf or NAME.proof: both files")
    what.add_argument("--evidence", type=Path, metavar="DIRECTORY", help="a bundle of evidence against the log")
    parser.add_argument("--policy", type=Path, required=True, help="log key, witness keys and quorum")
    parser.add_argument("--earlier", type=Path, metavar="FILE", help="a checkpoint that the export must continue")
    parser.add_argument("--json", action="store_true", help="result as JSON")
    return parser


def _verified(given: argparse.Namespace) -> Result:
    policy = LogPolicy.parse(given.policy.read_text(encoding="utf-8"))
    if given.receipt is not None:
        return _receipt(given.receipt, policy)
    if given.evidence is not None:
        finding = read_bundle(_folder(given.evidence), policy)
        return members(finding), lines(finding)
    return _export(_folder(given.export), policy, None if given.earlier is None else given.earlier.read_bytes())


def _export(directory: Path, policy: LogPolicy, earlier: bytes | None) -> Result:
    report = verify_export(directory, policy, earlier=earlier)
    checkpoint, when = report.checkpoint, report.cosigned_at
    found: dict[str, object] = {
        "origin": checkpoint.origin,
        "entries": checkpoint.size,
        "root": checkpoint.root.hex(),
        "cosigned_at": None if when is None else when.isoformat(),
    }
    moment = "no quorum in the policy" if when is None else f"the quorum had seen them at {when.isoformat()}"
    return found, [f"{checkpoint.origin}: {checkpoint.size} entries hold; {moment}", f"root {checkpoint.root.hex()}"]


def _receipt(path: Path, policy: LogPolicy) -> Result:
    leaf, proof = _bounded(path.with_suffix(".leaf"), MAX_LEAF), _bounded(path.with_suffix(".proof"), MAX_PROOF_BYTES)
    found = verify_receipt(Receipt(leaf, proof), policy)
    members: dict[str, object] = {
        "seq": found.index,
        "kind": found.entry.kind,
        "ts": found.entry.ts,
        "leaf_hash": found.leaf_hash.hex(),
        "tree_size": found.checkpoint.size,
        "cosigned_at": found.cosigned_at.isoformat(),
    }
    seen = f"the quorum had seen it at {found.cosigned_at.isoformat()}"
    return members, [f"recorded: entry {found.index}, {found.entry.kind} of {found.entry.ts}; {seen}"]


def _bounded(path: Path, limit: int) -> bytes:
    """One byte more than allowed at most: verification then refuses it. A pipe would be waited for without end."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with path.open("rb") as file:
        return file.read(limit + 1)


def _print(result: str) -> None:
    """A result that nobody got is none: whoever reads it may have gone, or the disk be full."""
    try:
        print(result, flush=True)
    except OSError as error:
        sys.stdout = None  # what it still holds would be tried again at the end
        print(f"error {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(UNWRITTEN)


def _folder(path: Path) -> Path:
    """What is no folder at all says nothing about a log."""
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "no such folder", str(path))
    return path


def _fail(code: int, as_json: bool, name: str, text: Sequence[str]) -> NoReturn:
    if as_json:
        _print(json.dumps({"valid": False, "error": name, "problem": text[0]}, indent=2))
    print("\n".join([f"error {name}: {text[0]}", *text[1:]]), file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
