"""A second verifier of evidence bundles, written from docs/wire.md alone: python independent_verifier.py FOLDER [NOW]

It imports nothing of ours, only the standard library and `cryptography`, so that a mistake in our verifier cannot hide
behind the same mistake in our vectors. It is short and plain rather than complete: of the forms of claims (section 5)
and columns (section 6) it knows only what the vectors need, and a chain is one certificate under the CA. It raises
Refused with the number of the row of section 9.3, or 0 where a claim breaks its form.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import tomllib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
CLAIMS = {
    "score-request": "iss request_id company scorecard purpose use key_id custody as_of",
    "consent": "company consent_id version subject group grantee purpose use categories valid_from valid_until "
    "frequency total_uses data_range data_life_days nonce",
    "company-attestation": "iss company entity threshold signatories valid_from valid_until",
    "scorecard-approval": "group members sequence previous action scorecard scorecards report",
    "key-registration": "iss key_id key proof",
}
HEADER = "v name owner use custody departments score_low score_high slot_bits weight_bits weights_commitment"
COLUMNS = {"binned": "kind name scale edges", "numeric": "kind name scale lo hi transform"}
USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
BUNDLE = (
    "request_jws request_salt consent_jws attestation_jws scorecard_header approval_jws key_registration_jws "
    "decision.leaf decision.proof"
)


class Refused(Exception):
    """The bundle is worth nothing; `row` is the row of docs/wire.md 9.3 that it broke, 0 for a claim's form."""

    def __init__(self, row: int, why: str) -> None:
        super().__init__(f"row {row}: {why}")
        self.row = row


def require(holds: object, row: int, why: str) -> None:
    if not holds:
        raise Refused(row, why)


def verify(parts: dict[str, bytes], anchors: dict[str, Any], now: int) -> dict[str, Any]:
    """Leaf and claims of a good bundle; raises Refused."""
    leaf, cosigned = _receipt(parts["decision.leaf"], parts["decision.proof"], anchors)
    require(abs(now - cosigned) <= anchors["freshness_seconds"], 3, "stale")
    body = leaf["body"]
    require(leaf["kind"] == "query.decision", 4, "kind")
    require(body["verdict"] == "allow", 5, "verdict")
    t = _seconds(leaf["ts"])
    domain = anchors["trust_domain"]

    request, bank = _by_institution(parts["request_jws"], "score-request", anchors, t, 6)
    require(bank == request["iss"] and bank.startswith(f"spiffe://{domain}/bank/"), 7, "issuer")
    require(request["aud"] == f"consentgate://{domain}/score-request", 8, "audience")
    require(abs(request["iat"] - t) <= 300, 9, "clock")

    attestation = _by_registry(parts["attestation_jws"], anchors)
    require(attestation["aud"] == f"consentgate://{domain}/company-attestation", 10, "audience")
    registry = f"spiffe://{domain}/department/{anchors['registry']['department']}"
    require(attestation["iss"] == registry, 10, "issuer")
    require(attestation["valid_from"] <= t < attestation["valid_until"], 11, "attestation expired")

    people = [(entry["person"], entry["jwk"]["x"]) for entry in attestation["signatories"]]
    consent = _jointly(parts["consent_jws"], "consent", people, attestation["threshold"], 12)
    require(consent["aud"] == f"consentgate://{domain}/consent", 12, "audience")
    require(consent["company"] == attestation["company"], 12, "company")
    require(consent["company"] == request["company"] and consent["grantee"] == bank, 13, "not for this")
    require(consent["purpose"] == request["purpose"], 14, "purpose")
    span = consent["data_range"]
    require(consent["use"] == request["use"] and span["first"] <= request["as_of"] <= span["last"], 15, "scope")
    require(consent["valid_from"] <= t < consent["valid_until"], 16, "consent expired")

    header = parts["scorecard_header"]
    require(_sha256(header) == request["scorecard"], 17, "another header")
    card = _header(header)
    columns = [column for department in card["departments"] for column in department["columns"]]
    require(card["use"] == request["use"] and card["custody"] == request["custody"], 19, "use or custody")
    require({column["category"] for column in columns} <= set(consent["categories"]), 19, "categories")

    reviewers = [(entry["id"], entry["jwk"]["x"]) for entry in anchors["reviewers"]]
    approval = _jointly(
        parts["approval_jws"], "scorecard-approval", reviewers, max(2, anchors["reviewers_required"]), 20
    )
    require(approval["aud"] == f"consentgate://{domain}/scorecard-approval", 20, "audience")
    require(bank in approval["members"] and approval["group"] == consent["group"], 21, "group")
    require({"id": request["scorecard"], "state": "approved"} in approval["scorecards"], 21, "not approved")

    registration, owner = _by_institution(parts["key_registration_jws"], "key-registration", anchors, t, 22)
    require(registration["aud"] == f"consentgate://{domain}/key-registration", 22, "audience")
    require(owner == bank == registration["iss"], 22, "another's key")
    key_id = _key_id(registration, bank)
    require(key_id == registration["key_id"] == request["key_id"], 24, "key id")

    salt = parts["request_salt"]
    expected = {
        "request": hmac.new(salt, b"request\0" + parts["request_jws"], hashlib.sha256).hexdigest(),
        **{name: request[name] for name in ("request_id", "scorecard", "purpose", "use", "custody", "as_of")},
        "recipient_key": request["key_id"],
        "institution": bank.rpartition("/")[2],
        **{name: consent[name] for name in ("group", "subject", "consent_id")},
        "consent_version": consent["version"],
        "consent_digest": _sha256(parts["consent_jws"]),
        "approval": _sha256(parts["approval_jws"]),
        "departments": [
            {"id": entry["id"], "columns": [column["spec"]["name"] for column in entry["columns"]]}
            for entry in card["departments"]
        ],
    }
    require(len(salt) == 32, 25, "salt")
    for name, value in expected.items():
        require(body.get(name) == value and type(body[name]) is type(value), 25, name)
    require(isinstance(body.get("not_after"), str), 25, "not_after")
    require(t <= cosigned + anchors["freshness_seconds"], 26, "postdated")
    end = _seconds(body["not_after"])
    require(0 < end - t <= 60 and now <= end, 27, "expired")
    return {"leaf": leaf, "request": request, "consent": consent, "header": card, "attestation": attestation}


# Ledger: C2SP tlog-proof, tlog-checkpoint, tlog-cosignature, tlog-policy; RFC 6962 hashes.


def _receipt(leaf: bytes, proof: bytes, anchors: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The leaf, and the second at which the quorum had seen it."""
    head, _, note = proof.partition(b"\n\n")
    lines = head.split(b"\n")
    require(lines[0] == b"c2sp.org/tlog-proof@v1" and len(lines) > 1 and lines[1].startswith(b"index "), 1, "form")
    text, _, signatures = note.rpartition(b"\n\n")
    text += b"\n"
    origin, size, root = _checkpoint(text)
    signed = [_signature(line) for line in signatures.decode(errors="replace").splitlines()]
    require(len(signed) == len({entry[:2] for entry in signed}), 1, "one key signed twice")
    policy = anchors["policy"]
    require(_log_signed(policy["log"], origin, text, signed), 1, "the log's signature")
    times = [time for key in policy["witnesses"] if (time := _cosigned(key, text, signed)) is not None]
    require(len(times) >= policy["threshold"], 2, "quorum")
    path = [base64.b64decode(line, validate=True) for line in lines[2:]]
    index = int(lines[1].removeprefix(b"index "))
    require(index < size and _root(index, size, leaf, path) == root, 1, "inclusion")
    value = _canonical(leaf, 1)
    require(value["log"] == origin and value["seq"] == index, 1, "another leaf")
    return value, sorted(times, reverse=True)[policy["threshold"] - 1]


def _checkpoint(text: bytes) -> tuple[str, int, bytes]:
    lines = text.split(b"\n")
    require(len(lines) == 4 and not lines[3], 1, "checkpoint")
    return lines[0].decode(), int(lines[1]), base64.b64decode(lines[2], validate=True)


def _root(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes | None:
    """RFC 9162 section 2.1.3.2, bottom up; None when the path has another length than it must have."""
    node, last, value = index, size - 1, hashlib.sha256(b"\x00" + leaf).digest()
    for sibling in path:
        if last == 0:
            return None
        if node % 2 or node == last:
            value = hashlib.sha256(b"\x01" + sibling + value).digest()
            while node % 2 == 0 and node:
                node, last = node // 2, last // 2
        else:
            value = hashlib.sha256(b"\x01" + value + sibling).digest()
        node, last = node // 2, last // 2
    return value if last == 0 else None


def _signature(line: str) -> tuple[str, bytes, bytes]:
    dash, name, encoded = line.split(" ")
    require(dash == "—", 1, "signature line")
    raw = base64.b64decode(encoded, validate=True)
    return name, raw[:4], raw[4:]


def _vkey(text: str) -> tuple[str, bytes, int, bytes]:
    name, key_id, encoded = text.split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    assert hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() == key_id
    return name, bytes.fromhex(key_id), raw[0], raw[1:]


def _log_signed(vkey: str, origin: str, text: bytes, signed: list[tuple[str, bytes, bytes]]) -> bool:
    name, key_id, kind, key = _vkey(vkey)
    found = [entry[2] for entry in signed if entry[:2] == (name, key_id)]
    return kind == 1 and name == origin and len(found) == 1 and _ed25519(key, found[0], text)


def _cosigned(vkey: str, text: bytes, signed: list[tuple[str, bytes, bytes]]) -> int | None:
    name, key_id, kind, key = _vkey(vkey)
    for entry in signed:
        if kind == 4 and entry[:2] == (name, key_id):
            seconds = int.from_bytes(entry[2][:8], "big")
            message = f"cosignature/v1\ntime {seconds}\n".encode() + text
            require(_ed25519(key, entry[2][8:], message), 1, "cosignature")
            return seconds
    return None


# Statements: JWS (docs/wire.md, section 4).


def _by_institution(token: bytes, kind: str, anchors: dict[str, Any], t: float, row: int) -> tuple[dict, str]:
    header, signature, signed, payload = _compact(token, kind, "x5c", row)
    chain = header["x5c"]
    require(isinstance(chain, list) and len(chain) == 1 and isinstance(chain[0], str), row, "x5c")
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(chain[0], validate=True))
        certificate.verify_directly_issued_by(anchors["ca"])
        usages = set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
        raise Refused(row, "certificate") from error
    moment = datetime.fromtimestamp(t, UTC)
    require(certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc, row, "dates")
    require(usages == {DOCUMENT_SIGNING}, row, "usage")
    key = certificate.public_key()
    require(isinstance(key, Ed25519PublicKey) and header["alg"] == "Ed25519", row, "key")
    require(_ed25519(key.public_bytes_raw(), signature, signed), row, "signature")
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    require(len(uris) == 1, row, "identity")
    return _claims(payload, kind), uris[0]


def _by_registry(token: bytes, anchors: dict[str, Any]) -> dict[str, Any]:
    header, signature, signed, payload = _compact(token, "company-attestation", "kid", 10)
    key = _unb64(anchors["registry"]["jwk"]["x"])
    require(header["alg"] == "Ed25519" and _ed25519(key, signature, signed), 10, "signature")
    return _claims(payload, "company-attestation")


def _jointly(token: bytes, kind: str, people: list[tuple[str, str]], needed: int, row: int) -> dict[str, Any]:
    general = _object(token, row)
    require(set(general) == {"payload", "signatures"} and 1 <= len(general["signatures"]) <= 16, row, "form")
    known = {_thumbprint(x): (person, _unb64(x)) for person, x in people}
    persons = set()
    for entry in general["signatures"]:
        require(set(entry) == {"protected", "signature"}, row, "unprotected")
        compact = f"{entry['protected']}.{general['payload']}.{entry['signature']}".encode()
        header, signature, signed, _ = _compact(compact, kind, "kid", row)
        require(header["kid"] in known and header["alg"] == "Ed25519", row, "nobody's key")
        person, key = known[header["kid"]]
        require(_ed25519(key, signature, signed), row, "signature")
        persons.add(person)
    require(len(persons) >= needed, row, "too few persons")
    return _claims(_unb64(general["payload"]), kind)


def _compact(token: bytes, kind: str, parameter: str, row: int) -> tuple[dict[str, Any], bytes, bytes, bytes]:
    """Header, signature, the bytes that are signed, and the payload."""
    try:
        protected, payload, signature = token.decode("ascii").split(".")
        decoded = _unb64(protected), _unb64(payload), _unb64(signature)
    except ValueError as error:
        raise Refused(row, "not a compact JWS") from error
    header = _object(decoded[0], row)
    require(set(header) == {"alg", "typ", parameter}, row, "header")
    require(header["typ"] == f"consentgate-{kind}+jwt", row, "typ")
    return header, decoded[2], f"{protected}.{payload}".encode(), decoded[1]


def _claims(payload: bytes, kind: str) -> dict[str, Any]:
    """Closed: exactly the claims of the kind; of their forms only a time's and a company's."""
    claims = _object(payload, 0)
    require(set(claims) == {"aud", "iat", *CLAIMS[kind].split()}, 0, "claims")
    require(type(claims["iat"]) is int, 0, "iat")
    if "company" in claims:
        values = [USCC.index(character) for character in claims["company"]]
        total = sum(value * 3**place for place, value in enumerate(values[:17]))
        require(len(values) == 18 and (total + values[17]) % 31 == 0, 0, "check character")
    return claims


def _header(data: bytes) -> dict[str, Any]:
    card = _canonical(data, 18)
    require(set(card) == set(HEADER.split()) and card["custody"] == "recipient", 18, "header")
    require(card["v"] == 1 and type(card["v"]) is int, 18, "version")
    departments = [entry["id"] for entry in card["departments"]]
    require(len(set(departments)) == len(departments), 18, "a department twice")
    for entry in card["departments"]:
        specs = [column["spec"] for column in entry["columns"]]
        require(len({spec["name"] for spec in specs}) == len(specs), 18, "a column twice")
        for spec in specs:
            require(set(spec) == set(COLUMNS.get(spec["kind"], "").split()), 18, "specification")
            edges = spec.get("edges", [])
            require(edges == sorted(set(edges)), 18, "edges")
    return card


def _thumbprint(x: str) -> str:
    """RFC 7638, of an Ed25519 key."""
    members = f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'
    return _b64(hashlib.sha256(members.encode()).digest())


# Paillier (docs/wire.md, section 8).


def _key_id(registration: dict[str, Any], bank: str) -> str:
    try:
        modulus = _unb64(json.loads(registration["key"])["n"])
    except (ValueError, KeyError) as error:
        raise Refused(23, "form of key or proof") from error
    n = int.from_bytes(modulus, "big")
    require(n.bit_length() in (2048, 3072, 4096) and n % 4 == 1, 23, "modulus")
    _blum(n, registration["proof"], bank)
    label = b"consentgate/paillier/public-key/v1\0"
    return _sha256(label + n.bit_length().to_bytes(4, "big") + n.to_bytes(n.bit_length() // 8, "big"))


@cache
def _blum(n: int, text: str, bank: str) -> None:
    """All fourth powers; of the n-th powers, which are slow, every sixteenth."""
    proof = _object(text.encode(), 23)
    require(set(proof) == {"type", "w", "x", "z", "a", "b"}, 23, "proof")
    lists = [proof[name] for name in "xzab"]
    require(all(len(entries) == 128 for entries in lists), 23, "rounds")
    w, length = int(proof["w"], 16), n.bit_length() // 8
    require(0 < w < n and _jacobi(w, n) == -1, 23, "w")
    fields = [n.to_bytes(length, "big"), bank.encode(), w.to_bytes(length, "big")]
    prefix = b"consentgate/paillier/blum-proof/v1\0"
    prefix += b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    for index, (x, z, a, b) in enumerate(zip(*lists, strict=True)):
        state = hashlib.shake_256(prefix + index.to_bytes(4, "big"))
        y = int.from_bytes(state.digest((n.bit_length() + 128) // 8), "big") % n
        require(pow(int(x, 16), 4, n) == (-1) ** a * w**b * y % n, 23, "fourth root")
        require(index % 16 or pow(int(z, 16), n, n) == y, 23, "n-th root")


def _jacobi(a: int, n: int) -> int:
    sign, a = 1, a % n
    while a:
        while a % 2 == 0:
            a //= 2
            sign = -sign if n % 8 in (3, 5) else sign
        a, n = n, a
        sign = -sign if a % 4 == n % 4 == 3 else sign
        a %= n
    return sign if n == 1 else 0


# Bytes.


def _ed25519(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _object(data: bytes, row: int) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        require(len(dict(pairs)) == len(pairs), row, "a name twice")
        return dict(pairs)

    try:
        value = json.loads(data.decode(), object_pairs_hook=unique)
    except ValueError as error:
        raise Refused(row, "not JSON") from error
    require(isinstance(value, dict), row, "not an object")
    return value


def _canonical(data: bytes, row: int) -> dict[str, Any]:
    value = _object(data, row)
    again = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    require(again == data, row, "not canonical")
    return value


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _b64(data) != text:
        raise ValueError("not canonical base64url")
    return data


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _seconds(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp()


# Files (docs/wire.md, section 14).


def read_anchors(good: Path) -> dict[str, Any]:
    """`anchors.toml` with what it refers to. Of policies only what this one uses: one log, one group."""
    anchors = tomllib.loads((good / "anchors.toml").read_text())
    anchors["ca"] = x509.load_pem_x509_certificate((good / anchors["member_ca"]).read_bytes())
    lines = [line.split() for line in (good / anchors["ledger_policy"]).read_text().splitlines() if line]
    witnesses = {line[1]: line[2] for line in lines if line[0] == "witness"}
    group = next(line for line in lines if line[0] == "group")
    anchors["policy"] = {
        "log": next(line[1] for line in lines if line[0] == "log"),
        "witnesses": [witnesses[name] for name in group[3:]],
        "threshold": int(group[2]),
    }
    return anchors


def read_parts(folder: Path, good: Path) -> dict[str, bytes]:
    """The parts of a case; what it does not have is as in the good one."""
    return {name: (folder if (folder / name).exists() else good).joinpath(name).read_bytes() for name in BUNDLE.split()}


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0])
    manifest = json.loads((folder / "manifest.json").read_text())
    anchors = read_anchors(folder / "good")
    verify(read_parts(folder / "good", folder / "good"), anchors, manifest["good"]["now"])
    print("good: accepted")
    for case in manifest["defects"]:
        try:
            verify(read_parts(folder / case["folder"], folder / "good"), anchors, case["now"])
        except Refused as refusal:
            print(f"{case['name']}: {refusal}")
        else:
            print(f"{case['name']}: ACCEPTED")


if __name__ == "__main__":
    main(sys.argv[1:])
