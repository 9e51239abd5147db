"""Strategies for statements: everything that docs/wire.md, section 5, allows, and things it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from stdnum.cn import uscc

from consentgate.statements import (
    Claims,
    ConsentClaims,
    ConsentTransitionClaims,
    FeatureAnswerClaims,
    ScorecardApprovalClaims,
    ScoreRequestClaims,
)

HEX16 = st.text("0123456789abcdef", min_size=32, max_size=32)
HEX32 = st.text("0123456789abcdef", min_size=64, max_size=64)
IDENTIFIER = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True)
BANK = st.builds("spiffe://consentgate.test/bank/{}".format, IDENTIFIER)
SECONDS = st.integers(0, 253402300799)
PERIOD = st.builds("{:04}-{:02}".format, st.integers(0, 9999), st.integers(1, 12))
COUNT = st.integers(1, 1_000_000)
USE = st.sampled_from(["SCORE", "PROFILE", "MATCH"])
AUDIENCE = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def _with_check_character(stem: str) -> str:
    return stem + uscc.calc_check_digit(stem)


COMPANY = st.builds(
    _with_check_character, st.from_regex(r"[1-9A-GY][1-9][0-9]{6}[0-9A-HJ-NPQRTUWXY]{9}", fullmatch=True)
)


def _ordered(first: str, last: str, pair: tuple[Any, Any]) -> dict[str, Any]:
    return dict(zip((first, last), sorted(pair), strict=True))


@st.composite
def consents(draw: st.DrawFn) -> dict[str, Any]:
    """Claims of a consent, whose times and periods are in order."""
    start = draw(st.integers(0, 253402300798))
    return {
        "aud": draw(AUDIENCE),
        "iat": draw(SECONDS),
        "company": draw(COMPANY),
        "consent_id": draw(HEX16),
        "version": draw(COUNT),
        "subject": draw(HEX16),
        "group": draw(IDENTIFIER),
        "grantee": draw(BANK),
        "purpose": draw(IDENTIFIER),
        "use": draw(USE),
        "categories": draw(st.lists(IDENTIFIER, min_size=1, max_size=5)),
        "valid_from": start,
        "valid_until": draw(st.integers(start + 1, 253402300799)),
        "frequency": {"count": draw(COUNT), "per": draw(st.sampled_from(["HOUR", "DAY", "MONTH", "YEAR"]))},
        "total_uses": draw(COUNT),
        "data_range": _ordered("first", "last", draw(st.tuples(PERIOD, PERIOD))),
        "data_life_days": draw(st.integers(0, 36500)),
        "nonce": draw(HEX16),
    }


@st.composite
def approvals(draw: st.DrawFn) -> dict[str, Any]:
    """Claims of an approval, whose set holds its scorecard in the state of its action."""
    ids = draw(st.lists(HEX32, min_size=1, max_size=5, unique=True))
    action = draw(st.sampled_from(["APPROVE", "RETIRE"]))
    states = [{"APPROVE": "approved", "RETIRE": "retired"}[action]]
    states += [draw(st.sampled_from(["approved", "retired"])) for _ in ids[1:]]
    return {
        "aud": draw(AUDIENCE),
        "iat": draw(SECONDS),
        "group": draw(IDENTIFIER),
        "members": draw(st.lists(BANK, min_size=1, max_size=3)),
        "sequence": draw(COUNT),
        "previous": draw(HEX32),
        "action": action,
        "scorecard": ids[0],
        "scorecards": [{"id": one, "state": state} for one, state in zip(ids, states, strict=True)],
        "report": draw(HEX32),
    }


_COMMON: Mapping[str, st.SearchStrategy[Any]] = {"aud": AUDIENCE, "iat": SECONDS}
_REQUESTS = st.fixed_dictionaries(
    {
        **_COMMON,
        "iss": BANK,
        "request_id": HEX16,
        "company": COMPANY,
        "scorecard": HEX32,
        "purpose": IDENTIFIER,
        "use": st.just("SCORE"),
        "key_id": HEX32,
        "custody": st.just("recipient"),
        "as_of": PERIOD,
    }
)
_TRANSITIONS = st.fixed_dictionaries(
    {
        **_COMMON,
        "company": COMPANY,
        "consent_id": HEX16,
        "version": COUNT,
        "action": st.sampled_from(["PAUSE", "RESUME", "REVOKE"]),
        "nonce": HEX16,
    }
)
_ANSWERS = st.fixed_dictionaries(
    {
        **_COMMON,
        "iss": BANK,
        "leaf": HEX32,
        "subject": HEX16,
        "columns": st.lists(IDENTIFIER, min_size=1, max_size=4),
        "widths": st.lists(st.integers(1, 4096), min_size=1, max_size=4),
        "slots": st.just(1),
        "key_id": HEX32,
        "as_of": PERIOD,
        "ciphertexts": HEX32,
    }
)

STATEMENTS: st.SearchStrategy[tuple[type[Claims], dict[str, Any]]] = st.one_of(
    st.tuples(st.just(ScoreRequestClaims), _REQUESTS),
    st.tuples(st.just(ConsentClaims), consents()),
    st.tuples(st.just(ConsentTransitionClaims), _TRANSITIONS),
    st.tuples(st.just(ScorecardApprovalClaims), approvals()),
    st.tuples(st.just(FeatureAnswerClaims), _ANSWERS),
)
"""(model, claims that it must accept)."""
