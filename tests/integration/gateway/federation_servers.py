"""Everybody whom a gateway talks to, as real servers on loopback: departments that answer and witness, a ledger.

    async with neighbours(tmp_path) as others:
        config = others.gateway_config()                       # or embedded=True
        async with open_gateway(config) as gateway: ...

The departments are the doubles of `tests.support.gateway_house` behind FeatureService, and real witnesses; the ledger
is the real log. Everything runs on the real clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from consentgate import convert
from consentgate.interceptors import Context
from consentgate.server import MemberServer, ServerLimits, Service, build_server
from consentgate.v1 import features_pb2, features_pb2_grpc
from gateway.config import GatewayConfig
from gateway.store import key_encryption_key
from ledger.witness import Witness
from ledger_service.access_record import AccessRecord
from ledger_service.embedded import EmbeddedLedger
from ledger_service.witness_servicer import witness_service
from tests.integration.clients.member_folders import write_anchors
from tests.integration.gateway.port import Members, write_tls
from tests.support.federation import Federation, institution
from tests.support.gateway_house import INSTITUTIONS, KEY_FILE, Clock, DepartmentsDouble
from tests.support.running_log import POLICY, LogFolder
from tests.support.witnessed_log import ORIGIN, QUORUM, log_signer, witness_signer

LIMITS = ServerLimits(stop_grace_seconds=0.2)
"""Tails and witnesses' calls need no grace in tests."""


class RealClock(Clock):
    """The wall clock, in the place of the one that tests move."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))

    def __call__(self) -> datetime:
        return datetime.now(UTC)


class _Live(DepartmentsDouble):
    """Departments that live in real time."""

    async def get_features(self, department, evidence_, seconds):  # type: ignore[no-untyped-def]
        self.clock.now = datetime.now(UTC)
        return await super().get_features(department, evidence_, seconds)


class _Features(features_pb2_grpc.FeatureServiceServicer):
    def __init__(self, department: str, departments: DepartmentsDouble) -> None:
        self._department = department
        self._departments = departments

    async def GetFeatures(  # noqa: N802 - the name is the RPC's
        self, request: features_pb2.GetFeaturesRequest, context: Context
    ) -> features_pb2.GetFeaturesResponse:
        bundle = convert.bundle_from_message(request.evidence)
        answer = await self._departments.get_features(self._department, bundle, context.time_remaining() or 0.0)
        return features_pb2.GetFeaturesResponse(answer_jws=answer.answer_jws, ciphertexts=answer.ciphertexts)


@dataclass
class Neighbours:
    """The running servers, and the folder in which a gateway finds its files."""

    folder: Path
    federation: Federation
    departments: DepartmentsDouble
    servers: dict[str, MemberServer]
    addresses: dict[str, str]
    """Departments, and `ledger`."""

    def gateway_config(self, *, embedded: bool = False) -> GatewayConfig:
        """gateway.toml and all that it names."""
        write_anchors(self.folder, self.federation)
        tls = write_tls(self.folder, self.federation.gateway, self.federation)
        (self.folder / "institutions.toml").write_text(INSTITUTIONS)
        (self.folder / "log.key").write_bytes(log_signer("the log").to_pem())
        peer = f"spiffe://{self.federation.anchors.trust_domain}"
        departments = {name: address for name, address in self.addresses.items() if name != "ledger"}
        ledger = f'[ledger]\naddress = "{self.addresses["ledger"]}"\npeer = "{peer}/ledger/ledger-1"\n'
        if embedded:
            ledger = (
                f'[ledger.embedded]\norigin = "{ORIGIN}"\nsigning_key = "log.key"\n'
                'database = "sqlite:///embedded.db"\nsecond_place = "embedded-second"\n'
            ) + "".join(
                f'[[ledger.embedded.witnesses]]\nname = "{name}"\naddress = "{address}"\n'
                f'peer = "{peer}/department/{name}"\n'
                for name, address in departments.items()
            )
        tables = "".join(
            f'[[departments]]\nid = "{name}"\naddress = "{address}"\n' for name, address in departments.items()
        )
        if not (self.folder / KEY_FILE).exists():
            key_encryption_key.create(self.folder / KEY_FILE)
        file = self.folder / "gateway.toml"
        file.write_text(
            'listen = "127.0.0.1:0"\nanchors = "anchors.toml"\ndatabase = "sqlite:///gateway.db"\n'
            'institutions = "institutions.toml"\nready_file = "ready.json"\n'
            f'[tls]\ncertificate = "{tls.certificate.name}"\nprivate_key = "{tls.private_key.name}"\n'
            '[subject_keys]\ndatabase = "sqlite:///keys.db"\nkey_encryption_key = "subject-keys.key"\n'
            + ledger
            + tables
        )
        return GatewayConfig.load(file)

    def members(self, address: str) -> Members:
        """Connections to the gateway that listens at `address`."""
        return Members(self.federation, self.folder, address)


@asynccontextmanager
async def neighbours(folder: Path) -> AsyncIterator[Neighbours]:
    """All of them, started, until the context ends."""
    federation = Federation(now=datetime.now(UTC))
    departments = _Live(federation, RealClock())
    async with AsyncExitStack() as stack:
        servers = {}
        for name in QUORUM:
            witness = Witness(witness_signer(name), POLICY.logs, folder / f"{name}.embedded-state")
            features = Service(
                "consentgate.v1.FeatureService",
                features_pb2_grpc.add_FeatureServiceServicer_to_server,
                _Features(name, departments),
            )
            files = write_tls(folder, federation.departments[name], federation)
            server = await build_server(files, "127.0.0.1:0", [features, witness_service(witness)], limits=LIMITS)
            await server.start()
            stack.push_async_callback(server.stop)
            servers[name] = server
        log = await stack.enter_async_context(LogFolder(folder).running())
        ledger = EmbeddedLedger(log, AccessRecord(log, log_signer("the log")))
        files = write_tls(folder, institution(federation.ca, "ledger", "ledger-1"), federation)
        server = await build_server(files, "127.0.0.1:0", ledger.services(), limits=LIMITS, truth=ledger.check)
        await server.start()
        stack.push_async_callback(server.stop)
        addresses = {name: department.address for name, department in servers.items()}
        yield Neighbours(folder, federation, departments, servers, {**addresses, "ledger": server.address})
