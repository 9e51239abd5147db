"""Legal access: Cedar policies decide whether an institution may use a category for a purpose (design 4).

Policies and schema are files, parsed once and validated at load: an unknown attribute, a wrong type, an unguarded
optional, a missing `@id` or `@basis` or a duplicate `@id` refuses the start. A `forbid` whose condition errors is
skipped by Cedar, therefore:
    any entry in `diagnostics.errors` is a DENY; `NoDecision` is a DENY; whatever no policy permits is a DENY;
    an institution or a category that the bundle does not know is a DENY, before Cedar is asked.
A scorecard is allowed only when every one of its categories is. The bundle digest (policies, schema, categories,
institutions) stands in every decision, so that it can be run again.

Cedar's default deny names no policy. `Policy.explain` finds which single fact, changed alone, would turn the verdict.
Left out: purpose templates, `policy matrix|diff`, replay from the ledger (later issue).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import cedarpy

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import ConsentClaims
from gateway.policy_bundle import PolicyBasis, PolicyBundle

SCORE_ACTION = "score"
"""The Cedar action of a score request."""
SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class ConsentFacts:
    """What policies may know of a consent."""

    active: bool
    purpose: str
    use: str
    categories: frozenset[str]
    validity_days: int

    @classmethod
    def of(cls, consent: ConsentClaims, active: bool) -> ConsentFacts:
        """Facts of a consent; `active` as the store knows it."""
        return cls(
            active=active,
            purpose=consent.purpose,
            use=consent.use.value,
            categories=frozenset(consent.categories),
            validity_days=(consent.valid_until - consent.valid_from) // SECONDS_PER_DAY,
        )


@dataclass(frozen=True)
class Question:
    """May `institution` have `action` done on `categories`?"""

    institution: str
    action: str
    categories: tuple[str, ...]
    purpose: str
    custody: str
    consent: ConsentFacts
    at: datetime


@dataclass(frozen=True)
class Ruling:
    """Cedar's answer: whether every category is allowed, and the policies that decided, by `@id`, sorted.

    `errored` when a policy could not be evaluated, which denies whatever the others say.
    """

    allowed: bool
    rules: tuple[str, ...]
    denied_categories: tuple[str, ...]
    errored: bool

    def check(self) -> None:
        """Raises POLICY_DENIED, or POLICY_ERROR, naming the first category that is not allowed."""
        if not self.allowed:
            code = ErrorCode.POLICY_ERROR if self.errored else ErrorCode.POLICY_DENIED
            raise ConsentgateError(code, field=f"scorecard_header.categories.{self.denied_categories[0]}")


@dataclass(frozen=True)
class _Verdict:
    """Cedar's answer for one category."""

    allowed: bool
    rules: frozenset[str]
    errored: bool


@dataclass(frozen=True)
class Change:
    """A single fact that, changed alone, would turn a deny into an allow."""

    fact: str
    hint: str


class Policy:
    """Decides questions over one immutable bundle. Safe to call from any thread."""

    def __init__(self, bundle: PolicyBundle) -> None:
        self._bundle = bundle

    @property
    def digest(self) -> str:
        """Digest of the whole bundle, 64 hex digits."""
        return self._bundle.digest

    def knows_category(self, category: str) -> bool:
        """Whether the bundle has this category of data."""
        return category in self._bundle.categories

    def knows_purpose(self, purpose: str) -> bool:
        """Whether any policy speaks of this purpose; unknown purposes are denied."""
        return purpose in self._bundle.purposes

    def department_of(self, category: str) -> str | None:
        """The department that holds a category; None when the bundle does not know it."""
        known = self._bundle.categories.get(category)
        return None if known is None else known.department

    def basis(self, rules: Sequence[str]) -> list[PolicyBasis]:
        """The policies with these ids, with the article each stands on."""
        return [self._bundle.basis[rule] for rule in rules]

    def decide(self, question: Question) -> Ruling:
        """The ruling on `question`; never raises for what a question can contain."""
        if not question.categories:
            return Ruling(False, (), ("none",), errored=False)
        rules: set[str] = set()
        denied, errored = [], False
        for category in question.categories:
            verdict = self._decide_one(question, category)
            rules |= verdict.rules
            errored |= verdict.errored
            if not verdict.allowed:
                denied.append(category)
        return Ruling(not denied, tuple(sorted(rules)), tuple(denied), errored)

    def _decide_one(self, question: Question, category: str) -> _Verdict:
        if question.institution not in self._bundle.institutions or category not in self._bundle.categories:
            return _Verdict(allowed=False, rules=frozenset(), errored=False)
        request = {
            "principal": {"type": "Institution", "id": question.institution},
            "action": {"type": "Action", "id": question.action},
            "resource": {"type": "Category", "id": category},
            "context": _context(question, category),
        }
        result = cedarpy.is_authorized(request, self._bundle.policies, self._bundle.entities, self._bundle.schema)
        # A forbid that could not be evaluated would otherwise look like an allow.
        errored = bool(result.diagnostics.errors) or result.decision is cedarpy.Decision.NoDecision
        return _Verdict(
            allowed=not errored and result.decision is cedarpy.Decision.Allow,
            rules=frozenset(result.diagnostics.id_annotations_by_reason.values()),
            errored=errored,
        )

    def explain(self, question: Question) -> list[Change]:
        """Every single fact whose change alone would allow what is denied now."""
        if self.decide(question).allowed:
            return []
        changes = [change for change, altered in self._single_changes(question) if self.decide(altered).allowed]
        return changes + self._institution_changes(question)

    def _single_changes(self, question: Question) -> list[tuple[Change, Question]]:
        consent = question.consent
        altered = [
            (
                Change("consent.active", "The company would have to make the consent active again."),
                replace(question, consent=replace(consent, active=True)),
            ),
            (
                Change("consent.categories", "The company would have to consent to every category asked for."),
                replace(question, consent=replace(consent, categories=consent.categories | {*question.categories})),
            ),
            (
                Change("consent.validity_days", "The company would have to consent for a shorter time."),
                replace(question, consent=replace(consent, validity_days=1)),
            ),
            (
                Change("custody", "The bank would have to ask for an answer in quorum custody."),
                replace(question, custody="quorum"),
            ),
        ]
        for purpose in sorted(self._bundle.purposes - {question.purpose}):
            hint = f"The purpose would have to be {purpose}, in the request and in the consent."
            changed = replace(question, purpose=purpose, consent=replace(consent, purpose=purpose))
            altered.append((Change("purpose", hint), changed))
        return altered

    def _institution_changes(self, question: Question) -> list[Change]:
        """As `_single_changes`, for facts that live in the institution's entity rather than in the question."""
        changes = []
        for institution, change in self._bundle.altered_institutions(question.institution):
            if Policy(self._bundle.with_institution(question.institution, institution)).decide(question).allowed:
                changes.append(Change(change[0], change[1]))
        return changes


def _context(question: Question, category: str) -> Mapping[str, object]:
    return {
        "purpose": question.purpose,
        "custody": question.custody,
        "time": int(question.at.timestamp()),
        "consent": {
            "active": question.consent.active,
            "purpose": question.consent.purpose,
            "use": question.consent.use,
            "covers": category in question.consent.categories,
            "validity_days": question.consent.validity_days,
        },
    }
