"""`BankClient` and `AsyncBankClient`: ten lines to a verified score.

    with BankClient.from_config("bank.toml") as bank:
        score = bank.score(company="91350100M000100Y43", scorecard=scorecard_id, purpose="credit.origination")
        print(score.value, score.departments, score.release.leaf_hash.hex())

Both run the same values of `operations` with the same `RetryPolicy`; what happens between calls is `BankSession`. The
asynchronous one verifies and decrypts in a worker thread, since both are tens of milliseconds of arithmetic.

Left out: portfolios (a later issue), connection pools (one channel multiplexes).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, cast

import grpc

from bank_client import operations
from bank_client.keystore import AskPassphrase, read_registration, registered_key_id
from bank_client.messages import DryRun, RequestRecord
from bank_client.operations import Call, RegisteredKey, RegisteredScorecard, ScorecardView, Stubs
from bank_client.question import Question, current_period
from bank_client.retry import RetryPolicy
from bank_client.scoring import Score
from bank_client.session import BankSession
from consentgate.channel import open_aio_channel, open_channel
from consentgate.error_status import from_rpc_error
from consentgate.errors import judging_answer
from consentgate.scorecard import Scorecard
from consentgate.v1.keys_pb2_grpc import KeyServiceStub
from consentgate.v1.scorecard_pb2_grpc import ScorecardServiceStub
from consentgate.v1.scoring_pb2_grpc import ScoringServiceStub

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Result = TypeVar("Result")


def stubs_on(channel: grpc.Channel | grpc.aio.Channel) -> Stubs:
    """Stubs for all services a bank calls."""
    return Stubs(ScoringServiceStub(channel), KeyServiceStub(channel), ScorecardServiceStub(channel))


class BankClient:
    """A bank's connection to the gateway. Safe to share between threads; close it, or use it as a context."""

    def __init__(
        self,
        session: BankSession,
        channel: grpc.Channel,
        policy: RetryPolicy | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.session = session
        self._channel = channel
        self._stubs = stubs_on(channel)
        self._policy = policy or RetryPolicy()
        self._pause = pause

    @classmethod
    def from_config(
        cls, path: str | Path, ask_passphrase: AskPassphrase | None = None, *, allow_development_ca: bool = False
    ) -> Self:
        """A client for `bank.toml`; `ask_passphrase` is called when the file names no passphrase file."""
        session = BankSession.load(Path(path), ask_passphrase, allow_development_ca=allow_development_ca)
        address, peer, tls = session.config.gateway.address, session.gateway, session.tls
        return cls(session, open_channel(address, peer, tls, allow_development_ca=allow_development_ca))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def score(
        self,
        *,
        company: str,
        scorecard: str | Scorecard,
        purpose: str,
        as_of: str | None = None,
        request_id: str | None = None,
    ) -> Score:
        """Asks, verifies, decrypts; raises ConsentgateError: the gateway's no, or (AnswerRefused) this bank's.

        `as_of` is the period asked about (default: this month, UTC). `request_id` repeats an earlier question: with an
        archive the same signed bytes are sent again, so nothing is counted twice. Every error carries the request id
        as a note.
        """
        asked = self._question(company, scorecard, purpose, as_of)
        prepared = self.session.prepare(asked, request_id)
        try:
            return self.session.finish(prepared, self._run(operations.score(prepared)))
        except Exception as error:
            error.add_note(f"request id {prepared.sent.request_id}")
            raise

    def dry_run(self, *, company: str, scorecard: str, purpose: str) -> DryRun:
        """Would it be allowed now, and if not, what would have to change? Nothing is recorded as a request."""
        return self._run(operations.dry_run(company, scorecard, purpose))

    def list_requests(self, limit: int = 50) -> list[RequestRecord]:
        """The bank's own requests as the gateway counts them, newest first; at most `limit`."""
        found: list[RequestRecord] = []
        token = ""
        while len(found) < limit:
            size = min(limit - len(found), operations.MAX_LIST_PAGE)
            page, token = self._run(operations.list_requests(size, token))
            found += page
            if not token or not page:
                break
        return found[:limit]

    def register_key(self) -> RegisteredKey:
        """Registers the recipient key; harmless to repeat. Needs no passphrase: only the public part is sent."""
        registration = read_registration(self.session.config.paillier.registration)
        return self._run(operations.register_key(self.session, registration, registered_key_id(registration)))

    def register_scorecard(self, scorecard: Scorecard) -> RegisteredScorecard:
        """Registers a scorecard of this bank; harmless to repeat."""
        self.session.check_own_scorecard(scorecard)
        return self._run(operations.register_scorecard(self.session, scorecard))

    def get_scorecard(self, scorecard: str) -> ScorecardView:
        """Header, groups that may use it and, when this bank owns it, the weights; checked against the id."""
        return self._run(operations.get_scorecard(scorecard))

    def _question(self, company: str, scorecard: str | Scorecard, purpose: str, as_of: str | None) -> Question:
        return Question(company, scorecard, purpose, as_of or current_period(self.session.clock()))

    def _run(self, call: Call[Request, Reply, Result]) -> Result:
        """One call with its repeats; the request object, hence its bytes, is the same in all of them."""
        pauses = self._policy.pauses()
        while True:
            try:
                reply = call.method(self._stubs)(call.request, timeout=self._policy.deadline)
            except grpc.RpcError as error:
                refusal = from_rpc_error(error)
                pause = next(pauses, None) if self._policy.may_repeat(refusal) else None
                if pause is None:
                    raise refusal from error
                self._pause(pause)
            else:
                with judging_answer():
                    return call.decode(reply)


class AsyncBankClient:
    """The same for asyncio. Enter it as `async with`: its channel belongs to the running loop."""

    def __init__(
        self,
        session: BankSession,
        connect: Callable[[], grpc.aio.Channel],
        policy: RetryPolicy | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.session = session
        self._connect = connect
        self._policy = policy or RetryPolicy()
        self._pause = pause
        self._channel: grpc.aio.Channel | None = None
        self._stubs: Stubs | None = None

    @classmethod
    def from_config(
        cls, path: str | Path, ask_passphrase: AskPassphrase | None = None, *, allow_development_ca: bool = False
    ) -> Self:
        """A client for `bank.toml`; it connects when it is entered."""
        session = BankSession.load(Path(path), ask_passphrase, allow_development_ca=allow_development_ca)
        address, peer, tls = session.config.gateway.address, session.gateway, session.tls
        return cls(session, lambda: open_aio_channel(address, peer, tls, allow_development_ca=allow_development_ca))

    async def __aenter__(self) -> Self:
        self._channel = self._connect()
        self._stubs = stubs_on(self._channel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._channel is not None:
            await self._channel.close()
        self._channel = self._stubs = None

    async def score(
        self,
        *,
        company: str,
        scorecard: str | Scorecard,
        purpose: str,
        as_of: str | None = None,
        request_id: str | None = None,
    ) -> Score:
        """As `BankClient.score`."""
        asked = Question(company, scorecard, purpose, as_of or current_period(self.session.clock()))
        prepared = await asyncio.to_thread(self.session.prepare, asked, request_id)
        try:
            received = await self._run(operations.score(prepared))
            return await asyncio.to_thread(self.session.finish, prepared, received)
        except Exception as error:
            error.add_note(f"request id {prepared.sent.request_id}")
            raise

    async def dry_run(self, *, company: str, scorecard: str, purpose: str) -> DryRun:
        """As `BankClient.dry_run`."""
        return await self._run(operations.dry_run(company, scorecard, purpose))

    async def list_requests(self, limit: int = 50) -> list[RequestRecord]:
        """As `BankClient.list_requests`."""
        found: list[RequestRecord] = []
        token = ""
        while len(found) < limit:
            size = min(limit - len(found), operations.MAX_LIST_PAGE)
            page, token = await self._run(operations.list_requests(size, token))
            found += page
            if not token or not page:
                break
        return found[:limit]

    async def register_key(self) -> RegisteredKey:
        """As `BankClient.register_key`."""
        registration = read_registration(self.session.config.paillier.registration)
        return await self._run(operations.register_key(self.session, registration, registered_key_id(registration)))

    async def register_scorecard(self, scorecard: Scorecard) -> RegisteredScorecard:
        """As `BankClient.register_scorecard`."""
        self.session.check_own_scorecard(scorecard)
        return await self._run(operations.register_scorecard(self.session, scorecard))

    async def get_scorecard(self, scorecard: str) -> ScorecardView:
        """As `BankClient.get_scorecard`."""
        return await self._run(operations.get_scorecard(scorecard))

    async def _run(self, call: Call[Request, Reply, Result]) -> Result:
        if self._stubs is None:
            raise RuntimeError("AsyncBankClient is used outside its `async with` block")
        pauses = self._policy.pauses()
        while True:
            # The stubs are typed as synchronous; on an aio channel the same call returns an awaitable.
            method = cast(Callable[..., Awaitable[Reply]], call.method(self._stubs))
            try:
                reply = await method(call.request, timeout=self._policy.deadline)
            except grpc.RpcError as error:
                refusal = from_rpc_error(error)
                pause = next(pauses, None) if self._policy.may_repeat(refusal) else None
                if pause is None:
                    raise refusal from error
                await self._pause(pause)
            else:
                with judging_answer():
                    return call.decode(reply)
