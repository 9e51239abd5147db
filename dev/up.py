"""Leaves a federation running for clients that nobody here wrote: `make up`, `make down`.

    python -m dev.up start        writes and starts build/up; build/up/topology.json says all that a client needs
    python -m dev.up stop         stops it, and whatever a crashed demo left behind

The company in it has consented, one scorecard is approved and one is not; so the first score is one call away.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from consentgate.errors import ConsentgateError
from consentgate.identity import Role, SpiffeId
from consentgate.logs import LogLevel
from consentgate.scorecard import Scorecard
from dev import topology
from dev.commands import CommandFailed, run_command, succeeded
from dev.companies import extract, sample_companies, trained_scorecard
from dev.departments import DEMO_COLUMNS
from dev.enrolment import ALONE, EnrolledCompany, enrol
from dev.federation import Federation, absolute, current_period
from dev.layout import BANK, GATEWAY, GROUP, LEDGER, OFFICER, OTHER_BANK, PURPOSE, REVIEWERS, TRUST_DOMAIN, Layout
from dev.points import PointsScorecard
from dev.processes import ProcessFailed, recorded, start_all, stop_all, stop_recorded, terminate_gracefully
from dev.scorecards import build_scorecard
from dev.story import EXIT_INTERRUPTED
from dev.topology import Plan
from paillier.public_key import DEFAULT_KEY_BITS

BUILD = Path("build")
DIRECTORY = "build/up"
TOPOLOGY = "topology.json"
COMPANY = 7
"""Row of the extract that consents; the same as in the demo."""
PHE_KEY = "paillier.phe.json"
"""The bank's private key in clear, in phe's form: any language's Paillier can read it. Only a development bank's."""


def start(directory: Path, log_level: str, key_bits: int) -> Path:
    """Writes, starts and prepares everything; returns the topology file. Whatever fails, nothing is left running."""
    points, companies = trained_scorecard(), sample_companies(extract())
    federation = topology.create(directory, Plan(DEMO_COLUMNS, points.edges(), companies))
    federation.make_key(federation.bank, key_bits)
    company = enrol(federation.layout, federation.ca, companies[COMPANY], ALONE)
    pids = start_all(federation.layout.services(log_level), directory)
    try:
        content = prepare(federation, points, company) | {"processes": pids}
    except BaseException:
        stop_all(list(pids.values()))
        raise
    path = directory / TOPOLOGY
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def prepare(federation: Federation, points: PointsScorecard, company: EnrolledCompany) -> dict[str, Any]:
    """Key, scorecards, approval and consent, through the running system; then what a client needs to know."""
    bank = federation.bank
    key_id = bank.must("register-key").members["key_id"]
    approved = build_scorecard(points, DEMO_COLUMNS, name="sme-points", owner=BANK)
    other = build_scorecard(points, DEMO_COLUMNS, name="sme-points-unreviewed", owner=BANK)
    federation.register_scorecard(approved, "scorecard.json")
    federation.register_scorecard(other, "unreviewed.json")
    federation.approve(approved)
    consent_id = federation.grant(company).members["consent_id"]
    _export_phe_key(federation.layout)
    return {
        **describe(federation.layout),
        "bank": {**_bank(federation.layout, BANK), "key_id": key_id, "group": GROUP},
        "scorecards": {
            "approved": _scorecard(federation.layout, approved, "scorecard.json"),
            "unapproved": _scorecard(federation.layout, other, "unreviewed.json"),
        },
        "company": {
            **_member(federation.layout, Role.COMPANY, company.entity),
            "code": company.sample.code,
            "entity": company.entity,
            "config": str(company.config),
            "consent_id": consent_id,
            "plaintext_score": points.score(company.sample.row),
        },
        "purpose": PURPOSE,
        "as_of": current_period(),
    }


def describe(layout: Layout) -> dict[str, Any]:
    """Servers and members: addresses, names to expect in certificates, and files."""
    return {
        "trust_domain": TRUST_DOMAIN,
        "member_ca": str(layout.gateway / "member-ca.pem"),
        "anchors": str(layout.gateway / "anchors.toml"),
        "ledger_policy": str(layout.gateway / "ledger-policy.txt"),
        "gateway": _server(layout, "gateway", Role.GATEWAY, GATEWAY),
        "ledger": _server(layout, "ledger", Role.LEDGER, LEDGER),
        "departments": {name: _server(layout, name, Role.DEPARTMENT, name) for name in layout.departments},
        "other_bank": _bank(layout, OTHER_BANK),
        "reviewers": [
            _member(layout, Role.REVIEWER, name)
            | {"signing_key": str(layout.member(Role.REVIEWER, name) / "person.key")}
            for name in REVIEWERS
        ],
        "officer": _member(layout, Role.OFFICER, OFFICER),
    }


def _server(layout: Layout, name: str, role: Role, member: str) -> dict[str, str]:
    identity = SpiffeId(TRUST_DOMAIN, role, member)
    service = next(service for service in layout.services() if service.name == name)
    return {
        "address": layout.addresses[name],
        "peer": str(identity),
        "server_name": identity.dns_name,
        "config": str(service.config),
        "log": str(service.log),
    }


def _member(layout: Layout, role: Role, name: str) -> dict[str, str]:
    folder = layout.member(role, name)
    return {
        "id": str(SpiffeId(TRUST_DOMAIN, role, name)),
        "certificate": str(folder / "tls.pem"),
        "private_key": str(folder / "tls.key"),
    }


def _bank(layout: Layout, name: str) -> dict[str, str]:
    folder = layout.member(Role.BANK, name)
    files = {
        "config": "bank.toml",
        "signing_certificate": "signing.pem",
        "signing_key": "signing.key",
        "paillier_private_key": "paillier.key.json",
        "paillier_passphrase": "passphrase",
        "paillier_private_key_phe": PHE_KEY,
        "registration": "registration.jws",
    }
    present = {key: str(folder / file) for key, file in files.items() if (folder / file).exists()}
    return _member(layout, Role.BANK, name) | present


def _scorecard(layout: Layout, scorecard: Scorecard, file: str) -> Mapping[str, Any]:
    return {"id": scorecard.header.id, "name": scorecard.header.name, "file": str(layout.bank / file)}


def _export_phe_key(layout: Layout) -> None:
    command = ["bank", "export-phe-private-key", str(layout.bank / PHE_KEY), "--config", str(layout.bank / "bank.toml")]
    succeeded(run_command(layout.directory, [*command, "--i-understand-that-the-file-is-not-encrypted"]))


def stop(directory: Path | None) -> list[str]:
    """Stops the topology in `directory`, by default every one under build/; returns what was stopped."""
    directories = [directory] if directory else [path for path in sorted(absolute(BUILD).glob("*")) if path.is_dir()]
    return [f"{directory.name}/{name}" for directory in directories for name in stop_recorded(directory)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Start a federation and leave it running, or stop it.")
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("--directory", type=absolute, help=f"default: {DIRECTORY}; to stop: whatever runs under build")
    parser.add_argument("--log-level", default=LogLevel.INFO.value, choices=[level.value for level in LogLevel])
    parser.add_argument("--key-bits", type=int, default=DEFAULT_KEY_BITS)
    arguments = parser.parse_args()
    terminate_gracefully()
    directory = arguments.directory or absolute(DIRECTORY)
    if arguments.action == "stop":
        stopped = stop(arguments.directory)
        print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
    elif recorded(directory):
        sys.exit(f"It is running already: {directory / TOPOLOGY}. `make down` stops it.")
    else:
        try:
            path = start(directory, arguments.log_level, arguments.key_bits)
        except (ProcessFailed, CommandFailed, ConsentgateError) as error:
            sys.exit(f"{error}\nEverything was stopped.")
        except KeyboardInterrupt:
            print("Interrupted. Everything was stopped.", file=sys.stderr)
            sys.exit(EXIT_INTERRUPTED)
        print(f"running; addresses, certificates and ids are in {path}")
        print("stop it with `make down`")


if __name__ == "__main__":
    main()
