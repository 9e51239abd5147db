"""What a witness or a department was shown and refused, kept so that evidence can be made of it.

    <folder>/<verdict>/    parts as in `ledger.evidence_material`: first.note was known, second.note was shown

The first of each verdict is kept, whole or not at all, over restarts and power cuts; later ones tell nothing new.
`ledger evidence make` makes a bundle of it. Only checkpoints, hashes, times and the keeper's name are in it.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from ledger.durable_files import READABLE, make_folder, sync_folder, write_new
from ledger.errors import LedgerError, StorageFailed
from ledger.evidence import FORKS, Finding, Material, Verdict, judge
from ledger.evidence_material import is_material, material_files
from ledger.policy import LogPolicy

STRONGEST_FIRST = (
    Verdict.OTHER_ENTRY,
    Verdict.SAME_SIZE,
    Verdict.OTHER_PREFIX,
    Verdict.ROLLBACK,
    Verdict.UNANSWERED,
)


@dataclass(frozen=True)
class Refusals:
    """The folder; it is made when the first refusal is kept."""

    folder: Path

    def keep(self, material: Material, policy: LogPolicy) -> Finding | None:
        """Keeps what says something against the log, unless there is such a one already; None when it says nothing.

        Raises StorageFailed when the disk does not take it: what was refused is refused all the same.
        """
        try:
            finding = judge(material, policy)
        except LedgerError:
            return None
        if finding.verdict not in self.kept():
            try:
                self._write(finding.verdict, material)
            except OSError as error:
                if finding.verdict not in self.kept():  # else another process was faster
                    raise StorageFailed(f"cannot keep what was refused: {error.strerror}") from error
        return finding

    def kept(self) -> list[Verdict]:
        """What there is, the strongest first."""
        return [verdict for verdict in STRONGEST_FIRST if is_material(self.folder / verdict.value)]

    def forks(self) -> list[Verdict]:
        """What proves that the log signed two histories."""
        return [verdict for verdict in self.kept() if verdict in FORKS]

    def _write(self, verdict: Verdict, material: Material) -> None:
        """Beside its place, on disk, then moved there whole: the first that comes wins."""
        make_folder(self.folder, 0o700)
        partial = self.folder / f".{verdict.value}.{secrets.token_hex(4)}"
        partial.mkdir()
        try:
            for name, content in material_files(material).items():
                write_new(partial / name, content, READABLE)
            partial.rename(self.folder / verdict.value)
            sync_folder(self.folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
