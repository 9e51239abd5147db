"""Whatever is left out shows: the gateway's entries against the departments' signed counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from company_client.cli import main
from consentgate.errors import AnswerRefused, ConsentgateError, ErrorCode
from consentgate.history import OLDEST, HistoryStatement
from consentgate.signing import unverified_payload
from consentgate.terminal import ExitCode
from tests.integration.clients.commands import run
from tests.integration.clients.company_story import Story
from tests.integration.clients.fake_gateway import sequence, serving
from tests.integration.clients.test_company_client import decision_body
from tests.support.federation import GROUP
from tests.support.subject_histories import statement


def test_departments_vouch_for_all_tokens(story: Story) -> None:
    story.gateway.histories = story.honest("tax", "customs")
    found = story.company.complete_accesses()
    assert [access.seq for access in found.accesses] == story.entries
    size = len(story.federation.log.leaves)
    assert [(one.department, one.size, one.entries) for one in found.vouchers] == [
        ("customs", size, 2),
        ("tax", size, 2),
    ]


def test_each_question_names_one_token(story: Story) -> None:
    """Two in one would tell whoever passes them on, or answers, that they are one company's."""
    story.company.complete_accesses()
    asked = [request.subject for request in story.gateway.requests if hasattr(request, "subject")]
    assert sorted(asked) == sorted([story.token, story.unused])


def test_what_came_after_the_statement_is_shown_but_not_vouched_for(story: Story) -> None:
    size = len(story.federation.log.leaves)
    later = sequence([("query.decision", decision_body(story.token, "deny"))], story.gateway)
    found = story.company.complete_accesses()
    assert [access.seq for access in found.accesses] == story.entries + later
    assert (found.vouchers[0].size, found.vouchers[0].entries) == (size, 2)


@pytest.mark.parametrize("hidden", [0, 1])
def test_an_entry_that_the_gateway_keeps_back_is_missed(story: Story, hidden: int) -> None:
    story.gateway.entries.remove(story.entries[hidden])
    refused = story.refusal()
    assert (refused.code, refused.field) == (ErrorCode.HISTORY_MISMATCH, f"tax: {GROUP}")


def test_all_entries_kept_back_are_missed(story: Story) -> None:
    story.gateway.entries.clear()
    refused = story.refusal()
    assert refused.code is ErrorCode.HISTORY_MISMATCH
    assert "erased at the gateway" in refused.hint, "which is the other way to no entry at all"


def test_only_departments_say_that_nobody_looked(story: Story, company_toml: Path) -> None:
    """A gateway that hides everything, or has erased it, shows nothing too."""
    story.gateway.entries.clear()
    said = run(main, "accesses", "--config", company_toml)
    assert (said.code, said.out) == (ExitCode.OK, "the gateway shows no entry\n")
    assert "not that none was left out" in said.err
    after = run(main, "accesses", "--complete", "--after", 1, "--config", company_toml)
    assert "HISTORY_MISMATCH" in after.err


def test_departments_say_that_nobody_looked_since(story: Story, company_toml: Path) -> None:
    said = run(main, "accesses", "--complete", "--after", story.entries[-1], "--config", company_toml)
    assert said.out.startswith(f"nobody looked after entry {story.entries[-1]}\ntax vouches")


def test_one_honest_department_suffices(story: Story) -> None:
    """Gateway and customs lie together."""
    story.gateway.entries.pop()
    shown = len(story.federation.log.leaves) - 2
    lie = statement(story.federation, story.token, datetime.now(UTC), up_to=shown)
    liar = story.state("customs", entries=1, history=_claims_of(lie, "history"))
    story.gateway.histories = [liar, story.state_unused("customs")]
    assert [one.department for one in story.company.complete_accesses().vouchers] == ["customs"]
    story.gateway.histories += story.honest("tax")
    assert story.refusal().field == f"tax: {GROUP}"


@pytest.mark.parametrize("lie", [{"entries": 1}, {"entries": 3}, {"history": "0" * 64}])
def test_a_department_that_counts_otherwise_is_named(story: Story, lie: dict[str, object]) -> None:
    story.gateway.histories = [story.state(**lie), story.state_unused()]
    refused = story.refusal()
    assert (refused.code, refused.field) == (ErrorCode.HISTORY_MISMATCH, f"tax: {GROUP}")


def test_an_old_statement_is_refused(story: Story) -> None:
    """It would be silent about what came since."""
    long_ago = datetime.now(UTC) - OLDEST - timedelta(minutes=1)
    story.gateway.histories = [story.state(at=long_ago), story.state_unused()]
    assert story.refusal().code is ErrorCode.LEDGER_STALE


def test_a_statement_that_the_gateway_forged_is_refused(story: Story) -> None:
    forged = statement(story.federation, story.token, datetime.now(UTC), signer=story.federation.gateway)
    story.gateway.histories = [forged, story.state_unused()]
    refused = story.refusal()
    assert (refused.code, refused.field) == (ErrorCode.HISTORY_INVALID, "history.iss")


@pytest.mark.parametrize("said", [[], ["state"], ["state_unused"]])
def test_without_a_department_that_speaks_of_every_token_nothing_is_complete(story: Story, said: list[str]) -> None:
    story.gateway.histories = [getattr(story, name)() for name in said]
    with pytest.raises(ConsentgateError) as caught:
        story.company.complete_accesses()
    assert (caught.value.code, caught.value.field) == (ErrorCode.DEPARTMENT_UNAVAILABLE, "histories")


# Past a gateway that passes no question on.


def test_a_department_is_asked_directly(story: Story, company_toml: Path) -> None:
    with serving(story.federation, story.federation.departments["tax"]) as tax:
        tax.histories = story.honest("tax")
        found = story.company.complete_accesses({"tax": tax.address})
        assert [one.department for one in found.vouchers] == ["tax"]
        story.gateway.entries.pop()
        outcome = run(main, "accesses", "--ask", f"tax={tax.address}", "--config", company_toml)
    assert outcome.code == ExitCode.INVALID
    assert "HISTORY_MISMATCH" in outcome.err


def test_who_answers_directly_speaks_for_himself(story: Story) -> None:
    with serving(story.federation, story.federation.departments["tax"]) as tax:
        tax.histories = story.honest("customs")
        with pytest.raises(AnswerRefused) as caught:
            story.company.complete_accesses({"tax": tax.address})
        assert (caught.value.code, caught.value.field) == (ErrorCode.HISTORY_INVALID, "history.iss")
        with pytest.raises(ConsentgateError, match="PEER_MISMATCH"):
            story.company.complete_accesses({"customs": tax.address})


# The command.


def test_the_command_says_who_vouches(story: Story, company_toml: Path) -> None:
    outcome = run(main, "accesses", "--complete", "--after", story.entries[0], "--json", "--config", company_toml)
    assert outcome.code == ExitCode.OK
    assert [access["seq"] for access in outcome.members["accesses"]] == story.entries[1:]
    (voucher,) = outcome.members["complete"]
    assert (voucher["department"], voucher["entries"]) == ("tax", 2)
    assert voucher["tree_size"] == len(story.federation.log.leaves)
    text = run(main, "accesses", "--complete", "--config", company_toml).out
    assert "tax vouches" in text


@pytest.mark.parametrize(
    "words",
    [("--ask", "tax"), ("--ask", "tax=host"), ("--ask", "a=h:1", "--ask", "a=h:2"), ("--watch", "--complete")],
)
def test_a_question_that_makes_no_sense_is_not_asked(story: Story, company_toml: Path, words: tuple[str, ...]) -> None:
    outcome = run(main, "accesses", *words, "--config", company_toml)
    assert outcome.code != ExitCode.OK
    assert "INVALID_ARGUMENT_FIELD" in outcome.err
    assert story.gateway.requests == []


def _claims_of(stated: HistoryStatement, name: str) -> object:
    return json.loads(unverified_payload(stated.statement_jws, "jws"))[name]
