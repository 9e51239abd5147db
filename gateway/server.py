"""Assembles the gateway's process: store, policies, ledger, departments, servicers and upkeep behind one mTLS port.

A start with a broken configuration, certificate, anchor, policy bundle or database fails with its named error. A ledger
or a department that is away does not stop a start: health says NOT_SERVING until database and ledger answer, and a
silent department fails the requests that need it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from consentgate.anchors import Anchors
from consentgate.channel import open_aio_channel
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role, SpiffeId
from consentgate.server import MemberServer, Service, build_server, serve_until_signal
from consentgate.steps import OnStep
from consentgate.tls import TlsFiles, load_server
from consentgate.v1 import consent_pb2_grpc, keys_pb2_grpc, scorecard_pb2_grpc, scoring_pb2_grpc
from gateway.computation import Computation
from gateway.config import GatewayConfig
from gateway.consents import Consents
from gateway.departments import GrpcDepartments, HistoryPort
from gateway.dry_run import DryRunner
from gateway.keys import RecipientKeys
from gateway.ledger_access import LedgerAccess, open_ledger
from gateway.policy import Policy
from gateway.policy_bundle import PolicyBundle
from gateway.recorder import Recorder
from gateway.request_flow import FlowParts, RequestFlow
from gateway.scorecards import Scorecards
from gateway.servicers.consent import ConsentServicer
from gateway.servicers.keys import KeyServicer
from gateway.servicers.scorecard import ScorecardServicer
from gateway.servicers.scoring import ScoringServicer
from gateway.store import migrate
from gateway.upkeep import Upkeep
from ledger_service.client import LedgerPort

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Gateway:
    """The gateway's process, ready to be started: `server`, and what must run beside it."""

    server: MemberServer
    upkeep: Upkeep
    computation: Computation
    ledger: LedgerAccess

    async def run(self, config: GatewayConfig) -> None:
        """Serves until a signal."""
        background = (self.upkeep.run(), *self.ledger.background())
        await self.computation.warm()
        await serve_until_signal(self.server, ready_file=config.ready_file, background=background)


@asynccontextmanager
async def open_gateway(
    config: GatewayConfig,
    *,
    allow_development_ca: bool = False,
    clock: Clock = utc_now,
    on_step: OnStep | None = None,
) -> AsyncIterator[Gateway]:
    """Everything opened, and closed again at the end; raises the named error of what cannot be used."""
    anchors = Anchors.load(config.anchors)
    tls = TlsFiles(config.tls.certificate, config.tls.private_key, anchors.member_ca)
    check_identity(anchors, tls, allow_development_ca=allow_development_ca)
    policy = Policy(PolicyBundle.load(config.policies, config.institutions))
    async with AsyncExitStack() as stack:
        database = config.open_store()
        stack.callback(database.close)
        await asyncio.to_thread(migrate.upgrade, database)
        ledger = await stack.enter_async_context(
            open_ledger(config.ledger, anchors, tls, allow_development_ca=allow_development_ca)
        )
        departments = await _open_departments(stack, config, anchors, tls, allow_development_ca=allow_development_ca)
        computation = Computation(config.compute_processes)
        stack.callback(computation.close)
        recorder = Recorder(anchors, database, ledger.port)
        parts = FlowParts(
            anchors=anchors,
            database=database,
            recorder=recorder,
            policy=policy,
            departments=departments,
            computation=computation,
            department_deadline=timedelta(seconds=config.department_deadline_seconds),
            clock=clock,
        )
        consents = Consents(anchors, database, recorder, policy, clock)
        scorecards = Scorecards(anchors, database, recorder, policy, config.minimum_departments, clock)
        services = build_services(parts, consents, scorecards, LedgerReaders(ledger.port, departments), on_step)
        server = await build_server(
            tls,
            config.listen,
            [*services, *ledger.services],
            truth=Truth(database, ledger.port).check,
            allow_development_ca=allow_development_ca,
        )
        upkeep = Upkeep(database, recorder, consents, policy.digest, clock)
        yield Gateway(server, upkeep, computation, ledger)


@dataclass(frozen=True)
class LedgerReaders:
    """Where companies' questions about the ledger go: entries to the ledger, histories to departments that tail it."""

    entries: LedgerPort
    histories: HistoryPort


def build_services(
    parts: FlowParts, consents: Consents, scorecards: Scorecards, ledger: LedgerReaders, on_step: OnStep | None = None
) -> list[Service]:
    """The four services that banks, companies and reviewers call."""
    scoring = ScoringServicer(
        RequestFlow(parts, on_step),
        DryRunner(parts.anchors, parts.database, parts.policy, parts.clock),
        parts.database,
    )
    keys = KeyServicer(RecipientKeys(parts.anchors, parts.database, parts.recorder, parts.clock))
    return [
        Service("consentgate.v1.ScoringService", scoring_pb2_grpc.add_ScoringServiceServicer_to_server, scoring),
        Service("consentgate.v1.KeyService", keys_pb2_grpc.add_KeyServiceServicer_to_server, keys),
        Service(
            "consentgate.v1.ConsentService",
            consent_pb2_grpc.add_ConsentServiceServicer_to_server,
            ConsentServicer(consents, ledger.entries, ledger.histories),
        ),
        Service(
            "consentgate.v1.ScorecardService",
            scorecard_pb2_grpc.add_ScorecardServiceServicer_to_server,
            ScorecardServicer(scorecards),
        ),
    ]


@dataclass(frozen=True)
class Truth:
    """What must work for the gateway to decide anything."""

    database: Database
    ledger: LedgerPort

    async def check(self) -> None:
        """Raises STORE_UNAVAILABLE, or the ledger's error, while one of them does not answer."""
        await self.database.check()
        await self.ledger.check()


def check_identity(anchors: Anchors, tls: TlsFiles, *, allow_development_ca: bool) -> SpiffeId:
    """Who this gateway is; raises CERTIFICATE_* unless the certificate is good and names a gateway."""
    identity = load_server(tls, allow_development_ca=allow_development_ca).identity
    if identity.role is not Role.GATEWAY or identity.trust_domain != anchors.trust_domain:
        raise ConsentgateError(ErrorCode.CERTIFICATE_ROLE, field=str(tls.certificate), hint=_NAMES_ANOTHER)
    return identity


async def _open_departments(
    stack: AsyncExitStack,
    config: GatewayConfig,
    anchors: Anchors,
    tls: TlsFiles,
    *,
    allow_development_ca: bool,
) -> GrpcDepartments:
    """Channels to all departments; each must identify itself as the department that it is configured as."""
    channels = {}
    for table in config.departments:
        peer = SpiffeId(anchors.trust_domain, Role.DEPARTMENT, table.id)
        channel = open_aio_channel(table.address, peer, tls, allow_development_ca=allow_development_ca)
        channels[table.id] = await stack.enter_async_context(channel)
    return GrpcDepartments(channels)


_NAMES_ANOTHER = "A gateway's certificate names the role `gateway` and the trust domain of its anchors."
