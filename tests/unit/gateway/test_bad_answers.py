"""Step 8: whatever a department sends instead of its answer is refused, and the department is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from gmpy2 import mpz

from consentgate import canonical
from consentgate.answer import sign_answer
from consentgate.errors import ErrorCode
from consentgate.evidence import ReleaseOrder
from consentgate.signing import unverified_payload
from consentgate.statements import FeatureAnswerClaims, StatementKind
from gateway.departments import DepartmentAnswer
from tests.support.federation import Federation, Institution, encryptor
from tests.support.gateway_house import House
from tests.support.paillier_keys import TEST_2048_P, other_key_2048

Bad = Callable[[Federation, bytes, bytes], DepartmentAnswer]


def resigned(federation: Federation, jws: bytes, signer: Institution | None = None, **changes: object) -> bytes:
    """The answer with claims changed, signed by tax or by somebody else."""
    payload = canonical.parse(unverified_payload(jws, "answer"), "answer")
    claims = FeatureAnswerClaims.parse(canonical.encode({**payload, **changes}), "answer")
    return (signer or federation.departments["tax"]).signer.sign(StatementKind.FEATURE_ANSWER, claims)


def with_ciphertexts(federation: Federation, jws: bytes, data: bytes) -> DepartmentAnswer:
    """Other ciphertexts, honestly signed: the department itself lies."""
    return DepartmentAnswer(resigned(federation, jws, ciphertexts=canonical.digest(data)), data)


def first_replaced(data: bytes, value: int | mpz) -> bytes:
    """The first ciphertext replaced by a number."""
    return int(value).to_bytes(512, "big") + data[512:]


N = Federation().paillier_key.public.n

BAD: dict[str, tuple[Bad, ErrorCode, str]] = {
    "no statement": (
        lambda _f, _jws, data: DepartmentAnswer(b"no statement at all", data),
        ErrorCode.ANSWER_SIGNATURE,
        "tax: answer_jws",
    ),
    "signed by another department": (
        lambda f, jws, data: DepartmentAnswer(resigned(f, jws, f.departments["customs"]), data),
        ErrorCode.ANSWER_SIGNATURE,
        "tax: answer_jws.iss",
    ),
    "another department's honest answer": (
        lambda f, _jws, _data: DepartmentAnswer(*f.answer("customs", _last_order(f))),
        ErrorCode.ANSWER_MISMATCH,
        "tax: answer_jws.iss",
    ),
    "signed by a bank": (
        lambda f, jws, data: DepartmentAnswer(resigned(f, jws, f.bank_a, iss=str(f.bank_a.identity)), data),
        ErrorCode.ANSWER_SIGNATURE,
        "tax: answer_jws.iss",
    ),
    "a department outside the scorecard": (
        lambda f, jws, data: DepartmentAnswer(
            resigned(f, jws, f.departments["courts"], iss=str(f.departments["courts"].identity)), data
        ),
        ErrorCode.ANSWER_MISMATCH,
        "tax: answer_jws.iss",
    ),
    "another leaf": (
        lambda f, jws, data: DepartmentAnswer(resigned(f, jws, leaf="0" * 64), data),
        ErrorCode.ANSWER_MISMATCH,
        "tax: answer_jws.leaf",
    ),
    "another subject": (
        lambda f, jws, data: DepartmentAnswer(resigned(f, jws, subject="0" * 32), data),
        ErrorCode.ANSWER_MISMATCH,
        "tax: answer_jws.subject",
    ),
    "swapped columns": (
        lambda f, jws, data: DepartmentAnswer(resigned(f, jws, columns=["turnover", "margin"]), data),
        ErrorCode.ANSWER_MISMATCH,
        "tax: answer_jws.columns",
    ),
    "other widths": (
        lambda f, jws, data: DepartmentAnswer(resigned(f, jws, widths=[4, 3]), data),
        ErrorCode.ANSWER_MISMATCH,
        "tax: answer_jws.widths",
    ),
    "another key": (
        lambda f, jws, data: DepartmentAnswer(resigned(f, jws, key_id="0" * 64), data),
        ErrorCode.ANSWER_MISMATCH,
        "tax: answer_jws.key_id",
    ),
    "another period": (
        lambda f, jws, data: DepartmentAnswer(resigned(f, jws, as_of="2026-09"), data),
        ErrorCode.ANSWER_MISMATCH,
        "tax: answer_jws.as_of",
    ),
    "wrong digest": (
        lambda _f, jws, data: DepartmentAnswer(jws, data[512:] + data[:512]),
        ErrorCode.ANSWER_MISMATCH,
        "tax: answer_jws.ciphertexts",
    ),
    "one ciphertext too few": (
        lambda f, jws, data: with_ciphertexts(f, jws, data[512:]),
        ErrorCode.ANSWER_CIPHERTEXT,
        "tax: ciphertexts",
    ),
    "one ciphertext too many": (
        lambda f, jws, data: with_ciphertexts(f, jws, data + data[:512]),
        ErrorCode.ANSWER_CIPHERTEXT,
        "tax: ciphertexts",
    ),
    "half a byte short": (
        lambda f, jws, data: with_ciphertexts(f, jws, data[:-1]),
        ErrorCode.ANSWER_CIPHERTEXT,
        "tax: ciphertexts",
    ),
    "c = 0": (
        lambda f, jws, data: with_ciphertexts(f, jws, first_replaced(data, 0)),
        ErrorCode.ANSWER_CIPHERTEXT,
        "tax: ciphertexts",
    ),
    "c = n²": (
        lambda f, jws, data: with_ciphertexts(f, jws, first_replaced(data, N * N)),
        ErrorCode.ANSWER_CIPHERTEXT,
        "tax: ciphertexts",
    ),
    "c > n²": (
        lambda f, jws, data: with_ciphertexts(f, jws, first_replaced(data, N * N + 1)),
        ErrorCode.ANSWER_CIPHERTEXT,
        "tax: ciphertexts",
    ),
    "gcd(c, n) = p": (
        lambda f, jws, data: with_ciphertexts(f, jws, first_replaced(data, TEST_2048_P * 7)),
        ErrorCode.ANSWER_CIPHERTEXT,
        "tax: ciphertexts",
    ),
    "c = n": (
        lambda f, jws, data: with_ciphertexts(f, jws, first_replaced(data, N)),
        ErrorCode.ANSWER_CIPHERTEXT,
        "tax: ciphertexts",
    ),
}


def _last_order(federation: Federation) -> ReleaseOrder:
    """The order whose answer is asked for: the double verified it a moment ago."""
    found: ReleaseOrder = federation.__dict__["last_order"]
    return found


@pytest.fixture
def remembering(settled: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Remembers the order that departments answer."""
    honest = settled.federation.answer

    def answer(department: str, order: ReleaseOrder | None = None) -> tuple[bytes, bytes]:
        settled.federation.__dict__["last_order"] = order
        return honest(department, order)

    monkeypatch.setattr(settled.federation, "answer", answer)
    return settled


@pytest.mark.parametrize("name", BAD)
async def test_bad_answer_is_refused_and_its_department_named(remembering: House, name: str) -> None:
    bad, code, field = BAD[name]
    house, token = remembering, remembering.request()
    house.departments.spoil["tax"] = lambda jws, data: bad(house.federation, jws, data)
    error = await house.refused(token)
    assert (error.code, error.field, error.extra["department"]) == (code, field, "tax")
    assert house.ledger.entries("query.release") == []
    found = await house.stored()
    assert (found.step, found.reason, found.answer) == (7, str(code), None)
    # Nothing of it was kept: an honest answer within the decision's life still makes the score.
    house.departments.spoil.clear()
    answered = await house.score(token)
    assert house.open_score(answered) == house.federation.plaintext_score()


async def test_encryption_under_a_key_of_the_departments_own_choice(settled: House) -> None:
    """The order names the bank's key; a department that signs for another one is refused, whatever it encrypted."""

    def spoil(jws: bytes, _data: bytes) -> DepartmentAnswer:
        foreign = encryptor(other_key_2048().public.n).encrypt(settled.federation.positions("tax"))
        digest = canonical.digest(foreign)
        token = resigned(settled.federation, jws, ciphertexts=digest, key_id=other_key_2048().public.key_id)
        return DepartmentAnswer(token, foreign)

    settled.departments.spoil["tax"] = spoil
    error = await settled.refused()
    assert (error.code, error.field) == (ErrorCode.ANSWER_MISMATCH, "tax: answer_jws.key_id")


async def test_an_answer_to_an_earlier_decision_is_no_answer(settled: House) -> None:
    kept: list[DepartmentAnswer] = []

    def keep(jws: bytes, data: bytes) -> DepartmentAnswer:
        kept.append(DepartmentAnswer(jws, data))
        return kept[0]

    settled.departments.spoil["tax"] = keep
    await settled.score(settled.request("first"))
    error = await settled.refused(settled.request("second"))
    assert (error.code, error.field) == (ErrorCode.ANSWER_MISMATCH, "tax: answer_jws.leaf")


def test_the_double_signs_as_departments_do(settled: House) -> None:
    """The forgeries above differ from the honest statement in the named claim only."""
    order = settled.federation.order()
    token = sign_answer(order, settled.federation.departments["tax"].signer, b"data", settled.clock.now)
    assert unverified_payload(resigned(settled.federation, token), "a") == unverified_payload(token, "b")
