"""A gateway that lies: it holds the real gateway's keys and what passed through it, and asks the departments itself.

    python -m dev.forger DIRECTORY EVIDENCE REQUEST

EVIDENCE is what the gateway put together for an honest answer (a file of the bank's archive), REQUEST a request that
the bank signed after the company had revoked. Each forgery is recorded on the ledger like an honest decision, since
the ledger records what a gateway says; then it is sent to every department. Prints one JSON object: attack →
department → what came back, the refusal's code or `RELEASED`.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc

from bank_client import archive, question
from bank_client.keystore import registered_key_id
from bank_client.question import Question
from consentgate import canonical, convert, evidence, signing
from consentgate.anchors import Anchors
from consentgate.channel import open_channel
from consentgate.error_status import from_rpc_error
from consentgate.errors import ErrorCode
from consentgate.evidence import EvidenceBundle
from consentgate.identity import Role, SpiffeId
from consentgate.scorecard import ScorecardHeader
from consentgate.signing import InstitutionSigner, PersonSigner
from consentgate.statements import (
    CompanyAttestationClaims,
    ConsentClaims,
    ScoreRequestClaims,
    Signatory,
    StatementKind,
)
from consentgate.tls import TlsFiles
from consentgate.v1 import features_pb2, ledger_pb2
from consentgate.v1.features_pb2_grpc import FeatureServiceStub
from consentgate.v1.ledger_pb2_grpc import LedgerServiceStub
from dev.layout import BANK, LEDGER, OTHER_BANK, TRUST_DOMAIN, Layout
from dev.topology import read
from ledger.commitment import SALT_BYTES, commit
from ledger.entry import encode, format_time, parse
from ledger.receipt import Receipt

DECISION_LIFE = timedelta(seconds=50)
CALL_SECONDS = 20.0
TAIL_TRIES = 20
TAIL_PAUSE_SECONDS = 0.25
"""A department whose tail is a moment behind says LEDGER_STALE; honest gateways and liars ask again."""
RELEASED = "RELEASED"


@dataclass(frozen=True)
class Loot:
    """What the liar has: an honest bundle, a request made after the revocation, the colluding bank, own keys."""

    honest: EvidenceBundle
    late_request: bytes
    other_bank: Path
    strangers: tuple[PersonSigner, ...]

    def consent(self) -> ConsentClaims:
        """The honest consent's claims."""
        return ConsentClaims.parse(signing.unverified_payload(self.honest.consent_jws, "consent"), "consent")

    def attestation(self) -> CompanyAttestationClaims:
        """The honest attestation's claims."""
        payload = signing.unverified_payload(self.honest.attestation_jws, "attestation")
        return CompanyAttestationClaims.parse(payload, "attestation")


def forged_consent(loot: Loot) -> EvidenceBundle:
    """A consent for this very request, signed by nobody of the company."""
    token = signing.sign_jointly(StatementKind.CONSENT, loot.consent(), loot.strangers)
    return replace(loot.honest, consent_jws=token)


def forged_company(loot: Loot) -> EvidenceBundle:
    """The same with an attestation that makes the signers the company's directors."""
    directors = [Signatory(person=secrets.token_hex(16), jwk=stranger.jwk) for stranger in loot.strangers]
    claims = loot.attestation().model_copy(update={"signatories": directors, "threshold": len(directors)})
    token = loot.strangers[0].sign(StatementKind.COMPANY_ATTESTATION, claims)
    return replace(forged_consent(loot), attestation_jws=token)


def swapped_key(loot: Loot) -> EvidenceBundle:
    """The honest request, to be answered under the colluding bank's key."""
    return replace(loot.honest, key_registration_jws=(loot.other_bank / "registration.jws").read_bytes().strip())


def other_banks_request(loot: Loot) -> EvidenceBundle:
    """The colluding bank asks, on a consent that was given to another bank."""
    registration = (loot.other_bank / "registration.jws").read_bytes().strip()
    signer = InstitutionSigner.load(loot.other_bank / "signing.pem", loot.other_bank / "signing.key")
    asked = _request(loot.honest)
    wanted = Question(asked.company, asked.scorecard, asked.purpose, asked.as_of)
    now, request_id = datetime.now(UTC), question.new_request_id()
    sent = question.sign(wanted, request_id, registered_key_id(registration), signer, now)
    return replace(loot.honest, request_jws=sent.signed, key_registration_jws=registration)


def further_column(loot: Loot) -> EvidenceBundle:
    """The first department is asked for one more column than the reviewers approved."""
    header = json.loads(loot.honest.scorecard_header)
    columns = header["departments"][0]["columns"]
    columns.append({**columns[0], "spec": {**columns[0]["spec"], "name": "further"}})
    return replace(loot.honest, scorecard_header=canonical.encode(header))


def ignored_revocation(loot: Loot) -> EvidenceBundle:
    """Everything is genuine, but the company has revoked the consent in the meantime."""
    return replace(loot.honest, request_jws=loot.late_request)


ATTACKS: Mapping[str, Callable[[Loot], EvidenceBundle]] = {
    "consent signed by strangers": forged_consent,
    "strangers attested as directors": forged_company,
    "recipient key of another bank": swapped_key,
    "another bank on this consent": other_banks_request,
    "one more column": further_column,
    "revocation ignored": ignored_revocation,
}
UNRECORDED = "decision kept off the ledger"


class Forger:
    """The liar's connections, under the gateway's own certificate."""

    def __init__(self, layout: Layout) -> None:
        folder = layout.gateway
        anchors = Anchors.load(folder / "anchors.toml")
        self._tls = TlsFiles(folder / "tls.pem", folder / "tls.key", anchors.member_ca)
        self._addresses = layout.addresses
        self._ledger = LedgerServiceStub(self._open("ledger", SpiffeId(TRUST_DOMAIN, Role.LEDGER, LEDGER)))
        self._departments = {
            name: FeatureServiceStub(self._open(name, SpiffeId(TRUST_DOMAIN, Role.DEPARTMENT, name)))
            for name in layout.departments
        }

    def _open(self, name: str, peer: SpiffeId) -> grpc.Channel:
        return open_channel(self._addresses[name], peer, self._tls, allow_development_ca=True)

    def recorded(self, parts: EvidenceBundle) -> EvidenceBundle:
        """The bundle with a fresh, witnessed leaf that says it was all decided properly."""
        salt = secrets.token_bytes(SALT_BYTES)
        body = decision_body(parts, salt)
        request = ledger_pb2.AppendRequest(
            kind="query.decision", body=canonical.encode(body), key=f"forged:{secrets.token_hex(8)}"
        )
        receipt = convert.receipt_from_message(self._ledger.Append(request, timeout=CALL_SECONDS).receipt)
        return replace(parts, request_salt=salt, decision=receipt)

    def send(self, bundle: EvidenceBundle) -> dict[str, str]:
        """What each department says to it."""
        return {name: self._ask(stub, bundle) for name, stub in self._departments.items()}

    def _ask(self, stub: FeatureServiceStub, bundle: EvidenceBundle) -> str:
        message = features_pb2.GetFeaturesRequest(evidence=convert.bundle_to_message(bundle))
        code = ""
        for _ in range(TAIL_TRIES):
            try:
                stub.GetFeatures(message, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                code = str(from_rpc_error(error).code)
            else:
                return RELEASED
            if code != ErrorCode.LEDGER_STALE:
                break
            time.sleep(TAIL_PAUSE_SECONDS)
        return code


def decision_body(parts: EvidenceBundle, salt: bytes) -> dict[str, object]:
    """The leaf that an honest gateway would write for these parts."""
    request = _request(parts)
    consent = ConsentClaims.parse(signing.unverified_payload(parts.consent_jws, "consent"), "consent")
    header = ScorecardHeader.parse(parts.scorecard_header, "header")
    return {
        **evidence.leaf_fields(request, SpiffeId.parse(request.iss), consent, header),
        "request": commit("request", parts.request_jws, salt),
        "consent_digest": canonical.digest(parts.consent_jws),
        "approval": canonical.digest(parts.approval_jws),
        "policy": canonical.digest(b"whatever the liar says"),
        "verdict": "allow",
        "reason": "ALLOWED",
        "rules": [],
        "not_after": format_time(datetime.now(UTC) + DECISION_LIFE),
    }


def unrecorded(honest: EvidenceBundle) -> EvidenceBundle:
    """A leaf that was made up, with the proof of another one."""
    leaf = replace(parse(honest.decision.leaf), nonce=secrets.token_hex(16))
    return replace(honest, decision=Receipt(encode(leaf), honest.decision.proof))


def _request(parts: EvidenceBundle) -> ScoreRequestClaims:
    return ScoreRequestClaims.parse(signing.unverified_payload(parts.request_jws, "request"), "request")


def forge(layout: Layout, loot: Loot) -> dict[str, dict[str, str]]:
    """All attacks against all departments."""
    forger = Forger(layout)
    answers = {name: forger.send(forger.recorded(attack(loot))) for name, attack in ATTACKS.items()}
    answers[UNRECORDED] = forger.send(unrecorded(forger.recorded(loot.honest)))
    return answers


def main() -> None:
    directory, kept, request = (Path(argument) for argument in sys.argv[1:4])
    strangers = (PersonSigner.generate(), PersonSigner.generate())
    other_bank = directory / Role.BANK / OTHER_BANK
    loot = Loot(archive.read(kept).evidence, request.read_bytes(), other_bank, strangers)
    if SpiffeId.parse(_request(loot.honest).iss).id != BANK:
        sys.exit("the evidence is of another bank than the demo's")
    print(json.dumps(forge(read(directory), loot), indent=1))


if __name__ == "__main__":
    main()
