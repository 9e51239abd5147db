"""A burst of requests under a new key checks its proof once, not once for each request."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from consentgate import evidence
from tests.support.federation import Federation


def test_a_new_keys_proof_is_checked_once_however_many_ask(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[str] = []

    def slow_check(_key: object, _proof: object, owner: bytes) -> None:
        checks.append(owner.decode())
        time.sleep(0.05)

    monkeypatch.setattr(evidence, "verify_blum", slow_check)
    evidence._proven_key.cache_clear()

    def verify(_index: int) -> str:
        bank = federation.bank_a.identity
        key = evidence.verify_key_registration(federation.registration, federation.anchors, federation.now, bank)
        return key.key_id

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(verify, range(8)))
    evidence._proven_key.cache_clear()
    assert found == {federation.paillier_key.public.key_id}
    assert checks == [str(federation.bank_a.identity)]
