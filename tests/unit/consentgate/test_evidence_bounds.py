"""Every bound of a bundle exactly: the last value that is accepted, and the first that is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from consentgate import evidence
from consentgate.errors import ConsentgateError, ErrorCode
from ledger.entry import format_time
from tests.support.federation import AS_OF, Federation

Arguments = Callable[[Federation], dict[str, Any]]
SECOND = timedelta(seconds=1)


def _decided(f: Federation) -> int:
    """The leaf's time, as `Federation.bundle` sets it."""
    return f.seconds(seconds=-1)


def _request(seconds: int) -> Arguments:
    return lambda f: {"request": f.sign_request(f.request_claims(iat=_decided(f) + seconds))}


def _consent(**changes: Any) -> Arguments:
    return lambda f: {"consent": f.sign_consent(f.consent_claims(**{n: v(f) for n, v in changes.items()}))}


def _attestation(**changes: Any) -> Arguments:
    return lambda f: {"attestation": f.sign_attestation(f.attestation_claims(**{n: v(f) for n, v in changes.items()}))}


def _cosigned(seconds: int) -> Arguments:
    return lambda f: {"cosigned_at": f.now + timedelta(seconds=seconds)}


def _life(**delta: float) -> Arguments:
    return lambda f: {"body": {"not_after": format_time(f.now - SECOND + timedelta(**delta))}}


def _dated(**delta: float) -> Arguments:
    """Relative to the cosignatures, which are a second old."""
    return lambda f: {"decided_at": f.now - SECOND + timedelta(**delta)}


def _range(first: str, last: str) -> Arguments:
    return lambda f: {"consent": f.sign_consent(f.consent_claims(data_range={"first": first, "last": last}))}


MICROSECOND = 1e-6
BOUNDS: dict[str, tuple[Arguments, Arguments, ErrorCode]] = {
    "request oldest": (_request(-300), _request(-301), ErrorCode.CLOCK_SKEW),
    "request newest": (_request(300), _request(301), ErrorCode.CLOCK_SKEW),
    "consent begins": (
        _consent(valid_from=_decided),
        _consent(valid_from=lambda f: _decided(f) + 1),
        ErrorCode.CONSENT_NOT_YET_VALID,
    ),
    "consent ends": (
        _consent(valid_until=lambda f: _decided(f) + 1),
        _consent(valid_until=_decided),
        ErrorCode.CONSENT_EXPIRED,
    ),
    "attestation begins": (
        _attestation(valid_from=_decided),
        _attestation(valid_from=lambda f: _decided(f) + 1),
        ErrorCode.ATTESTATION_EXPIRED,
    ),
    "attestation ends": (
        _attestation(valid_until=lambda f: _decided(f) + 1),
        _attestation(valid_until=_decided),
        ErrorCode.ATTESTATION_EXPIRED,
    ),
    "first period": (_range(AS_OF, "2026-12"), _range("2026-11", "2026-12"), ErrorCode.CONSENT_SCOPE),
    "last period": (_range("2025-01", AS_OF), _range("2025-01", "2026-09"), ErrorCode.CONSENT_SCOPE),
    "cosignatures oldest": (_cosigned(-5), _cosigned(-6), ErrorCode.LEDGER_STALE),
    "cosignatures newest": (_cosigned(5), _cosigned(6), ErrorCode.LEDGER_STALE),
    "leaf dated ahead": (_dated(seconds=5), _dated(seconds=5 + MICROSECOND), ErrorCode.CLOCK_SKEW),
    "longest life": (_life(seconds=60), _life(seconds=60 + MICROSECOND), ErrorCode.RECEIPT_EXPIRED),
    "last moment": (_life(seconds=1), _life(seconds=1 - MICROSECOND), ErrorCode.RECEIPT_EXPIRED),
}


@pytest.mark.parametrize(("inside", "outside", "code"), BOUNDS.values(), ids=BOUNDS.keys())
def test_bound(federation: Federation, inside: Arguments, outside: Arguments, code: ErrorCode):
    order = evidence.verify(federation.bundle(**inside(federation)), federation.anchors, federation.now)
    assert order.bank == federation.bank_a.identity
    with pytest.raises(ConsentgateError) as caught:
        evidence.verify(federation.bundle(**outside(federation)), federation.anchors, federation.now)
    assert caught.value.code is code


def test_a_life_of_nothing(federation: Federation):
    """`not_after` must be later than the leaf, even when the reader's clock has not reached either."""
    later = federation.now + 3 * SECOND
    bundle = federation.bundle(decided_at=later, body={"not_after": format_time(later)})
    with pytest.raises(ConsentgateError) as caught:
        evidence.verify(bundle, federation.anchors, federation.now)
    assert caught.value.code is ErrorCode.RECEIPT_EXPIRED
