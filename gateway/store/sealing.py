"""Sealed values: AES-256-GCM under a data key, bound to the place where they stand (design 3, "Privacy of a leaf").

A sealed value is `version (1 byte) ‖ nonce (12 random bytes) ‖ ciphertext and tag`. Table, column, row and data key are
the associated data, so a value that was moved to another row, column or company does not open, nor does one that was
cut or changed. A data key seals a few thousand values at most: random nonces do not meet.

Left out: hiding lengths (sealed statements are as long as statements), and wiping keys from memory.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode

KEY_BYTES = 32
"""bytes; AES-256."""
NONCE_BYTES = 12
"""bytes; what GCM takes without hashing."""
VERSION = b"\x01"


@dataclass(frozen=True)
class Place:
    """Where a sealed value stands: `row` is what names the row for ever, not its number in this database."""

    table: str
    column: str
    row: tuple[str, ...]


@dataclass(frozen=True)
class DataKey:
    """The key of one company towards one grantee group (or bank without a group)."""

    id: str
    secret: bytes = field(repr=False)

    def seal(self, place: Place, value: bytes) -> bytes:
        """`value`, to be stored at `place` and nowhere else."""
        return encrypt(self.secret, value, _associated(self.id, place))

    def open(self, place: Place, sealed: bytes) -> bytes:
        """Raises STORE_INTEGRITY unless exactly this was sealed for this place under this key."""
        return decrypt(self.secret, sealed, _associated(self.id, place), f"{place.table}.{place.column}")


def encrypt(secret: bytes, value: bytes, associated: bytes) -> bytes:
    """Version, fresh nonce, ciphertext and tag."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return VERSION + nonce + AESGCM(secret).encrypt(nonce, value, associated)


def decrypt(secret: bytes, sealed: bytes, associated: bytes, name: str) -> bytes:
    """Raises STORE_INTEGRITY naming `name`."""
    if sealed[:1] != VERSION:
        raise ConsentgateError(ErrorCode.STORE_INTEGRITY, field=name, private="not a sealed value")
    nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        return AESGCM(secret).decrypt(nonce, body, associated)
    except (InvalidTag, ValueError) as error:
        raise ConsentgateError(ErrorCode.STORE_INTEGRITY, field=name, private="does not open") from error


def _associated(key_id: str, place: Place) -> bytes:
    return canonical.encode(
        {
            "use": "consentgate/gateway-store/v1",
            "table": place.table,
            "column": place.column,
            "row": list(place.row),
            "key": key_id,
        }
    )
