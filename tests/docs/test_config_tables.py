"""docs/operations.md describes every entry of every configuration file, with form, bounds and default."""

from __future__ import annotations

import importlib

import pytest

from consentgate.terminal import ExitCode
from tests.docs.config_tables import MODELS, entry_name, rows
from tests.docs.pages import ROOT, config_tables, numbered_lines

TABLES = dict(config_tables(ROOT / "docs" / "operations.md"))


@pytest.mark.parametrize("name", MODELS)
def test_table_equals_the_model(name: str) -> None:
    documented = [(entry_name(entry), form, default) for entry, form, default, _ in TABLES[name]]
    assert documented == rows(MODELS[name]), "say: python -m tests.docs.regenerate"


@pytest.mark.parametrize("name", MODELS)
def test_every_entry_has_a_meaning(name: str) -> None:
    assert all(meaning for *_, meaning in TABLES[name])


def test_every_configuration_has_its_table() -> None:
    modules = [importlib.import_module(path.parent.name + ".config") for path in ROOT.glob("*/config.py")]
    found = {
        model
        for module in modules
        for name, model in vars(module).items()
        if name.endswith("Config") and hasattr(model, "load")
    }
    assert len(found) > 5
    assert found <= set(MODELS.values())


def test_bounds_and_defaults_show() -> None:
    """The tables would be worth nothing if the rendering lost what they are for."""
    gateway = {entry_name(row[0]): row[1:3] for row in TABLES["gateway.toml"]}
    assert gateway["department_deadline_seconds"] == ["integer 1 … 50", "`10`"]
    assert gateway["departments"] == ["tables, 0 … 1024", "required"]


def test_exit_codes_are_listed() -> None:
    lines = [line for _, line in numbered_lines(ROOT / "docs" / "operations.md")]
    section = lines[lines.index("## Exit codes") :]
    listed = [
        int(line.split("|")[1]) for line in section if line.startswith("| ") and line.split("|")[1].strip().isdigit()
    ]
    assert listed == [int(code) for code in ExitCode]
