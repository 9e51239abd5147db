"""Law: who gets what for which purpose, and that whatever cannot be evaluated, or is not known, is a denial."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from dev.departments import CATEGORIES
from gateway.policy import ConsentFacts, Policy, Question
from gateway.policy_bundle import PACKAGED, PolicyBundle

INSTITUTIONS = """
[institutions.bank]
licences = ["banking"]
supervisor = "nfra"
suspended = false
[institutions.bureau]
licences = ["credit-reporting"]
supervisor = "pbc"
suspended = false
[institutions.guarantor]
licences = ["guarantee"]
supervisor = "nfra"
suspended = false
[institutions.shop]
licences = []
supervisor = "none"
suspended = false
[institutions.stopped]
licences = ["banking"]
supervisor = "nfra"
suspended = true
"""
LEVELS = {"public": "courts.enforcement", "conditional": "tax.declarations", "restricted": "statistics.enterprise"}
ORIGINATION, MONITORING = "credit.origination", "credit.monitoring"


@pytest.fixture(scope="module")
def institutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("law") / "institutions.toml"
    file.write_text(INSTITUTIONS)
    return file


@pytest.fixture(scope="module")
def policy(institutions: Path) -> Policy:
    return Policy(PolicyBundle.load(PACKAGED, institutions))


def question(institution: str = "bank", *categories: str, **changes: object) -> Question:
    """An institution's question about its own valid consent; `changes` alter question or consent."""
    named = categories or ("tax.declarations",)
    consent = ConsentFacts(
        active=True, purpose=ORIGINATION, use="SCORE", categories=frozenset(named), validity_days=180
    )
    asked = Question(institution, "score", named, ORIGINATION, "recipient", consent, datetime(2026, 11, 24, tzinfo=UTC))
    for name, value in changes.items():
        if hasattr(asked, name):
            asked = replace(asked, **{name: value})  # type: ignore[arg-type]
        else:
            asked = replace(asked, consent=replace(asked.consent, **{name: value}))  # type: ignore[arg-type]
    return asked


def for_purpose(asked: Question, purpose: str) -> Question:
    """The same question and consent for another purpose."""
    return replace(asked, purpose=purpose, consent=replace(asked.consent, purpose=purpose))


ALLOWED = {
    ("bank", "public", ORIGINATION),
    ("bank", "public", MONITORING),
    ("bank", "conditional", ORIGINATION),
    ("bank", "conditional", MONITORING),
    ("bank", "restricted", ORIGINATION),
    ("bureau", "public", ORIGINATION),
    ("bureau", "public", MONITORING),
    ("bureau", "conditional", ORIGINATION),
    ("bureau", "conditional", MONITORING),
    ("guarantor", "public", ORIGINATION),
    ("guarantor", "public", MONITORING),
}
"""The whole access matrix; every other cell is a denial."""


@pytest.mark.parametrize("institution", ["bank", "bureau", "guarantor", "shop", "stopped", "nobody"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("purpose", [ORIGINATION, MONITORING, "marketing.leads"])
def test_access_matrix(policy: Policy, institution: str, level: str, purpose: str) -> None:
    asked = for_purpose(question(institution, LEVELS[level]), purpose)
    ruling = policy.decide(asked)
    assert ruling.allowed is ((institution, level, purpose) in ALLOWED)
    assert not ruling.errored
    if ruling.allowed:
        assert ruling.rules == (f"score.{level}",)
        ruling.check()


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"active": False}, "bounds.consent"),
        ({"categories_": ()}, "bounds.consent"),
        ({"purpose": MONITORING}, "bounds.consent"),
        ({"use": "PROFILE"}, "bounds.score-use"),
    ],
)
def test_bounds_that_no_permission_lifts(policy: Policy, changes: dict[str, object], rule: str) -> None:
    asked = question()
    if "categories_" in changes:
        asked = replace(asked, consent=replace(asked.consent, categories=frozenset({"tax.payments"})))
    else:
        asked = question("bank", **changes)  # type: ignore[arg-type]
    ruling = policy.decide(asked)
    assert not ruling.allowed
    assert rule in ruling.rules
    with pytest.raises(ConsentgateError) as caught:
        ruling.check()
    assert caught.value.code is ErrorCode.POLICY_DENIED
    assert caught.value.field == "scorecard_header.categories.tax.declarations"


def test_high_risk_data_never_in_recipient_custody(policy: Policy) -> None:
    asked = question("bank", "tax.invoices")
    assert policy.decide(asked).rules == ("bounds.high-risk",)
    assert policy.decide(replace(asked, custody="quorum")).allowed


def test_a_suspended_institution(policy: Policy) -> None:
    ruling = policy.decide(question("stopped"))
    assert (ruling.allowed, ruling.rules) == (False, ("bounds.suspended",))


def test_one_denied_category_denies_the_scorecard(policy: Policy) -> None:
    ruling = policy.decide(question("guarantor", "courts.enforcement", "tax.declarations"))
    assert (ruling.allowed, ruling.denied_categories) == (False, ("tax.declarations",))


def test_nothing_asked_is_nothing_allowed(policy: Policy) -> None:
    assert not policy.decide(replace(question(), categories=())).allowed


@pytest.mark.parametrize(
    "asked", [question("nobody"), question("bank", "tax.secrets"), question("bank", action="lend")]
)
def test_what_nobody_knows_is_denied(policy: Policy, asked: Question) -> None:
    ruling = policy.decide(asked)
    assert (ruling.allowed, ruling.rules) == (False, ())


def test_an_action_without_permission_is_denied(policy: Policy) -> None:
    assert not policy.decide(question("bank", action="profile", use="PROFILE")).allowed


def copied(folder: Path, **files: str) -> Path:
    """The packaged bundle with files added or replaced (`_` stands for the dot)."""
    for path in PACKAGED.iterdir():
        if path.is_file():
            (folder / path.name).write_text(path.read_text())
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


FAILING_FORBID = """
@id("extra.overflow")
@basis("nothing")
forbid (principal, action, resource)
when { context.time * 9223372036854775807 == 1 };
"""


def test_a_forbid_that_cannot_be_evaluated_denies(tmp_path: Path, institutions: Path) -> None:
    """Cedar itself skips it and would allow."""
    policy = Policy(PolicyBundle.load(copied(tmp_path, extra_cedar=FAILING_FORBID), institutions))
    ruling = policy.decide(question())
    assert (ruling.allowed, ruling.errored) == (False, True)
    assert ruling.rules == ("score.conditional",), "the permission alone would have decided"
    with pytest.raises(ConsentgateError) as caught:
        ruling.check()
    assert caught.value.code is ErrorCode.POLICY_ERROR


def valid(identity: str = "extra.one", basis: str = "nothing", condition: str = 'context.custody == "x"') -> str:
    """A policy with one part to be made wrong."""
    annotations = [f'@{name}("{text}")' for name, text in (("id", identity), ("basis", basis)) if text]
    return "\n".join([*annotations, f"forbid (principal, action, resource) when {{ {condition} }};"])


@pytest.mark.parametrize(
    "text",
    [
        valid(identity=""),
        valid(basis=""),
        valid(identity="Extra One"),
        valid(identity="score.public"),
        valid(condition='context.weather == "sunny"'),
        valid(condition="context.purpose > 3"),
        valid(condition='principal.licences == "banking"'),
        valid(condition='resource.colour == "red"'),
        "forbid (principal, action, resource",
        '@id("t")\n@basis("b")\nforbid (principal == ?principal, action, resource);',
        '@id("t")\n@basis("b")\nforbid (principal, action == Action::"lend", resource);',
    ],
)
def test_a_broken_bundle_refuses_the_start(tmp_path: Path, institutions: Path, text: str) -> None:
    with pytest.raises(ConsentgateError) as caught:
        PolicyBundle.load(copied(tmp_path, extra_cedar=text), institutions)
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    assert str(tmp_path) in str(caught.value.field)


def test_an_unguarded_optional_refuses_the_start(tmp_path: Path, institutions: Path) -> None:
    schema = (PACKAGED / "schema.cedarschema").read_text().replace('"time": Long,', '"time": Long, "branch"?: String,')
    guarded = valid(condition='context has branch && context.branch == "x"')
    PolicyBundle.load(copied(tmp_path, schema_cedarschema=schema, extra_cedar=guarded), institutions)
    with pytest.raises(ConsentgateError, match="CONFIG_INVALID"):
        PolicyBundle.load(copied(tmp_path, extra_cedar=valid(condition='context.branch == "x"')), institutions)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("schema.cedarschema", "entity Institution = {"),
        ("categories.toml", "[categories.x]\ndepartment = 'tax'\n"),
        ("categories.toml", "not toml"),
    ],
)
def test_broken_companions_refuse_the_start(tmp_path: Path, institutions: Path, name: str, text: str) -> None:
    folder = copied(tmp_path)
    (folder / name).write_text(text)
    with pytest.raises(ConsentgateError) as caught:
        PolicyBundle.load(folder, institutions)
    assert name in str(caught.value.field)


@pytest.mark.parametrize(
    "text",
    [
        "[institutions.bank]\nlicences = ['banking']\nsupervisor = 'nfra'\n",
        "[institutions.bank]\nlicences = 'banking'\nsupervisor = 'nfra'\nsuspended = false\n",
        "[institutions.bank]\nlicences = ['banking']\nsupervisor = 'nfra'\nsuspended = false\nvip = true\n",
        "[institutions.'Bank A']\nlicences = []\nsupervisor = 'nfra'\nsuspended = false\n",
    ],
)
def test_broken_institutions_refuse_the_start(tmp_path: Path, text: str) -> None:
    file = tmp_path / "institutions.toml"
    file.write_text(text)
    with pytest.raises(ConsentgateError) as caught:
        PolicyBundle.load(PACKAGED, file)
    assert str(file) in str(caught.value.field)


def test_missing_files_refuse_the_start(tmp_path: Path, institutions: Path) -> None:
    for folder, file in ((tmp_path, institutions), (PACKAGED, tmp_path / "none.toml")):
        with pytest.raises(ConsentgateError, match="CONFIG_INVALID"):
            PolicyBundle.load(folder, file)


def test_the_digest_covers_every_file(tmp_path: Path, institutions: Path) -> None:
    digests = {PolicyBundle.load(PACKAGED, institutions).digest}
    categories = (PACKAGED / "categories.toml").read_text().replace('level = "public"', 'level = "conditional"', 1)
    schema = (PACKAGED / "schema.cedarschema").read_text() + "\n// a note\n"
    other = tmp_path / "institutions.toml"
    other.write_text(INSTITUTIONS.replace("pbc", "nfra"))
    for number, files in enumerate(
        ({"categories_toml": categories}, {"schema_cedarschema": schema}, {"extra_cedar": valid()})
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        digests.add(PolicyBundle.load(copied(folder, **files), institutions).digest)
    digests.add(PolicyBundle.load(PACKAGED, other).digest)
    assert len(digests) == 5


def test_every_packaged_policy_names_its_basis(policy: Policy, institutions: Path) -> None:
    bundle = PolicyBundle.load(PACKAGED, institutions)
    sources = "".join(path.read_text() for path in PACKAGED.glob("*.cedar"))
    assert len(bundle.basis) == sources.count("@id(") == sources.count("@basis(")
    assert all("Article" in entry.basis for entry in bundle.basis.values())
    assert policy.basis(["score.public"])[0].id == "score.public"


def test_the_demo_departments_have_their_categories(policy: Policy) -> None:
    for department, category in CATEGORIES.items():
        assert policy.department_of(category) == department
    assert policy.department_of("tax.secrets") is None
    assert policy.knows_category("tax.invoices")
    assert not policy.knows_category("tax.secrets")
    assert policy.knows_purpose(ORIGINATION)
    assert not policy.knows_purpose("banking")


# Explanations.


@pytest.mark.parametrize(
    ("asked", "facts"),
    [
        (question(), []),
        (question("bank", active=False), ["consent.active"]),
        (replace(question(), consent=replace(question().consent, categories=frozenset())), ["consent.categories"]),
        (question("bank", "statistics.enterprise", validity_days=400), ["consent.validity_days"]),
        (question("bank", "tax.invoices"), ["custody"]),
        (for_purpose(question("bank", "statistics.enterprise"), MONITORING), ["purpose"]),
        (for_purpose(question(), "marketing.leads"), ["purpose", "purpose"]),
        (question("stopped"), ["institution.suspended"]),
        (question("guarantor"), ["institution.licences", "institution.licences"]),
        (question("stopped", active=False), []),
        (question("nobody"), []),
    ],
)
def test_which_single_fact_would_change_it(policy: Policy, asked: Question, facts: list[str]) -> None:
    changes = policy.explain(asked)
    assert [change.fact for change in changes] == facts
    assert all(change.hint.endswith(".") for change in changes)


def test_hints_name_what_would_have_to_be(policy: Policy) -> None:
    hints = " ".join(change.hint for change in policy.explain(question("guarantor")))
    assert "banking" in hints
    assert "credit-reporting" in hints
