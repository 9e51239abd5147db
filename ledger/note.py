"""Signed notes (c2sp.org/signed-note): Ed25519 note signatures (type 0x01) and witness cosignatures (type
0x04, c2sp.org/tlog-cosignature, "cosignature/v1").

Left out: every other signature type. Stricter than the specification in three points: base64 must be
canonical, a key that is known may sign a note only once, and a note is at most 64 KiB with 64 signatures.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import CheckpointInvalid, KeyInvalid, SignatureInvalid

MAX_NOTE = 64 * 1024
"""Largest note in bytes."""
MAX_SIGNATURES = 64
"""Most signature lines in a note (the specification demands at least 16)."""
KEY_BYTES = 32
SIGNATURE_BYTES = 64
KEY_ID_BYTES = 4
TIMESTAMP_BYTES = 8
MAX_TIMESTAMP = 253_402_300_799
"""Last second of the year 9999: what a calendar can show."""

_MARK = "— ".encode()
_NAME = re.compile(r"[!-*,-~]{1,255}")
_KEY_ID = re.compile(r"[0-9a-f]{8}")
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")


_FIELD = 2**255 - 19


class SignatureType(IntEnum):
    """Signature type identifier bytes."""

    ED25519 = 0x01
    COSIGNATURE = 0x04


@dataclass(frozen=True)
class NoteSignature:
    """One signature line, as received."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> bytes:
        """The line with its newline."""
        return _MARK + self.name.encode() + b" " + base64.b64encode(self.key_id + self.signature) + b"\n"


@dataclass(frozen=True)
class Note:
    """Text and signature lines; nothing in it is trusted before a verifier key says so."""

    text: bytes
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Splits a note; raises CheckpointInvalid if it is not one."""
        if len(data) > MAX_NOTE or _CONTROL.search(data):
            raise CheckpointInvalid("note is too long or holds control characters")
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise CheckpointInvalid("note is not UTF-8") from error
        text, blank, lines = data.rpartition(b"\n\n")
        if not blank or not lines.endswith(b"\n"):
            raise CheckpointInvalid("note has no signatures")
        return cls(text + b"\n", parse_signatures(lines))

    def encode(self) -> bytes:
        """The bytes of the note."""
        return self.text + b"\n" + b"".join(signature.line() for signature in self.signatures)


def parse_signatures(lines: bytes) -> tuple[NoteSignature, ...]:
    """Signature lines, each ending in a newline; raises CheckpointInvalid."""
    if not lines.endswith(b"\n") or lines.count(b"\n") > MAX_SIGNATURES:
        raise CheckpointInvalid("signature lines are missing, unfinished or too many")
    return tuple(_parse_signature(line) for line in lines[:-1].split(b"\n"))


def _parse_signature(line: bytes) -> NoteSignature:
    name, space, encoded = line.removeprefix(_MARK).partition(b" ")
    if not line.startswith(_MARK) or not space or not encoded:
        raise CheckpointInvalid("malformed signature line")
    raw = decode_base64(encoded)
    try:
        text = name.decode()
    except UnicodeDecodeError as error:
        raise CheckpointInvalid("malformed signature line") from error
    if "+" in text or text.split() != [text] or len(raw) <= KEY_ID_BYTES:
        raise CheckpointInvalid("malformed signature line")
    return NoteSignature(text, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])


def decode_base64(encoded: bytes) -> bytes:
    """Standard base64 in its one canonical spelling; raises CheckpointInvalid for any other."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointInvalid("malformed base64") from error
    if base64.b64encode(raw) != encoded:
        raise CheckpointInvalid("base64 is not canonical")
    return raw


@dataclass(frozen=True)
class VerifierKey:
    """A name, a signature type and an Ed25519 public key: what a vkey line says."""

    name: str
    type: SignatureType
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise KeyInvalid("a key name is 1 to 255 printable ASCII characters without space and plus")
        if len(self.public) != KEY_BYTES:
            raise KeyInvalid("an Ed25519 public key has 32 bytes")
        if _has_small_order(self.public):
            raise KeyInvalid("the key has small order: anybody can sign with it")

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ 0x0A ‖ type ‖ key)[:4]."""
        content = self.name.encode() + b"\n" + bytes([self.type]) + self.public
        return hashlib.sha256(content).digest()[:KEY_ID_BYTES]

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Reads `<name>+<key id>+<base64(type ‖ key)>`; raises KeyInvalid."""
        parts = text.split("+", 2)
        if len(parts) != 3 or not _KEY_ID.fullmatch(parts[1]):
            raise KeyInvalid("not of the form <name>+<key id>+<base64>")
        name, key_id, encoded = parts
        try:
            raw = decode_base64(encoded.encode())
            key = cls(name, SignatureType(raw[0]), raw[1:])
        except (CheckpointInvalid, IndexError, ValueError) as error:
            raise KeyInvalid("malformed, or of a signature type that is not supported") from error
        if key.key_id.hex() != key_id:
            raise KeyInvalid("key id does not belong to this name and key")
        return key

    def __str__(self) -> str:
        encoded = base64.b64encode(bytes([self.type]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def find(self, note: Note) -> NoteSignature | None:
        """This key's signature on the note, unverified; raises SignatureInvalid if there are several."""
        mine = [item for item in note.signatures if item.name == self.name and item.key_id == self.key_id]
        if len(mine) > 1:
            raise SignatureInvalid("a key signed the note more than once")
        return mine[0] if mine else None

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raises SignatureInvalid unless `signature` is a note signature (0x01) of the text."""
        if self.type is not SignatureType.ED25519:
            raise SignatureInvalid("a witness key cannot sign for a log")
        self._verify(text, signature)

    def verify_cosignature(self, text: bytes, signature: bytes) -> datetime:
        """The time of a cosignature/v1 over the text; raises SignatureInvalid."""
        if self.type is not SignatureType.COSIGNATURE or len(signature) != TIMESTAMP_BYTES + SIGNATURE_BYTES:
            raise SignatureInvalid("not a cosignature")
        seconds = int.from_bytes(signature[:TIMESTAMP_BYTES])
        if seconds > MAX_TIMESTAMP:
            raise SignatureInvalid("cosignature time is out of range")
        self._verify(cosigned_message(text, seconds), signature[TIMESTAMP_BYTES:])
        return datetime.fromtimestamp(seconds, UTC)

    def _verify(self, message: bytes, signature: bytes) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise SignatureInvalid("signature does not verify") from error


def _has_small_order(public: bytes) -> bool:
    """Whether eight times the point is the neutral element: by y alone, which is 0, 1, -1 or a root of the quartic.

    OpenSSL takes such a key, and whatever was "signed" with it, for good.
    """
    y = int.from_bytes(public, "little") % 2**255
    return y * (y**2 - 1) * (121665 * y**4 - 243332 * y**2 + 121666) % _FIELD == 0


def cosigned_message(text: bytes, seconds: int) -> bytes:
    """What a witness signs."""
    return b"cosignature/v1\ntime " + str(seconds).encode() + b"\n" + text


@dataclass(frozen=True)
class Signer:
    """A named Ed25519 signing key. A log and a witness must never share one: the type tells what it signs."""

    name: str
    type: SignatureType
    private: Ed25519PrivateKey

    @classmethod
    def generate(cls, name: str, type: SignatureType) -> Signer:
        """A fresh key."""
        return cls(name, type, Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, name: str, type: SignatureType, pem: bytes) -> Signer:
        """A key from PKCS 8 PEM; raises KeyInvalid."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise KeyInvalid("not an unencrypted PKCS 8 PEM key") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyInvalid("not an Ed25519 key")
        return cls(name, type, key)

    def to_pem(self) -> bytes:
        """PKCS 8 PEM, unencrypted: the file's permissions are its protection."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def verifier_key(self) -> VerifierKey:
        """What others need to verify."""
        return VerifierKey(self.name, self.type, self.private.public_key().public_bytes_raw())

    def sign(self, text: bytes) -> NoteSignature:
        """Note signature (0x01) over a text."""
        if self.type is not SignatureType.ED25519:
            raise KeyInvalid("a witness key cannot sign for a log")
        return NoteSignature(self.name, self.verifier_key.key_id, self.private.sign(text))

    def cosign(self, text: bytes, moment: datetime) -> NoteSignature:
        """Cosignature (0x04) over a checkpoint's text at a moment (whole seconds)."""
        if self.type is not SignatureType.COSIGNATURE:
            raise KeyInvalid("a log key cannot cosign")
        seconds = int(moment.timestamp())
        signature = seconds.to_bytes(TIMESTAMP_BYTES) + self.private.sign(cosigned_message(text, seconds))
        return NoteSignature(self.name, self.verifier_key.key_id, signature)
