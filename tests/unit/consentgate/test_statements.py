"""Statements: closed, strict, bounded; the error names the claim and never its value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stdnum.cn import uscc

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.signing import unverified_payload
from consentgate.statements import (
    Claims,
    CompanyAttestationClaims,
    ConsentClaims,
    ConsentTransitionClaims,
    FeatureAnswerClaims,
    KeyRegistrationClaims,
    ScorecardApprovalClaims,
    ScoreRequestClaims,
    StatementKind,
)
from tests.support.federation import Federation, company_code, hex16, person

MODELS: dict[str, type[Claims]] = {
    "request": ScoreRequestClaims,
    "consent": ConsentClaims,
    "transition": ConsentTransitionClaims,
    "attestation": CompanyAttestationClaims,
    "approval": ScorecardApprovalClaims,
    "registration": KeyRegistrationClaims,
    "answer": FeatureAnswerClaims,
}

HEX16 = ["", "0" * 31, "0" * 33, "0" * 31 + "G", "A" * 32, "0" * 32 + "\n", 1, None, True]
HEX32 = ["", "0" * 63, "0" * 65, "F" * 64, "0" * 64 + "\n", 1]
IDENTIFIER = ["", ".a", "-a", "A", "a b", "a/b", "é", "a" * 65, "a\n", 1, ["a"]]
SPIFFE = [
    "",
    "bank-a",
    "https://x.test/bank/a",
    "spiffe://x.test/bank",
    "spiffe://x.test/bank/A",
    "spiffe://x.test/bank/a\n",
]
SECONDS = [-1, 253402300800, "1", 1.0, True, None, 10**30]
PERIOD = ["2026", "2026-00", "2026-13", "2026-1", "26-01", "2026-01-01", "2026-01\n", 202601]
COMPANY = ["", company_code(1)[:-1], company_code(1)[:-1] + "I", company_code(1).lower(), " " + company_code(1), 1]
COUNT = [0, -1, 1_000_001, "1", True, 1.0]

BAD: dict[str, dict[str, list[Any]]] = {
    "request": {
        "iss": SPIFFE,
        "request_id": HEX16,
        "company": COMPANY,
        "scorecard": HEX32,
        "purpose": IDENTIFIER,
        "use": ["MATCH", "PROFILE", "score", "", 1],
        "key_id": HEX32,
        "custody": ["quorum", "RECIPIENT", "", 1],
        "as_of": PERIOD,
        "iat": SECONDS,
        "aud": ["a" * 401, 1, ["x"]],
    },
    "consent": {
        "company": COMPANY,
        "consent_id": HEX16,
        "version": COUNT,
        "subject": HEX16,
        "group": IDENTIFIER,
        "grantee": SPIFFE,
        "purpose": IDENTIFIER,
        "use": ["ALL", "score", 1],
        "categories": [[], ["A"], ["a"] * 257, "a", None, {}],
        "valid_from": SECONDS,
        "valid_until": SECONDS,
        "frequency": [
            {},
            {"count": 1},
            {"count": 0, "per": "DAY"},
            {"count": "1", "per": "DAY"},
            {"count": 1, "per": "WEEK"},
            {"count": 1, "per": "DAY", "zz": 1},
            1,
        ],
        "total_uses": COUNT,
        "data_range": [
            {},
            {"first": "2026-01"},
            {"first": "2026-01", "last": "2026-13"},
            {"first": "2026-01", "last": "2026-02", "zz": 1},
        ],
        "data_life_days": [-1, 36501, "1", True],
        "nonce": HEX16,
    },
    "transition": {
        "company": COMPANY,
        "consent_id": HEX16,
        "version": COUNT,
        "action": ["", "pause", "EXPIRE", 1],
        "nonce": HEX16,
    },
    "attestation": {
        "iss": SPIFFE,
        "company": COMPANY,
        "entity": HEX16,
        "threshold": [0, 17, "1", True],
        "signatories": [
            [],
            [{"person": hex16("a")}],
            [{"person": "x", "jwk": person("a").jwk.model_dump()}],
            [{"person": hex16("a"), "jwk": {"kty": "EC", "crv": "P-256", "x": "A" * 43}}],
            [{"person": hex16("a"), "jwk": {**person("a").jwk.model_dump(), "d": "A" * 43}}],
            [{"person": hex16("a"), "jwk": {**person("a").jwk.model_dump(), "x": "A" * 42}}],
            [{"person": hex16("a"), "jwk": {**person("a").jwk.model_dump(), "x": "A" * 42 + "="}}],
            "x",
        ],
        "valid_from": SECONDS,
        "valid_until": SECONDS,
    },
    "approval": {
        "group": IDENTIFIER,
        "members": [[], ["x"], ["spiffe://x.test/bank/a"] * 257],
        "sequence": COUNT,
        "previous": HEX32,
        "action": ["approve", "", 1],
        "scorecard": HEX32,
        "scorecards": [
            [],
            [{"id": "0" * 64}],
            [{"id": "0" * 64, "state": "pending"}],
            [{"id": "x", "state": "approved"}],
            [{"id": "0" * 64, "state": "approved", "zz": 1}],
        ],
        "report": HEX32,
    },
    "registration": {
        "iss": SPIFFE,
        "key_id": HEX32,
        "key": ["x" * 4097, 1, {"n": "x"}],
        "proof": ["x" * 900_001, 1, {}],
    },
    "answer": {
        "iss": SPIFFE,
        "leaf": HEX32,
        "subject": HEX16,
        "columns": [[], ["A"], ["a"] * 4097, "a"],
        "widths": [[], [0], [4097], ["1"], [True], [1] * 4097],
        "slots": [0, 2, "1", True, None],
        "key_id": HEX32,
        "as_of": PERIOD,
        "ciphertexts": HEX32,
    },
}
CASES = [(kind, claim, value) for kind, claims in BAD.items() for claim, values in claims.items() for value in values]


@pytest.fixture(scope="module")
def honest(federation: Federation) -> dict[str, dict[str, Any]]:
    """One good statement of each kind, as JSON."""
    order = federation.order()
    token, _ = federation.answer("tax", order)
    claims: dict[str, Claims] = {
        "request": federation.request_claims(),
        "consent": federation.consent_claims(),
        "transition": federation.transition_claims("PAUSE"),
        "attestation": federation.attestation_claims(),
        "approval": federation.approval_claims(),
        "registration": federation.registration_claims(),
        "answer": FeatureAnswerClaims.parse(unverified_payload(token, "answer"), "answer"),
    }
    return {kind: json.loads(found.payload()) for kind, found in claims.items()}


def _refused(kind: str, payload: bytes) -> ConsentgateError:
    with pytest.raises(ConsentgateError) as caught:
        MODELS[kind].parse(payload, "part")
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT_FIELD
    return caught.value


def _raw(claims: dict[str, Any]) -> bytes:
    return json.dumps(claims).encode()


def test_every_claim_of_every_kind_has_bad_values():
    for kind, model in MODELS.items():
        assert set(BAD[kind]) | {"aud", "iat"} == set(model.model_fields)


@pytest.mark.parametrize("kind", MODELS)
def test_good_statement_reads_back(honest: dict[str, dict[str, Any]], kind: str):
    payload = canonical.encode(honest[kind])
    assert MODELS[kind].parse(payload, "part").payload() == payload


@pytest.mark.parametrize(("kind", "claim", "value"), CASES, ids=lambda part: str(part)[:24])
def test_bad_value_is_refused_by_name(honest: dict[str, dict[str, Any]], kind: str, claim: str, value: Any):
    error = _refused(kind, _raw({**honest[kind], claim: value}))
    # A value that is no JSON of ours (null, a fraction) names the part; a rule over several claims names none of them.
    assert error.field in ("part", f"part.{claim}") or str(error.field).startswith(f"part.{claim}.")


@pytest.mark.parametrize("kind", MODELS)
def test_every_claim_is_required_and_none_may_be_added(honest: dict[str, dict[str, Any]], kind: str):
    for claim in honest[kind]:
        rest = {name: value for name, value in honest[kind].items() if name != claim}
        assert _refused(kind, _raw(rest)).field == f"part.{claim}"
    assert _refused(kind, _raw({**honest[kind], "exp": 1})).field == "part.exp"


@pytest.mark.parametrize("kind", MODELS)
def test_a_claim_named_twice_is_refused(honest: dict[str, dict[str, Any]], kind: str):
    _refused(kind, _raw(honest[kind])[:-1] + b',"iat":1}')


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"{", b"\xff", b'"x"'])
def test_what_is_no_object(payload: bytes):
    for kind in MODELS:
        _refused(kind, payload)


@pytest.mark.parametrize("stem", ["A1110000400000000", "N2110000MF0000000", "Y1350100M00000001", "91350100M00000001"])
def test_company_codes_of_every_registering_authority(honest: dict[str, dict[str, Any]], stem: str):
    """GB 32100-2015, table 1: the first character may be a letter."""
    code = stem + uscc.calc_check_digit(stem)
    assert ScoreRequestClaims.parse(_raw({**honest["request"], "company": code}), "part").company == code


def test_errors_hold_no_value(honest: dict[str, dict[str, Any]]):
    code = company_code(7)[:-1] + "0"
    for kind in ("request", "consent", "attestation"):
        error = _refused(kind, _raw({**honest[kind], "company": code}))
        assert code not in f"{error} {error!r} {error.private}"
        assert error.__cause__ is None
        assert error.__suppress_context__


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("consent", {"valid_from": 5, "valid_until": 5}),
        ("consent", {"data_range": {"first": "2026-02", "last": "2026-01"}}),
        ("attestation", {"threshold": 4}),
        ("approval", {"scorecards": [{"id": "0" * 64, "state": "approved"}]}),
        ("approval", {"action": "RETIRE"}),
    ],
    ids=["no moment", "no period", "unreachable threshold", "set without the scorecard", "state of another action"],
)
def test_claims_that_contradict_each_other(honest: dict[str, dict[str, Any]], kind: str, changes: dict[str, Any]):
    _refused(kind, _raw({**honest[kind], **changes}))


def test_shortest_consent(honest: dict[str, dict[str, Any]]):
    """One second, one period."""
    shortest = {"valid_from": 5, "valid_until": 6, "data_range": {"first": "2026-01", "last": "2026-01"}}
    assert ConsentClaims.parse(_raw({**honest["consent"], **shortest}), "part").valid_until == 6


def test_threshold_counts_persons_not_keys(honest: dict[str, dict[str, Any]]):
    one = hex16("one person")
    signatories = [{"person": one, "jwk": person(f"key {index}").jwk.model_dump()} for index in range(2)]
    _refused("attestation", _raw({**honest["attestation"], "signatories": signatories, "threshold": 2}))
    CompanyAttestationClaims.parse(_raw({**honest["attestation"], "signatories": signatories, "threshold": 1}), "part")


def test_no_key_for_two_persons(honest: dict[str, dict[str, Any]]):
    key = person("shared").jwk.model_dump()
    signatories = [{"person": hex16(label), "jwk": key} for label in ("one", "two")]
    _refused("attestation", _raw({**honest["attestation"], "signatories": signatories, "threshold": 1}))


def test_judged_set_names_no_id_twice(honest: dict[str, dict[str, Any]]):
    judged = honest["approval"]["scorecards"] * 2
    _refused("approval", _raw({**honest["approval"], "scorecards": judged}))


def test_approved_is_what_may_be_asked_for(honest: dict[str, dict[str, Any]]):
    judged = [*honest["approval"]["scorecards"], {"id": "1" * 64, "state": "retired"}]
    claims = ScorecardApprovalClaims.parse(_raw({**honest["approval"], "scorecards": judged}), "part")
    assert claims.approved() == {honest["approval"]["scorecard"]}


def test_statements_are_frozen(federation: Federation):
    claims: Any = federation.consent_claims()
    with pytest.raises(ValueError, match="frozen"):
        claims.version = 2


def test_kinds_are_told_apart():
    assert len({kind.typ for kind in StatementKind} | {kind.audience("a.test") for kind in StatementKind}) == 18
    assert StatementKind.CONSENT.audience("a.test") != StatementKind.CONSENT.audience("b.test")
