"""Notes whose signatures are bad, named by their defect; and notes at the edge, which are good, with the moment of
witnessing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ledger.note import (
    MAX_NOTE,
    MAX_TIMESTAMP,
    Note,
    NoteSignature,
    SignatureType,
    Signer,
    VerifierKey,
    cosigned_message,
)
from tests.support.sample_log import COSIGNED_AT
from tests.support.witnessed_log import (
    ORIGIN,
    QUORUM,
    WITNESSES,
    WitnessedLog,
    log_signer,
    signer_from_seed,
    witness_signer,
)
from tests.vectors.ledger.bad_notes import POLICY, NoteCase, note_of_bytes
from tests.vectors.ledger.log import cosigned
from tests.vectors.ledger.odd_signatures import (
    NEUTRAL_BEYOND,
    NO_POINT,
    holds_eightfold_only,
    with_larger_s,
    with_neutral_r,
)

_LOG = log_signer("the log")


@dataclass(frozen=True)
class GoodNote:
    """`witnessed`: seconds since 1970 at which the quorum was reached."""

    name: str
    note: bytes
    witnessed: int
    policy: str = POLICY


def signature_cases(log: WitnessedLog) -> Iterator[NoteCase]:
    """Bad notes by defect; form and text are good."""
    good = log.note(COSIGNED_AT)
    head, signatures = good.rsplit(b"\n\n", 1)
    lines, text = signatures.splitlines(keepends=True), head + b"\n"
    others = b"".join(lines[1:])

    def case(name: str, note: bytes, policy: str = POLICY) -> NoteCase:
        return NoteCase(name, "SignatureInvalid", note, policy)

    def by_log(name: str, signature: bytes) -> NoteCase:
        return case(name, text + b"\n" + _line(_LOG, signature) + others)

    yield case("log-signed-twice", good + lines[0])
    yield case("witness-signed-twice", good + lines[1])
    yield case("text-altered", good.replace(b"\n20\n", b"\n21\n", 1))
    yield case(
        "fourth-witness-lies", good + witness_signer("regulator").cosign(b"something else\n", COSIGNED_AT).line()
    )
    yield case("witness-signs-as-log", _witness_as_log(text, others))
    yield case("key-id-of-the-log-under-another-name", good.replace(f"— {ORIGIN} ".encode(), b"\xe2\x80\x94 other "))
    yield case("cosignature-after-year-9999", text + b"\n" + lines[0] + _cosigned_in(text, MAX_TIMESTAMP + 1))
    yield case("cosignature-time-of-64-bits", text + b"\n" + lines[0] + _cosigned_in(text, 2**64 - 1))
    true = _LOG.private.sign(text)
    yield by_log("log-signature-of-63-bytes", true[:-1])
    yield by_log("log-signature-of-65-bytes", true + b"\x00")
    yield by_log("log-signature-with-a-time", bytes(8) + true)
    witness = Note.parse(good).signatures[1]
    longer = NoteSignature(witness.name, witness.key_id, witness.signature + b"\x00").line()
    yield case("cosignature-of-73-bytes", text + b"\n" + lines[0] + longer + b"".join(lines[2:]))
    yield by_log("s-not-below-the-order", with_larger_s(true))
    yield by_log("r-not-below-the-prime", with_neutral_r(_LOG.private, text, NEUTRAL_BEYOND))
    yield by_log("holds-only-with-the-factor-8", holds_eightfold_only(_LOG.private, text))
    no_point = VerifierKey(ORIGIN, SignatureType.ED25519, NO_POINT)
    signed = NoteSignature(ORIGIN, no_point.key_id, true).line()
    policy = POLICY.replace(str(_LOG.verifier_key), str(no_point))
    yield case("public-key-is-no-point", text + b"\n" + signed + others, policy)
    second = f"log {log_signer('former').verifier_key}\n"
    yield case("second-log-key-lies", good + log_signer("former").sign(b"something else\n").line(), POLICY + second)
    yield case("no-log-in-the-policy", good, POLICY.replace("log ", "# log ", 1))
    named = signer_from_seed("first.test/log", SignatureType.ED25519, bytes(32))
    twice = good + named.sign(text).line()
    yield NoteCase("first-listed-of-two-logs-is-another", "LogMismatch", twice, f"log {named.verifier_key}\n{POLICY}")


def good_notes(log: WitnessedLog) -> Iterator[GoodNote]:
    """At the edge of a rule."""
    good, at = log.note(COSIGNED_AT), int(COSIGNED_AT.timestamp())
    head, signatures = good.rsplit(b"\n\n", 1)
    lines, text = signatures.splitlines(keepends=True), head + b"\n"
    yield GoodNote("of-65536-bytes", note_of_bytes(good, MAX_NOTE), at)
    yield GoodNote("sixty-four-signatures", good + "— x AAAAAAA=\n".encode() * 60, at)
    yield GoodNote("known-name-with-another-key-id", good + f"— {ORIGIN} AAAAAAAAAA==\n".encode(), at)
    yield GoodNote("known-key-id-under-another-name", good + lines[0].replace(ORIGIN.encode(), b"other"), at)
    yield GoodNote("name-in-utf-8-that-is-no-white-space", good + "— 证人\ufeff\ufffd AAAAAAAA\n".encode(), at)
    neutral = _line(_LOG, with_neutral_r(_LOG.private, text))
    yield GoodNote("r-is-the-neutral-element", text + b"\n" + neutral + b"".join(lines[1:]), at)
    last = text + b"\n" + lines[0] + _cosigned_in(text, MAX_TIMESTAMP)
    yield GoodNote("last-second-of-the-year-9999", last, MAX_TIMESTAMP)
    yield GoodNote("first-second-of-1970", text + b"\n" + lines[0] + _cosigned_in(text, 0), 0)
    yield GoodNote("size-0", cosigned(f"{ORIGIN}\n0\n".encode() + head.split(b"\n")[2] + b"\n"), at)
    yield GoodNote("largest-size", cosigned(f"{ORIGIN}\n{2**53 - 1}\n".encode() + head.split(b"\n")[2] + b"\n"), at)
    times = {name: COSIGNED_AT + timedelta(minutes=number) for number, name in enumerate(WITNESSES)}
    each = log.note(times, witnesses=WITNESSES)
    yield GoodNote("third-newest-of-four", each, at + 60)
    nested = "group a 1 tax customs\ngroup b 2 courts regulator\ngroup departments 2 a b\nquorum departments\n"
    yield GoodNote("groups-of-groups", each, at + 60, POLICY.partition("group ")[0] + nested)
    yield GoodNote("signatures-in-another-order", text + b"\n" + b"".join(reversed(lines)), at)


def _line(signer: Signer, signature: bytes) -> bytes:
    return NoteSignature(signer.name, signer.verifier_key.key_id, signature).line()


def _cosigned_in(text: bytes, seconds: int, witnesses: Sequence[str] = QUORUM) -> bytes:
    """True cosignatures with any time."""
    lines = []
    for name in witnesses:
        signer = witness_signer(name)
        lines.append(_line(signer, seconds.to_bytes(8) + signer.private.sign(cosigned_message(text, seconds))))
    return b"".join(lines)


def _witness_as_log(text: bytes, others: bytes) -> bytes:
    """The log's key as a witness key: same key, other type, hence another key id."""
    signer = signer_from_seed(ORIGIN, SignatureType.COSIGNATURE, _LOG.private.private_bytes_raw())
    return text + b"\n" + signer.cosign(text, COSIGNED_AT).line() + others
