"""Where `ledger show` and `ledger search` read: from the running ledger, or from files at hand.

Over gRPC, as an officer (`--config officer.toml`): the ledger records the question as `access.read` before it answers.
From files (`--from`), nothing is recorded: whoever holds an export or the database file could read it with any program,
so recording here would be a promise that cannot be kept. The command says so on stderr.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from consentgate.terminal import note
from ledger.verify import verify_export, verify_leaves
from ledger_service.cli_output import load_policy, measuring
from ledger_service.local_log import LocalLog, opened_log
from ledger_service.officer import OfficerConfig, OfficerLedger

OFFICER_TOML = Path("officer.toml")

From = Annotated[
    Path | None,
    typer.Option("--from", help="Read an export or a database file instead; not recorded.", exists=True),
]
Config = Annotated[Path, typer.Option("--config", "-c", help="The officer's configuration (officer.toml).")]
OtherAddress = Annotated[str | None, typer.Option("--address", help="The ledger's address, if not the configured one.")]
OptionalPolicy = Annotated[
    Path | None,
    typer.Option(help="With --from: verify against this ledger-policy.txt first.", exists=True, dir_okay=False),
]
Development = Annotated[bool, typer.Option("--development", help="Accept a development CA.")]
AsJson = Annotated[bool, typer.Option("--json", help="Result as JSON.")]


@contextmanager
def local_log(path: Path, policy: Path | None) -> Iterator[LocalLog]:
    """The log in files; the whole of it is verified first when there is a policy, and stderr says what was not done."""
    note("read from files: this is not recorded on the ledger")
    if policy is None:
        note("without --policy nothing says that this is the log the witnesses saw")
    with opened_log(path) as log:
        if policy is not None:
            trusted = load_policy(policy)
            with measuring("Verifying") as progress:
                if path.is_dir():
                    verify_export(path, trusted, progress)
                else:
                    verify_leaves(log.leaves(), log.note, trusted, progress)
        yield log


def officer_ledger(config: Path, address: str | None, development: bool) -> OfficerLedger:
    """The running ledger."""
    return OfficerLedger.open(OfficerConfig.load(config), address, allow_development_ca=development)
