"""Messages and domain types: nothing is lost, changed or re-encoded on the way."""

from __future__ import annotations

from dataclasses import fields

import protovalidate

from consentgate import convert
from consentgate.evidence import EvidenceBundle
from consentgate.v1 import evidence_pb2
from ledger.receipt import Receipt
from tests.support.federation import Federation


def test_bundle_survives_the_wire(federation: Federation):
    message = convert.bundle_to_message(federation.honest)
    received = evidence_pb2.EvidenceBundle.FromString(message.SerializeToString())
    assert convert.bundle_from_message(received) == federation.honest


def test_honest_bundle_keeps_the_contracts_bounds(federation: Federation):
    protovalidate.validate(convert.bundle_to_message(federation.honest))


def test_message_and_type_have_the_same_parts():
    descriptor = evidence_pb2.EvidenceBundle.DESCRIPTOR
    assert [field.name for field in descriptor.fields] == [field.name for field in fields(EvidenceBundle)]


def test_empty_message_becomes_empty_parts():
    """Unverified and worthless, but no crash."""
    bundle = convert.bundle_from_message(evidence_pb2.EvidenceBundle())
    assert bundle.request_jws == b""
    assert bundle.decision == Receipt(leaf=b"", proof=b"")


def test_receipt_is_copied_unchanged():
    receipt = Receipt(leaf=b'{"a": 1} ', proof=b"\x00\xff")
    assert convert.receipt_from_message(convert.receipt_to_message(receipt)) == receipt
