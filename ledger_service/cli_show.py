"""`ledger show`: one entry, and the proof that it is recorded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from consentgate.terminal import show as show_result
from ledger.checkpoint import Checkpoint
from ledger.entry import leaf_hash, parse
from ledger.errors import ProofInvalid
from ledger.note import Note
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from ledger.verify import verify_receipt
from ledger_service.cli_output import entry_lines, entry_members, explaining
from ledger_service.cli_source import (
    OFFICER_TOML,
    AsJson,
    Config,
    Development,
    From,
    OptionalPolicy,
    OtherAddress,
    local_log,
    officer_ledger,
)
from ledger_service.local_log import receipt_of, seq_of_hash
from ledger_service.receipt_files import refuse_taken, write_receipt

_SEQ = re.compile(r"[0-9]{1,16}")
_HASH = re.compile(r"[0-9a-f]{64}")


def show(
    entry: Annotated[str, typer.Argument(help="Sequence number; with --from also a leaf hash (64 hex digits).")],
    source: From = None,
    policy: OptionalPolicy = None,
    config: Config = OFFICER_TOML,
    address: OtherAddress = None,
    receipt_out: Annotated[
        Path | None, typer.Option(help="Also write the receipt as NAME.leaf and NAME.proof.", metavar="NAME")
    ] = None,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """Show one entry with its proof: from the ledger, which records that it was read, or from files."""
    if not _SEQ.fullmatch(entry) and not (_HASH.fullmatch(entry) and source is not None):
        raise typer.BadParameter("a sequence number, or with --from a leaf hash", param_hint="ENTRY")
    if receipt_out is not None:
        refuse_taken(receipt_out)
    with explaining(as_json):
        if source is not None:
            with local_log(source, policy) as log:
                seq = int(entry) if _SEQ.fullmatch(entry) else seq_of_hash(log, bytes.fromhex(entry))
                receipt = receipt_of(log, seq)
        else:
            with officer_ledger(config, address, development) as ledger:
                receipt = ledger.receipt(int(entry))
                if verify_receipt(receipt, ledger.anchors.log_policy).index != int(entry):
                    raise ProofInvalid("the ledger answered with another entry than was asked for")
        members, lines = _described(receipt, verified=source is None or policy is not None)
    show_result(members, lines, as_json)
    if receipt_out is not None:
        write_receipt(receipt_out, receipt)


def _described(receipt: Receipt, *, verified: bool) -> tuple[dict[str, object], list[str]]:
    entry, digest, proof = parse(receipt.leaf), leaf_hash(receipt.leaf), TlogProof.parse(receipt.proof)
    checkpoint = Checkpoint.parse(Note.parse(proof.note).text)
    path = [value.hex() for value in proof.hashes]
    members = {
        **entry_members(entry, digest),
        "verified": verified,
        "proof": {
            "index": proof.index,
            "tree_size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "path": path,
            "checkpoint": proof.note.decode(),
        },
    }
    how = "log key and quorum of the policy" if verified else "NOT verified: no policy was given"
    lines = [
        *entry_lines(entry, digest),
        f"proof: {len(path)} hashes to the root of {checkpoint.size} entries; signatures: {how}",
        *(f"  {value}" for value in path),
    ]
    return members, lines
