"""Answers of departments and the release leaf: each binding, and who may say it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from consentgate import answer as answers
from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import ReleaseOrder
from consentgate.signing import InstitutionSigner, unverified_payload
from consentgate.statements import FeatureAnswerClaims, StatementKind
from ledger.receipt import Receipt
from tests.support.federation import Federation, hex16, institution
from tests.support.sample_scorecard import small_scorecard

OUTPUT = b"stands for the score's ciphertext"


@pytest.fixture(scope="module")
def order(federation: Federation) -> ReleaseOrder:
    return federation.order()


@pytest.fixture(scope="module")
def honest(federation: Federation, order: ReleaseOrder) -> dict[str, tuple[bytes, bytes]]:
    return federation.answers(order)


def _refused(code: ErrorCode, *arguments: Any, verify: Any = answers.verify_answer) -> ConsentgateError:
    with pytest.raises(ConsentgateError) as caught:
        verify(*arguments)
    assert caught.value.code is code
    return caught.value


def _signed(token: bytes, signer: InstitutionSigner, **changes: Any) -> bytes:
    claims = {**canonical.parse(unverified_payload(token, "x"), "x"), **changes}
    return signer.sign(StatementKind.FEATURE_ANSWER, FeatureAnswerClaims.parse(canonical.encode(claims), "x"))


def test_answer_says_what_was_released(federation: Federation, order: ReleaseOrder, honest):
    token, ciphertexts = honest["tax"]
    verified = answers.verify_answer(token, order, federation.anchors)
    assert (verified.department, verified.digest) == ("tax", canonical.digest(token))
    assert verified.claims.columns == ["margin", "turnover"]
    assert verified.claims.widths == [5, 2]
    answers.check_ciphertexts(verified, ciphertexts)


def test_other_ciphertexts_than_signed(federation: Federation, order: ReleaseOrder, honest):
    verified = answers.verify_answer(honest["tax"][0], order, federation.anchors)
    for ciphertexts in (b"", honest["tax"][1][:-1], honest["customs"][1]):
        error = _refused(ErrorCode.ANSWER_MISMATCH, verified, ciphertexts, verify=answers.check_ciphertexts)
        assert error.field == "answer_jws.ciphertexts"


BINDINGS: dict[str, Any] = {
    "aud": StatementKind.FEATURE_ANSWER.audience("neighbour.test"),
    "leaf": "0" * 64,
    "subject": hex16("other subject"),
    "columns": ["turnover", "margin"],
    "widths": [2, 5],
    "key_id": "0" * 64,
    "as_of": "2026-09",
}


@pytest.mark.parametrize(("claim", "value"), BINDINGS.items())
def test_each_binding(federation: Federation, order: ReleaseOrder, honest, claim: str, value: Any):
    token = _signed(honest["tax"][0], federation.departments["tax"].signer, **{claim: value})
    assert _refused(ErrorCode.ANSWER_MISMATCH, token, order, federation.anchors).field == f"answer_jws.{claim}"


def test_answer_to_another_decision(federation: Federation, order: ReleaseOrder, honest):
    other = federation.order(federation.bundle())
    assert other.leaf_hash != order.leaf_hash
    assert _refused(ErrorCode.ANSWER_MISMATCH, honest["tax"][0], other, federation.anchors).field == "answer_jws.leaf"


def test_only_the_department_itself(federation: Federation, order: ReleaseOrder, honest):
    token = honest["tax"][0]
    signers = [
        federation.gateway.signer,
        federation.bank_a.signer,
        federation.departments["customs"].signer,
        institution(federation.ca, "ledger", "tax").signer,
        institution(federation.other_ca, "department", "tax").signer,
        institution(federation.ca, "department", "tax", not_after=federation.now - timedelta(hours=1)).signer,
    ]
    for signer in signers:
        _refused(ErrorCode.ANSWER_SIGNATURE, _signed(token, signer), order, federation.anchors)
    for name in ("gateway", "bank_a"):
        signer = getattr(federation, name).signer
        _refused(
            ErrorCode.ANSWER_SIGNATURE, _signed(token, signer, iss=str(signer.identity)), order, federation.anchors
        )


def test_department_that_was_not_asked(federation: Federation, order: ReleaseOrder, honest):
    signer = federation.departments["courts"].signer
    token = _signed(honest["tax"][0], signer, iss=str(signer.identity))
    assert _refused(ErrorCode.ANSWER_MISMATCH, token, order, federation.anchors).field == "answer_jws.iss"


def test_department_of_another_federation(federation: Federation, order: ReleaseOrder, honest):
    anchors = replace(federation.anchors, trust_domain="neighbour.test")
    _refused(ErrorCode.ANSWER_SIGNATURE, honest["tax"][0], order, anchors)


def test_a_department_signs_no_answer_for_columns_it_was_not_asked_for(federation: Federation, order: ReleaseOrder):
    signer = federation.departments["courts"].signer
    _refused(ErrorCode.COLUMN_NOT_RELEASABLE, order, signer, b"x", federation.now, verify=answers.sign_answer)


# Release.


def _release(federation: Federation, order: ReleaseOrder, tokens: list[bytes], output: bytes = OUTPUT, **leaf: Any):
    return federation.release(order, tokens, output, **leaf)


def _tokens(honest) -> list[bytes]:
    return [token for token, _ in honest.values()]


def _broken(federation: Federation, order: ReleaseOrder, receipt: Receipt, tokens: list[bytes], output: bytes = OUTPUT):
    return _refused(
        ErrorCode.RELEASE_MISMATCH, receipt, order, tokens, output, federation.anchors, verify=answers.verify_release
    )


def test_release_commits_to_answers_and_output(federation: Federation, order: ReleaseOrder, honest):
    receipt = _release(federation, order, _tokens(honest))
    leaf = answers.verify_release(receipt, order, _tokens(honest), OUTPUT, federation.anchors)
    assert leaf.entry.body["output"] == canonical.digest(OUTPUT)
    assert leaf.entry.body["decision"] == order.leaf_hash


def test_release_of_another_output(federation: Federation, order: ReleaseOrder, honest):
    receipt = _release(federation, order, _tokens(honest))
    assert _broken(federation, order, receipt, _tokens(honest), b"other").field == "release.leaf"


def test_release_of_other_answers(federation: Federation, order: ReleaseOrder, honest):
    """A second answer of the same department, or the answers in another order."""
    receipt = _release(federation, order, _tokens(honest))
    other = federation.answer("tax", order)[0]
    assert _broken(federation, order, receipt, [other, honest["customs"][0]]).field == "release.leaf"
    assert _broken(federation, order, receipt, _tokens(honest)[::-1]).field == "release.answers"
    assert _broken(federation, order, receipt, [honest["tax"][0]] * 2).field == "release.missing"


RELEASE_FIELDS: dict[str, Any] = {
    "decision": "0" * 64,
    "request_id": hex16("other"),
    "institution": "bank-b",
    "subject": hex16("other"),
    "missing": ["customs"],
    "output": "0" * 64,
    "answers": [],
}


@pytest.mark.parametrize(("name", "value"), RELEASE_FIELDS.items())
def test_each_field_of_the_release(federation: Federation, order: ReleaseOrder, honest, name: str, value: Any):
    receipt = _release(federation, order, _tokens(honest), body={name: value})
    assert _broken(federation, order, receipt, _tokens(honest)).field == "release.leaf"


def test_decision_is_no_release(federation: Federation, order: ReleaseOrder, honest):
    assert _broken(federation, order, federation.honest.decision, _tokens(honest)).field == "release.leaf"


def test_release_without_quorum_or_with_altered_leaf(federation: Federation, order: ReleaseOrder, honest):
    tokens = _tokens(honest)
    receipt = _release(federation, order, tokens)
    altered = Receipt(leaf=receipt.leaf.replace(b"bank-a", b"bank-b"), proof=receipt.proof)
    for bad in (_release(federation, order, tokens, witnesses=("tax", "customs")), altered, Receipt(b"{}", b"")):
        _refused(
            ErrorCode.RECEIPT_INVALID,
            bad,
            order,
            tokens,
            OUTPUT,
            federation.anchors,
            verify=answers.verify_release,
        )


def test_a_silent_department_must_be_declared_so(federation: Federation, order: ReleaseOrder, honest):
    """`missing: fail` in the header: no release without it, whatever the leaf says."""
    receipt = _release(federation, order, [honest["tax"][0]], missing=["customs"])
    assert _broken(federation, order, receipt, [honest["tax"][0]]).field == "release.missing"


def test_a_silent_department_that_may_be_missing():
    federation = Federation(scorecard=small_scorecard(missing="encode"))
    order = federation.order()
    tax = federation.answer("tax", order)[0]
    receipt = federation.release(order, [tax], OUTPUT, missing=["customs"])
    assert answers.verify_release(receipt, order, [tax], OUTPUT, federation.anchors).entry.kind == "query.release"
    hidden = federation.release(order, [tax], OUTPUT)
    assert _broken(federation, order, hidden, [tax]).field == "release.leaf"
    assert _broken(federation, order, receipt, []).field == "release.missing"
