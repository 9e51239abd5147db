"""`ledger report`: a regulator's export of a period, and its verification.

From the running ledger, as an officer: the ledger records that the whole log was read (`access.read`), and the report
holds that entry too. From files, or by the operator from the database: not recorded, since whoever holds them can read
them with any program. Either way every entry is verified with the anchors of whoever makes the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from consentgate.anchors import Anchors
from consentgate.certificates import refuse_development_ca
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.signing import InstitutionSigner, PersonSigner
from consentgate.terminal import note, show
from ledger_service.cli_output import explaining, measuring
from ledger_service.cli_source import OFFICER_TOML, AsJson, Development, OtherAddress
from ledger_service.config import LedgerConfig
from ledger_service.local_log import opened_log
from ledger_service.officer import OfficerConfig, OfficerLedger
from ledger_service.report.check import Verified, check_report
from ledger_service.report.folder import Order, write_report
from ledger_service.report.parquet_table import require_pyarrow
from ledger_service.report.period import Period
from ledger_service.report.reading import Source, VerifiedLog, files_source
from ledger_service.report.statement import ReportSigner
from ledger_service.report.summary import Summary


def _period(text: str) -> Period:
    try:
        return Period.parse(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, e.g. 2026, 2026-10 or 2026-10-01/2026-12-15") from error


def report(
    directory: Annotated[Path, typer.Argument(help="Folder to be made; with --verify, a report.")],
    verify: Annotated[bool, typer.Option("--verify", help="Verify a report instead of making one.")] = False,
    period: Annotated[
        Period | None,
        typer.Option(parser=_period, metavar="PERIOD", help="Years, months or days of UTC: 2026-10, 2026-01/2026-03."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Read an export or a database file instead; not recorded.", exists=True),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help=f"The officer's configuration; without it, {OFFICER_TOML}."),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(help="For the operator: ledger.toml. Reads its database, signs with the log's key; not recorded."),
    ] = None,
    anchors: Annotated[
        Path | None, typer.Option(help="With --verify: the verifier's own anchors.toml; asks no server.", exists=True)
    ] = None,
    address: OtherAddress = None,
    development: Development = False,
    as_json: AsJson = False,
) -> None:
    """Make a regulator's report of a period: CSV, Parquet, charts and a signed summary. Or verify one (--verify).

    With --verify and a log (--from, --config or --ledger) every row is compared with the log too.
    """
    if sum(given is not None for given in (config, ledger, anchors)) > 1 or (anchors is not None and not verify):
        raise typer.BadParameter("give one of --config, --ledger and, with --verify, --anchors")
    if verify and period is not None:
        raise typer.BadParameter("a report says itself of which period it is", param_hint="--period")
    require_pyarrow()
    place = _Place(config or OFFICER_TOML, ledger, anchors, source, address, development)
    if verify:
        _verify(directory, place, as_json)
    else:
        _make(directory, place, period, as_json)


@dataclass(frozen=True)
class _Place:
    """Whose anchors and keys, and where the log is."""

    config: Path
    ledger: Path | None
    anchors: Path | None
    source: Path | None
    address: str | None
    development: bool

    def trusted(self) -> Anchors:
        """The anchors of whoever runs the command."""
        if self.anchors is not None:
            path = self.anchors
        else:
            path = OfficerConfig.load(self.config).anchors if self.ledger is None else self._operator().anchors
        anchors = Anchors.load(path)
        if not self.development:
            refuse_development_ca(anchors.member_ca)
        return anchors

    def signer(self) -> ReportSigner:
        """The log's key, or the officer's certificate."""
        if self.ledger is not None:
            operator = self._operator()
            return ReportSigner.of_log(operator.origin, PersonSigner.load(operator.signing_key))
        pair = OfficerConfig.load(self.config).signing
        if pair is None:
            hint = "A report is signed: give the officer a signing certificate, and name it in the table signing."
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{self.config}: signing", hint=hint)
        return ReportSigner.of_officer(InstitutionSigner.load(pair.certificate, pair.private_key))

    @contextmanager
    def opened(self) -> Iterator[Source]:
        """The log: files, the operator's database, or the running ledger."""
        if self.source is not None or self.ledger is not None:
            note("read from files: this is not recorded on the ledger")
            with opened_log(self.source or self._operator().database) as log:
                yield files_source(log)
            return
        officer = OfficerConfig.load(self.config)
        with OfficerLedger.open(officer, self.address, allow_development_ca=self.development) as ledger:
            note("read from the ledger, which records it (access.read)")
            yield Source(ledger.checkpoint(), ledger.history())

    def _operator(self) -> LedgerConfig:
        if self.ledger is None:
            raise typer.BadParameter("is needed", param_hint="--ledger")
        return LedgerConfig.load(self.ledger)


def _make(directory: Path, place: _Place, period: Period | None, as_json: bool) -> None:
    if directory.exists():
        raise typer.BadParameter("exists already; a report is never overwritten", param_hint="DIRECTORY")
    order = Order(place.trusted(), place.signer(), period, datetime.now(UTC))
    with explaining(as_json), place.opened() as source, measuring("Reading") as progress:
        summary = write_report(directory, VerifiedLog(source, order.anchors.log_policy, progress), order)
    members = {"directory": str(directory), "signer": order.signer.name, **_members(summary)}
    show(members, [f"report in {directory}, signed by {order.signer.name}", *_lines(summary)], as_json)


def _verify(directory: Path, place: _Place, as_json: bool) -> None:
    anchors, now = place.trusted(), datetime.now(UTC)
    if not directory.is_dir():
        raise typer.BadParameter("is no folder", param_hint="DIRECTORY")
    with explaining(as_json), _saying_invalid(as_json):
        if place.anchors is not None and place.source is None:
            note("without a log (--from) nothing says that the rows are all that the ledger holds of the period")
            found = check_report(directory, anchors, now)
        else:
            with place.opened() as source, measuring("Verifying") as progress:
                found = check_report(directory, anchors, now, VerifiedLog(source, anchors.log_policy, progress))
    _show_verified(found, as_json)


@contextmanager
def _saying_invalid(as_json: bool) -> Iterator[None]:
    """A report that does not hold is a result too."""
    try:
        yield
    except ConsentgateError as error:
        if as_json and error.code is ErrorCode.REPORT_INVALID:
            show({"valid": False, "error": str(error.code), "problem": error.field}, [], True)
        raise


def _show_verified(found: Verified, as_json: bool) -> None:
    members = {
        "valid": True,
        "signer": found.signer,
        "issued_at": found.issued_at.isoformat(),
        "rows_compared_with_log": found.against_log,
        **_members(found.summary),
    }
    rows = "the rows are the ledger's" if found.against_log else "the rows were NOT compared with the ledger"
    head = f"the report holds: signed by {found.signer} at {found.issued_at.isoformat()}; {rows}"
    show(members, [head, *_lines(found.summary)], as_json)


def _members(summary: Summary) -> Mapping[str, object]:
    told = summary.model_dump(mode="json", exclude_none=True)
    return {name: told[name] for name in ("log", "period", "tree", "figures", "files") if name in told}


def _lines(summary: Summary) -> list[str]:
    figures, period, tree = summary.figures, summary.period, summary.tree
    when = "all entries" if period is None else f"{period.not_before} up to, without, {period.before}"
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in figures.by_verdict.items()) or "none"
    return [
        f"  {'log':16} {summary.log}",
        f"  {'period':16} {when}",
        f"  {'entries':16} {figures.entries} of {tree.size}, {figures.tokens} subject tokens",
        f"  {'decisions':16} {verdicts}",
        f"  {'root':16} {tree.root}",
        f"  {'quorum reached':16} {tree.cosigned_at or 'no quorum in the policy'}",
    ]
