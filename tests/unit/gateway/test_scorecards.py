"""Registration, review, the approval chain of a grantee group, and who may see what."""

from __future__ import annotations

import pytest

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role, SpiffeId
from consentgate.scorecard import Scorecard
from ledger.entry import ZERO_HASH, parse
from tests.support.federation import GROUP, TRUST_DOMAIN
from tests.support.gateway_house import House
from tests.unit.gateway.scorecards import binned, scorecard

A, B, C = binned("a"), binned("b"), binned("c")
FIRST = scorecard("first", ("tax", A, [0, 10, 20]), ("customs", B, [0, 5, 7]))
SECOND = scorecard("second", ("tax", A, [0, 3, 1]), ("courts", C, [0, 2, 9]))
SOLVING = scorecard("solving", ("tax", A, [0, 20, 40]), ("customs", B, [0, 5, 7]))
"""Twice the tax points of FIRST: the difference is tax alone."""
OF_B = scorecard("of-b", ("tax", A, [0, 1, 2]), ("customs", B, [0, 5, 6]), owner="bank-b")
BANK_B = SpiffeId(TRUST_DOMAIN, Role.BANK, "bank-b")


async def refused(awaited: object) -> ConsentgateError:
    with pytest.raises(ConsentgateError) as caught:
        await awaited  # type: ignore[misc]
    return caught.value


async def ready(house: House, *cards: Scorecard) -> House:
    """Registers scorecards."""
    for card in cards:
        await house.register(card)
    return house


async def test_registering_records_id_and_owner(house: House) -> None:
    scorecard_id, receipt = await house.scorecards.register(FIRST.header.encode(), FIRST.weights.encode(), house.bank)
    assert scorecard_id == FIRST.header.id
    assert dict(parse(receipt.leaf).body) == {"scorecard": FIRST.header.id, "institution": "bank-a"}
    again = await house.scorecards.register(FIRST.header.encode(), FIRST.weights.encode(), house.bank)
    assert again[1].leaf == receipt.leaf
    assert len(house.ledger.entries("scorecard.registered")) == 1


async def test_a_bank_registers_only_its_own(house: House) -> None:
    header, weights = OF_B.header.encode(), OF_B.weights.encode()
    error = await refused(house.scorecards.register(header, weights, house.bank))
    assert (error.code, error.field) == (ErrorCode.SCORECARD_INVALID, "header.owner")
    await house.scorecards.register(header, weights, house.reviewer)


@pytest.mark.parametrize(
    ("header", "weights", "code"),
    [
        (FIRST.header.encode(), SECOND.weights.encode(), ErrorCode.SCORECARD_INVALID),
        (FIRST.header.encode() + b" ", FIRST.weights.encode(), ErrorCode.INVALID_ARGUMENT_FIELD),
        (FIRST.header.encode(), b"{}", ErrorCode.INVALID_ARGUMENT_FIELD),
        (b"{}", FIRST.weights.encode(), ErrorCode.INVALID_ARGUMENT_FIELD),
        (
            canonical.encode({**canonical.parse(FIRST.header.encode(), "h"), "score_high": 26}),
            FIRST.weights.encode(),
            ErrorCode.SCORECARD_RANGE,
        ),
    ],
)
async def test_parts_that_do_not_belong_together(house: House, header: bytes, weights: bytes, code: ErrorCode) -> None:
    assert (await refused(house.scorecards.register(header, weights, house.bank))).code is code
    assert house.ledger.entries("scorecard.registered") == []


async def test_a_category_of_another_department(house: House) -> None:
    content = canonical.parse(FIRST.header.encode(), "h")
    content["departments"][0]["columns"][0]["category"] = "customs.trade"  # type: ignore[index]
    error = await refused(house.scorecards.register(canonical.encode(content), FIRST.weights.encode(), house.bank))
    assert (error.code, error.field) == (ErrorCode.SCORECARD_INVALID, "header.departments.tax.category")


async def test_columns_too_many_for_a_leaf(house: House) -> None:
    parts = [("tax", binned(f"column-{number:040}"), [0, 1, 2]) for number in range(300)]
    wide = scorecard("wide", *parts, ("customs", B, [0, 1, 2]))
    error = await refused(house.register(wide))
    assert (error.code, error.field) == (ErrorCode.SCORECARD_INVALID, "header.departments")


# The chain.


async def test_a_first_link(house: House) -> None:
    await ready(house, FIRST)
    review = await house.scorecards.review(house.reviewer, GROUP, FIRST.header.id)
    assert (review.previous, review.next_sequence) == (ZERO_HASH, 1)
    body = parse((await house.approve(FIRST)).leaf).body
    assert (body["sequence"], body["previous"], body["scorecards"]) == (1, ZERO_HASH, [FIRST.header.id])
    assert body["members"] == ["bank-a"]
    judged = await house.judged(FIRST.header.id)
    assert judged.stored.id == FIRST.header.id


async def test_a_chain_grows_and_keeps_what_was_judged(house: House) -> None:
    await ready(house, FIRST, SECOND)
    first = await house.approval(FIRST)
    await house.scorecards.submit(first)
    await house.approve(SECOND)
    body = parse((await house.approve(FIRST, "RETIRE")).leaf)
    assert body.kind == "scorecard.retired"
    assert sorted(body.body["scorecards"]) == sorted([FIRST.header.id, SECOND.header.id])  # type: ignore[call-overload]
    links = house.ledger.entries("scorecard.approved")
    assert links[1].body["previous"] == canonical.digest(first)
    error = await refused(house.judged(FIRST.header.id))
    assert error.code is ErrorCode.SCORECARD_NOT_APPROVED
    await house.judged(SECOND.header.id)


async def test_a_retired_scorecard_still_counts_in_the_judgement(house: House) -> None:
    """Its answers live on: approving what solves a column together with it stays refused."""
    await ready(house, FIRST, SOLVING)
    await house.approve(FIRST)
    await house.approve(FIRST, "RETIRE")
    error = await refused(house.approve(SOLVING))
    assert (error.code, error.field) == (ErrorCode.DISCLOSURE_REFUSED, "linear.customs")


async def test_submitting_twice_is_one_link(house: House) -> None:
    await ready(house, FIRST)
    token = await house.approval(FIRST)
    receipts = [await house.scorecards.submit(token) for _ in range(2)]
    assert receipts[0].leaf == receipts[1].leaf
    assert len(house.ledger.entries("scorecard.approved")) == 1


async def test_what_solves_a_department_is_refused(house: House) -> None:
    await ready(house, FIRST, SOLVING)
    await house.approve(FIRST)
    assert (await refused(house.approve(SOLVING))).code is ErrorCode.DISCLOSURE_REFUSED
    assert (await refused(house.judged(SOLVING.header.id))).code


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"sequence": 3}, ErrorCode.APPROVAL_CHAIN, "approval_jws.sequence"),
        ({"sequence": 1}, ErrorCode.APPROVAL_CHAIN, "approval_jws.sequence"),
        ({"previous": "1" * 64}, ErrorCode.APPROVAL_CHAIN, "approval_jws.previous"),
        ({"members": ["spiffe://consentgate.test/bank/bank-b"]}, ErrorCode.APPROVAL_CHAIN, "approval_jws.members"),
        (
            {"scorecards": [{"id": SECOND.header.id, "state": "approved"}]},
            ErrorCode.APPROVAL_CHAIN,
            "approval_jws.scorecards",
        ),
        (
            {
                "scorecards": [
                    {"id": SECOND.header.id, "state": "approved"},
                    {"id": FIRST.header.id, "state": "retired"},
                ]
            },
            ErrorCode.APPROVAL_CHAIN,
            "approval_jws.scorecards",
        ),
        ({"report": "0" * 64}, ErrorCode.DISCLOSURE_MISMATCH, "approval_jws.report"),
        ({"iat": 2000000000}, ErrorCode.CLOCK_SKEW, "approval_jws.iat"),
        ({"aud": "consentgate://elsewhere.test/scorecard-approval"}, ErrorCode.APPROVAL_SIGNATURE, "approval_jws.aud"),
    ],
)
async def test_links_that_do_not_follow(house: House, changes: dict[str, object], code: ErrorCode, field: str) -> None:
    await ready(house, FIRST, SECOND)
    await house.approve(FIRST)
    error = await refused(house.approve(SECOND, **changes))
    assert (error.code, error.field) == (code, field)
    assert len(house.ledger.entries("scorecard.approved")) == 1


@pytest.mark.parametrize(
    ("members", "field"),
    [
        (["spiffe://consentgate.test/department/tax"], "approval_jws.members"),
        (["spiffe://elsewhere.test/bank/bank-a"], "approval_jws.members"),
        (["spiffe://consentgate.test/bank/bank-a"] * 2, "approval_jws.members"),
    ],
)
async def test_who_can_be_a_member(house: House, members: list[str], field: str) -> None:
    await ready(house, FIRST)
    error = await refused(house.approve(FIRST, members=members))
    assert (error.code, error.field) == (ErrorCode.APPROVAL_CHAIN, field)


async def test_a_bank_is_member_of_one_group(house: House) -> None:
    """Two groups would be judged apart, and combined by the bank."""
    await ready(house, FIRST, SOLVING)
    await house.approve(FIRST)
    error = await refused(house.approve(SOLVING, group="group-z"))
    assert (error.code, error.field) == (ErrorCode.APPROVAL_CHAIN, "approval_jws.members")


async def test_two_reviewers_must_sign(house: House) -> None:
    await ready(house, FIRST)
    token = await house.approval(FIRST)
    federation = house.federation
    reviewers = list(federation.reviewers.values())
    claims = federation.approval_claims(
        scorecard=FIRST.header.id, scorecards=[{"id": FIRST.header.id, "state": "approved"}]
    )
    for signers in (reviewers[:1], [reviewers[0], federation.registry_key], [reviewers[0], reviewers[0]]):
        error = await refused(house.scorecards.submit(federation.sign_approval(claims, signers)))
        assert error.code is ErrorCode.APPROVAL_SIGNATURE
    await house.scorecards.submit(token)


async def test_only_what_is_approved_can_be_retired(house: House) -> None:
    await ready(house, FIRST, SECOND)
    await house.approve(FIRST)
    error = await refused(house.approve(SECOND, "RETIRE"))
    assert (error.code, error.field) == (ErrorCode.APPROVAL_CHAIN, "approval_jws.scorecard")


async def test_an_unregistered_scorecard_is_not_reviewed(house: House) -> None:
    error = await refused(house.scorecards.review(house.reviewer, GROUP, FIRST.header.id))
    assert (error.code, error.field) == (ErrorCode.SCORECARD_NOT_FOUND, "scorecard")


async def test_a_link_waits_for_the_one_before_it(house: House) -> None:
    await ready(house, FIRST, SECOND)
    house.ledger.lost = [ErrorCode.LEDGER_UNAVAILABLE]
    assert (await refused(house.approve(FIRST))).code is ErrorCode.LEDGER_UNAVAILABLE
    error = await refused(house.judged(FIRST.header.id))
    assert error.code is ErrorCode.SCORECARD_NOT_APPROVED, "a link counts once the ledger has it"
    await house.approve(SECOND)
    assert [entry.body["sequence"] for entry in house.ledger.entries("scorecard.approved")] == [1, 2]
    await house.judged(FIRST.header.id)


async def test_minimum_departments_are_the_operators_choice(house: House) -> None:
    house.minimum_departments = 3
    house.start()
    await ready(house, FIRST)
    error = await refused(house.approve(FIRST))
    assert (error.code, error.field) == (ErrorCode.DISCLOSURE_REFUSED, f"departments.{FIRST.header.id}")


# Who sees what.


async def test_scorecards_are_visible_to_owner_and_group_only(house: House) -> None:
    await ready(house, FIRST, OF_B)
    await house.approve(FIRST)
    for caller, seen in (
        (house.bank, [FIRST.header.id]),
        (BANK_B, [OF_B.header.id]),
        (house.reviewer, [FIRST.header.id, OF_B.header.id]),
    ):
        listed = await house.scorecards.list(caller, 0, 50)
        assert [entry.stored.id for entry in listed] == seen
    error = await refused(house.scorecards.visible(BANK_B, FIRST.header.id))
    missing = await refused(house.scorecards.visible(BANK_B, "0" * 64))
    assert (error.code, error.field) == (missing.code, missing.field) == (ErrorCode.SCORECARD_NOT_FOUND, "scorecard")


async def test_members_of_the_group_see_each_others_scorecards(house: House) -> None:
    await ready(house, FIRST)
    await house.approve(FIRST, members=[str(house.bank), str(BANK_B)])
    found = await house.scorecards.visible(BANK_B, FIRST.header.id)
    assert found.approved_groups == [GROUP]


async def test_a_bank_reviews_for_its_own_group_only(house: House) -> None:
    """A report names members and scorecards of its group."""
    await ready(house, FIRST, OF_B)
    await house.approve(FIRST)
    assert (await refused(house.scorecards.review(BANK_B, GROUP, OF_B.header.id))).code is ErrorCode.SCORECARD_NOT_FOUND
    assert (await refused(house.scorecards.review(BANK_B, "group-b", FIRST.header.id))).code is (
        ErrorCode.SCORECARD_NOT_FOUND
    )
    await house.scorecards.review(BANK_B, "group-b", OF_B.header.id)
    await house.scorecards.review(house.bank, GROUP, FIRST.header.id)


async def test_pages_skip_what_the_caller_may_not_see(house: House) -> None:
    cards = [
        scorecard(f"card-{number}", ("tax", A, [0, 1, number]), ("customs", B, [0, 1, 2]), owner=owner)
        for number, owner in enumerate(["bank-a", "bank-b", "bank-b", "bank-a", "bank-b", "bank-a"])
    ]
    await ready(house, *cards)
    first = await house.scorecards.list(house.bank, 0, 2)
    second = await house.scorecards.list(house.bank, first[-1].stored.row_id, 2)
    names = [entry.stored.scorecard.header.name for entry in [*first, *second]]
    assert names == ["card-0", "card-3", "card-5"]
