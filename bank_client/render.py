"""What the `bank` command shows: every result once as JSON members and once as lines for a person.

The JSON members are stable (CHANGELOG when they change); times are RFC 3339 UTC, ids lowercase hex.
"""

from __future__ import annotations

from pathlib import Path

from bank_client.messages import DryRun, RequestRecord
from bank_client.operations import RegisteredKey, RegisteredScorecard, ScorecardView
from bank_client.scoring import Score, VerifiedAnswer
from consentgate.scorecard import Scorecard
from ledger.verify import VerifiedLeaf

Members = dict[str, object]


def leaf_members(leaf: VerifiedLeaf) -> Members:
    """Where in the ledger something stands."""
    return {"seq": leaf.entry.seq, "leaf": leaf.leaf_hash.hex(), "at": leaf.entry.ts}


def score_members(score: Score) -> Members:
    """A score with its proofs."""
    return {
        "score": score.value,
        "request_id": score.request_id,
        "departments": list(score.departments),
        "missing": list(score.missing),
        "decision": leaf_members(score.decision),
        "release": leaf_members(score.release),
        "seconds": round(score.seconds, 3),
    }


def score_lines(score: Score) -> list[str]:
    """The same for a person."""
    missing = f"; encoded as missing: {', '.join(score.missing)}" if score.missing else ""
    return [
        f"score       {score.value}",
        f"request     {score.request_id}",
        f"answered    {', '.join(score.departments)}{missing}",
        f"decision    ledger entry {score.decision.entry.seq}, verified",
        f"release     ledger entry {score.release.entry.seq}, verified",
        f"took        {score.seconds:.2f} s",
    ]


def dry_run_members(forecast: DryRun) -> Members:
    """A forecast."""
    return {
        "allowed": forecast.allowed,
        "reason": forecast.reason,
        "obstacles": [{"reason": item.reason, "hint": item.hint} for item in forecast.obstacles],
        "policies": [{"id": item.id, "basis": item.basis} for item in forecast.policies],
    }


def dry_run_lines(forecast: DryRun) -> list[str]:
    """The same for a person."""
    first = "would be allowed" if forecast.allowed else f"would be denied: {forecast.reason}"
    obstacles = [f"  {item.reason}: {item.hint}" for item in forecast.obstacles]
    return [first, *obstacles, *(f"  rule {item.id} ({item.basis})" for item in forecast.policies)]


def request_members(record: RequestRecord) -> Members:
    """One of the bank's requests."""
    return {
        "request_id": record.request_id,
        "received_at": record.received_at.isoformat(),
        "step": record.step,
        "state": record.state,
        "reason": record.reason,
    }


def request_line(record: RequestRecord) -> str:
    """The same for a person."""
    return (
        f"{record.received_at:%Y-%m-%d %H:%M:%S}  {record.request_id}  "
        f"{record.state:<9} step {record.step:<2} {record.reason}"
    )


def verified_members(path: Path, verified: VerifiedAnswer) -> Members:
    """What an archive proves. Names no company: the archive itself does."""
    request = verified.order.request
    return {
        "file": str(path),
        "verified": True,
        "request_id": request.request_id,
        "bank": request.iss,
        "scorecard": request.scorecard,
        "purpose": request.purpose,
        "as_of": request.as_of,
        "consent_id": verified.order.consent.consent_id,
        "consent_version": verified.order.consent.version,
        "departments": list(verified.departments),
        "missing": list(verified.missing),
        "decision": leaf_members(verified.order.decision),
        "release": leaf_members(verified.release),
    }


def verified_lines(path: Path, verified: VerifiedAnswer) -> list[str]:
    """The same for a person."""
    request = verified.order.request
    return [
        f"{path}: verified",
        f"request     {request.request_id} by {request.iss}",
        f"purpose     {request.purpose}, as of {request.as_of}",
        f"consent     {verified.order.consent.consent_id} version {verified.order.consent.version}",
        f"scorecard   {request.scorecard}",
        f"answered    {', '.join(verified.departments)}",
        f"decision    ledger entry {verified.order.decision.entry.seq}",
        f"release     ledger entry {verified.release.entry.seq}",
    ]


def registered_key_members(registered: RegisteredKey) -> Members:
    """A key on the ledger."""
    return {"key_id": registered.key_id, "registered": leaf_members(registered.leaf)}


def registered_scorecard_members(registered: RegisteredScorecard) -> Members:
    """A scorecard on the ledger."""
    return {"scorecard": registered.scorecard, "registered": leaf_members(registered.leaf)}


def made_scorecard_members(path: Path, scorecard: Scorecard) -> Members:
    """A scorecard that was made from a points table."""
    header = scorecard.header
    return {
        "file": str(path),
        "scorecard": header.id,
        "score_low": header.score_low,
        "score_high": header.score_high,
        "departments": [department.id for department in header.departments],
        "columns": sum(len(department.columns) for department in header.departments),
    }


def made_scorecard_lines(path: Path, scorecard: Scorecard) -> list[str]:
    """The same for a person."""
    header = scorecard.header
    return [
        f"scorecard   {header.id}",
        f"range       {header.score_low} to {header.score_high}",
        f"{path}; next: bank scorecard register {path}",
    ]


def scorecard_members(view: ScorecardView) -> Members:
    """A scorecard; weights where the bank may see them."""
    return {
        "scorecard": view.header.id,
        "header": view.header.model_dump(mode="json"),
        "weights": None if view.weights is None else view.weights.model_dump(mode="json"),
        "approved_groups": list(view.approved_groups),
    }


def scorecard_lines(view: ScorecardView) -> list[str]:
    """The same for a person."""
    header = view.header
    lines = [
        f"scorecard   {header.id}",
        f"name        {header.name}, owner {header.owner}",
        f"range       {header.score_low} to {header.score_high}",
        f"approved    {', '.join(view.approved_groups) or 'for no group yet'}",
    ]
    for department in header.departments:
        lines.append(f"{department.id}  ({department.missing} when silent)")
        lines += [f"  {entry.column.name:<24} {entry.category}" for entry in department.columns]
    return lines
