"""The last chapter: an auditor verifies the whole ledger, then somebody changes one byte of a copy and is found out."""

from __future__ import annotations

import shutil
from pathlib import Path

from dev.commands import run_command, succeeded
from dev.denials import flip_byte
from dev.federation import Federation
from dev.story import Story
from ledger.verify import ENTRIES_FOLDER

EXPORT, TAMPERED = "ledger-export", "ledger-tampered"
EXIT_INVALID = 5
"""`consentgate.terminal.ExitCode.INVALID`: the evidence does not hold."""


def tell_ledger(story: Story, federation: Federation) -> int:
    """Exports, verifies, tampers, verifies again; returns the number of entries."""
    directory, ledger = federation.layout.directory, federation.layout.ledger
    story.chapter("Anybody can verify the ledger; one changed byte is found, and where")
    exported, policy = directory / EXPORT, ["--policy", str(ledger / "ledger-policy.txt"), "--json"]
    story.command(
        succeeded(
            run_command(directory, ["ledger", "export", str(exported)], ["--config", str(ledger / "ledger.toml")])
        )
    )
    verified = succeeded(run_command(directory, ["ledger", "verify", str(exported)], policy))
    story.command(verified)
    entries = int(verified.members["entries"])
    story.expect(f"{entries} entries, hash chain, Merkle root and the departments' cosignatures hold", entries > 0)
    tampered = directory / TAMPERED
    shutil.copytree(exported, tampered)
    position = tamper(tampered)
    found = run_command(directory, ["ledger", "verify", str(tampered)], policy)
    story.command(found)
    story.say(found.error.replace("\n", "\n  "))
    story.expect(
        f"the change in entry {position} is found and named",
        found.code == EXIT_INVALID and str(position) in found.error,
    )
    return entries


def tamper(export: Path) -> int:
    """Changes one hex digit in the middle entry of an export; returns its sequence number."""
    path = sorted((export / ENTRIES_FOLDER).iterdir())[0]
    lines = path.read_bytes().splitlines(keepends=True)
    number = len(lines) // 2
    offset = sum(len(line) for line in lines[:number])
    flip_byte(path, offset + lines[number].index(b'"nonce":"') + len(b'"nonce":"'))
    return number
