"""Protobuf messages ↔ domain types. Domain code never sees a message; only servicers, clients and this
module do.
"""

from __future__ import annotations

from consentgate.evidence import EvidenceBundle
from consentgate.history import HistoryStatement
from consentgate.v1 import evidence_pb2
from ledger.receipt import Receipt


def receipt_to_message(receipt: Receipt) -> evidence_pb2.Receipt:
    """A receipt for the wire; bytes are copied unchanged, since hashes are over them."""
    return evidence_pb2.Receipt(leaf=receipt.leaf, proof=receipt.proof)


def receipt_from_message(message: evidence_pb2.Receipt) -> Receipt:
    """A receipt as received: unverified."""
    return Receipt(leaf=message.leaf, proof=message.proof)


def bundle_to_message(bundle: EvidenceBundle) -> evidence_pb2.EvidenceBundle:
    """A bundle for the wire."""
    return evidence_pb2.EvidenceBundle(
        request_jws=bundle.request_jws,
        request_salt=bundle.request_salt,
        consent_jws=bundle.consent_jws,
        attestation_jws=bundle.attestation_jws,
        scorecard_header=bundle.scorecard_header,
        approval_jws=bundle.approval_jws,
        key_registration_jws=bundle.key_registration_jws,
        decision=receipt_to_message(bundle.decision),
    )


def bundle_from_message(message: evidence_pb2.EvidenceBundle) -> EvidenceBundle:
    """A bundle as received: unverified."""
    return EvidenceBundle(
        request_jws=message.request_jws,
        request_salt=message.request_salt,
        consent_jws=message.consent_jws,
        attestation_jws=message.attestation_jws,
        scorecard_header=message.scorecard_header,
        approval_jws=message.approval_jws,
        key_registration_jws=message.key_registration_jws,
        decision=receipt_from_message(message.decision),
    )


def history_to_message(statement: HistoryStatement) -> evidence_pb2.SubjectHistory:
    """A statement of a subject's history for the wire."""
    return evidence_pb2.SubjectHistory(statement_jws=statement.statement_jws, checkpoint=statement.checkpoint)


def history_from_message(message: evidence_pb2.SubjectHistory) -> HistoryStatement:
    """A statement as received: unverified."""
    return HistoryStatement(message.statement_jws, message.checkpoint)
