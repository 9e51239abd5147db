"""Tables for people: on the terminal and, between markers, in README.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROWS = {
    "encrypt": "encrypt one value, no pool",
    "decrypt": "decrypt one value",
    "dot": "score over 40 columns, 16-bit weights",
    "portfolio": "whole path per company (40 columns; ours packed)",
}
SIDES = ("phe", "heu", "pypaillier", "ours")


def table(result: Mapping[str, Any]) -> str:
    """A Markdown table of milliseconds and the ratios against each peer, at the largest key size."""
    milliseconds = result["by_key_size"][str(result["bits"])]["milliseconds"]
    lines = [
        f"| ms at {result['bits']} bits, one core | phe | sf-heu | pypaillier | **Consentgate** | faster than |",
        "|---|---|---|---|---|---|",
    ]
    for what, title in ROWS.items():
        cells = [f"{milliseconds[what][side]:.3g}" for side in SIDES]
        cells[-1] = f"**{cells[-1]}**"
        faster = ", ".join(
            f"{name} × {milliseconds[what][name] / milliseconds[what]['ours']:.3g}" for name in SIDES[:-1]
        )
        lines.append(f"| {title} | {' | '.join(cells)} | {faster} |")
    lines.append(f"| encrypt with a ready randomizer | – | – | – | **{result['encrypt_online_us'] / 1000:.2g}** | |")
    return "\n".join(lines)
