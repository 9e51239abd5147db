"""Manners of every command (design 5, rule 13).

Results on stdout, as JSON with `--json`; everything else on stderr; what went wrong comes with a hint;
exit codes are those below; no traceback for a mistake of the user or a refusal of a server.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import threading
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import NoReturn, TypeVar

import grpc
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track as rich_track

from consentgate import logs
from consentgate.error_status import translate
from consentgate.errors import AnswerRefused, ConsentgateError, ErrorCode

Item = TypeVar("Item")

_PLACE = re.compile(r"at (line [0-9]+, column [0-9]+|end of document)")


class ExitCode(IntEnum):
    """What a script can tell apart."""

    OK = 0
    INTERNAL = 1
    """A fault of the program."""
    USAGE = 2
    """Wrong options or arguments."""
    REFUSED = 3
    """A server, a law or a consent says no."""
    UNAVAILABLE = 4
    """Nothing was decided; the same command may succeed later."""
    INVALID = 5
    """Evidence, a proof or a file does not hold."""
    CONFIGURATION = 6
    """A configuration, certificate or key file must be corrected first."""
    INTERRUPTED = 130


_CONFIGURATION = frozenset(
    {
        ErrorCode.CONFIG_INVALID,
        ErrorCode.KEY_FILE,
        ErrorCode.CERTIFICATE_MISSING,
        ErrorCode.CERTIFICATE_EXPIRED,
        ErrorCode.CERTIFICATE_UNTRUSTED,
        ErrorCode.CERTIFICATE_KEY,
        ErrorCode.CERTIFICATE_USAGE,
        ErrorCode.CERTIFICATE_ROLE,
        ErrorCode.CERTIFICATE_REFUSED,
        ErrorCode.PEER_MISMATCH,
        ErrorCode.DEVELOPMENT_CA,
    }
)
_BY_STATUS = {
    grpc.StatusCode.INTERNAL: ExitCode.INTERNAL,
    grpc.StatusCode.INVALID_ARGUMENT: ExitCode.USAGE,
    grpc.StatusCode.UNAVAILABLE: ExitCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: ExitCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ExitCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS: ExitCode.INVALID,
}


def new_app(help_text: str) -> typer.Typer:
    """A command group with the common settings."""
    return typer.Typer(help=help_text, no_args_is_help=True, pretty_exceptions_enable=False)


def run(app: typer.Typer) -> NoReturn:
    """Runs a command; ends the process with a code of `ExitCode`. Logs are quiet until configured."""
    logs.configure(logs.LogLevel.WARNING)
    try:
        with _ended_as_interrupted():
            app()
    except SystemExit as ended:
        if ended.code == ExitCode.INTERRUPTED:
            note("interrupted")
        raise
    except Exception as error:  # every exception ends as one of the catalogue, an unknown one with an incident id
        known = _of_this_machine(error) if isinstance(error, OSError) else translate(error)
        print_error(known, notes=[*getattr(error, "__notes__", ()), *_causes(error)])
        sys.exit(exit_code(known))
    sys.exit(ExitCode.OK)


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does, which takes away what is half written. Servers have handlers of their own.

    A command in a thread (of a test) hears no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _of_this_machine(error: OSError) -> ConsentgateError:
    """A command's own files and its own output: nobody else has to be told of an incident."""
    named = None if error.filename is None else str(error.filename)
    return ConsentgateError(ErrorCode.FILE_UNAVAILABLE, field=named)


def _causes(error: BaseException | None) -> Iterator[str]:
    """What the operating system said, in its own words, and where a file is no TOML: neither holds a value."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            yield f"cause: {error.strerror}"
        elif isinstance(error, tomllib.TOMLDecodeError) and (place := _PLACE.search(str(error))):
            yield f"cause: no TOML {place[0]}"
        error = error.__cause__


def exit_code(error: ConsentgateError) -> ExitCode:
    """The exit code that belongs to an error; what is in no table is a refusal."""
    if isinstance(error, AnswerRefused):
        return ExitCode.INVALID
    if error.code in _CONFIGURATION:
        return ExitCode.CONFIGURATION
    if error.code is ErrorCode.FILE_UNAVAILABLE:  # no server's, and so nothing that a client repeats by itself
        return ExitCode.UNAVAILABLE
    return _BY_STATUS.get(error.status, ExitCode.REFUSED)


def print_error(error: ConsentgateError, notes: Iterable[str] = ()) -> None:
    """Error, then hint, then what else is known, on stderr."""
    console = _stderr()
    console.print(f"[bold red]error[/] {escape(_printable(str(error)))}")
    console.print(f"[bold]hint[/]  {escape(_printable(error.hint))}")
    for name, value in error.extra.items():
        console.print(f"      {escape(_printable(name))}: {escape(_printable(value))}")
    for line in notes:
        console.print(f"      {escape(_printable(line))}")


def _printable(text: str) -> str:
    """A server, or whoever made a file, may have chosen what is in it, and a terminal does what it is told."""
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


def _json(members: Mapping[str, object], indent: int | None = None) -> str:
    """The same values, spelled so that a terminal only shows them."""
    text = json.dumps(members, ensure_ascii=False, indent=indent)
    return "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text)


def show(members: Mapping[str, object], lines: Sequence[str], as_json: bool) -> None:
    """A result on stdout: `members` as one JSON object, or `lines` for a person."""
    typer.echo(_json(members, indent=2) if as_json else _printable("\n".join(lines)))


def show_line(members: Mapping[str, object], line: str, as_json: bool) -> None:
    """One of many results, as soon as it is there: a JSON line, or a line for a person."""
    typer.echo(_json(members) if as_json else _printable(line))


def note(text: str) -> None:
    """Something a person should know, on stderr: never part of the result."""
    typer.echo(_printable(text), err=True)


def confirm(question: str) -> None:
    """Asks on stderr; anything but yes ends the command."""
    typer.confirm(_printable(question), abort=True, err=True)


def passphrase(prompt: str, confirm: bool = False) -> bytes:
    """Asks for a passphrase without showing it, twice when it is a new one."""
    answer: str = typer.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    return answer.encode()


@contextmanager
def working(text: str) -> Iterator[None]:
    """Shows on stderr that something of unknown length goes on; silent when stderr is no terminal."""
    with _stderr().status(escape(text)):
        yield


def progress(items: Iterable[Item], text: str, total: int | None = None) -> Iterable[Item]:
    """Shows on stderr how many of `items` are done; silent when stderr is no terminal."""
    console = _stderr()
    return rich_track(items, escape(text), total=total, console=console, disable=not console.is_terminal)


def _stderr() -> Console:
    """Made anew each time: tests and pipes replace sys.stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=True)
