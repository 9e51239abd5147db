"""Who looked: every ledger entry about this company, each proven, none about anybody else.

The gateway finds the entries, the company believes none of them unseen: each receipt is verified against the anchors,
each leaf must bear one of the company's *own* tokens, and the sequence only goes forward. So nothing can be made up,
and nothing of another company be slipped in.

Left out: that nothing was left out; `completeness` compares with what departments count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from consentgate.anchors import Anchors
from consentgate.errors import AnswerRefused, ErrorCode
from ledger.errors import LedgerError
from ledger.receipt import Receipt
from ledger.verify import VerifiedLeaf, verify_receipt

_NOT_OURS = (
    "The entry bears none of the tokens in tokens.json. Is that file an old copy, or lost? Restore the newest."
    " Otherwise the gateway shows another company's entry: tell its operator."
)


@dataclass(frozen=True)
class Access:
    """One verified entry under one of the company's tokens; empty where the kind of entry has no such field."""

    seq: int
    at: datetime
    kind: str
    subject: str
    group: str
    institution: str
    purpose: str
    verdict: str
    reason: str
    request_id: str
    consent_id: str
    departments: tuple[str, ...]
    leaf: VerifiedLeaf
    receipt: Receipt


def verify_accesses(
    receipts: Iterable[Receipt], anchors: Anchors, groups: Mapping[str, str] | None, after_seq: int
) -> list[Access]:
    """All entries, verified; `groups` maps own token → group. Raises RECEIPT_INVALID or RECEIPT_MISMATCH.

    Without `groups` (a stranger's view) any token will do.
    """
    found = []
    for receipt in receipts:
        access = _verify_access(receipt, anchors, groups)
        if access.seq <= after_seq:
            # Repeated or out of order: a page that does not move on would be asked for without end.
            raise AnswerRefused(ErrorCode.RECEIPT_MISMATCH, field="entries.leaf.seq")
        after_seq = access.seq
        found.append(access)
    return found


def _verify_access(receipt: Receipt, anchors: Anchors, groups: Mapping[str, str] | None) -> Access:
    try:
        leaf = verify_receipt(receipt, anchors.log_policy)
    except LedgerError as error:
        raise AnswerRefused(ErrorCode.RECEIPT_INVALID, field="entries") from error
    subject = leaf.entry.body.get("subject")
    if not isinstance(subject, str) or (groups is not None and subject not in groups):
        raise AnswerRefused(ErrorCode.RECEIPT_MISMATCH, field="entries.leaf.subject", hint=_NOT_OURS)
    body = leaf.entry.body

    def text(name: str) -> str:
        return str(body.get(name, ""))

    return Access(
        seq=leaf.entry.seq,
        at=datetime.fromisoformat(leaf.entry.ts).astimezone(UTC),
        kind=leaf.entry.kind,
        subject=subject,
        group=text("group") if groups is None else groups[subject],
        institution=text("institution"),
        purpose=text("purpose"),
        verdict=text("verdict"),
        reason=text("reason"),
        request_id=text("request_id"),
        consent_id=text("consent_id"),
        departments=_departments(body),
        leaf=leaf,
        receipt=receipt,
    )


def _departments(body: Mapping[str, object]) -> tuple[str, ...]:
    """Departments that were to answer (decision) or did (release); the ledger's entry parser checked the form."""
    for field, name in (("departments", "id"), ("answers", "department")):
        listed = body.get(field)
        if isinstance(listed, list):
            return tuple(str(item[name]) for item in listed)
    return ()
