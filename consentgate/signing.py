"""Signing and verifying statements as JWS (RFC 7515) with Ed25519 (RFC 9864) or, for institutions, ES256.

Three ways to be known: an *institution* signs with a certificate whose chain (`x5c`) ends in the verifier's
own member CA; a *pinned* party (the company registry) signs with a key the verifier holds as an anchor;
*persons* (a company's signatories, reviewers) sign jointly, in the general JSON serialization, with keys a
trusted statement or anchor names.

The protected header holds exactly `alg`, `typ` and `x5c` or `kid`: everything else (`jwk`, `jku`, `x5u`,
`crit`, `b64`, unprotected headers) is refused, and the algorithm is pinned to the key, never chosen by the
message.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from consentgate.statements import Claims, PublicJwk, StatementKind
from consentgate.tls import verify_signing_chain
from ledger.durable_files import write_new

MAX_CHAIN = 4
"""Most certificates accepted in `x5c`."""
MAX_JOINT_SIGNATURES = 16
"""Most signatures accepted on one jointly signed statement."""

MAX_HEADER = 32 * 1024
"""Largest protected header in base64url characters: four certificates of 4 KiB, base64 within base64url."""
MAX_PAYLOAD = 1024 * 1024
"""Largest payload in base64url characters: the wire's bound for the largest statement, a key registration."""

PublicSigningKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey
Jwk = OKPKey | ECKey


class _Registry(jws.JWSRegistry):
    """joserfc's own bounds (512 bytes of header, 128,000 of payload) are below an `x5c` header and a key
    registration.
    """

    max_header_length = MAX_HEADER
    max_payload_length = MAX_PAYLOAD


@dataclass(frozen=True)
class PersonSigner:
    """A natural person's (or the registry's) Ed25519 key."""

    key: OKPKey

    @classmethod
    def generate(cls) -> PersonSigner:
        """A fresh key from the operating system's randomness."""
        return cls(OKPKey.generate_key("Ed25519"))

    @classmethod
    def load(cls, path: Path) -> PersonSigner:
        """Reads a PKCS#8 PEM file; raises CONFIG_INVALID naming the file."""
        try:
            key = OKPKey.import_key(path.read_bytes())
        except (OSError, ValueError, JoseError) as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error
        if key.curve_name != "Ed25519":
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path), private="not an Ed25519 key")
        return cls(key)

    def save(self, path: Path) -> None:
        """Writes a PKCS#8 PEM file that only its owner can read; never overwrites."""
        write_new(path, self.key.as_pem(private=True))

    @property
    def jwk(self) -> PublicJwk:
        """The public key as it stands in attestations and anchors."""
        return PublicJwk.model_validate({name: self.key.as_dict(private=False)[name] for name in ("kty", "crv", "x")})

    @property
    def kid(self) -> str:
        """RFC 7638 thumbprint."""
        return self.key.thumbprint()

    def sign(self, kind: StatementKind, claims: Claims) -> bytes:
        """Compact JWS under this one key (registry statements)."""
        header = {"alg": "Ed25519", "typ": kind.typ, "kid": self.kid}
        return _sign(header, claims.payload(), self.key)


@dataclass(frozen=True)
class InstitutionSigner:
    """An institution's signing key with the certificate chain that names it."""

    identity: SpiffeId
    chain: tuple[x509.Certificate, ...]
    key: Jwk

    @classmethod
    def load(cls, chain_path: Path, key_path: Path) -> InstitutionSigner:
        """Reads PEM files; raises CONFIG_INVALID naming the file at fault."""
        try:
            chain = tuple(x509.load_pem_x509_certificates(chain_path.read_bytes()))
            identity = SpiffeId.from_certificate(chain[0])
        except (OSError, ValueError, IndexError) as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(chain_path)) from error
        try:
            private = serialization.load_pem_private_key(key_path.read_bytes(), None)
            key = _jwk_of(key_path.read_bytes(), private.public_key())
        except (OSError, ValueError, TypeError, JoseError) as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(key_path)) from error
        if private.public_key() != chain[0].public_key():
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(key_path), private="key and certificate differ")
        return cls(identity, chain, key)

    def sign(self, kind: StatementKind, claims: Claims) -> bytes:
        """Compact JWS with the certificate chain in `x5c`."""
        chain = [base64.b64encode(c.public_bytes(serialization.Encoding.DER)).decode() for c in self.chain]
        header = {"alg": _algorithm(self.key), "typ": kind.typ, "x5c": chain}
        return _sign(header, claims.payload(), self.key)


def sign_jointly(kind: StatementKind, claims: Claims, signers: Sequence[PersonSigner]) -> bytes:
    """General JSON serialization with one signature per person, as canonical bytes."""
    payload = claims.payload()
    return join_signatures([signature_of(kind, payload, signer) for signer in signers])


def signature_of(kind: StatementKind, payload: bytes, signer: PersonSigner) -> bytes:
    """One person's signature over `payload`, as a compact JWS, to be joined with others' later."""
    header = {"alg": "Ed25519", "typ": kind.typ, "kid": signer.kid}
    return _sign(header, payload, signer.key)


def join_signatures(compacts: Sequence[bytes]) -> bytes:
    """Joins compact JWS over one and the same payload into the general JSON serialization."""
    parts = [compact.decode().split(".") for compact in compacts]
    if len({payload for _, payload, _ in parts}) != 1:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="signatures", private="payloads differ")
    signatures = [{"protected": protected, "signature": signature} for protected, _, signature in parts]
    return canonical.encode({"payload": parts[0][1], "signatures": signatures})


def verify_institution(
    token: bytes, kind: StatementKind, member_ca: x509.Certificate, at: datetime, failure: ErrorCode
) -> tuple[bytes, SpiffeId]:
    """Payload and signer of an institution's compact JWS; raises `failure` for whatever is wrong with it."""
    header = _protected_header(token, kind, "x5c", failure)
    chain = header["x5c"]
    if not isinstance(chain, list) or not 1 <= len(chain) <= MAX_CHAIN:
        raise ConsentgateError(failure, private="x5c is not a certificate chain")
    try:
        ders = [base64.b64decode(certificate, validate=True) for certificate in chain]
    except (binascii.Error, TypeError, ValueError) as error:
        raise ConsentgateError(failure, private="x5c is not base64") from error
    try:
        identity, public = verify_signing_chain(ders, member_ca, at)
    except ConsentgateError as error:
        raise ConsentgateError(failure, private=f"x5c: {error.code}") from error
    return _verified_payload(token, _public_jwk(public), header, failure), identity


def verify_pinned(token: bytes, kind: StatementKind, key: PublicJwk, failure: ErrorCode) -> bytes:
    """Payload of a compact JWS by the one pinned key."""
    header = _protected_header(token, kind, "kid", failure)
    return _verified_payload(token, _imported(key), header, failure)


def verify_jointly(
    token: bytes, kind: StatementKind, keys: Mapping[str, PublicJwk], required: int, failure: ErrorCode
) -> bytes:
    """Payload of a jointly signed statement; `keys` maps each person to the person's key.

    Every signature must be good and by a known person, and at least `required` distinct persons must have
    signed.
    """
    payload, compacts = _split_general(token, failure)
    by_kid = {_imported(key).thumbprint(): (person, key) for person, key in keys.items()}
    persons = set()
    for compact in compacts:
        header = _protected_header(compact, kind, "kid", failure)
        known = by_kid.get(str(header["kid"]))
        if known is None:
            raise ConsentgateError(failure, private="signed with a key nobody vouches for")
        _verified_payload(compact, _imported(known[1]), header, failure)
        persons.add(known[0])
    if len(persons) < required:
        raise ConsentgateError(failure, private="too few persons signed")
    return payload


def unverified_payload(token: bytes, name: str) -> bytes:
    """Payload of a statement whose signer is named inside it. Only to find the key; verify before use."""
    try:
        text = token.decode("ascii")
        encoded = canonical.parse(token, name)["payload"] if text.startswith("{") else text.split(".")[1]
        return _decode(str(encoded))
    except (UnicodeDecodeError, KeyError, IndexError, binascii.Error) as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=name) from error


def _split_general(token: bytes, failure: ErrorCode) -> tuple[bytes, list[bytes]]:
    try:
        value: Any = canonical.parse(token, "jws")
        if set(value) != {"payload", "signatures"} or not 1 <= len(value["signatures"]) <= MAX_JOINT_SIGNATURES:
            raise ValueError("not a general JWS")
        compacts = []
        for entry in value["signatures"]:
            if set(entry) != {"protected", "signature"}:
                raise ValueError("unprotected or unknown member")
            compacts.append(f"{entry['protected']}.{value['payload']}.{entry['signature']}".encode("ascii"))
        return _decode(value["payload"]), compacts
    except (ConsentgateError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise ConsentgateError(failure, private="not a JWS in general JSON serialization") from error


def _protected_header(token: bytes, kind: StatementKind, key_parameter: str, failure: ErrorCode) -> dict[str, object]:
    try:
        protected, _, _ = token.decode("ascii").split(".")
        header = canonical.parse(_decode(protected), "jws.protected")
    except (ConsentgateError, ValueError) as error:
        raise ConsentgateError(failure, private="not a compact JWS") from error
    if set(header) != {"alg", "typ", key_parameter}:
        raise ConsentgateError(failure, private="header has missing or forbidden parameters")
    if header["typ"] != kind.typ:
        raise ConsentgateError(failure, private="typ is of another kind of statement")
    return header


def _sign(header: Mapping[str, object], payload: bytes, key: Jwk) -> bytes:
    return jws.serialize_compact(dict(header), payload, key, registry=_Registry(algorithms=[_algorithm(key)])).encode()


def _verified_payload(token: bytes, key: Jwk, header: Mapping[str, object], failure: ErrorCode) -> bytes:
    if header["alg"] != _algorithm(key):
        raise ConsentgateError(failure, private="algorithm does not fit the key")
    try:
        return jws.deserialize_compact(token, key, registry=_Registry(algorithms=[_algorithm(key)])).payload
    except (JoseError, ValueError) as error:
        raise ConsentgateError(failure, private="signature does not verify") from error


def _decode(text: str) -> bytes:
    """Strict unpadded base64url (RFC 7515 section 2): re-encoding must give the same text."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise binascii.Error("not canonical base64url")
    return data


def _algorithm(key: Jwk) -> str:
    return "Ed25519" if isinstance(key, OKPKey) else "ES256"


def _imported(key: PublicJwk) -> OKPKey:
    return OKPKey.import_key(key.model_dump())


def _public_jwk(public: PublicSigningKey) -> Jwk:
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _jwk_of(pem, public)


def _jwk_of(pem: bytes, public: object) -> Jwk:
    return OKPKey.import_key(pem) if isinstance(public, ed25519.Ed25519PublicKey) else ECKey.import_key(pem)
