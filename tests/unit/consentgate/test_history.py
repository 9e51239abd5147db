"""A department's statement of a subject's history: the honest one holds, each defect is refused by its name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.history import OLDEST, HistoryStatement, VerifiedHistory, sign_history, verify_history
from consentgate.statements import StatementKind
from ledger.chain import Chain
from tests.support.federation import NOW, Federation, hex16, institution
from tests.support.subject_histories import history_of, statement
from tests.support.witnessed_log import ORIGIN

INVALID = ErrorCode.HISTORY_INVALID


@pytest.fixture(scope="module")
def federation() -> Federation:
    made = Federation()
    for version in (1, 2):
        body = {"consent_id": hex16("consent"), "version": version, "digest": "d" * 64}
        made.log.append("consent.paused", body | {"subject": made.company.subject}, NOW)
    return made


def verified(federation: Federation, stated: HistoryStatement) -> VerifiedHistory:
    return verify_history(stated, federation.company.subject, federation.anchors, NOW)


def test_what_the_department_signs_is_what_is_read(federation: Federation) -> None:
    subject, leaves = federation.company.subject, federation.log.leaves
    history = history_of(leaves, subject)
    chain, _ = Chain(ORIGIN).extend(leaves)
    tax = federation.departments["tax"]
    token = sign_history(subject, history, chain.frontier, tax.signer, NOW)
    stated = HistoryStatement(token, federation.log.note(NOW))
    assert verified(federation, stated) == VerifiedHistory("tax", subject, len(leaves), history, NOW, stated)
    assert history.entries == 2


def test_a_kept_statement_is_as_of_its_checkpoint(federation: Federation) -> None:
    subject, stated = federation.company.subject, statement(federation, federation.company.subject, NOW)
    kept = verify_history(stated, subject, federation.anchors, None)
    assert kept == verify_history(stated, subject, federation.anchors, NOW)
    with pytest.raises(ConsentgateError, match="LEDGER_STALE"):
        verify_history(stated, subject, federation.anchors, NOW + OLDEST + timedelta(seconds=1))


def test_a_subject_without_entries_has_a_history_too(federation: Federation) -> None:
    nobody = hex16("nobody")
    found = verify_history(statement(federation, nobody, NOW), nobody, federation.anchors, NOW)
    assert (found.history.entries, found.history.digest) == (0, "0" * 64)


Defect = Callable[[Federation, str], HistoryStatement]


def with_note(note: Callable[[Federation], bytes]) -> Defect:
    return lambda f, subject: HistoryStatement(statement(f, subject, NOW).statement_jws, note(f))


DEFECTS: dict[str, tuple[Defect, ErrorCode, str | None]] = {
    "of another subject": (lambda f, _: statement(f, hex16("other"), NOW), INVALID, "history.subject"),
    "root of a fork": (lambda f, s: statement(f, s, NOW, root="0" * 64), INVALID, "history.root"),
    "larger than its checkpoint": (lambda f, s: statement(f, s, NOW, size=2**40), INVALID, "history.size"),
    "other federation": (
        lambda f, s: statement(f, s, NOW, aud="consentgate://x.test/subject-history"),
        INVALID,
        "history.aud",
    ),
    "other department's name": (
        lambda f, s: statement(f, s, NOW, iss=str(f.departments["customs"].identity)),
        INVALID,
        "history.iss",
    ),
    "signed by a bank": (lambda f, s: statement(f, s, NOW, signer=f.bank_a), INVALID, "history.iss"),
    "signed by the gateway": (lambda f, s: statement(f, s, NOW, signer=f.gateway), INVALID, "history.iss"),
    "another kind": (
        lambda f, s: statement(f, s, NOW, kind=StatementKind.FEATURE_ANSWER),
        INVALID,
        None,
    ),
    "department of another CA": (
        lambda f, s: statement(f, s, NOW, signer=institution(f.other_ca, "department", "tax")),
        INVALID,
        None,
    ),
    "no signature": (lambda f, _: HistoryStatement(b"x" * 16, f.log.note(NOW)), INVALID, None),
    "too few witnesses": (lambda f, s: statement(f, s, NOW, witnesses=("tax",)), INVALID, "history.checkpoint"),
    "no note": (with_note(lambda _: b"note"), INVALID, "history.checkpoint"),
    "log did not sign": (with_note(lambda f: f.log.note(NOW, log_signs=False)), INVALID, "history.checkpoint"),
    "checkpoint of another size": (with_note(lambda f: f.log.note(NOW, size=2)), INVALID, "history.size"),
    "old": (
        lambda f, s: statement(f, s, NOW - OLDEST - timedelta(seconds=1)),
        ErrorCode.LEDGER_STALE,
        "history.checkpoint",
    ),
    "from the future": (
        lambda f, s: statement(f, s, NOW + OLDEST + timedelta(seconds=1)),
        ErrorCode.LEDGER_STALE,
        "history.checkpoint",
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_defect_is_refused(federation: Federation, defect: str) -> None:
    made, code, field = DEFECTS[defect]
    with pytest.raises(ConsentgateError) as caught:
        verified(federation, made(federation, federation.company.subject))
    assert (caught.value.code, caught.value.field) == (code, field)


def test_every_bit_of_the_statement_counts(federation: Federation) -> None:
    stated = statement(federation, federation.company.subject, NOW)
    header, payload, _ = stated.statement_jws.split(b".")
    end = len(header) + 1 + len(payload)
    for position in range(len(header) + 1, end, 7):
        token = bytearray(stated.statement_jws)
        token[position] ^= 1
        with pytest.raises(ConsentgateError):
            verified(federation, HistoryStatement(bytes(token), stated.checkpoint))
