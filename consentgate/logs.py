"""Logs as JSON lines, closed by default: only known keys with values of their known form pass.

A value that somebody logs by accident is dropped, not masked: every key that may appear stands in the
table below with the form of its values, an event text is plain lower-case words (so no number, code or
name fits), and lines of other libraries keep only their logger, level and kind of exception. `withheld`
counts what was dropped from a line. A new key is one line in the table; choose the narrowest form.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TextIO

import structlog

from consentgate.authz import ALLOWED_ROLES
from consentgate.error_status import places
from ledger.kinds import COMPANY_CODE

Form = Callable[[object], bool]
Event = MutableMapping[str, Any]


class LogLevel(StrEnum):
    """As given on a command line."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _matching(pattern: str) -> Form:
    form = re.compile(pattern)
    return lambda value: isinstance(value, str) and form.fullmatch(value) is not None


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _listed(form: Form) -> Form:
    return lambda value: isinstance(value, list | tuple) and all(form(entry) for entry in value)


def _identifier(value: object) -> bool:
    return _IDENTIFIER(value) and COMPANY_CODE.fullmatch(str(value)) is None


def _known_method(value: object) -> bool:
    """A method that no server has is text of a stranger's choice."""
    return isinstance(value, str) and value in ALLOWED_ROLES


_WORDS = _matching(r"[a-z][a-z ,;:'/-]{0,119}")
_WORD = r"[(']?([a-z][a-z'/._-]*|[A-Z_]{2,}s?|Ed25519|P-256|x5c|base64)[),;:.']*"
_DETAIL = _matching(rf"(?=.{{1,120}}\Z)({_WORD}( {_WORD})*|[A-Z][A-Za-z_.]*)")
"""Lower-case words, codes and a few terms of the trade, or the name of one type: no number and nobody's name fits."""
_IDENTIFIER = _matching(r"[a-z0-9][a-z0-9._-]{0,63}")
_CODE = _matching(r"[A-Z][A-Za-z_]{0,63}")
_DOTTED = _matching(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")

ALLOWED: Mapping[str, Form] = MappingProxyType(
    {
        "timestamp": _matching(r"[0-9TZ:.-]{1,40}"),
        "level": _matching(r"[a-z]{1,10}"),
        "logger": _DOTTED,
        "event": _WORDS,
        "withheld": _number,
        # Calls.
        "method": _known_method,
        "role": _matching(r"[a-z]{1,16}"),
        "code": _CODE,
        "milliseconds": _number,
        "seconds": _number,
        "detail": _DETAIL,
        "incident": _matching(r"[0-9a-f]{16}"),
        "exceptions": _listed(_CODE),
        "places": _listed(_matching(r"[\w./<>-]{1,120}:\d{1,6} [\w<>]{1,80}")),
        # Processes.
        "port": _number,
        "pid": _number,
        "task": _matching(r"[a-z_]{1,64}"),
        "attempt": _number,
        "count": _number,
        # Requests and decisions: ids that say nothing about whom they are.
        "request_id": _matching(r"[0-9a-f]{32}"),
        "step": _number,
        "name": _WORDS,
        "department": _identifier,
        "recovered": _number,
        # Ledger.
        "seq": _number,
        "index": _number,
        "size": _number,
        "tree_size": _number,
        "known_size": _number,
        "kind": _matching(r"[a-z]{1,32}\.[a-z]{1,32}"),
        "witness": _identifier,
        "witnesses": _number,
        "entries": _number,
        "cosigned": _number,
        "ready": _flag,
    }
)
"""Key → the form its values must have."""

OWN_PACKAGES = (
    "bank_client",
    "company_client",
    "consentgate",
    "department_adapter",
    "dev",
    "gateway",
    "ledger",
    "ledger_service",
    "paillier",
)
"""Loggers whose level is configurable; libraries are heard from WARNING on."""
WITHHELD_EVENT = "withheld"
"""Stands for an event text that is not of the allowed form."""


def configure(level: LogLevel = LogLevel.INFO, stream: TextIO | None = None) -> None:
    """Sends all logs of this process and its libraries, as JSON lines, to `stream` (default: stderr)."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_foreign, *_SHARED],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                allow_known,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
    for package in OWN_PACKAGES:
        logging.getLogger(package).setLevel(number)


def allow_known(_logger: object, _method: str, event: Event) -> Event:
    """The allow-list, last before rendering: drops what is unknown or of another form, and counts it."""
    kept = {key: value for key, value in event.items() if key in ALLOWED and ALLOWED[key](value)}
    dropped = len(event) - len(kept)
    kept.setdefault("event", WITHHELD_EVENT)
    if dropped:
        kept["withheld"] = dropped
    return kept


def _exception_kind(_logger: object, _method: str, event: Event) -> Event:
    """An exception becomes its type and places; its text, which may hold values, is lost."""
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["exceptions"] = [type(error).__name__]
        event["places"] = places(error)
    return event


def _foreign(_logger: object, _method: str, event: Event) -> Event:
    """A line of a library: its text was not written under our rules."""
    record: logging.LogRecord = event["_record"]
    event["event"] = "line of a library"
    event["places"] = [f"{record.filename}:{record.lineno} {record.funcName}"]
    if record.exc_info and record.exc_info[1] is not None:
        event["exceptions"] = [type(record.exc_info[1]).__name__]
    return event


_SHARED: list[Any] = [
    structlog.stdlib.add_logger_name,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _exception_kind,
]
