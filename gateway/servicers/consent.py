"""ConsentService (protos/consentgate/v1/consent.proto)."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from consentgate import convert
from consentgate.interceptors import Context, caller_of
from consentgate.v1 import consent_pb2, consent_pb2_grpc, evidence_pb2
from gateway.consent import ConsentState, Move
from gateway.consents import Consents, OwnConsent
from gateway.departments import HistoryPort
from gateway.servicers.paging import page_size, page_start, page_token
from ledger_service.client import LedgerPort

STATES = {
    ConsentState.ACTIVE: consent_pb2.CONSENT_STATE_ACTIVE,
    ConsentState.PAUSED: consent_pb2.CONSENT_STATE_PAUSED,
    ConsentState.REVOKED: consent_pb2.CONSENT_STATE_REVOKED,
    ConsentState.EXPIRED: consent_pb2.CONSENT_STATE_EXPIRED,
}


class ConsentServicer(consent_pb2_grpc.ConsentServiceServicer):
    """Companies grant, watch and end consents."""

    def __init__(self, consents: Consents, ledger: LedgerPort, departments: HistoryPort) -> None:
        self._consents = consents
        self._ledger = ledger
        self._departments = departments

    async def GrantConsent(  # noqa: N802 - the name is the RPC's
        self, request: consent_pb2.GrantConsentRequest, context: Context
    ) -> consent_pb2.GrantConsentResponse:
        """Recorded before it is acknowledged."""
        receipt = await self._consents.grant(request.consent_jws, request.attestation_jws, caller_of(context))
        return consent_pb2.GrantConsentResponse(receipt=convert.receipt_to_message(receipt))

    async def PauseConsent(  # noqa: N802
        self, request: consent_pb2.PauseConsentRequest, context: Context
    ) -> consent_pb2.PauseConsentResponse:
        """ACTIVE → PAUSED."""
        receipt = await self._move(request.transition_jws, Move.PAUSE, context)
        return consent_pb2.PauseConsentResponse(receipt=receipt)

    async def ResumeConsent(  # noqa: N802
        self, request: consent_pb2.ResumeConsentRequest, context: Context
    ) -> consent_pb2.ResumeConsentResponse:
        """PAUSED → ACTIVE."""
        receipt = await self._move(request.transition_jws, Move.RESUME, context)
        return consent_pb2.ResumeConsentResponse(receipt=receipt)

    async def RevokeConsent(  # noqa: N802
        self, request: consent_pb2.RevokeConsentRequest, context: Context
    ) -> consent_pb2.RevokeConsentResponse:
        """→ REVOKED, for ever."""
        receipt = await self._move(request.transition_jws, Move.REVOKE, context)
        return consent_pb2.RevokeConsentResponse(receipt=receipt)

    async def _move(self, transition_jws: bytes, move: Move, context: Context) -> evidence_pb2.Receipt:
        return convert.receipt_to_message(await self._consents.move(transition_jws, move, caller_of(context)))

    async def ListConsents(  # noqa: N802
        self, request: consent_pb2.ListConsentsRequest, context: Context
    ) -> consent_pb2.ListConsentsResponse:
        """The calling company's consents, newest first."""
        size = page_size(request.page_size)
        own = await self._consents.own(caller_of(context), page_start(request.page_token), size)
        return consent_pb2.ListConsentsResponse(
            consents=[_summary(entry) for entry in own],
            next_page_token=page_token([entry.consent.row_id for entry in own], size),
        )

    async def ListAccesses(  # noqa: N802
        self, request: consent_pb2.ListAccessesRequest, context: Context
    ) -> consent_pb2.ListAccessesResponse:
        """Every ledger entry under one of the company's tokens, each provable to the company itself."""
        subjects = await self._consents.subjects(caller_of(context))
        after = None if request.from_start else request.after_seq
        receipts, tree_size = await self._ledger.subject_entries(subjects, after, page_size(request.page_size))
        return consent_pb2.ListAccessesResponse(
            entries=[convert.receipt_to_message(receipt) for receipt in receipts], tree_size=tree_size
        )

    async def ListSubjectHistories(  # noqa: N802
        self, request: consent_pb2.ListSubjectHistoriesRequest, _context: Context
    ) -> consent_pb2.ListSubjectHistoriesResponse:
        """Passed on as the departments signed it. Whose token it is, is not asked: who knows one was told."""
        found = await self._departments.subject_histories(request.subject)
        return consent_pb2.ListSubjectHistoriesResponse(
            histories=[convert.history_to_message(statement) for statement in found]
        )


def _summary(entry: OwnConsent) -> consent_pb2.ConsentSummary:
    claims = entry.consent.claims
    return consent_pb2.ConsentSummary(
        consent_id=claims.consent_id,
        version=claims.version,
        state=STATES[entry.state],
        grantee=claims.grantee,
        purpose=claims.purpose,
        categories=claims.categories,
        valid_from=Timestamp(seconds=claims.valid_from),
        valid_until=Timestamp(seconds=claims.valid_until),
        uses=entry.uses,
        subject=claims.subject,
    )
