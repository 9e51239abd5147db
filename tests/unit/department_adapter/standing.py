"""A state database that has learned what stands on the ledger before an honest question."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from consentgate import canonical
from consentgate.database import Database
from consentgate.evidence import EvidenceBundle, ReleaseOrder
from department_adapter.projection import (
    ApprovalHead,
    ConsentFact,
    ConsentState,
    DecisionFact,
    Projection,
    RegisteredKey,
    Touched,
)
from department_adapter.state import tail
from tests.support.federation import Federation


@dataclass(frozen=True)
class Standing:
    """What the ledger taught about one order; `learn` writes it."""

    order: ReleaseOrder
    consent: ConsentFact
    approval: ApprovalHead
    key: RegisteredKey

    @classmethod
    def of(cls, federation: Federation, bundle: EvidenceBundle | None = None) -> Standing:
        """As an honest ledger has it."""
        bundle = bundle or federation.honest
        order = federation.order(bundle)
        return cls(
            order,
            ConsentFact(order.consent.version, canonical.digest(bundle.consent_jws), ConsentState.ACTIVE),
            ApprovalHead(order.approval.sequence, order.approval_digest),
            RegisteredKey(order.bank.id, order.recipient_key.key_id),
        )

    def changed(self, **consent: object) -> Standing:
        """The same with other facts about the consent."""
        return replace(self, consent=replace(self.consent, **consent))  # type: ignore[arg-type]

    def learn(self, state: Database, *, decision_stands: bool = False) -> None:
        """Writes everything; where wanted also that the decision stands at its index."""
        decision = self.order.decision
        decisions = {decision.index: DecisionFact(self.order.leaf_hash, decision.entry.ts)}
        facts = Projection(
            {self.order.consent.consent_id: self.consent},
            {self.order.approval.group: self.approval},
            frozenset({self.key}),
            decisions if decision_stands else {},
        )
        wanted = Touched(frozenset(facts.consents), frozenset(facts.approvals))

        def write(session: Session) -> None:
            tail.save_facts(session, tail.load_facts(session, wanted), facts, "0000")

        state.transact(write)
