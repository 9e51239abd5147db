"""Evidence kept by the bank: one file per request that anybody with the anchors can verify, for years.

The archive folder holds, per request id, the signed question (`<id>.request.jws`, written *before* it is sent, so that
a repeat after a crash sends the same bytes) and the verified answer (`<id>.zip`). The ZIP holds the parts unchanged
under fixed names; `read` accepts it as a file or unpacked as a folder. It does not hold the score: the score is in
`ciphertext.bin`, for whoever has the key.

Writes are atomic and durable before they return, and the first question under a request id stands for ever: two
processes that ask at once send the same bytes. Files are 0600, since the consent names the company. Reading trusts
nothing: names, count and sizes are checked before anything is unpacked, and every part is verified by
`scoring.verify_answer`.

Left out: retention, which is `bank_client.erasure`'s; deleting a request's files is complete.
"""

from __future__ import annotations

import io
import os
import re
import secrets
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bank_client.question import check_request_id
from bank_client.scoring import Answer
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.evidence import EvidenceBundle
from ledger.durable_files import make_folder, replace_file, sync_folder, write_new
from ledger.receipt import Receipt

FORMAT = b"consentgate/score-archive/v1\n"
MAX_PART_BYTES = 1048576
"""bytes; the largest part is a key registration, for which the wire has the same bound."""
MAX_ANSWERS = 64
"""Most departments of one scorecard."""

_FIXED = (
    "format.txt",
    "request.jws",
    "request-salt.bin",
    "consent.json",
    "attestation.jws",
    "scorecard-header.json",
    "approval.json",
    "key-registration.jws",
    "decision.leaf",
    "decision.proof",
    "release.leaf",
    "release.proof",
    "ciphertext.bin",
)
_ANSWER = re.compile(r"answer-([0-9]{2})\.jws")


class Archive:
    """A folder with the bank's questions and answers. Several processes may share it.

    Raises CONFIG_INVALID naming folder or file when the file system says no.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def remember_question(self, request_id: str, signed: bytes) -> bytes:
        """The durable question under this id: `signed`, or what another process kept a moment before."""
        check_request_id(request_id)
        path = self._question_path(request_id)
        with _naming(path):
            make_folder(self.folder, 0o700)
            if _keep_first(path, signed):
                return signed
        kept = self.question(request_id)
        if kept is None:
            raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path), private="deleted while it was asked for")
        return kept

    def question(self, request_id: str) -> bytes | None:
        """The bytes signed earlier under this request id, if any."""
        check_request_id(request_id)
        path = self._question_path(request_id)
        with _naming(path):
            try:
                signed = path.read_bytes()
            except FileNotFoundError:
                return None
            # Whoever wrote it may have died before its name was durable; it is about to be sent.
            sync_folder(path.parent)
        return signed

    def keep(self, request_id: str, answer: Answer) -> Path:
        """Keeps a verified answer and returns its file. Keeping it again replaces it with the same."""
        check_request_id(request_id)
        path = self.folder / f"{request_id}.zip"
        with _naming(path):
            make_folder(self.folder, 0o700)
            write(path, answer)
        return path

    def _question_path(self, request_id: str) -> Path:
        return self.folder / f"{request_id}.request.jws"


def write(path: Path, answer: Answer) -> None:
    """Writes one archive file atomically, readable by its owner only, durable when it returns."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression=zipfile.ZIP_DEFLATED) as file:
        for name, content in _to_parts(answer).items():
            file.writestr(name, content)
    replace_file(path, packed.getvalue())


def read(path: Path) -> Answer:
    """The answer in a ZIP file or unpacked folder, unverified; raises INVALID_ARGUMENT_FIELD naming file and part."""
    try:
        if path.is_dir():
            names = [entry.name for entry in path.iterdir()]
            return _from_parts(path, _read_parts(path, names, lambda name: _read_bounded(path / name)))
        with zipfile.ZipFile(path) as file:
            return _from_parts(path, _read_parts(path, file.namelist(), lambda name: _unpack(file, name)))
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        # NotImplementedError and RuntimeError: zipfile's words for unknown compression and encryption.
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(path), private=str(error)) from error


def _to_parts(answer: Answer) -> dict[str, bytes]:
    bundle = answer.evidence
    contents = (
        FORMAT,
        bundle.request_jws,
        bundle.request_salt,
        bundle.consent_jws,
        bundle.attestation_jws,
        bundle.scorecard_header,
        bundle.approval_jws,
        bundle.key_registration_jws,
        bundle.decision.leaf,
        bundle.decision.proof,
        answer.release.leaf,
        answer.release.proof,
        answer.ciphertext,
    )
    parts = dict(zip(_FIXED, contents, strict=True))
    return parts | {f"answer-{index:02}.jws": token for index, token in enumerate(answer.answers)}


def _from_parts(path: Path, parts: Mapping[str, bytes]) -> Answer:
    if parts["format.txt"] != FORMAT:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=f"{path}: format.txt")
    bundle = EvidenceBundle(
        request_jws=parts["request.jws"],
        request_salt=parts["request-salt.bin"],
        consent_jws=parts["consent.json"],
        attestation_jws=parts["attestation.jws"],
        scorecard_header=parts["scorecard-header.json"],
        approval_jws=parts["approval.json"],
        key_registration_jws=parts["key-registration.jws"],
        decision=Receipt(leaf=parts["decision.leaf"], proof=parts["decision.proof"]),
    )
    return Answer(
        ciphertext=parts["ciphertext.bin"],
        evidence=bundle,
        answers=tuple(parts[name] for name in sorted(parts) if _ANSWER.fullmatch(name)),
        release=Receipt(leaf=parts["release.leaf"], proof=parts["release.proof"]),
    )


def _read_parts(path: Path, names: list[str], read_part: Callable[[str], bytes]) -> dict[str, bytes]:
    """Exactly the fixed names and answers numbered from 0; anything else is refused before it is read."""
    answers = sorted(name for name in names if _ANSWER.fullmatch(name))
    expected = [*_FIXED, *(f"answer-{index:02}.jws" for index in range(len(answers)))]
    if len(answers) > MAX_ANSWERS or sorted(names) != sorted(expected):
        odd = sorted(set(names) ^ set(expected)) or ["a part stands there twice"]
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=f"{path}: {odd[0][:64]!a}")
    parts = {}
    for name in expected:
        content = read_part(name)
        if len(content) > MAX_PART_BYTES:
            raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=f"{path}: {name}")
        parts[name] = content
    return parts


def _unpack(file: zipfile.ZipFile, name: str) -> bytes:
    """At most one byte over the bound, whatever size the ZIP's directory claims."""
    with file.open(name) as part:
        return part.read(MAX_PART_BYTES + 1)


def _read_bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_PART_BYTES + 1)


def _keep_first(path: Path, content: bytes) -> bool:
    """Durable before it returns True: content first, then the name, then the folder. False: the name is taken."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    write_new(temporary, content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """A full disk or a missing permission is the bank's to correct: it is told where."""
    try:
        yield
    except OSError as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=str(path), private=str(error)) from error
