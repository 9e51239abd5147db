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

MAX_INTEGER = 2**53 - 1
"""Largest integer every JSON reader represents exactly (RFC 7493 section 2.2)."""
COMPANY_CODE = re.compile(r"[0-9a-z]{18}|(.*[._-])?[0-9a-z]{2}[0-9]{6}[0-9a-z]{10}([._-].*)?")
"""The shape of a unified social credit code (GB 32100-2015: 18 characters, the third to eighth a region in
digits), alone or between separators: refused wherever an identifier is allowed, so that a slip upstream
cannot publish a company.
"""


COMPANY_CODE_LENGTH = 18


@dataclass(frozen=True)
class Form:
    """The form of a field: `check(value, field)` raises EntryInvalid naming the field; `text` is what
    docs/ledger-format.md calls it. `spelling` is a shortcut, a pattern for canonical JSON: a value with that spelling
    is known to be good (property tests compare it with `check`), and of any other `check` decides.
    """

    text: str
    check: Check
    spelling: str


def _pattern(expression: str) -> Check:
    matches = re.compile(expression).fullmatch

    def check(value: object, field: str) -> None:
        if not isinstance(value, str) or not matches(value):
            raise EntryInvalid(field)

    return check


def _textual(text: str, expression: str) -> Form:
    """A form that is one pattern."""
    return Form(text, _pattern(expression), f'"{expression}"')


_timestamp_form = _pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_COMMON_TIMESTAMP = (
    r'"[1-9][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)'
    r'T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"'
)
"""Of a day that its month has in every year: these exist without asking a calendar."""
_identifier_form = _pattern(r"[a-z0-9][a-z0-9._-]{0,63}")
_COMMON_IDENTIFIER = r'"(?:[a-z0-9][a-z0-9._-]{0,16}"|(?![0-9a-z]{18}"|[^"]*[0-9]{6})[a-z0-9][a-z0-9._-]{17,63}")'
"""Shorter than any company code; or neither as long as one nor with the six digits in a row that any other has."""


def _check_identifier(value: object, field: str) -> None:
    _identifier_form(value, field)
    text = str(value)
    if len(text) >= COMPANY_CODE_LENGTH and COMPANY_CODE.fullmatch(text):
        raise EntryInvalid(field)


def _check_timestamp(value: object, field: str) -> None:
    """A moment that exists, always with six decimals."""
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

    return Form(" or ".join(f"`{text}`" for text in allowed), check, f'"(?:{"|".join(map(re.escape, allowed))})"')


def _list_of(item: Form) -> Form:
    def check(value: object, field: str) -> None:
        if not isinstance(value, list | tuple):
            raise EntryInvalid(field)
        for index, member in enumerate(value):
            item.check(member, f"{field}[{index}]")

    spelling = rf"\[(?:{item.spelling}(?:,{item.spelling})*)?\]"
    return Form(f"list of {item.text}", check, spelling)


def _object(**fields: Form) -> Form:
    def check(value: object, field: str) -> None:
        if not isinstance(value, dict) or set(value) != set(fields):
            raise EntryInvalid(field)
        for name, form in fields.items():
            form.check(value[name], f"{field}.{name}")

    text = ", ".join(f"`{name}`: {form.text}" for name, form in fields.items())
    return Form("{" + text + "}", check, _object_spelling(fields, {}))


def _object_spelling(required: Mapping[str, Form], optional: Mapping[str, Form]) -> str:
    """Members in canonical order. The first required one is always there, so each other brings its own comma: those
    before it at their end, those after it in front.
    """
    if not required:
        return r"\{\}"
    first, spelling = min(required), ""
    for name, form in sorted({**optional, **required}.items()):
        member = f'"{name}":{form.spelling}'
        member = f"{member}," if name < first else f",{member}" if name > first else member
        spelling += member if name in required else f"(?:{member}|)"
    return r"\{" + spelling + r"\}"


hex16 = _textual("hex16", r"[0-9a-f]{32}")
hex32 = _textual("hex32", r"[0-9a-f]{64}")
reason = _textual("reason", r"[A-Z][A-Z_]{1,48}")
timestamp = Form("time", _check_timestamp, _COMMON_TIMESTAMP)
unsigned = Form("integer", _check_unsigned, r"(?:0|[1-9][0-9]{0,14})")
identifier = Form("identifier", _check_identifier, _COMMON_IDENTIFIER)
use = _one_of("SCORE", "PROFILE", "MATCH")
identifiers = _list_of(identifier)


@dataclass(frozen=True)
class Kind:
    """Required and optional fields of one kind of entry."""

    required: Mapping[str, Form]
    optional: Mapping[str, Form]

    @cached_property
    def _checks(self) -> Mapping[str, tuple[Check, str]]:
        """Field → check, name in errors."""
        return {name: (form.check, f"body.{name}") for name, form in {**self.optional, **self.required}.items()}

    @property
    def spelling(self) -> str:
        """As a form's, of the whole body."""
        return _object_spelling(self.required, self.optional)

    def knows(self, names: Set[str]) -> bool:
        """Whether all of these are fields of this kind."""
        return names <= self._checks.keys()

    def check(self, body: Mapping[str, object]) -> None:
        """Raises EntryInvalid naming the first field that is missing, unknown or malformed."""
        if not self.required.keys() <= body.keys():
            raise EntryInvalid(f"body.{min(self.required.keys() - body.keys())}")
        for name, value in body.items():
            if name not in self._checks:
                raise EntryInvalid(f"body.{name}")
            check, path = self._checks[name]
            check(value, path)


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
