"""That nothing was left out: the entries shown are compared with what departments count, each under its signature.

The gateway finds the entries; departments read every leaf of the log. For each of the company's tokens a department
says how many leaves bear it, up to which tree size, and a digest over them. Both must be what follows from the entries
that were shown. One department that agrees and is honest is enough: then no other entry bears the token. Who disagrees
is named; the statement is signed, so whoever holds a copy of the log can tell whether department or gateway lied.

Left out: entries under a token that the company never chose. Departments pin the first token they see for a company
and refuse a second (docs/threat-model.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from company_client.accesses import Access
from consentgate.errors import AnswerRefused, ConsentgateError, ErrorCode
from consentgate.history import VerifiedHistory
from ledger.history import SubjectHistory

_NOBODY = "One department must speak of every token, and none does. Ask again, or departments directly with --ask."

_NONE_SHOWN = (
    "No entry under this token is shown. Was the company erased at the gateway? Then take the token out of tokens.json."
    " Otherwise entries are hidden: ask departments with --ask, search a copy of the log."
)


@dataclass(frozen=True)
class Voucher:
    """A department says that up to `size` leaves, as of `at`, these `entries` are all about this company."""

    department: str
    size: int
    entries: int
    at: datetime


@dataclass(frozen=True)
class CompleteAccesses:
    """All entries, who vouches that they are all, and the signed words that say so."""

    accesses: Sequence[Access]
    vouchers: Sequence[Voucher]
    histories: Sequence[VerifiedHistory]

    @property
    def tokens(self) -> list[str]:
        """The tokens that entries or departments speak of."""
        return sorted({stated.subject for stated in self.histories} | {access.subject for access in self.accesses})


def check_complete(
    accesses: Sequence[Access], histories: Sequence[VerifiedHistory], groups: Mapping[str, str]
) -> CompleteAccesses:
    """Compares; `groups` maps own token → group. Raises HISTORY_MISMATCH naming department and group, or
    DEPARTMENT_UNAVAILABLE when no department spoke of every token.
    """
    by_department: dict[str, dict[str, VerifiedHistory]] = {}
    for stated in histories:
        shown = _shown(accesses, stated.subject, stated.size)
        if stated.history != shown:
            field, hint = f"{stated.department}: {groups[stated.subject]}", None if shown.entries else _NONE_SHOWN
            raise AnswerRefused(ErrorCode.HISTORY_MISMATCH, field=field, hint=hint)
        by_department.setdefault(stated.department, {})[stated.subject] = stated
    vouchers = [
        _voucher(department, list(stated.values()))
        for department, stated in sorted(by_department.items())
        if set(stated) == set(groups)
    ]
    if groups and not vouchers:
        raise ConsentgateError(ErrorCode.DEPARTMENT_UNAVAILABLE, field="histories", hint=_NOBODY)
    return CompleteAccesses(accesses, vouchers, histories)


def _shown(accesses: Sequence[Access], subject: str, size: int) -> SubjectHistory:
    """The history that follows from the entries that the gateway showed; each was verified before."""
    history = SubjectHistory()
    for access in accesses:
        if access.subject == subject and access.seq < size:
            history = history.followed_by(access.leaf.leaf_hash)
    return history


def _voucher(department: str, stated: Sequence[VerifiedHistory]) -> Voucher:
    """Its statements were made one after another; all of them hold up to the earliest."""
    return Voucher(
        department,
        min(one.size for one in stated),
        sum(one.history.entries for one in stated),
        min(one.at for one in stated),
    )
