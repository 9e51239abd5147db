"""A reviewer's whole way over the wire, by command: list, fetch, review, combine, submit; and what is refused there."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consentgate import logs
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.terminal import ExitCode
from gateway import cli
from gateway.review_client import ReviewClient
from tests.integration.clients.member_folders import write_anchors
from tests.integration.gateway.port import Port, write_tls
from tests.support.federation import GROUP, institution
from tests.support.sample_scorecard import small_scorecard
from tests.unit.gateway.scorecards import binned, scorecard

Command = Callable[..., Awaitable[tuple[int, str, str]]]
SECOND = small_scorecard(name="second")
SOLVING = scorecard("solving", ("tax", binned("x"), [0, 1, 2]), ("customs", binned("y"), [4, 4, 4]))


@pytest.fixture
def desk(port: Port, tmp_path: Path) -> Path:
    """A reviewer's folder. The command dates statements by the wall clock, so the gateway follows it here."""
    port.house.clock.now = datetime.now(UTC)
    folder = tmp_path / "desk"
    folder.mkdir()
    write_anchors(folder, port.federation)
    files = write_tls(folder, institution(port.federation.ca, "reviewer", "reviewer-1"), port.federation)
    files.certificate.rename(folder / "tls.pem")
    files.private_key.rename(folder / "tls.key")
    for name, signer in port.federation.reviewers.items():
        signer.save(folder / f"{name}.key")
    return folder


@pytest.fixture
def gateway(port: Port, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command at the desk, in a thread: the server answers in this loop."""
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    monkeypatch.chdir(desk)

    def run(arguments: tuple[str, ...]) -> int:
        monkeypatch.setattr(sys, "argv", ["gateway", "scorecard", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return int(caught.value.code or 0)

    async def call(*arguments: str, connected: bool = False) -> tuple[int, str, str]:
        where = ("--gateway", port.address, "--peer", str(port.peer)) if connected else ()
        capsys.readouterr()
        code = await asyncio.to_thread(run, (*arguments, *where, "--json"))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def members(out: str) -> dict[str, object]:
    """The JSON object among the lines: the server logs to the same stdout in tests."""
    found: dict[str, object] = json.loads(out[out.index("{\n") :])
    return found


async def test_a_reviewers_whole_way(port: Port, gateway: Command, desk: Path) -> None:
    scorecard_id = await port.house.register(SECOND)
    code, out, _ = await gateway("list", connected=True)
    assert code == 0
    listed = members(out)["scorecards"]
    assert [entry["name"] for entry in listed] == ["small", "second"]  # type: ignore[attr-defined]
    fetch = ("fetch", "--group", GROUP, "--scorecard", scorecard_id, "--out", "review.json")
    code, _, _ = await gateway(*fetch, connected=True)
    assert code == 0
    for name in ("reviewer-1", "reviewer-2"):
        code, _, _ = await gateway("review", "review.json", "--key", f"{name}.key", "--out", f"{name}.jws", "--yes")
        assert code == 0
    code, _, _ = await gateway("combine", "reviewer-1.jws", "reviewer-2.jws", "--out", "approval.jws")
    assert code == 0
    for _ in range(2):
        code, out, _ = await gateway("submit", "approval.jws", connected=True)
        assert (code, members(out)["kind"]) == (0, "scorecard.approved")
    judged = await port.house.judged(scorecard_id)
    assert judged.approval.approval_jws == (desk / "approval.jws").read_bytes()


async def test_retiring(port: Port, gateway: Command) -> None:
    scorecard_id = port.federation.scorecard.header.id
    fetch = ("fetch", "--group", GROUP, "--scorecard", scorecard_id, "--retire", "--out", "review.json")
    await gateway(*fetch, connected=True)
    for name in ("reviewer-1", "reviewer-3"):
        await gateway("review", "review.json", "--key", f"{name}.key", "--out", f"{name}.jws", "--yes")
    await gateway("combine", "reviewer-1.jws", "reviewer-3.jws", "--out", "retire.jws")
    code, out, _ = await gateway("submit", "retire.jws", connected=True)
    assert (code, members(out)["kind"]) == (0, "scorecard.retired")
    error = await port.house.refused()
    assert error.code is ErrorCode.SCORECARD_NOT_APPROVED


async def test_what_discloses_too_much_is_fetched_but_not_signed(port: Port, gateway: Command) -> None:
    scorecard_id = await port.house.register(SOLVING)
    fetch = ("fetch", "--group", GROUP, "--scorecard", scorecard_id, "--out", "review.json")
    assert (await gateway(*fetch, connected=True))[0] == 0
    code, _, err = await gateway("review", "review.json", "--key", "reviewer-1.key", "--out", "one.jws", "--yes")
    assert (code, "DISCLOSURE_REFUSED" in err) == (ExitCode.REFUSED, True)


async def test_refusals_of_the_gateway_end_in_exit_codes(port: Port, gateway: Command, desk: Path) -> None:
    fetch = ("fetch", "--group", GROUP, "--scorecard", "0" * 64, "--out", "review.json")
    code, _, err = await gateway(*fetch, connected=True)
    assert (code, "SCORECARD_NOT_FOUND" in err) == (ExitCode.REFUSED, True)
    (desk / "nonsense.jws").write_text("x" * 99)
    code, _, err = await gateway("submit", "nonsense.jws", connected=True)
    assert (code, "APPROVAL_SIGNATURE" in err) == (ExitCode.REFUSED, True)
    code, _, err = await gateway("list", "--gateway", "127.0.0.1:1", "--peer", str(port.peer))
    assert (code, "CONNECTION_REFUSED" in err) == (ExitCode.UNAVAILABLE, True)


async def test_a_receipt_of_something_else_is_not_believed(port: Port, desk: Path) -> None:
    """The client verifies quorum and content of the receipt with its own anchors."""
    await port.house.register(SECOND)
    token = await port.house.approval(SECOND)
    files = write_tls(desk, institution(port.federation.ca, "reviewer", "reviewer-1"), port.federation)
    port.house.ledger.witnesses = ("tax",)

    def submit() -> None:
        with ReviewClient.connect(port.address, port.peer, files, port.federation.anchors) as client:
            client.submit(token)

    with pytest.raises(ConsentgateError, match="LEDGER_QUORUM"):
        await asyncio.to_thread(submit)
