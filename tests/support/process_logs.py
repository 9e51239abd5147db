"""Logs belong to the whole process: whatever a test configures is put back for the tests after it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from consentgate import logs


@contextmanager
def logs_put_back() -> Iterator[None]:
    """Afterwards loggers are as they were before, whatever `consentgate.logs.configure` did meanwhile."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    own_levels = {package: logging.getLogger(package).level for package in logs.OWN_PACKAGES}
    before = structlog.get_config()
    try:
        yield
    finally:
        structlog.configure(**before)
        root.handlers[:] = handlers
        root.setLevel(level)
        for package, own in own_levels.items():
            logging.getLogger(package).setLevel(own)
