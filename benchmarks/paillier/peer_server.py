"""A peer in a process and an environment of its own: measures itself on command, one JSON object per line.

Run by `benchmarks.paillier.peers` with the peers' Python, since pypaillier's import name is `paillier`, like ours.
Imports nothing of this project. Each peer is used as its documentation shows: vectorised where it offers that.

Commands: {"do": "setup", "bits", "rows", "weights", "bias"} · {"do": "time", "what": "encrypt" | "decrypt" | "dot",
"repeat"} → seconds per operation · {"do": "portfolio", "companies"} → seconds and the scores found.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


class Phe:
    """phe 1.5: one EncryptedNumber a value."""

    def setup(self, bits: int, rows: list[list[int]], weights: list[int], bias: int) -> None:
        phe = importlib.import_module("phe")
        self.public, self.private = phe.generate_paillier_keypair(n_length=bits)
        self.rows, self.weights, self.bias = rows, weights, bias
        self.sample = [self.public.encrypt(value) for value in rows[0]]
        self.result = self._dot(self.sample)

    def _dot(self, ciphertexts: list[Any]) -> Any:
        return sum((c * w for c, w in zip(ciphertexts, self.weights, strict=True)), self.public.encrypt(self.bias))

    def encrypt(self) -> None:
        self.public.encrypt(self.rows[0][0])

    def decrypt(self) -> int:
        return int(self.private.decrypt(self.result))

    def dot(self) -> None:
        total = self.sample[0] * self.weights[0]
        for ciphertext, weight in zip(self.sample[1:], self.weights[1:], strict=True):
            total = total + ciphertext * weight

    def portfolio(self, companies: int) -> list[int]:
        scores = []
        for row in self.rows[:companies]:
            encrypted = [self.public.encrypt(value) for value in row]
            scores.append(int(self.private.decrypt(self._dot(encrypted))))
        return scores


class Heu:
    """sf-heu: numpy-like arrays; the fastest of its Paillier schemes here (ZPaillier unless HEU_SCHEME names one)."""

    def setup(self, bits: int, rows: list[list[int]], weights: list[int], bias: int) -> None:
        numpy = importlib.import_module("numpy")
        heu_numpy = importlib.import_module("heu").numpy
        phe = importlib.import_module("heu").phe

        scheme = getattr(phe.SchemaType, os.environ.get("HEU_SCHEME", "ZPaillier"))
        self.kit = heu_numpy.setup(scheme, bits)
        self.encryptor, self.decryptor = self.kit.encryptor(), self.kit.decryptor()
        self.evaluator = self.kit.evaluator()
        self.numpy, self.encoder = numpy, phe.IntegerEncoderParams(1)
        self.rows, self.weights, self.bias = rows, weights, bias
        self.one = self._array([rows[0][0]])
        self.plain_weights = self._array(weights)
        self.sample = self.encryptor.encrypt(self._array(rows[0]))
        self.result = self._dot_of(self.sample)

    def _array(self, values: list[Any]) -> Any:
        return self.kit.array(self.numpy.array(values), self.encoder)

    def _dot_of(self, encrypted: Any) -> Any:
        return self.evaluator.sum(self.evaluator.mul(encrypted, self.plain_weights))

    def encrypt(self) -> None:
        self.encryptor.encrypt(self.one)

    def decrypt(self) -> int:
        return int(str(self.decryptor.phe.decrypt(self.result))) + self.bias

    def dot(self) -> None:
        self._dot_of(self.sample)

    def portfolio(self, companies: int) -> list[int]:
        scores = []
        for row in self.rows[:companies]:
            encrypted = self.encryptor.encrypt(self._array(row))
            total = self._dot_of(encrypted)
            scores.append(int(str(self.decryptor.phe.decrypt(total))) + self.bias)
        return scores


class Pypaillier:
    """pypaillier: batches of blobs; public weights, as its documentation recommends for a known model."""

    def setup(self, bits: int, rows: list[list[int]], weights: list[int], bias: int) -> None:
        paillier: Any = importlib.import_module("paillier")  # theirs, not ours
        self.lib = paillier
        self.public, self.secret = paillier.generate_keypair(bits)
        self.rows, self.weights, self.bias = rows, weights, bias
        self.sample = paillier.encrypt_integers(self.public, rows[0])
        self.result = self._dot_of(self.sample)

    def _dot_of(self, blobs: Any) -> Any:
        return self.lib.add_many(self.public, self.lib.multiply_integers_public(self.public, blobs, self.weights))

    def _opened(self, blobs: list[Any]) -> list[int]:
        return [int(numerator) + self.bias for numerator, _ in self.lib.decrypt_exact_many(self.secret, blobs)]

    def encrypt(self) -> None:
        self.lib.encrypt_integers(self.public, [self.rows[0][0]])

    def decrypt(self) -> int:
        return self._opened([self.result])[0]

    def dot(self) -> None:
        self._dot_of(self.sample)

    def portfolio(self, companies: int) -> list[int]:
        totals = []
        for row in self.rows[:companies]:
            totals.append(self._dot_of(self.lib.encrypt_integers(self.public, row)))
        return self._opened(totals)


PEERS: dict[str, Callable[[], Any]] = {"phe": Phe, "heu": Heu, "pypaillier": Pypaillier}


def timed(work: Callable[[], object], repeat: int) -> float:
    """Seconds per call over `repeat` calls."""
    start = time.perf_counter()
    for _ in range(repeat):
        work()
    return (time.perf_counter() - start) / repeat


def serve(peer: Any) -> None:
    """Answers commands until standard input ends."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # a library that prints to stdout does not break the protocol
    for line in sys.stdin:
        command = json.loads(line)
        answer: dict[str, object] = {}
        if command["do"] == "setup":
            peer.setup(command["bits"], command["rows"], command["weights"], command["bias"])
            answer["score"] = peer.decrypt()
        elif command["do"] == "time":
            answer["seconds"] = timed(getattr(peer, command["what"]), command["repeat"])
        else:
            start = time.perf_counter()
            answer["scores"] = peer.portfolio(command["companies"])
            answer["seconds"] = time.perf_counter() - start
        print(json.dumps(answer), file=out)


if __name__ == "__main__":
    serve(PEERS[sys.argv[1]]())
