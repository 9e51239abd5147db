"""JWS: what is signed verifies; every other header, spelling, key and number of persons is refused."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey, OKPKey

from consentgate import canonical, signing
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.signing import InstitutionSigner, PersonSigner
from consentgate.statements import PublicJwk, StatementKind
from tests.support import raw_jws
from tests.support.federation import Federation, person
from tests.support.member_ca import certificate_pem, ed25519_key, p256_key, p384_key, private_pem
from tests.support.synced_disk import SyncedDisk
from tests.support.tls_files import spiffe_id

KIND = StatementKind.CONSENT_TRANSITION
FAILURE = ErrorCode.CONSENT_SIGNATURE
AT = datetime(2026, 11, 24, tzinfo=UTC)
A, B, C = person("a"), person("b"), person("c")
KEYS = {"a": A.jwk, "b": B.jwk, "c": C.jwk}
SIGN_A = A.key.private_key.sign


@pytest.fixture(scope="module")
def claims(federation: Federation):
    return federation.transition_claims("PAUSE")


def _refused(verify: Callable[[], object], code: ErrorCode = FAILURE) -> ConsentgateError:
    with pytest.raises(ConsentgateError) as caught:
        verify()
    assert caught.value.code is code
    return caught.value


def _pinned(token: bytes, key: PublicJwk = A.jwk) -> bytes:
    return signing.verify_pinned(token, KIND, key, FAILURE)


def _jointly(token: bytes, required: int = 2, keys: dict[str, PublicJwk] | None = None) -> bytes:
    return signing.verify_jointly(token, KIND, KEYS if keys is None else keys, required, FAILURE)


# Headers: exactly alg, typ and one way to name the key.

HEADERS: dict[str, dict[str, Any]] = {
    "jwk": {"jwk": A.jwk.model_dump()},
    "jku": {"jku": "https://attacker.test/keys"},
    "x5u": {"x5u": "https://attacker.test/chain"},
    "x5t": {"x5t": "AAAA"},
    "x5c beside kid": {"x5c": ["AAAA"]},
    "cty": {"cty": "json"},
    "crit": {"crit": ["exp"], "exp": 1},
    "crit empty": {"crit": []},
    "b64": {"b64": False, "crit": ["b64"]},
    "zip": {"zip": "DEF"},
    "unknown": {"zz": 1},
    "typ absent": {"typ": None},
    "typ of another kind": {"typ": StatementKind.CONSENT.typ},
    "typ with media type prefix": {"typ": f"application/{KIND.typ}"},
    "typ in upper case": {"typ": KIND.typ.upper()},
    "typ no text": {"typ": 1},
    "alg absent": {"alg": None},
    "alg EdDSA": {"alg": "EdDSA"},
    "alg ES256": {"alg": "ES256"},
    "alg HS256": {"alg": "HS256"},
    "alg none": {"alg": "none"},
    "alg in lower case": {"alg": "ed25519"},
    "alg a list": {"alg": ["Ed25519"]},
    "kid absent": {"kid": None},
}


@pytest.mark.parametrize("changes", HEADERS.values(), ids=HEADERS.keys())
def test_header_is_refused_though_the_right_key_signed(claims, changes: dict[str, Any]):
    _refused(lambda: _pinned(raw_jws.with_header(A.sign(KIND, claims), SIGN_A, **changes)))


def test_pinned_kid_only_informs(claims):
    """The verifier's own key decides; the registry's `kid` may be anything."""
    token = raw_jws.with_header(A.sign(KIND, claims), SIGN_A, kid="whatever")
    assert _pinned(token) == claims.payload()


@pytest.mark.parametrize("header", [b"[]", b"{}", b'"x"', b"{", b"\xff", b'{"alg":1.5}'])
def test_header_that_is_none(claims, header: bytes):
    _refused(lambda: _pinned(raw_jws.compact(header, claims.payload(), SIGN_A)))


def test_header_name_twice(claims):
    header = f'{{"alg":"none","alg":"Ed25519","typ":"{KIND.typ}","kid":"{A.kid}"}}'.encode()
    _refused(lambda: _pinned(raw_jws.compact(header, claims.payload(), SIGN_A)))


def test_public_key_is_no_hmac_secret(claims):
    token = A.sign(KIND, claims)
    for secret in (base64.urlsafe_b64decode(A.jwk.x + "="), A.key.as_pem(private=False), A.jwk.x.encode()):
        _refused(lambda s=secret: _pinned(raw_jws.with_header(token, raw_jws.hmac_sign(s), alg="HS256")))


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "truncated": lambda token: token[:-1],
    "signature absent": lambda token: token.rpartition(b".")[0] + b".",
    "signature of zeros": lambda token: raw_jws.with_signature(token, bytes(64)),
    "signature too long": lambda token: raw_jws.with_signature(token, bytes(65)),
    "padding": lambda token: token + b"==",
    "unused bits set": raw_jws.lenient_base64,
    "white space before": lambda token: b" " + token,
    "newline behind": lambda token: token + b"\n",
    "newline inside": lambda token: token.replace(b".", b".\n", 1),
    "standard alphabet": lambda token: token.replace(b"-", b"+").replace(b"_", b"/") + b"+",
    "two parts": lambda token: token.rpartition(b".")[0],
    "four parts": lambda token: token + b".AAAA",
    "not ascii": lambda token: "é".encode() + token,
    "null byte": lambda token: token + b"\0",
    "payload altered": lambda token: token.replace(b".", b".A", 1),
    "detached": lambda token: b"..".join(token.split(b".")[::2]),
}


@pytest.mark.parametrize("change", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_spelling_is_refused(claims, change: Callable[[bytes], bytes]):
    token = A.sign(KIND, claims)
    assert _pinned(token) == claims.payload()
    _refused(lambda: _pinned(change(token)))


def test_lenient_payload_spelling_is_refused_even_if_signed(claims):
    """A payload whose base64url has unused bits set, over which the signature was made."""
    protected, _, _ = A.sign(KIND, claims).decode().split(".")
    payload = raw_jws.lenient_base64(raw_jws.b64(b"{}").encode()).decode()
    signature = raw_jws.b64(SIGN_A(f"{protected}.{payload}".encode()))
    _refused(lambda: _pinned(f"{protected}.{payload}.{signature}".encode()))


def test_another_key_and_another_kind(claims):
    _refused(lambda: _pinned(B.sign(KIND, claims)))
    _refused(lambda: _pinned(A.sign(StatementKind.CONSENT, claims)))


def test_oversized_parts_are_refused(claims):
    header = {"alg": "Ed25519", "typ": KIND.typ, "kid": "k" * signing.MAX_HEADER}
    _refused(lambda: _pinned(raw_jws.compact(header, claims.payload(), SIGN_A)))
    header["kid"] = A.kid
    _refused(lambda: _pinned(raw_jws.compact(header, b" " * signing.MAX_PAYLOAD, SIGN_A)))


# Institutions.


@pytest.fixture(scope="module")
def es256(federation: Federation) -> InstitutionSigner:
    """An institution that signs with P-256."""
    key, identity = p256_key("es256"), spiffe_id("bank", "bank-a")
    chain = (federation.ca.issue(str(identity), key),)
    return InstitutionSigner(identity, chain, ECKey.import_key(private_pem(key)))


def _institution(token: bytes, federation: Federation):
    return signing.verify_institution(token, KIND, federation.ca.certificate, AT, FAILURE)


def test_institution_signs_with_either_kind_of_key(federation: Federation, claims, es256: InstitutionSigner):
    for signer, algorithm in ((federation.bank_a.signer, "Ed25519"), (es256, "ES256")):
        token = signer.sign(KIND, claims)
        assert raw_jws.header_of(token)["alg"] == algorithm
        assert _institution(token, federation) == (claims.payload(), signer.identity)


@pytest.mark.parametrize("algorithm", ["Ed25519", "ES384", "ES256K", "RS256", "HS256", "none"])
def test_algorithm_must_be_the_keys(federation: Federation, claims, es256: InstitutionSigner, algorithm: str):
    """Though the certificate's own key signed, and correctly."""
    good = raw_jws.with_header(es256.sign(KIND, claims), _es256_sign, alg="ES256")
    assert _institution(good, federation)[1] == es256.identity
    _refused(lambda: _institution(raw_jws.with_header(good, _es256_sign, alg=algorithm), federation))


def _es256_sign(data: bytes) -> bytes:
    """RFC 7518 section 3.4: R and S, 32 bytes each."""
    r, s = decode_dss_signature(p256_key("es256").sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def test_chain_through_an_intermediate(federation: Federation, claims):
    intermediate, key = federation.ca.intermediate("region"), ed25519_key("bank below")
    identity = spiffe_id("bank", "bank-a")
    chain = (intermediate.issue(str(identity), key), intermediate.certificate)
    signer = InstitutionSigner(identity, chain, OKPKey.import_key(private_pem(key)))
    assert _institution(signer.sign(KIND, claims), federation)[1] == identity


def test_longest_chain(federation: Federation, claims):
    """Four certificates: what is not needed for the path does no harm; a fifth is refused."""
    region, other, key = federation.ca.intermediate("region"), federation.ca.intermediate("other"), ed25519_key("below")
    identity = spiffe_id("bank", "bank-a")
    leaf = region.issue(str(identity), key)
    chain = (leaf, region.certificate, other.certificate, federation.ca.certificate)
    signer = InstitutionSigner(identity, chain, OKPKey.import_key(private_pem(key)))
    assert len(chain) == signing.MAX_CHAIN
    assert _institution(signer.sign(KIND, claims), federation)[1] == identity
    longer = replace(signer, chain=(*chain, federation.other_ca.certificate))
    _refused(lambda: _institution(longer.sign(KIND, claims), federation))


def _x5c(federation: Federation, claims, value: object) -> bytes:
    sign = federation.bank_a.signer.key.private_key.sign
    return raw_jws.with_header(federation.bank_a.signer.sign(KIND, claims), sign, x5c=value)


def test_certificate_chain_in_other_forms(federation: Federation, claims):
    der = federation.bank_a.signer.chain[0].public_bytes(Encoding.DER)
    good = base64.b64encode(der).decode()
    for value in (
        [],
        good,
        {"0": good},
        [good] * 5,
        [base64.urlsafe_b64encode(der).decode()],
        [good + "\n"],
        [1],
        None,
    ):
        _refused(lambda v=value: _institution(_x5c(federation, claims, v), federation))


def test_refusal_says_why_in_the_log_only(federation: Federation, claims):
    token = federation.bank_a.signer_with_tls_key.sign(KIND, claims)
    error = _refused(lambda: _institution(token, federation))
    assert error.private == "x5c: CERTIFICATE_USAGE"
    assert "CERTIFICATE" not in str(error)


def test_borrowed_chain(federation: Federation, claims):
    thief = replace(federation.bank_a.signer, key=federation.bank_b.signer.key)
    _refused(lambda: _institution(thief.sign(KIND, claims), federation))


# Persons.


@pytest.mark.parametrize("signers", [[A, B], [B, A], [A, B, C]])
def test_enough_distinct_persons(claims, signers: list[PersonSigner]):
    assert _jointly(signing.sign_jointly(KIND, claims, signers)) == claims.payload()


@pytest.mark.parametrize(
    "signers",
    [[A], [A, A], [A, A, A], [A, person("stranger")], [A, B, person("stranger")]],
    ids=["one", "one twice", "one thrice", "one and a stranger", "enough and a stranger"],
)
def test_too_few_or_unknown_persons(claims, signers: list[PersonSigner]):
    _refused(lambda: _jointly(signing.sign_jointly(KIND, claims, signers)))


def test_one_person_and_most_persons(claims):
    """From 1 to MAX_JOINT_SIGNATURES signatures."""
    assert _jointly(signing.sign_jointly(KIND, claims, [A]), required=1) == claims.payload()
    crowd = [person(f"one of many {index}") for index in range(signing.MAX_JOINT_SIGNATURES + 1)]
    keys = {str(index): signer.jwk for index, signer in enumerate(crowd)}
    assert _jointly(signing.sign_jointly(KIND, claims, crowd[:-1]), required=16, keys=keys) == claims.payload()
    _refused(lambda: _jointly(signing.sign_jointly(KIND, claims, crowd), required=16, keys=keys))


def test_two_keys_are_not_two_persons(claims):
    """Keys are listed by person; one person with two keys needs two entries, which attestations refuse to count."""
    token = signing.sign_jointly(KIND, claims, [A, B])
    _refused(lambda: _jointly(token, keys={"a": A.jwk}))
    assert _jointly(token, required=1, keys={"a": A.jwk, "b": B.jwk})


@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_bad_signature_spoils_all(claims, position: int):
    value = raw_jws.general(signing.sign_jointly(KIND, claims, [A, B, C]))
    value["signatures"][position]["signature"] = raw_jws.b64(bytes(64))
    _refused(lambda: _jointly(canonical.encode(value)))


def test_signatures_over_another_payload(claims, federation: Federation):
    value = raw_jws.general(signing.sign_jointly(KIND, claims, [A, B]))
    value["payload"] = raw_jws.b64(federation.transition_claims("RESUME").payload())
    _refused(lambda: _jointly(canonical.encode(value)))


def _altered(claims, change: Callable[[dict[str, Any]], None]) -> bytes:
    value = raw_jws.general(signing.sign_jointly(KIND, claims, [A, B]))
    change(value)
    return json.dumps(value).encode()


GENERAL: dict[str, Callable[[dict[str, Any]], object]] = {
    "unprotected header": lambda v: v["signatures"][0].update(header={"kid": A.kid}),
    "header at the top": lambda v: v.update(header={"alg": "none"}),
    "flattened": lambda v: v.update(protected=v["signatures"][0]["protected"]),
    "signatures absent": lambda v: v.pop("signatures"),
    "signatures empty": lambda v: v.update(signatures=[]),
    "signatures no list": lambda v: v.update(signatures="x"),
    "signature no object": lambda v: v.update(signatures=["x", "y"]),
    "signature absent": lambda v: v["signatures"][0].pop("signature"),
    "protected absent": lambda v: v["signatures"][0].pop("protected"),
    "payload absent": lambda v: v.pop("payload"),
    "payload no text": lambda v: v.update(payload=1),
    "payload padded": lambda v: v.update(payload=v["payload"] + "="),
    "payload with a dot": lambda v: v.update(payload=v["payload"] + ".AAAA"),
    "payload outside ascii": lambda v: v.update(payload="é"),
    "seventeen signatures": lambda v: v.update(signatures=v["signatures"] * 9),
}


@pytest.mark.parametrize("change", GENERAL.values(), ids=GENERAL.keys())
def test_general_serialization_is_strict(claims, change: Callable[[dict[str, Any]], None]):
    _refused(lambda: _jointly(_altered(claims, change)))


def test_white_space_and_order_of_the_envelope_do_not_matter(claims):
    """Only what is signed is fixed; statements are verified as received."""
    assert _jointly(_altered(claims, lambda _: None)) == claims.payload()


@pytest.mark.parametrize("token", [b"", b"[]", b"null", b"{", b'{"payload":"","payload":""}', b"\xff"])
def test_what_is_no_general_jws(token: bytes):
    _refused(lambda: _jointly(token))


def test_compact_form_is_no_joint_statement(claims):
    _refused(lambda: _jointly(A.sign(KIND, claims), required=1))


# Joining signatures that were made apart.


def test_signatures_made_apart_are_joined(claims):
    parts = [signing.signature_of(KIND, claims.payload(), signer) for signer in (A, B)]
    assert signing.join_signatures(parts) == signing.sign_jointly(KIND, claims, [A, B])


def test_signatures_over_different_payloads_are_not_joined(claims, federation: Federation):
    other = federation.transition_claims("RESUME").payload()
    parts = [signing.signature_of(KIND, claims.payload(), A), signing.signature_of(KIND, other, B)]
    _refused(lambda: signing.join_signatures(parts), ErrorCode.INVALID_ARGUMENT_FIELD)


# Reading before verifying.


def test_unverified_payload_of_both_forms(claims):
    for token in (A.sign(KIND, claims), signing.sign_jointly(KIND, claims, [A, B])):
        assert signing.unverified_payload(token, "x") == claims.payload()


@pytest.mark.parametrize(
    "token", [b"", b"x", b"x.y", b"x.e===.z", b"{}", b'{"payload":1}', b"{", "é.é.é".encode(), b'{"payload":"*"}']
)
def test_unverified_payload_of_nothing(token: bytes):
    error = _refused(lambda: signing.unverified_payload(token, "part"), ErrorCode.INVALID_ARGUMENT_FIELD)
    assert error.field is not None
    assert error.field.startswith("part")


# Keys in files.


def test_person_key_is_saved_for_its_owner_only(tmp_path: Path):
    path, signer = tmp_path / "person.key", PersonSigner.generate()
    signer.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PersonSigner.load(path).jwk == signer.jwk
    with pytest.raises(FileExistsError):
        signer.save(path)


def test_a_saved_person_key_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    disk = SyncedDisk(tmp_path, monkeypatch)
    PersonSigner.generate().save(tmp_path / "person.key")
    assert disk.lost() == []


NO_PERSON_KEYS = {
    "absent": None,
    "empty": b"",
    "no pem": b"no pem",
    "on P-256": private_pem(p256_key("x")),
    "for key agreement": private_pem(X25519PrivateKey.generate()),
    "Ed448": private_pem(Ed448PrivateKey.generate()),
}


@pytest.mark.parametrize("content", NO_PERSON_KEYS.values(), ids=NO_PERSON_KEYS.keys())
def test_person_key_file_that_is_none(tmp_path: Path, content: bytes | None):
    path = tmp_path / "person.key"
    if content is not None:
        path.write_bytes(content)
    error = _refused(lambda: PersonSigner.load(path), ErrorCode.CONFIG_INVALID)
    assert error.field == str(path)


@pytest.mark.parametrize("key", [ed25519_key("i"), p256_key("i")], ids=["Ed25519", "P-256"])
def test_institution_signer_from_files(tmp_path: Path, federation: Federation, claims, key):
    identity = spiffe_id("bank", "bank-a")
    (tmp_path / "c.pem").write_bytes(certificate_pem(federation.ca.issue(str(identity), key)))
    (tmp_path / "k.pem").write_bytes(private_pem(key))
    signer = InstitutionSigner.load(tmp_path / "c.pem", tmp_path / "k.pem")
    assert _institution(signer.sign(KIND, claims), federation) == (claims.payload(), identity)


def test_institution_signer_names_the_file_at_fault(tmp_path: Path, federation: Federation):
    chain, key = tmp_path / "c.pem", tmp_path / "k.pem"
    good_chain = certificate_pem(federation.bank_a.signer.chain[0])
    good_key = private_pem(ed25519_key("signing bank bank-a"))
    nobody = certificate_pem(federation.ca.issue([], ed25519_key("signing bank bank-a"), dns=["x.test"]))
    cases = [
        (None, good_key, chain),
        (b"no pem", good_key, chain),
        (nobody, good_key, chain),
        (good_chain, None, key),
        (good_chain, b"no pem", key),
        (good_chain, private_pem(ed25519_key("other")), key),
        (good_chain, private_pem(p384_key("other")), key),
    ]
    for chain_bytes, key_bytes, at_fault in cases:
        for path, content in ((chain, chain_bytes), (key, key_bytes)):
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)
        error = _refused(lambda: InstitutionSigner.load(chain, key), ErrorCode.CONFIG_INVALID)
        assert error.field == str(at_fault)
