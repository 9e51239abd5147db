"""Note keys in files: the log's signing key (type 0x01) and a witness's (type 0x04, cosignature/v1).

The file holds PKCS 8 PEM and is readable by its owner only; name and type are not in it, since C2SP binds them to the
key id (c2sp.org/signed-note): whoever loads the key says what it is for. Left out: passphrases (the process starts
unattended) and hardware tokens.
"""

from __future__ import annotations

from pathlib import Path

from consentgate.errors import ConsentgateError, ErrorCode
from ledger.durable_files import write_new
from ledger.errors import KeyInvalid
from ledger.note import SignatureType, Signer, VerifierKey

_TAKEN = "A key is never overwritten. Name a new file."


def load_signer(path: Path, name: str, kind: SignatureType) -> Signer:
    """The key in `path` under this name; raises CONFIG_INVALID naming the file."""
    try:
        return Signer.from_pem(name, kind, path.read_bytes())
    except (OSError, KeyInvalid) as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error


def create_key(path: Path, name: str, kind: SignatureType) -> VerifierKey:
    """Writes a fresh key for its owner's eyes only, and returns what others need; never overwrites. Raises OSError."""
    signer = Signer.generate(name, kind)
    key = signer.verifier_key  # refuses a malformed name before there is a file
    try:
        write_new(path, signer.to_pem())
    except FileExistsError as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path), hint=_TAKEN) from error
    return key
