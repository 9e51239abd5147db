"""What the tables of docs/operations.md must say: every entry of every configuration file, from the pydantic models.

A table's columns are entry, form, default and meaning. The first three follow from the model; the meaning is written by
hand and kept. Entries of a list of tables are written `departments[].id`.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bank_client.config import BankConfig
from company_client.config import CompanyConfig
from consentgate import anchors
from consentgate.statements import PublicJwk
from department_adapter import mapping
from department_adapter.config import AdapterConfig
from gateway import policy_bundle
from gateway.config import GatewayConfig
from ledger_service.config import LedgerConfig, WitnessConfig
from ledger_service.officer import OfficerConfig

MODELS: Mapping[str, type[BaseModel]] = {
    "adapter.toml": AdapterConfig,
    "anchors.toml": anchors._AnchorsFile,
    "bank.toml": BankConfig,
    "categories.toml": policy_bundle._CategoriesFile,
    "company.toml": CompanyConfig,
    "gateway.toml": GatewayConfig,
    "institutions.toml": policy_bundle._InstitutionsFile,
    "ledger.toml": LedgerConfig,
    "mapping.toml columns": mapping._ColumnEntry,
    "mapping.toml sql": mapping._SqlEntry,
    "mapping.toml csv": mapping._CsvEntry,
    "officer.toml": OfficerConfig,
    "witness.toml": WitnessConfig,
}
"""Table → the model it describes."""

FORMS = {
    r"^[^\s/]+:[0-9]{1,5}$": "host:port",
    r"^[a-z0-9][a-z0-9._-]{0,63}$": "identifier",
    r"^spiffe://[a-z0-9.-]{1,255}/[a-z]{1,16}/[a-z0-9._-]{1,64}$": "SPIFFE id",
    r"^[!-*,-~]{1,255}$": "note key name",
    r"^[!#-*,-\[\]-~]{1,255}$": 'note key name without `"` and `\\`',
    r"^[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}$": "USCC",
    r"^[a-z0-9.-]{1,255}$": "trust domain",
    r"^(sqlite:///[^\s?#]+|postgresql://[^\s#]+)$": "`sqlite:///` or `postgresql://` address",
    r"^https?://[^\s]+$": "http(s) address",
    r"^[,;|\t]$": "one of `,` `;` `\\|` tab",
}
"""Patterns that have a name."""
NONE = "–"
"""Default of an entry that may be left out."""
REQUIRED = "required"
NAMED_DEFAULTS: Mapping[object, str] = {
    None: NONE,
    (): "none",
    True: "true",
    False: "false",
    policy_bundle.PACKAGED: "the packaged ones",
}

Row = tuple[str, str, str]


def rows(model: type[BaseModel]) -> list[Row]:
    """(entry, form, default) of every entry, nested tables flattened."""
    return [row for name, field in model.model_fields.items() for row in _rows(field.alias or name, field)]


def render(model: type[BaseModel], meanings: Mapping[str, str]) -> str:
    """The table in Markdown, with the meanings that there are."""
    head = "| entry | form | default | meaning |\n|---|---|---|---|\n"
    return head + "".join(
        f"| `{entry}` | {form} | {default} | {meanings.get(entry, '')} |\n" for entry, form, default in rows(model)
    )


def _rows(entry: str, field: FieldInfo) -> Iterator[Row]:
    annotation, optional = _without_none(field.annotation)
    nested, suffix = _nested(annotation)
    if nested is None:
        yield entry, _form(annotation, field.metadata), _default(field)
        return
    bounds = _count_bounds(field.metadata)
    if optional or bounds or not field.is_required():
        yield entry, f"table{'s' if suffix else ''}{bounds}", _default(field)
    for name, inner in nested.model_fields.items():
        yield from _rows(f"{entry}{suffix}.{inner.alias or name}", inner)


def _nested(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The model of a table, of a list of tables (`[]`) or of tables by name (`.<name>`)."""
    arguments = [_plain(argument) for argument in get_args(annotation) if argument is not Ellipsis]
    if isinstance(annotation, type) and issubclass(annotation, PublicJwk):
        return None, ""
    if _is_model(annotation):
        return annotation, ""
    if get_origin(annotation) is dict and _is_model(arguments[1]):
        return arguments[1], ".<name>"
    if get_origin(annotation) in (list, tuple) and arguments and _is_model(arguments[0]):
        return arguments[0], "[]"
    return None, ""


def _form(annotation: Any, metadata: list[Any]) -> str:
    if get_origin(annotation) is Annotated:
        return _form(get_args(annotation)[0], [*get_args(annotation)[1:]])
    metadata = [part for outer in metadata for part in getattr(outer, "metadata", [outer])]
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) in (list, tuple):
        return f"list of {_form(get_args(annotation)[0], [])}{_count_bounds(metadata)}"
    if get_origin(annotation) is dict:
        return "table"
    pattern = next((part.pattern for part in metadata if getattr(part, "pattern", None)), None)
    if pattern is not None:
        return FORMS[pattern]
    names: dict[Any, str] = {Path: "file", str: "text", int: "integer", bool: "true or false", PublicJwk: "Ed25519 JWK"}
    return names[annotation] + _number_bounds(metadata)


def _number_bounds(metadata: list[Any]) -> str:
    low = next((part.ge for part in metadata if getattr(part, "ge", None) is not None), None)
    high = next((part.le for part in metadata if getattr(part, "le", None) is not None), None)
    if low is None and high is None:
        return ""
    return f" {low} … {high}"


def _count_bounds(metadata: list[Any]) -> str:
    parts = [part for outer in metadata for part in getattr(outer, "metadata", [outer])]
    low = next((part.min_length for part in parts if getattr(part, "min_length", None) is not None), None)
    high = next((part.max_length for part in parts if getattr(part, "max_length", None) is not None), None)
    if low is None and high is None:
        return ""
    return f", {low or 0} … {high}"


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return REQUIRED
    if isinstance(value, BaseModel):
        return "as below"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"`{value}`"
    return NAMED_DEFAULTS.get(value, f"`{value}`")


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (types.UnionType, typing.Union):
        kept = [argument for argument in get_args(annotation) if argument is not type(None)]
        if len(kept) == 1:
            return kept[0], True
    return annotation, False


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def entry_name(cell: str) -> str:
    """The entry in a table's first cell."""
    found = re.fullmatch(r"`([^`]+)`", cell)
    return found[1] if found else cell
