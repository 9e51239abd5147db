"""The closed table of entry kinds: which fields a body may have, and of which form each must be.

Whatever is not listed is refused, so free text, company codes, values and scores cannot enter a leaf by
construction. `financing.*` is reserved: no body is defined for it yet, so it is refused like any unknown
kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from ledger.errors import EntryInvalid

Check = Callable[[object, str], None]
Admits = Callable[[str], object]
"""Something true for texts that it admits: `fullmatch` of a pattern."""

MAX_INTEGER = 2**53 - 1
"""Largest integer every JSON reader represents exactly (RFC 7493 section 2.2)."""
MAX_LIST = 4096
"""Most members of a list in a body; the leaf size is the tighter bound."""
COMPANY_CODE = re.compile(r"[0-9a-z]{18}|(.*[._-])?[0-9a-z]{2}[0-9]{6}[0-9a-z]{10}([._-].*)?")
"""The shape of a unified social credit code (GB 32100-2015: 18 characters, the third to eighth a region in
digits), alone or between separators: refused wherever an identifier is allowed, so that a slip upstream
cannot publish a company.
"""


COMPANY_CODE_LENGTH = 18


@dataclass(frozen=True)
class Form:
    """The form of a field: `check(value, field)` raises EntryInvalid naming the field; `text` is what
    docs/ledger-format.md calls it. `admits` is a shortcut and may be missing: of a text that it matches, `check` is
    known to have nothing to say (a property test compares the two); of any other, `check` decides.
    """

    text: str
    check: Check
    admits: Admits | None = None


def _pattern(expression: str) -> Check:
    matches = re.compile(expression).fullmatch

    def check(value: object, field: str) -> None:
        if not isinstance(value, str) or not matches(value):
            raise EntryInvalid(field)

    return check


def _textual(text: str, expression: str) -> Form:
    """A form that is one pattern."""
    return Form(text, _pattern(expression), re.compile(expression).fullmatch)


_timestamp_form = _pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_common_timestamp = re.compile(
    r"[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
).fullmatch
"""Of a day that every month has: these exist without asking a calendar."""
_identifier_form = _pattern(r"[a-z0-9][a-z0-9._-]{0,63}")
_short_identifier = re.compile(r"[a-z0-9][a-z0-9._-]{0,16}").fullmatch
"""Shorter than any company code."""


def _check_identifier(value: object, field: str) -> None:
    _identifier_form(value, field)
    text = str(value)
    if len(text) >= COMPANY_CODE_LENGTH and COMPANY_CODE.fullmatch(text):
        raise EntryInvalid(field)


def _check_timestamp(value: object, field: str) -> None:
    """A moment that exists, always with six decimals."""
    if isinstance(value, str) and _common_timestamp(value):
        return
    _timestamp_form(value, field)
    try:
        datetime.fromisoformat(str(value))
    except ValueError as error:
        raise EntryInvalid(field) from error


def _check_unsigned(value: object, field: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_INTEGER:
        raise EntryInvalid(field)


def _one_of(*allowed: str) -> Form:
    def check(value: object, field: str) -> None:
        if value not in allowed:
            raise EntryInvalid(field)

    return Form(" or ".join(f"`{text}`" for text in allowed), check, frozenset(allowed).__contains__)


def _list_of(item: Form) -> Form:
    def check(value: object, field: str) -> None:
        if not isinstance(value, list) or len(value) > MAX_LIST:
            raise EntryInvalid(field)
        for index, member in enumerate(value):
            if item.admits is None or type(member) is not str or not item.admits(member):
                item.check(member, f"{field}[{index}]")

    return Form(f"list of {item.text}", check)


def _object(**fields: Form) -> Form:
    def check(value: object, field: str) -> None:
        if not isinstance(value, dict) or set(value) != set(fields):
            raise EntryInvalid(field)
        for name, form in fields.items():
            member = value[name]
            if form.admits is None or type(member) is not str or not form.admits(member):
                form.check(member, f"{field}.{name}")

    return Form("{" + ", ".join(f"`{name}`: {form.text}" for name, form in fields.items()) + "}", check)


hex16 = _textual("hex16", r"[0-9a-f]{32}")
hex32 = _textual("hex32", r"[0-9a-f]{64}")
reason = _textual("reason", r"[A-Z][A-Z_]{1,48}")
timestamp = Form("time", _check_timestamp, _common_timestamp)
unsigned = Form("integer", _check_unsigned)
identifier = Form("identifier", _check_identifier, _short_identifier)
use = _one_of("SCORE", "PROFILE", "MATCH")
identifiers = _list_of(identifier)


def _no_shortcut(_: str) -> bool:
    return False


@dataclass(frozen=True)
class Kind:
    """Required and optional fields of one kind of entry."""

    required: Mapping[str, Form]
    optional: Mapping[str, Form]

    @cached_property
    def _checks(self) -> Mapping[str, tuple[Admits, Check, str]]:
        """Field → shortcut, check, name in errors; looked up for every field of every leaf that is verified."""
        forms = {**self.optional, **self.required}
        return {name: (form.admits or _no_shortcut, form.check, f"body.{name}") for name, form in forms.items()}

    def knows(self, names: Set[str]) -> bool:
        """Whether all of these are fields of this kind."""
        return names <= self._checks.keys()

    def check(self, body: Mapping[str, object]) -> None:
        """Raises EntryInvalid naming the first field that is missing, unknown or malformed."""
        if not self.required.keys() <= body.keys():
            raise EntryInvalid(f"body.{min(self.required.keys() - body.keys())}")
        checks = self._checks
        for name, value in body.items():
            found = checks.get(name)
            if found is None:
                raise EntryInvalid(f"body.{name}")
            if type(value) is not str or not found[0](value):
                found[1](value, found[2])


def _kind(optional: Mapping[str, Form] | None = None, /, **required: Form) -> Kind:
    return Kind(required, optional or {})


_transition = _kind(consent_id=hex16, version=unsigned, digest=hex32, subject=hex16)
_approval = _kind(
    group=identifier,
    members=identifiers,
    sequence=unsigned,
    approval=hex32,
    previous=hex32,
    scorecards=_list_of(hex32),
    scorecard=hex32,
)

KINDS: Mapping[str, Kind] = {
    "consent.granted": _kind(
        consent_id=hex16,
        version=unsigned,
        digest=hex32,
        subject=hex16,
        group=identifier,
        institution=identifier,
        purpose=identifier,
        use=use,
        categories=identifiers,
        valid_from=timestamp,
        valid_until=timestamp,
    ),
    "consent.paused": _transition,
    "consent.resumed": _transition,
    "consent.revoked": _transition,
    "consent.expired": _kind(consent_id=hex16, version=unsigned, subject=hex16),
    "scorecard.registered": _kind({"institution": identifier}, scorecard=hex32),
    "scorecard.approved": _approval,
    "scorecard.retired": _approval,
    "policy.changed": _kind(policy=hex32, previous=hex32),
    "query.decision": _kind(
        {
            "group": identifier,
            "subject": hex16,
            "consent_id": hex16,
            "consent_version": unsigned,
            "consent_digest": hex32,
            "approval": hex32,
            "catalogue": hex32,
            "departments": _list_of(_object(id=identifier, columns=identifiers)),
            "recipient_key": hex32,
            "custody": _one_of("recipient", "quorum"),
            "as_of": identifier,
            "policy": hex32,
            "not_after": timestamp,
        },
        request_id=hex16,
        request=hex32,
        institution=identifier,
        scorecard=hex32,
        purpose=identifier,
        use=use,
        verdict=_one_of("allow", "deny"),
        reason=reason,
        rules=identifiers,
    ),
    "query.release": _kind(
        decision=hex32,
        request_id=hex16,
        institution=identifier,
        subject=hex16,
        answers=_list_of(_object(department=identifier, digest=hex32)),
        missing=identifiers,
        output=hex32,
    ),
    "key.registered": _kind(key_id=hex32, institution=identifier, digest=hex32),
    "key.attested": _kind(entity=hex16, digest=hex32),
    "access.read": _kind(officer=identifier, query=hex32, returned=unsigned),
    "erasure.performed": _kind(subject=hex16),
    "anchor.tsa": _kind(size=unsigned, root=hex32, token=hex32),
    "log.opened": _kind(),
    "log.closed": _kind(),
}
