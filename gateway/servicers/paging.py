"""Pages of lists: an opaque token that is the row after which the next page begins."""

from __future__ import annotations

from collections.abc import Sequence

DEFAULT_PAGE = 50
"""Entries of a page when the request says 0 (the protos promise it)."""


def page_size(requested: int) -> int:
    """Entries of this page; the upper bound is checked by protovalidate."""
    return requested or DEFAULT_PAGE


def page_start(token: str) -> int | None:
    """Row the page begins after; None for the first page. The form is checked by protovalidate."""
    return int(token) if token else None


def page_token(row_ids: Sequence[int], size: int) -> str:
    """Token of the next page; empty when this one was not full."""
    return str(row_ids[-1]) if len(row_ids) == size else ""
