"""Who may call what: one frozen table, closed by default (design 5, rule 9).

A method that is not in the table is refused for everybody.
`tests/architecture/test_authorization_table.py` compares the table with the RPCs in the descriptors: a
new RPC needs a line here. What a caller may *see* (own consents, own scorecards) is decided where the
data are.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role, SpiffeId

_BANK = frozenset({Role.BANK})
_COMPANY = frozenset({Role.COMPANY})
_GATEWAY = frozenset({Role.GATEWAY})
_OFFICER = frozenset({Role.OFFICER})
_REVIEWER = frozenset({Role.REVIEWER})
_DEPARTMENT = frozenset({Role.DEPARTMENT})
_LEDGER = frozenset({Role.LEDGER})
_EVERY_MEMBER = frozenset(Role)

_READS_LEAVES = _GATEWAY | _DEPARTMENT | _OFFICER
"""Whole leaves: those who must judge every entry. Others see those about themselves, through the gateway."""
_READS_PROOFS = _READS_LEAVES | _BANK | _COMPANY
"""Checkpoints and proofs, which say nothing about anybody."""

_TABLE: dict[str, dict[str, frozenset[Role]]] = {
    "consentgate.v1.ScoringService": {"Score": _BANK, "DryRun": _BANK, "ListRequests": _BANK},
    "consentgate.v1.KeyService": {"RegisterKey": _BANK},
    "consentgate.v1.ConsentService": {
        "GrantConsent": _COMPANY,
        "PauseConsent": _COMPANY,
        "ResumeConsent": _COMPANY,
        "RevokeConsent": _COMPANY,
        "ListConsents": _COMPANY,
        "ListAccesses": _COMPANY,
        "ListSubjectHistories": _COMPANY,
    },
    "consentgate.v1.ScorecardService": {
        "RegisterScorecard": _BANK | _REVIEWER,
        "SubmitApproval": _REVIEWER,
        "GetScorecard": _BANK | _REVIEWER,
        "GetDisclosureReport": _BANK | _REVIEWER,
        "ListScorecards": _BANK | _REVIEWER,
    },
    "consentgate.v1.FeatureService": {
        "GetFeatures": _GATEWAY,
        "GetCatalogue": _GATEWAY | _BANK | _REVIEWER,
    },
    "consentgate.v1.RevocationService": {"SubmitRevocation": _COMPANY},
    "consentgate.v1.HistoryService": {"GetSubjectHistory": _GATEWAY | _COMPANY},
    "consentgate.v1.LedgerService": {
        "Append": _GATEWAY,
        "GetCheckpoint": _READS_PROOFS,
        "ListEntries": _READS_LEAVES,
        "GetReceipt": _READS_LEAVES,
        "GetConsistencyProof": _READS_PROOFS,
        "Tail": _READS_LEAVES,
        "SearchEntries": _OFFICER,
        "ListSubjectEntries": _GATEWAY,
    },
    "consentgate.v1.WitnessService": {"AddCheckpoint": _LEDGER | _GATEWAY},
    "grpc.health.v1.Health": {"Check": _EVERY_MEMBER, "Watch": _EVERY_MEMBER, "List": _EVERY_MEMBER},
    "grpc.reflection.v1alpha.ServerReflection": {"ServerReflectionInfo": _EVERY_MEMBER},
}

ALLOWED_ROLES: Mapping[str, frozenset[Role]] = MappingProxyType(
    {f"/{service}/{method}": roles for service, methods in _TABLE.items() for method, roles in methods.items()}
)
"""Full method name, as gRPC spells it, → roles that may call it."""


def authorize(caller: SpiffeId, method: str) -> None:
    """Raises ROLE_NOT_ALLOWED unless the table allows the caller's role to call `method`."""
    if caller.role not in ALLOWED_ROLES.get(method, frozenset()):
        raise ConsentgateError(ErrorCode.ROLE_NOT_ALLOWED)
