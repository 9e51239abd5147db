"""The private key at rest: one encrypted, versioned file.

Spec: design 2 "Keys" (scrypt + AES-GCM, 0600). The file is one JSON object on one line:
    {"format": "consentgate-paillier-private-key", "version": 1, "key_id", "bits",
     "kdf": {"name": "scrypt", "n", "r", "p", "salt"}, "cipher": {"name": "AES-256-GCM", "nonce"},
     "ciphertext"}
with bytes in lower-case hex. Everything but "ciphertext" is authenticated: the associated data are those
members, as JSON with sorted keys and no white space. The plaintext is p and q, each bits/16 bytes big-endian.

Writing is atomic: a 0600 file in the same directory is synced, then linked to its name, and the directory
synced; a crash leaves the old state or the new one. Left out: key stores of operating systems, hardware
modules, Windows ACLs.

Thread-safety: functions share nothing; two saves to one path without `overwrite` cannot both succeed.
"""

import json
import os
import secrets
import stat
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from gmpy2 import mpz

from paillier.errors import (
    KeyFileDecryption,
    KeyFileExists,
    KeyFileFormat,
    KeyFileMissing,
    KeyFilePermissions,
    ParameterOutOfRange,
    PassphraseTooShort,
)
from paillier.private.keys import PrivateKey
from paillier.public_key import ALLOWED_KEY_BITS

FORMAT = "consentgate-paillier-private-key"
VERSION = 1

MIN_PASSPHRASE_BYTES = 8
"""bytes; scrypt slows guessing down, it does not replace a passphrase."""

DEFAULT_SCRYPT_LOG2_N = 17
"""log2 of the cost; 128 MiB and a few tenths of a second per guess with r = 8 (OWASP 2023)."""

MIN_SCRYPT_LOG2_N = 14
MAX_SCRYPT_LOG2_N = 20
"""Bounds accepted from a file: below is too weak, above (1 GiB) a forged file could exhaust memory."""

MAX_FILE_BYTES = 16384
"""bytes; a file with a 4096-bit key has about 1,500."""

_SCRYPT_R = 8
_SCRYPT_P = 1
_SALT_BYTES = 16
_NONCE_BYTES = 12
_TAG_BYTES = 16
_MEMBERS = {"format", "version", "key_id", "bits", "kdf", "cipher", "ciphertext"}


def save(
    path: str | os.PathLike[str],
    key: PrivateKey,
    passphrase: bytes,
    *,
    overwrite: bool = False,
    scrypt_log2_n: int = DEFAULT_SCRYPT_LOG2_N,
) -> None:
    """Encrypt `key` into a new file of mode 0600; an existing file is replaced only with `overwrite`.

    `scrypt_log2_n` (14 to 20) is the cost of a guess. Raises `PassphraseTooShort` (bytes), `ParameterOutOfRange`,
    `KeyFileExists`, and OSError when the disk refuses; then nothing is left behind.
    """
    if len(passphrase) < MIN_PASSPHRASE_BYTES:
        raise PassphraseTooShort(f"the passphrase has fewer than {MIN_PASSPHRASE_BYTES} bytes")
    if not MIN_SCRYPT_LOG2_N <= scrypt_log2_n <= MAX_SCRYPT_LOG2_N:
        raise ParameterOutOfRange(f"scrypt cost must be {MIN_SCRYPT_LOG2_N} to {MAX_SCRYPT_LOG2_N}")
    header = _new_header(key, scrypt_log2_n)
    width = key.public.bits // 16
    plaintext = int(key.p).to_bytes(width, "big") + int(key.q).to_bytes(width, "big")
    cipher = AESGCM(_derive(passphrase, header))
    ciphertext = cipher.encrypt(bytes.fromhex(header["cipher"]["nonce"]), plaintext, _associated_data(header))
    document = json.dumps({**header, "ciphertext": ciphertext.hex()}, sort_keys=True) + "\n"
    _write_atomically(Path(path), document.encode("ascii"), overwrite=overwrite)


def load(path: str | os.PathLike[str], passphrase: bytes) -> PrivateKey:
    """Read, decrypt and check a key file; a key that breaks a condition is refused by its name (`check_primes`).

    Raises `KeyFileMissing`, `KeyFilePermissions`, `KeyFileFormat` (before the costly derivation), `KeyFileDecryption`.
    """
    document = _parse(_read(Path(path)))
    ciphertext = bytes.fromhex(document.pop("ciphertext"))
    cipher = AESGCM(_derive(passphrase, document))
    try:
        nonce = bytes.fromhex(document["cipher"]["nonce"])
        plaintext = cipher.decrypt(nonce, ciphertext, _associated_data(document))
    except InvalidTag:
        raise KeyFileDecryption("wrong passphrase or altered file") from None
    width = document["bits"] // 16
    p, q = (mpz(int.from_bytes(part, "big")) for part in (plaintext[:width], plaintext[width:]))
    key = PrivateKey(p, q)
    if key.public.key_id != document["key_id"]:
        raise KeyFileFormat("the key id in the file is not this key's")
    return key


def _new_header(key: PrivateKey, scrypt_log2_n: int) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "key_id": key.public.key_id,
        "bits": key.public.bits,
        "kdf": {
            "name": "scrypt",
            "n": 1 << scrypt_log2_n,
            "r": _SCRYPT_R,
            "p": _SCRYPT_P,
            "salt": secrets.token_hex(_SALT_BYTES),
        },
        "cipher": {"name": "AES-256-GCM", "nonce": secrets.token_hex(_NONCE_BYTES)},
    }


def _associated_data(header: dict[str, Any]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode("ascii")


def _derive(passphrase: bytes, header: dict[str, Any]) -> bytes:
    kdf = header["kdf"]
    salt = bytes.fromhex(kdf["salt"])
    return Scrypt(salt=salt, length=32, n=kdf["n"], r=kdf["r"], p=kdf["p"]).derive(passphrase)


def _parse(data: bytes) -> dict[str, Any]:
    """Check every member before use: the header is authenticated only after the costly derivation."""
    try:
        document = json.loads(data.decode("ascii"))
    except (ValueError, RecursionError):
        raise KeyFileFormat("the file is not JSON") from None
    if not isinstance(document, dict) or set(document) != _MEMBERS:
        raise KeyFileFormat("the members of the file are not those of a key file")
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise KeyFileFormat("the format or version is unknown")
    if type(document["bits"]) is not int or document["bits"] not in ALLOWED_KEY_BITS:
        raise KeyFileFormat("the key size is not allowed")
    _check_kdf(document["kdf"])
    cipher = document["cipher"]
    if not isinstance(cipher, dict) or set(cipher) != {"name", "nonce"} or cipher["name"] != "AES-256-GCM":
        raise KeyFileFormat("the cipher is unknown")
    _check_hex(cipher["nonce"], _NONCE_BYTES)
    _check_hex(document["ciphertext"], document["bits"] // 8 + _TAG_BYTES)
    _check_hex(document["key_id"], 32)
    return document


def _check_kdf(kdf: object) -> None:
    if not isinstance(kdf, dict) or set(kdf) != {"name", "n", "r", "p", "salt"} or kdf["name"] != "scrypt":
        raise KeyFileFormat("the key derivation is unknown")
    costs = [1 << log2 for log2 in range(MIN_SCRYPT_LOG2_N, MAX_SCRYPT_LOG2_N + 1)]
    integers = all(type(kdf[name]) is int for name in ("n", "r", "p"))
    if not integers or kdf["n"] not in costs or (kdf["r"], kdf["p"]) != (_SCRYPT_R, _SCRYPT_P):
        raise KeyFileFormat("the cost of the key derivation is out of bounds")
    _check_hex(kdf["salt"], _SALT_BYTES)


def _check_hex(value: object, length: int) -> None:
    digits = set("0123456789abcdef")
    if not isinstance(value, str) or len(value) != 2 * length or not set(value) <= digits:
        raise KeyFileFormat("a field is not hex of the expected length")


def _read(path: Path) -> bytes:
    """Judge the opened file, not the path, so that it cannot be exchanged in between."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise KeyFileMissing("no private key file at this path") from None
    except PermissionError:
        raise KeyFilePermissions("this user may not read the key file") from None
    try:
        _check_status(os.fstat(descriptor))
        return os.read(descriptor, MAX_FILE_BYTES)
    finally:
        os.close(descriptor)


def _check_status(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileFormat("not a regular file")
    if status.st_mode & 0o077:
        raise KeyFilePermissions("the key file is accessible to group or others")
    if status.st_uid not in (os.geteuid(), 0):
        raise KeyFilePermissions("the key file belongs to another user")
    if status.st_size > MAX_FILE_BYTES:
        raise KeyFileFormat(f"the file is larger than {MAX_FILE_BYTES} bytes")


def _write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(temporary, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)  # Whatever the umask was.
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _publish(temporary, path, overwrite=overwrite)
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _publish(temporary: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)  # Unlike rename, link refuses to replace an existing name.
    except FileExistsError:
        raise KeyFileExists("a file with this name already exists") from None
