"""`consentgate doctor` on files: every broken situation gives its cause and a cure, and hides no other."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consentgate.certificates import CLIENT_AUTH, DOCUMENT_SIGNING
from consentgate.doctor import Finding, TlsPaths, Verdict, examine_files, healthy
from consentgate.errors import ErrorCode
from consentgate.identity import Role
from dev.ca import DevelopmentCa
from tests.support.member_ca import MemberCa, certificate_pem, ed25519_key, p256_key, private_pem
from tests.support.tls_files import TlsFolder

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> TlsFolder:
    return TlsFolder(tmp_path)


def _paths(folder: TlsFolder, **changes: object) -> TlsPaths:
    files = folder.member("gateway", "g", **changes)
    return TlsPaths(files.certificate, files.private_key, folder.ca_path)


def _by_check(findings: list[Finding]) -> dict[str, Finding]:
    assert len({found.check for found in findings}) == len(findings)
    return {found.check: found for found in findings}


def _failed(findings: list[Finding]) -> dict[str, Finding]:
    return {found.check: found for found in findings if found.verdict is Verdict.FAILED}


def test_all_is_well(folder: TlsFolder):
    findings = _by_check(examine_files(_paths(folder)))
    assert {found.verdict for found in findings.values()} == {Verdict.OK}
    assert findings["identity"].cause == "spiffe://consentgate.test/gateway/g"
    assert findings["usage"].cause == "opens connections, accepts connections"
    assert findings["server name"].cause == "g.gateway.consentgate.test"
    assert findings["permissions"].cause == "mode 0600"
    assert set(findings) == {
        "member CA",
        "certificate",
        "kind of CA",
        "dates of the member CA",
        "dates",
        "identity",
        "usage",
        "server name",
        "issuer",
        "permissions",
        "private key",
        "clock",
    }


BROKEN: dict[str, tuple[dict[str, object], str, ErrorCode, str]] = {
    "expired": ({"not_after": NOW - DAY}, "dates", ErrorCode.CERTIFICATE_EXPIRED, "new one issued"),
    "not yet valid": ({"not_before": NOW + DAY}, "dates", ErrorCode.CERTIFICATE_EXPIRED, "time server"),
    "names nobody": ({"uris": [], "dns": ["x.test"]}, "identity", ErrorCode.CERTIFICATE_ROLE, "spiffe://"),
    "names two": (
        {"uris": ["spiffe://consentgate.test/bank/a", "spiffe://consentgate.test/bank/b"]},
        "identity",
        ErrorCode.CERTIFICATE_ROLE,
        "one URI",
    ),
    "for signing": ({"usages": (DOCUMENT_SIGNING,)}, "usage", ErrorCode.CERTIFICATE_USAGE, "clientAuth"),
    "for nothing": ({"usages": ()}, "usage", ErrorCode.CERTIFICATE_USAGE, "clientAuth"),
    "Ed25519 key": ({"key": ed25519_key("x")}, "private key", ErrorCode.CERTIFICATE_KEY, "P-256"),
}


@pytest.mark.parametrize(("changes", "check", "code", "cure"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_certificate(folder: TlsFolder, changes: dict[str, object], check: str, code: ErrorCode, cure: str):
    findings = examine_files(_paths(folder, **changes))
    failed = _failed(findings)
    assert not healthy(findings)
    assert failed[check].code is code
    assert cure in failed[check].cure
    assert set(failed) <= {check, "clock"}, "one defect must not hide or bring another"


def test_client_only_certificate_is_worth_a_warning(folder: TlsFolder):
    findings = _by_check(examine_files(_paths(folder, dns=[], usages=(CLIENT_AUTH,))))
    assert findings["usage"].cause == "opens connections"
    assert findings["server name"].verdict is Verdict.WARNING
    assert "g.gateway.consentgate.test" in findings["server name"].cure
    assert healthy(list(findings.values()))


def test_certificate_that_expires_soon(folder: TlsFolder):
    found = _by_check(examine_files(_paths(folder, not_after=NOW + 3 * DAY)))["dates"]
    assert (found.verdict, found.cure) == (Verdict.WARNING, "Have a new one issued in time.")


def test_issuer_is_another_ca(folder: TlsFolder):
    paths = _paths(folder)
    folder.ca_path.write_bytes(certificate_pem(MemberCa.create("other ca").certificate))
    failed = _failed(examine_files(paths))
    assert set(failed) == {"issuer"}
    assert failed["issuer"].code is ErrorCode.CERTIFICATE_UNTRUSTED


def test_issuer_of_an_expired_certificate_is_still_judged(folder: TlsFolder):
    """Dates and issuer are two questions."""
    findings = _by_check(examine_files(_paths(folder, not_after=NOW - DAY)))
    assert findings["issuer"].verdict is Verdict.OK


def test_development_ca(tmp_path: Path):
    ca = DevelopmentCa.create(tmp_path / "ca", "consentgate.test")
    files = ca.issue_tls(Role.GATEWAY, "g", tmp_path)
    paths = TlsPaths(files.certificate, files.private_key, ca.certificate_path)
    failed = _failed(examine_files(paths))
    assert {found.code for found in failed.values()} == {ErrorCode.DEVELOPMENT_CA}
    assert "--development" in failed["kind of CA"].cure
    assert healthy(examine_files(paths, allow_development_ca=True))


FILES: dict[str, tuple[Callable[[TlsPaths], Path], bytes | None, str]] = {
    "certificate absent": (lambda paths: paths.certificate, None, "certificate"),
    "certificate no pem": (lambda paths: paths.certificate, b"hello", "certificate"),
    "CA absent": (lambda paths: paths.member_ca, None, "member CA"),
    "CA no pem": (lambda paths: paths.member_ca, b"", "member CA"),
}


@pytest.mark.parametrize(("choose", "content", "check"), FILES.values(), ids=FILES.keys())
def test_unreadable_file(folder: TlsFolder, choose: Callable[[TlsPaths], Path], content: bytes | None, check: str):
    paths = _paths(folder)
    path = choose(paths)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    failed = _failed(examine_files(paths))
    assert set(failed) == {check}
    assert failed[check].code is ErrorCode.CERTIFICATE_MISSING
    assert str(path) in failed[check].cause


def test_private_key_absent(folder: TlsFolder):
    paths = _paths(folder)
    paths.private_key.unlink()
    failed = _failed(examine_files(paths))
    assert {name: found.code for name, found in failed.items()} == {
        "permissions": ErrorCode.CERTIFICATE_MISSING,
        "private key": ErrorCode.CERTIFICATE_MISSING,
    }


def test_private_key_of_another_certificate(folder: TlsFolder):
    paths = _paths(folder)
    paths.private_key.write_bytes(private_pem(p256_key("another")))
    failed = _failed(examine_files(paths))
    assert {name: found.code for name, found in failed.items()} == {"private key": ErrorCode.CERTIFICATE_KEY}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_private_key_that_others_may_read(folder: TlsFolder, mode: int):
    paths = _paths(folder)
    paths.private_key.chmod(mode)
    failed = _failed(examine_files(paths))
    assert set(failed) == {"permissions"}
    assert f"{mode:04o}" in failed["permissions"].cause
    assert f"chmod 600 {paths.private_key}" in failed["permissions"].cure


def test_clock_behind_its_own_files(folder: TlsFolder):
    paths = _paths(folder)
    future = (NOW + DAY).timestamp()
    os.utime(paths.private_key, (future, future))
    failed = _failed(examine_files(paths))
    assert set(failed) == {"clock"}
    assert failed["clock"].code is ErrorCode.CLOCK_SKEW
    assert "NTP" in failed["clock"].cure


def test_everything_absent_is_told_at_once(tmp_path: Path):
    findings = examine_files(TlsPaths(tmp_path / "a", tmp_path / "b", tmp_path / "c"))
    assert set(_failed(findings)) == {"member CA", "certificate", "permissions"}


def test_every_failure_has_a_cure(folder: TlsFolder, tmp_path: Path):
    everything = [*examine_files(TlsPaths(tmp_path / "a", tmp_path / "b", tmp_path / "c"))]
    for changes, *_ in BROKEN.values():
        everything += examine_files(_paths(folder, **changes))
    for found in everything:
        assert found.cause
        assert (found.verdict is Verdict.OK) == (found.cure == "")
        assert found.verdict is not Verdict.FAILED or found.code is not None
