"""Making a lost second place again.

Without it the log refuses to sign, because it cannot tell a lost disk from an old copy of the database. The operator
decides that it was the disk; what protects everybody from his error is that the witnesses remember the larger tree.
"""

from __future__ import annotations

from consentgate.anchors import Anchors
from consentgate.error_status import translate
from consentgate.errors import ConsentgateError, ErrorCode
from ledger.checkpoint import Checkpoint, open_signed
from ledger.errors import LedgerError, NotFound
from ledger.note import Note
from ledger.policy import LogPolicy
from ledger.second_place import SecondPlace
from ledger_service.config import LedgerConfig
from ledger_service.storages import open_storage


def restore(config: LedgerConfig) -> Checkpoint:
    """Writes the newest cosigned checkpoint of the database to the second place.

    Raises CONFIG_INVALID when there is a second place already, NOT_FOUND when nothing was ever cosigned, and
    LEDGER_UNAVAILABLE while a ledger process has the database open.
    """
    if config.second_place.exists():
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"second_place: {config.second_place} exists")
    try:
        return _restore(config, Anchors.load(config.anchors).log_policy)
    except LedgerError as error:
        raise translate(error) from error


def _restore(config: LedgerConfig, policy: LogPolicy) -> Checkpoint:
    storage = open_storage(config.database)  # for writing: no ledger may run meanwhile
    try:
        note = storage.checkpoint()
    finally:
        storage.close()
    if note is None:
        raise NotFound("the database holds no cosigned checkpoint")
    policy.check(note)
    signed, checkpoint = open_signed(Note.parse(note), policy.logs)
    SecondPlace(config.second_place, policy.logs).write(signed)
    return checkpoint
