"""`gateway check`: everything a start needs, one check at a time, each with cause and cure.

One defect does not hide the next: only what needs the thing at fault is left out. The checks are the start's own; some
look further: does every category have a department to ask, does every neighbour answer as who it should be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from consentgate.anchors import Anchors
from consentgate.config import SQLITE_FILE
from consentgate.doctor import Finding, TlsPaths, Verdict, examine_files, healthy
from consentgate.doctor_connection import examine_connection
from consentgate.findings import describe_anchors, loaded, look, member_ca_file
from consentgate.identity import Role, SpiffeId
from consentgate.tls import TlsFiles
from gateway.config import GatewayConfig
from gateway.policy_bundle import PolicyBundle
from gateway.server import check_identity
from gateway.store import key_encryption_key, migrate

NEIGHBOURS = ("ledger ", "department ")
"""Begin the names of checks that another process decides."""


def examine(path: Path, *, allow_development_ca: bool = False) -> list[Finding]:
    """All findings about the configuration in `path`, in an order in which a cure is useful."""
    findings: list[Finding] = []
    config = loaded(findings, "configuration", lambda: GatewayConfig.load(path.absolute()), lambda _: str(path))
    if config is None:
        return findings
    anchors = loaded(findings, "anchors", lambda: Anchors.load(config.anchors), describe_anchors)
    bundle = loaded(findings, "policies", lambda: PolicyBundle.load(config.policies, config.institutions), _bundle_text)
    if bundle is not None:
        findings.append(_categories(bundle, config))
    findings.append(look("subject keys", lambda: _subject_keys(config)))
    findings.append(look("database", lambda: _database(config)))
    if anchors is not None:
        examination = _Federation(config, anchors, allow_development_ca)
        findings += examination.identity()
        findings += examination.ledger()
        findings += examination.departments()
    return findings


def ready(findings: Sequence[Finding]) -> bool:
    """This side is in order: only neighbours, which other processes must bring up, may be missing."""
    return healthy([found for found in findings if not found.check.startswith(NEIGHBOURS)])


def _categories(bundle: PolicyBundle, config: GatewayConfig) -> Finding:
    configured = {department.id for department in config.departments}
    without = sorted({entry.department for entry in bundle.categories.values()} - configured)
    if without:
        return Finding(
            "categories",
            Verdict.WARNING,
            f"no address for: {', '.join(without)}",
            "Scorecards over their categories will fail: add [[departments]], or drop the categories.",
        )
    return Finding("categories", Verdict.OK, f"{len(bundle.categories)}, each with a department to ask")


def _subject_keys(config: GatewayConfig) -> str:
    """The key in the file, and whether the key database has its place; the database's check opens it."""
    key_encryption_key.load(config.subject_keys.key_encryption_key)
    address = config.subject_keys.database
    if address.startswith(SQLITE_FILE) and not Path(address.removeprefix(SQLITE_FILE)).exists():
        return "key database does not exist yet; the first start creates it"
    return "key database and key-encryption key are there"


def _database(config: GatewayConfig) -> str:
    """Looks at the schema and changes nothing."""
    if config.database.startswith(SQLITE_FILE) and not Path(config.database.removeprefix(SQLITE_FILE)).exists():
        return "does not exist yet; the first start creates it"
    database = config.open_store()
    try:
        found, newest = migrate.revisions(database.engine)
        if found == newest:
            migrate.check(database)
    finally:
        database.close()
    return f"schema {found}" if found == newest else f"schema {found}; the next start brings it to {newest}"


@dataclass(frozen=True)
class _Federation:
    """What is judged against the anchors."""

    config: GatewayConfig
    anchors: Anchors
    allow_development_ca: bool

    def identity(self) -> list[Finding]:
        """The TLS certificate: a good one, and a gateway's."""
        tls = self.config.tls
        files = TlsFiles(tls.certificate, tls.private_key, self.anchors.member_ca)
        role = look(
            "role", lambda: str(check_identity(self.anchors, files, allow_development_ca=self.allow_development_ca))
        )
        return [*examine_files(self._paths(), allow_development_ca=self.allow_development_ca), role]

    def ledger(self) -> list[Finding]:
        """Whether the ledger answers, and as whom."""
        table = self.config.ledger
        if table.address is None or table.peer is None:
            return [Finding("ledger", Verdict.OK, "embedded in this process")]
        return self._connection("ledger", table.address, SpiffeId.parse(table.peer))

    def departments(self) -> list[Finding]:
        """The same for every department."""
        found: list[Finding] = []
        for table in self.config.departments:
            peer = SpiffeId(self.anchors.trust_domain, Role.DEPARTMENT, table.id)
            found += self._connection(f"department {table.id}", table.address, peer)
        return found

    def _connection(self, name: str, address: str, peer: SpiffeId) -> list[Finding]:
        found = examine_connection(self._paths(), address, peer, allow_development_ca=self.allow_development_ca)
        return [Finding(f"{name} {one.check}", one.verdict, one.cause, one.cure, one.code) for one in found]

    def _paths(self) -> TlsPaths:
        tls = self.config.tls
        return TlsPaths(tls.certificate, tls.private_key, member_ca_file(self.config.anchors))


def _bundle_text(bundle: PolicyBundle) -> str:
    return (
        f"{len(bundle.basis)} policies, {len(bundle.categories)} categories, "
        f"{len(bundle.institutions)} institutions, digest {bundle.digest}"
    )
