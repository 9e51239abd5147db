"""The bank's recipient key: made, proven, kept encrypted, registered (design 2, "Keys"; docs/wire.md).

Making a key writes two files: the private key, encrypted (paillier.private.keyfile), and the signed registration, which
holds the public key and a Paillier-Blum proof bound to the bank's SPIFFE id and may be shown to anybody. The
registration can be signed again for the same key, as when the signing certificate was renewed.

Left out: hardware modules; more than one active key per process.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bank_client.config import PaillierFiles
from consentgate import canonical
from consentgate.error_status import translate
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.signing import InstitutionSigner, unverified_payload
from consentgate.statements import KeyRegistrationClaims, StatementKind
from ledger.durable_files import READABLE, replace_file
from paillier.errors import KeyFileExists, PaillierError, PassphraseTooShort
from paillier.private import PrivateKey, generate, prove
from paillier.private import load as load_key_file
from paillier.private import save as save_key_file
from paillier.private.keyfile import MIN_PASSPHRASE_BYTES
from paillier.public_key import DEFAULT_KEY_BITS

MAX_PASSPHRASE_FILE_BYTES = 4096
"""bytes; a passphrase file is one line, anything longer is some other file."""
MAX_REGISTRATION_BYTES = 1048576
"""bytes; the wire's bound for a key registration."""

AskPassphrase = Callable[[], bytes]


@dataclass(frozen=True)
class RecipientKey:
    """A private key with the registration under which others know it."""

    private: PrivateKey = field(repr=False)
    registration_jws: bytes

    @property
    def key_id(self) -> str:
        """Id of the public key, 64 hex digits."""
        return self.private.public.key_id


def create(
    files: PaillierFiles,
    signer: InstitutionSigner,
    passphrase: bytes,
    issued_at: datetime,
    bits: int = DEFAULT_KEY_BITS,
) -> RecipientKey:
    """A fresh key in new files; raises KEY_FILE when one of them is there already."""
    check_new(files, passphrase)
    try:
        private = generate(bits)
    except PaillierError as error:
        raise key_error(files.private_key, error) from error
    return keep(files, private, signer, passphrase, issued_at)


def keep(
    files: PaillierFiles, private: PrivateKey, signer: InstitutionSigner, passphrase: bytes, issued_at: datetime
) -> RecipientKey:
    """Encrypted file first, then the registration, so that what is registered can always be opened."""
    check_new(files, passphrase)
    try:
        save_key_file(files.private_key, private, passphrase)
    except PaillierError as error:
        raise key_error(files.private_key, error) from error
    except OSError as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(files.private_key)) from error
    return RecipientKey(private, write_registration(files.registration, private, signer, issued_at))


def check_new(files: PaillierFiles, passphrase: bytes) -> None:
    """Raises KEY_FILE before seconds of work are spent on a key that could not be kept."""
    for path in (files.private_key, files.registration):
        if path.exists():
            raise key_error(path, KeyFileExists("a file with this name already exists"))
    if len(passphrase) < MIN_PASSPHRASE_BYTES:
        raise key_error(files.private_key, PassphraseTooShort("the passphrase is too short"))


def write_registration(path: Path, private: PrivateKey, signer: InstitutionSigner, issued_at: datetime) -> bytes:
    """Signs the registration of `private` and writes it to `path`."""
    token = sign_registration(private, signer, issued_at)
    try:
        replace_file(path, token, READABLE)
    except OSError as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error
    return token


def sign_registration(private: PrivateKey, signer: InstitutionSigner, issued_at: datetime) -> bytes:
    """The bank's JWS over its public key and the proof that it is a Blum modulus, bound to the bank's SPIFFE id."""
    owner = str(signer.identity)
    claims = KeyRegistrationClaims(
        aud=StatementKind.KEY_REGISTRATION.audience(signer.identity.trust_domain),
        iat=int(issued_at.timestamp()),
        iss=owner,
        key_id=private.public.key_id,
        key=private.public.to_phe_json(),
        proof=canonical.encode(prove(private, owner.encode()).to_json()).decode(),
    )
    return signer.sign(StatementKind.KEY_REGISTRATION, claims)


def load(files: PaillierFiles, ask: AskPassphrase | None = None) -> RecipientKey:
    """The key of the configuration; `ask` is called for the passphrase when no file is named."""
    private = load_private(files, ask)
    registration = read_registration(files.registration)
    if registered_key_id(registration) != private.public.key_id:
        raise ConsentgateError(ErrorCode.KEY_MISMATCH, field=f"{files.registration}: key_id")
    return RecipientKey(private, registration)


def load_private(files: PaillierFiles, ask: AskPassphrase | None = None) -> PrivateKey:
    """The private key alone; raises KEY_FILE naming the file, with a hint that says what is wrong with it."""
    try:
        return load_key_file(files.private_key, read_passphrase(files, ask))
    except PaillierError as error:
        raise key_error(files.private_key, error) from error
    except OSError as error:
        raise ConsentgateError(ErrorCode.KEY_FILE, field=str(files.private_key)) from error


def read_registration(path: Path) -> bytes:
    """The signed registration as it was written."""
    try:
        with path.open("rb") as file:
            token = file.read(MAX_REGISTRATION_BYTES + 1)
    except OSError as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error
    if len(token) > MAX_REGISTRATION_BYTES:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{path}: longer than a registration")
    return token.strip()


def read_passphrase(files: PaillierFiles, ask: AskPassphrase | None) -> bytes:
    """The first line of the passphrase file, or what `ask` returns."""
    path = files.passphrase_file
    if path is None:
        if ask is None:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field="paillier.passphrase_file")
        return ask()
    try:
        with path.open("rb") as file:
            # A key file that only its owner reads is worth nothing beside a passphrase that everybody reads.
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{path}: mode must be 0600")
            content = file.read(MAX_PASSPHRASE_FILE_BYTES)
    except OSError as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error
    return content.split(b"\n", 1)[0].rstrip(b"\r")


def key_error(path: Path, error: PaillierError) -> ConsentgateError:
    """KEY_FILE or KEY_INVALID with the engine's hint for this defect; its texts hold no key material."""
    known = translate(error)
    return ConsentgateError(known.code, field=str(path), private=known.private, hint=known.hint)


def registered_key_id(registration_jws: bytes) -> str:
    """The key id that a registration names. Unverified: it is the bank's own file."""
    payload = unverified_payload(registration_jws, "registration")
    return KeyRegistrationClaims.parse(payload, "registration").key_id
