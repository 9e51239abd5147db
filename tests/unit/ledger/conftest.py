"""A folder in which a log, its second place and its witnesses have their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.running_log import LogFolder


@pytest.fixture
def folder(tmp_path: Path) -> LogFolder:
    return LogFolder(tmp_path)
