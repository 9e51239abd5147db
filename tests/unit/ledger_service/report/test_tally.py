"""Figures: what rows add up to, and how many tokens there are."""

from __future__ import annotations

import secrets

import pytest

from ledger.entry import leaf_hash, parse
from ledger_service.report import tokens as tokens_module
from ledger_service.report.columns import row_of
from ledger_service.report.summary import Decided, Figures
from ledger_service.report.tally import Tally
from ledger_service.report.tokens import DistinctTokens
from tests.support.sample_log import sample_log


def figures(repeat: int) -> Figures:
    leaves = sample_log(repeat).leaves
    with DistinctTokens() as tokens:
        tally = Tally(tokens)
        tally.add(row_of(parse(leaf), leaf_hash(leaf).hex()) for leaf in leaves)
        return tally.figures()


def test_figures_of_the_sample_log() -> None:
    found = figures(3)
    assert (found.entries, found.tokens) == (28, 2)
    assert found.by_kind["query.decision"] == 6
    assert found.by_institution == {"bank-a": 12, "bank-b": 6}
    assert found.by_purpose == {"credit.origination": 12}
    assert found.by_verdict == {"allow": 3, "deny": 3}
    assert found.by_reason == {"ALLOWED": 3, "CONSENT_REVOKED": 3}
    assert found.denials_by_reason == {"CONSENT_REVOKED": 3}
    assert found.by_category == {"customs.trade": 3, "tax.basic": 6}
    assert found.by_month == {"2026-11": 28}
    assert found.decisions_by_day == {"2026-11-24": Decided(allow=3, deny=3)}
    assert found.decisions_by_institution == {"bank-a": Decided(allow=3, deny=0), "bank-b": Decided(allow=0, deny=3)}


@pytest.mark.parametrize("spool", [64, tokens_module.SPOOL_BYTES])
def test_tokens_are_counted_exactly_in_memory_and_on_disk(spool: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_module, "SPOOL_BYTES", spool)
    fresh = [secrets.token_hex(16) for _ in range(2000)]
    with DistinctTokens() as tokens:
        assert tokens.count() == 0
        for token in [*fresh, *fresh[:500]]:
            tokens.add(token)
        assert tokens.count() == 2000
        tokens.add(fresh[7])
        tokens.add("00" * 16)
        assert tokens.count() == 2001
