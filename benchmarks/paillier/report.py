"""Tables for people: on the terminal and, between markers, in README.md and README.zh.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.paillier.peers import NAMES


@dataclass(frozen=True)
class Words:
    """What a table says in one language; `rows` by operation."""

    head: str
    faster: str
    rows: Mapping[str, str]
    online: str
    facts: str


ENGLISH = Words(
    "ms at {bits} bits, one core",
    "faster than",
    {
        "encrypt": "encrypt one value, no pool",
        "decrypt": "decrypt one value",
        "dot": "score over 40 columns, 16-bit weights",
        "portfolio": "whole path per company (40 columns; ours packed)",
    },
    "encrypt with a ready randomizer",
    "Encryption takes {floor_ratio} × the time of the bare multiplications it needs; throughput grows by {scaling} per "
    "core added; a streamed portfolio of 10,000 companies keeps {rss_mb_10k} MB resident, one of 100,000 "
    "{rss_mb_100k} MB. Measured on {processor}, {cores} cores, Python {python}, gmpy2 {gmpy2}.",
)
CHINESE = Words(
    "毫秒，{bits} 位，单核",
    "快于",
    {
        "encrypt": "加密一个值，不用预备池",
        "decrypt": "解密一个值",
        "dot": "40 列评分，16 位权重",
        "portfolio": "每家企业全流程（40 列；我方打包）",
    },
    "用现成随机数加密",
    "加密耗时是其所需乘法本身的 {floor_ratio} 倍；每增加一个核，吞吐量增加 {scaling}；"
    "流式处理 10,000 家企业常驻内存 {rss_mb_10k} MB，100,000 家 {rss_mb_100k} MB。"
    "测于 {processor}，{cores} 核，Python {python}，gmpy2 {gmpy2}。",
)


def table(result: Mapping[str, Any], words: Words = ENGLISH) -> str:
    """A Markdown table of milliseconds and the ratios against each peer, at the largest key size."""
    milliseconds = result["by_key_size"][str(result["bits"])]["milliseconds"]
    lines = [
        f"| {words.head.format(bits=result['bits'])} | phe | sf-heu | pypaillier | **Consentgate** | {words.faster} |",
        "|---|---|---|---|---|---|",
        *(_row(title, milliseconds[what]) for what, title in words.rows.items()),
        f"| {words.online} | – | – | – | **{result['encrypt_online_us'] / 1000:.2g}** | |",
    ]
    return "\n".join(lines)


def facts(result: Mapping[str, Any], words: Words = ENGLISH) -> str:
    """One paragraph: distance from the multiplications' own time, scaling, memory, machine."""
    machine = result["machine"]
    named = {name: machine[name] for name in ("processor", "cores", "python")}
    figures = {name: result[name] for name in ("floor_ratio", "scaling", "rss_mb_10k", "rss_mb_100k")}
    return words.facts.format(**named, **figures, gmpy2=machine["versions"]["gmpy2"])


def _row(title: str, milliseconds: Mapping[str, float]) -> str:
    """A peer that was not measured has a dash."""
    measured = [name for name in NAMES if name in milliseconds]
    cells = [short(milliseconds[name]) if name in measured else "–" for name in NAMES]
    faster = ", ".join(f"{name} × {short(milliseconds[name] / milliseconds['ours'])}" for name in measured)
    return f"| {title} | {' | '.join(cells)} | **{short(milliseconds['ours'])}** | {faster} |"


def short(value: float) -> str:
    """Three digits that count, thousands parted, never an exponent."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
