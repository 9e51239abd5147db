"""A second implementation of docs/ledger-format.md: written from the page, with nothing of `ledger`.

It needs hashlib, json and Ed25519. The closed table of kinds is read from the page itself, so that a page which leaves
out a field fails. Every refusal is `Refused`, with one word for the check that refused. It is a check of the vectors,
and an example of how little a verifier needs; it reports less than `ledger.verify` does.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

DOCUMENT = Path(__file__).parents[3] / "docs" / "ledger-format.md"
ZERO = "0" * 64
LARGEST = 2**53 - 1


class Refused(Exception):
    """Does not hold."""


def require(holds: object, word: str) -> None:
    """Refuses."""
    if not holds:
        raise Refused(word)


# Hashes and tree ------------------------------------------------------------------------------------------------


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf)


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def tree(hashes: list[bytes]) -> bytes:
    """Root, from neighbouring pairs upwards; an odd last one moves up unchanged, which is RFC 6962's tree."""
    if not hashes:
        return sha256(b"")
    while len(hashes) > 1:
        pairs = [node(hashes[i], hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        hashes = pairs + ([hashes[-1]] if len(hashes) % 2 else [])
    return hashes[0]


def root_from_inclusion(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """Follows the recursive definition: which half is the leaf in?"""
    require(0 <= index < size <= LARGEST, "index")
    if size == 1:
        require(not path, "length")
        return leaf
    require(path, "length")
    half = 1 << ((size - 1).bit_length() - 1)
    if index < half:
        return node(root_from_inclusion(index, half, leaf, path[:-1]), path[-1])
    return node(path[-1], root_from_inclusion(index - half, size - half, leaf, path[:-1]))


def check_inclusion(index: int, size: int, leaf: bytes, path: list[bytes], root: bytes) -> None:
    require(all(len(value) == 32 for value in [leaf, root, *path]), "hash")
    require(root_from_inclusion(index, size, leaf, path) == root, "root")


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]) -> None:
    require(0 <= old <= new <= LARGEST, "size")
    require(all(len(value) == 32 for value in [old_root, new_root, *proof]), "hash")
    if old in (0, new):
        require(not proof, "length")
        require(old or old_root == sha256(b""), "root")
        require(old < new or old_root == new_root, "root")
        return
    require(_both_roots(old, new, old_root, list(proof), whole=True) == (old_root, new_root), "root")


def _both_roots(old: int, new: int, old_root: bytes, proof: list[bytes], whole: bool) -> tuple[bytes, bytes]:
    """Old and new root of a subtree of which the old tree is a prefix."""
    if old == new:
        if whole:
            require(not proof, "length")
            return old_root, old_root
        require(len(proof) == 1, "length")
        return proof[0], proof[0]
    require(proof, "length")
    half, last = 1 << ((new - 1).bit_length() - 1), proof.pop()
    if old <= half:
        before, after = _both_roots(old, half, old_root, proof, whole)
        return before, node(after, last)
    before, after = _both_roots(old - half, new - half, old_root, proof, whole=False)
    return node(last, before), node(last, after)


# Leaves ---------------------------------------------------------------------------------------------------------


def _text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: type(value) is str and re.fullmatch(pattern, value) is not None


def _is_time(value: Any) -> bool:
    pattern = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
    if not _text(pattern)(value):
        return False
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ") is not None
    except ValueError:
        return False


def _is_identifier(value: Any) -> bool:
    if not _text(r"[a-z0-9][a-z0-9._-]{0,63}")(value):
        return False
    parts = re.split(r"[._-]", value)
    coded = any(re.fullmatch(r"[0-9a-z]{2}[0-9]{6}[0-9a-z]{10}", part) for part in parts)
    return not coded and not re.fullmatch(r"[0-9a-z]{18}", value)


FORMS: dict[str, Callable[[Any], bool]] = {
    "hex16": _text(r"[0-9a-f]{32}"),
    "hex32": _text(r"[0-9a-f]{64}"),
    "identifier": _is_identifier,
    "integer": lambda value: type(value) is int and 0 <= value <= LARGEST,
    "reason": _text(r"[A-Z][A-Z_]{1,48}"),
    "time": _is_time,
}


def has_form(value: Any, form: str) -> bool:
    """Forms as section 2 and the tables of section 3 write them."""
    if form.startswith("list of "):
        rest = form.removeprefix("list of ")
        return type(value) is list and all(has_form(member, rest) for member in value)
    if form.startswith("{"):
        members = dict(re.findall(r"`([a-z_]+)`: ([a-z0-9 ]+)", form))
        return type(value) is dict and set(value) == set(members) and all(has_form(value[k], members[k]) for k in value)
    if form.startswith("`"):
        return value in re.findall(r"`([A-Za-z]+)`", form)
    return FORMS[form](value)


def kinds_of_page() -> dict[str, dict[str, tuple[str, bool]]]:
    """Kind → field → (form, required), as the page says."""
    page = DOCUMENT.read_text("utf-8").split("<!-- kinds:begin")[1].split("<!-- kinds:end")[0]
    kinds = {}
    for part in page.split("\n### ")[1:]:
        rows = re.findall(r"^\| `([a-z_]+)` \| (.+?) \| (required|optional) \|", part, re.MULTILINE)
        kinds[part.split("\n")[0]] = {name: (form, need == "required") for name, form, need in rows}
    return kinds


KINDS = kinds_of_page()


def parse_leaf(leaf: bytes) -> dict[str, Any]:
    """Section 1."""
    require(len(leaf) <= 16384, "leaf size")
    try:
        value = json.loads(leaf)
    except (ValueError, RecursionError):
        raise Refused("json") from None
    names = {"body", "kind", "log", "nonce", "prev", "seq", "ts", "v"}
    require(type(value) is dict and set(value) == names, "members")
    require(type(value["v"]) is int and value["v"] == 1, "v")
    require(_text(r"[!#-*,-\[\]-~]{1,255}")(value["log"]), "log")
    require(has_form(value["seq"], "integer") and has_form(value["ts"], "time"), "seq, ts")
    require(has_form(value["prev"], "hex32") and has_form(value["nonce"], "hex16"), "prev, nonce")
    require(type(value["kind"]) is str and value["kind"] in KINDS and type(value["body"]) is dict, "kind")
    fields = KINDS[value["kind"]]
    require(all(name in value["body"] for name, (_, required) in fields.items() if required), "missing field")
    require(all(name in fields and has_form(v, fields[name][0]) for name, v in value["body"].items()), "field")
    require(json.dumps(value, sort_keys=True, separators=(",", ":")).encode() == leaf, "canonical")
    return value


# Notes and policies ---------------------------------------------------------------------------------------------


def _base64(text: bytes) -> bytes:
    require(re.fullmatch(rb"[A-Za-z0-9+/]+={0,2}", text) and len(text) % 4 == 0, "base64")
    raw = base64.b64decode(text)
    require(base64.b64encode(raw) == text, "base64")
    return raw


class Key:
    """A verifier key: `<name>+<key id>+<base64(type, key)>`."""

    def __init__(self, text: str) -> None:
        name, key_id, encoded = [*text.split("+", 2), "", ""][:3]
        raw = _base64(encoded.encode())
        require(re.fullmatch(r"[!-*,-~]{1,255}", name) and len(raw) == 33 and raw[0] in (1, 4), "key")
        self.name, self.kind, self.public = name, raw[0], raw[1:]
        self.id = sha256(name.encode() + b"\n" + raw)[:4]
        require(self.id.hex() == key_id, "key id")
        y = int.from_bytes(self.public, "little") & (2**255 - 1)
        require(y * (y * y - 1) * (121665 * y**4 - 243332 * y * y + 121666) % (2**255 - 19), "small order")

    def verify(self, text: bytes, signature: bytes) -> int:
        """The time of a cosignature; 0 for a log's signature."""
        moment, message = 0, text
        if self.kind == 4:
            require(len(signature) == 72, "signature")
            moment, signature = int.from_bytes(signature[:8]), signature[8:]
            require(moment <= 253402300799, "cosignature time")
            message = f"cosignature/v1\ntime {moment}\n".encode() + text
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            raise Refused("signature") from None
        return moment


def parse_note(note: bytes) -> tuple[bytes, list[tuple[str, bytes, bytes]]]:
    """Text, and (name, key id, signature) of each line."""
    require(len(note) <= 65536 and not re.search(rb"[\x00-\x09\x0b-\x1f]", note), "note")
    require(note.decode("utf-8", "ignore").encode() == note, "UTF-8")
    text, blank, lines = note.rpartition(b"\n\n")
    require(blank and lines.endswith(b"\n") and lines.count(b"\n") <= 64, "note")
    signatures = []
    for line in lines[:-1].split(b"\n"):
        match = re.fullmatch("— ([^ ]+) ([^ ]+)".encode(), line)
        require(match, "signature line")
        name, raw = match[1].decode(), _base64(match[2])  # type: ignore[index]
        require("+" not in name and name.split() == [name] and len(raw) > 4, "signature line")
        signatures.append((name, raw[:4], raw[4:]))
    return text + b"\n", signatures


class Policy:
    """Section 6."""

    def __init__(self, text: str) -> None:
        require(re.fullmatch(r"[\t\n -~]*", text), "characters")
        self.logs: list[Key] = []
        self.witnesses: dict[str, Key] = {}
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.quorum: str | None = None
        members: list[str] = []
        for line in text.split("\n"):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            keyword, rest = words[0], words[1:]
            if keyword == "log":
                require(len(rest) in (1, 2), "log line")
                self.logs.append(self._key(rest[0], 1))
            elif keyword == "witness":
                require(len(rest) in (2, 3), "witness line")
                self._new_name(rest[0])
                self.witnesses[rest[0]] = self._key(rest[1], 4)
            elif keyword == "group":
                require(len(rest) >= 3, "group line")
                self._new_name(rest[0])
                require(all(name in self.witnesses or name in self.groups for name in rest[2:]), "member")
                members += rest[2:]
                require(len(members) == len(set(members)), "member twice")
                count = {"any": "1", "all": str(len(rest) - 2)}.get(rest[1], rest[1])
                require(re.fullmatch(r"[1-9][0-9]{0,2}", count) and int(count) <= len(rest) - 2, "count")
                self.groups[rest[0]] = (int(count), rest[2:])
            else:
                require(keyword == "quorum" and self.quorum is None and len(rest) == 1, "quorum line")
                require(rest[0] == "none" or rest[0] in self.witnesses or rest[0] in self.groups, "quorum")
                self.quorum = rest[0]
        require(self.quorum is not None, "no quorum line")
        require(max(len(self.logs), len(self.witnesses), len(self.groups)) <= 64, "lines")

    def _key(self, text: str, kind: int) -> Key:
        key = Key(text)
        require(key.kind == kind, "key type")
        known = [*self.logs, *self.witnesses.values()]
        require(all(key.public != other.public for other in known), "key twice")
        require(all((key.name, key.id) != (other.name, other.id) for other in known), "key id twice")
        return key

    def _new_name(self, name: str) -> None:
        require(len(name) <= 255 and name != "none", "name")
        require(name not in self.witnesses and name not in self.groups, "name")

    def open(self, note: bytes) -> tuple[str, int, bytes, int | None]:
        """Origin, size, root, and when the quorum was reached."""
        text, signatures = parse_note(note)

        def signature_of(key: Key) -> bytes | None:
            mine = [signature for name, key_id, signature in signatures if (name, key_id) == (key.name, key.id)]
            require(len(mine) <= 1, "signed twice")
            return mine[0] if mine else None

        signers = [key for key in self.logs if signature_of(key) is not None]
        require(signers, "log signature")
        for key in signers:
            key.verify(text, signature_of(key) or b"")
        log = signers[0]
        lines = text.split(b"\n")
        require(len(lines) == 4 and lines[3] == b"", "checkpoint")
        require(re.fullmatch(rb"0|[1-9][0-9]{0,15}", lines[1]) and int(lines[1]) <= LARGEST, "checkpoint")
        root = _base64(lines[2])
        require(len(root) == 32 and lines[0].decode() == log.name, "checkpoint")
        times = {}
        for name, key in self.witnesses.items():
            signature = signature_of(key)
            if signature is not None:
                times[name] = key.verify(text, signature)
        reached = None if self.quorum == "none" else self._reached(self.quorum or "", times)
        require(self.quorum == "none" or reached is not None, "quorum")
        return log.name, int(lines[1]), root, reached

    def _reached(self, name: str, times: Mapping[str, int]) -> int | None:
        if name in self.witnesses:
            return times.get(name)
        count, members = self.groups[name]
        reached = sorted(t for t in (self._reached(member, times) for member in members) if t is not None)
        return reached[-count] if len(reached) >= count else None


# Receipts and exports -------------------------------------------------------------------------------------------


def verify_receipt(leaf: bytes, proof: bytes, policy_text: str) -> int:
    """Section 8; the time at which the quorum had seen it."""
    require(len(proof) <= 69632, "proof")
    head, blank, note = proof.partition(b"\n\n")
    lines = head.split(b"\n")
    require(blank and lines[0] == b"c2sp.org/tlog-proof@v1" and 2 <= len(lines) <= 65, "proof")
    match = re.fullmatch(rb"index (0|[1-9][0-9]{0,15})", lines[1])
    require(match, "proof")
    path = [_base64(line) for line in lines[2:]]
    origin, size, root, reached = Policy(policy_text).open(note)
    require(reached is not None, "quorum none")
    index = int(match[1])  # type: ignore[index]
    check_inclusion(index, size, leaf_hash(leaf), path, root)
    entry = parse_leaf(leaf)
    require(entry["log"] == origin and entry["seq"] == index, "place")
    return reached or 0


def verify_export(files: Mapping[str, bytes], policy_text: str) -> int:
    """Section 12 over name → content; returns the number of entries."""
    require("checkpoint" in files and "SHA256SUMS" in files, "file")
    origin, size, root, _ = Policy(policy_text).open(files["checkpoint"])
    leaves: list[bytes] = []
    parts = sorted(name for name in files if name.startswith("entries/"))
    require(parts, "entries")
    for number, name in enumerate(parts):
        *lines, rest = files[name].split(b"\n")
        require(name == f"entries/{65536 * number:012}.jsonl" and not rest and len(lines) <= 65536, "entries")
        require(name == parts[-1] or len(lines) == 65536, "entries")
        leaves += lines
    prev = ZERO
    for seq, leaf in enumerate(leaves):
        entry = parse_leaf(leaf)
        require((entry["log"], entry["seq"], entry["prev"]) == (origin, seq, prev), f"leaf {seq}")
        prev = leaf_hash(leaf).hex()
    hashes = [leaf_hash(leaf) for leaf in leaves]
    require(len(leaves) == size and tree(hashes) == root, "root")
    tiles = dict(_tiles(hashes))
    require(all(files.get(name) == tile for name, tile in tiles.items()), "tile")
    others = files.keys() - tiles.keys() - set(parts) - {"checkpoint", "SHA256SUMS"}
    require(all(re.fullmatch(r"timestamps/[0-9]{12}\.(note|tst)", name) for name in others), "files")
    sums = "".join(f"{sha256(files[name]).hex()}  {name}\n" for name in sorted(files) if name != "SHA256SUMS")
    require(files["SHA256SUMS"].decode("utf-8", "replace") == sums, "sums")
    return size


def _tiles(row: list[bytes]) -> list[tuple[str, bytes]]:
    found, level = [], 0
    while row:
        for start in range(0, len(row), 256):
            tile, index = row[start : start + 256], start // 256
            digits = f"{index:03}" if index < 1000 else f"x{index // 1000:03}/{index % 1000:03}"
            partial = "" if len(tile) == 256 else f".p/{len(tile)}"
            found.append((f"tile/{level}/{digits}{partial}", b"".join(tile)))
        row = [tree(row[i : i + 256]) for i in range(0, len(row) - 255, 256)]
        level += 1
    return found
