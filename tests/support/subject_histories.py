"""What departments say about subjects, over the log of a federation: honest, or as a test bends it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from consentgate.history import HistoryStatement
from consentgate.statements import StatementKind, SubjectHistoryClaims
from ledger.chain import Chain
from ledger.entry import leaf_hash, parse
from ledger.history import SubjectHistory, subject_of
from tests.support.federation import Federation, Institution
from tests.support.witnessed_log import ORIGIN, QUORUM


def history_of(leaves: Sequence[bytes], subject: str) -> SubjectHistory:
    """Counted leaf by leaf."""
    history = SubjectHistory()
    for leaf in leaves:
        if subject_of(parse(leaf)) == subject:
            history = history.followed_by(leaf_hash(leaf))
    return history


def statement(
    federation: Federation,
    subject: str,
    at: datetime,
    *,
    signer: Institution | None = None,
    up_to: int | None = None,
    witnesses: Sequence[str] = QUORUM,
    kind: StatementKind = StatementKind.SUBJECT_HISTORY,
    **claims: Any,
) -> HistoryStatement:
    """A department's statement (default: tax, over all leaves); `claims` replace what an honest one says."""
    signer = signer or federation.departments["tax"]
    leaves = federation.log.leaves[:up_to]
    history = history_of(leaves, subject)
    chain, _ = Chain(ORIGIN).extend(leaves)
    honest = {
        "aud": StatementKind.SUBJECT_HISTORY.audience(federation.anchors.trust_domain),
        "iat": int(at.timestamp()),
        "iss": str(signer.identity),
        "subject": subject,
        "size": len(leaves),
        "root": chain.root().hex(),
        "entries": history.entries,
        "history": history.digest,
    }
    token = signer.signer.sign(kind, SubjectHistoryClaims.model_validate(honest | claims))
    return HistoryStatement(token, federation.log.note(at, witnesses=witnesses, size=len(leaves)))
