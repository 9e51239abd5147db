"""A department's signed answer, and the release that binds all answers to the output.

The department signs *what* it released (columns, layout, key, period, digest of the ciphertexts) for *which*
decision leaf; gateway, bank and auditor verify it with the same function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from consentgate import canonical, signing
from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import ReleaseOrder
from consentgate.identity import Role, SpiffeId
from consentgate.statements import FeatureAnswerClaims, StatementKind
from ledger.errors import LedgerError
from ledger.receipt import Receipt
from ledger.verify import VerifiedLeaf, verify_receipt


@dataclass(frozen=True)
class VerifiedAnswer:
    """An answer whose signature and bindings hold."""

    department: str
    digest: str
    claims: FeatureAnswerClaims


def sign_answer(
    order: ReleaseOrder, signer: signing.InstitutionSigner, ciphertexts: bytes, issued_at: datetime
) -> bytes:
    """The department's JWS over what it releases for `order`."""
    department = order.header.department(signer.identity.id)
    claims = FeatureAnswerClaims(
        aud=StatementKind.FEATURE_ANSWER.audience(signer.identity.trust_domain),
        iat=int(issued_at.timestamp()),
        iss=str(signer.identity),
        leaf=order.leaf_hash,
        subject=order.subject,
        columns=department.names(),
        widths=department.widths(),
        slots=1,
        key_id=order.recipient_key.key_id,
        as_of=order.request.as_of,
        ciphertexts=canonical.digest(ciphertexts),
    )
    return signer.sign(StatementKind.FEATURE_ANSWER, claims)


def verify_answer(token: bytes, order: ReleaseOrder, anchors: Anchors) -> VerifiedAnswer:
    """Signature and every binding of an answer to `order`; raises ANSWER_SIGNATURE or ANSWER_MISMATCH with
    the field.
    """
    payload, signer = signing.verify_institution(
        token, StatementKind.FEATURE_ANSWER, anchors.member_ca, order.decided_at, ErrorCode.ANSWER_SIGNATURE
    )
    claims = FeatureAnswerClaims.parse(payload, "answer_jws")
    if signer.role is not Role.DEPARTMENT or signer.trust_domain != anchors.trust_domain or str(signer) != claims.iss:
        raise ConsentgateError(ErrorCode.ANSWER_SIGNATURE, field="answer_jws.iss")
    _check_bindings(claims, signer, order, anchors)
    return VerifiedAnswer(signer.id, canonical.digest(token), claims)


def check_ciphertexts(answer: VerifiedAnswer, ciphertexts: bytes) -> None:
    """The ciphertexts are the ones the department signed."""
    if canonical.digest(ciphertexts) != answer.claims.ciphertexts:
        raise ConsentgateError(ErrorCode.ANSWER_MISMATCH, field="answer_jws.ciphertexts")


def _check_bindings(claims: FeatureAnswerClaims, signer: SpiffeId, order: ReleaseOrder, anchors: Anchors) -> None:
    department = next((entry for entry in order.header.departments if entry.id == signer.id), None)
    if department is None:
        raise ConsentgateError(ErrorCode.ANSWER_MISMATCH, field="answer_jws.iss")
    expected = {
        "aud": StatementKind.FEATURE_ANSWER.audience(anchors.trust_domain),
        "leaf": order.leaf_hash,
        "subject": order.subject,
        "columns": department.names(),
        "widths": department.widths(),
        "key_id": order.recipient_key.key_id,
        "as_of": order.request.as_of,
    }
    for name, value in expected.items():
        if getattr(claims, name) != value:
            raise ConsentgateError(ErrorCode.ANSWER_MISMATCH, field=f"answer_jws.{name}")


def release_body(
    order: ReleaseOrder, answers: Sequence[VerifiedAnswer], missing: Sequence[str], output: bytes
) -> dict[str, object]:
    """Body of the `query.release` leaf: digests of all answers and of the output."""
    return {
        "decision": order.leaf_hash,
        "request_id": order.request.request_id,
        "institution": order.bank.id,
        "subject": order.subject,
        "answers": [{"department": answer.department, "digest": answer.digest} for answer in answers],
        "missing": list(missing),
        "output": canonical.digest(output),
    }


def verify_release(
    receipt: Receipt, order: ReleaseOrder, answer_tokens: Sequence[bytes], output: bytes, anchors: Anchors
) -> VerifiedLeaf:
    """The ledger recorded exactly these answers and this output for this decision, witnessed.

    Departments left out must be declared `missing` in the leaf and `encode` in the header. Raises
    RELEASE_MISMATCH, RECEIPT_INVALID.
    """
    try:
        leaf = verify_receipt(receipt, anchors.log_policy)
    except LedgerError as error:
        raise ConsentgateError(ErrorCode.RECEIPT_INVALID, field="release") from error
    answers = [verify_answer(token, order, anchors) for token in answer_tokens]
    answered = [answer.department for answer in answers]
    missing = [entry.id for entry in order.header.departments if entry.id not in answered]
    if any(order.header.department(name).missing != "encode" for name in missing):
        raise ConsentgateError(ErrorCode.RELEASE_MISMATCH, field="release.missing")
    if answered != [entry.id for entry in order.header.departments if entry.id in answered]:
        raise ConsentgateError(ErrorCode.RELEASE_MISMATCH, field="release.answers")
    if leaf.entry.kind != "query.release" or leaf.entry.body != release_body(order, answers, missing, output):
        raise ConsentgateError(ErrorCode.RELEASE_MISMATCH, field="release.leaf")
    return leaf
