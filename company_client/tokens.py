"""Subject tokens: the names under which the ledger speaks of this company, known to nobody who was not told.

One token of 128 random bits per grantee group, chosen here and named in the company's signed consents (design 3,
"Privacy of a leaf"). Departments pin the first token they see for (company, group) and refuse a second, so the store
must never forget one: it is written atomically, synced, 0600, and locked while it is changed. Beside the tokens it
remembers the newest version of each consent, so that a revocation needs nobody's word for which version to revoke.

Left out: encryption at rest; who reads the file learns which ledger entries are about this company, nothing more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import Hex16, Identifier
from ledger.durable_files import replace_file

TOKEN_BYTES = 16
"""bytes; 128 bits, so that tokens cannot be guessed."""
MAX_STORE_BYTES = 1048576
"""bytes; room for about ten thousand groups."""

_GROUP = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Annotated[int, Field(ge=1, le=1)]
    tokens: dict[Identifier, Hex16] = {}
    consents: dict[Hex16, Annotated[int, Field(ge=1, le=1_000_000)]] = {}


@dataclass(frozen=True)
class TokenStore:
    """A file that maps grantee groups to subject tokens; several processes may share it."""

    path: Path

    def all(self) -> dict[str, str]:
        """Group → token. Empty when there is no file yet."""
        return dict(self._read().tokens)

    def version_of(self, consent_id: str) -> int | None:
        """Newest version of a consent that was signed with this store at hand."""
        return self._read().consents.get(consent_id)

    def _read(self) -> _Content:
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_STORE_BYTES + 1)
        except FileNotFoundError:
            return _Content(version=1)
        except OSError as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(self.path)) from error
        return self._parse(data)

    def groups(self) -> dict[str, str]:
        """Token → group."""
        return {token: group for group, token in self.all().items()}

    def token_for(self, group: str) -> str:
        """The token for this group; chosen and made durable at the first call."""
        if _GROUP.fullmatch(group) is None:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="group")
        with self._locked():
            content = self._read()
            if group not in content.tokens:
                tokens = {**content.tokens, group: secrets.token_hex(TOKEN_BYTES)}
                self._write(content.model_copy(update={"tokens": tokens}))
                return tokens[group]
            return content.tokens[group]

    def remember(self, consent_id: str, version: int, group: str, token: str) -> None:
        """Keeps what a consent names, as when it was drafted elsewhere; raises CONFIG_INVALID on another token."""
        with self._locked():
            content = self._read()
            if content.tokens.get(group, token) != token:
                raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{self.path}: tokens.{group}")
            newest = max(version, content.consents.get(consent_id, version))
            self._write(
                content.model_copy(
                    update={
                        "tokens": {**content.tokens, group: token},
                        "consents": {**content.consents, consent_id: newest},
                    }
                )
            )

    def _parse(self, data: bytes) -> _Content:
        try:
            if len(data) > MAX_STORE_BYTES:
                raise ValueError("too long")
            content = _Content.model_validate(canonical.parse(data, "tokens"))
        except (ValidationError, ValueError, ConsentgateError) as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(self.path)) from error
        if len(set(content.tokens.values())) != len(content.tokens):
            # One token for two groups would let their banks link the company.
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=f"{self.path}: tokens")
        return content

    def _write(self, content: _Content) -> None:
        data = canonical.encode(content.model_dump()) + b"\n"
        self._parse(data)  # Never write what could not be read back.
        try:
            # A token that was sent and then forgotten could not be chosen again.
            replace_file(self.path, data)
        except OSError as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(self.path), private=str(error)) from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """An exclusive lock on a file beside the store; released by the system if this process dies."""
        lock = self.path.with_name(f".{self.path.name}.lock")
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(self.path)) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
