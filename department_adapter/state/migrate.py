"""The state's schema: its migrations, and what the adapter and its commands do with them."""

from __future__ import annotations

from pathlib import Path

from consentgate.migrations import Migrations

MIGRATIONS = Migrations(Path(__file__).parent / "migrations", "state")

upgrade = MIGRATIONS.upgrade
revisions = MIGRATIONS.revisions
