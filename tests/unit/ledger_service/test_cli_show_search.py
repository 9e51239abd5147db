"""`ledger show` and `ledger search`: from files, unrecorded; from the ledger, on the record."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from consentgate.terminal import ExitCode
from ledger.entry import leaf_hash, parse
from ledger.storage.sqlite_index import index_of
from ledger_service.cli import app
from ledger_service.officer import OfficerLedger
from ledger_service.search_page import SearchAnswer
from tests.support.command_line import Ended, run_command
from tests.support.ledger_files import write_officer_config
from tests.support.ledger_server import ServedLedger
from tests.support.running_log import KIND, transition
from tests.support.sample_log import OTHER_SUBJECT, SUBJECT, alter, export_log, sample_log, store_log
from tests.support.witnessed_log import policy_text

LOG = sample_log(repeat=60)


@pytest.fixture(scope="module", params=["export", "database"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same log in both kinds of files."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "ledger-policy.txt").write_text(policy_text())
    return export_log(LOG, folder / "export") if request.param == "export" else store_log(LOG, folder / "ledger.db")


def show(*arguments: object) -> Ended:
    return run_command(app, ["show", *arguments])


def search(*arguments: object) -> Ended:
    return run_command(app, ["search", *arguments, "--json"])


@pytest.mark.parametrize("seq", [0, 255, 256, 540])
def test_shows_an_entry_with_its_proof(source: Path, seq: int) -> None:
    ended = show(seq, "--from", source, "--json")
    assert ended.code is ExitCode.OK
    members = ended.members
    assert (members["seq"], members["leaf_hash"]) == (seq, leaf_hash(LOG.leaves[seq]).hex())
    assert members["body"] == parse(LOG.leaves[seq]).body
    assert (members["verified"], members["proof"]["tree_size"]) == (False, 541)
    assert "this is not recorded on the ledger" in ended.err
    assert "without --policy" in ended.err


def test_shows_an_entry_by_its_hash(source: Path) -> None:
    ended = show(leaf_hash(LOG.leaves[300]).hex(), "--from", source)
    assert ended.code is ExitCode.OK
    assert ended.out.startswith("entry 300 of consentgate.test/ledger\n")
    missing = show("0" * 64, "--from", source)
    assert (missing.code, "no leaf has this hash" in missing.err) == (ExitCode.REFUSED, True)


def test_receipt_is_written_and_verifies(source: Path, tmp_path: Path) -> None:
    policy = source.parent / "ledger-policy.txt"
    ended = show(7, "--from", source, "--policy", policy, "--receipt-out", tmp_path / "seven", "--json")
    assert ended.members["verified"] is True
    verified = run_command(app, ["verify", "--receipt", tmp_path / "seven.leaf", "--policy", policy])
    assert verified.code is ExitCode.OK
    again = show(7, "--from", source, "--receipt-out", tmp_path / "seven")
    assert (again.code, "not overwritten" in again.err) == (ExitCode.USAGE, True)


@pytest.mark.parametrize("entry", ["541", "9999999999999999"])
def test_no_such_entry(source: Path, entry: str) -> None:
    ended = show(entry, "--from", source)
    assert (ended.code, "there is no entry" in ended.err) == (ExitCode.REFUSED, True)


@pytest.mark.parametrize("entry", ["-1", "x", "12345678901234567", "ab" * 16, "0x10"])
def test_what_is_neither_seq_nor_hash(source: Path, entry: str) -> None:
    assert show("--from", source, "--", entry).code is ExitCode.USAGE


def test_finds(source: Path) -> None:
    ended = search("--subject", OTHER_SUBJECT, "--kind", "erasure.performed", "--limit", 3, "--from", source)
    assert ended.code is ExitCode.OK
    assert [entry["seq"] for entry in ended.members["entries"]] == [9, 18, 27]
    assert (ended.members["complete"], ended.members["next_after_seq"]) == (False, 27)
    rest = search("--subject", OTHER_SUBJECT, "--kind", "erasure.performed", "--after-seq", 531, "--from", source)
    assert [entry["seq"] for entry in rest.members["entries"]] == [540]
    assert (rest.members["complete"], rest.members["next_after_seq"]) == (True, None)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--institution", "bank-b", "--verdict", "deny"], 60),
        (["--reason", "CONSENT_REVOKED"], 60),
        (["--purpose", "credit.origination", "--kind", "query.decision"], 120),
        (["--category", "customs.trade"], 60),
        (["--not-before", "2026-11-24T04:09:00Z"], 1),
        (["--not-before", "2026-11-24T12:08:55+08:00", "--not-after", "2026-11-24 04:08:59"], 5),
        (["--not-before", "2026-11-25"], 0),
        (["--subject", "00" * 16], 0),
        ([], 500),
    ],
)
def test_filters(source: Path, options: list[str], count: int) -> None:
    assert len(search(*options, "--limit", 500, "--from", source).members["entries"]) == count


def test_lines_for_a_person(source: Path) -> None:
    ended = run_command(app, ["search", "--verdict", "deny", "--limit", 1, "--from", source])
    assert ended.out == (
        f"       6  2026-11-24T04:00:06.000000Z  query.decision        "
        f"deny CONSENT_REVOKED bank-b credit.origination {OTHER_SUBJECT}\n"
    )
    assert "there may be more: --after-seq 6" in ended.err
    assert run_command(app, ["search", "--kind", "log.closed", "--from", source]).out == "no entries\n"


@pytest.mark.parametrize("options", [["--limit", 0], ["--limit", 501], ["--after-seq", -1], ["--not-before", "today"]])
def test_bounds(source: Path, options: list[object]) -> None:
    assert search(*options, "--from", source).code is ExitCode.USAGE


def test_a_tampered_copy_shows_nothing_when_there_is_a_policy(tmp_path: Path) -> None:
    (tmp_path / "policy").write_text(policy_text())
    directory = export_log(sample_log(), tmp_path / "export")
    path = directory / "entries" / "000000000000.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"bank-b"', b'"bank-a"'))
    for ended in (
        search("--from", directory, "--policy", tmp_path / "policy"),
        show(1, "--from", directory, "--policy", tmp_path / "policy"),
    ):
        assert ended.code is ExitCode.INVALID
        assert "Leaf 4 is not the leaf that was recorded." in ended.err
    # Without one, the entry's own proof still has to lead to the stored root.
    ended = show(4, "--from", directory)
    assert (ended.code, "RECEIPT_INVALID" in ended.err) == (ExitCode.INVALID, True)


def test_bytes_that_are_no_entry_end_a_search_with_a_named_error(tmp_path: Path) -> None:
    """Also where there is no index, and a search reads every leaf."""
    database = store_log(LOG, tmp_path / "ledger.db")
    index_of(database).unlink()
    alter(database, "UPDATE entry SET leaf = CAST('not json' AS BLOB) WHERE seq = 4")
    ended = search("--from", database, "--kind", "log.closed")
    assert (ended.code, ended.members["valid"], ended.members["error"]) == (ExitCode.INVALID, False, "LedgerCorrupt")
    assert "restore a copy that `ledger verify` accepts" in ended.err


async def test_reads_the_ledger_on_the_record(served: ServedLedger, tmp_path: Path) -> None:
    await asyncio.gather(*(served.log.append(KIND, transition(n), f"key {n}") for n in range(3)))
    config = write_officer_config(tmp_path / "officer", served.address)
    found = await asyncio.to_thread(search, "--kind", KIND, "--limit", 2, "--config", config)
    assert found.code is ExitCode.OK, found.err
    assert [entry["kind"] for entry in found.members["entries"]] == [KIND, KIND]
    assert (found.members["complete"], found.members["next_after_seq"]) == (False, 2)
    rest = await asyncio.to_thread(search, "--kind", KIND, "--after-seq", 2, "--config", config)
    assert [entry["seq"] for entry in rest.members["entries"]] == [3]
    shown = await asyncio.to_thread(show, 2, "--config", config, "--json")
    assert (shown.members["seq"], shown.members["verified"]) == (2, True)
    reads = await asyncio.to_thread(search, "--kind", "access.read", "--config", config)
    assert [entry["body"]["returned"] for entry in reads.members["entries"]] == [2, 1, 1]
    assert {entry["body"]["officer"] for entry in reads.members["entries"]} == {"officer-1"}


async def test_address_and_filters_over_the_wire(served: ServedLedger, tmp_path: Path) -> None:
    await served.log.append(KIND, transition(1), "key")
    config = write_officer_config(tmp_path / "officer", "127.0.0.1:1")
    subject = f"{1:032x}"
    options = ["--subject", subject, "--not-before", "2020-01-01", "--not-after", "2099-01-01", "--config", config]
    found = await asyncio.to_thread(search, *options, "--address", served.address)
    assert [entry["body"]["subject"] for entry in found.members["entries"]] == [subject]
    missing = await asyncio.to_thread(show, 999, "--config", config, "--address", served.address)
    assert missing.code is ExitCode.REFUSED
    away = await asyncio.to_thread(search, *options)
    assert away.code is ExitCode.UNAVAILABLE


async def test_a_hash_is_looked_up_in_files_only(served: ServedLedger, tmp_path: Path) -> None:
    config = write_officer_config(tmp_path / "officer", served.address)
    assert (await asyncio.to_thread(show, "0" * 64, "--config", config)).code is ExitCode.USAGE


async def test_a_ledger_that_answers_with_another_entry(
    served: ServedLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its receipt is good, but it is not the entry that was asked for."""
    await served.log.append(KIND, transition(1), "key")
    config = write_officer_config(tmp_path / "officer", served.address)
    honest = OfficerLedger.receipt
    monkeypatch.setattr(OfficerLedger, "receipt", lambda self, index: honest(self, index - 1))
    ended = await asyncio.to_thread(show, 1, "--config", config)
    assert ended.code is ExitCode.INVALID
    assert "the ledger answered with another entry than was asked for" in ended.err


async def test_entries_of_the_ledger_are_proven_and_their_receipts_verify(served: ServedLedger, tmp_path: Path) -> None:
    await asyncio.gather(*(served.log.append(KIND, transition(n), f"key {n}") for n in range(4)))
    config = write_officer_config(tmp_path / "officer", served.address)
    receipts, policy = tmp_path / "receipts", tmp_path / "officer" / "ledger-policy.txt"
    found = await asyncio.to_thread(search, "--kind", KIND, "--limit", 3, "--proofs", receipts, "--config", config)
    assert found.code is ExitCode.OK, found.err
    assert (found.members["verified"], found.members["checkpoint"]["tree_size"]) == (True, 5)
    assert "3 entries, each proven by the tree of 5 entries" in found.err
    expected = {f"{number}.{part}" for number in (1, 2, 3) for part in ("leaf", "proof")}
    assert {path.name for path in receipts.iterdir()} == expected
    for path in receipts.glob("*.leaf"):
        verified = run_command(app, ["verify", "--receipt", path, "--policy", policy, "--json"])
        assert (verified.code, verified.members["seq"]) == (ExitCode.OK, int(path.stem))
    again = await asyncio.to_thread(search, "--kind", KIND, "--limit", 3, "--proofs", receipts, "--config", config)
    assert (again.code, "not overwritten" in again.err) == (ExitCode.USAGE, True)


async def test_without_proofs_it_says_so(served: ServedLedger, tmp_path: Path) -> None:
    config = write_officer_config(tmp_path / "officer", served.address)
    found = await asyncio.to_thread(search, "--kind", "log.opened", "--unproven", "--config", config)
    assert (found.code, found.members["verified"]) == (ExitCode.OK, False)
    assert "NOT verified" in found.err
    assert "checkpoint" not in found.members


async def test_a_ledger_that_proves_nothing_is_not_believed(
    served: ServedLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = OfficerLedger.search

    def without(self: OfficerLedger, *question: Any, with_proofs: bool) -> SearchAnswer:
        assert with_proofs
        return honest(self, *question, with_proofs=False)

    monkeypatch.setattr(OfficerLedger, "search", without)
    config = write_officer_config(tmp_path / "officer", served.address)
    ended = await asyncio.to_thread(search, "--kind", "log.opened", "--config", config)
    assert ended.code is ExitCode.INVALID
    assert ended.members["valid"] is False


def test_receipts_of_entries_from_files(source: Path, tmp_path: Path) -> None:
    policy = source.parent / "ledger-policy.txt"
    for number, given in enumerate(([], ["--policy", policy])):
        folder = tmp_path / str(number)
        found = search("--verdict", "deny", "--limit", 2, "--proofs", folder, "--from", source, *given)
        assert (found.code, found.members["verified"]) == (ExitCode.OK, bool(given))
        for seq in (6, 15):
            verified = run_command(app, ["verify", "--receipt", folder / f"{seq}.proof", "--policy", policy, "--json"])
            assert (verified.code, verified.members["seq"]) == (ExitCode.OK, seq)


def test_unproven_is_for_the_ledger_only(source: Path, tmp_path: Path) -> None:
    assert search("--unproven", "--from", source).code is ExitCode.USAGE
    assert search("--unproven", "--proofs", tmp_path / "receipts").code is ExitCode.USAGE


def test_broken_configuration(tmp_path: Path) -> None:
    config = write_officer_config(tmp_path / "officer", "127.0.0.1:1")
    config.write_text(config.read_text() + 'colour = "red"\n')
    ended = search("--config", config)
    assert (ended.code, "ledger.colour" in ended.err) == (ExitCode.CONFIGURATION, True)
    assert search("--config", tmp_path / "missing.toml").code is ExitCode.CONFIGURATION
    assert SUBJECT not in ended.err
