"""A receipt: what the ledger hands back, and all that anybody needs to verify offline that an entry is
recorded.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Receipt:
    """Exact leaf bytes, and a c2sp.org/tlog-proof@v1 whose checkpoint carries the witnesses' cosignatures.
    Unverified.
    """

    leaf: bytes
    proof: bytes


@dataclass(frozen=True)
class AppendReceipt(Receipt):
    """What `Log.append` returns; `existing` is True when the key was known and the entry recorded first is
    returned.
    """

    existing: bool
