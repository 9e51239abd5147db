"""A company's story: what the ledger says about it, and what departments say of that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from company_client.client import CompanyClient
from consentgate.errors import AnswerRefused
from consentgate.history import HistoryStatement
from tests.integration.clients.fake_gateway import FakeGateway, sequence
from tests.integration.clients.test_company_client import decision_body
from tests.support.federation import GROUP, Federation, Institution, hex16
from tests.support.subject_histories import statement


@dataclass
class Story:
    """A company with two tokens: two entries about one, none about the other; and one about somebody else."""

    company: CompanyClient
    federation: Federation
    gateway: FakeGateway
    token: str
    unused: str
    entries: list[int]

    def state(self, department: str = "tax", **changes: object) -> HistoryStatement:
        """What a department says about the used token; `changes` are lies."""
        return self._stated(self.token, self.federation.departments[department], **changes)

    def state_unused(self, department: str = "tax") -> HistoryStatement:
        return self._stated(self.unused, self.federation.departments[department])

    def _stated(self, token: str, signer: Institution, **changes: object) -> HistoryStatement:
        at = changes.pop("at", datetime.now(UTC).replace(microsecond=0))
        return statement(self.federation, token, at, signer=signer, **changes)  # type: ignore[arg-type]

    def honest(self, *departments: str) -> list[HistoryStatement]:
        return [one for name in departments for one in (self.state(name), self.state_unused(name))]

    def refusal(self) -> AnswerRefused:
        with pytest.raises(AnswerRefused) as caught:
            self.company.complete_accesses()
        return caught.value


@contextmanager
def told(company_toml: Path, federation: Federation, gateway: FakeGateway) -> Iterator[Story]:
    """The story as the gateway tells it, with tax for a witness."""
    with CompanyClient.from_config(company_toml) as company:
        token, unused = company.tokens.token_for(GROUP), company.tokens.token_for("group-b")
        entries = sequence([("query.decision", decision_body(token)) for _ in range(2)], gateway)
        federation.log.append("query.decision", decision_body(hex16("somebody else")), federation.now)
        made = Story(company, federation, gateway, token, unused, entries)
        gateway.histories = made.honest("tax")
        yield made
