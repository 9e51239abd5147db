"""`summary.json`: what was counted, over which tree, and which files belong to it.

Closed and strict: a member that a reader does not know makes it invalid. The exact bytes are signed
(`ledger_service.report.statement`), so they are never written anew from what was parsed.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import Hex32
from ledger.kinds import MAX_INTEGER

SUMMARY_FILE = "summary.json"
VERSION = 1
MAX_SUMMARY = 16 * 1024 * 1024
"""Bytes: thirty years of days, and thousands of institutions, are 2 MB."""

Number = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Moment = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$")]
Counts = dict[str, Number]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Decided(_Part):
    """Decisions by verdict."""

    allow: Number = 0
    deny: Number = 0


class Bounds(_Part):
    """The period: entries recorded at `not_before` or later, and before `before`."""

    not_before: Moment
    before: Moment


class Tree(_Part):
    """The tree against which all was verified; `cosigned_at` is when its quorum was reached, absent without one."""

    size: Number
    root: Hex32
    cosigned_at: Moment | None = None


class Figures(_Part):
    """What the rows add up to. `by_…` count entries that have the field; `decisions_by_…` are `query.decision` only."""

    entries: Number
    tokens: Number
    by_kind: Counts
    by_institution: Counts
    by_purpose: Counts
    by_verdict: Counts
    by_reason: Counts
    by_category: Counts
    by_month: Counts
    denials_by_reason: Counts
    decisions_by_day: dict[str, Decided]
    decisions_by_institution: dict[str, Decided]
    decisions_by_purpose: dict[str, Decided]


class Summary(_Part):
    """The whole file; without `period` the report is about everything."""

    v: Annotated[int, Field(ge=VERSION, le=VERSION)] = VERSION
    log: Annotated[str, Field(min_length=1, max_length=255)]
    period: Bounds | None = None
    tree: Tree
    figures: Figures
    files: dict[str, Hex32]

    def encode(self) -> bytes:
        """The file's bytes."""
        return self.model_dump_json(indent=2, exclude_none=True).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Reads the file; raises REPORT_INVALID that names the first member which is missing, unknown or malformed."""
        try:
            canonical.parse(data, SUMMARY_FILE)
            return cls.model_validate_json(data)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
            raise ConsentgateError(ErrorCode.REPORT_INVALID, field=f"{SUMMARY_FILE}: {where}") from None
        except ConsentgateError as error:
            raise ConsentgateError(ErrorCode.REPORT_INVALID, field=SUMMARY_FILE) from error
