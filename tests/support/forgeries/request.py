"""Forged, altered and misused score requests."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from cryptography.hazmat.primitives import serialization

from consentgate.errors import ErrorCode as Code
from consentgate.evidence import EvidenceBundle
from consentgate.signing import InstitutionSigner
from consentgate.statements import StatementKind
from tests.support import raw_jws
from tests.support.federation import Federation, hex16, institution
from tests.support.forgeries.form import Forgery
from tests.support.member_ca import MemberCa, certificate_pem, ed25519_key, p256_key, p384_key

AUD = StatementKind.SCORE_REQUEST.audience


def _signed_by(choose: Callable[[Federation], InstitutionSigner]) -> Callable[[Federation], EvidenceBundle]:
    return lambda f: f.bundle(request=f.sign_request(signer=choose(f)))


def _claiming(**changes: object) -> Callable[[Federation], EvidenceBundle]:
    return lambda f: f.bundle(request=f.sign_request(f.request_claims(**changes)))


def _raw_sign(f: Federation) -> raw_jws.Sign:
    """bank-a's true signing key, bare."""
    return ed25519_key("signing bank bank-a").sign


def _header(**changes: object) -> Callable[[Federation], EvidenceBundle]:
    """bank-a signs the honest payload under a changed header."""
    return lambda f: f.bundle(request=raw_jws.with_header(f.sign_request(), _raw_sign(f), **changes))


def _payload(change: Callable[[bytes], bytes]) -> Callable[[Federation], EvidenceBundle]:
    """bank-a signs altered payload bytes."""

    def build(f: Federation) -> EvidenceBundle:
        honest = f.sign_request()
        changed = change(raw_jws.payload_of(honest))
        return f.bundle(request=raw_jws.with_payload(honest, _raw_sign(f), changed))

    return build


def _tampered(change: Callable[[bytes], bytes]) -> Callable[[Federation], EvidenceBundle]:
    """The gateway changes the bytes of the honest token, and writes a leaf that commits to the result."""
    return lambda f: f.bundle(request=change(f.sign_request()))


def _borrowed_chain(f: Federation) -> InstitutionSigner:
    """bank-a's certificate shown, the gateway's key used."""
    return replace(f.bank_a.signer, key=f.gateway.signer.key)


def _issued_by_a_member(f: Federation) -> InstitutionSigner:
    """bank-b plays CA with its own certificate, whose signature is good but which is no CA's."""
    key, stolen = p256_key("bank-b as ca"), ed25519_key("signing bank bank-a")
    member = MemberCa("bank-b", key, f.ca.issue(str(f.bank_b.identity), key))
    return replace(f.bank_a.signer, chain=(member.issue(str(f.bank_a.identity), stolen), member.certificate))


def _foreign_domain(f: Federation) -> EvidenceBundle:
    """A member certificate of a neighbouring federation under the same CA."""
    uri = "spiffe://neighbour.test/bank/bank-a"
    signer = replace(f.bank_a.signer, chain=(f.ca.issue(uri, ed25519_key("signing bank bank-a")),))
    return f.bundle(request=f.sign_request(f.request_claims(iss=uri), signer))


def _p384(f: Federation) -> EvidenceBundle:
    """joserfc would not sign this, so the token only claims it: the chain alone must be refused."""
    chain = [f.ca.issue(str(f.bank_a.identity), p384_key("bank-a"))]
    x5c = [base64.b64encode(c.public_bytes(serialization.Encoding.DER)).decode() for c in chain]
    return f.bundle(request=raw_jws.with_header(f.sign_request(), _raw_sign(f), alg="ES256", x5c=x5c))


def _hmac_with_public_key(f: Federation) -> EvidenceBundle:
    secret = certificate_pem(f.bank_a.signer.chain[0])
    return f.bundle(request=raw_jws.with_header(f.sign_request(), raw_jws.hmac_sign(secret), alg="HS256"))


def _other_request_of_the_bank(f: Federation) -> EvidenceBundle:
    return replace(f.honest, request_jws=f.sign_request(f.request_claims(request_id=hex16("other"))))


def _as_person(f: Federation) -> EvidenceBundle:
    return f.bundle(request=f.company.signers[0].sign(StatementKind.SCORE_REQUEST, f.request_claims()))


def _other_check_character(code: str) -> bytes:
    return (code[:-1] + ("0" if code[-1] != "0" else "1")).encode()


def _duplicate_header_name(f: Federation) -> EvidenceBundle:
    header = raw_jws.header_of(f.sign_request())
    text = json.dumps(header)[:-1] + f', "typ": {json.dumps(header["typ"])}}}'
    return f.bundle(request=raw_jws.compact(text.encode(), raw_jws.payload_of(f.sign_request()), _raw_sign(f)))


def _consent_as_request(f: Federation) -> EvidenceBundle:
    return f.bundle(request=f.sign_consent())


REQUEST = (
    # Signed again with every key that somebody else holds.
    Forgery(
        "request signed by gateway",
        Code.REQUEST_ISSUER,
        _signed_by(lambda f: f.gateway.signer),
        "request_jws.iss",
    ),
    Forgery(
        "request signed by other bank",
        Code.REQUEST_ISSUER,
        _signed_by(lambda f: f.bank_b.signer),
        "request_jws.iss",
    ),
    Forgery(
        "request signed by department",
        Code.REQUEST_ISSUER,
        _signed_by(lambda f: f.departments["tax"].signer),
        "request_jws.iss",
    ),
    Forgery("request signed by company person", Code.REQUEST_SIGNATURE, _as_person),
    Forgery(
        "request signed with TLS key",
        Code.REQUEST_SIGNATURE,
        _signed_by(lambda f: f.bank_a.signer_with_tls_key),
    ),
    Forgery("request signed under borrowed chain", Code.REQUEST_SIGNATURE, _signed_by(_borrowed_chain)),
    Forgery(
        "request signed under other CA",
        Code.REQUEST_SIGNATURE,
        _signed_by(lambda f: institution(f.other_ca, "bank", "bank-a").signer),
    ),
    Forgery("request signed under member playing CA", Code.REQUEST_SIGNATURE, _signed_by(_issued_by_a_member)),
    Forgery(
        "request signed under expired certificate",
        Code.REQUEST_SIGNATURE,
        _signed_by(lambda f: institution(f.ca, "bank", "bank-a", not_after=f.now - timedelta(minutes=1)).signer),
    ),
    Forgery(
        "request signed under future certificate",
        Code.REQUEST_SIGNATURE,
        _signed_by(lambda f: institution(f.ca, "bank", "bank-a", not_before=f.now + timedelta(minutes=1)).signer),
    ),
    Forgery("request signed under certificate of neighbour federation", Code.REQUEST_ISSUER, _foreign_domain),
    Forgery("request signed under P-384 certificate", Code.REQUEST_SIGNATURE, _p384),
    # Misused.
    Forgery("request swapped for other request of same bank", Code.RECEIPT_MISMATCH, _other_request_of_the_bank),
    Forgery(
        "request aud of other federation",
        Code.REQUEST_AUDIENCE,
        _claiming(aud=AUD("neighbour.test")),
        "request_jws.aud",
    ),
    Forgery(
        "request aud of other statement",
        Code.REQUEST_AUDIENCE,
        _claiming(aud=StatementKind.CONSENT.audience("consentgate.test")),
    ),
    Forgery(
        "request typ of other statement",
        Code.REQUEST_SIGNATURE,
        _header(typ=StatementKind.KEY_REGISTRATION.typ),
    ),
    Forgery("request typ absent", Code.REQUEST_SIGNATURE, _header(typ=None)),
    Forgery("request is a consent", Code.REQUEST_SIGNATURE, _consent_as_request),
    Forgery(
        "request older than window",
        Code.CLOCK_SKEW,
        lambda f: _claiming(iat=f.seconds(seconds=-303))(f),
        "request_jws.iat",
    ),
    Forgery(
        "request newer than window",
        Code.CLOCK_SKEW,
        lambda f: _claiming(iat=f.seconds(seconds=302))(f),
        "request_jws.iat",
    ),
    # Headers.
    Forgery(
        "request alg none",
        Code.REQUEST_SIGNATURE,
        lambda f: f.bundle(request=raw_jws.with_header(f.sign_request(), lambda _: b"", alg="none")),
    ),
    Forgery("request alg HS256 with public key", Code.REQUEST_SIGNATURE, _hmac_with_public_key),
    Forgery("request alg ES256 with Ed25519 key", Code.REQUEST_SIGNATURE, _header(alg="ES256")),
    Forgery("request alg EdDSA", Code.REQUEST_SIGNATURE, _header(alg="EdDSA")),
    Forgery(
        "request header jwk",
        Code.REQUEST_SIGNATURE,
        lambda f: _header(jwk=f.company.signers[0].jwk.model_dump())(f),
    ),
    Forgery("request header jku", Code.REQUEST_SIGNATURE, _header(jku="https://attacker.test/keys")),
    Forgery("request header x5u", Code.REQUEST_SIGNATURE, _header(x5u="https://attacker.test/chain")),
    Forgery("request header crit", Code.REQUEST_SIGNATURE, _header(crit=["exp"])),
    Forgery("request header b64", Code.REQUEST_SIGNATURE, _header(b64=False, crit=["b64"])),
    Forgery("request header kid beside x5c", Code.REQUEST_SIGNATURE, _header(kid="x")),
    Forgery("request header x5c empty", Code.REQUEST_SIGNATURE, _header(x5c=[])),
    Forgery("request header x5c not base64", Code.REQUEST_SIGNATURE, _header(x5c=["*"])),
    Forgery("request header x5c not certificates", Code.REQUEST_SIGNATURE, _header(x5c=["AAAA"])),
    Forgery("request header x5c not texts", Code.REQUEST_SIGNATURE, _header(x5c=[1])),
    Forgery(
        "request header x5c too long",
        Code.REQUEST_SIGNATURE,
        lambda f: _header(x5c=raw_jws.header_of(f.sign_request())["x5c"] * 5)(f),
    ),
    Forgery("request header name twice", Code.REQUEST_SIGNATURE, _duplicate_header_name),
    Forgery(
        "request header not an object",
        Code.REQUEST_SIGNATURE,
        lambda f: f.bundle(request=raw_jws.compact(b"[]", b"{}", _raw_sign(f))),
    ),
    # Bytes.
    Forgery("request truncated", Code.REQUEST_SIGNATURE, _tampered(lambda token: token[:-1])),
    Forgery(
        "request without signature",
        Code.REQUEST_SIGNATURE,
        _tampered(lambda token: token.rpartition(b".")[0] + b"."),
    ),
    Forgery(
        "request with zero signature",
        Code.REQUEST_SIGNATURE,
        _tampered(lambda token: raw_jws.with_signature(token, bytes(64))),
    ),
    Forgery("request padded base64url", Code.REQUEST_SIGNATURE, _tampered(lambda token: token + b"==")),
    Forgery("request non-canonical base64url", Code.REQUEST_SIGNATURE, _tampered(raw_jws.lenient_base64)),
    Forgery("request with trailing newline", Code.REQUEST_SIGNATURE, _tampered(lambda token: token + b"\n")),
    Forgery("request not ascii", Code.REQUEST_SIGNATURE, _tampered(lambda token: "é".encode() + token)),
    Forgery("request in four parts", Code.REQUEST_SIGNATURE, _tampered(lambda token: token + b".AA")),
    # Claims.
    Forgery(
        "request claim unknown",
        Code.INVALID_ARGUMENT_FIELD,
        _payload(lambda p: p[:-1] + b',"zz":1}'),
        "request_jws.zz",
    ),
    Forgery(
        "request claim twice",
        Code.INVALID_ARGUMENT_FIELD,
        _payload(lambda p: p[:-1] + b',"use":"SCORE"}'),
        "request_jws",
    ),
    Forgery(
        "request claim absent",
        Code.INVALID_ARGUMENT_FIELD,
        _payload(lambda p: p.replace(b',"use":"SCORE"', b"")),
        "request_jws.use",
    ),
    Forgery(
        "request claim number as text",
        Code.INVALID_ARGUMENT_FIELD,
        _payload(lambda p: p.replace(b'"iat":', b'"iat":"').replace(b',"iss"', b'","iss"')),
        "request_jws.iat",
    ),
    Forgery(
        "request claim company with wrong check character",
        Code.INVALID_ARGUMENT_FIELD,
        lambda f: _payload(lambda p: p.replace(f.company.code.encode(), _other_check_character(f.company.code)))(f),
        "request_jws",
    ),
    Forgery("request payload not an object", Code.INVALID_ARGUMENT_FIELD, _payload(lambda _: b"[]"), "request_jws"),
)
