"""Named errors of the ledger. Each carries a hint that says cause and cure; none carries a value from a
leaf.
"""

from __future__ import annotations

from typing import ClassVar


class LedgerError(Exception):
    """Base of all ledger errors."""

    hint: ClassVar[str] = "See docs/ledger-format.md."


class EntryInvalid(LedgerError):
    """A leaf is not canonical, or has a field its kind does not allow."""

    hint = "Only the fields that docs/ledger-format.md lists for a kind, in their exact form, may enter a leaf."

    def __init__(self, field: str, leaf: int | None = None) -> None:
        """`leaf` is the position in the log, where it is known."""
        where = "" if leaf is None else f"leaf {leaf}: "
        super().__init__(f"{where}entry field {field} is missing, unknown or malformed")
        self.field = field
        self.leaf = leaf


class ProofInvalid(LedgerError):
    """An inclusion proof does not lead to the root, or is malformed."""

    hint = "The receipt was altered, or belongs to another leaf or tree. Ask the ledger for the receipt again."


class ConsistencyInvalid(LedgerError):
    """Two tree heads are not of one history."""

    hint = (
        "A damaged or altered copy looks so: compare with another. Keep both checkpoints where there are two: then they"
        " are evidence that the log forked or rolled back."
    )


class CheckpointInvalid(LedgerError):
    """A checkpoint is not of the form c2sp.org/tlog-checkpoint."""

    hint = "The note was truncated or altered on its way. Fetch the checkpoint again."


class SignatureInvalid(LedgerError):
    """A known key's signature on a note does not verify, or the log's own signature is absent."""

    hint = "The note was altered, or the log's key in the policy file is not the one that signed."


class QuorumNotMet(LedgerError):
    """Fewer witnesses than the policy demands cosigned a checkpoint."""

    hint = "Wait until enough witnesses are reachable; compare the witness keys in the policy file with theirs."


class LogMismatch(LedgerError):
    """A checkpoint or leaf names another log."""

    hint = "The origin in the policy file and in the checkpoint must be the same."


class PolicyInvalid(LedgerError):
    """The quorum policy file is malformed."""

    hint = "Syntax: c2sp.org/tlog-policy: lines `log`, `witness`, `group`, and one `quorum`."


class KeyInvalid(LedgerError):
    """A note key is malformed or of an unknown type."""

    hint = "Verifier keys: <name>+<8 hex digits>+<base64>. Signing keys: Ed25519 in PEM (PKCS 8), unencrypted."


class LedgerFull(LedgerError):
    """The sequencer's queue is full; nothing was written."""

    hint = "Repeat later with the same key."


class LedgerReadOnly(LedgerError):
    """The sequencer stopped writing after trouble with its storage."""

    hint = "Read the alarm in the log, run `ledger verify` on the database, then restart the ledger."


class LedgerRolledBack(LedgerReadOnly):
    """The database is behind a checkpoint that was signed already."""

    hint = "An old copy of the database was restored. Restore the newest: signing over it would fork the log."


class LedgerCorrupt(LedgerReadOnly):
    """Stored bytes do not hash to what was recorded."""

    hint = "The database was altered. Keep it as evidence and restore a copy that `ledger verify` accepts."


class HeadConflict(LedgerError):
    """Another sequencer moved the head."""

    hint = "Only one sequencer may write to a log. Stop the other one."


class StorageFailed(LedgerError):
    """The storage did not accept a transaction; whether it was kept is unknown until it is read again."""

    hint = "Look at disk space and permissions of the ledger's database."


class WitnessConflict(LedgerError):
    """A witness knows another tree size than the log believed."""

    hint = "Send the consistency proof from the size the witness knows."

    def __init__(self, known_size: int) -> None:
        super().__init__(f"the witness knows tree size {known_size}")
        self.known_size = known_size


class WitnessFailed(LedgerError):
    """A witness did not cosign: it does not answer, refuses, or answers something else than its cosignature."""

    hint = "Look at the witness: is it reachable, does it list this log's key, is its state file writable?"


class LedgerStopped(LedgerError):
    """The ledger's process is stopping, or has not started yet; whether the entry was recorded is unknown."""

    hint = "Repeat later with the same key."


class ExportInvalid(LedgerError):
    """An exported directory lacks a file, has one too many, or one that was altered."""

    hint = "The copy is damaged or was tampered with. Compare with another copy, or export again."


class NotEvidence(LedgerError):
    """Two checkpoints that say nothing against their log: of one history, as far as anybody can see."""

    hint = "Two checkpoints are evidence only if no append-only log could have signed both."


class EvidenceInvalid(LedgerError):
    """A bundle of evidence was altered, or does not show what it says."""

    hint = "Ask whoever made the bundle for another copy; one whose parts do not hold proves nothing."


class TimestampInvalid(LedgerError):
    """An RFC 3161 token is not over this note, or not by an authority that the given roots vouch for."""

    hint = "Compare the token with its note, and the trusted certificates with the authority's."


class TimestampUnavailable(LedgerError):
    """No token could be had: the timestamp authority does not answer, or the extra `anchor` is not installed."""

    hint = "Try again later; `pip install 'consentgate[anchor]'` brings what timestamps need."


class NotFound(LedgerError):
    """There is no such entry, receipt or tree size."""

    hint = "Indices run from 0 to the tree size minus one."
