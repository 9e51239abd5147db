"""Steps 8 and 10: check what the departments sent; record what is released before anybody can open it.

Ciphertext columns are held in memory only, until the score is computed. Outputs and departments' signed answers are
stored for `ANSWER_LIFE`, so that a retry gets the same answer; whichever process stores one first wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from consentgate import answer
from consentgate.anchors import Anchors
from consentgate.answer import VerifiedAnswer
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import ReleaseOrder
from consentgate.scorecard import HeaderDepartment
from gateway.decision import release_key
from gateway.departments import Absence, DepartmentAnswer
from gateway.store import records, requests
from gateway.store.requests import StoredAnswer
from paillier import wire
from paillier.errors import PaillierError

ANSWER_LIFE = timedelta(hours=24)
"""How long a score's ciphertext and the answers' signatures are kept for retries (design 1, "Custody")."""


@dataclass(frozen=True)
class CheckedAnswers:
    """Answers that may be computed on, in the header's order, and the departments accounted for as missing."""

    verified: tuple[VerifiedAnswer, ...]
    tokens: tuple[bytes, ...]
    ciphertexts: Mapping[str, bytes]
    missing: tuple[str, ...]


def check_answers(
    order: ReleaseOrder, received: Mapping[str, DepartmentAnswer | Absence], anchors: Anchors
) -> CheckedAnswers:
    """Raises DEPARTMENT_UNAVAILABLE naming a department whose silence the header does not allow for, and the error of
    the first answer that is not what the order asked of that department.
    """
    verified: list[VerifiedAnswer] = []
    tokens: list[bytes] = []
    ciphertexts: dict[str, bytes] = {}
    missing: list[str] = []
    for department in order.header.departments:
        result = received[department.id]
        if isinstance(result, DepartmentAnswer):
            verified.append(_check_one(order, department, result, anchors))
            tokens.append(result.answer_jws)
            ciphertexts[department.id] = result.ciphertexts
        elif department.missing == "encode":
            missing.append(department.id)
        else:
            raise ConsentgateError(ErrorCode.DEPARTMENT_UNAVAILABLE, field=department.id, private=result.code)
    if not verified:
        raise ConsentgateError(ErrorCode.DEPARTMENT_UNAVAILABLE, field=missing[0], private="all are missing")
    return CheckedAnswers(tuple(verified), tuple(tokens), ciphertexts, tuple(missing))


def _check_one(
    order: ReleaseOrder, department: HeaderDepartment, received: DepartmentAnswer, anchors: Anchors
) -> VerifiedAnswer:
    try:
        verified = answer.verify_answer(received.answer_jws, order, anchors)
        answer.check_ciphertexts(verified, received.ciphertexts)
        if verified.department != department.id:
            raise ConsentgateError(ErrorCode.ANSWER_MISMATCH, field="answer_jws.iss")
        wire.split(received.ciphertexts, order.recipient_key, sum(department.widths()))
    except ConsentgateError as error:
        raise _of(department, error.code, error.field or "answer_jws", error.private) from error
    except PaillierError as error:
        raise _of(department, ErrorCode.ANSWER_CIPHERTEXT, "ciphertexts", type(error).__name__) from error
    return verified


def _of(department: HeaderDepartment, code: ErrorCode, part: str, private: str | None) -> ConsentgateError:
    """The error with the department's name: whoever reads it must know whom to ask."""
    return ConsentgateError(
        code, field=f"{department.id}: {part}", private=private, extra={"department": department.id}
    )


async def store_output(
    database: Database,
    request_row_id: int,
    order: ReleaseOrder,
    checked: CheckedAnswers,
    output: bytes,
    now: datetime,
) -> StoredAnswer:
    """The stored output with its intended release; the one another process stored before, if there is one."""

    def write(session: Session) -> StoredAnswer:
        known = requests.answer_of(session, request_row_id)
        if known is not None:
            return known
        body = answer.release_body(order, checked.verified, checked.missing, output)
        key = release_key(order.bank, order.request.request_id)
        record = records.intend(session, key, "query.release", body, now)
        requests.add_answer(session, request_row_id, output, checked.tokens, record, now + ANSWER_LIFE)
        return StoredAnswer(output, checked.tokens, key, None)

    return await database.run(write)
