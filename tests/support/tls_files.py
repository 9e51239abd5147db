"""TLS files of test members on disk, each field of which can be made wrong: what servers, clients and `doctor` read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509

from consentgate.identity import Role, SpiffeId
from consentgate.tls import TlsFiles
from tests.support.member_ca import TLS_USAGES, MemberCa, PrivateKey, certificate_pem, p256_key, private_pem

TRUST_DOMAIN = "consentgate.test"


def spiffe_id(role: str, name: str) -> SpiffeId:
    """A member of the test federation."""
    return SpiffeId(TRUST_DOMAIN, Role(role), name)


@dataclass(frozen=True)
class TlsFolder:
    """Writes members' files below `path`; `ca.pem` is there from the start. Certificates surround the real time."""

    path: Path
    ca: MemberCa = field(default_factory=lambda: MemberCa.create("tls folder ca"))

    def __post_init__(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self.ca_path.write_bytes(certificate_pem(self.ca.certificate))

    @property
    def ca_path(self) -> Path:
        return self.path / "ca.pem"

    def member(self, role: str, name: str, **changes: Any) -> TlsFiles:
        """Files of one member; `changes` go to `issue`."""
        identity = spiffe_id(role, name)
        stem = self.path / f"{role}-{name}"
        write_pair(stem.with_suffix(".pem"), stem.with_suffix(".key"), self.ca, identity, **changes)
        return TlsFiles(stem.with_suffix(".pem"), stem.with_suffix(".key"), self.ca.certificate)


def write_pair(
    certificate_path: Path,
    key_path: Path,
    ca: MemberCa,
    identity: SpiffeId,
    *,
    key: PrivateKey | None = None,
    dns: Sequence[str] | None = None,
    usages: Sequence[x509.ObjectIdentifier] = TLS_USAGES,
    **changes: Any,
) -> x509.Certificate:
    """A certificate and its key as a server's operator has them (key mode 0600)."""
    key = key or p256_key(f"tls {identity}")
    names = [identity.dns_name] if dns is None else dns
    arguments = {"usages": usages, "dns": names, **around_now(), **changes}
    certificate = ca.issue(arguments.pop("uris", str(identity)), key, **arguments)
    certificate_path.write_bytes(certificate_pem(certificate))
    key_path.touch(mode=0o600)
    key_path.write_bytes(private_pem(key))
    return certificate


def around_now() -> dict[str, datetime]:
    """Dates within which the real clock lies."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return {"not_before": today - timedelta(days=2), "not_after": today + timedelta(days=90)}
