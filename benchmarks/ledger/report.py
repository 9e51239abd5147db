"""The figures for people, beside the targets they are measured against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROWS = (
    ("durable appends/s, SQLite, 64 writers", "append_per_s_sqlite", ""),
    ("… times a naive log (one row, one commit)", "append_vs_naive_sqlite", "≥ 3.5"),
    ("durable appends/s, PostgreSQL, 64 writers", "append_per_s_postgres", ""),
    ("… times a naive log", "append_vs_naive_postgres", "≥ 12"),
    ("p99 of an append, 64 writers, ms", "p99_ms_64_writers", ""),
    ("… times the disk's own fsync", "p99_vs_fsync", "< 10"),
    ("fsync of this disk, ms", "fsync_ms", ""),
    ("cosigned receipts/s, 64 callers", "receipts_per_s_sqlite", ""),
    ("append to cosigned receipt, one caller, ms", "receipt_ms", ""),
    ("append rate at the end / at 10 k", "append_end_vs_10k", "≥ 0.9"),
    ("entries verified/s", "verify_entries_per_s", ""),
    ("a million verified, s", "million_verify_s", "< 60"),
    ("… of processor time, s", "million_verify_cpu_s", ""),
    ("… memory, MB", "million_verify_rss_mb", "< 200"),
    ("longest proof at a million, bytes", "proof_bytes_1m", ""),
    ("search, p99, ms", "search_ms_1m", "< 50"),
)


def table(result: Mapping[str, Any]) -> str:
    """A Markdown table."""
    lines = [f"| {result['entries']} entries of {result['leaf_bytes']} bytes | measured | target |", "|---|---|---|"]
    for title, name, target in ROWS:
        value = result[name]
        lines.append(f"| {title} | {'not measured' if value is None else value} | {target} |")
    return "\n".join(lines)
