"""The archive forgets what is over, all of it and nothing else; what it cannot read it names and leaves alone."""

from __future__ import annotations

import io
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bank_client import cli
from bank_client.archive import Archive
from bank_client.erasure import QUESTION_LIFE, Erased, erase, prove, survey
from consentgate import logs
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.terminal import ExitCode
from tests.support.command_line import Ended, run_command
from tests.support.federation import Federation, hex16
from tests.unit.bank_client.exchange import Exchange, exchange

LIFE = timedelta(days=90)
"""data_life_days of the federation's consents."""
UNANSWERED = hex16("unanswered")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def kept(honest: Exchange, folder: Path) -> Exchange:
    """An answer with its question, a question without answer about the same company, and one about another."""
    archive, federation = Archive(folder), honest.federation
    archive.remember_question(hex16("request"), honest.sent.signed)
    archive.keep(hex16("request"), honest.received)
    for label, company in (("unanswered", federation.company), ("stranger", federation.second_company)):
        claims = federation.request_claims(request_id=hex16(label), company=company.code)
        archive.remember_question(hex16(label), federation.sign_request(claims))
    return honest


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def token(kept: Exchange) -> str:
    return kept.federation.company.subject


def test_evidence_goes_when_its_life_is_over(kept: Exchange, folder: Path) -> None:
    now = kept.federation.now
    code = kept.federation.company.code
    assert set(prove(folder, token(kept), code).remaining) == {
        f"{hex16('request')}.zip",
        f"{hex16('request')}.request.jws",
        f"{UNANSWERED}.request.jws",
    }
    with pytest.raises(ConsentgateError) as caught:
        erase(folder, token(kept), now)
    assert (caught.value.code, caught.value.field) == (ErrorCode.RETENTION_RUNNING, "data_life_days")
    assert len(names(folder)) == 4
    assert erase(folder, token(kept), now + LIFE + timedelta(minutes=1)) == Erased(2, 0, None, ())
    assert names(folder) == {f"{hex16('stranger')}.request.jws"}
    assert prove(folder, token(kept), code).complete
    with pytest.raises(ConsentgateError, match="NOT_FOUND"):
        erase(folder, token(kept), now)


def test_part_of_it_is_over(kept: Exchange, folder: Path) -> None:
    now = kept.federation.now + QUESTION_LIFE
    done = erase(folder, token(kept), now)
    assert (done.deleted, done.kept) == (1, 1)
    assert done.next_end is not None
    assert abs(done.next_end - (kept.federation.now + LIFE)) < timedelta(minutes=1)
    assert names(folder) >= {f"{hex16('request')}.zip", f"{hex16('request')}.request.jws"}
    assert f"{UNANSWERED}.request.jws" not in names(folder)


def test_early(kept: Exchange, folder: Path) -> None:
    assert erase(folder, token(kept), kept.federation.now, early=True).deleted == 2
    assert names(folder) == {f"{hex16('stranger')}.request.jws"}


def test_a_daily_run_takes_whatever_is_over(kept: Exchange, folder: Path) -> None:
    now = kept.federation.now
    assert erase(folder, None, now) == Erased(0, 3, min(found.ends for found in survey(folder).evidence), ())
    assert erase(folder, None, now + QUESTION_LIFE).deleted == 2
    assert erase(folder, None, now + timedelta(days=400)).deleted == 1
    assert names(folder) == set()
    assert erase(folder / "none", None, now) == Erased(0, 0, None, ())


def test_interrupted_between_the_two_files(kept: Exchange, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer goes first; the question that is left ends by its own life."""
    now, unlink = kept.federation.now + LIFE + timedelta(minutes=1), Path.unlink

    def dying(path: Path, *, missing_ok: bool = False) -> None:
        if path.name == f"{hex16('request')}.request.jws":
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", dying)
        with pytest.raises(KeyboardInterrupt):
            erase(folder, token(kept), now)
    assert f"{hex16('request')}.zip" not in names(folder)
    erase(folder, None, now)
    assert names(folder) == set()


def test_what_cannot_be_read_stays_and_is_named(kept: Exchange, folder: Path) -> None:
    broken = folder / f"{hex16('broken')}.zip"
    broken.write_bytes(b"PK no zip")
    done = erase(folder, None, kept.federation.now + timedelta(days=400))
    assert (done.deleted, done.unreadable) == (3, (broken.name,))
    assert names(folder) == {broken.name}
    found = prove(folder, token(kept), None)
    assert (found.remaining, found.unreadable, found.complete) == ((), (broken.name,), False)


def test_half_written_files_end_too(kept: Exchange, folder: Path) -> None:
    old, young = (folder / f".{hex16(label)}.zip.{'0' * 16}" for label in ("old", "young"))
    foreign = folder / ".hidden"
    for path in (old, young, foreign):
        path.write_bytes(token(kept).encode())
    hour_ago = (kept.federation.now - timedelta(hours=2)).timestamp()
    os.utime(old, (hour_ago, hour_ago))
    os.utime(young, (kept.federation.now.timestamp(),) * 2)
    erase(folder, None, kept.federation.now)
    assert not old.exists()
    assert young.exists()
    assert set(prove(folder, token(kept), None).remaining) >= {young.name, foreign.name}


def test_an_unpacked_answer_is_found(kept: Exchange, folder: Path) -> None:
    erase(folder, token(kept), kept.federation.now, early=True)
    (folder / "copy").mkdir()
    (folder / "copy" / "consent.json").write_bytes(kept.received.evidence.consent_jws)
    assert prove(folder, token(kept), None).remaining == ("copy/consent.json",)


# The command.


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """bank.toml beside an archive with an answer of just now."""
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    federation = Federation(datetime.now(UTC))
    Archive(tmp_path / "archive").keep(hex16("request"), exchange(federation).received)
    (tmp_path / "bank.toml").write_text(
        'anchors = "anchors.toml"\narchive = "archive"\n'
        '[tls]\ncertificate = "tls.pem"\nprivate_key = "tls.key"\n'
        '[signing]\ncertificate = "signing.pem"\nprivate_key = "signing.key"\n'
        '[gateway]\naddress = "127.0.0.1:1"\npeer = "spiffe://consentgate.test/gateway/gateway"\n'
        '[paillier]\nprivate_key = "key.json"\nregistration = "registration.jws"\n'
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{federation.company.code}\n"))
    return tmp_path


def command(bank: Path, *words: str) -> Ended:
    return run_command(cli.app, ["erase", *words, "--config", bank / "bank.toml"])


def test_from_the_refusal_to_the_proof(bank: Path, honest: Exchange) -> None:
    subject, code = honest.federation.company.subject, honest.federation.company.code
    refused = command(bank, subject, "--yes")
    assert (refused.code, "RETENTION_RUNNING" in refused.err) == (ExitCode.REFUSED, True)
    assert command(bank, subject, "--prove").code == ExitCode.INVALID
    daily = command(bank, "--yes", "--json")
    assert (daily.code, daily.members["deleted"], daily.members["kept"]) == (ExitCode.OK, 0, 1)
    done = command(bank, subject, "--early", "--yes", "--json")
    assert (done.code, json.loads(done.out)["deleted"]) == (ExitCode.OK, 1)
    proven = command(bank, subject, "--prove", "--company")
    assert (proven.code, "nothing in the archive" in proven.out) == (ExitCode.OK, True)
    assert code not in proven.out + proven.err


@pytest.mark.parametrize("words", [("0" * 31, "--yes"), ("--early", "--yes"), ("--prove",), ("G" * 32,)])
def test_mistakes(bank: Path, words: tuple[str, ...]) -> None:
    ended = command(bank, *words)
    assert "INVALID_ARGUMENT_FIELD" in ended.err
    assert (bank / "archive" / f"{hex16('request')}.zip").exists()


def test_without_an_archive(bank: Path) -> None:
    file = bank / "bank.toml"
    file.write_text(file.read_text().replace('archive = "archive"\n', ""))
    assert "CONFIG_INVALID" in command(bank, "--yes").err
