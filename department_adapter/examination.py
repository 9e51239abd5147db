"""`department-adapter check`: everything a start needs, one check at a time, each with cause and cure.

One defect does not hide the next: only what needs the thing at fault is left out. The checks are the start's own; three
look further: is the key column unique, does the database enforce reading only, who answers as the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.doctor import Finding, TlsPaths, Verdict, examine_files, healthy
from consentgate.doctor_connection import examine_connection
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.findings import describe_anchors, failed, loaded, look, member_ca_file
from consentgate.identity import Role, SpiffeId
from consentgate.signing import InstitutionSigner, PersonSigner
from consentgate.tls import verify_signing_chain
from department_adapter.catalogue import Catalogue
from department_adapter.config import AdapterConfig
from department_adapter.mapping import Mapping, SqlTable
from department_adapter.refused import speaks_against_the_log
from department_adapter.server import open_witness
from department_adapter.sources.interface import Source
from department_adapter.sources.opening import open_source
from department_adapter.sources.sql import READ_ONLY_ENFORCED
from department_adapter.state import migrate
from ledger.refused import Refusals
from ledger.witness import refusals_of

LEDGER = "ledger "
"""Begins the names of checks that another process decides."""


def examine(path: Path, *, allow_development_ca: bool = False) -> list[Finding]:
    """All findings about the configuration in `path`, in an order in which a cure is useful."""
    findings: list[Finding] = []
    config = loaded(findings, "configuration", lambda: AdapterConfig.load(path.absolute()), lambda _: str(path))
    if config is None:
        return findings
    anchors = loaded(findings, "anchors", lambda: Anchors.load(config.anchors), describe_anchors)
    findings += _examine_mapping(config)
    findings.append(look("state", lambda: _state(config)))
    findings.append(_evidence(config))
    if anchors is not None:
        examination = _Federation(config, anchors, allow_development_ca)
        findings += examination.identity()
        findings += examination.witness()
        findings += examination.registry()
        findings += examination.ledger()
    return findings


def _examine_mapping(config: AdapterConfig) -> list[Finding]:
    findings: list[Finding] = []
    mapping = loaded(
        findings, "mapping", lambda: Mapping.load(config.mapping), lambda found: f"{len(found.columns)} columns"
    )
    if mapping is None:
        return findings
    source = loaded(findings, "records", lambda: _answering_source(mapping), lambda _: "every mapped column is read")
    if source is None:
        return findings
    try:
        findings.append(_unique_keys(source))
        findings.append(_read_only(mapping))
        version = Catalogue(config.department, mapping.columns).version
        findings.append(Finding("catalogue", Verdict.OK, f"version {version}"))
    finally:
        source.close()
    return findings


def _answering_source(mapping: Mapping) -> Source:
    source = open_source(mapping)
    try:
        source.check()
    except ConsentgateError:
        source.close()
        raise
    return source


def _unique_keys(source: Source) -> Finding:
    try:
        repeated = source.count_repeated_keys()
    except ConsentgateError as error:
        return failed("unique companies", error)
    if repeated:
        return Finding(
            "unique companies",
            Verdict.WARNING,
            f"{repeated} companies have more than one row: their values count as missing.",
            "Offer a view with one row per company, and map that.",
        )
    return Finding("unique companies", Verdict.OK, "one row per company")


def _read_only(mapping: Mapping) -> Finding:
    if isinstance(mapping.source, SqlTable) and mapping.source.url.get_backend_name() not in READ_ONLY_ENFORCED:
        return Finding(
            "read only",
            Verdict.WARNING,
            "For this kind of database the adapter cannot make sure that it only reads.",
            "Give its user the right to select from the mapped table, and no other.",
        )
    return Finding("read only", Verdict.OK, "the records cannot be written from here")


def _state(config: AdapterConfig) -> str:
    """Looks at the schema and changes nothing."""
    file = Path(config.state.removeprefix("sqlite:///"))
    if config.state.startswith("sqlite:///") and not file.exists():
        if not file.parent.is_dir():
            raise ConsentgateError(
                ErrorCode.CONFIG_INVALID, field=f"state: {file.parent}", hint="Create the folder of the state file."
            )
        return "does not exist yet; the first start creates it"
    database = Database(config.state, "state")
    try:
        found, newest = migrate.revisions(database.engine)
    finally:
        database.close()
    return f"schema {found}" if found == newest else f"schema {found}; the next start brings it to {newest}"


def _evidence(config: AdapterConfig) -> Finding:
    """What the log signed and this department refused: a start does not change that it answers nobody."""
    name, own = f"{LEDGER}evidence", Refusals(config.refused_folder)
    others = [] if config.witness is None else [refusals_of(config.witness.state)]
    kept = [f"{each.folder}/{verdict.value}" for each in (own, *others) for verdict in each.kept()]
    if not kept:
        return Finding(name, Verdict.OK, "nothing that the log signed was refused here")
    stops = speaks_against_the_log(own, others)
    return Finding(
        name,
        Verdict.FAILED if stops else Verdict.WARNING,
        f"The log signed what was refused here: {', '.join(kept)}.",
        "Make a bundle of it (`ledger evidence make`), show it to the other members, and move the folder away.",
        ErrorCode.LEDGER_INVALID if stops else None,
    )


@dataclass(frozen=True)
class _Federation:
    """What is judged against the anchors."""

    config: AdapterConfig
    anchors: Anchors
    allow_development_ca: bool

    def identity(self) -> list[Finding]:
        """Both certificates: good ones, and this department's."""
        own = examine_files(self._tls_paths(), allow_development_ca=self.allow_development_ca)
        named = next((found for found in own if found.check == "identity" and found.verdict is Verdict.OK), None)
        if named is not None and named.cause != str(self._expected()):
            own.append(failed("department", _names_another("tls.certificate", named.cause)))
        return [*own, look("signing certificate", self._signing)]

    def witness(self) -> list[Finding]:
        """The key is one that the policy counts."""
        table = self.config.witness
        if table is None:
            return [Finding("witness", Verdict.OK, "this department is no witness")]

        def examine_key() -> str:
            witness = open_witness(table, self.anchors)
            if witness.verifier_key not in self.anchors.log_policy.witnesses.values():
                raise ConsentgateError(
                    ErrorCode.CONFIG_INVALID,
                    field="witness.name, witness.signing_key",
                    hint="The ledger policy lists no witness with this name and key: its cosignatures would not count.",
                )
            return f"{table.name}, cosigned up to tree size {witness.known_size()}"

        return [look("witness", examine_key)]

    def registry(self) -> list[Finding]:
        """The key is the one that everybody holds as an anchor."""
        table = self.config.registry
        if table is None:
            return []

        def examine_key() -> str:
            if PersonSigner.load(table.signing_key).jwk != self.anchors.registry_key:
                raise ConsentgateError(
                    ErrorCode.CONFIG_INVALID,
                    field="registry.signing_key",
                    hint="The anchors hold another registry key: nobody would accept attestations by this one.",
                )
            return "the anchored key"

        return [look("registry key", examine_key)]

    def ledger(self) -> list[Finding]:
        """Whether the ledger answers, and as whom."""
        table = self.config.ledger
        found = examine_connection(
            self._tls_paths(),
            table.address,
            SpiffeId.parse(table.peer),
            allow_development_ca=self.allow_development_ca,
        )
        return [Finding(f"{LEDGER}{one.check}", one.verdict, one.cause, one.cure, one.code) for one in found]

    def _tls_paths(self) -> TlsPaths:
        tls = self.config.tls
        return TlsPaths(tls.certificate, tls.private_key, member_ca_file(self.config.anchors))

    def _expected(self) -> SpiffeId:
        return SpiffeId(self.anchors.trust_domain, Role.DEPARTMENT, self.config.department)

    def _signing(self) -> str:
        signing = self.config.signing
        signer = InstitutionSigner.load(signing.certificate, signing.private_key)
        chain = [certificate.public_bytes(Encoding.DER) for certificate in signer.chain]
        identity, _ = verify_signing_chain(chain, self.anchors.member_ca, datetime.now(UTC))
        if identity != self._expected():
            raise _names_another("signing.certificate", str(identity))
        return f"signs as {identity}"


def _names_another(entry: str, found: str) -> ConsentgateError:
    return ConsentgateError(
        ErrorCode.CERTIFICATE_ROLE, field=entry, hint=f"It names {found}: compare `department` and the trust domain."
    )


def ready(findings: Sequence[Finding]) -> bool:
    """This side is in order: only the ledger, which another process must bring up, may be missing."""
    return healthy([found for found in findings if not found.check.startswith(LEDGER)])
