"""Manners of commands: exit codes, hints on stderr, results on stdout, never a traceback."""

from __future__ import annotations

import json
import signal
import tomllib
from collections.abc import Callable

import pytest
import typer

from consentgate import terminal
from consentgate.errors import CATALOGUE, AnswerRefused, ConsentgateError, ErrorCode
from consentgate.terminal import ExitCode, exit_code, new_app, run
from ledger.durable_files import new_folder
from ledger.errors import CheckpointInvalid

SECRET = "91350100M000100Y43"


def _app(action: Callable[[], None]) -> typer.Typer:
    app = new_app("For tests.")

    @app.command()
    def work(count: int = 1) -> None:
        """Works."""
        for _ in range(count):
            action()

    @app.command()
    def other() -> None:
        """Does nothing."""

    return app


def _ended(monkeypatch: pytest.MonkeyPatch, action: Callable[[], None], *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["program", *(arguments or ("work",))])
    with pytest.raises(SystemExit) as caught:
        run(_app(action))
    return int(caught.value.code or 0)


def _raise(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logging stays as the test session has it, and rich draws no terminal."""
    monkeypatch.setattr("consentgate.logs.configure", lambda *_: None)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NO_COLOR", "1")


def test_success(monkeypatch: pytest.MonkeyPatch):
    assert _ended(monkeypatch, lambda: None) == ExitCode.OK


CODES = {
    ErrorCode.INTERNAL: ExitCode.INTERNAL,
    ErrorCode.INVALID_ARGUMENT_FIELD: ExitCode.USAGE,
    ErrorCode.CONSENT_REVOKED: ExitCode.REFUSED,
    ErrorCode.POLICY_DENIED: ExitCode.REFUSED,
    ErrorCode.IDEMPOTENCY_CONFLICT: ExitCode.REFUSED,
    ErrorCode.UNAVAILABLE: ExitCode.UNAVAILABLE,
    ErrorCode.LEDGER_QUORUM: ExitCode.UNAVAILABLE,
    ErrorCode.DEADLINE_EXCEEDED: ExitCode.UNAVAILABLE,
    ErrorCode.RELEASE_MISMATCH: ExitCode.INVALID,
    ErrorCode.LEDGER_INVALID: ExitCode.INVALID,
    ErrorCode.CONFIG_INVALID: ExitCode.CONFIGURATION,
    ErrorCode.CERTIFICATE_EXPIRED: ExitCode.CONFIGURATION,
    ErrorCode.KEY_FILE: ExitCode.CONFIGURATION,
    ErrorCode.FILE_UNAVAILABLE: ExitCode.UNAVAILABLE,
}


@pytest.mark.parametrize(("code", "ends"), CODES.items())
def test_error_ends_with_its_code(monkeypatch, capsys, code: ErrorCode, ends: ExitCode):
    assert _ended(monkeypatch, _raise(ConsentgateError(code, private=SECRET, extra={"incident": "abc"}))) == ends
    out, err = capsys.readouterr()
    assert out == ""
    assert CATALOGUE[code].message in err
    assert CATALOGUE[code].hint in err
    assert "incident: abc" in err
    assert "Traceback" not in err
    assert SECRET not in err


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_an_exit_code(code: ErrorCode):
    assert exit_code(ConsentgateError(code)) not in (ExitCode.OK, ExitCode.INTERRUPTED)
    assert exit_code(AnswerRefused(code)) is ExitCode.INVALID


def test_error_of_a_library_of_ours(monkeypatch, capsys):
    assert _ended(monkeypatch, _raise(CheckpointInvalid("note"))) == ExitCode.INVALID
    assert CheckpointInvalid.hint in capsys.readouterr().err


def test_unexpected_exception_shows_an_incident_and_no_traceback(monkeypatch, capsys):
    assert _ended(monkeypatch, _raise(ZeroDivisionError(SECRET))) == ExitCode.INTERNAL
    err = capsys.readouterr().err
    assert "incident: " in err
    assert SECRET not in err
    assert "Traceback" not in err


def test_trouble_with_a_file_names_it_and_says_why(monkeypatch, capsys):
    """It is this machine's, and no incident of a server."""
    ended = _ended(monkeypatch, lambda: open("/missing/folder/file").close())
    err = capsys.readouterr().err
    assert ended == ExitCode.UNAVAILABLE
    assert "FILE_UNAVAILABLE" in err
    assert "(/missing/folder/file)" in err
    assert "cause: No such file or directory" in err
    assert "incident" not in err


def test_an_output_that_takes_no_more_is_named(monkeypatch, capsys):
    def action() -> None:
        with open("/dev/full", "w") as full:
            full.write("result")

    assert _ended(monkeypatch, action) == ExitCode.UNAVAILABLE
    assert "cause: No space left on device" in capsys.readouterr().err


def test_an_error_made_of_trouble_with_a_file_says_why(monkeypatch, capsys):
    def action() -> None:
        try:
            open("/missing/bank.toml").close()
        except OSError as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field="bank.toml") from error

    assert _ended(monkeypatch, action) == ExitCode.CONFIGURATION
    assert "cause: No such file or directory" in capsys.readouterr().err


def test_a_file_that_is_no_toml_says_where(monkeypatch, capsys):
    def action() -> None:
        try:
            tomllib.loads(f'trust_domain = "x"\npassword = {SECRET}')
        except ValueError as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field="bank.toml") from error

    _ended(monkeypatch, action)
    err = capsys.readouterr().err
    assert "cause: no TOML at line 2, column " in err
    assert SECRET not in err


def test_notes_of_an_exception_are_shown(monkeypatch, capsys):
    error = ConsentgateError(ErrorCode.NOT_FOUND)
    error.add_note("The file was not changed.")
    _ended(monkeypatch, _raise(error))
    assert "The file was not changed." in capsys.readouterr().err


def test_text_of_a_peer_is_no_markup(monkeypatch, capsys):
    _ended(monkeypatch, _raise(ConsentgateError(ErrorCode.NOT_FOUND, field="[red]x[/]", hint="[bold]y[/]")))
    err = capsys.readouterr().err
    assert "[red]x[/]" in err
    assert "[bold]y[/]" in err


def test_interruption(monkeypatch, capsys):
    ended = _ended(monkeypatch, _raise(KeyboardInterrupt()))
    assert ended == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"


def test_what_is_half_written_goes_when_a_command_is_told_to_end(monkeypatch, capsys, tmp_path):
    """By SIGTERM, as of a timer or a shutdown; afterwards the signal means what it meant."""
    before = signal.getsignal(signal.SIGTERM)

    def action() -> None:
        with new_folder(tmp_path / "export") as partial:
            (partial / "half").write_text("written")
            signal.raise_signal(signal.SIGTERM)

    assert _ended(monkeypatch, action) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("arguments", [["work", "--unknown"], ["work", "--count", "x"], ["unknown"]])
def test_wrong_usage(monkeypatch, capsys, arguments: list[str]):
    assert _ended(monkeypatch, lambda: None, *arguments) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert "Usage" in err


def test_exit_codes_of_commands_pass(monkeypatch):
    def action() -> None:
        raise typer.Exit(ExitCode.CONFIGURATION)

    assert _ended(monkeypatch, action) == ExitCode.CONFIGURATION


def test_results_go_to_stdout(capsys):
    terminal.show({"a": 1, "b": "é"}, ["one", "two"], as_json=False)
    terminal.show({"a": 1, "b": "é"}, ["one", "two"], as_json=True)
    out, err = capsys.readouterr()
    assert out.startswith("one\ntwo\n{")
    assert json.loads(out.removeprefix("one\ntwo\n")) == {"a": 1, "b": "é"}
    assert err == ""


def test_each_of_many_results_is_a_line(capsys):
    terminal.show_line({"a": 1}, "one", as_json=True)
    terminal.show_line({"a": 2}, "two", as_json=False)
    assert capsys.readouterr().out == '{"a": 1}\ntwo\n'


def test_notes_and_progress_never_touch_stdout(capsys):
    terminal.note("by the way")
    with terminal.working("counting"):
        assert list(terminal.progress([1, 2, 3], "counting")) == [1, 2, 3]
    out, err = capsys.readouterr()
    assert out == ""
    assert "by the way" in err


@pytest.mark.parametrize("as_json", [False, True])
def test_what_a_server_says_does_not_steer_the_terminal(as_json: bool, capsys: pytest.CaptureFixture[str]):
    said = "\x1b[2J\x9b0m\u202e\U000e0001\udcff\r中文"
    terminal.show({"purpose": said}, [f"purpose {said}"], as_json)
    terminal.show_line({"purpose": said}, f"purpose {said}", as_json)
    terminal.note(said)
    out, err = capsys.readouterr()
    assert all(each.isprintable() or each == "\n" for each in out + err)
    assert out.count("中文") == 2
    if as_json:
        first, second = out.strip().rsplit("\n", 1)
        assert json.loads(first) == json.loads(second) == {"purpose": said}
