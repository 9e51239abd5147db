"""What may be searched for, as options of `ledger search`: each in the form that entries have it.

Refused here, before anything is asked or recorded: a misspelt filter finds nothing, and that would read as "nobody
looked".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from ledger.kinds import KINDS, MAX_INTEGER

IDENTIFIER = r"[a-z0-9][a-z0-9._-]{0,63}"
FORMS = {
    "subject": (r"[0-9a-f]{32}", "32 hex digits, lowercase, as the company's tokens.json or an entry has it"),
    "institution": (IDENTIFIER, "a member's id in lowercase letters, digits, '.', '_' and '-', e.g. bank-a"),
    "purpose": (IDENTIFIER, "a purpose code in lowercase, e.g. credit.origination"),
    "category": (IDENTIFIER, "a category code in lowercase, e.g. tax.declarations"),
    "verdict": (r"allow|deny", "allow or deny"),
    "reason": (r"[A-Z][A-Z_]{1,48}", "a code of docs/wire.md in capitals, e.g. CONSENT_EXPIRED"),
}
"""Option → pattern of its values, and the same in words. The wire has the same patterns; a test compares."""
_DAY = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}|[0-9]{4}-?W[0-9]{2}(-?[0-9])?")
_A_DAY = timedelta(days=1) - timedelta(microseconds=1)


def formed(name: str) -> Callable[[str], str]:
    """A parser for the option of this name."""
    pattern, words = FORMS[name]

    def parse(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise typer.BadParameter(words)
        return text

    return parse


def _kind(text: str) -> str:
    if text not in KINDS:
        raise typer.BadParameter(f"one of {', '.join(KINDS)}")
    return text


def _first_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter("a date or time as in ISO 8601, e.g. 2026-11-24 or 2026-11-24T04:00:00Z") from error


def _last_moment(text: str) -> datetime:
    """A day is meant with all its hours."""
    return _first_moment(text) + (_A_DAY if _DAY.fullmatch(text) else timedelta())


def _option(name: str, help_text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(parser=formed(name), metavar="TEXT", help=help_text)
    return option


Subject = Annotated[str | None, _option("subject", "Subject token, 32 hex digits.")]
Institution = Annotated[str | None, _option("institution", "Bank, e.g. bank-a.")]
KindOfEntry = Annotated[
    str | None, typer.Option(parser=_kind, metavar="TEXT", help="Kind of entry, e.g. query.decision.")
]
Purpose = Annotated[str | None, _option("purpose", "Purpose, e.g. credit.origination.")]
Category = Annotated[str | None, _option("category", "Data category of a consent, e.g. tax.declarations.")]
Verdict = Annotated[str | None, _option("verdict", "allow or deny.")]
Reason = Annotated[str | None, _option("reason", "Reason code of a decision, e.g. CONSENT_EXPIRED.")]
NotBefore = Annotated[
    datetime | None,
    typer.Option(parser=_first_moment, metavar="TIME", help="ISO 8601, a day or a moment; UTC unless it says."),
]
NotAfter = Annotated[
    datetime | None,
    typer.Option(parser=_last_moment, metavar="TIME", help="The same, inclusive: a day is meant with all its hours."),
]
AfterSeq = Annotated[int | None, typer.Option(help="Only entries after this sequence number.", min=0, max=MAX_INTEGER)]


def check_range(not_before: datetime | None, not_after: datetime | None) -> None:
    """Refuses a time that ends before it begins: nothing can be found in it."""
    if not_before is not None and not_after is not None and not_after < not_before:
        raise typer.BadParameter("is earlier than --not-before", param_hint="--not-after")
