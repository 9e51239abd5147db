"""What a `paillier.randomizer_worker` process runs: randomizers, one after the other, on its standard output.

Spec: design 2 "Randomizer pool". Standard input brings one line of JSON: {"modulus": hex, "window": bits}. Each message
is both digits of a randomizer, each as long as n, big-endian. Whoever reads decides the pace, because a full pipe
blocks; when nobody reads any more, the process ends. Left out: any other use. Thread-safety: one thread, one process.
"""

import json
import sys
from io import FileIO
from typing import BinaryIO

from gmpy2 import mpz

from paillier.encryption import Encryptor, table_bytes
from paillier.public_key import PublicKey


def produce(order: BinaryIO, messages: BinaryIO | FileIO) -> None:
    """Reads the order, writes until the other end is closed."""
    parameters = json.loads(order.readline())
    public_key, window = PublicKey(mpz(parameters["modulus"], 16)), int(parameters["window"])
    encryptor = Encryptor(public_key, window=window, memory_budget_bytes=table_bytes(public_key, window))
    width = public_key.bits // 8
    while True:
        low, high = encryptor.randomizer()
        try:
            messages.write(int(low).to_bytes(width, "big") + int(high).to_bytes(width, "big"))
        except BrokenPipeError:
            return


def main() -> None:
    """Unbuffered: what a process that is killed had made and not sent is lost, never sent twice."""
    with open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as messages:
        produce(sys.stdin.buffer, messages)
