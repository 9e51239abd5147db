"""The import contracts of pyproject.toml hold, and each of them really fails when it is violated.

The second half matters: a contract whose modules were renamed passes silently for ever. Violations are made in a copy
of the import graph, not in files.
"""

from __future__ import annotations

import tomllib
from copy import deepcopy
from functools import cache
from typing import Any

import grimp
import pytest
from importlinter.configuration import configure
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract
from importlinter.contracts.protected import ProtectedContract
from importlinter.domain.contract import Contract

from tests.architecture.sources import PACKAGES, ROOT

TYPES: dict[str, type[Contract]] = {
    "layers": LayersContract,
    "protected": ProtectedContract,
    "forbidden": ForbiddenContract,
}
OPTIONS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
CONTRACTS = {entry["type"]: entry for entry in OPTIONS["contracts"]}

configure()  # as the command does first

VIOLATIONS = {
    "library imports a process": ("layers", "consentgate.evidence", "gateway.request_flow"),
    "mathematics imports the library": ("layers", "paillier.encryption", "consentgate.errors"),
    "ledger imports the library": ("layers", "ledger.entry", "consentgate.canonical"),
    "process imports another process": ("layers", "department_adapter.server", "gateway.config"),
    "client imports the gateway": ("layers", "bank_client.client", "gateway.config"),
    "ledger imports mathematics": ("layers", "ledger.entry", "paillier.encryption"),
    "package imports dev": ("layers", "gateway.config", "dev.ca"),
    "gateway imports private keys": ("protected", "gateway.computation", "paillier.private.keys"),
    "adapter imports private keys": ("protected", "department_adapter.encryption", "paillier.private"),
    "library imports private keys": ("protected", "consentgate.evidence", "paillier.private.keyfile"),
    "public half re-exports private keys": ("protected", "paillier.encryption", "paillier.private.keys"),
    "verifier imports a database": ("forbidden", "ledger.verify", "sqlalchemy"),
    "verifier imports gRPC by a detour": ("forbidden", "ledger.proof", "grpc"),
}
RECIPIENTS = {"bank_client", "company_client"}
"""The only packages that hold private keys."""


def test_all_contracts_are_known_here():
    assert set(CONTRACTS) == set(TYPES)
    assert {"layers", "protected", "forbidden"} == {violated for violated, _, _ in VIOLATIONS.values()}


@pytest.mark.parametrize("kind", TYPES)
def test_contract_holds(kind: str):
    assert _kept(kind, _graph())


@pytest.mark.parametrize(("kind", "importer", "imported"), VIOLATIONS.values(), ids=VIOLATIONS.keys())
def test_violation_is_noticed(kind: str, importer: str, imported: str):
    graph = deepcopy(_graph())
    assert importer in graph.modules, f"{importer} was renamed; choose another module"
    graph.add_import(importer=importer, imported=imported)
    assert not _kept(kind, graph)


@pytest.mark.parametrize("package", sorted({*PACKAGES, "dev"} - RECIPIENTS - {"paillier", "dev"}))
def test_private_keys_are_unreachable(package: str):
    """By no chain of imports, however long: not the gateway, not an adapter, not the ledger."""
    assert not _graph().find_shortest_chains(importer=package, imported="paillier.private", as_packages=True)


def test_private_keys_are_reachable_for_recipients():
    """Else the test above would look at nothing."""
    assert _graph().find_shortest_chains(importer="bank_client", imported="paillier.private", as_packages=True)


def test_public_mathematics_never_imports_private_keys():
    private = {module for module in _graph().modules if module.startswith("paillier.private")}
    importers = set().union(*(_graph().find_modules_that_directly_import(module) for module in private))
    assert {module for module in importers if module.startswith("paillier.")} <= private


def test_there_are_no_import_cycles():
    """Also inside of packages."""
    graph = _graph()
    cyclic = []
    for module in sorted(graph.modules):
        for imported in graph.find_modules_that_directly_import(module):
            if graph.chain_exists(importer=module, imported=imported):
                cyclic.append((imported, module))
    assert not cyclic


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph(*OPTIONS["root_packages"], include_external_packages=True, cache_dir=None)


def _kept(kind: str, graph: grimp.ImportGraph) -> bool:
    options = {name: value for name, value in CONTRACTS[kind].items() if name not in ("name", "type")}
    contract = TYPES[kind](CONTRACTS[kind]["name"], session_options=OPTIONS, contract_options=options)
    return bool(contract.check(graph, verbose=False).kept)
