"""`consentgate doctor`: why does a certificate or a connection not work, and what would help?

Two examinations, each a list of findings with cause and cure: `examine_files` looks at a member's own TLS
files, `consentgate/doctor_connection.py` at somebody else's address. They use the checks that servers and
clients use, one at a time, so that one defect does not hide the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509

from consentgate.certificates import (
    CLIENT_AUTH,
    SERVER_AUTH,
    check_usages,
    dns_names,
    is_p256,
    refuse_development_ca,
    verify_path,
)
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import SpiffeId
from consentgate.tls import matching_key, read_certificates

EXPIRES_SOON = timedelta(days=14)
"""Left time below which a certificate is worth a warning."""
OTHERS_MAY = 0o077
"""Mode bits that let others than the owner at a private key."""
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a file may be ahead of the clock before the clock is suspected."""


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """One check: what was found, and, unless all is well, what would help."""

    check: str
    verdict: Verdict
    cause: str
    cure: str = ""
    code: ErrorCode | None = None


@dataclass(frozen=True)
class TlsPaths:
    """The three files under examination; unlike `tls.TlsFiles` none of them needs to be good."""

    certificate: Path
    private_key: Path
    member_ca: Path


def examine_files(paths: TlsPaths, *, allow_development_ca: bool = False) -> list[Finding]:
    """Every check of a member's own files, in an order in which a cure is useful."""
    findings: list[Finding] = []
    now = datetime.now(UTC)
    authorities = _read(findings, "member CA", paths.member_ca)
    chain = _read(findings, "certificate", paths.certificate)
    if authorities:
        findings += _examine_authority(authorities[0], allow_development_ca)
    if chain:
        findings += _examine_certificate(chain, now)
    if chain and authorities:
        findings.append(_issuer(chain, authorities[0]))
    findings.append(_permissions(paths.private_key))
    if chain:
        findings.append(finding("private key", lambda: _key(paths.private_key, chain[0])))
    findings.append(_clock(paths, [*chain, *authorities], now))
    return findings


def finding(check: str, examine: Callable[[], str]) -> Finding:
    """Runs one check: what it returns is found good, what it raises carries cause and cure."""
    try:
        return Finding(check, Verdict.OK, examine())
    except ConsentgateError as error:
        where = f" ({error.field})" if error.field and "/" in error.field else ""
        return Finding(check, Verdict.FAILED, f"{error.message}{where}", error.hint, error.code)


def healthy(findings: Sequence[Finding]) -> bool:
    """No check failed; warnings do not count."""
    return all(found.verdict is not Verdict.FAILED for found in findings)


def _read(findings: list[Finding], check: str, path: Path) -> list[x509.Certificate]:
    found: list[x509.Certificate] = []

    def examine() -> str:
        found.extend(read_certificates(path))
        return f"{path}: {len(found)} certificate(s)"

    findings.append(finding(check, examine))
    return found


def _examine_authority(member_ca: x509.Certificate, allow_development_ca: bool) -> Iterator[Finding]:
    def production() -> str:
        if not allow_development_ca:
            refuse_development_ca(member_ca)
        return "accepted for this kind of start"

    yield finding("kind of CA", production)
    yield _dates("dates of the member CA", member_ca, datetime.now(UTC))


def _examine_certificate(chain: Sequence[x509.Certificate], now: datetime) -> Iterator[Finding]:
    yield _dates("dates", chain[0], now)
    yield finding("identity", lambda: str(SpiffeId.from_certificate(chain[0])))
    yield finding("usage", lambda: _usage(chain[0]))
    yield _server_name(chain[0])


def _dates(check: str, certificate: x509.Certificate, now: datetime) -> Finding:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < start:
        cure = f"It begins at {start:%Y-%m-%d %H:%M} UTC. Compare this machine's clock with a time server."
        return Finding(check, Verdict.FAILED, "The certificate is not yet valid.", cure, ErrorCode.CERTIFICATE_EXPIRED)
    if now > end:
        cure = f"It ended at {end:%Y-%m-%d %H:%M} UTC. Have a new one issued, or correct this machine's clock."
        return Finding(check, Verdict.FAILED, "The certificate is expired.", cure, ErrorCode.CERTIFICATE_EXPIRED)
    left = f"valid until {end:%Y-%m-%d %H:%M} UTC"
    if end - now < EXPIRES_SOON:
        return Finding(check, Verdict.WARNING, f"It expires soon: {left}.", "Have a new one issued in time.")
    return Finding(check, Verdict.OK, left)


def _issuer(chain: Sequence[x509.Certificate], member_ca: x509.Certificate) -> Finding:
    """Judged at a time within the dates of both, if there is one: dates are another check."""
    start = max(chain[0].not_valid_before_utc, member_ca.not_valid_before_utc)
    end = min(chain[0].not_valid_after_utc, member_ca.not_valid_after_utc)
    if start > end:
        return Finding("issuer", Verdict.WARNING, "Not judged: the dates exclude each other.", "See dates.")

    def examine() -> str:
        verify_path(chain, member_ca, min(max(datetime.now(UTC), start), end))
        return "issued by the member CA"

    return finding("issuer", examine)


def _usage(certificate: x509.Certificate) -> str:
    check_usages(certificate, {CLIENT_AUTH, SERVER_AUTH}, set())
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    names = {CLIENT_AUTH: "opens connections", SERVER_AUTH: "accepts connections"}
    return ", ".join(text for usage, text in names.items() if usage in usages)


def _server_name(certificate: x509.Certificate) -> Finding:
    try:
        wanted = SpiffeId.from_certificate(certificate).dns_name
    except ConsentgateError:
        return Finding("server name", Verdict.WARNING, "Not judged without an identity.", "See identity.")
    if wanted in dns_names(certificate):
        return Finding("server name", Verdict.OK, wanted)
    return Finding(
        "server name",
        Verdict.WARNING,
        "The DNS name of the SPIFFE id is absent: others cannot recognise this member as a server.",
        f"For a server have {wanted} added to the subject alternative names; a client needs none.",
    )


def _permissions(path: Path) -> Finding:
    try:
        mode = path.stat().st_mode
    except OSError:
        return Finding(
            "permissions",
            Verdict.FAILED,
            f"The private key file cannot be read ({path}).",
            "Check the path and the permissions of its folders.",
            ErrorCode.CERTIFICATE_MISSING,
        )
    if mode & OTHERS_MAY:
        return Finding(
            "permissions",
            Verdict.FAILED,
            f"Others than the owner may use the private key (mode {mode & 0o777:04o}).",
            f"chmod 600 {path}; when others had access, have a new key certified.",
            ErrorCode.CERTIFICATE_KEY,
        )
    return Finding("permissions", Verdict.OK, f"mode {mode & 0o777:04o}")


def _key(path: Path, certificate: x509.Certificate) -> str:
    matching_key(path, certificate)
    if not is_p256(certificate.public_key()):
        raise ConsentgateError(ErrorCode.CERTIFICATE_KEY)
    return "P-256, and the certificate's own"


def _clock(paths: TlsPaths, certificates: Sequence[x509.Certificate], now: datetime) -> Finding:
    """Files and certificates from the future mean a clock that runs behind."""
    times = [certificate.not_valid_before_utc for certificate in certificates]
    for path in (paths.certificate, paths.private_key, paths.member_ca):
        if path.exists():
            times.append(datetime.fromtimestamp(path.stat().st_mtime, UTC))
    if any(time > now + CLOCK_TOLERANCE for time in times):
        return Finding(
            "clock",
            Verdict.FAILED,
            "This machine's clock is behind its own files.",
            "Set it by NTP: statements more than five minutes off are refused.",
            ErrorCode.CLOCK_SKEW,
        )
    return Finding("clock", Verdict.OK, f"{now:%Y-%m-%d %H:%M:%S} UTC")
