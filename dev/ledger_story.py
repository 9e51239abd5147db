"""The last chapter: an auditor verifies the whole ledger; then somebody rewrites who asked, and is found out."""

from __future__ import annotations

import shutil
from pathlib import Path

from consentgate.terminal import ExitCode
from dev.commands import run_command, succeeded
from dev.federation import Federation
from dev.layout import BANK, OTHER_BANK
from dev.story import Story
from ledger.verify import ENTRIES_FOLDER

EXPORT, TAMPERED = "ledger-export", "ledger-tampered"


def tell_ledger(story: Story, federation: Federation) -> int:
    """Exports, verifies, tampers, verifies again; returns the number of entries."""
    directory, ledger = federation.layout.directory, federation.layout.ledger
    story.chapter("Anybody can verify the ledger; one changed letter is found, and where")
    search(story, federation)
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
    number = tamper(tampered)
    found = run_command(directory, ["ledger", "verify", str(tampered)], policy)
    story.command(found)
    story.say(found.error.replace("\n", "\n  "))
    where = f"leaf {number + 1} "  # the first that no longer names the hash of its predecessor
    story.expect(
        f"the change in entry {number} is found and located", found.code == ExitCode.INVALID and where in found.error
    )
    return entries


def search(story: Story, federation: Federation) -> None:
    """A compliance officer looks for denials; that, too, is an entry."""
    found = federation.officer.must("search", "--verdict", "deny")
    story.command(found)
    reasons = [entry["body"]["reason"] for entry in found.members["entries"]]
    story.fact("denials", ", ".join(reasons))
    looked = federation.officer.must("search", "--kind", "access.read")
    story.command(looked)
    story.expect("that the officer looked is itself an entry", len(looked.members["entries"]) >= 1)


def tamper(export: Path) -> int:
    """Lets another bank have asked, in the first decision of an export; returns the decision's sequence number."""
    path = sorted((export / ENTRIES_FOLDER).iterdir())[0]
    lines = path.read_bytes().splitlines(keepends=True)
    number = next(index for index, line in enumerate(lines) if b'"kind":"query.decision"' in line)
    lines[number] = lines[number].replace(f'"{BANK}"'.encode(), f'"{OTHER_BANK}"'.encode())
    path.write_bytes(b"".join(lines))
    return number
