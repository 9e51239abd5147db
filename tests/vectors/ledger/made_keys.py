"""Verifier keys that nobody can sign with, and lines of policies made of them."""

from __future__ import annotations

import base64
import hashlib

from tests.support.witnessed_log import ORIGIN


def vkey_of(kind: int, public: bytes = bytes(range(32)), name: str = ORIGIN) -> str:
    """With its true key id, whatever the key."""
    content = bytes([kind]) + public
    key_id = hashlib.sha256(name.encode() + b"\n" + content).hexdigest()[:8]
    return f"{name}+{key_id}+{base64.b64encode(content).decode()}"


def in_capitals(vkey: str) -> str:
    """With another spelling of its key id."""
    name, key_id, encoded = vkey.split("+", 2)
    assert key_id != key_id.upper()
    return f"{name}+{key_id.upper()}+{encoded}"


def public_key(number: int) -> bytes:
    """32 bytes of which nobody has the private key."""
    return hashlib.sha256(f"a key of nobody {number}".encode()).digest()


ALIKE = (public_key(42186), public_key(57484))
"""Two keys that have one key id under ORIGIN: found by trying 100,000."""


def logs(count: int) -> list[str]:
    """Lines of a policy."""
    return [f"log {vkey_of(1, public_key(number))}" for number in range(count)]


def witnesses(count: int) -> list[str]:
    """Lines of a policy."""
    return [f"witness w{number} {vkey_of(4, public_key(1000 + number), f'w{number}.test')}" for number in range(count)]


def groups(count: int) -> list[str]:
    """Of one member each: 64 witnesses and the first group."""
    return [f"group g{number} 1 {f'w{number}' if number < 64 else 'g0'}" for number in range(count)]
