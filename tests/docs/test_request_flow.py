"""docs/request-flow.md names the department's steps as the adapter does. (The gateway's: tests/unit/gateway.)"""

from __future__ import annotations

from consentgate.error_codes import ErrorCode
from department_adapter.release import STEPS
from tests.docs.pages import ROOT, table_rows

TEXT = (ROOT / "docs" / "request-flow.md").read_text("utf-8")


def test_the_departments_steps_are_the_adapters() -> None:
    table = TEXT[TEXT.index("| step | name | what | refused with |") :].partition("\n\n")[0]
    assert [row[:3] for row in table_rows(table)] == [[str(step.number), step.name, step.sentence] for step in STEPS]


def test_errors_are_codes_of_the_catalogue() -> None:
    words = {word.strip("`,.;:()*") for word in TEXT.split() if "_" in word and word.strip("`,.;:()*").isupper()}
    assert len(words) > 40
    assert words <= set(ErrorCode)
