"""`ledger keygen`, `restore-second-place`, and what `serve` refuses before it serves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consentgate.errors import ConsentgateError, ErrorCode
from ledger.checkpoint import Checkpoint
from ledger.note import SignatureType, Signer, VerifierKey
from ledger.policy import LogPolicy
from ledger.second_place import SecondPlace
from ledger.storage.sqlite import SqliteStorage
from ledger_service.cli import app
from ledger_service.config import LedgerConfig, WitnessConfig
from ledger_service.keys import load_signer
from ledger_service.restore import restore
from ledger_service.server import open_witness, serve_ledger, serve_witness
from tests.support.ledger_folder import write_ledger, write_witness
from tests.support.running_log import KIND, POLICY, LogFolder, eventually, published_size, transition
from tests.support.synced_disk import SyncedDisk
from tests.support.witnessed_log import ORIGIN, WITNESSES, log_signer


def test_keygen_shows_the_line_that_belongs_into_the_policy(tmp_path: Path) -> None:
    log_key, witness_key = tmp_path / "log.key", tmp_path / "witness.key"
    log = CliRunner().invoke(app, ["keygen", "--name", "example.org/log", "--out", str(log_key)])
    made = ["keygen", "--name", "w1", "--out", str(witness_key), "--witness", "--json"]
    witness = CliRunner().invoke(app, made)
    assert (log.exit_code, witness.exit_code) == (0, 0)
    members = json.loads(witness.stdout)
    policy = LogPolicy.parse(f"{log.stdout}{members['policy_line']}\nquorum w1\n")
    assert policy.logs == (load_signer(log_key, "example.org/log", SignatureType.ED25519).verifier_key,)
    assert policy.witnesses["w1"] == VerifierKey.parse(members["vkey"])
    assert log_key.stat().st_mode & 0o777 == 0o600


def test_a_key_whose_line_was_shown_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SyncedDisk(tmp_path, monkeypatch)
    made = CliRunner().invoke(app, ["keygen", "--name", "example.org/log", "--out", str(tmp_path / "log.key")])
    assert (made.exit_code, disk.lost()) == (0, [])


def test_keygen_never_overwrites_and_leaves_nothing_for_a_bad_name(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    path.write_text("precious")
    refused = CliRunner().invoke(app, ["keygen", "--name", "log", "--out", str(path)])
    assert isinstance(refused.exception, ConsentgateError)
    assert path.read_text() == "precious"
    bad = CliRunner().invoke(app, ["keygen", "--name", "a b", "--out", str(tmp_path / "new.key")])
    assert bad.exception is not None
    assert not (tmp_path / "new.key").exists()


def test_a_key_of_another_sort_is_named_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    with pytest.raises(ConsentgateError) as caught:
        load_signer(tmp_path / "key", ORIGIN, SignatureType.ED25519)
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFIG_INVALID, str(tmp_path / "key"))


async def test_a_ledger_whose_key_the_policy_does_not_list_does_not_start(tmp_path: Path) -> None:
    path = write_ledger(tmp_path)
    (tmp_path / "log.key").write_bytes(Signer.generate(ORIGIN, SignatureType.ED25519).to_pem())
    with pytest.raises(ConsentgateError) as caught:
        await serve_ledger(LedgerConfig.load(path))
    assert caught.value.code is ErrorCode.CONFIG_INVALID


@pytest.mark.parametrize("names", [WITNESSES[:2], (*WITNESSES, "stranger")])
async def test_a_ledger_whose_witnesses_are_not_the_policys_does_not_start(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    path = write_ledger(tmp_path, witnesses=dict.fromkeys(names, "127.0.0.1:1"))
    with pytest.raises(ConsentgateError) as caught:
        await serve_ledger(LedgerConfig.load(path))
    assert caught.value.code is ErrorCode.CONFIG_INVALID


async def test_a_witness_that_the_policy_does_not_list_does_not_start(tmp_path: Path) -> None:
    path = write_witness(tmp_path)
    (tmp_path / "witness.key").write_bytes(log_signer("somebody").to_pem())
    with pytest.raises(ConsentgateError) as caught:
        await serve_witness(WitnessConfig.load(path))
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFIG_INVALID, "witness.signing_key")


def test_a_listed_witness_opens(tmp_path: Path) -> None:
    config = WitnessConfig.load(write_witness(tmp_path, "courts"))
    witness = open_witness(config.witness, POLICY)
    assert POLICY.witness_of(witness.verifier_key) == "courts"
    assert witness.known_size() == 0


@pytest.fixture
async def stopped(tmp_path: Path) -> tuple[LogFolder, LedgerConfig]:
    """A log with three entries that is not running, and its configuration."""
    folder = LogFolder(tmp_path)
    async with folder.running() as log:
        for number in range(2):
            await log.append(KIND, transition(number), f"key {number}")
    config = LedgerConfig.load(write_ledger(tmp_path))
    place = {"database": f"sqlite:///{folder.database}", "second_place": folder.second_place}
    return folder, config.model_copy(update=place)


async def test_a_lost_second_place_can_be_made_again_and_the_log_goes_on(
    stopped: tuple[LogFolder, LedgerConfig],
) -> None:
    folder, config = stopped
    folder.second_place.unlink()
    checkpoint = restore(config)
    assert checkpoint.size == 3
    async with folder.running() as log:
        await eventually(lambda: published_size(log) == 3)
        assert not (await log.append(KIND, transition(5), "key 5")).existing


async def test_a_second_place_that_exists_is_never_replaced(stopped: tuple[LogFolder, LedgerConfig]) -> None:
    folder, config = stopped
    before = folder.second_place.read_bytes()
    with pytest.raises(ConsentgateError, match="exists"):
        restore(config)
    assert folder.second_place.read_bytes() == before


async def test_nothing_is_restored_beside_a_running_log_or_from_an_unwitnessed_one(
    stopped: tuple[LogFolder, LedgerConfig],
) -> None:
    folder, config = stopped
    async with folder.running():
        folder.second_place.unlink()
        with pytest.raises(ConsentgateError) as caught:
            restore(config)
    assert caught.value.code is ErrorCode.LEDGER_UNAVAILABLE
    fresh = config.model_copy(update={"database": f"sqlite:///{folder.path / 'fresh.db'}"})
    with pytest.raises(ConsentgateError) as caught:
        restore(fresh)
    assert caught.value.code is ErrorCode.NOT_FOUND


async def test_a_checkpoint_without_quorum_is_not_restored(stopped: tuple[LogFolder, LedgerConfig]) -> None:
    folder, config = stopped
    before = SecondPlace(folder.second_place, POLICY.logs).read()
    assert before is not None
    folder.second_place.unlink()
    alone = Checkpoint(ORIGIN, 9, bytes(32)).sign(log_signer("the log"))
    storage = SqliteStorage.open(folder.database)
    storage.put_checkpoint(9, alone.encode())
    storage.close()
    with pytest.raises(ConsentgateError) as caught:
        restore(config)
    assert caught.value.code is ErrorCode.LEDGER_QUORUM
    assert not folder.second_place.exists()
