"""The store's schema: its migrations, and what the gateway and its commands do with them."""

from __future__ import annotations

from pathlib import Path

from consentgate.migrations import Migrations

MIGRATIONS = Migrations(Path(__file__).parent / "migrations", "database")

upgrade = MIGRATIONS.upgrade
revisions = MIGRATIONS.revisions
