"""Terms as a person types them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from company_client.terms import parse_data_range, parse_day, parse_departments, parse_frequency
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import DataRange, Frequency


def test_terms_are_read() -> None:
    assert parse_frequency("4/MONTH") == Frequency(count=4, per="MONTH")
    assert parse_frequency("1000000/YEAR").count == 1_000_000
    assert parse_data_range("2025-01..2026-12") == DataRange(first="2025-01", last="2026-12")
    assert parse_data_range("2025-01..2025-01").first == "2025-01"
    assert parse_day("2026-11-24") == datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("parse", "text", "option"),
    [
        *[
            (parse_frequency, text, "--frequency")
            for text in ("", "4", "4/month", "0/DAY", "-1/DAY", "4/WEEK", "1000001/DAY", " 4/DAY", "4/DAY\n")
        ],
        *[
            (parse_data_range, text, "--data-range")
            for text in ("", "2025-01", "2025-13..2026-01", "2026-01..2025-12", "2025-00..2025-01", "2025-1..2025-2")
        ],
        *[
            (parse_departments, text, "--ask")
            for text in (["tax"], ["tax=host"], ["tax=host:"], ["=host:1"], ["Tax=host:1"], ["a=h:1", "a=h:2"])
        ],
        *[(parse_day, text, "--valid-from") for text in ("", "tomorrow", "2026-02-30", "24.11.2026")],
    ],
    ids=lambda part: (
        repr(part) if isinstance(part, str | list) else part.__name__
    ),  # addresses differ between processes
)
def test_what_is_no_term_is_refused_naming_its_option(
    parse: Callable[[object], object], text: object, option: str
) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        parse(text)
    assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_ARGUMENT_FIELD, option)
    assert refusal.value.hint.startswith("Its form: "), "a person has no wire format at hand"
