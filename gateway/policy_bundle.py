"""Loading of the policy bundle: `*.cedar`, `schema.cedarschema`, `categories.toml`, and the institutions file.

Everything is checked here, at start, so that a broken bundle cannot decide anything (design 4). Errors are
CONFIG_INVALID and name file and entry. Purposes and licences that an explanation may propose are the string
literals of the policies' own conditions, so there is no second list to keep.

The institutions file (`institutions` in gateway.toml) is the operator's list of members as law sees them. An
institution that it does not name is denied everything. One table per institution, named by its SPIFFE id's last part:

    [institutions."bank-a"]
    licences = ["banking"]      # licence types that the policies ask for: banking, credit-reporting, guarantee
    supervisor = "nfra"         # the authority that supervises it
    suspended = false           # true: the operator or the supervisor has stopped its access
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import cedarpy
from pydantic import BaseModel, Field

from consentgate import canonical
from consentgate.config import Table, read_config
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import Identifier

PACKAGED = Path(__file__).parent / "policies"
"""The bundle that comes with the program; an operator may point to a directory of its own."""
SCHEMA_FILE = "schema.cedarschema"
CATEGORIES_FILE = "categories.toml"
POLICY_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Form of an `@id`: decisions name them in ledger leaves, which admit nothing else."""

Model = TypeVar("Model", bound=BaseModel)


class Institution(Table):
    """A member of the federation as law sees it."""

    licences: Annotated[list[Identifier], Field(max_length=64)]
    supervisor: Identifier
    suspended: bool


class Category(Table):
    """A category of departments' data."""

    department: Identifier
    level: Literal["public", "conditional", "restricted"]
    high_risk: bool
    legal_basis: Annotated[str, Field(min_length=1, max_length=400)]


class _InstitutionsFile(Table):
    institutions: dict[Identifier, Institution]


class _CategoriesFile(Table):
    categories: dict[Identifier, Category]


@dataclass(frozen=True)
class PolicyBasis:
    """A policy's `@id` and the article it stands on."""

    id: str
    basis: str


@dataclass(frozen=True)
class PolicyBundle:
    """Everything a decision depends on besides the question."""

    policies: cedarpy.PolicySet
    schema: cedarpy.Schema
    entities: cedarpy.Entities
    institutions: Mapping[str, Institution]
    categories: Mapping[str, Category]
    basis: Mapping[str, PolicyBasis]
    literals: frozenset[str]
    purposes: frozenset[str]
    digest: str

    @classmethod
    def load(cls, directory: Path, institutions_file: Path) -> PolicyBundle:
        """Reads and validates the bundle; raises CONFIG_INVALID naming the file at fault."""
        texts = {path.name: _read(path) for path in sorted(directory.glob("*.cedar"))}
        if not texts:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{directory}: *.cedar")
        schema_text = _read(directory / SCHEMA_FILE)
        schema = _parse_schema(directory / SCHEMA_FILE, schema_text)
        policies_text = "\n".join(texts.values())
        documents = _parse_policies(directory, policies_text, schema)
        institutions = read_config(_InstitutionsFile, institutions_file).institutions
        categories = read_config(_CategoriesFile, directory / CATEGORIES_FILE).categories
        digest_input = {
            "policies": texts,
            "schema": schema_text,
            "categories": {name: entry.model_dump(mode="json") for name, entry in categories.items()},
            "institutions": {name: entry.model_dump(mode="json") for name, entry in institutions.items()},
        }
        literals = frozenset(_literals(documents))
        return cls(
            policies=cedarpy.PolicySet.from_str(policies_text),
            schema=schema,
            entities=_entities(institutions, categories, schema),
            institutions=institutions,
            categories=categories,
            basis=_annotations(directory, documents),
            literals=literals,
            purposes=frozenset(literal for literal in literals if "." in literal),
            digest=canonical.digest(canonical.encode(digest_input)),
        )

    def with_institution(self, name: str, institution: Institution) -> PolicyBundle:
        """The same bundle with one institution changed: only for explanations, never for decisions."""
        institutions = {**self.institutions, name: institution}
        entities = _entities(institutions, self.categories, self.schema)
        return replace(self, institutions=institutions, entities=entities)

    def altered_institutions(self, name: str) -> Iterator[tuple[Institution, tuple[str, str]]]:
        """Single changes to an institution that somebody could make, each with the fact and a hint."""
        known = self.institutions.get(name)
        if known is None:
            return
        if known.suspended:
            hint = "The operator or the supervisor would have to lift the institution's suspension."
            yield known.model_copy(update={"suspended": False}), ("institution.suspended", hint)
        for licence in sorted(self.literals - self.purposes - {*known.licences}):
            hint = f"The institution would need the licence {licence}."
            changed = known.model_copy(update={"licences": [*known.licences, licence]})
            yield changed, ("institution.licences", hint)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path)) from error


def _parse_schema(path: Path, text: str) -> cedarpy.Schema:
    try:
        return cedarpy.Schema.from_str(text)
    except ValueError as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path), private=str(error)) from error


def _parse_policies(directory: Path, text: str, schema: cedarpy.Schema) -> dict[str, Any]:
    """Policies in Cedar's JSON form, validated against the schema."""
    result = cedarpy.validate_policies(text, schema)
    if not result.validation_passed:
        named = result.id_annotations_by_policy_id
        first = result.errors[0] if result.errors else None
        policy = "" if first is None else named.get(first.policy_id, first.policy_id)
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{directory}: policy {policy}", private=str(first))
    documents = json.loads(cedarpy.policies_to_json_str(text))
    if documents.get("templates") or documents.get("templateLinks"):
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{directory}: policy templates")
    return dict(documents["staticPolicies"])


def _annotations(directory: Path, documents: Mapping[str, Any]) -> dict[str, PolicyBasis]:
    basis: dict[str, PolicyBasis] = {}
    for document in documents.values():
        annotations = document.get("annotations", {})
        for name in ("id", "basis"):
            if not annotations.get(name):
                raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{directory}: a policy without @{name}")
        if not POLICY_ID.fullmatch(annotations["id"]):
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{directory}: @id {annotations['id']}")
        if annotations["id"] in basis:
            raise ConsentgateError(
                ErrorCode.CONFIG_INVALID, field=f"{directory}: two policies with @id {annotations['id']}"
            )
        basis[annotations["id"]] = PolicyBasis(annotations["id"], annotations["basis"])
    return basis


def _literals(value: object) -> Iterator[str]:
    """All string literals in the conditions of policies (Cedar JSON: {"Value": "..."})."""
    if isinstance(value, Mapping):
        literal = value.get("Value")
        if isinstance(literal, str):
            yield literal
        for member in value.values():
            yield from _literals(member)
    elif isinstance(value, list):
        for member in value:
            yield from _literals(member)


def _entities(
    institutions: Mapping[str, Institution], categories: Mapping[str, Category], schema: cedarpy.Schema
) -> cedarpy.Entities:
    documents = [
        {
            "uid": {"type": "Institution", "id": name},
            "attrs": {
                "licences": entry.licences,
                "supervisor": entry.supervisor,
                "suspended": entry.suspended,
            },
            "parents": [],
        }
        for name, entry in institutions.items()
    ]
    documents += [
        {
            "uid": {"type": "Category", "id": name},
            "attrs": {"department": entry.department, "level": entry.level, "high_risk": entry.high_risk},
            "parents": [],
        }
        for name, entry in categories.items()
    ]
    return cedarpy.Entities.from_json_str(json.dumps(documents), schema)
