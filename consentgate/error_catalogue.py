"""The one catalogue of errors: code → gRPC status, public message, hint (design 5, rule 8).

Frozen. Messages and hints are constants: they say cause and cure and never a value, a company or a
person. `tests/unit/consentgate/test_errors.py` finds a code without an entry. Texts may change, codes do
not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from grpc import StatusCode as Status

from consentgate.error_codes import ErrorCode


@dataclass(frozen=True)
class ErrorEntry:
    """What everybody may know about a code."""

    status: Status
    message: str
    hint: str


_C = ErrorCode
_E = ErrorEntry

CATALOGUE: Mapping[ErrorCode, ErrorEntry] = MappingProxyType(
    {
        # Callers and calls.
        _C.INVALID_ARGUMENT_FIELD: _E(
            Status.INVALID_ARGUMENT,
            "A field is missing or malformed.",
            "Correct the named field; docs/wire.md and the proto comments say its form.",
        ),
        _C.UNAUTHENTICATED: _E(
            Status.UNAUTHENTICATED,
            "The caller's certificate names no member.",
            "Present a TLS certificate of the member CA with one SPIFFE id; see `consentgate doctor`.",
        ),
        _C.ROLE_NOT_ALLOWED: _E(
            Status.PERMISSION_DENIED,
            "The caller's role may not call this method.",
            "Call it with a certificate of a role that the method's proto comment names.",
        ),
        _C.CALLER_MISMATCH: _E(
            Status.PERMISSION_DENIED,
            "The connection and the signed statement name different parties.",
            "Send a statement over a connection of the party that signed it.",
        ),
        _C.NOT_FOUND: _E(
            Status.NOT_FOUND,
            "There is no such thing, or the caller may not know of it.",
            "Check the id; only its owner sees it.",
        ),
        _C.UNKNOWN_METHOD: _E(
            Status.UNIMPLEMENTED,
            "The server does not offer this method.",
            "Check the address: another kind of member answers there, or an older version.",
        ),
        _C.RESOURCE_EXHAUSTED: _E(
            Status.RESOURCE_EXHAUSTED,
            "The server or a limit is exhausted.",
            "Send smaller messages, or wait and repeat.",
        ),
        _C.DEADLINE_EXCEEDED: _E(
            Status.DEADLINE_EXCEEDED,
            "No answer came before the deadline.",
            "Repeat the same bytes; if it stays, allow more time or look at the server's health.",
        ),
        _C.CANCELLED: _E(Status.CANCELLED, "The call was cancelled.", "Repeat the same bytes if the answer is wanted."),
        _C.UNAVAILABLE: _E(
            Status.UNAVAILABLE,
            "The server could not be reached or is stopping.",
            "Repeat after a pause; `consentgate doctor` tells where the connection breaks.",
        ),
        _C.STORE_UNAVAILABLE: _E(
            Status.UNAVAILABLE,
            "The server's database is not reachable.",
            "Repeat after a pause; its operator looks at the database.",
        ),
        _C.STORE_INTEGRITY: _E(
            Status.DATA_LOSS,
            "A sealed value of the server's database does not open.",
            "Its operator looks who changed the database, or which copy was restored; docs/operations.md says how.",
        ),
        _C.INTERNAL: _E(
            Status.INTERNAL,
            "The server failed in a way it did not expect.",
            "Tell its operator the incident id; the details stand in its log under that id.",
        ),
        _C.CONFIG_INVALID: _E(
            Status.FAILED_PRECONDITION,
            "A configuration file or entry cannot be used.",
            "Correct the named file or entry; docs/operations.md lists all of them.",
        ),
        _C.FILE_UNAVAILABLE: _E(
            Status.FAILED_PRECONDITION,
            "A file or folder of this machine cannot be read or written.",
            "What is named must be there, be yours to read or write, and its disk must have room.",
        ),
        # Consent.
        _C.CONSENT_NOT_FOUND: _E(
            Status.PERMISSION_DENIED,
            "There is no consent for this, or the caller may not know of it.",
            "Ask the company to grant a consent to this bank for this purpose.",
        ),
        _C.CONSENT_EXPIRED: _E(
            Status.FAILED_PRECONDITION,
            "The consent's time is over.",
            "Ask the company to grant a new version of the consent.",
        ),
        _C.CONSENT_REVOKED: _E(
            Status.FAILED_PRECONDITION,
            "The company revoked the consent.",
            "A revoked consent never returns; only the company can grant another.",
        ),
        _C.CONSENT_PAUSED: _E(
            Status.FAILED_PRECONDITION,
            "The company paused the consent.",
            "Wait until the company resumes it.",
        ),
        _C.CONSENT_NOT_YET_VALID: _E(
            Status.FAILED_PRECONDITION,
            "The consent's time has not begun.",
            "Ask again after the date at which it becomes valid.",
        ),
        _C.CONSENT_SCOPE: _E(
            Status.PERMISSION_DENIED,
            "The consent does not cover these data, this period or this use.",
            "Use a scorecard within the consent, or ask the company for a wider one.",
        ),
        _C.CONSENT_PURPOSE: _E(
            Status.PERMISSION_DENIED,
            "The consent is for another purpose.",
            "Ask for the purpose that the consent names, or ask the company for another consent.",
        ),
        _C.CONSENT_FREQUENCY: _E(
            Status.FAILED_PRECONDITION,
            "The consent has no use left in this period.",
            "Wait for the next calendar period, or ask the company for a new version.",
        ),
        _C.CONSENT_AUDIENCE: _E(
            Status.PERMISSION_DENIED,
            "The consent is for another bank or about another company.",
            "Ask only with a consent granted to this bank by this company.",
        ),
        _C.CONSENT_SIGNATURE: _E(
            Status.PERMISSION_DENIED,
            "The company's signatures do not suffice.",
            "Enough distinct signatories whom the registry attested must sign the same bytes.",
        ),
        _C.CONSENT_STATE: _E(
            Status.FAILED_PRECONDITION,
            "The consent is not in a state that allows this step.",
            "List the consents to see its state; revoked and expired are final.",
        ),
        _C.CONSENT_VERSION: _E(
            Status.FAILED_PRECONDITION,
            "The consent's version does not follow the recorded one.",
            "Take the newest version and sign the next number.",
        ),
        _C.RETENTION_RUNNING: _E(
            Status.FAILED_PRECONDITION,
            "What is to be erased must or may still be kept.",
            "Repeat it when the time is over; the named entry says which time.",
        ),
        _C.ATTESTATION_SIGNATURE: _E(
            Status.PERMISSION_DENIED,
            "The registry did not attest these signatories.",
            "Fetch the attestation from the registry again; compare the registry's key in the anchors.",
        ),
        _C.ATTESTATION_EXPIRED: _E(
            Status.PERMISSION_DENIED,
            "The registry's attestation was not valid at that time.",
            "The company asks the registry for a new attestation.",
        ),
        _C.SUBJECT_MISMATCH: _E(
            Status.PERMISSION_DENIED,
            "The subject token differs from the one pinned for this company.",
            "Use the token that the company's first consent to this group fixed.",
        ),
        # Requests.
        _C.REQUEST_SIGNATURE: _E(
            Status.PERMISSION_DENIED,
            "The bank's signature or certificate chain is not valid.",
            "Sign with the bank's signing certificate (not its TLS one), valid and of the member CA.",
        ),
        _C.REQUEST_ISSUER: _E(
            Status.PERMISSION_DENIED,
            "The signer is not the bank that the request names.",
            "The claim `iss` must be the SPIFFE id in the signing certificate.",
        ),
        _C.REQUEST_AUDIENCE: _E(
            Status.PERMISSION_DENIED,
            "The request is meant for another federation or another kind of call.",
            "Set the claim `aud` as docs/wire.md says, for this trust domain.",
        ),
        _C.REQUEST_FAILED: _E(
            Status.FAILED_PRECONDITION,
            "This request ended without an answer, and stays so.",
            "Ask again under a new request id.",
        ),
        _C.REQUEST_IN_PROGRESS: _E(
            Status.ABORTED,
            "The same request is being answered at this moment.",
            "Repeat the same bytes after a pause.",
        ),
        _C.IDEMPOTENCY_CONFLICT: _E(
            Status.ABORTED,
            "This id was used before with other bytes.",
            "Send the bytes that were sent first, or take a new id.",
        ),
        _C.CLOCK_SKEW: _E(
            Status.FAILED_PRECONDITION,
            "The statement's time is too far from the verifier's.",
            "Set the clock by NTP, then sign a new statement under a new id.",
        ),
        # Scorecards, disclosure, law.
        _C.SCORECARD_NOT_FOUND: _E(
            Status.NOT_FOUND,
            "There is no such scorecard, or the caller may not know of it.",
            "Check the id: it is the SHA-256 of the header.",
        ),
        _C.SCORECARD_NOT_APPROVED: _E(
            Status.PERMISSION_DENIED,
            "The scorecard is not approved for this bank's group.",
            "Two reviewers must approve it for the group, in the group's chain.",
        ),
        _C.SCORECARD_INVALID: _E(
            Status.INVALID_ARGUMENT,
            "The scorecard breaks a rule of its form.",
            'Correct the named part; docs/wire.md, "Scorecards", lists the rules.',
        ),
        _C.SCORECARD_RANGE: _E(
            Status.INVALID_ARGUMENT,
            "The scorecard's worst case does not fit its range or slot.",
            "Use smaller weights or narrower bounds, or declare the true range.",
        ),
        _C.SCORECARD_HEADER: _E(
            Status.PERMISSION_DENIED,
            "The header does not hash to the scorecard's id.",
            "Send the header's exact canonical bytes.",
        ),
        _C.APPROVAL_SIGNATURE: _E(
            Status.PERMISSION_DENIED,
            "Too few known reviewers signed the approval.",
            "Distinct reviewers whose keys the anchors hold must sign the same bytes.",
        ),
        _C.APPROVAL_CHAIN: _E(
            Status.FAILED_PRECONDITION,
            "The approval does not follow the last link of the group's chain.",
            "Fetch the disclosure report again and sign with its `previous` and `next_sequence`.",
        ),
        _C.DISCLOSURE_REFUSED: _E(
            Status.FAILED_PRECONDITION,
            "Together with the group's other scorecards it would disclose too much.",
            "Read the disclosure report: it names the feature or department at risk.",
        ),
        _C.DISCLOSURE_MISMATCH: _E(
            Status.FAILED_PRECONDITION,
            "The approval names another disclosure report than the one that results.",
            "Fetch the report again, review it, and sign its digest.",
        ),
        _C.POLICY_DENIED: _E(
            Status.PERMISSION_DENIED,
            "The law or a policy does not allow it.",
            "A dry run names the policies, their legal basis, and the fact that would have to change.",
        ),
        _C.POLICY_ERROR: _E(
            Status.PERMISSION_DENIED,
            "A policy could not be evaluated, so the answer is no.",
            "The operator runs `gateway policy check` and corrects the policy or the institution's entry.",
        ),
        # Keys and ciphertexts.
        _C.KEY_INVALID: _E(
            Status.INVALID_ARGUMENT,
            "The Paillier key is not acceptable.",
            "Make a new key of 2048, 3072 or 4096 bits with `bank keygen`.",
        ),
        _C.KEY_PROOF: _E(
            Status.INVALID_ARGUMENT,
            "The proof that the key is well formed does not hold.",
            "Make the proof again, for this key and this bank's SPIFFE id.",
        ),
        _C.KEY_UNKNOWN: _E(
            Status.PERMISSION_DENIED,
            "The recipient key is not registered for this bank.",
            "Register the key first: `bank register-key`.",
        ),
        _C.KEY_MISMATCH: _E(
            Status.PERMISSION_DENIED,
            "Two parts name different recipient keys.",
            "Use one registered key in the request, the registration and the answers.",
        ),
        _C.KEY_FILE: _E(
            Status.FAILED_PRECONDITION,
            "The private key file cannot be used.",
            "Check path, mode 0600 and passphrase; restore a damaged file from a backup.",
        ),
        _C.CIPHERTEXT_INVALID: _E(
            Status.DATA_LOSS,
            "A ciphertext is impossible under its key.",
            "Ask again; if it stays, report the sender: no honest one makes it.",
        ),
        # Ledger.
        _C.LEDGER_STALE: _E(
            Status.FAILED_PRECONDITION,
            "The verifier's view of the ledger, or the proof, is too old.",
            "Repeat after a few seconds; if it stays, look at clocks, ledger and witnesses.",
        ),
        _C.LEDGER_UNAVAILABLE: _E(
            Status.UNAVAILABLE,
            "The ledger does not answer; nothing happens without it.",
            "Repeat the same bytes after a pause.",
        ),
        _C.LEDGER_QUORUM: _E(
            Status.UNAVAILABLE,
            "Too few witnesses cosigned the ledger's checkpoint.",
            "Repeat the same bytes after a pause; the operator looks for unreachable witnesses.",
        ),
        _C.LEDGER_FULL: _E(
            Status.RESOURCE_EXHAUSTED,
            "The ledger's queue is full; nothing was written.",
            "Repeat the same bytes after a longer pause.",
        ),
        _C.LEDGER_READ_ONLY: _E(
            Status.FAILED_PRECONDITION,
            "The ledger stopped writing to protect its history.",
            "Its operator reads the alarm in its log and runs `ledger verify` before restarting it.",
        ),
        _C.LEDGER_INVALID: _E(
            Status.DATA_LOSS,
            "What the ledger shows is not one consistent history.",
            "Keep both checkpoints as evidence and tell the witnesses.",
        ),
        _C.NOT_EVIDENCE: _E(
            Status.FAILED_PRECONDITION,
            "These two checkpoints say nothing against their log.",
            "Evidence are two that no append-only log could have signed; give an export, if its tree is one of them.",
        ),
        _C.EVIDENCE_INVALID: _E(
            Status.DATA_LOSS,
            "A bundle of evidence was altered, or does not show what it says.",
            "Ask whoever made it for another copy; one whose parts do not hold proves nothing.",
        ),
        _C.WITNESS_CONFLICT: _E(
            Status.ABORTED,
            "The witness knows another tree size than the log believed.",
            "Send the consistency proof from the size in `known_size`.",
        ),
        _C.RECEIPT_INVALID: _E(
            Status.PERMISSION_DENIED,
            "A receipt does not prove that the ledger recorded its leaf.",
            "Fetch the receipt from the ledger again; compare the ledger policy in the anchors.",
        ),
        _C.RECEIPT_MISMATCH: _E(
            Status.PERMISSION_DENIED,
            "The recorded leaf does not commit to what came with it.",
            "Use the parts that were recorded, unaltered.",
        ),
        _C.RECEIPT_VERDICT: _E(
            Status.PERMISSION_DENIED,
            "The recorded decision is not an allowance.",
            "Read the decision's reason; a denial releases nothing.",
        ),
        _C.RECEIPT_EXPIRED: _E(
            Status.FAILED_PRECONDITION,
            "The recorded decision's time is over.",
            "Ask again under a new request id.",
        ),
        _C.HISTORY_INVALID: _E(
            Status.DATA_LOSS,
            "The history is not a department's statement about this subject and checkpoint.",
            "Ask the department itself; if its own answer is refused too, report it to that department.",
        ),
        _C.HISTORY_MISMATCH: _E(
            Status.DATA_LOSS,
            "The ledger entries received are not all that the department counts.",
            "The gateway hides an entry, or the department counts falsely: ask others, search a copy of the log.",
        ),
        _C.REPORT_INVALID: _E(
            Status.DATA_LOSS,
            "A report of the ledger is not what was signed, or does not say what the ledger says.",
            "Ask for another copy; if that is refused too, make a report yourself from an export.",
        ),
        # Departments and answers.
        _C.CATALOGUE_CHANGED: _E(
            Status.FAILED_PRECONDITION,
            "The department's columns changed since the scorecard was made.",
            "Fetch the department's catalogue and register a new scorecard.",
        ),
        _C.COLUMN_NOT_RELEASABLE: _E(
            Status.PERMISSION_DENIED,
            "The department does not release the named column in this way.",
            "Leave the column out, or ask the department to offer it.",
        ),
        _C.CUSTODY_NOT_ALLOWED: _E(
            Status.PERMISSION_DENIED,
            "The data may not be released in this kind of custody.",
            "Use the scorecard's custody; high-risk categories need quorum custody.",
        ),
        _C.DEPARTMENT_UNAVAILABLE: _E(
            Status.UNAVAILABLE,
            "A department did not answer.",
            "Repeat the same bytes within the decision's life of 60 seconds, later under a new request id.",
        ),
        _C.DEPARTMENT_REFUSED: _E(
            Status.FAILED_PRECONDITION,
            "A department refused, for the reason named.",
            "Look up the department's reason in the catalogue of errors.",
        ),
        _C.ANSWER_SIGNATURE: _E(
            Status.DATA_LOSS,
            "A department's answer is not signed by that department.",
            "Report it to the gateway's operator; do not use the answer.",
        ),
        _C.ANSWER_MISMATCH: _E(
            Status.DATA_LOSS,
            "A department's answer is not the answer to this decision.",
            "Report it to the gateway's operator; do not use the answer.",
        ),
        _C.ANSWER_CIPHERTEXT: _E(
            Status.DATA_LOSS,
            "A department's ciphertexts are not well formed.",
            "Report it to the department named; do not use the answer.",
        ),
        _C.RELEASE_MISMATCH: _E(
            Status.DATA_LOSS,
            "The recorded release does not commit to what was received.",
            "Do not decrypt; keep the answer and report it to the gateway's operator.",
        ),
        _C.SCORE_OUT_OF_RANGE: _E(
            Status.DATA_LOSS,
            "The score is impossible for this scorecard.",
            "Do not use it; report the request id: a department or the gateway lied.",
        ),
        # Certificates and connections.
        _C.CERTIFICATE_MISSING: _E(
            Status.FAILED_PRECONDITION,
            "A certificate or key file is missing or unreadable.",
            "Check the named path and its permissions; the file must be PEM.",
        ),
        _C.CERTIFICATE_EXPIRED: _E(
            Status.FAILED_PRECONDITION,
            "A certificate is expired or not yet valid.",
            "Compare the clock with the certificate's dates; renew it with the member CA.",
        ),
        _C.CERTIFICATE_UNTRUSTED: _E(
            Status.FAILED_PRECONDITION,
            "A certificate is not issued by the member CA.",
            "Compare the member CA of both sides; have the certificate issued by that CA.",
        ),
        _C.CERTIFICATE_KEY: _E(
            Status.FAILED_PRECONDITION,
            "The private key is not the certificate's, or of a kind not allowed.",
            "Pair the files again. TLS keys: P-256. Signing keys: Ed25519 or P-256.",
        ),
        _C.CERTIFICATE_USAGE: _E(
            Status.FAILED_PRECONDITION,
            "The certificate is made for another use.",
            "Connections need clientAuth and serverAuth, statements documentSigning; never one for both.",
        ),
        _C.CERTIFICATE_ROLE: _E(
            Status.FAILED_PRECONDITION,
            "The certificate does not name exactly one member.",
            "It needs one URI `spiffe://<trust-domain>/<role>/<id>` and, for TLS, the DNS name made from it.",
        ),
        _C.CERTIFICATE_REFUSED: _E(
            Status.UNAVAILABLE,
            "The other side refused this side's certificate.",
            "Check date, CA and role of the own certificate with `consentgate doctor`.",
        ),
        _C.PEER_MISMATCH: _E(
            Status.UNAVAILABLE,
            "What answers at the address is another member than expected.",
            "Correct the address or the expected `peer`; somebody in between would look the same.",
        ),
        _C.DEVELOPMENT_CA: _E(
            Status.FAILED_PRECONDITION,
            "The member CA is a development CA, which anybody can make.",
            "Use the federation's CA. Only a demo is started with --development.",
        ),
        _C.CONNECTION_REFUSED: _E(
            Status.UNAVAILABLE,
            "Nothing answers at the address.",
            "Check host and port, and that the process runs.",
        ),
    }
)
