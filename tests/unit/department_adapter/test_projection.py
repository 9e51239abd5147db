"""What the ledger teaches, rule by rule (the rules stand in the module)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.projection import (
    ApprovalHead,
    ConsentFact,
    ConsentState,
    Projection,
    RegisteredKey,
    project,
    touched,
)
from tests.unit.department_adapter.ledger_entries import (
    CONSENT,
    GROUP,
    decided,
    digest,
    first_link,
    granted,
    lessons,
    link,
    moved,
    registered,
)

LONG_AGO = "0000"
Entry = tuple[str, dict[str, object]]


def after(*entries: Entry) -> Projection:
    return project(Projection(), lessons(*entries), LONG_AGO)


def state_after(*entries: Entry) -> ConsentState:
    return after(granted(), *entries).consents[CONSENT].state


def test_granted_consent_is_active() -> None:
    assert after(granted()).consents == {CONSENT: ConsentFact(1, digest("consent 1"), ConsentState.ACTIVE)}


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        (["paused"], ConsentState.PAUSED),
        (["paused", "resumed"], ConsentState.ACTIVE),
        (["paused", "resumed", "paused"], ConsentState.PAUSED),
        (["revoked"], ConsentState.REVOKED),
        (["paused", "revoked"], ConsentState.REVOKED),
        (["expired"], ConsentState.EXPIRED),
        (["revoked", "resumed"], ConsentState.REVOKED),
        (["revoked", "paused", "resumed"], ConsentState.REVOKED),
        (["expired", "resumed"], ConsentState.EXPIRED),
        (["revoked", "expired"], ConsentState.REVOKED),
    ],
)
def test_moves(moves: list[str], state: ConsentState) -> None:
    assert state_after(*map(moved, moves)) is state


def test_newer_version_supersedes() -> None:
    fact = after(granted(), granted(2)).consents[CONSENT]
    assert (fact.version, fact.digest, fact.state) == (2, digest("consent 2"), ConsentState.ACTIVE)


def test_newer_version_starts_active_after_a_pause() -> None:
    assert state_after(moved("paused"), granted(2)) is ConsentState.ACTIVE


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_no_version_follows_an_end(end: str) -> None:
    fact = after(granted(), moved(end), granted(2)).consents[CONSENT]
    assert (fact.version, fact.state.value) == (1, end.upper())


def test_older_or_equal_version_changes_nothing() -> None:
    assert after(granted(2), granted(1), granted(2, statement="other")).consents[CONSENT].digest == digest("consent 2")


@pytest.mark.parametrize("kind", ["paused", "revoked", "resumed", "expired"])
def test_moves_of_other_versions_and_unknown_consents_change_nothing(kind: str) -> None:
    assert after(granted(), granted(2), moved(kind, version=1)).consents[CONSENT].state is ConsentState.ACTIVE
    assert after(moved(kind)).consents == {}


def test_resumption_is_remembered_by_its_index() -> None:
    assert after(granted(), moved("paused"), moved("resumed")).consents[CONSENT].resumed_at == 3


def test_approval_chain_follows_its_links() -> None:
    chain = [first_link(), link(2, digest("first"), "second", "retired")]
    assert after(*chain).approvals == {GROUP: ApprovalHead(2, digest("second"))}


@pytest.mark.parametrize(
    "stranger",
    [
        link(2, digest("first"), "fork"),
        link(3, digest("first"), "gap"),
        link(3, digest("elsewhere"), "broken"),
        link(1, "0" * 64, "restart"),
        link(2, digest("second"), "backwards"),
    ],
    ids=["fork", "wrong previous", "unknown previous", "restart", "backwards"],
)
def test_what_does_not_follow_the_head_is_ignored(stranger: Entry) -> None:
    chain = [first_link(), link(2, digest("first"), "second")]
    assert after(*chain, stranger).approvals[GROUP] == ApprovalHead(2, digest("second"))


def test_groups_have_chains_of_their_own() -> None:
    assert set(after(first_link(), link(1, "0" * 64, "other", group="group-b")).approvals) == {GROUP, "group-b"}


def test_first_link_begins_at_one() -> None:
    assert after(link(2, "0" * 64, "late")).approvals == {}


def test_keys_are_added() -> None:
    assert after(registered(), registered("bank-b")).keys == {
        RegisteredKey("bank-a", digest("key")),
        RegisteredKey("bank-b", digest("key")),
    }


def test_recent_decisions_are_remembered_with_their_leaf() -> None:
    taught = lessons(decided(), decided("deny"))
    found = project(Projection(), taught, taught[0].entry.ts).decisions
    assert {seq: fact.leaf_hash for seq, fact in found.items()} == {1: taught[1].leaf_hash, 2: taught[2].leaf_hash}
    assert project(Projection(), taught, "9999").decisions == {}


def test_touched_names_what_must_be_known() -> None:
    other = "f" * 32
    found = touched(lessons(granted(), moved("paused", consent_id=other), first_link(), registered(), decided()))
    assert (found.consents, found.groups) == ({CONSENT, other}, {GROUP})


ENTRIES = st.lists(
    st.sampled_from(
        [
            *(granted(version) for version in (1, 2, 3)),
            *(moved(kind, version) for kind in ("paused", "resumed", "revoked", "expired") for version in (1, 2, 3)),
            first_link(),
            link(2, digest("first"), "second"),
            link(2, digest("first"), "fork"),
            link(3, digest("second"), "third"),
            registered(),
        ]
    ),
    max_size=12,
)


@given(entries=ENTRIES, cut=st.integers(0, 12))
def test_in_one_batch_or_in_two_makes_no_difference(entries: list[Entry], cut: int) -> None:
    taught = lessons(*entries)
    halves = project(project(Projection(), taught[:cut], LONG_AGO), taught[cut:], LONG_AGO)
    assert halves == project(Projection(), taught, LONG_AGO)


@given(before=ENTRIES, later=ENTRIES)
def test_a_revocation_in_force_ends_the_consent_for_ever(before: list[Entry], later: list[Entry]) -> None:
    known = after(granted(4), *before)
    assert (
        project(known, lessons(moved("revoked", 4), *later, granted(9)), LONG_AGO).consents[CONSENT].state
        is not ConsentState.ACTIVE
    )


# Judging a consent.


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (ConsentState.PAUSED, ErrorCode.CONSENT_PAUSED),
        (ConsentState.REVOKED, ErrorCode.CONSENT_REVOKED),
        (ConsentState.EXPIRED, ErrorCode.CONSENT_EXPIRED),
    ],
)
def test_unusable_states(state: ConsentState, code: ErrorCode) -> None:
    with pytest.raises(ConsentgateError) as caught:
        ConsentFact(1, digest("a"), state).check_usable(1, digest("a"))
    assert caught.value.code == code


@pytest.mark.parametrize(("version", "statement"), [(1, "a"), (3, "a"), (2, "b")])
def test_other_version_or_statement(version: int, statement: str) -> None:
    fact = ConsentFact(2, digest("a"), ConsentState.ACTIVE)
    fact.check_usable(2, digest("a"))
    with pytest.raises(ConsentgateError) as caught:
        fact.check_usable(version, digest(statement))
    assert caught.value.code == ErrorCode.CONSENT_VERSION
