"""The order of verification that docs/wire.md 9.3 promises is the one that happens.

Every row of the table has a defect here. A bundle with one defect is refused with the row's code; a bundle with two is
refused with the code of the earlier row. That matters to strangers: an implementation that reports another code for
the same bytes is not a second verifier but a second opinion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from consentgate import canonical, evidence
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import Custody, StatementKind
from ledger.entry import format_time
from ledger.kinds import KINDS
from tests.support import wire_document
from tests.support.federation import Federation, hex16
from tests.support.forgeries import FORGERIES
from tests.support.paillier_keys import other_key_2048
from tests.support.sample_scorecard import small_scorecard

Defect = Callable[[Federation], dict[str, Any]]
"""Arguments of `Federation.bundle` that make one thing wrong."""

NO_FIELDS = dict.fromkeys({**KINDS["query.decision"].required, **KINDS["query.decision"].optional})
CATEGORIES_OF_ONE = ["tax.declarations"]


def _misspelt_header(f: Federation) -> dict[str, Any]:
    header = canonical.encode(f.scorecard.header.model_dump(mode="json") | {"zz": 1})
    return {"header": header, "request": f.sign_request(f.request_claims(scorecard=canonical.digest(header)))}


def _request(f: Federation, **changes: Any) -> dict[str, Any]:
    return {"request": f.sign_request(f.request_claims(**changes))}


def _attestation(f: Federation, **changes: Any) -> dict[str, Any]:
    return {"attestation": f.sign_attestation(f.attestation_claims(**changes))}


def _consent(f: Federation, **changes: Any) -> dict[str, Any]:
    return {"consent": f.sign_consent(f.consent_claims(**changes))}


def _registration(f: Federation, **changes: Any) -> dict[str, Any]:
    return {"registration": f.sign_registration(f.registration_claims(**changes))}


DEFECTS: Mapping[int, Defect] = {
    1: lambda _: {"log_signs": False},
    2: lambda _: {"witnesses": ()},
    3: lambda f: {"cosigned_at": f.now - timedelta(seconds=6)},
    4: lambda _: {"kind": "log.opened", "body": NO_FIELDS},
    5: lambda _: {"body": {"verdict": "deny"}},
    6: lambda f: {"request": f.sign_request()[:-1]},
    7: lambda f: {"request": f.sign_request(signer=f.gateway.signer)},
    8: lambda f: _request(f, aud=StatementKind.SCORE_REQUEST.audience("neighbour.test")),
    9: lambda f: _request(f, iat=f.seconds(minutes=-6)),
    10: lambda f: {"attestation": f.sign_attestation(signer=f.reviewers["reviewer-1"])},
    11: lambda f: _attestation(f, valid_until=f.seconds(seconds=-2)),
    12: lambda f: {"consent": f.sign_consent(signers=f.company.signers[:1])},
    13: lambda f: _consent(f, grantee=str(f.bank_b.identity)),
    14: lambda f: _consent(f, purpose="marketing"),
    15: lambda f: _consent(f, use="MATCH"),
    16: lambda f: _consent(f, valid_until=f.seconds(seconds=-1)),
    17: lambda _: {"header": small_scorecard(name="other").header.encode()},
    18: _misspelt_header,
    19: lambda f: _consent(f, categories=CATEGORIES_OF_ONE),
    20: lambda f: {"approval": f.sign_approval(signers=[f.reviewers["reviewer-1"]])},
    21: lambda f: {"approval": f.sign_approval(f.approval_claims(group="group-b"))},
    22: lambda f: {"registration": f.sign_registration(signer=f.gateway.signer)},
    23: lambda f: _registration(f, proof="{}"),
    24: lambda f: _registration(f, private=other_key_2048()),
    25: lambda _: {"body": {"subject": hex16("other subject")}},
    26: lambda f: {"decided_at": f.now + timedelta(seconds=6)},
    27: lambda f: {"body": {"not_after": format_time(f.now - timedelta(milliseconds=500))}},
}
DOCUMENTED = {int(row[0]): set(wire_document.names(row[-1])) for row in wire_document.rows("9.3")}


def test_every_row_has_a_defect():
    assert list(DEFECTS) == list(DOCUMENTED) == list(range(1, len(DEFECTS) + 1))


@pytest.mark.parametrize("number", DEFECTS)
def test_row_is_refused_with_its_code(federation: Federation, number: int):
    assert _code(federation, DEFECTS[number](federation)) in DOCUMENTED[number]


@pytest.mark.parametrize("number", DEFECTS)
def test_row_comes_before_every_later_one(federation: Federation, number: int):
    alone = _code(federation, DEFECTS[number](federation))
    for later in range(number + 1, len(DEFECTS) + 1):
        both = _merged(DEFECTS[number](federation), DEFECTS[later](federation))
        if both is not None:
            assert _code(federation, both) == alone, f"row {later} was found before row {number}"


def test_most_pairs_can_be_made(federation: Federation):
    """Else the test above would say little: two defects of one part exclude each other, others do not."""
    pairs = [(first, second) for first in DEFECTS for second in DEFECTS if first < second]
    made = [pair for pair in pairs if _merged(*(DEFECTS[number](federation) for number in pair)) is not None]
    assert len(made) > 0.8 * len(pairs)


def test_codes_of_all_forgeries_are_documented():
    documented = set().union(*DOCUMENTED.values()) | {ErrorCode.INVALID_ARGUMENT_FIELD}
    assert {forgery.code for forgery in FORGERIES} <= documented


def test_every_documented_code_has_a_forgery():
    """But for the custody: there is one only, so request and header cannot yet differ in it."""
    unreachable = {ErrorCode.CUSTODY_NOT_ALLOWED} if len(Custody) == 1 else set()
    assert set().union(*DOCUMENTED.values()) - unreachable <= {forgery.code for forgery in FORGERIES}


def _code(federation: Federation, arguments: dict[str, Any]) -> ErrorCode:
    with pytest.raises(ConsentgateError) as caught:
        evidence.verify(federation.bundle(**arguments), federation.anchors, federation.now)
    return caught.value.code


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any] | None:
    """Both defects in one bundle; None when they are defects of one part."""
    shared = first.keys() & second.keys()
    if shared - {"body"} or ("body" in shared and first["body"].keys() & second["body"].keys()):
        return None
    body = {**first.get("body", {}), **second.get("body", {})}
    return {**first, **second, **({"body": body} if body else {})}
