"""Whatever a peer sends, a verifier answers with a refusal of the catalogue and never with another exception."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentgate import canonical, evidence, signing
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import EvidenceBundle
from consentgate.identity import IdentityInvalid, SpiffeId
from consentgate.scorecard import ScorecardHeader
from consentgate.statements import StatementKind
from ledger.receipt import Receipt
from tests.support.federation import Federation

PARTS = [field.name for field in fields(EvidenceBundle) if field.name != "decision"]
TOKENS = st.binary(max_size=120) | st.text("abcdefABCDEF0123456789-_.={}\"':,[]", max_size=120).map(str.encode)


@cache
def _federation() -> Federation:
    return Federation()


@st.composite
def _mutations(draw: st.DrawFn, honest: bytes) -> bytes:
    """Bytes replaced, removed or inserted at some place."""
    start = draw(st.integers(0, len(honest)))
    length = draw(st.integers(0, 4))
    return honest[:start] + draw(st.binary(max_size=4)) + honest[start + length :]


@given(st.sampled_from(PARTS), st.data())
def test_mutated_part(part: str, data):
    """Only the bytes themselves are accepted."""
    honest = _federation().honest
    mutated = data.draw(_mutations(getattr(honest, part)))
    if mutated != getattr(honest, part):
        _refused(replace(honest, **{part: mutated}))


@given(st.data())
def test_mutated_receipt(data):
    honest = _federation().honest
    leaf = data.draw(st.just(honest.decision.leaf) | _mutations(honest.decision.leaf))
    proof = data.draw(st.just(honest.decision.proof) | _mutations(honest.decision.proof))
    if (leaf, proof) != (honest.decision.leaf, honest.decision.proof):
        _refused_or_equal(replace(honest, decision=Receipt(leaf=leaf, proof=proof)))


@given(st.sampled_from([*PARTS, "leaf", "proof"]), TOKENS)
def test_arbitrary_part(part: str, token: bytes):
    honest = _federation().honest
    if part in ("leaf", "proof"):
        _refused(replace(honest, decision=replace(honest.decision, **{part: token})))
    else:
        _refused(replace(honest, **{part: token}))


@given(TOKENS)
def test_tokens(token: bytes):
    federation = _federation()
    failure, kind = ErrorCode.CONSENT_SIGNATURE, StatementKind.CONSENT
    keys = {"a": federation.registry_key.jwk}
    for verify in (
        lambda: signing.verify_pinned(token, kind, federation.registry_key.jwk, failure),
        lambda: signing.verify_institution(token, kind, federation.ca.certificate, federation.now, failure),
        lambda: signing.verify_jointly(token, kind, keys, 1, failure),
    ):
        with pytest.raises(ConsentgateError) as caught:
            verify()
        assert caught.value.code is failure


@given(TOKENS)
def test_readers(token: bytes):
    for read in (
        lambda: canonical.parse(token, "part"),
        lambda: canonical.parse_canonical(token, "part"),
        lambda: signing.unverified_payload(token, "part"),
        lambda: ScorecardHeader.parse(token, "part"),
    ):
        with suppress(ConsentgateError):
            read()


@given(st.text(max_size=80) | st.from_regex(r"spiffe://[a-z.]{0,8}/[a-z]{0,10}/[a-z._-]{0,8}", fullmatch=True))
def test_identities_read_back_or_are_refused(text: str):
    with suppress(IdentityInvalid):
        assert str(SpiffeId.parse(text)) == text


def _refused(bundle: EvidenceBundle) -> None:
    federation = _federation()
    with pytest.raises(ConsentgateError) as caught:
        evidence.verify(bundle, federation.anchors, federation.now)
    assert caught.value.code is not ErrorCode.INTERNAL


def _refused_or_equal(bundle: EvidenceBundle) -> None:
    """A note may carry signatures of strangers, which change nothing: then the order is the same."""
    federation = _federation()
    with suppress(ConsentgateError):
        assert evidence.verify(bundle, federation.anchors, federation.now) == federation.order()
