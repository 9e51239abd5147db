"""pymerkle (SQLite storage) as its documentation shows it: `peer_pymerkle.py FILE ENTRIES BYTES`, in the peers'
environment, standard library and pymerkle only. Prints entries per second and its version as JSON.

One writer: its tree has one connection behind a lock, and every append is a transaction of its own.
"""

from __future__ import annotations

import json
import os
import sys
import time

from pymerkle import SqliteTree, __version__  # type: ignore[import-not-found,unused-ignore]  # the peers' environment


def run(path: str, entries: int, size: int) -> float:
    """Durable appends of leaves of `size` random bytes."""
    leaves = [os.urandom(size) for _ in range(entries)]
    with SqliteTree(path) as tree:
        begun = time.perf_counter()
        for leaf in leaves:
            tree.append_entry(leaf)
        seconds = time.perf_counter() - begun
        assert tree.get_size() >= entries
    return entries / seconds


if __name__ == "__main__":
    print(json.dumps({"rate": run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])), "version": __version__}))
