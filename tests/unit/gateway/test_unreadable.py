"""After keys are lost the gateway says so, and one command lets it go on: companies consent again, tokens as before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from consentgate import logs
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.terminal import ExitCode
from gateway import cli
from gateway.consent import Move
from gateway.store import migrate, unreadable
from tests.support.command_line import Ended, run_command
from tests.support.federation import hex16
from tests.support.gateway_house import KEY_FILE, House


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process capture logs."""
    monkeypatch.setattr(logs, "configure", lambda *_: None)


@pytest.fixture
async def used(settled: House) -> House:
    """A score and a denial; a copy of the key database; then another company's consent."""
    await settled.score(settled.request("one"))
    settled.database.keys.database.scrub()
    shutil.copy(settled.folder / "keys.db", settled.folder / "keys-yesterday.db")
    await settled.grant(settled.federation.second_company, consent_id=hex16("other consent"))
    (settled.folder / "gateway.toml").write_text(
        'listen = "127.0.0.1:0"\nanchors = "anchors.toml"\ndatabase = "sqlite:///gateway.db"\n'
        'institutions = "institutions.toml"\ndepartments = []\n'
        '[tls]\ncertificate = "tls.pem"\nprivate_key = "tls.key"\n'
        f'[subject_keys]\ndatabase = "sqlite:///keys.db"\nkey_encryption_key = "{KEY_FILE}"\n'
        '[ledger]\naddress = "127.0.0.1:1"\npeer = "spiffe://consentgate.test/ledger/ledger-1"\n'
    )
    return settled


def lose_keys(house: House, copy: str | None = None) -> None:
    house.database.close()
    for path in house.folder.glob("keys.db*"):
        path.unlink()
    if copy is not None:
        shutil.copy(house.folder / copy, house.folder / "keys.db")
    house.start()


def gateway(folder: Path, *words: str) -> Ended:
    return run_command(cli.app, [*words, "--config", folder / "gateway.toml"])


async def test_a_lost_key_database(used: House) -> None:
    lose_keys(used)
    refused = gateway(used.folder, "migrate")
    assert (refused.code, "gateway discard-unreadable" in refused.err) == (ExitCode.CONFIGURATION, True)
    done = gateway(used.folder, "discard-unreadable", "--yes", "--json")
    assert (done.code, done.members) == (ExitCode.OK, {"tokens": 2, "consents": 2, "requests": 1})
    assert gateway(used.folder, "migrate").code == ExitCode.OK
    used.restart()
    assert (await used.refused(used.request("two"))).code is ErrorCode.CONSENT_NOT_FOUND
    await used.grant()
    assert used.open_score(await used.score(used.request("three"))) == used.federation.plaintext_score()
    assert len(used.ledger.entries("consent.granted")) == 2, "the same statement is the same entry"


async def test_yesterdays_key_database(used: House) -> None:
    """What is older than it goes on; what is newer is told and discarded."""
    other = used.federation.second_company
    lose_keys(used, "keys-yesterday.db")
    migrate.check(used.database)
    assert used.open_score(await used.score(used.request("two"))) == used.federation.plaintext_score()
    with pytest.raises(ConsentgateError) as caught:
        await used.grant(other, consent_id=hex16("other consent"))
    assert caught.value.code is ErrorCode.STORE_INTEGRITY
    with pytest.raises(ConsentgateError, match="SUBJECT_MISMATCH"):
        await used.grant(other, consent_id=hex16("newer consent"))
    done = gateway(used.folder, "discard-unreadable", "--yes", "--json")
    assert done.members == {"tokens": 1, "consents": 1, "requests": 0}
    await used.grant(other, consent_id=hex16("other consent"))
    assert await used.consents.subjects(used.company(other)) == [other.subject]
    assert gateway(used.folder, "discard-unreadable", "--yes", "--json").members == {
        "tokens": 0, "consents": 0, "requests": 0,
    }  # fmt: skip


async def test_what_the_ledger_has_not_is_not_discarded(used: House) -> None:
    used.ledger.down = ErrorCode.LEDGER_UNAVAILABLE
    with pytest.raises(ConsentgateError):
        await used.consents.move(used.transition("PAUSE"), Move.PAUSE, used.company())
    lose_keys(used)
    refused = gateway(used.folder, "discard-unreadable", "--yes")
    assert "REQUEST_IN_PROGRESS" in refused.err
    found = used.database.transact(lambda session: unreadable.find(session).counts)
    assert found["consents"] == 2
    used.ledger.down = None
    await used.recorder.recover()
    assert gateway(used.folder, "discard-unreadable", "--yes").code == ExitCode.OK


async def test_nothing_goes_without_a_yes(used: House, monkeypatch: pytest.MonkeyPatch) -> None:
    lose_keys(used, "keys-yesterday.db")
    asked: list[str] = []
    monkeypatch.setattr("gateway.cli_keys.confirm", lambda question: asked.append(question) or _refuse())
    assert gateway(used.folder, "discard-unreadable").code != ExitCode.OK
    assert asked == ["Delete 1 tokens, 1 consents, 0 requests that no key opens any more? There is no way back."]
    assert used.database.transact(lambda session: unreadable.find(session).counts)["consents"] == 1


def _refuse() -> None:
    raise KeyboardInterrupt
