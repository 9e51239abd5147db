"""An honest request through a real adapter over mTLS."""

from __future__ import annotations

from pathlib import Path

from consentgate import answer
from tests.integration.department_adapter.house import House


async def test_answer_decrypts_to_the_columns(tmp_path: Path) -> None:
    async with House.open(tmp_path) as house:
        bundle = house.federation.bundle()
        response = await house.ask(bundle)
        order = house.federation.order(bundle)
        verified = answer.verify_answer(response.answer_jws, order, house.federation.anchors)
        answer.check_ciphertexts(verified, response.ciphertexts)
        assert verified.department == "tax"
        assert house.decrypted(response.ciphertexts) == house.federation.positions("tax")
