"""What the `company` command shows: every result once as JSON members and once as lines for a person."""

from __future__ import annotations

from datetime import UTC, datetime

from company_client.accesses import Access
from company_client.client import ConsentRecord
from company_client.completeness import CompleteAccesses, Voucher
from consentgate.statements import ConsentClaims, ConsentTransitionClaims
from ledger.verify import VerifiedLeaf

Members = dict[str, object]


def leaf_members(leaf: VerifiedLeaf) -> Members:
    """Where in the ledger something stands."""
    return {
        "kind": leaf.entry.kind,
        "consent_id": leaf.entry.body["consent_id"],
        "version": leaf.entry.body["version"],
        "seq": leaf.entry.seq,
        "leaf": leaf.leaf_hash.hex(),
        "at": leaf.entry.ts,
    }


def leaf_lines(leaf: VerifiedLeaf) -> list[str]:
    """The same for a person."""
    body = leaf.entry.body
    return [
        f"{leaf.entry.kind}: {body['consent_id']} version {body['version']}",
        f"ledger entry {leaf.entry.seq}, verified",
    ]


def claims_lines(claims: ConsentClaims | ConsentTransitionClaims) -> list[str]:
    """What a person is about to sign, in words, from the very bytes that are signed."""
    if isinstance(claims, ConsentTransitionClaims):
        return [
            f"{claims.action} consent {claims.consent_id} version {claims.version}",
            f"of company {claims.company}",
        ]
    return [
        f"Company {claims.company} allows {claims.grantee} (group {claims.group})",
        f"  to use      {', '.join(claims.categories)}",
        f"  for         {claims.purpose}, {claims.use}",
        f"  about       {claims.data_range.first} to {claims.data_range.last}",
        f"  from        {_moment(claims.valid_from)} until {_moment(claims.valid_until)}",
        f"  at most     {claims.frequency.count} per {claims.frequency.per}, {claims.total_uses} in all",
        f"  kept for    {claims.data_life_days} days",
        f"  consent     {claims.consent_id} version {claims.version}",
    ]


def consent_members(record: ConsentRecord) -> Members:
    """One consent."""
    return {
        "consent_id": record.consent_id,
        "version": record.version,
        "state": record.state,
        "grantee": record.grantee,
        "purpose": record.purpose,
        "categories": list(record.categories),
        "valid_from": record.valid_from.isoformat(),
        "valid_until": record.valid_until.isoformat(),
        "uses": record.uses,
        "subject": record.subject,
    }


def consent_lines(record: ConsentRecord) -> list[str]:
    """The same for a person."""
    return [
        f"{record.consent_id} version {record.version}  {record.state}  used {record.uses} times",
        f"  {record.grantee}  {record.purpose}  until {record.valid_until:%Y-%m-%d}",
        f"  {', '.join(record.categories)}",
    ]


def access_members(access: Access) -> Members:
    """One verified ledger entry about this company."""
    return {
        "seq": access.seq,
        "at": access.at.isoformat(),
        "kind": access.kind,
        "subject": access.subject,
        "group": access.group,
        "institution": access.institution,
        "purpose": access.purpose,
        "verdict": access.verdict,
        "reason": access.reason,
        "request_id": access.request_id,
        "consent_id": access.consent_id,
        "departments": list(access.departments),
        "leaf": access.leaf.leaf_hash.hex(),
    }


def access_line(access: Access) -> str:
    """The same for a person."""
    what = " ".join(part for part in (access.verdict, access.reason, access.purpose) if part)
    departments = f" [{', '.join(access.departments)}]" if access.departments else ""
    who = access.institution or access.group or access.subject
    return f"{access.at:%Y-%m-%d %H:%M:%S}  {access.seq:>8}  {access.kind:<17} {who}  {what}{departments}"


def voucher_members(voucher: Voucher) -> Members:
    """A department that vouches for completeness."""
    return {
        "department": voucher.department,
        "tree_size": voucher.size,
        "entries": voucher.entries,
        "at": voucher.at.isoformat(),
    }


def voucher_line(voucher: Voucher) -> str:
    """The same for a person."""
    return (
        f"{voucher.department} vouches: of the first {voucher.size} ledger entries {voucher.entries} are about this "
        f"company, all shown above or before  ({voucher.at:%Y-%m-%d %H:%M:%S} UTC)"
    )


def none_line(complete: bool, after: int | None) -> str:
    """When there is no entry to show: only departments can say that there is none."""
    said = "nobody looked" if complete else "the gateway shows no entry"
    return said if after is None else f"{said} after entry {after}"


def proof_lines(found: CompleteAccesses) -> list[str]:
    """What a company's proofs say to a stranger, and what not."""
    lines = [*map(access_line, found.accesses), f"{len(found.accesses)} entries, each recorded in the ledger"]
    lines += [
        f"{voucher.department} signed: of the first {voucher.size} ledger entries {voucher.entries} bear one of these "
        f"tokens, and all of them are shown above  ({voucher.at:%Y-%m-%d %H:%M:%S} UTC)"
        for voucher in found.vouchers
    ]
    lines += [] if found.vouchers else ["no department says that there is no other entry"]
    return [*lines, *(f"token {token}" for token in found.tokens)]


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
