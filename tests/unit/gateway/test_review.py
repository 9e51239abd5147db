"""Reviewing offline: a reviewer's machine recomputes the report, signs what it checked, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from gateway import review
from gateway.disclosure import Group, judge
from gateway.review import Action, Fetched, ReviewPackage, combine, prepare, sign
from gateway.review_report import package_lines
from ledger.entry import ZERO_HASH
from tests.support.federation import GROUP, Federation
from tests.unit.gateway.scorecards import binned, numeric, scorecard

FEDERATION = Federation()
ANCHORS = FEDERATION.anchors
ONE, TWO, _ = FEDERATION.reviewers.values()
MEMBER = str(FEDERATION.bank_a.identity)
A, B, C = binned("a", 2), binned("b"), numeric("c")
FIRST = scorecard("first", ("tax", A, [0, 10, 20, -5]), ("customs", B, [0, 5, 7]), ("customs", C, [2, -70]))
SECOND = scorecard("second", ("tax", A, [0, 3, 1, 2]), ("courts", binned("d"), [0, 2, 9]))
SOLVING = scorecard("solving", ("tax", A, [0, 10, 20, -5]), ("customs", B, [1, 1, 1]))


def first_link(card: Any = FIRST, action: Action = "APPROVE", members: tuple[str, ...] = (MEMBER,)) -> ReviewPackage:
    """The package for a group's first link."""
    report = judge(Group(GROUP, [], []), [card]).encode()
    fetched = Fetched(report, ZERO_HASH, 1, (card,))
    return prepare(fetched, card.header.id, action, members, ANCHORS, FEDERATION.now)


def second_link(action: Action = "APPROVE") -> ReviewPackage:
    """The next one, after FIRST was approved."""
    judged = [{"id": FIRST.header.id, "state": "approved"}]
    report = judge(Group(GROUP, [MEMBER], judged), [FIRST, SECOND]).encode()
    fetched = Fetched(report, "1" * 64, 2, (FIRST, SECOND))
    return prepare(fetched, SECOND.header.id, action, (), ANCHORS, FEDERATION.now)


def altered(package: ReviewPackage, path: str, value: object) -> ReviewPackage:
    """The package as a file in which somebody changed one thing."""
    content = json.loads(package.encode())
    *parents, last = path.split(".")
    place: Any = content
    for name in parents:
        place = place[int(name) if name.isdigit() else name]
    place[int(last) if last.isdigit() else last] = value
    return ReviewPackage.parse(canonical.encode(content))


def test_two_reviewers_sign_apart_and_the_parts_join() -> None:
    package = ReviewPackage.parse(first_link().encode())
    parts = [sign(package, signer, ANCHORS) for signer in (ONE, TWO)]
    token, claims = combine([parts[0] + b"\n", parts[1]], ANCHORS)
    assert (claims.action, claims.scorecard, claims.members) == ("APPROVE", FIRST.header.id, [MEMBER])
    assert claims == package.claims
    assert json.loads(token)["signatures"]


def test_a_package_survives_its_file() -> None:
    package = second_link()
    assert ReviewPackage.parse(package.encode()).encode() == package.encode()
    assert package.subject == SECOND
    assert package.claims.members == [MEMBER]


def test_one_reviewer_is_not_enough() -> None:
    part = sign(first_link(), ONE, ANCHORS)
    for parts in ([part], [part, part], []):
        with pytest.raises(ConsentgateError) as caught:
            combine(parts, ANCHORS)
        assert caught.value.code in (ErrorCode.APPROVAL_SIGNATURE, ErrorCode.INVALID_ARGUMENT_FIELD)


def test_parts_over_different_statements_do_not_join() -> None:
    parts = [sign(first_link(), ONE, ANCHORS), sign(second_link(), TWO, ANCHORS)]
    with pytest.raises(ConsentgateError, match="signatures"):
        combine(parts, ANCHORS)


@pytest.mark.parametrize("part", [b"", b"no signature", b"a.b.c.d", "ü".encode("latin-1")])
def test_what_is_no_signature(part: bytes) -> None:
    with pytest.raises(ConsentgateError):
        combine([part, part], ANCHORS)


def test_a_stranger_does_not_sign() -> None:
    with pytest.raises(ConsentgateError) as caught:
        sign(first_link(), FEDERATION.registry_key, ANCHORS)
    assert (caught.value.code, caught.value.field) == (ErrorCode.APPROVAL_SIGNATURE, "key")
    assert "reviewer" in caught.value.hint


def test_nobody_signs_what_solves_a_department() -> None:
    package = first_link(SOLVING)
    with pytest.raises(ConsentgateError) as caught:
        sign(package, ONE, ANCHORS)
    assert (caught.value.code, caught.value.field) == (ErrorCode.DISCLOSURE_REFUSED, "linear.tax")
    # Retiring it is no approval: the report is only read.
    first_link(SOLVING, "RETIRE").check(ANCHORS)


def test_a_gateway_that_shows_a_friendlier_report_is_found_out() -> None:
    friendly = canonical.parse(judge(Group(GROUP, [], []), [SOLVING]).encode(), "report")
    friendly["linear"]["solved"] = []  # type: ignore[index]
    friendly["verdict"] = "accept"
    fetched = Fetched(canonical.encode(friendly), ZERO_HASH, 1, (SOLVING,))
    package = prepare(fetched, SOLVING.header.id, "APPROVE", (MEMBER,), ANCHORS, FEDERATION.now)
    with pytest.raises(ConsentgateError) as caught:
        package.check(ANCHORS)
    assert (caught.value.code, caught.value.field) == (ErrorCode.DISCLOSURE_MISMATCH, "review.report")


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("report.verdict", "refuse", ErrorCode.DISCLOSURE_MISMATCH),
        ("report.minimum_departments", 1, ErrorCode.DISCLOSURE_MISMATCH),
        ("report.minimum_departments", "two", ErrorCode.DISCLOSURE_MISMATCH),
        ("report.judged", "none", ErrorCode.DISCLOSURE_MISMATCH),
        ("report.judged", [{"id": "0" * 64, "state": "approved"}], ErrorCode.APPROVAL_CHAIN),
        ("claims.report", "0" * 64, ErrorCode.DISCLOSURE_MISMATCH),
        ("claims.aud", "consentgate://elsewhere.test/scorecard-approval", ErrorCode.APPROVAL_SIGNATURE),
        ("claims.sequence", 1, ErrorCode.APPROVAL_CHAIN),
        ("claims.previous", ZERO_HASH, ErrorCode.APPROVAL_CHAIN),
        ("claims.members", ["spiffe://consentgate.test/bank/bank-b"], ErrorCode.APPROVAL_CHAIN),
        ("claims.scorecards.0.state", "retired", ErrorCode.APPROVAL_CHAIN),
        ("claims.group", "group-z", ErrorCode.DISCLOSURE_MISMATCH),
    ],
)
def test_a_package_that_was_tampered_with(path: str, value: object, code: ErrorCode) -> None:
    with pytest.raises(ConsentgateError) as caught:
        altered(second_link(), path, value).check(ANCHORS)
    assert caught.value.code is code


def test_a_scorecard_left_out_or_put_in() -> None:
    content = json.loads(second_link().encode())
    content["scorecards"] = content["scorecards"][1:]
    with pytest.raises(ConsentgateError) as caught:
        ReviewPackage.parse(canonical.encode(content)).check(ANCHORS)
    assert (caught.value.code, caught.value.field) == (ErrorCode.APPROVAL_CHAIN, "review.scorecards")


def test_weights_that_are_not_the_committed_ones() -> None:
    with pytest.raises(ConsentgateError) as caught:
        altered(first_link(), "scorecards.0.weights.bias", 1)
    assert caught.value.code is ErrorCode.SCORECARD_INVALID


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"v":2}', b'{"claims":{},"report":{},"scorecards":[],"v":1}', b'{"v":1,"v":1}'],
)
def test_what_is_no_package(data: bytes) -> None:
    with pytest.raises(ConsentgateError) as caught:
        ReviewPackage.parse(data)
    assert str(caught.value.field).startswith("review")


def test_a_first_link_needs_members() -> None:
    with pytest.raises(ConsentgateError) as caught:
        first_link(members=())
    assert caught.value.field == "approval.members"


def test_what_a_reviewer_reads() -> None:
    package = first_link()
    text = "\n".join(package_lines(package, package.check(ANCHORS)))
    for expected in (
        f"APPROVE of scorecard {FIRST.header.id}",
        MEMBER,
        "first of bank-a",
        "tax (silence fails the request)",
        "a [tax.declarations]",
        "+0 below 0",
        "+10 0 to below 1",
        "+20 1 and above",
        "-5 missing",
        "+2 per 1 of the value above 0, up to 100",
        "-70 missing",
        "accept",
        "rank 1",
    ):
        assert expected in text, expected
    refused = first_link(SOLVING, "RETIRE")
    assert "would solve tax.a" in "\n".join(package_lines(refused, refused.check(ANCHORS)))
    assert review.STATES == {"APPROVE": "approved", "RETIRE": "retired"}
