"""The bank's archive forgets: evidence and scores whose data life is over, for one subject token or for all.

A consent says how many days the bank may keep what it learned (`data_life_days`, counted here from the release on the
ledger). After that the archive's two files of a request are deleted, the answer first: interrupted, the question alone
is left, which has a life of its own. A question without an answer (a denial, or nothing came) ends after
`QUESTION_LIFE`. Files that a crash left half written end after an hour.

What a file says of itself decides when it goes, unverified: it was verified when it was kept. A file that cannot be
read is never deleted, and named. Left out: scores that the bank's own systems took over, and what a disk keeps of
deleted files.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bank_client import archive
from bank_client.archive import MAX_PART_BYTES
from consentgate import signing, traces
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import ConsentClaims, ScoreRequestClaims
from ledger.durable_files import sync_folder
from ledger.entry import parse
from ledger.errors import LedgerError

QUESTION_LIFE = timedelta(days=7)
"""After it no repeat of a question can be answered: gateways keep outputs for a day."""
TEMPORARY_LIFE = timedelta(hours=1)
"""No write takes longer."""
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%f%z"
ELSEWHERE = (
    "scores that the bank's other systems took over are theirs to delete",
    "copies of the archive keep what they held until they are destroyed",
    "the gateway and departments have commands of their own",
)
"""What no erasure here reaches."""

_ANSWER = re.compile(r"([0-9a-f]{32})\.zip")
_QUESTION = re.compile(r"([0-9a-f]{32})\.request\.jws")
_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.(?:zip|request\.jws)\.[0-9a-f]{16}")
_STILL_KEPT = "The consent allows to keep it longer: repeat it when that time is over, or say --early."


@dataclass(frozen=True)
class Evidence:
    """The files of one request, what they are about, and when their life ends. A question alone names no token."""

    files: tuple[Path, ...]
    company: str
    subject: str | None
    ends: datetime


@dataclass(frozen=True)
class Survey:
    """What an archive holds."""

    evidence: tuple[Evidence, ...]
    unreadable: tuple[str, ...]

    def about(self, token: str) -> list[Evidence]:
        """Evidence under a token, and questions without an answer about the same company."""
        companies = {found.company for found in self.evidence if found.subject == token}
        return [
            found
            for found in self.evidence
            if found.subject == token or (found.subject is None and found.company in companies)
        ]


@dataclass(frozen=True)
class Erased:
    """How many requests' files were deleted, and how many were kept and until when at least."""

    deleted: int
    kept: int
    next_end: datetime | None
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class Proof:
    """Files that still name the token or the company, and files that could not be looked into."""

    remaining: tuple[str, ...]
    unreadable: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Nothing is left, and everything was looked at."""
        return not self.remaining and not self.unreadable


def survey(folder: Path) -> Survey:
    """Reads the whole archive."""
    evidence, unreadable = [], []
    names = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    for name, path in sorted(names.items()):
        answered, asked = _ANSWER.fullmatch(name), _QUESTION.fullmatch(name)
        try:
            if answered is not None:
                question = names.get(f"{answered[1]}.request.jws")
                evidence.append(_answered(path, () if question is None else (question,)))
            elif asked is not None and f"{asked[1]}.zip" not in names:
                evidence.append(_unanswered(path))
        except (ConsentgateError, LedgerError, OSError, ValueError):
            unreadable.append(name)
    return Survey(tuple(evidence), tuple(unreadable))


def erase(folder: Path, token: str | None, now: datetime, *, early: bool = False) -> Erased:
    """Deletes what is over (`early`: all of it), under a token or, without one, in the whole archive.

    Raises NOT_FOUND when there is nothing under the token, RETENTION_RUNNING when nothing of it is over.
    """
    found = survey(folder)
    wanted = list(found.evidence) if token is None else found.about(token)
    if token is not None and not wanted:
        raise ConsentgateError(ErrorCode.NOT_FOUND, field="token")
    over = [one for one in wanted if early or one.ends <= now]
    kept = [one for one in wanted if one not in over]
    if token is not None and not over:
        raise ConsentgateError(ErrorCode.RETENTION_RUNNING, field="data_life_days", hint=_STILL_KEPT)
    for one in over:
        for path in one.files:
            path.unlink(missing_ok=True)
    _tidy(folder, now)
    return Erased(len(over), len(kept), min((one.ends for one in kept), default=None), found.unreadable)


def prove(folder: Path, token: str, company: str | None) -> Proof:
    """Looks into every file below the archive's folder, into the parts of ZIP files too, whoever wrote them."""
    needles = [token] if company is None else [token, company]
    remaining, unreadable = [], []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        try:
            if any(traces.is_in(content, needle) for content in _contents(path) for needle in needles):
                remaining.append(name)
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
            unreadable.append(name)
    return Proof(tuple(remaining), tuple(unreadable))


def _answered(path: Path, beside: tuple[Path, ...]) -> Evidence:
    answer = archive.read(path)
    consent = ConsentClaims.parse(signing.unverified_payload(answer.evidence.consent_jws, "consent"), "consent")
    released = datetime.strptime(parse(answer.release.leaf).ts, TIME_FORMAT).astimezone(UTC)
    ends = released + timedelta(days=consent.data_life_days)
    return Evidence((path, *beside), consent.company, consent.subject, ends)


def _unanswered(path: Path) -> Evidence:
    claims = ScoreRequestClaims.parse(signing.unverified_payload(path.read_bytes(), "request"), "request")
    return Evidence((path,), claims.company, None, claims.issued_at + QUESTION_LIFE)


def _tidy(folder: Path, now: datetime) -> None:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        if _TEMPORARY.fullmatch(path.name) and written + TEMPORARY_LIFE <= now:
            path.unlink(missing_ok=True)
    sync_folder(folder)


def _contents(path: Path) -> Iterator[bytes]:
    yield path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as file:
            for name in file.namelist():
                with file.open(name) as part:
                    yield part.read(MAX_PART_BYTES + 1)
