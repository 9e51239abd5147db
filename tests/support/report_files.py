"""An officer who may sign, an operator, and reports by both of a log in files."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from consentgate.anchors import Anchors
from consentgate.identity import SpiffeId
from consentgate.signing import InstitutionSigner, PersonSigner
from consentgate.statements import LedgerReportClaims
from ledger_service.local_log import opened_log
from ledger_service.report.folder import Order, file_digest, write_report
from ledger_service.report.period import Period
from ledger_service.report.reading import VerifiedLog, files_source
from ledger_service.report.statement import STATEMENT_FILE, ReportSigner, audience
from ledger_service.report.summary import SUMMARY_FILE, Summary
from tests.support.ledger_files import write_anchors, write_officer_config
from tests.support.ledger_server import CA, DOMAIN, OFFICER
from tests.support.member_ca import certificate_pem, ed25519_key, private_pem
from tests.support.sample_log import COSIGNED_AT
from tests.support.witnessed_log import ORIGIN, log_signer

NOW = COSIGNED_AT
"""When the reports are made: the sample log was witnessed then."""


def signing_officer_config(folder: Path, address: str) -> Path:
    """`officer.toml` with a signing certificate."""
    path = write_officer_config(folder, address)
    certificate, key = write_signing_pair(folder, OFFICER)
    path.write_text(
        f'{path.read_text()}[signing]\ncertificate = "{certificate.name}"\nprivate_key = "{key.name}"\n',
        encoding="utf-8",
    )
    return path


def write_signing_pair(folder: Path, member: SpiffeId) -> tuple[Path, Path]:
    """Signing certificate and key of a member."""
    key = ed25519_key(f"signs {member}")
    paths = folder / f"{member.id}.signing.crt", folder / f"{member.id}.signing.key"
    paths[0].write_bytes(certificate_pem(CA.issue(str(member), key)))
    paths[1].write_bytes(private_pem(key))
    return paths


def officer_signer(folder: Path, member: SpiffeId = OFFICER) -> ReportSigner:
    """The officer's (or, wrongly, another member's) signing certificate."""
    return ReportSigner.of_officer(InstitutionSigner.load(*write_signing_pair(folder, member)))


def log_key_signer(folder: Path, label: str = "the log") -> ReportSigner:
    """The log's own key, or with another label a stranger's under the log's name."""
    path = folder / f"{label}.pem"
    path.write_bytes(log_signer(label).to_pem())
    return ReportSigner.of_log(ORIGIN, PersonSigner.load(path))


def anchors_in(folder: Path) -> Anchors:
    """Anchors that know the sample log, its witnesses and the member CA."""
    folder.mkdir(exist_ok=True)
    return Anchors.load(write_anchors(folder))


def make_report(
    directory: Path,
    log: Path,
    anchors: Anchors,
    signer: ReportSigner,
    period: str | None = None,
    now: datetime = NOW,
) -> Summary:
    """A report of a log in files."""
    with opened_log(log) as opened:
        reading = VerifiedLog(files_source(opened), anchors.log_policy)
        order = Order(anchors, signer, None if period is None else Period.parse(period), now)
        return write_report(directory, reading, order)


def sign_again(directory: Path, signer: ReportSigner, **changed: object) -> None:
    """What a dishonest signer does after altering files: digests and statement fit again; `changed` are claims."""
    summary = Summary.parse((directory / SUMMARY_FILE).read_bytes())
    digests = {name: file_digest(directory / name) for name in sorted(summary.files)}
    sign_summary(directory, summary.model_copy(update={"files": digests}), signer, **changed)


def sign_summary(directory: Path, summary: Summary, signer: ReportSigner, **changed: object) -> None:
    """Writes a summary and a statement over it."""
    content = summary.encode()
    (directory / SUMMARY_FILE).write_bytes(content)
    claims = {
        "aud": audience(DOMAIN),
        "iat": int(NOW.timestamp()),
        "iss": signer.name,
        "log": summary.log,
        "size": summary.tree.size,
        "root": summary.tree.root,
        "entries": summary.figures.entries,
        "summary": hashlib.sha256(content).hexdigest(),
    }
    (directory / STATEMENT_FILE).write_bytes(signer.sign(LedgerReportClaims.model_validate({**claims, **changed})))


@dataclass(frozen=True)
class ReportHouse:
    """Whoever makes reports: anchors, keys, the log they are about, and one report of it by the officer."""

    folder: Path
    export: Path
    report: Path
    anchors: Anchors
    officer: ReportSigner
    operator: ReportSigner

    @classmethod
    def built(cls, folder: Path, export: Path) -> ReportHouse:
        """In a folder, around an export."""
        anchors, officer = anchors_in(folder / "anchors"), officer_signer(folder)
        make_report(folder / "report", export, anchors, officer)
        return cls(folder, export, folder / "report", anchors, officer, log_key_signer(folder))

    def copy(self, to: Path) -> Path:
        """The report, to be altered."""
        return Path(shutil.copytree(self.report, to / "report"))
