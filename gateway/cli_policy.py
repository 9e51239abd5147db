"""`gateway policy`: is the bundle valid, and what does it say to a question?

Both work offline, on files: an operator tries a policy before the gateway is started with it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from consentgate.statements import Custody, Use
from consentgate.terminal import ExitCode, show
from gateway.policy import SCORE_ACTION, Change, ConsentFacts, Policy, Question, Ruling
from gateway.policy_bundle import PACKAGED, PolicyBundle

policies = typer.Typer(help="Validate the policies, and ask them.", no_args_is_help=True)

Directory = Annotated[
    Path,
    typer.Option("--policies", help="Folder of *.cedar, schema and categories.", show_default="the packaged ones"),
]
Institutions = Annotated[Path, typer.Option("--institutions", help="The institutions file (institutions.toml).")]
AsJson = Annotated[bool, typer.Option("--json", help="Results as JSON.")]
INSTITUTIONS_TOML = Path("institutions.toml")


@policies.command()
def check(
    directory: Directory = PACKAGED, institutions: Institutions = INSTITUTIONS_TOML, as_json: AsJson = False
) -> None:
    """Validate policies, schema, categories and institutions, as a start does; list every policy with its basis."""
    bundle = PolicyBundle.load(directory, institutions)
    found = sorted(bundle.basis.values(), key=lambda entry: entry.id)
    members = {
        "digest": bundle.digest,
        "policies": [{"id": entry.id, "basis": entry.basis} for entry in found],
        "categories": sorted(bundle.categories),
        "institutions": sorted(bundle.institutions),
        "purposes": sorted(bundle.purposes),
    }
    lines = [f"valid; digest {bundle.digest}"]
    lines += [f"  {entry.id:24} {entry.basis}" for entry in found]
    lines += [f"categories    {', '.join(sorted(bundle.categories))}"]
    lines += [f"institutions  {', '.join(sorted(bundle.institutions))}"]
    lines += [f"purposes      {', '.join(sorted(bundle.purposes))}"]
    show(members, lines, as_json)


@policies.command()
def explain(
    institution: Annotated[str, typer.Option(help="Who asks, as in the institutions file.")],
    category: Annotated[list[str], typer.Option(help="Category of data; repeat for several.")],
    purpose: Annotated[str, typer.Option(help="Purpose of request and consent.")],
    use: Annotated[Use, typer.Option(help="Use that the consent allows.")] = Use.SCORE,
    custody: Annotated[Custody, typer.Option(help="Who would open the score.")] = Custody.RECIPIENT,
    validity_days: Annotated[int, typer.Option(min=0, help="Days for which the consent is given.")] = 180,
    consented: Annotated[
        list[str] | None, typer.Option(help="Categories that the consent names. Default: all that are asked for.")
    ] = None,
    paused: Annotated[bool, typer.Option("--paused", help="The consent is not active.")] = False,
    directory: Directory = PACKAGED,
    institutions: Institutions = INSTITUTIONS_TOML,
    as_json: AsJson = False,
) -> None:
    """Would a score be allowed, by which policies, and if not, which single fact would change it?"""
    policy = Policy(PolicyBundle.load(directory, institutions))
    consent = ConsentFacts(
        active=not paused,
        purpose=purpose,
        use=use.value,
        categories=frozenset(category if consented is None else consented),
        validity_days=validity_days,
    )
    question = Question(
        institution, SCORE_ACTION, tuple(sorted(set(category))), purpose, custody.value, consent, datetime.now(UTC)
    )
    ruling = policy.decide(question)
    _show_ruling(policy, ruling, policy.explain(question), as_json)
    if not ruling.allowed:
        raise typer.Exit(ExitCode.REFUSED)


def _show_ruling(policy: Policy, ruling: Ruling, changes: list[Change], as_json: bool) -> None:
    basis = policy.basis(ruling.rules)
    members = {
        "allowed": ruling.allowed,
        "policy_error": ruling.errored,
        "policies": [{"id": entry.id, "basis": entry.basis} for entry in basis],
        "denied_categories": list(ruling.denied_categories),
        "changes": [{"fact": change.fact, "hint": change.hint} for change in changes],
        "bundle": policy.digest,
    }
    lines = ["allowed" if ruling.allowed else f"denied: {', '.join(ruling.denied_categories)}"]
    lines += [f"  by {entry.id:24} {entry.basis}" for entry in basis]
    if ruling.errored:
        lines.append("  a policy could not be evaluated, which denies")
    if not ruling.allowed and not changes:
        lines.append("  no single fact would change that")
    lines += [f"  would change it: {change.hint}" for change in changes]
    show(members, lines, as_json)
