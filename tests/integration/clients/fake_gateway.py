"""A gateway for client tests: real mTLS on loopback, real signatures and receipts, and it does what the test says.

It computes honest answers from the federation's keys; `spoil` alters an answer before it leaves, `spoil_receipt` the
receipt of a registration or consent; `failures` are statuses to abort with before anything else, one per call. Every
request is kept, so that tests can compare the bytes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from consentgate import canonical
from consentgate.convert import bundle_to_message, history_to_message, receipt_to_message
from consentgate.history import HistoryStatement
from consentgate.signing import unverified_payload
from consentgate.statements import ConsentClaims, ConsentTransitionClaims, KeyRegistrationClaims
from consentgate.v1 import consent_pb2, features_pb2, keys_pb2, scorecard_pb2, scoring_pb2
from consentgate.v1.consent_pb2_grpc import ConsentServiceServicer, add_ConsentServiceServicer_to_server
from consentgate.v1.features_pb2_grpc import (
    HistoryServiceServicer,
    RevocationServiceServicer,
    add_HistoryServiceServicer_to_server,
    add_RevocationServiceServicer_to_server,
)
from consentgate.v1.keys_pb2_grpc import KeyServiceServicer, add_KeyServiceServicer_to_server
from consentgate.v1.scorecard_pb2_grpc import (
    ScorecardServiceServicer,
    add_ScorecardServiceServicer_to_server,
)
from consentgate.v1.scoring_pb2_grpc import ScoringServiceServicer, add_ScoringServiceServicer_to_server
from ledger.entry import format_time
from ledger.receipt import Receipt
from tests.support.federation import Federation, Institution
from tests.support.member_ca import certificate_pem, private_pem

Spoil = Callable[[scoring_pb2.ScoreResponse], scoring_pb2.ScoreResponse]


@dataclass
class FakeGateway:
    """What it answers, and what it was asked."""

    federation: Federation
    address: str = ""
    failures: list[grpc.StatusCode] = field(default_factory=list)
    spoil: Spoil = field(default=lambda answer: answer)
    spoil_receipt: Callable[[Receipt], Receipt] = field(default=lambda receipt: receipt)
    requests: list[Any] = field(default_factory=list)
    stored: dict[bytes, scoring_pb2.ScoreResponse] = field(default_factory=dict)
    entries: list[int] = field(default_factory=list)
    """Log indices that ListAccesses returns."""
    histories: list[HistoryStatement] = field(default_factory=list)
    """What ListSubjectHistories returns, by the token that each is about; a department: GetSubjectHistory."""
    alone: threading.RLock = field(default_factory=threading.RLock)
    """The log in memory is of one thread at a time."""

    def reset(self) -> None:
        """As after a restart with an empty store; the log stays."""
        self.failures, self.requests, self.entries, self.stored, self.histories = [], [], [], {}, []
        self.spoil = lambda answer: answer
        self.spoil_receipt = lambda receipt: receipt

    def received(self, request: Any, context: grpc.ServicerContext) -> None:
        """Keeps the request; then fails, if a failure is due."""
        self.requests.append(request)
        if self.failures:
            context.abort(self.failures.pop(0), "as the test says")

    def histories_of(self, subject: str) -> list[HistoryStatement]:
        """Those that claim to be about this token."""
        claims = [(one, unverified_payload(one.statement_jws, "jws")) for one in self.histories]
        return [one for one, payload in claims if subject.encode() in payload]

    def recorded(self, kind: str, body: dict[str, object]) -> Receipt:
        """A new leaf with its receipt."""
        with self.alone:
            return self.spoil_receipt(self._appended(kind, body))

    def _appended(self, kind: str, body: dict[str, object]) -> Receipt:
        index = self.federation.log.append(kind, body, self.federation.now)
        return self.federation.log.receipt(index, cosigned_at=self.federation.now)

    def answer(self, signed: bytes) -> scoring_pb2.ScoreResponse:
        """The honest answer; the stored one when the same bytes come again."""
        with self.alone:
            return self.spoil(self._stored(signed))

    def _stored(self, signed: bytes) -> scoring_pb2.ScoreResponse:
        if signed not in self.stored:
            bundle = self.federation.bundle(request=signed)
            order = self.federation.order(bundle)
            answers = self.federation.answers(order)
            output = self.federation.output(answers)
            tokens = [token for token, _ in answers.values()]
            self.stored[signed] = scoring_pb2.ScoreResponse(
                ciphertext=output,
                evidence=bundle_to_message(bundle),
                answer_jws=tokens,
                release=receipt_to_message(self.federation.release(order, tokens, output)),
            )
        copy = scoring_pb2.ScoreResponse()
        copy.CopyFrom(self.stored[signed])
        return copy


class _Scoring(ScoringServiceServicer):
    def __init__(self, fake: FakeGateway) -> None:
        self._fake = fake

    def Score(  # noqa: N802  # gRPC's name
        self, request: scoring_pb2.ScoreRequest, context: grpc.ServicerContext
    ) -> scoring_pb2.ScoreResponse:
        self._fake.received(request, context)
        return self._fake.answer(request.signed_request)

    def DryRun(  # noqa: N802  # gRPC's name
        self, request: scoring_pb2.DryRunRequest, context: grpc.ServicerContext
    ) -> scoring_pb2.DryRunResponse:
        self._fake.received(request, context)
        obstacle = scoring_pb2.Obstacle(reason="CONSENT_EXPIRED", hint="The company grants a new version.")
        basis = scoring_pb2.PolicyBasis(id="score.consented", basis="PIPL art. 13")
        return scoring_pb2.DryRunResponse(
            allowed=False, reason="CONSENT_EXPIRED", obstacles=[obstacle], policies=[basis]
        )

    def ListRequests(  # noqa: N802  # gRPC's name
        self, request: scoring_pb2.ListRequestsRequest, context: grpc.ServicerContext
    ) -> scoring_pb2.ListRequestsResponse:
        self._fake.received(request, context)
        start = int(request.page_token or "0")
        page = range(start, min(start + 2, 5))
        summaries = [
            scoring_pb2.RequestSummary(request_id=f"{index:032x}", step=11, state=scoring_pb2.REQUEST_STATE_RELEASED)
            for index in page
        ]
        return scoring_pb2.ListRequestsResponse(
            requests=summaries, next_page_token=str(page.stop) if page.stop < 5 else ""
        )


class _Keys(KeyServiceServicer):
    def __init__(self, fake: FakeGateway) -> None:
        self._fake = fake

    def RegisterKey(  # noqa: N802  # gRPC's name
        self, request: keys_pb2.RegisterKeyRequest, context: grpc.ServicerContext
    ) -> keys_pb2.RegisterKeyResponse:
        self._fake.received(request, context)
        claims = KeyRegistrationClaims.parse(unverified_payload(request.registration_jws, "jws"), "jws")
        receipt = self._fake.recorded(
            "key.registered",
            {
                "key_id": claims.key_id,
                "institution": claims.iss.rsplit("/", 1)[1],
                "digest": canonical.digest(request.registration_jws),
            },
        )
        return keys_pb2.RegisterKeyResponse(key_id=claims.key_id, receipt=receipt_to_message(receipt))


class _Scorecards(ScorecardServiceServicer):
    def __init__(self, fake: FakeGateway) -> None:
        self._fake = fake

    def RegisterScorecard(  # noqa: N802  # gRPC's name
        self, request: scorecard_pb2.RegisterScorecardRequest, context: grpc.ServicerContext
    ) -> scorecard_pb2.RegisterScorecardResponse:
        self._fake.received(request, context)
        scorecard = canonical.digest(request.header)
        receipt = self._fake.recorded("scorecard.registered", {"scorecard": scorecard})
        return scorecard_pb2.RegisterScorecardResponse(scorecard=scorecard, receipt=receipt_to_message(receipt))

    def GetScorecard(  # noqa: N802  # gRPC's name
        self, request: scorecard_pb2.GetScorecardRequest, context: grpc.ServicerContext
    ) -> scorecard_pb2.GetScorecardResponse:
        self._fake.received(request, context)
        scorecard = self._fake.federation.scorecard
        return scorecard_pb2.GetScorecardResponse(
            header=scorecard.header.encode(),
            weights=scorecard.weights.encode(),
            approved_groups=["group-a"],
        )


class _Consents(ConsentServiceServicer):
    def __init__(self, fake: FakeGateway) -> None:
        self._fake = fake

    def GrantConsent(  # noqa: N802  # gRPC's name
        self, request: consent_pb2.GrantConsentRequest, context: grpc.ServicerContext
    ) -> consent_pb2.GrantConsentResponse:
        self._fake.received(request, context)
        claims = ConsentClaims.parse(unverified_payload(request.consent_jws, "jws"), "jws")
        body: dict[str, object] = {
            "consent_id": claims.consent_id,
            "version": claims.version,
            "digest": canonical.digest(request.consent_jws),
            "subject": claims.subject,
            "group": claims.group,
            "institution": claims.grantee.rsplit("/", 1)[1],
            "purpose": claims.purpose,
            "use": claims.use.value,
            "categories": claims.categories,
            "valid_from": format_time(self._fake.federation.now),
            "valid_until": format_time(self._fake.federation.now),
        }
        receipt = self._fake.recorded("consent.granted", body)
        return consent_pb2.GrantConsentResponse(receipt=receipt_to_message(receipt))

    def PauseConsent(  # noqa: N802  # gRPC's name
        self, request: consent_pb2.PauseConsentRequest, context: grpc.ServicerContext
    ) -> consent_pb2.PauseConsentResponse:
        receipt = self._transition("consent.paused", request, context)
        return consent_pb2.PauseConsentResponse(receipt=receipt_to_message(receipt))

    def ResumeConsent(  # noqa: N802  # gRPC's name
        self, request: consent_pb2.ResumeConsentRequest, context: grpc.ServicerContext
    ) -> consent_pb2.ResumeConsentResponse:
        receipt = self._transition("consent.resumed", request, context)
        return consent_pb2.ResumeConsentResponse(receipt=receipt_to_message(receipt))

    def RevokeConsent(  # noqa: N802  # gRPC's name
        self, request: consent_pb2.RevokeConsentRequest, context: grpc.ServicerContext
    ) -> consent_pb2.RevokeConsentResponse:
        receipt = self._transition("consent.revoked", request, context)
        return consent_pb2.RevokeConsentResponse(receipt=receipt_to_message(receipt))

    def _transition(self, kind: str, request: Any, context: grpc.ServicerContext) -> Receipt:
        self._fake.received(request, context)
        claims = ConsentTransitionClaims.parse(unverified_payload(request.transition_jws, "jws"), "jws")
        body: dict[str, object] = {
            "consent_id": claims.consent_id,
            "version": claims.version,
            "digest": canonical.digest(request.transition_jws),
            "subject": "0" * 32,
        }
        return self._fake.recorded(kind, body)

    def ListConsents(  # noqa: N802  # gRPC's name
        self, request: consent_pb2.ListConsentsRequest, context: grpc.ServicerContext
    ) -> consent_pb2.ListConsentsResponse:
        self._fake.received(request, context)
        first = not request.page_token
        summary = consent_pb2.ConsentSummary(
            consent_id="a" * 32 if first else "b" * 32,
            version=1,
            # 99: a state of some later version of the contract.
            state=consent_pb2.CONSENT_STATE_ACTIVE if first else 99,  # type: ignore[arg-type]  # open enum
        )
        return consent_pb2.ListConsentsResponse(consents=[summary], next_page_token="1" if first else "")

    def ListAccesses(  # noqa: N802  # gRPC's name
        self, request: consent_pb2.ListAccessesRequest, context: grpc.ServicerContext
    ) -> consent_pb2.ListAccessesResponse:
        self._fake.received(request, context)
        wanted = [i for i in self._fake.entries if request.from_start or i > request.after_seq][:2]
        receipts = [self._fake.federation.log.receipt(index, cosigned_at=self._fake.federation.now) for index in wanted]
        return consent_pb2.ListAccessesResponse(entries=[receipt_to_message(one) for one in receipts])

    def ListSubjectHistories(  # noqa: N802  # gRPC's name
        self, request: consent_pb2.ListSubjectHistoriesRequest, context: grpc.ServicerContext
    ) -> consent_pb2.ListSubjectHistoriesResponse:
        self._fake.received(request, context)
        found = [history_to_message(one) for one in self._fake.histories_of(request.subject)]
        return consent_pb2.ListSubjectHistoriesResponse(histories=found)


class _Histories(HistoryServiceServicer):
    def __init__(self, fake: FakeGateway) -> None:
        self._fake = fake

    def GetSubjectHistory(  # noqa: N802  # gRPC's name
        self, request: features_pb2.GetSubjectHistoryRequest, context: grpc.ServicerContext
    ) -> features_pb2.GetSubjectHistoryResponse:
        self._fake.received(request, context)
        (found,) = self._fake.histories_of(request.subject)
        return features_pb2.GetSubjectHistoryResponse(history=history_to_message(found))


class _Revocations(RevocationServiceServicer):
    def __init__(self, fake: FakeGateway) -> None:
        self._fake = fake

    def SubmitRevocation(  # noqa: N802  # gRPC's name
        self, request: features_pb2.SubmitRevocationRequest, context: grpc.ServicerContext
    ) -> features_pb2.SubmitRevocationResponse:
        self._fake.received(request, context)
        return features_pb2.SubmitRevocationResponse()


@contextmanager
def serving(federation: Federation, member: Institution | None = None) -> Iterator[FakeGateway]:
    """The fake on a free loopback port, identified as `member` (default: the gateway)."""
    fake = FakeGateway(federation)
    member = member or federation.gateway
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    add_ScoringServiceServicer_to_server(_Scoring(fake), server)
    add_KeyServiceServicer_to_server(_Keys(fake), server)
    add_ScorecardServiceServicer_to_server(_Scorecards(fake), server)
    add_ConsentServiceServicer_to_server(_Consents(fake), server)
    add_RevocationServiceServicer_to_server(_Revocations(fake), server)
    add_HistoryServiceServicer_to_server(_Histories(fake), server)
    credentials = grpc.ssl_server_credentials(
        [(private_pem(member.tls_key), certificate_pem(member.tls_certificate))],
        root_certificates=certificate_pem(federation.ca.certificate),
        require_client_auth=True,
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    fake.address = f"127.0.0.1:{port}"
    server.start()
    try:
        yield fake
    finally:
        server.stop(grace=None).wait()


def sequence(entries: Sequence[tuple[str, dict[str, object]]], fake: FakeGateway) -> list[int]:
    """Appends leaves and lets ListAccesses return them."""
    log = fake.federation.log
    indices = [log.append(kind, body, fake.federation.now) for kind, body in entries]
    fake.entries += indices
    return indices
