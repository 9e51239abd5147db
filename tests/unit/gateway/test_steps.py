"""One list of steps: the code's, the page's and the audit events' are the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from consentgate import logs
from gateway import request_flow
from gateway.request_flow import STEPS
from tests.support.gateway_house import House

PAGE = Path(request_flow.__file__).parents[1] / "docs" / "request-flow.md"
ITEM = re.compile(r"^(\d+)\. \*\*([a-z-]+)\*\*: (.+)$", re.MULTILINE)


def test_the_page_has_the_same_steps_word_for_word() -> None:
    listed = [(int(number), name, sentence) for number, name, sentence in ITEM.findall(PAGE.read_text())]
    assert listed == [(step.number, step.name, step.sentence) for step in STEPS]


def test_steps_are_numbered_in_order() -> None:
    assert [step.number for step in STEPS] == list(range(1, 12))


def test_the_code_has_a_comment_at_the_head_of_every_block() -> None:
    source = Path(request_flow.__file__).read_text()
    assert [f"# {step.number}. " in source for step in STEPS] == [True] * len(STEPS)


async def test_audit_events_bear_the_same_numbers_and_names(settled: House) -> None:
    with capture_logs() as events:
        await settled.score()
    steps = [(event["step"], event["name"], event["code"]) for event in events if event["event"] == "step"]
    assert steps == [(step.number, step.name, "OK") for step in STEPS]


async def test_a_denied_request_says_where_it_ended(settled: House) -> None:
    with capture_logs() as events:
        await settled.refused(settled.request(purpose="credit.monitoring"))
    steps = [(event["step"], event["code"]) for event in events if event["event"] == "step"]
    assert steps == [(1, "OK"), (2, "OK"), (3, "CONSENT_PURPOSE"), (5, "OK"), (6, "CONSENT_PURPOSE")]


async def test_audit_events_pass_the_logs_allow_list(settled: House) -> None:
    """Nothing of them is withheld, and nothing in them says about whom they are."""
    settled.departments.silent = {"tax"}
    with capture_logs() as events:
        await settled.refused()
    for event in events:
        kept = logs.allow_known(None, "", {key: value for key, value in event.items() if key != "log_level"})
        assert "withheld" not in kept
        assert kept["event"] != logs.WITHHELD_EVENT
    text = str(events)
    assert settled.federation.company.code not in text
    assert settled.federation.company.subject not in text


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_sentences_are_sentences(step: request_flow.Step) -> None:
    assert step.sentence[0].isupper()
    assert step.sentence.endswith(".")
