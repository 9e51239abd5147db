"""`ledger anchor`: a timestamp (RFC 3161) over the newest checkpoint, by an authority that is no party.

For the operator, with `--config`: the token goes into the configured folder, where the running ledger finds and records
it. The running ledger asks by itself, too (`ledger_service.timestamp_requester`). Or for an exported directory, by
whoever keeps it. The checkpoint is verified before it is sent anywhere: nobody shall timestamp what the witnesses did
not see.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.terminal import show
from ledger.errors import TimestampUnavailable
from ledger.export import read_checkpoint, write_sums
from ledger.policy import LogPolicy
from ledger.timestamp import token_digest, verify_token
from ledger.timestamp_files import TIMESTAMPS_FOLDER, Timestamped, has_timestamp, write_timestamp
from ledger.verify import verify_export
from ledger_service.cli_export import open_source
from ledger_service.cli_output import explaining, load_policy, load_roots, measuring
from ledger_service.config import LedgerConfig
from ledger_service.local_log import opened_log
from ledger_service.timestamp_authority import timestamp


@dataclass(frozen=True)
class _Task:
    note: bytes
    policy: LogPolicy
    folder: Path
    url: str
    roots: Path


def anchor(
    directory: Annotated[Path | None, typer.Argument(help="An export; else --config.", exists=True)] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The ledger's configuration, with its table timestamps.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="With an export: ledger-policy.txt.", exists=True, dir_okay=False)
    ] = None,
    tsa: Annotated[str | None, typer.Option(help="With an export: the authority's URL.")] = None,
    roots: Annotated[
        Path | None, typer.Option(help="With an export: certificates (PEM) that vouch for the authority.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Result as JSON.")] = False,
) -> None:
    """Have a timestamp authority confirm the newest checkpoint, and keep its token beside it."""
    if config is not None and directory is None and policy is None and tsa is None and roots is None:
        _anchor(_configured(config), as_json)
        return
    if config is not None or directory is None or policy is None or tsa is None or roots is None:
        raise typer.BadParameter("give either --config, or DIRECTORY with --policy, --tsa and --roots")
    trusted = load_policy(policy)
    with explaining(as_json), measuring("Verifying") as progress:
        verify_export(directory, trusted, progress)
    _anchor(_Task(read_checkpoint(directory), trusted, directory / TIMESTAMPS_FOLDER, tsa, roots), as_json)
    write_sums(directory)


def _configured(path: Path) -> _Task:
    config = LedgerConfig.load(path)
    if config.timestamps is None:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{path}: timestamps")
    table = config.timestamps
    source, policy = open_source(path, None, None)
    with opened_log(source) as log:
        return _Task(log.note, policy, table.folder, table.url, table.roots)


def _anchor(task: _Task, as_json: bool) -> None:
    with explaining(as_json):
        checkpoint = task.policy.check(task.note).checkpoint
        if has_timestamp(task.folder, checkpoint.size):
            members = {"size": checkpoint.size, "anchored": False}
            show(members, [f"a tree of {checkpoint.size} entries has its timestamp already"], as_json)
            return
        roots = load_roots(task.roots)
        try:
            token = timestamp(task.note, task.url, roots)
        except TimestampUnavailable as error:
            raise _unavailable(error) from error
        path = write_timestamp(task.folder, checkpoint.size, Timestamped(task.note, token))
        moment = verify_token(token, task.note, roots)
    found: dict[str, object] = {
        "size": checkpoint.size,
        "anchored": True,
        "time": moment.isoformat(),
        "token": token_digest(token),
        "file": str(path),
    }
    show(found, [f"{checkpoint.size} entries existed at {moment.isoformat()}: {path}"], as_json)


def _unavailable(error: TimestampUnavailable) -> ConsentgateError:
    """The authority's silence, which is nothing of the ledger's."""
    return ConsentgateError(ErrorCode.UNAVAILABLE, field=str(error), hint=error.hint)
