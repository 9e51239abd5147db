"""JWS by hand: headers, spellings and signatures that no well-behaved library would produce."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

Sign = Callable[[bytes], bytes]


def b64(data: bytes) -> str:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Inverse of `b64`."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(header: Mapping[str, object] | bytes, payload: bytes, sign: Sign) -> bytes:
    """A compact JWS with exactly this header; bytes are taken as they are."""
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    signed = f"{b64(data)}.{b64(payload)}"
    return f"{signed}.{b64(sign(signed.encode()))}".encode()


def header_of(token: bytes) -> dict[str, Any]:
    """The protected header of a compact JWS."""
    header: dict[str, Any] = json.loads(unb64(token.decode().split(".")[0]))
    return header


def payload_of(token: bytes) -> bytes:
    """The payload of a compact or general JWS."""
    text = token.decode()
    return unb64(json.loads(text)["payload"] if text.startswith("{") else text.split(".")[1])


def with_header(token: bytes, sign: Sign, **changes: object) -> bytes:
    """The same payload, signed again under a changed header; None drops a member."""
    header = {name: value for name, value in (header_of(token) | changes).items() if value is not None}
    return compact(header, payload_of(token), sign)


def with_payload(token: bytes, sign: Sign, payload: bytes) -> bytes:
    """Another payload under the same header."""
    return compact(header_of(token), payload, sign)


def with_signature(token: bytes, signature: bytes) -> bytes:
    """The same header and payload with another signature."""
    signed, _, _ = token.decode().rpartition(".")
    return f"{signed}.{b64(signature)}".encode()


def hmac_sign(secret: bytes) -> Sign:
    """What an attacker computes who hopes that a public key is taken for an HMAC secret."""
    return lambda data: hmac.new(secret, data, hashlib.sha256).digest()


def lenient_base64(token: bytes) -> bytes:
    """Another spelling of the same signature: unused trailing bits set, which lenient decoders ignore."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text = token.decode()
    return (text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]).encode()


def general(token: bytes) -> dict[str, Any]:
    """A general JWS as JSON, to be altered."""
    value: dict[str, Any] = json.loads(token)
    return value
