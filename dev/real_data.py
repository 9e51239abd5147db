"""Scores real companies through the running system: `make real-data DATA=companies.arff ROWS=200`.

Splits the file's ratios over eight departments, trains a points scorecard on one half of the companies, lets companies
of the other half consent, and has the bank ask for their scores, several at a time. Every decrypted score is compared
with the plaintext one. Writes `summary.json`; ends in exit code 0 when there was no mismatch.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import grpc

from company_client.client import CompanyClient
from company_client.consents import ConsentTerms, Draft
from consentgate.errors import ConsentgateError
from consentgate.identity import Role
from consentgate.logs import LogLevel
from consentgate.statements import DataRange, Frequency
from consentgate.terminal import progress
from dev import topology
from dev.arff import ArffError, read_arff
from dev.commands import CommandFailed, run_command, succeeded
from dev.companies import SampleCompany
from dev.departments import CATEGORIES
from dev.enrolment import ALONE, EnrolledCompany, enrol
from dev.federation import CONSENT_DAYS, FIRST_PERIOD, LAST_PERIOD, Federation, absolute
from dev.layout import BANK, GROUP, PURPOSE, spiffe
from dev.points import area_under_curve
from dev.processes import ProcessFailed, running, terminate_gracefully
from dev.real_companies import Prepared, prepare
from dev.scorecards import build_scorecard
from dev.story import EXIT_DISAPPOINTED, EXIT_INTERRUPTED, Story, explained
from dev.topology import Plan
from paillier.public_key import DEFAULT_KEY_BITS

DIRECTORY = "build/real-data"
SUMMARY = "summary.json"
GRANT_ATTEMPTS = 4
GRANTING = 8
"""Companies that grant at the same time."""
ASKING = 4
"""Questions of the bank under way at the same time: two cores are busy with less, and queues only add waiting."""
DECIMALS = 4


def consent(federation: Federation, companies: Sequence[EnrolledCompany]) -> None:
    """Every company grants a consent, through its own client and under its own certificate."""
    now = datetime.now(UTC)
    terms = ConsentTerms(
        grantee=spiffe(Role.BANK, BANK),
        group=GROUP,
        purpose=PURPOSE,
        categories=[CATEGORIES[department] for department in federation.layout.departments],
        valid_from=now,
        valid_until=now + timedelta(days=CONSENT_DAYS),
        frequency=Frequency(count=4, per="MONTH"),
        total_uses=12,
        data_range=DataRange(first=FIRST_PERIOD, last=LAST_PERIOD),
        data_life_days=CONSENT_DAYS,
    )

    def grant(company: EnrolledCompany) -> None:
        with CompanyClient.from_config(company.config, allow_development_ca=True) as client:
            submit(client, client.draft_consent(terms))

    with ThreadPoolExecutor(GRANTING) as pool:
        for _ in progress(pool.map(grant, companies), "Companies consent", len(companies)):
            pass


def submit(client: CompanyClient, draft: Draft) -> None:
    """Sends the statement, and the same statement again while nobody can say whether it was recorded."""
    for attempt in range(1, GRANT_ATTEMPTS + 1):
        try:
            client.submit(draft)
        except ConsentgateError as error:
            if error.status is not grpc.StatusCode.UNAVAILABLE or attempt == GRANT_ATTEMPTS:
                raise
            time.sleep(attempt)
        else:
            return


def ask(federation: Federation, scorecard: str, companies: Sequence[SampleCompany]) -> dict[str, Any]:
    """The bank, a process of its own, asks for all scores (dev/bank_worker.py)."""
    questions = federation.layout.bank / "questions.json"
    content = {"scorecard": scorecard, "purpose": PURPOSE, "companies": [company.code for company in companies]}
    questions.write_text(json.dumps(content | {"at_a_time": ASKING}))
    arguments = [sys.executable, "-m", "dev.bank_worker", str(federation.layout.bank / "bank.toml"), str(questions)]
    return dict(succeeded(run_command(federation.layout.directory, arguments, seconds=None)).members)


def summarise(prepared: Prepared, answers: dict[str, Any]) -> dict[str, Any]:
    """The contract of build/real-data/summary.json."""
    rows = [company.row for company in prepared.companies]
    plain = [prepared.points.score(row) for row in rows]
    scores = [answers["scores"][company.code] for company in prepared.companies]
    bankrupt = [row.bankrupt for row in rows]
    milliseconds = sorted(1000 * seconds for seconds in answers["seconds_each"])
    cuts = quantiles(milliseconds, n=100, method="inclusive") if len(milliseconds) > 1 else milliseconds * 99
    return {
        "companies": len(rows),
        "departments": len(prepared.departments),
        "columns": sum(map(len, prepared.departments.values())),
        "mismatches": sum(score != expected for score, expected in zip(scores, plain, strict=True)),
        "auc_encrypted": round(area_under_curve(scores, bankrupt), DECIMALS),
        "auc_plain": round(area_under_curve(plain, bankrupt), DECIMALS),
        "seconds": round(answers["seconds"], 2),
        "p50_ms": round(cuts[49], 1),
        "p99_ms": round(cuts[98], 1),
    }


def tell(story: Story, federation: Federation, prepared: Prepared) -> dict[str, Any]:
    """Everything between start and stop."""
    story.command(federation.bank.must("register-key"))
    scorecard = build_scorecard(prepared.points, prepared.departments, name="real-points", owner=BANK)
    story.command(federation.register_scorecard(scorecard, "scorecard.json"))
    federation.approve(scorecard)
    began = time.monotonic()
    enrolled = [enrol(federation.layout, federation.ca, company, ALONE) for company in prepared.companies]
    consent(federation, enrolled)
    story.fact("consents", f"{len(enrolled)} granted in {time.monotonic() - began:.1f} s")
    story.say(f"The bank asks for {len(enrolled)} scores, {ASKING} at a time …")
    return summarise(prepared, ask(federation, scorecard.header.id, prepared.companies))


def run(data: Path, rows: int, directory: Path, log_level: str, key_bits: int) -> int:
    """The whole run; returns the exit code."""
    story = Story()
    try:
        story.chapter(f"Points scorecard from one half of {data.name}; companies from the other")
        prepared = prepare(read_arff(data), rows)
        plan = Plan(prepared.departments, prepared.points.edges(), prepared.companies)
        federation = topology.create(directory, plan)
        story.command(federation.make_key(federation.bank, key_bits))
        services = federation.layout.services(log_level)
        story.chapter(f"{len(services)} processes over mutual TLS, {len(prepared.departments)} of them departments")
        with running(services, directory) as pids, explained(story, services, pids):
            summary = tell(story, federation, prepared)
    except KeyboardInterrupt:
        story.trouble("Interrupted. Everything was stopped.")
        return EXIT_INTERRUPTED
    except (ProcessFailed, CommandFailed, ConsentgateError, ArffError, OSError) as error:
        story.trouble(str(error))
        return EXIT_DISAPPOINTED
    (directory / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n")
    story.chapter("Summary")
    for name, value in summary.items():
        story.fact(name, value)
    story.fact("written to", directory / SUMMARY)
    story.expect("every decrypted score equals the plaintext score", summary["mismatches"] == 0)
    return EXIT_DISAPPOINTED if story.disappointments else 0


def main() -> None:
    parser = argparse.ArgumentParser(description="Real companies through the running system.")
    parser.add_argument("data", type=Path, help="ARFF file in the layout of the Polish companies data")
    parser.add_argument("--rows", type=int, default=200, help="companies to score")
    parser.add_argument("--directory", default=DIRECTORY)
    parser.add_argument("--log-level", default=LogLevel.WARNING.value, choices=[level.value for level in LogLevel])
    parser.add_argument("--key-bits", type=int, default=DEFAULT_KEY_BITS)
    arguments = parser.parse_args()
    terminate_gracefully()
    directory = absolute(arguments.directory)
    sys.exit(run(arguments.data, arguments.rows, directory, arguments.log_level, arguments.key_bits))


if __name__ == "__main__":
    main()
