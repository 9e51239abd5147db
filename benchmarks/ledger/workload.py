"""What is appended and asked for: entries as a running federation makes them, all from one seed.

Of ten entries four are decisions, four releases, one a granted and one a revoked consent; ten entries belong to each
company on average, and twenty banks ask. Leaves have about 900 bytes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ledger.checkpoint import Checkpoint
from ledger.note import Note, SignatureType, Signer
from ledger.policy import LogPolicy

ORIGIN = "bench.consentgate.example/ledger"
WITNESS = "bench.witness.consentgate.example"
BANKS = tuple(f"bank-{number}" for number in range(20))
CATEGORIES = ("tax.vat", "tax.income", "customs.duty", "social.insurance", "utilities.power", "courts.cases")
PURPOSES = ("credit.origination", "credit.monitoring")
ENTRIES_PER_COMPANY = 10
_DAY = "2026-11-24T00:00:00.000000Z"
_NEXT_DAY = "2026-11-25T00:00:00.000000Z"
_PATTERN = ("consent.granted", *("query.decision", "query.release") * 4, "consent.revoked")


@dataclass(frozen=True)
class Wanted:
    """One entry to be appended."""

    kind: str
    body: Mapping[str, object]
    key: str


class Workload:
    """Endless entries; `tokens` are the companies that may occur in them."""

    def __init__(self, entries: int, seed: int = 20261124) -> None:
        self._random = random.Random(seed)
        self._count = 0
        self.tokens = [self._hex(16) for _ in range(max(1, entries // ENTRIES_PER_COMPANY))]

    def __iter__(self) -> Iterator[Wanted]:
        return self

    def __next__(self) -> Wanted:
        number, self._count = self._count, self._count + 1
        kind = _PATTERN[number % len(_PATTERN)]
        return Wanted(
            kind, self._body(kind), f"{kind} {self._hex(16)}"
        )  # keys bear random request ids, as the gateway's

    def token(self) -> str:
        """Any company's."""
        return self._random.choice(self.tokens)

    def _hex(self, size: int) -> str:
        return self._random.randbytes(size).hex()

    def _body(self, kind: str) -> dict[str, object]:
        consent: dict[str, object] = {"consent_id": self._hex(16), "version": 1, "digest": self._hex(32)}
        bank, subject = self._random.choice(BANKS), self.token()
        if kind == "consent.revoked":
            return {**consent, "subject": subject}
        if kind == "consent.granted":
            categories = self._random.sample(CATEGORIES, 3)
            return {**consent, "subject": subject, "group": "banks", **_granted(bank, categories)}
        if kind == "query.release":
            return self._release(bank, subject)
        return self._decision(bank, subject)

    def _release(self, bank: str, subject: str) -> dict[str, object]:
        answers = [{"department": name, "digest": self._hex(32)} for name in ("tax", "customs")]
        members = {"decision": self._hex(32), "request_id": self._hex(16), "output": self._hex(32)}
        return {**members, "institution": bank, "subject": subject, "answers": answers, "missing": []}

    def _decision(self, bank: str, subject: str) -> dict[str, object]:
        denied = self._random.random() < 0.1
        digests = ("request", "scorecard", "consent_digest", "approval", "catalogue", "recipient_key", "policy")
        return {
            **{name: self._hex(32) for name in digests},
            "request_id": self._hex(16),
            "consent_id": self._hex(16),
            "consent_version": 1,
            "institution": bank,
            "subject": subject,
            "group": "banks",
            "purpose": self._random.choice(PURPOSES),
            "use": "SCORE",
            "verdict": "deny" if denied else "allow",
            "reason": "CONSENT_PURPOSE" if denied else "ALLOWED",
            "rules": ["consent-in-force"],
            "departments": [{"id": "tax", "columns": ["vat_growth", "late_payments"]}],
            "custody": "recipient",
            "not_after": _NEXT_DAY,
        }


def _granted(bank: str, categories: list[str]) -> dict[str, object]:
    times = {"valid_from": _DAY, "valid_until": "2027-11-24T00:00:00.000000Z"}
    return {"institution": bank, "purpose": PURPOSES[0], "use": "SCORE", "categories": categories, **times}


class Keys:
    """The log's key, one witness, and the policy that trusts both."""

    def __init__(self) -> None:
        self.log = Signer.generate(ORIGIN, SignatureType.ED25519)
        self.witness = Signer.generate(WITNESS, SignatureType.COSIGNATURE)
        lines = (f"log {self.log.verifier_key}", f"witness bench {self.witness.verifier_key}", "quorum bench", "")
        self.policy_text = "\n".join(lines)
        self.policy = LogPolicy.parse(self.policy_text)

    def note(self, size: int, root: bytes) -> bytes:
        """A cosigned checkpoint."""
        note = Checkpoint(ORIGIN, size, root).sign(self.log)
        return Note(note.text, (*note.signatures, self.witness.cosign(note.text, datetime.now(UTC)))).encode()
