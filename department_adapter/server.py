"""Assembles a department's process: sources, state, tail, witness and servicers behind one mTLS port.

Health tells the truth: SERVING only while a real query on the mapped table works, the state database answers, and the
own view of the ledger is fresh and of one history. The witness works whatever health says: without witnesses the
ledger could never become fresh. A start with a broken mapping, certificate, anchor or database fails with its named
error; a ledger that is away does not stop a start, it shows in health.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from consentgate.anchors import Anchors
from consentgate.channel import open_aio_channel
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role, SpiffeId
from consentgate.server import MemberServer, Service, build_server, serve_until_signal
from consentgate.signing import InstitutionSigner
from consentgate.steps import OnStep
from consentgate.tls import TlsFiles, load_server
from consentgate.v1 import features_pb2_grpc
from department_adapter.catalogue import Catalogue
from department_adapter.config import AdapterConfig, WitnessTable
from department_adapter.encryption import Encryption
from department_adapter.histories import Histories
from department_adapter.ledger_feed import GrpcFeed
from department_adapter.mapping import Mapping
from department_adapter.recipient_keys import RecipientKeys
from department_adapter.refused import RefusedHistory
from department_adapter.release import ReleaseParts, Releases
from department_adapter.revocations import Revocations
from department_adapter.servicers.features import FeatureServicer
from department_adapter.servicers.histories import HistoryServicer
from department_adapter.servicers.revocations import RevocationServicer
from department_adapter.sources.interface import Source
from department_adapter.sources.opening import open_source
from department_adapter.state import answers, migrate
from department_adapter.tail import Tail
from ledger.errors import KeyInvalid
from ledger.note import SignatureType
from ledger.refused import Refusals
from ledger.witness import Witness
from ledger_service.keys import load_signer
from ledger_service.witness_servicer import witness_service

FEATURE_SERVICE = "consentgate.v1.FeatureService"
REVOCATION_SERVICE = "consentgate.v1.RevocationService"
HISTORY_SERVICE = "consentgate.v1.HistoryService"
KEEP_ANSWERS = timedelta(hours=1)
"""After a decision's end nobody can ask for its answer; the rest allows for clocks."""
UPKEEP_SECONDS = 600.0

_log = structlog.get_logger("department_adapter.server")


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Adapter:
    """A department's process, ready to be started: `server`, and what must run beside it."""

    server: MemberServer
    tail: Tail
    keys: RecipientKeys
    database: Database
    source: Source

    async def run(self, config: AdapterConfig) -> None:
        """Serves until a signal."""
        background = (self.tail.run(), self.keys.keep_ready(), keep_tidy(self.database, utc_now))
        await serve_until_signal(self.server, ready_file=config.ready_file, background=background)


@asynccontextmanager
async def open_adapter(
    config: AdapterConfig,
    *,
    allow_development_ca: bool = False,
    clock: Callable[[], datetime] = utc_now,
    on_step: OnStep | None = None,
) -> AsyncIterator[Adapter]:
    """Everything opened, and closed again at the end; raises the named error of what cannot be used."""
    anchors = Anchors.load(config.anchors)
    tls = TlsFiles(config.tls.certificate, config.tls.private_key, anchors.member_ca)
    signer = load_identity(config, anchors, tls, allow_development_ca=allow_development_ca)
    mapping = Mapping.load(config.mapping)
    catalogue = Catalogue(config.department, mapping.columns)
    witness = None if config.witness is None else open_witness(config.witness, anchors)
    async with AsyncExitStack() as stack:
        source = open_source(mapping)
        stack.callback(source.close)
        database = Database(config.state, "state")
        stack.callback(database.close)
        encryption = Encryption(config.encryption)
        stack.callback(encryption.close)
        channel = open_aio_channel(
            config.ledger.address, SpiffeId.parse(config.ledger.peer), tls, allow_development_ca=allow_development_ca
        )
        stack.push_async_callback(channel.close)
        await asyncio.to_thread(migrate.upgrade, database.engine)
        refused = open_refused(config, anchors, witness, clock)
        tail = Tail(GrpcFeed(channel), database, anchors, clock, refused=refused)
        parts = ReleaseParts(anchors, catalogue, source, encryption, signer, database, tail, clock)
        services = build_services(parts, on_step)
        server = await build_server(
            tls,
            config.listen,
            services if witness is None else [*services, witness_service(witness)],
            truth=Truth(source, database, tail).check,
            allow_development_ca=allow_development_ca,
        )
        keys = RecipientKeys(anchors, database, encryption, clock)
        yield Adapter(server, tail, keys, database, source)


def build_services(parts: ReleaseParts, on_step: OnStep | None = None) -> list[Service]:
    """The three services that gateways and companies call."""
    features = FeatureServicer(Releases(parts, on_step), parts.catalogue)
    revocations = Revocations(parts.anchors, parts.database, parts.tail, parts.clock)
    histories = Histories(parts.database, parts.tail, parts.signer, parts.clock)
    return [
        Service(FEATURE_SERVICE, features_pb2_grpc.add_FeatureServiceServicer_to_server, features),
        Service(
            REVOCATION_SERVICE,
            features_pb2_grpc.add_RevocationServiceServicer_to_server,
            RevocationServicer(revocations),
        ),
        Service(HISTORY_SERVICE, features_pb2_grpc.add_HistoryServiceServicer_to_server, HistoryServicer(histories)),
    ]


@dataclass(frozen=True)
class Truth:
    """What must work for this adapter to answer."""

    source: Source
    database: Database
    tail: Tail

    async def check(self) -> None:
        """Raises the error of the first thing that does not work at this moment."""
        await asyncio.to_thread(self.source.check)
        await self.database.check()
        self.tail.check()


def load_identity(
    config: AdapterConfig, anchors: Anchors, tls: TlsFiles, *, allow_development_ca: bool
) -> InstitutionSigner:
    """The signing key, once both certificates name this very department; raises CERTIFICATE_* or CONFIG_INVALID."""
    expected = SpiffeId(anchors.trust_domain, Role.DEPARTMENT, config.department)
    if load_server(tls, allow_development_ca=allow_development_ca).identity != expected:
        raise ConsentgateError(ErrorCode.CERTIFICATE_ROLE, field=str(tls.certificate), hint=_NAMES_ANOTHER)
    signer = InstitutionSigner.load(config.signing.certificate, config.signing.private_key)
    if signer.identity != expected:
        raise ConsentgateError(ErrorCode.CERTIFICATE_ROLE, field=str(config.signing.certificate), hint=_NAMES_ANOTHER)
    return signer


def open_witness(table: WitnessTable, anchors: Anchors) -> Witness:
    """This department's witness; raises CONFIG_INVALID naming the entry."""
    signer = load_signer(table.signing_key, table.name, SignatureType.COSIGNATURE)
    try:
        return Witness(signer, anchors.log_policy.logs, table.state)
    except KeyInvalid as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field="witness", private=type(error).__name__) from error


def open_refused(
    config: AdapterConfig, anchors: Anchors, witness: Witness | None, clock: Callable[[], datetime]
) -> RefusedHistory:
    """What this department refused as a follower of the log, and what it refused as its witness."""
    others = [] if witness is None else [witness.refusals]
    keeper = f"department {config.department}"
    return RefusedHistory(Refusals(config.refused_folder), anchors.log_policy, keeper, clock, others)


async def keep_tidy(database: Database, clock: Callable[[], datetime]) -> None:
    """Forgets answers that nobody can ask for any more; never ends."""
    while True:
        before = int((clock() - KEEP_ANSWERS).timestamp())
        try:
            await database.run(partial(answers.forget_answers, not_after=before))
        except ConsentgateError as error:
            _log.warning("upkeep failed", code=str(error.code))
        await asyncio.sleep(UPKEEP_SECONDS)


_NAMES_ANOTHER = "The certificate names another member than `department` and the anchors' trust domain say."
