"""Forged headers and approvals: somebody asks for more than the reviewers judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from consentgate import canonical
from consentgate.errors import ErrorCode as Code
from consentgate.evidence import EvidenceBundle
from consentgate.signing import PersonSigner
from consentgate.statements import StatementKind
from paillier.columns import BinnedColumn
from tests.support.federation import Federation
from tests.support.forgeries.form import Forgery
from tests.support.sample_scorecard import SCORECARD as HONEST
from tests.support.sample_scorecard import small_scorecard

Build = Callable[[Federation], EvidenceBundle]
EXTRA = BinnedColumn("arrears", 2, (0, 100))


def _with_extra_column() -> bytes:
    header = HONEST.header.model_dump(mode="json")
    header["departments"][0]["columns"].append({"category": "tax.declarations", "spec": EXTRA.to_json()})
    return canonical.encode(header)


def _asked_for(header: bytes, *, approved: bool = False) -> Build:
    """The bank itself signs a request for this header; `approved`: the reviewers did, too."""

    def build(f: Federation) -> EvidenceBundle:
        scorecard = canonical.digest(header)
        judged = [{"id": scorecard, "state": "approved"}]
        claims = f.approval_claims(scorecard=scorecard, scorecards=judged)
        return f.bundle(
            header=header,
            request=f.sign_request(f.request_claims(scorecard=scorecard)),
            approval=f.sign_approval(claims) if approved else None,
            body={"scorecard": scorecard},
        )

    return build


def _altered(**changes: Any) -> bytes:
    return canonical.encode(HONEST.header.model_dump(mode="json") | changes)


def _department(**changes: Any) -> bytes:
    header = HONEST.header.model_dump(mode="json")
    header["departments"][0] |= changes
    return canonical.encode(header)


def _spec(**changes: Any) -> bytes:
    header = HONEST.header.model_dump(mode="json")
    header["departments"][0]["columns"][0]["spec"] |= changes
    return canonical.encode(header)


def _approved_by(choose: Callable[[Federation], Sequence[PersonSigner]]) -> Build:
    return lambda f: f.bundle(approval=f.sign_approval(signers=choose(f)))


def _approving(**changes: object) -> Build:
    return lambda f: f.bundle(approval=f.sign_approval(f.approval_claims(**changes)))


def _reviewers(f: Federation, *numbers: int) -> list[PersonSigner]:
    return [f.reviewers[f"reviewer-{number}"] for number in numbers]


def _retired(f: Federation) -> EvidenceBundle:
    judged = [{"id": f.scorecard.header.id, "state": "retired"}]
    claims = f.approval_claims(action="RETIRE", sequence=2, previous="1" * 64, scorecards=judged)
    return f.bundle(approval=f.sign_approval(claims))


def _of_other_scorecard(f: Federation) -> EvidenceBundle:
    other = small_scorecard(name="other").header.id
    return _approving(scorecard=other, scorecards=[{"id": other, "state": "approved"}])(f)


def _approval_swapped(f: Federation) -> EvidenceBundle:
    """A second genuine link of the chain, which the leaf does not name."""
    claims = f.approval_claims(sequence=2, previous=canonical.digest(f.sign_approval()))
    return replace(f.honest, approval_jws=f.sign_approval(claims))


def _category_of_other_department() -> bytes:
    header = HONEST.header.model_dump(mode="json")
    header["departments"][0]["columns"][0]["category"] = "courts.enforcement"
    return canonical.encode(header)


SCORECARD = (
    Forgery(
        "header with extra column",
        Code.SCORECARD_HEADER,
        lambda f: f.bundle(header=_with_extra_column()),
        "scorecard_header",
    ),
    Forgery(
        "header with extra column asked for by bank",
        Code.SCORECARD_NOT_APPROVED,
        _asked_for(_with_extra_column()),
    ),
    Forgery(
        "header without a column",
        Code.SCORECARD_HEADER,
        lambda f: f.bundle(
            header=_department(columns=HONEST.header.model_dump(mode="json")["departments"][0]["columns"][:1])
        ),
    ),
    Forgery(
        "header of other scorecard",
        Code.SCORECARD_HEADER,
        lambda f: f.bundle(header=small_scorecard(name="other").header.encode()),
    ),
    Forgery(
        "header with other silence rule",
        Code.SCORECARD_HEADER,
        lambda f: f.bundle(header=small_scorecard(missing="encode").header.encode()),
    ),
    Forgery("header truncated", Code.SCORECARD_HEADER, lambda f: f.bundle(header=HONEST.header.encode()[:-1])),
    Forgery(
        "header not canonical",
        Code.INVALID_ARGUMENT_FIELD,
        _asked_for(HONEST.header.encode() + b"\n", approved=True),
        "scorecard_header",
    ),
    Forgery(
        "header name twice",
        Code.INVALID_ARGUMENT_FIELD,
        _asked_for(HONEST.header.encode()[:-1] + b',"v":1}', approved=True),
        "scorecard_header",
    ),
    Forgery(
        "header member unknown",
        Code.INVALID_ARGUMENT_FIELD,
        _asked_for(_altered(zz=1), approved=True),
        "scorecard_header.zz",
    ),
    Forgery(
        "header version unknown",
        Code.INVALID_ARGUMENT_FIELD,
        _asked_for(_altered(v=2), approved=True),
        "scorecard_header.v",
    ),
    Forgery(
        "header version a truth value",
        Code.INVALID_ARGUMENT_FIELD,
        _asked_for(_altered(v=True), approved=True),
        "scorecard_header.v",
    ),
    Forgery(
        "header custody unknown",
        Code.INVALID_ARGUMENT_FIELD,
        _asked_for(_altered(custody="escrow"), approved=True),
        "scorecard_header.custody",
    ),
    Forgery(
        "header for other use",
        Code.CONSENT_SCOPE,
        _asked_for(_altered(use="PROFILE"), approved=True),
        "scorecard_header.use",
    ),
    Forgery(
        "header department twice",
        Code.SCORECARD_INVALID,
        _asked_for(_altered(departments=[HONEST.header.model_dump(mode="json")["departments"][0]] * 2), approved=True),
        "scorecard_header.departments",
    ),
    Forgery(
        "header column twice",
        Code.SCORECARD_INVALID,
        _asked_for(
            _department(columns=[HONEST.header.model_dump(mode="json")["departments"][0]["columns"][0]] * 2),
            approved=True,
        ),
    ),
    Forgery(
        "header column edges unordered",
        Code.SCORECARD_INVALID,
        _asked_for(_spec(edges=[3, 2]), approved=True),
    ),
    Forgery("header column member unknown", Code.SCORECARD_INVALID, _asked_for(_spec(zz=1), approved=True)),
    Forgery(
        "header category outside consent",
        Code.CONSENT_SCOPE,
        _asked_for(_category_of_other_department(), approved=True),
        "consent_jws.categories",
    ),
    # Approvals.
    Forgery(
        "approval signed by single reviewer",
        Code.APPROVAL_SIGNATURE,
        _approved_by(lambda f: _reviewers(f, 1)),
    ),
    Forgery(
        "approval signed by one reviewer twice",
        Code.APPROVAL_SIGNATURE,
        _approved_by(lambda f: _reviewers(f, 1, 1)),
    ),
    Forgery(
        "approval signed by reviewer and gateway",
        Code.APPROVAL_SIGNATURE,
        _approved_by(lambda f: [*_reviewers(f, 1), PersonSigner(f.gateway.signer.key)]),
    ),
    Forgery(
        "approval signed by reviewer and company",
        Code.APPROVAL_SIGNATURE,
        _approved_by(lambda f: [*_reviewers(f, 1), f.company.signers[0]]),
    ),
    Forgery(
        "approval signed by two reviewers and a stranger",
        Code.APPROVAL_SIGNATURE,
        _approved_by(lambda f: [*_reviewers(f, 1, 2), f.company.signers[0]]),
    ),
    Forgery("approval signed by registry", Code.APPROVAL_SIGNATURE, _approved_by(lambda f: [f.registry_key] * 2)),
    Forgery(
        "approval signed by bank",
        Code.APPROVAL_SIGNATURE,
        lambda f: f.bundle(approval=f.bank_a.signer.sign(StatementKind.SCORECARD_APPROVAL, f.approval_claims())),
    ),
    Forgery("approval truncated", Code.APPROVAL_SIGNATURE, lambda f: f.bundle(approval=f.sign_approval()[:-1])),
    Forgery(
        "approval aud of other federation",
        Code.APPROVAL_SIGNATURE,
        _approving(aud=StatementKind.SCORECARD_APPROVAL.audience("neighbour.test")),
        "approval_jws.aud",
    ),
    Forgery(
        "approval for other group",
        Code.SCORECARD_NOT_APPROVED,
        _approving(group="group-b"),
        "approval_jws.group",
    ),
    Forgery(
        "approval for group without this bank",
        Code.SCORECARD_NOT_APPROVED,
        lambda f: _approving(members=[str(f.bank_b.identity)])(f),
        "approval_jws.group",
    ),
    Forgery(
        "approval of other scorecard",
        Code.SCORECARD_NOT_APPROVED,
        _of_other_scorecard,
        "approval_jws.scorecards",
    ),
    Forgery("approval retired", Code.SCORECARD_NOT_APPROVED, _retired, "approval_jws.scorecards"),
    Forgery("approval swapped", Code.RECEIPT_MISMATCH, _approval_swapped, "decision.leaf.approval"),
)
