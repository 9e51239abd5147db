"""The one exception of this project's wire and commands: a code of the catalogue, and where it applies.

`raise ConsentgateError(ErrorCode.CONSENT_EXPIRED, field="consent_jws.valid_until")`. Status, message and
hint follow from the code. `field` names a part, file or entry and may travel; `extra` are further public
facts for machines; `private` is for the log of this process and is never sent or shown. `hint` replaces
the catalogue's where the cause is known better; like it, a constant without values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import grpc

from consentgate.error_catalogue import CATALOGUE, ErrorEntry
from consentgate.error_codes import ErrorCode

__all__ = ["CATALOGUE", "AnswerRefused", "ConsentgateError", "ErrorCode", "ErrorEntry", "InvalidFields"]
__all__ += ["judging_answer"]


class ConsentgateError(Exception):
    """An error with a code of the catalogue."""

    def __init__(
        self,
        code: ErrorCode,
        *,
        field: str | None = None,
        private: str | None = None,
        extra: Mapping[str, str] | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.field = field
        self.private = private
        self.extra: Mapping[str, str] = MappingProxyType(dict(extra or {}))
        self.hint = hint or CATALOGUE[code].hint

    @property
    def status(self) -> grpc.StatusCode:
        """The gRPC status that belongs to the code."""
        return CATALOGUE[self.code].status

    @property
    def message(self) -> str:
        """The public message that belongs to the code."""
        return CATALOGUE[self.code].message

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        return f"{self.code}: {self.message}{where}"

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process boundaries (the gateway's workers); keyword arguments need help for that."""
        return _restore, (type(self), self.code, self.field, self.private, dict(self.extra), self.hint)


class InvalidFields(ConsentgateError):
    """INVALID_ARGUMENT_FIELD for several fields at once: name → what is wrong with it (never its value)."""

    def __init__(self, violations: Mapping[str, str]) -> None:
        super().__init__(ErrorCode.INVALID_ARGUMENT_FIELD, field=", ".join(violations))
        self.violations: Mapping[str, str] = MappingProxyType(dict(violations))

    def __reduce__(self) -> tuple[object, ...]:
        return InvalidFields, (dict(self.violations),)


class AnswerRefused(ConsentgateError):
    """What a server handed over does not hold; the code says which part. The receiver's no, not the server's."""


@contextmanager
def judging_answer() -> Iterator[None]:
    """Errors raised inside are about what a server handed over, and become AnswerRefused."""
    try:
        yield
    except ConsentgateError as error:
        raise AnswerRefused(
            error.code, field=error.field, private=error.private, extra=error.extra, hint=error.hint
        ) from error


def _restore(
    kind: type[ConsentgateError],
    code: ErrorCode,
    field: str | None,
    private: str | None,
    extra: dict[str, str],
    hint: str,
) -> ConsentgateError:
    return kind(code, field=field, private=private, extra=extra, hint=hint)
