"""What stands before every handler of every server, in this order:

 1. errors: whatever is raised further in becomes a status of the catalogue, never a text;
 2. identity: the TLS peer's SPIFFE id;
 3. authorization: the table of `authz.py`, closed by default; an unknown method ends here too;
 4. form: bytes that are no message are refused; then protovalidate on every one, each field at fault named;
 5. the handler, with `caller()` set.

One line is logged per call: method, role, code, milliseconds. Messages are never logged.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import grpc
import grpc.aio
import protovalidate
import structlog
from google.protobuf.message import DecodeError, Message

from consentgate.authz import authorize
from consentgate.error_status import DETAILS_KEY, to_status, translate
from consentgate.errors import ConsentgateError, ErrorCode, InvalidFields
from consentgate.identity import IdentityInvalid, SpiffeId

# Generic for the type checker only, hence the quotes.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_log = structlog.get_logger("consentgate.rpc")
_caller: ContextVar[SpiffeId] = ContextVar("caller")


def caller() -> SpiffeId:
    """The member whose call is being handled; raises UNAUTHENTICATED outside of one."""
    try:
        return _caller.get()
    except LookupError:
        raise ConsentgateError(ErrorCode.UNAUTHENTICATED) from None


def caller_of(context: Context) -> SpiffeId:
    """The TLS peer of one call; raises UNAUTHENTICATED when its certificate names no member."""
    try:
        return SpiffeId.from_auth_context(context.auth_context())
    except IdentityInvalid as error:
        raise ConsentgateError(ErrorCode.UNAUTHENTICATED, private=error.private) from error


def check_form(message: Message) -> None:
    """Raises InvalidFields naming every field that breaks a constraint of the proto."""
    violations = protovalidate.collect_violations(message)
    if violations:
        raise InvalidFields({_field_name(found.proto.field) or "request": found.proto.message for found in violations})


class Gatekeeper(grpc.aio.ServerInterceptor):
    """The steps above, for all four kinds of methods."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """The handler, guarded; for an unknown method one that admits nobody."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return grpc.stream_stream_rpc_method_handler(_Guard(handler_call_details.method, _absent).stream)
        return _guarded(handler_call_details.method, handler)


def _guarded(method: str, handler: Handler) -> Handler:
    """The same kind of handler with the steps around it."""
    kind = f"{_FLOW[handler.request_streaming]}_{_FLOW[handler.response_streaming]}"
    work = getattr(handler, kind)
    guard = _Guard(method, work)
    # A streaming handler either yields its responses or writes them and returns; the guard keeps its style.
    entry = guard.stream if inspect.isasyncgenfunction(work) else guard.run
    make = getattr(grpc, f"{kind}_rpc_method_handler")
    guarded: Handler = make(
        entry,
        request_deserializer=_tolerant(handler.request_deserializer),
        response_serializer=handler.response_serializer,
    )
    return guarded


class _Guard:
    """One method's steps around its handler `work`."""

    def __init__(self, method: str, work: Callable[[Any, Context], Any]) -> None:
        self._method = method
        self._work = work

    async def run(self, request: Any, context: Context) -> Any:
        """For handlers that return."""
        call = _Call(self._method, context)
        async with call.watched():
            call.admit()
            return await self._work(_checked(request), context)

    async def stream(self, request: Any, context: Context) -> AsyncIterator[Any]:
        """For handlers that yield."""
        call = _Call(self._method, context)
        async with call.watched():
            call.admit()
            async for response in self._work(_checked(request), context):
                yield response


class _Call:
    """One call: who, how it ended, how long it took."""

    def __init__(self, method: str, context: Context) -> None:
        self._method = method
        self._context = context
        self._role = "unknown"
        self._started = time.monotonic()

    def admit(self) -> None:
        """2. Identity. 3. Authorization."""
        member = caller_of(self._context)
        self._role = str(member.role)
        authorize(member, self._method)
        _caller.set(member)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """1. Errors: the only place where an exception becomes a status."""
        try:
            yield
        except grpc.aio.AbortError:
            self._log("ABORTED")  # grpc's own services set a status themselves
            raise
        except asyncio.CancelledError:
            self._log("CANCELLED")
            raise
        except Exception as error:
            await self._refuse(translate(error))
        else:
            self._log("OK")

    async def _refuse(self, error: ConsentgateError) -> None:
        self._log(error.code, error.private)
        details = to_status(error).SerializeToString()
        await self._context.abort(error.status, str(error), ((DETAILS_KEY, details),))

    def _log(self, code: str, private: str | None = None) -> None:
        detail = {} if private is None else {"detail": private}
        milliseconds = round((time.monotonic() - self._started) * 1000, 1)
        _log.info("call", method=self._method, role=self._role, code=code, milliseconds=milliseconds, **detail)


class _NoMessage:
    """Stands for bytes that are no message of the method."""


def _tolerant(decode: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    """gRPC decodes before anybody asks who calls, and would answer what fails with Python's words, as INTERNAL."""

    def decoded(data: bytes) -> Any:
        try:
            return data if decode is None else decode(data)
        except DecodeError:
            return _NoMessage()

    return decoded


def _checked(request: Any) -> Any:
    """4. Form. Of a stream, each message when it is read."""
    if isinstance(request, Message | _NoMessage):
        return _one_checked(request)
    return _each_checked(request)


async def _each_checked(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _one_checked(request)


def _one_checked(request: Message | _NoMessage) -> Message:
    if isinstance(request, _NoMessage):
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="request")
    check_form(request)
    return request


async def _absent(_requests: Any, _context: Context) -> AsyncIterator[Any]:
    """A method that is in the table and not on this server."""
    raise ConsentgateError(ErrorCode.UNKNOWN_METHOD)
    yield  # makes this an async generator


def _field_name(path: Any) -> str:
    """`subjects[1]`, `not_before.seconds`: as the proto spells it."""
    return ".".join(_element_name(element) for element in path.elements)


def _element_name(element: Any) -> str:
    if element.subscript is not None and element.subscript.field == "index":
        return f"{element.field_name}[{element.subscript.value}]"
    return str(element.field_name)


_FLOW = {False: "unary", True: "stream"}
