"""`CompanyClient`: grant a consent, end it, see who used it.

    with CompanyClient.from_config("company.toml") as company:
        leaf = company.grant(terms)
        for access in company.accesses():
            print(access.at, access.institution, access.purpose, access.verdict)

Statements are checked here as the departments will check them (signatures, mandate, form) before they are sent, and a
success is believed when the ledger's receipt for exactly this statement verifies. Calls are not repeated by
themselves: a transition is not idempotent, and whoever revokes should see that it failed.

Left out: matching (a later issue).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import grpc

from company_client.accesses import Access, verify_accesses
from company_client.completeness import CompleteAccesses, check_complete
from company_client.config import CompanyConfig
from company_client.connection import connect
from company_client.consents import ConsentTerms, ConsentVersion, Draft, consent_claims, transition_claims
from company_client.tokens import TokenStore
from consentgate import canonical, evidence
from consentgate.anchors import Anchors
from consentgate.convert import history_from_message, receipt_from_message
from consentgate.error_status import from_rpc_error
from consentgate.errors import AnswerRefused, ConsentgateError, ErrorCode, judging_answer
from consentgate.history import VerifiedHistory, verify_history
from consentgate.signing import PersonSigner
from consentgate.statements import (
    CompanyAttestationClaims,
    ConsentClaims,
    ConsentTransitionClaims,
    StatementKind,
    TransitionAction,
)
from consentgate.v1 import consent_pb2, evidence_pb2, features_pb2
from consentgate.v1.consent_pb2_grpc import ConsentServiceStub
from consentgate.v1.features_pb2_grpc import HistoryServiceStub, RevocationServiceStub
from ledger.errors import LedgerError
from ledger.verify import VerifiedLeaf, verify_receipt

CALL_DEADLINE_SECONDS = 30.0
"""seconds for one call; a grant waits for the ledger's witnesses, usually far below a second."""
CONSENT_PAGE = 200
"""Consents fetched per call."""
ACCESS_PAGE = 200
"""Ledger entries fetched per call; the wire's bound."""
WATCH_PAUSE_SECONDS = 2.0
"""seconds between two looks when watching."""

_LEAF_KINDS = {
    TransitionAction.PAUSE: "consent.paused",
    TransitionAction.RESUME: "consent.resumed",
    TransitionAction.REVOKE: "consent.revoked",
}
_NO_TOKENS = (
    "There is no token here, so nothing can be said of its entries: the company never consented, or the file is lost."
    " Restore it from its backup."
)
_STATE_PREFIX = "CONSENT_STATE_"

Request = TypeVar("Request")
Reply = TypeVar("Reply")


@dataclass(frozen=True)
class ConsentRecord:
    """One of the company's consents as the gateway tells it: a convenience, while the receipts are the proof."""

    consent_id: str
    version: int
    state: str
    grantee: str
    purpose: str
    categories: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime
    uses: int
    subject: str


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


class CompanyClient:
    """A company's connection to the gateway; close it, or use it as a context."""

    def __init__(
        self,
        config: CompanyConfig,
        anchors: Anchors,
        channel: grpc.Channel,
        clock: Callable[[], datetime] = utc_now,
        *,
        allow_development_ca: bool = False,
    ) -> None:
        self.config = config
        self.anchors = anchors
        self._allow_development_ca = allow_development_ca
        self.tokens = TokenStore(config.tokens)
        self._clock = clock
        self._channel = channel
        self._consents = ConsentServiceStub(channel)

    @classmethod
    def from_config(cls, path: str | Path, *, allow_development_ca: bool = False) -> Self:
        """A client for `company.toml`; raises CONFIG_INVALID, CERTIFICATE_*, DEVELOPMENT_CA."""
        config = CompanyConfig.load(Path(path))
        anchors, gateway = Anchors.load(config.anchors), config.gateway
        channel = connect(config, anchors, gateway.address, gateway.peer, allow_development_ca=allow_development_ca)
        return cls(config, anchors, channel, allow_development_ca=allow_development_ca)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    # What to sign.

    def draft_consent(self, terms: ConsentTerms, supersedes: ConsentVersion | None = None) -> Draft:
        """A consent signed by the persons of the configuration; others may add their signatures."""
        subject = self.tokens.token_for(terms.group)
        claims = consent_claims(
            terms, self.config.company, subject, self.anchors.trust_domain, self._clock(), supersedes
        )
        return Draft.begin(StatementKind.CONSENT, claims, self._signers())

    def newest_version(self, consent_id: str) -> ConsentVersion:
        """The newest version that was signed with this token store; raises INVALID_ARGUMENT_FIELD if none was."""
        known = self.tokens.version_of(consent_id)
        if known is None:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="version")
        return ConsentVersion(consent_id, known)

    def draft_transition(self, action: TransitionAction, consent_id: str, version: int | None = None) -> Draft:
        """A pause, resumption or revocation; `version` defaults to the newest one this company signed."""
        wanted = self.newest_version(consent_id).version if version is None else version
        claims = transition_claims(
            action, consent_id, wanted, self.config.company, self.anchors.trust_domain, self._clock()
        )
        return Draft.begin(StatementKind.CONSENT_TRANSITION, claims, self._signers())

    # What to send.

    def grant(self, terms: ConsentTerms, supersedes: ConsentVersion | None = None) -> VerifiedLeaf:
        """Signs and grants; raises CONSENT_SIGNATURE when the mandate asks for more persons than sign here."""
        return self.submit(self.draft_consent(terms, supersedes))

    def pause(self, consent_id: str, version: int | None = None) -> VerifiedLeaf:
        """ACTIVE → PAUSED."""
        return self.submit(self.draft_transition(TransitionAction.PAUSE, consent_id, version))

    def resume(self, consent_id: str, version: int | None = None) -> VerifiedLeaf:
        """PAUSED → ACTIVE."""
        return self.submit(self.draft_transition(TransitionAction.RESUME, consent_id, version))

    def revoke(self, consent_id: str, version: int | None = None) -> VerifiedLeaf:
        """Ends the consent for ever."""
        return self.submit(self.draft_transition(TransitionAction.REVOKE, consent_id, version))

    def submit(self, draft: Draft) -> VerifiedLeaf:
        """Sends a statement that enough persons signed; returns the verified leaf that records it."""
        token, claims = self._checked(draft)
        if isinstance(claims, ConsentClaims):
            # Before it is sent: a token or consent that the ledger knows must never be one that we forgot.
            self.tokens.remember(claims.consent_id, claims.version, claims.group, claims.subject)
            message = consent_pb2.GrantConsentRequest(consent_jws=token, attestation_jws=self._attestation_bytes())
            receipt = self._call(self._consents.GrantConsent, message).receipt
            return self._recorded(receipt, "consent.granted", claims, token)
        return self._submit_transition(claims, token)

    def revoke_at_department(self, address: str, peer: str, consent_id: str, version: int | None = None) -> None:
        """Hands a revocation to one department, which honours it at once; needs neither gateway nor ledger.

        `peer` is the department's SPIFFE id: what answers at `address` must prove to be it.
        """
        self.submit_to_department(address, peer, self.draft_transition(TransitionAction.REVOKE, consent_id, version))

    def submit_to_department(self, address: str, peer: str, draft: Draft) -> None:
        """Hands a revocation or pause that enough persons signed to one department."""
        token, claims = self._checked(draft)
        if isinstance(claims, ConsentClaims) or claims.action is TransitionAction.RESUME:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="action")
        allowed = self._allow_development_ca
        with connect(self.config, self.anchors, address, peer, allow_development_ca=allowed) as channel:
            message = features_pb2.SubmitRevocationRequest(
                transition_jws=token, attestation_jws=self._attestation_bytes()
            )
            self._call(RevocationServiceStub(channel).SubmitRevocation, message)

    # What there is.

    def list_consents(self) -> list[ConsentRecord]:
        """The company's consents, newest first."""
        found: list[ConsentRecord] = []
        token = ""
        while True:
            request = consent_pb2.ListConsentsRequest(page_size=CONSENT_PAGE, page_token=token)
            reply = self._call(self._consents.ListConsents, request)
            found += [record_from_message(message) for message in reply.consents]
            token = reply.next_page_token
            if not token or not reply.consents:
                return found

    def accesses(self, after_seq: int | None = None) -> list[Access]:
        """Every entry about this company after `after_seq` (default: all), each verified, oldest first."""
        groups = self.tokens.groups()
        found: list[Access] = []
        last = -1 if after_seq is None else after_seq
        while True:
            request = consent_pb2.ListAccessesRequest(
                after_seq=max(last, 0), from_start=last < 0, page_size=ACCESS_PAGE
            )
            reply = self._call(self._consents.ListAccesses, request)
            receipts = [receipt_from_message(message) for message in reply.entries]
            page = verify_accesses(receipts, self.anchors, groups, last)
            if not page:
                return found
            found += page
            last = page[-1].seq

    def complete_accesses(self, ask: Mapping[str, str] | None = None) -> CompleteAccesses:
        """Every entry about this company, and which departments vouch that there is no other.

        The gateway passes the question on, one token at a time. `ask` maps department ids to addresses that are asked
        directly instead: that needs no gateway, but those departments learn which tokens belong together. Raises
        HISTORY_INVALID, HISTORY_MISMATCH, LEDGER_STALE, DEPARTMENT_UNAVAILABLE; CONFIG_INVALID without any token.
        """
        groups = self.tokens.groups()
        if not groups:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(self.config.tokens), hint=_NO_TOKENS)
        # Histories first: whatever a department saw, the gateway can find afterwards.
        histories = [stated for subject in groups for stated in self._histories(subject, ask)]
        return check_complete(self.accesses(), histories, groups)

    def _histories(self, subject: str, ask: Mapping[str, str] | None) -> list[VerifiedHistory]:
        if ask is not None:
            return [self._history_at(department, address, subject) for department, address in ask.items()]
        request = consent_pb2.ListSubjectHistoriesRequest(subject=subject)
        reply = self._call(self._consents.ListSubjectHistories, request)
        return [self._verified(message, subject) for message in reply.histories]

    def _history_at(self, department: str, address: str, subject: str) -> VerifiedHistory:
        peer = f"spiffe://{self.anchors.trust_domain}/department/{department}"
        allowed = self._allow_development_ca
        with connect(self.config, self.anchors, address, peer, allow_development_ca=allowed) as channel:
            request = features_pb2.GetSubjectHistoryRequest(subject=subject)
            reply = self._call(HistoryServiceStub(channel).GetSubjectHistory, request)
        stated = self._verified(reply.history, subject)
        if stated.department != department:
            raise AnswerRefused(ErrorCode.HISTORY_INVALID, field="history.iss")
        return stated

    def _verified(self, message: evidence_pb2.SubjectHistory, subject: str) -> VerifiedHistory:
        with judging_answer():
            return verify_history(history_from_message(message), subject, self.anchors, self._clock())

    def watch(self, after_seq: int | None = None, pause: Callable[[float], None] = time.sleep) -> Iterator[Access]:
        """Every access from now on as it is recorded, after all the earlier ones; never ends by itself."""
        last = after_seq
        while True:
            for access in self.accesses(last):
                last = access.seq
                yield access
            pause(WATCH_PAUSE_SECONDS)

    # How.

    def attestation(self) -> CompanyAttestationClaims:
        """What the registry says about this company now; raises ATTESTATION_SIGNATURE, ATTESTATION_EXPIRED."""
        attestation = evidence.verify_attestation(self._attestation_bytes(), self.anchors, self._clock())
        if attestation.company != self.config.company:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{self.config.attestation}: company")
        return attestation

    def _checked(self, draft: Draft) -> tuple[bytes, ConsentClaims | ConsentTransitionClaims]:
        """The statement as every department will check it: form, federation, company, enough signatories."""
        claims = draft.claims()
        if claims.company != self.config.company:
            raise ConsentgateError(ErrorCode.CONSENT_SIGNATURE, field="company")
        if claims.aud != draft.kind.audience(self.anchors.trust_domain):
            raise ConsentgateError(ErrorCode.CONSENT_SIGNATURE, field="aud")
        token = draft.statement()
        evidence.verify_by_company(token, draft.kind, self.attestation(), ErrorCode.CONSENT_SIGNATURE)
        return token, claims

    def _submit_transition(self, claims: ConsentTransitionClaims, token: bytes) -> VerifiedLeaf:
        receipt: evidence_pb2.Receipt
        if claims.action is TransitionAction.PAUSE:
            pause = consent_pb2.PauseConsentRequest(transition_jws=token)
            receipt = self._call(self._consents.PauseConsent, pause).receipt
        elif claims.action is TransitionAction.RESUME:
            resume = consent_pb2.ResumeConsentRequest(transition_jws=token)
            receipt = self._call(self._consents.ResumeConsent, resume).receipt
        else:
            revoke = consent_pb2.RevokeConsentRequest(transition_jws=token)
            receipt = self._call(self._consents.RevokeConsent, revoke).receipt
        return self._recorded(receipt, _LEAF_KINDS[claims.action], claims, token)

    def _recorded(
        self,
        receipt: evidence_pb2.Receipt,
        kind: str,
        claims: ConsentClaims | ConsentTransitionClaims,
        token: bytes,
    ) -> VerifiedLeaf:
        """The leaf that records exactly this statement; raises RECEIPT_INVALID or RECEIPT_MISMATCH."""
        try:
            leaf = verify_receipt(receipt_from_message(receipt), self.anchors.log_policy)
        except LedgerError as error:
            raise AnswerRefused(ErrorCode.RECEIPT_INVALID, field="receipt") from error
        expected = {
            "consent_id": claims.consent_id,
            "version": claims.version,
            "digest": canonical.digest(token),
        }
        if isinstance(claims, ConsentClaims):
            expected["subject"] = claims.subject
        if leaf.entry.kind != kind:
            raise AnswerRefused(ErrorCode.RECEIPT_MISMATCH, field="receipt.leaf.kind")
        for name, value in expected.items():
            if leaf.entry.body.get(name) != value:
                raise AnswerRefused(ErrorCode.RECEIPT_MISMATCH, field=f"receipt.leaf.{name}")
        return leaf

    def _signers(self) -> list[PersonSigner]:
        return [PersonSigner.load(path) for path in self.config.signatories]

    def _attestation_bytes(self) -> bytes:
        try:
            return self.config.attestation.read_bytes().strip()
        except OSError as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(self.config.attestation)) from error

    @staticmethod
    def _call(method: grpc.UnaryUnaryMultiCallable[Request, Reply], request: Request) -> Reply:
        try:
            return method(request, timeout=CALL_DEADLINE_SECONDS)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error


def record_from_message(message: consent_pb2.ConsentSummary) -> ConsentRecord:
    """One consent; a state this version does not know is `unspecified`, never `active`."""
    known = message.state in consent_pb2.ConsentState.values()
    name = consent_pb2.ConsentState.Name(message.state) if known else "CONSENT_STATE_UNSPECIFIED"
    return ConsentRecord(
        consent_id=message.consent_id,
        version=message.version,
        state=name.removeprefix(_STATE_PREFIX).lower(),
        grantee=message.grantee,
        purpose=message.purpose,
        categories=tuple(message.categories),
        valid_from=message.valid_from.ToDatetime(UTC),
        valid_until=message.valid_until.ToDatetime(UTC),
        uses=message.uses,
        subject=message.subject,
    )
