"""What the erase commands of gateway, departments and banks ask and say alike.

Company codes are asked for on a terminal or read from stdin, never from the command line, where every process of the
machine could read them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import typer

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import check_company

TOKEN_DIGITS = 32


def check_token(token: str) -> None:
    """Raises INVALID_ARGUMENT_FIELD unless it has the form of a subject token."""
    if len(token) != TOKEN_DIGITS or set(token) - set("0123456789abcdef"):
        hint = "A token is 32 hex digits, in lowercase, as the ledger's entries bear it."
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="token", hint=hint)


def ask_company() -> str:
    """The company code to search for; raises INVALID_ARGUMENT_FIELD for anything else."""
    if sys.stdin.isatty():
        code = str(typer.prompt("Company code", hide_input=True, err=True))
    else:
        code = sys.stdin.readline().strip()
    try:
        check_company(code)
    except (ValueError, IndexError) as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="--company") from error
    return code


def elsewhere_lines(places: Iterable[str]) -> list[str]:
    """Where else something about the company stays."""
    return [f"elsewhere: {place}" for place in places]
