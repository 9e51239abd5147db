"""Forged key registrations: whoever makes departments encrypt under a key of theirs can read everything."""

from __future__ import annotations

import json
from collections.abc import Callable

from consentgate import canonical
from consentgate.errors import ErrorCode as Code
from consentgate.evidence import EvidenceBundle
from consentgate.signing import InstitutionSigner
from consentgate.statements import StatementKind
from tests.support import raw_jws
from tests.support.federation import Federation, blum_proof, institution
from tests.support.forgeries.form import Forgery
from tests.support.member_ca import ed25519_key
from tests.support.paillier_keys import key_2048, other_key_2048

Build = Callable[[Federation], EvidenceBundle]


def _signed_by(choose: Callable[[Federation], InstitutionSigner]) -> Build:
    return lambda f: f.bundle(registration=f.sign_registration(signer=choose(f)))


def _claiming(**changes: object) -> Build:
    return lambda f: f.bundle(registration=f.sign_registration(f.registration_claims(**changes)))


def _other_banks(f: Federation) -> EvidenceBundle:
    """bank-b's genuine registration under bank-a's request: bank-b would read the score."""
    registration = f.sign_registration(f.registration_claims(f.bank_b), f.bank_b.signer)
    return f.bundle(registration=registration)


def _other_banks_asked_for(f: Federation) -> EvidenceBundle:
    """As before, and bank-a, in league with bank-b, asks for that key."""
    request = f.sign_request(f.request_claims(key_id=other_key_2048().public.key_id))
    registration = f.sign_registration(f.registration_claims(f.bank_b), f.bank_b.signer)
    return f.bundle(request=request, registration=registration)


def _second_key_of_the_bank(f: Federation) -> EvidenceBundle:
    """bank-a's own other key, which this request does not name."""
    return f.bundle(registration=f.sign_registration(f.registration_claims(private=other_key_2048())))


def _recipient_swapped_in_leaf(f: Federation) -> EvidenceBundle:
    return f.bundle(body={"recipient_key": other_key_2048().public.key_id})


def _key_of_other_modulus(f: Federation) -> EvidenceBundle:
    """The id of the true key over the bytes of the gateway's."""
    owner = str(f.bank_a.identity)
    return _claiming(key=other_key_2048().public.to_phe_json(), proof=blum_proof(other_key_2048(), owner))(f)


def _proof(**changes: object) -> Build:
    def build(f: Federation) -> EvidenceBundle:
        proof = json.loads(blum_proof(key_2048(), str(f.bank_a.identity))) | changes
        return _claiming(proof=canonical.encode(proof).decode())(f)

    return build


def _modulus(n: int) -> Build:
    """A key that is none; the request names it, whatever its id would be."""
    text = raw_jws.b64(n.to_bytes((n.bit_length() + 7) // 8, "big"))
    jwk = {"alg": "PAI-GN1", "key_ops": ["encrypt"], "kid": "x", "kty": "DAJ", "n": text}
    return _claiming(key=canonical.encode(jwk).decode())


def _typ(f: Federation) -> EvidenceBundle:
    sign = ed25519_key("signing bank bank-a").sign
    return f.bundle(registration=raw_jws.with_header(f.registration, sign, typ=StatementKind.SCORE_REQUEST.typ))


KEY = (
    Forgery("key registered by other bank", Code.KEY_UNKNOWN, _other_banks, "key_registration_jws.iss"),
    Forgery(
        "key registered by other bank and asked for",
        Code.KEY_UNKNOWN,
        _other_banks_asked_for,
        "key_registration_jws.iss",
    ),
    Forgery(
        "key registration signed by gateway",
        Code.KEY_UNKNOWN,
        _signed_by(lambda f: f.gateway.signer),
        "key_registration_jws.iss",
    ),
    Forgery(
        "key registration signed by department",
        Code.KEY_UNKNOWN,
        _signed_by(lambda f: f.departments["tax"].signer),
    ),
    Forgery(
        "key registration signed with TLS key",
        Code.KEY_UNKNOWN,
        _signed_by(lambda f: f.bank_a.signer_with_tls_key),
    ),
    Forgery(
        "key registration signed under other CA",
        Code.KEY_UNKNOWN,
        _signed_by(lambda f: institution(f.other_ca, "bank", "bank-a").signer),
    ),
    Forgery("key registration typ of request", Code.KEY_UNKNOWN, _typ),
    Forgery("key registration truncated", Code.KEY_UNKNOWN, lambda f: f.bundle(registration=f.registration[:-1])),
    Forgery(
        "key registration non-canonical base64url",
        Code.KEY_UNKNOWN,
        lambda f: f.bundle(registration=raw_jws.lenient_base64(f.registration)),
    ),
    Forgery(
        "key registration aud of other federation",
        Code.KEY_UNKNOWN,
        _claiming(aud=StatementKind.KEY_REGISTRATION.audience("neighbour.test")),
        "key_registration_jws.aud",
    ),
    Forgery(
        "key registration issued for other bank",
        Code.KEY_UNKNOWN,
        lambda f: _claiming(iss=str(f.bank_b.identity))(f),
    ),
    Forgery("key not the one requested", Code.KEY_MISMATCH, _second_key_of_the_bank, "key_registration_jws.key_id"),
    Forgery("key id of other modulus", Code.KEY_MISMATCH, _key_of_other_modulus, "key_registration_jws.key_id"),
    Forgery(
        "key id misstated in registration",
        Code.KEY_MISMATCH,
        lambda f: _claiming(key_id=other_key_2048().public.key_id)(f),  # noqa: PLW0108 - the key is made when needed
        "key_registration_jws.key_id",
    ),
    Forgery(
        "key swapped in leaf",
        Code.RECEIPT_MISMATCH,
        _recipient_swapped_in_leaf,
        "decision.leaf.recipient_key",
    ),
    # Keys and proofs that are none.
    Forgery("key without proof", Code.KEY_PROOF, _claiming(proof="{}"), "key_registration_jws.proof"),
    Forgery("key proof not JSON", Code.KEY_PROOF, _claiming(proof="no"), "key_registration_jws.proof"),
    Forgery(
        "key proof of other key",
        Code.KEY_PROOF,
        lambda f: _claiming(proof=blum_proof(other_key_2048(), str(f.bank_a.identity)))(f),
    ),
    Forgery(
        "key proof for other bank",
        Code.KEY_PROOF,
        lambda f: _claiming(proof=blum_proof(key_2048(), str(f.bank_b.identity)))(f),
    ),
    Forgery("key proof too few rounds", Code.KEY_PROOF, _proof(x=[])),
    Forgery("key proof w zero", Code.KEY_PROOF, _proof(w="0")),
    Forgery("key not JSON", Code.KEY_INVALID, _claiming(key="no"), "key_registration_jws.key"),
    Forgery("key of 1024 bits", Code.KEY_INVALID, _modulus((1 << 1023) + 1)),
    Forgery("key even", Code.KEY_INVALID, _modulus(1 << 2047)),
    Forgery("key a square", Code.KEY_INVALID, _modulus(int(key_2048().p) ** 2)),
)
