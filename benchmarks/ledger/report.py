"""The figures for people: on the terminal and, between markers, in README.md and README.zh.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ROWS: tuple[tuple[str, str], ...] = (
    ("append_per_s_sqlite", ""),
    ("append_vs_naive_sqlite", "≥ 3.5"),
    ("append_vs_naive_64_writers_sqlite", ""),
    ("append_vs_pymerkle", ""),
    ("append_per_s_postgres", ""),
    ("append_vs_naive_postgres", "≥ 12"),
    ("append_vs_naive_64_writers_postgres", ""),
    ("p99_ms_64_writers", ""),
    ("p99_vs_fsync", "< 10"),
    ("p99_vs_fsync_1ms", ""),
    ("receipts_per_s_sqlite", ""),
    ("receipt_ms", ""),
    ("append_end_vs_10k", "≥ 0.9"),
    ("million_verify_s", "< 60"),
    ("million_verify_rss_mb", "< 200"),
    ("search_ms_1m", "< 50"),
    ("proof_bytes_1m", ""),
)
"""Figure and target."""


@dataclass(frozen=True)
class Words:
    """What the table says in one language; `rows` by figure."""

    head: str
    not_measured: str
    rows: Mapping[str, str]
    facts: str


ENGLISH = Words(
    "{entries} entries of {leaf_bytes} bytes | measured | target",
    "not measured",
    {
        "append_per_s_sqlite": "durable appends/s, SQLite, 64 writers",
        "append_vs_naive_sqlite": "… times a naive log (one row, one commit) at its best, with 1 writer or 64",
        "append_vs_naive_64_writers_sqlite": "… times the naive log with 64 writers",
        "append_vs_pymerkle": "… times pymerkle on SQLite",
        "append_per_s_postgres": "durable appends/s, PostgreSQL, 64 writers",
        "append_vs_naive_postgres": "… times a naive log at its best, with 1 writer or 64",
        "append_vs_naive_64_writers_postgres": "… times the naive log with 64 writers",
        "p99_ms_64_writers": "p99 of an append, SQLite, 64 writers, ms",
        "p99_vs_fsync": "… times the disk's own fsync",
        "p99_vs_fsync_1ms": "… the same on a disk that takes a millisecond longer",
        "receipts_per_s_sqlite": "cosigned receipts/s, 64 callers",
        "receipt_ms": "append to cosigned receipt, one caller, ms",
        "append_end_vs_10k": "append rate of the large log / of one of 10 k",
        "million_verify_s": "a million entries verified, s",
        "million_verify_rss_mb": "… memory, MB",
        "search_ms_1m": "search of the large log, p99, ms",
        "proof_bytes_1m": "longest proof at a million, bytes",
    },
    "Naive logs write {naive_per_s_sqlite} (SQLite) and {naive_per_s_postgres} (PostgreSQL) entries per second, "
    "pymerkle {pymerkle_per_s}; an fsync of this disk takes {fsync_ms} ms. "
    "Measured on {processor}, {cores} cores, Python {python}, PostgreSQL {postgresql}.",
)
CHINESE = Words(
    "{entries} 条记录，每条 {leaf_bytes} 字节 | 实测 | 目标",
    "未测",
    {
        "append_per_s_sqlite": "持久追加（条/秒），SQLite，64 个写入者",
        "append_vs_naive_sqlite": "…… 是朴素日志（一行一提交）最好成绩（1 或 64 个写入者）的倍数",
        "append_vs_naive_64_writers_sqlite": "…… 是朴素日志在 64 个写入者时的倍数",
        "append_vs_pymerkle": "…… 是 pymerkle（SQLite）的倍数",
        "append_per_s_postgres": "持久追加（条/秒），PostgreSQL，64 个写入者",
        "append_vs_naive_postgres": "…… 是朴素日志最好成绩（1 或 64 个写入者）的倍数",
        "append_vs_naive_64_writers_postgres": "…… 是朴素日志在 64 个写入者时的倍数",
        "p99_ms_64_writers": "一次追加的 p99，SQLite，64 个写入者，毫秒",
        "p99_vs_fsync": "…… 是磁盘自身 fsync 的倍数",
        "p99_vs_fsync_1ms": "…… 同上，若磁盘每次 fsync 慢一毫秒",
        "receipts_per_s_sqlite": "带见证签名的回执（个/秒），64 个调用者",
        "receipt_ms": "从追加到带见证签名的回执，单个调用者，毫秒",
        "append_end_vs_10k": "大日志的追加速率 / 一万条日志的追加速率",
        "million_verify_s": "验证一百万条，秒",
        "million_verify_rss_mb": "…… 内存，MB",
        "search_ms_1m": "在大日志中检索，p99，毫秒",
        "proof_bytes_1m": "一百万条时最长的证明，字节",
    },
    "朴素日志每秒写入 {naive_per_s_sqlite} 条（SQLite）与 {naive_per_s_postgres} 条（PostgreSQL），pymerkle 为 "
    "{pymerkle_per_s} 条；该磁盘一次 fsync 需 {fsync_ms} 毫秒。测于 {processor}，{cores} 核，Python {python}，"
    "PostgreSQL {postgresql}。",
)


def table(result: Mapping[str, Any], words: Words = ENGLISH) -> str:
    """A Markdown table."""
    sizes = {"entries": short(result["entries"]), "leaf_bytes": result["leaf_bytes"]}
    lines = [f"| {words.head.format(**sizes)} |", "|---|---|---|"]
    for name, target in ROWS:
        value = result[name]
        lines.append(f"| {words.rows[name]} | {words.not_measured if value is None else short(value)} | {target} |")
    return "\n".join(lines)


def facts(result: Mapping[str, Any], words: Words = ENGLISH) -> str:
    """One paragraph: what it was compared with, and on what machine."""
    machine = result["machine"]
    compared = ("naive_per_s_sqlite", "naive_per_s_postgres", "pymerkle_per_s", "fsync_ms")
    figures = {name: words.not_measured if result[name] is None else short(result[name]) for name in compared}
    named = {name: machine[name] for name in ("processor", "cores", "python")}
    return words.facts.format(**figures, **named, postgresql=result["versions"]["postgresql"] or words.not_measured)


def short(value: float) -> str:
    """Three digits that count, thousands parted, never an exponent."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
