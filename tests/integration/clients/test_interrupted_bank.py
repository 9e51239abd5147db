"""A bank that dies, and banks that race: whatever happens, one request id is one sequence of bytes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bank_client.archive import Archive
from bank_client.client import BankClient
from bank_client.question import Question
from bank_client.session import BankSession
from consentgate.errors import ConsentgateError, ErrorCode
from tests.integration.clients.fake_gateway import FakeGateway
from tests.support.federation import AS_OF, PURPOSE, Federation, hex16

REQUEST = hex16("a question that was cut off")
DYING = """
import os, signal, sys
from pathlib import Path
from bank_client.question import Question
from bank_client.session import BankSession

path, company, scorecard, purpose, as_of, request_id = sys.argv[1:]
BankSession.load(Path(path)).prepare(Question(company, scorecard, purpose, as_of), request_id)
os.kill(os.getpid(), signal.SIGKILL)  # kept, and not sent
"""
ROOT = Path(__file__).parents[3]


def question(federation: Federation) -> Question:
    return Question(federation.company.code, federation.scorecard.header.id, PURPOSE, AS_OF)


def test_a_bank_killed_before_it_sends_asks_with_the_same_bytes_afterwards(
    bank_toml: Path, federation: Federation, gateway: FakeGateway
) -> None:
    asked = question(federation)
    words = [str(bank_toml), asked.company, asked.scorecard_id, PURPOSE, AS_OF, REQUEST]
    died = subprocess.run([sys.executable, "-c", DYING, *words], cwd=ROOT, check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL
    kept = (bank_toml.parent / "archive" / f"{REQUEST}.request.jws").read_bytes()
    with BankClient.from_config(bank_toml) as bank:
        score = bank.score(
            company=asked.company,
            scorecard=asked.scorecard_id,
            purpose=PURPOSE,
            as_of=AS_OF,
            request_id=REQUEST,
        )
    assert score.value == federation.plaintext_score()
    assert [request.signed_request for request in gateway.requests] == [kept]


def test_processes_that_ask_at_once_ask_the_same(session: BankSession, federation: Federation) -> None:
    """Each would sign other bytes, since each has another clock; only the first one's are ever sent."""
    start, prepared, lock = threading.Barrier(8), [], threading.Lock()

    def race(number: int) -> None:
        racer = replace(session, clock=lambda: federation.now + timedelta(seconds=number))
        racer.key()
        start.wait(timeout=30)
        sent = racer.prepare(question(federation), REQUEST).sent.signed
        with lock:
            prepared.append(sent)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(prepared) == 8
    assert session.archive is not None
    assert set(prepared) == {session.archive.question(REQUEST)}


def test_who_loses_the_race_with_another_question_is_told(
    session: BankSession, federation: Federation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process keeps another question under the same id, between this one's look and its write."""
    elsewhere = replace(session, config=session.config.model_copy(update={"archive": tmp_path / "elsewhere"}))
    other = elsewhere.prepare(replace(question(federation), purpose="credit.monitoring"), REQUEST).sent.signed

    class FilledMeanwhile(Archive):
        def question(self, request_id: str) -> bytes | None:
            found = super().question(request_id)
            if found is None:
                self.remember_question(request_id, other)
            return found

    monkeypatch.setattr("bank_client.session.Archive", FilledMeanwhile)
    with pytest.raises(ConsentgateError) as refusal:
        session.prepare(question(federation), REQUEST)
    assert refusal.value.code is ErrorCode.IDEMPOTENCY_CONFLICT
    assert session.archive is not None
    assert session.archive.question(REQUEST) == other


@pytest.mark.parametrize("defect", ["a file", "read-only"])
def test_an_archive_that_cannot_be_written_stops_the_question(
    session: BankSession, federation: Federation, gateway: FakeGateway, defect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.archive is not None
    folder = session.archive.folder
    if defect == "a file":
        folder.write_text("not a folder")
    else:
        folder.mkdir()
        monkeypatch.setattr("os.fsync", _no_space)
    with BankClient.from_config(folder.parent / "bank.toml") as bank, pytest.raises(ConsentgateError) as refusal:
        bank.score(company=federation.company.code, scorecard=federation.scorecard.header.id, purpose=PURPOSE)
    assert refusal.value.code is ErrorCode.CONFIG_INVALID
    assert str(folder) in str(refusal.value.field)
    assert gateway.requests == []


def _no_space(_descriptor: int) -> None:
    raise OSError(28, "No space left on device")
