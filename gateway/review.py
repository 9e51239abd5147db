"""Reviewing a scorecard offline: what two reviewers read, recompute, sign and join (design 4, "Scorecards").

    package = ReviewPackage.parse(Path("review.json").read_bytes())
    package.check(anchors)                          # recomputes the disclosure report; raises
    signature = sign(package, signer, anchors)      # one per reviewer, on machines of their own
    approval = combine([signature, other], anchors)

A package holds every scorecard of the group's judged set with its weights, so a reviewer's own machine judges the set
and trusts no report of the gateway: a gateway that shows one report and judges by another is found out here. What
is signed is fixed in the package, byte for byte, since signatures can only be joined over the same bytes.

A reviewer cannot see from a package whether `previous` is the group's newest link; a wrong one fits no chain, and is
refused by the gateway and by every department. Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consentgate import canonical, evidence, signing
from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.scorecard import Scorecard, ScorecardHeader, ScorecardWeights
from consentgate.signing import PersonSigner
from consentgate.statements import ScorecardApprovalClaims, StatementKind
from gateway.disclosure import DisclosureReport, Group, judge
from ledger.entry import ZERO_HASH

Action = Literal["APPROVE", "RETIRE"]
STATES: Mapping[Action, str] = {"APPROVE": "approved", "RETIRE": "retired"}


class _Parts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    header: dict[str, Any]
    weights: dict[str, Any]


class _Package(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1]
    claims: dict[str, Any]
    report: dict[str, Any]
    scorecards: Annotated[list[_Parts], Field(min_length=1, max_length=1000)]


@dataclass(frozen=True)
class ReviewPackage:
    """The statement to be signed, the report it names, and the whole judged set."""

    claims: ScorecardApprovalClaims
    report: Mapping[str, Any]
    scorecards: tuple[Scorecard, ...]

    @classmethod
    def parse(cls, data: bytes) -> ReviewPackage:
        """A package as it was written; raises INVALID_ARGUMENT_FIELD or SCORECARD_* naming the part at fault."""
        try:
            content = _Package.model_validate(canonical.parse(data, "review"))
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=f"review.{where}") from None
        claims = ScorecardApprovalClaims.parse(canonical.encode(content.claims), "review.claims")
        return cls(claims, content.report, tuple(_scorecard(parts) for parts in content.scorecards))

    def encode(self) -> bytes:
        """Canonical JSON, for a file."""
        return canonical.encode(
            {
                "v": 1,
                "claims": canonical.parse(self.claims.payload(), "claims"),
                "report": self.report,
                "scorecards": [
                    {
                        "header": canonical.parse(scorecard.header.encode(), "header"),
                        "weights": canonical.parse(scorecard.weights.encode(), "weights"),
                    }
                    for scorecard in self.scorecards
                ],
            }
        )

    @property
    def subject(self) -> Scorecard:
        """The scorecard that the statement is about; raises SCORECARD_NOT_FOUND when the package lacks it."""
        for scorecard in self.scorecards:
            if scorecard.header.id == self.claims.scorecard:
                return scorecard
        raise ConsentgateError(ErrorCode.SCORECARD_NOT_FOUND, field="review.scorecards")

    def check(self, anchors: Anchors) -> DisclosureReport:
        """Everything that a reviewer can verify alone; the report as computed here.

        Raises APPROVAL_CHAIN, DISCLOSURE_MISMATCH, or, for an approval, DISCLOSURE_REFUSED.
        """
        if self.claims.aud != StatementKind.SCORECARD_APPROVAL.audience(anchors.trust_domain):
            raise ConsentgateError(ErrorCode.APPROVAL_SIGNATURE, field="review.claims.aud")
        self._check_chain()
        report = self._judged_again()
        if report.digest != self.claims.report or report.encode() != canonical.encode(self.report):
            raise ConsentgateError(ErrorCode.DISCLOSURE_MISMATCH, field="review.report")
        if self.claims.action == "APPROVE":
            report.check()
        return report

    def _check_chain(self) -> None:
        """The statement changes the judged set of the report in the one named scorecard, and nothing else."""
        before = {str(entry["id"]): str(entry["state"]) for entry in self._listed("judged")}
        wanted = {**before, self.claims.scorecard: STATES[self.claims.action]}
        if {judged.id: judged.state for judged in self.claims.scorecards} != wanted:
            raise ConsentgateError(ErrorCode.APPROVAL_CHAIN, field="review.claims.scorecards")
        if {scorecard.header.id for scorecard in self.scorecards} != set(wanted):
            raise ConsentgateError(ErrorCode.APPROVAL_CHAIN, field="review.scorecards")
        first = self.claims.sequence == 1
        if first != (self.claims.previous == ZERO_HASH) or first != (not before):
            raise ConsentgateError(ErrorCode.APPROVAL_CHAIN, field="review.claims.previous")
        if not first and self.claims.members != self.report.get("members"):
            raise ConsentgateError(ErrorCode.APPROVAL_CHAIN, field="review.claims.members")

    def _judged_again(self) -> DisclosureReport:
        minimum = self.report.get("minimum_departments")
        if not isinstance(minimum, int):
            raise ConsentgateError(ErrorCode.DISCLOSURE_MISMATCH, field="review.report.minimum_departments")
        members = [str(member) for member in self.report.get("members", ())]
        return judge(Group(self.claims.group, members, self._listed("judged")), self.scorecards, minimum)

    def _listed(self, name: str) -> list[Mapping[str, object]]:
        entries = self.report.get(name)
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict) and set(entry) == {"id", "state"} for entry in entries
        ):
            raise ConsentgateError(ErrorCode.DISCLOSURE_MISMATCH, field=f"review.report.{name}")
        return entries


@dataclass(frozen=True)
class Fetched:
    """What the gateway says about a group's judged set with one more scorecard."""

    report: bytes
    previous: str
    next_sequence: int
    scorecards: tuple[Scorecard, ...]


def prepare(
    fetched: Fetched,
    scorecard: str,
    action: Action,
    members: Sequence[str],
    anchors: Anchors,
    now: datetime,
) -> ReviewPackage:
    """The package for one decision; `members` only for a group's first link, later ones repeat the members before."""
    report = canonical.parse(fetched.report, "report")
    judged = {str(entry["id"]): str(entry["state"]) for entry in _entries(report)}
    judged[scorecard] = STATES[action]
    claims = {
        "aud": StatementKind.SCORECARD_APPROVAL.audience(anchors.trust_domain),
        "iat": int(now.timestamp()),
        "group": report["group"],
        "members": list(members) or report["members"],
        "sequence": fetched.next_sequence,
        "previous": fetched.previous,
        "action": action,
        "scorecard": scorecard,
        "scorecards": [{"id": name, "state": state} for name, state in judged.items()],
        "report": canonical.digest(fetched.report),
    }
    parsed = ScorecardApprovalClaims.parse(canonical.encode(claims), "approval")
    return ReviewPackage(parsed, report, fetched.scorecards)


def sign(package: ReviewPackage, signer: PersonSigner, anchors: Anchors) -> bytes:
    """One reviewer's signature, after the package was checked; raises APPROVAL_SIGNATURE for a key nobody anchors."""
    if signer.jwk not in anchors.reviewers.values():
        raise ConsentgateError(
            ErrorCode.APPROVAL_SIGNATURE,
            field="key",
            hint="The anchors hold no reviewer with this key: nobody would count the signature.",
        )
    package.check(anchors)
    return signing.signature_of(StatementKind.SCORECARD_APPROVAL, package.claims.payload(), signer)


def combine(signatures: Sequence[bytes], anchors: Anchors) -> tuple[bytes, ScorecardApprovalClaims]:
    """The approval statement, and what it says; raises APPROVAL_SIGNATURE unless enough reviewers signed the same."""
    try:
        token = signing.join_signatures([signature.strip() for signature in signatures])
    except (ValueError, UnicodeDecodeError) as error:
        raise ConsentgateError(ErrorCode.APPROVAL_SIGNATURE, field="signatures") from error
    return token, evidence.verify_approval(token, anchors)


def _scorecard(parts: _Parts) -> Scorecard:
    header = ScorecardHeader.parse(canonical.encode(parts.header), "review.scorecards.header")
    weights = ScorecardWeights.parse(canonical.encode(parts.weights), "review.scorecards.weights")
    return Scorecard(header, weights)


def _entries(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries: list[Mapping[str, Any]] = report["judged"]
    return entries
