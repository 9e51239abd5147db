"""`gateway keygen`, `rewrap` and `discard-unreadable`: the key under which the data keys of companies are wrapped, and
what is left when keys are lost.

The file is kept apart from both databases, and its backup apart from theirs: without it nothing that names a company
can be read, with it and both databases everything can.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from consentgate.terminal import confirm, show
from gateway.config import GatewayConfig
from gateway.store import key_encryption_key, migrate, unreadable

Config = Annotated[Path, typer.Option("--config", "-c", help="The gateway's configuration (gateway.toml).")]
AsJson = Annotated[bool, typer.Option("--json", help="Results as JSON.")]
GATEWAY_TOML = Path("gateway.toml")


def keygen_command(config: Config = GATEWAY_TOML, as_json: AsJson = False) -> None:
    """Make the key-encryption key, in the file that the configuration names. Never overwrites one."""
    path = GatewayConfig.load(config).subject_keys.key_encryption_key
    made = key_encryption_key.create(path)
    lines = [f"key {made.id} in {path}", "back it up apart from the databases: without it they cannot be read"]
    show({"key": made.id, "file": str(path)}, lines, as_json)


def rewrap_command(
    config: Config = GATEWAY_TOML,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Wrap all data keys under a new key-encryption key, which takes the file's place. A gateway may run meanwhile.

    Rows are not sealed anew: who had the old key and the key database keeps what they opened.
    """
    if not yes:
        confirm("Replace the key-encryption key? Its backup must be made anew.")
    settings = GatewayConfig.load(config)
    database = settings.open_store()
    try:
        migrate.check(database)
        count = database.keys.rewrap()
        key = database.keys.key_id
    finally:
        database.close()
    lines = [
        f"{count} data keys wrapped under key {key}",
        "back up the new key: the old one opens nothing here now",
    ]
    show({"keys": count, "key": key}, lines, as_json)


def discard_command(
    config: Config = GATEWAY_TOML,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete rows whose data keys are lost, and go on with the key database that there is. For a stopped gateway.

    After the key database was lost or replaced by an older copy. Companies whose rows go consent once more, under their
    old tokens. Erase again what was erased since a copy was made: the ledger's `erasure.performed` say which tokens.
    """
    database = GatewayConfig.load(config).open_store()
    try:
        key_database = migrate.prepare_keys(database)
        counts = database.transact(lambda session: unreadable.find(session).counts)
        if not yes:
            confirm(f"Delete {_counted(counts)} that no key opens any more? There is no way back.")
        done = database.transact(lambda session: _discard(session, key_database))
        database.scrub()
    finally:
        database.close()
    show({**done}, [f"deleted: {_counted(done)}"], as_json)


def _discard(session: Session, key_database: str) -> dict[str, int]:
    done = unreadable.discard(session)
    migrate.rebind(session, key_database)
    return done


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
