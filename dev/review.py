"""Two reviewers approve a scorecard for a grantee group: read the disclosure report, sign the next link, hand it in.

The reviewers sign offline and jointly; the first carries the statement to the gateway. What they sign names the digest
of the very report that they fetched, so a gateway that shows one report and judges by another is found out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc

from consentgate import canonical, signing
from consentgate.anchors import Anchors
from consentgate.channel import open_channel
from consentgate.convert import receipt_from_message
from consentgate.error_status import from_rpc_error
from consentgate.identity import Role, SpiffeId
from consentgate.signing import PersonSigner
from consentgate.statements import ScorecardApprovalClaims, StatementKind
from consentgate.tls import TlsFiles
from consentgate.v1 import scorecard_pb2
from consentgate.v1.scorecard_pb2_grpc import ScorecardServiceStub
from dev.layout import GATEWAY, REVIEWERS, TRUST_DOMAIN, Layout
from ledger.verify import VerifiedLeaf, verify_receipt

CALL_SECONDS = 30.0


@dataclass(frozen=True)
class Approval:
    """An approved scorecard: what the reviewers read, and the leaf that records their statement."""

    report: dict[str, Any]
    leaf: VerifiedLeaf


def approve(layout: Layout, scorecard: str, group: str, members: Sequence[str]) -> Approval:
    """Both reviewers approve `scorecard` for `group`; raises ConsentgateError when report or chain refuse it."""
    folder = layout.member(Role.REVIEWER, REVIEWERS[0])
    anchors = Anchors.load(folder / "anchors.toml")
    tls = TlsFiles(folder / "tls.pem", folder / "tls.key", anchors.member_ca)
    peer = SpiffeId(TRUST_DOMAIN, Role.GATEWAY, GATEWAY)
    with open_channel(layout.addresses["gateway"], peer, tls, allow_development_ca=True) as channel:
        stub = ScorecardServiceStub(channel)
        try:
            review = stub.GetDisclosureReport(
                scorecard_pb2.GetDisclosureReportRequest(group=group, scorecard=scorecard), timeout=CALL_SECONDS
            )
            token = _signed(layout, review, scorecard, group, members)
            reply = stub.SubmitApproval(scorecard_pb2.SubmitApprovalRequest(approval_jws=token), timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
    leaf = verify_receipt(receipt_from_message(reply.receipt), anchors.log_policy)
    return Approval(json.loads(review.report), leaf)


def _signed(
    layout: Layout,
    review: scorecard_pb2.GetDisclosureReportResponse,
    scorecard: str,
    group: str,
    members: Sequence[str],
) -> bytes:
    judged = {entry["id"]: entry["state"] for entry in json.loads(review.report)["judged"]}
    judged[scorecard] = "approved"
    content = {
        "aud": StatementKind.SCORECARD_APPROVAL.audience(TRUST_DOMAIN),
        "iat": int(datetime.now(UTC).timestamp()),
        "group": group,
        "members": list(members),
        "sequence": review.next_sequence,
        "previous": review.previous,
        "action": "APPROVE",
        "scorecard": scorecard,
        "scorecards": [{"id": name, "state": state} for name, state in judged.items()],
        "report": canonical.digest(review.report),
    }
    claims = ScorecardApprovalClaims.parse(canonical.encode(content), "approval")
    signers = [PersonSigner.load(layout.member(Role.REVIEWER, name) / "person.key") for name in REVIEWERS]
    return signing.sign_jointly(StatementKind.SCORECARD_APPROVAL, claims, signers)
