"""The gateway's store: its database, and beside it the key database without which nothing in it can be read."""

from __future__ import annotations

from pathlib import Path

from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from gateway.store.sealed_rows import SUBJECT_KEYS
from gateway.store.subject_keys import ENTRY, SubjectKeys

_SAME = "Keys beside the rows that they open would be copied with them: name another database."


class SealedDatabase(Database):
    """Transactions whose sessions carry the keys."""

    def __init__(self, url: str, keys_url: str, key_file: Path) -> None:
        """Raises CONFIG_INVALID for a bad address, a missing key, or one database for both."""
        if url == keys_url:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=ENTRY, hint=_SAME)
        self.keys = SubjectKeys(Database(keys_url, ENTRY), key_file)
        super().__init__(url, info={SUBJECT_KEYS: self.keys})

    def close(self) -> None:
        """Closes all connections of both."""
        super().close()
        self.keys.close()
