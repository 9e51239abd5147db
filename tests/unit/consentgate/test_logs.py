"""Logs: closed by default. Nothing but known keys in their known form reaches a line, whoever wrote it."""

from __future__ import annotations

import ast
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from consentgate import logs
from consentgate.logs import ALLOWED, WITHHELD_EVENT, LogLevel, allow_known
from tests.architecture.sources import nodes
from tests.support.process_logs import logs_put_back

SECRET = "91350100M000100Y43"
NAME = "Fuzhou Trading Co., Ltd."

Lines = Callable[[], list[dict[str, Any]]]

GOOD: dict[str, Any] = {
    "timestamp": "2026-11-24T04:01:02.123456Z",
    "level": "info",
    "logger": "consentgate.rpc",
    "event": "call",
    "withheld": 1,
    "method": "/consentgate.v1.KeyService/RegisterKey",
    "role": "bank",
    "code": "CONSENT_EXPIRED",
    "milliseconds": 1.5,
    "seconds": 2,
    "detail": "x5c: CERTIFICATE_USAGE",
    "incident": "0123456789abcdef",
    "exceptions": ["KeyError"],
    "places": ["consentgate/evidence.py:12 verify"],
    "port": 443,
    "pid": 1,
    "task": "tail",
    "attempt": 1,
    "count": 1,
    "request_id": "0" * 32,
    "step": 3,
    "name": "consent",
    "department": "tax",
    "recovered": 1,
    "seq": 1,
    "index": 1,
    "size": 1,
    "tree_size": 1,
    "known_size": 1,
    "kind": "query.decision",
    "witness": "tax.witness.test",
    "witnesses": 3,
    "entries": 1,
    "cosigned": 1,
    "ready": True,
}
EVIL = [SECRET, NAME, "a\nb", "x" * 500, b"bytes", None, {"a": SECRET}, [SECRET], object(), "张伟"]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Logs as this process would write them; what was configured before is put back."""
    stream = io.StringIO()
    with logs_put_back():
        logs.configure(LogLevel.DEBUG, stream)
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def _kept(**event: Any) -> dict[str, Any]:
    return dict(allow_known(None, "info", dict(event)))


@pytest.mark.parametrize("key", sorted(set(ALLOWED) & set(GOOD)))
def test_known_key_in_its_form_passes(key: str):
    assert _kept(**{"event": "call", key: GOOD[key]})[key] == GOOD[key]


@pytest.mark.parametrize("key", sorted(ALLOWED))
def test_known_key_in_another_form_is_dropped(key: str):
    for value in EVIL:
        kept = _kept(**{"event": "call", key: value})
        assert kept["withheld"] == 1
        assert kept.get(key) in ((WITHHELD_EVENT,) if key == "event" else (1,) if key == "withheld" else (None,))


@pytest.mark.parametrize("key", sorted(ALLOWED))
def test_a_company_code_fits_nowhere(key: str):
    """Neither as it is written, nor in lower case, nor inside of another text of a free form."""
    for value in (SECRET, SECRET.lower(), f"company {SECRET}", f"/{SECRET}/x", f"/a.b/{SECRET}", [SECRET], (SECRET,)):
        assert SECRET.lower() not in str(_kept(**{"event": "call", key: value})).lower()


def test_own_details_pass():
    """What the packages write as `private` is of the form that lines let through; else it would be lost."""
    texts = {
        node.value.value
        for _, node in nodes()
        if isinstance(node, ast.keyword) and node.arg == "private" and isinstance(node.value, ast.Constant)
        if isinstance(node.value.value, str)
    }
    assert len(texts) > 20
    assert not [text for text in texts if not ALLOWED["detail"](text)]


def test_unknown_keys_are_dropped_and_counted():
    kept = _kept(event="call", company=SECRET, value=3, code="OK")
    assert kept == {"event": "call", "code": "OK", "withheld": 2}


def test_an_event_text_is_words_only():
    for text in (f"company {SECRET}", "score 712", "Call", "call {x}", "", "é", 5):
        kept = _kept(event=text)
        assert kept == {"event": WITHHELD_EVENT, "withheld": 1}
    assert _kept(event="changed certificate refused") == {"event": "changed certificate refused"}


def test_numbers_are_no_truth_values_and_the_other_way_round():
    assert "count" not in _kept(event="call", count=True)
    assert "ready" not in _kept(event="call", ready=1)


def test_a_line_is_json_with_time_level_and_logger(lines: Lines):
    structlog.get_logger("consentgate.test").warning("something happened", code="OK")
    line = lines()[0]
    assert (line["event"], line["level"], line["logger"], line["code"]) == (
        "something happened",
        "warning",
        "consentgate.test",
        "OK",
    )
    assert line["timestamp"].endswith("Z")
    assert "withheld" not in line


def test_an_exception_leaves_kind_and_places_but_no_text(lines: Lines):
    log = structlog.get_logger("consentgate.test")
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("it failed")
    line = lines()[0]
    assert line["exceptions"] == ["ValueError"]
    assert line["places"][0].startswith("consentgate/test_logs.py:")
    assert SECRET not in str(line)


def test_an_exception_given_as_an_object(lines: Lines):
    structlog.get_logger("consentgate.test").error("it failed", exc_info=KeyError(SECRET))
    assert lines()[0]["exceptions"] == ["KeyError"]
    assert SECRET not in str(lines())


def test_a_librarys_line_keeps_nothing_of_its_text(lines: Lines):
    logging.getLogger("sqlalchemy.engine").warning("SELECT * WHERE company = '%s'", SECRET, extra={"company": SECRET})
    line = lines()[0]
    assert (line["event"], line["logger"], line["level"]) == ("line of a library", "sqlalchemy.engine", "warning")
    assert line["places"][0].startswith("test_logs.py:")
    assert SECRET not in str(line)
    assert "SELECT" not in str(line)


def test_a_librarys_exception(lines: Lines):
    try:
        raise RuntimeError(SECRET)
    except RuntimeError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved: %s", SECRET)
    assert lines()[0]["exceptions"] == ["RuntimeError"]
    assert SECRET not in str(lines())


def test_libraries_are_heard_from_warning_on(lines: Lines):
    logging.getLogger("grpc").info("hello")
    logging.getLogger("consentgate.plain").debug("hello")
    assert [line["logger"] for line in lines()] == ["consentgate.plain"]


def test_levels(lines: Lines):
    stream = io.StringIO()
    logs.configure(LogLevel.WARNING, stream)
    log = structlog.get_logger("consentgate.test")
    log.info("quiet")
    log.error("loud")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]
    assert lines() == []


def test_configuring_twice_writes_once(lines: Lines):
    stream = io.StringIO()
    logs.configure(LogLevel.INFO, stream)
    logs.configure(LogLevel.INFO, stream)
    structlog.get_logger("consentgate.test").info("once")
    assert len(stream.getvalue().splitlines()) == 1
    assert lines() == []


def test_a_value_that_cannot_be_json_breaks_nothing(lines: Lines):
    structlog.get_logger("consentgate.test").info("odd", count=object(), places=[object()], zz={1: object()})
    assert lines()[0]["withheld"] == 3
