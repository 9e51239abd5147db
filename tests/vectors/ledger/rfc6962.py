"""RFC 6962 vectors: the eight leaves and roots that Certificate Transparency's tests use, proofs over them, and bad
proofs named by their defect.

Roots and the six well-known proofs are literals, as those tests publish them; every other proof is computed and then
checked against the literals' tree by the independent implementation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.entry import leaf_hash
from ledger.merkle import consistency_proof, inclusion_proof

LEAVES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
"""Hex."""
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Of the first 0 … 8 leaves."""
_SIBLING_0 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
_PAIR_2_3 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
_RIGHT_HALF = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
_SIBLING_5 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
_PAIR_6_7 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
_PAIR_4_5 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
KNOWN_INCLUSION = {
    (0, 1): [],
    (0, 8): [_SIBLING_0, _PAIR_2_3, _RIGHT_HALF],
    (5, 8): [_SIBLING_5, _PAIR_6_7, ROOTS[4]],
    (2, 3): [ROOTS[2]],
    (1, 5): [ROOTS[1], _PAIR_2_3, _SIBLING_5],
}
"""(index, size) → path."""
KNOWN_CONSISTENCY = {
    (1, 1): [],
    (1, 8): [_SIBLING_0, _PAIR_2_3, _RIGHT_HALF],
    (6, 8): [_PAIR_4_5, _PAIR_6_7, ROOTS[4]],
    (2, 5): [_PAIR_2_3, _SIBLING_5],
}
"""(old size, new size) → proof."""


def hashes() -> list[bytes]:
    """Leaf hashes."""
    return [leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]


def merkle_vectors() -> dict[str, Any]:
    """The file."""
    return {
        "leaves": LEAVES,
        "roots": ROOTS,
        "inclusion": [_inclusion(index, size) for size in range(1, 9) for index in range(size)],
        "consistency": [_consistency(old, new) for new in range(9) for old in range(new + 1)],
        "bad_inclusion": list(_bad_inclusion()),
        "bad_consistency": list(_bad_consistency()),
    }


def _inclusion(index: int, size: int) -> dict[str, Any]:
    path = [value.hex() for value in inclusion_proof(index, hashes()[:size])]
    assert KNOWN_INCLUSION.get((index, size), path) == path
    return {"index": index, "size": size, "leaf": hashes()[index].hex(), "root": ROOTS[size], "path": path}


def _consistency(old: int, new: int) -> dict[str, Any]:
    proof = [value.hex() for value in consistency_proof(old, hashes()[:new])]
    assert KNOWN_CONSISTENCY.get((old, new), proof) == proof
    return {"old": old, "new": new, "old_root": ROOTS[old], "new_root": ROOTS[new], "proof": proof}


def _bad_inclusion() -> Iterator[dict[str, Any]]:
    for index, size in ((0, 1), (0, 8), (5, 8), (2, 3), (1, 5), (6, 7)):
        good = _inclusion(index, size)
        path, other = good["path"], "00" * 32

        def bad(name: str, good: dict[str, Any] = good, **changed: Any) -> dict[str, Any]:
            return {"name": f"{name}-{good['index']}-of-{good['size']}", **good, **changed}

        yield bad("index-is-size", index=size)
        yield bad("index-above-size", index=size + index + 1)
        yield bad("index-negative", index=-1)
        yield bad("index-doubled-size", index=index + 2 * size)
        yield bad("size-zero", size=0)
        yield bad("path-extended", path=[*path, other])
        yield bad("path-extended-in-front", path=[other, *path])
        yield bad("root-appended-to-path", path=[*path, good["root"]])
        yield bad("leaf-as-path", path=[good["leaf"], *path])
        yield bad("leaf-altered", leaf=_flipped(good["leaf"]))
        yield bad("root-altered", root=_flipped(good["root"]))
        yield bad("root-empty", root="")
        yield bad("leaf-short", leaf=good["leaf"][:-2])
        yield bad("leaf-long", leaf=good["leaf"] + "00")
        if path:
            yield bad("index-of-neighbour", index=index ^ 1)
            yield bad("path-truncated", path=path[:-1])
            yield bad("path-truncated-in-front", path=path[1:])
            yield bad("path-empty", path=[])
            yield bad("hash-altered", path=[_flipped(path[0]), *path[1:]])
            yield bad("hash-short", path=[path[0][:-2], *path[1:]])
            yield bad("hash-long", path=[path[0] + "00", *path[1:]])
        if len(path) > 1:
            yield bad("path-reversed", path=path[::-1])


def _bad_consistency() -> Iterator[dict[str, Any]]:
    for old, new in ((0, 8), (1, 1), (1, 8), (2, 8), (6, 8), (2, 5), (7, 8)):
        good = _consistency(old, new)
        proof, other = good["proof"], "00" * 32

        def bad(name: str, good: dict[str, Any] = good, **changed: Any) -> dict[str, Any]:
            return {"name": f"{name}-{good['old']}-to-{good['new']}", **good, **changed}

        yield bad("proof-extended", proof=[*proof, other])
        yield bad("proof-extended-in-front", proof=[other, *proof])
        yield bad("old-root-altered", old_root=_flipped(good["old_root"]))
        yield bad("old-root-short", old_root=good["old_root"][:-2])
        yield bad("old-negative", old=-1)
        if old:
            yield bad("new-root-altered", new_root=_flipped(good["new_root"]))
            yield bad("old-is-nothing", old=0)
        if old < new:
            yield bad("sizes-swapped", old=new, new=old)
        if proof:
            yield bad("roots-swapped", old_root=good["new_root"], new_root=good["old_root"])
            yield bad("proof-truncated", proof=proof[:-1])
            yield bad("proof-truncated-in-front", proof=proof[1:])
            yield bad("proof-empty", proof=[])
            yield bad("hash-altered", proof=[_flipped(proof[0]), *proof[1:]])
            yield bad("hash-short", proof=[proof[0][:-2], *proof[1:]])
            yield bad("equal-roots", old_root=good["new_root"])


def _flipped(value: str) -> str:
    return bytes([bytes.fromhex(value)[0] ^ 1]).hex() + value[2:]
