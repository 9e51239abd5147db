"""A real adapter process in this process: its own files, its own database, mTLS on loopback, and a ledger to tail.

    async with House.open(tmp_path) as house:
        answer = await house.ask(house.federation.bundle())

The adapter is what `department-adapter serve` runs (`open_adapter`), with a clock that tests move. The ledger is a test
double over `WitnessedLog`: it streams whatever the federation recorded, honest or not. `ask` speaks as the gateway.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from consentgate import canonical, convert
from consentgate.channel import open_aio_channel
from consentgate.error_status import from_rpc_error
from consentgate.errors import ConsentgateError
from consentgate.evidence import EvidenceBundle
from consentgate.identity import SpiffeId
from consentgate.server import MemberServer, Service, build_server
from consentgate.statements import ConsentClaims
from consentgate.steps import OnStep
from consentgate.tls import TlsFiles
from consentgate.v1 import features_pb2, features_pb2_grpc, ledger_pb2, ledger_pb2_grpc
from department_adapter.config import AdapterConfig
from department_adapter.server import Adapter, open_adapter
from ledger.entry import format_time
from paillier.columns import Column
from paillier.wire import split
from tests.support.federation import (
    NOW,
    TRUST_DOMAIN,
    Company,
    Federation,
    Institution,
    institution,
)
from tests.support.member_ca import certificate_pem, private_pem
from tests.support.sample_scorecard import VALUES
from tests.support.witnessed_log import policy_text, witness_signer

DEPARTMENT = "tax"


def granted_body(federation: Federation, claims: ConsentClaims, token: bytes) -> dict[str, object]:
    """What an honest gateway records of a consent."""
    return {
        "consent_id": claims.consent_id,
        "version": claims.version,
        "digest": canonical.digest(token),
        "subject": claims.subject,
        "group": claims.group,
        "institution": SpiffeId.parse(claims.grantee).id,
        "purpose": claims.purpose,
        "use": claims.use.value,
        "categories": claims.categories,
        "valid_from": format_time(datetime.fromtimestamp(claims.valid_from, federation.now.tzinfo)),
        "valid_until": format_time(datetime.fromtimestamp(claims.valid_until, federation.now.tzinfo)),
    }


def record_standing(federation: Federation) -> None:
    """What stands on the ledger before the first question: approval, key, the company's consent."""
    approval = federation.approval_claims()
    recorded_at = federation.now - timedelta(minutes=9)
    federation.log.append("scorecard.approved", approval_body(approval, federation.sign_approval()), recorded_at)
    key = {
        "key_id": federation.paillier_key.public.key_id,
        "institution": federation.bank_a.identity.id,
        "digest": canonical.digest(federation.registration),
    }
    federation.log.append("key.registered", key, recorded_at)
    record_consent(federation)


def record_consent(federation: Federation, company: Company | None = None, **claims: object) -> bytes:
    """Signs a consent and records it; returns the statement."""
    company = company or federation.company
    consent = federation.consent_claims(company, **claims)
    token = federation.sign_consent(consent, company.signers[:2])
    federation.log.append(
        "consent.granted", granted_body(federation, consent, token), federation.now - timedelta(minutes=8)
    )
    return token


def record_move(federation: Federation, kind: str, version: int = 1) -> None:
    """`consent.paused|resumed|revoked|expired` of the first company's consent."""
    body: dict[str, object] = {
        "consent_id": federation.consent_claims().consent_id,
        "version": version,
        "subject": federation.company.subject,
    }
    if kind != "consent.expired":
        body["digest"] = canonical.digest(kind.encode())
    federation.log.append(kind, body, federation.now - timedelta(seconds=30))


def approval_body(claims: Any, token: bytes) -> dict[str, object]:
    """What an honest gateway records of a link."""
    return {
        "group": claims.group,
        "members": [SpiffeId.parse(member).id for member in claims.members],
        "sequence": claims.sequence,
        "approval": canonical.digest(token),
        "previous": claims.previous,
        "scorecards": [judged.id for judged in claims.scorecards],
        "scorecard": claims.scorecard,
    }


@dataclass
class FakeLedger(ledger_pb2_grpc.LedgerServiceServicer):
    """Streams the federation's log; `publish` sends what is new, or just a fresh checkpoint.

    `forge` replaces what is sent, to lie.
    """

    federation: Federation
    clock: Callable[[], datetime]
    forge: Callable[[ledger_pb2.TailResponse], ledger_pb2.TailResponse] = lambda response: response
    witnesses: tuple[str, ...] = ("tax", "customs", "courts")
    streams: int = 0
    visible: int | None = None
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _published: int = 0

    async def publish(self) -> None:
        """Wakes every open stream."""
        async with self._changed:
            self._published += 1
            self._changed.notify_all()

    async def Tail(  # noqa: N802 - the name is the RPC's
        self, request: ledger_pb2.TailRequest, _context: object
    ) -> AsyncIterator[ledger_pb2.TailResponse]:
        self.streams += 1
        start, seen = request.start, -1
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda seen=seen: self._published != seen)
                seen = self._published
            end = len(self.federation.log.leaves) if self.visible is None else self.visible
            note = self.federation.log.note(self.clock(), witnesses=self.witnesses, size=end)
            yield self.forge(ledger_pb2.TailResponse(leaves=self.federation.log.leaves[start:end], checkpoint=note))
            start = max(start, end)


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **delta: float) -> None:
        """Forward, or back."""
        self.now += timedelta(**delta)


@dataclass
class House:
    """One adapter with everything around it."""

    federation: Federation
    folder: Path
    clock: Clock
    ledger: FakeLedger
    config: AdapterConfig
    adapter: Adapter
    features: features_pb2_grpc.FeatureServiceStub
    stack: AsyncExitStack

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        folder: Path,
        federation: Federation | None = None,
        *,
        on_step: OnStep | None = None,
        rows: Mapping[str, Mapping[str, object]] | None = None,
        high_risk: tuple[str, ...] = (),
        freshness: int = 5,
        caught_up: bool = True,
        fresh_state: bool = True,
        ledger_name: str = "ledger",
    ) -> AsyncIterator[House]:
        """A running adapter of the tax department that has caught up with the standing entries."""
        if federation is None:
            federation = Federation(NOW)
            record_standing(federation)
        clock = Clock(federation.now)
        fake = FakeLedger(federation, clock)
        async with AsyncExitStack() as stack:
            server = await _serve_ledger(stack, folder, federation, fake, ledger_name)
            if fresh_state:
                write_files(folder, federation, server.address, rows=rows, high_risk=high_risk, freshness=freshness)
            else:
                write_adapter_toml(folder, server.address)
            config = AdapterConfig.load(folder / "adapter.toml")
            adapter = await stack.enter_async_context(open_adapter(config, clock=clock, on_step=on_step))
            await adapter.server.start()
            stack.push_async_callback(adapter.server.stop)
            tail = asyncio.create_task(adapter.tail.run())
            stack.push_async_callback(_cancelled, tail)
            stub = await connect(stack, folder, federation, adapter, federation.gateway)
            house = cls(federation, folder, clock, fake, config, adapter, stub, stack)
            if caught_up:
                await house.catch_up()
            yield house

    async def catch_up(self) -> None:
        """Publishes what the log holds and waits until the adapter has it."""
        await self.ledger.publish()
        async with asyncio.timeout(10):
            await self.adapter.tail.reach(len(self.federation.log.leaves))

    async def publish_until(self, condition: Callable[[], bool]) -> None:
        """Publishes again and again until the adapter noticed."""
        async with asyncio.timeout(10):
            while not condition():
                await self.ledger.publish()
                await asyncio.sleep(0.02)

    async def ask(self, bundle: EvidenceBundle, *, caught_up: bool = True) -> features_pb2.GetFeaturesResponse:
        """As the gateway; raises the ConsentgateError that came over the wire."""
        if caught_up:
            await self.catch_up()
        request = features_pb2.GetFeaturesRequest(evidence=convert.bundle_to_message(bundle))
        try:
            return await self.features.GetFeatures(request, timeout=20)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error

    async def refusal(self, bundle: EvidenceBundle, *, caught_up: bool = True) -> ConsentgateError:
        """The error with which a bundle is refused; an answer is a failure."""
        try:
            await self.ask(bundle, caught_up=caught_up)
        except ConsentgateError as error:
            return error
        raise AssertionError("the adapter answered")

    def decrypted(self, ciphertexts: bytes) -> list[int]:
        """All positions of an answer, as the bank could read them."""
        key = self.federation.paillier_key
        count = len(ciphertexts) // key.public.ciphertext_bytes
        return [int(key.decrypt(c)) for c in split(ciphertexts, key.public, count)]


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def connect(
    stack: AsyncExitStack, folder: Path, federation: Federation, adapter: Adapter, member: Institution
) -> features_pb2_grpc.FeatureServiceStub:
    """A channel to the adapter as `member`."""
    channel = await stack.enter_async_context(open_to(folder, federation, adapter, member))
    return features_pb2_grpc.FeatureServiceStub(channel)


@asynccontextmanager
async def open_to(
    folder: Path, federation: Federation, adapter: Adapter, member: Institution
) -> AsyncIterator[grpc.aio.Channel]:
    peer = federation.departments[DEPARTMENT].identity
    channel = open_aio_channel(adapter.server.address, peer, tls_files(folder, federation, member))
    try:
        yield channel
    finally:
        await channel.close()


def member_of(federation: Federation, role: str, name: str) -> Institution:
    """Any other member with a TLS certificate."""
    return institution(federation.ca, role, name)


def tls_files(folder: Path, federation: Federation, member: Institution) -> TlsFiles:
    """A member's TLS files, written when they are first needed."""
    stem = f"{member.identity.role}-{member.identity.id}"
    certificate, key = folder / f"{stem}.pem", folder / f"{stem}.key"
    certificate.write_bytes(certificate_pem(member.tls_certificate))
    key.write_bytes(private_pem(member.tls_key))
    return TlsFiles(certificate, key, federation.ca.certificate)


async def _serve_ledger(
    stack: AsyncExitStack, folder: Path, federation: Federation, fake: FakeLedger, name: str
) -> MemberServer:
    tls = tls_files(folder, federation, member_of(federation, "ledger", name))
    service = Service("consentgate.v1.LedgerService", ledger_pb2_grpc.add_LedgerServiceServicer_to_server, fake)
    server = await build_server(tls, "127.0.0.1:0", [service])
    await server.start()
    stack.push_async_callback(server.grpc.stop, 0)
    return server


def write_adapter_toml(folder: Path, ledger_address: str) -> None:
    """`adapter.toml` alone."""
    (folder / "adapter.toml").write_text(
        f"""
listen = "127.0.0.1:0"
department = "{DEPARTMENT}"
anchors = "anchors.toml"
mapping = "mapping.toml"
state = "sqlite:///state.db"
ready_file = "ready.json"
[tls]
certificate = "tls.pem"
private_key = "tls.key"
[signing]
certificate = "signing.pem"
private_key = "signing.key"
[ledger]
address = "{ledger_address}"
peer = "spiffe://{TRUST_DOMAIN}/ledger/ledger"
[witness]
name = "{witness_signer(DEPARTMENT).name}"
signing_key = "witness.key"
state = "witness-state"
[encryption]
table_megabytes = 8
pool = 8
"""
    )


def write_files(
    folder: Path,
    federation: Federation,
    ledger_address: str,
    *,
    rows: Mapping[str, Mapping[str, object]] | None = None,
    high_risk: tuple[str, ...] = (),
    freshness: int = 5,
) -> None:
    """Everything an operator would have put beside `adapter.toml`."""
    department = federation.departments[DEPARTMENT]
    write_adapter_toml(folder, ledger_address)
    (folder / "member-ca.pem").write_bytes(certificate_pem(federation.ca.certificate))
    (folder / "ledger-policy.txt").write_text(policy_text())
    (folder / "anchors.toml").write_text(anchors_toml(federation, freshness))
    (folder / "tls.pem").write_bytes(certificate_pem(department.tls_certificate))
    (folder / "signing.pem").write_bytes(certificate_pem(*department.signer.chain))
    private = {
        "tls.key": private_pem(department.tls_key),
        "signing.key": department.signer.key.as_pem(private=True),
        "witness.key": witness_signer(DEPARTMENT).to_pem(),
    }
    for name, pem in private.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(pem)
    columns = [entry.column for entry in federation.scorecard.header.department(DEPARTMENT).columns]
    (folder / "mapping.toml").write_text(mapping_toml(columns, high_risk))
    values = {name: value for name, value in VALUES.items() if name in {column.name for column in columns}}
    write_records(folder / "records.db", columns, rows or {federation.company.code: values})


def anchors_toml(federation: Federation, freshness: int = 5) -> str:
    """The department's own anchors."""
    reviewers = "".join(
        f'[[reviewers]]\nid = "{name}"\njwk = {{ kty = "OKP", crv = "Ed25519", x = "{signer.jwk.x}" }}\n'
        for name, signer in federation.reviewers.items()
    )
    return (
        f'trust_domain = "{TRUST_DOMAIN}"\nmember_ca = "member-ca.pem"\nledger_policy = "ledger-policy.txt"\n'
        f"freshness_seconds = {freshness}\n[registry]\n"
        f'department = "market-regulation"\n'
        f'jwk = {{ kty = "OKP", crv = "Ed25519", x = "{federation.registry_key.jwk.x}" }}\n{reviewers}'
    )


def mapping_toml(columns: list[Column], high_risk: tuple[str, ...] = ()) -> str:
    """`mapping.toml` for these columns of table `records`."""
    parts = ['[source]\nkind = "sql"\nurl = "sqlite:///records.db"\ntable = "records"\nkey_column = "uscc"\n']
    for column in columns:
        json = column.to_json()
        bounds = "\n".join(
            f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}" for name, value in json.items()
        )
        risk = "true" if column.name in high_risk else "false"
        parts.append(
            f'[[columns]]\ncategory = "tax.declarations"\nsource = "{column.name}"\nhigh_risk = {risk}\n{bounds}\n'
        )
    return "\n".join(parts)


def write_records(path: Path, columns: list[Column], rows: Mapping[str, Mapping[str, object]]) -> None:
    """The department's own table."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    with connection:
        declared = ", ".join(f"{column.name} TEXT" for column in columns)
        connection.execute(f"CREATE TABLE records (uscc TEXT PRIMARY KEY, {declared})")
        names = [column.name for column in columns]
        for code, values in rows.items():
            places = ", ".join("?" * (len(names) + 1))
            connection.execute(
                f"INSERT INTO records VALUES ({places})",  # noqa: S608 - placeholders only
                [code, *(values[name] for name in names)],
            )
    connection.close()
