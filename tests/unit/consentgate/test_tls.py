"""TLS files: each mistake is named before a connection is tried, and a server follows good changes only."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from cryptography.hazmat.primitives import serialization

from consentgate import tls
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role
from consentgate.tls import ServerCertificate, TlsFiles
from dev.ca import DevelopmentCa
from tests.support.member_ca import MemberCa, certificate_pem, ed25519_key, p256_key, private_pem
from tests.support.tls_files import TlsFolder, spiffe_id, write_pair


@pytest.fixture
def folder(tmp_path: Path) -> TlsFolder:
    return TlsFolder(tmp_path)


def _refused(files: TlsFiles) -> ConsentgateError:
    with pytest.raises(ConsentgateError) as caught:
        tls.load_server(files)
    return caught.value


def test_good_files(folder: TlsFolder):
    files = folder.member("gateway", "g")
    loaded = tls.load_server(files)
    assert loaded.identity == spiffe_id("gateway", "g")
    assert loaded.key_pem == files.private_key.read_bytes()
    assert loaded.member_ca_pem == certificate_pem(folder.ca.certificate)
    assert tls.load_client(files).identity == loaded.identity


def test_the_key_is_never_printed(folder: TlsFolder):
    assert "PRIVATE" not in repr(tls.load_server(folder.member("gateway", "g")))


def test_member_ca_from_a_file(folder: TlsFolder):
    files = folder.member("gateway", "g")
    assert TlsFiles.of(files.certificate, files.private_key, folder.ca_path) == files
    with pytest.raises(ConsentgateError) as caught:
        TlsFiles.of(files.certificate, files.private_key, folder.path / "absent.pem")
    assert (caught.value.code, caught.value.field) == (ErrorCode.CERTIFICATE_MISSING, str(folder.path / "absent.pem"))


def test_a_client_certificate_serves_nobody(folder: TlsFolder):
    files = folder.member("bank", "bank-a", dns=[])
    assert tls.load_client(files).identity.id == "bank-a"
    assert _refused(files).code is ErrorCode.CERTIFICATE_ROLE


def test_certificate_file_absent_or_no_pem(folder: TlsFolder):
    files = folder.member("gateway", "g")
    files.certificate.write_bytes(b"no pem")
    assert (_refused(files).code, _refused(files).field) == (ErrorCode.CERTIFICATE_MISSING, str(files.certificate))
    files.certificate.unlink()
    assert _refused(files).code is ErrorCode.CERTIFICATE_MISSING


def test_key_file_absent(folder: TlsFolder):
    files = folder.member("gateway", "g")
    files.private_key.unlink()
    assert (_refused(files).code, _refused(files).field) == (ErrorCode.CERTIFICATE_MISSING, str(files.private_key))


def test_key_file_with_another_key(folder: TlsFolder):
    files = folder.member("gateway", "g")
    files.private_key.write_bytes(private_pem(p256_key("another")))
    assert (_refused(files).code, _refused(files).field) == (ErrorCode.CERTIFICATE_KEY, str(files.private_key))


def test_key_file_with_a_passphrase(folder: TlsFolder):
    files = folder.member("gateway", "g")
    key = serialization.load_pem_private_key(files.private_key.read_bytes(), None)
    encrypted = serialization.BestAvailableEncryption(b"passphrase")
    files.private_key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encrypted)
    )
    assert _refused(files).code is ErrorCode.CERTIFICATE_KEY


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"not_after": datetime.now(UTC) - timedelta(days=1)}, ErrorCode.CERTIFICATE_EXPIRED),
        ({"not_before": datetime.now(UTC) + timedelta(days=1)}, ErrorCode.CERTIFICATE_EXPIRED),
        ({"usages": ()}, ErrorCode.CERTIFICATE_USAGE),
        ({"key": ed25519_key("x")}, ErrorCode.CERTIFICATE_KEY),
        ({"uris": []}, ErrorCode.CERTIFICATE_ROLE),
    ],
    ids=["expired", "not yet valid", "no usage", "Ed25519", "nobody"],
)
def test_certificate_refused_with_its_file(folder: TlsFolder, changes: dict[str, object], code: ErrorCode):
    files = folder.member("gateway", "g", **changes)
    assert (_refused(files).code, _refused(files).field) == (code, str(files.certificate))


def test_certificate_of_another_ca(folder: TlsFolder):
    files = folder.member("gateway", "g")
    other = TlsFiles(files.certificate, files.private_key, MemberCa.create("other ca").certificate)
    assert _refused(other).code is ErrorCode.CERTIFICATE_UNTRUSTED


def test_development_ca_only_when_the_caller_says_so(tmp_path: Path):
    files = DevelopmentCa.create(tmp_path / "ca", "consentgate.test").issue_tls(Role.GATEWAY, "g", tmp_path)
    assert _refused(files).code is ErrorCode.DEVELOPMENT_CA
    assert tls.load_server(files, allow_development_ca=True).identity.role is Role.GATEWAY
    with pytest.raises(ConsentgateError):
        tls.channel_credentials(files)
    with pytest.raises(ConsentgateError):
        tls.server_credentials(files)


# A server follows its files.


def _renew(folder: TlsFolder, files: TlsFiles, days: int) -> None:
    """A new certificate for a new key, as a renewal writes them."""
    key = p256_key(f"renewed {days}")
    end = datetime.now(UTC) + timedelta(days=days)
    write_pair(files.certificate, files.private_key, folder.ca, spiffe_id("gateway", "g"), key=key, not_after=end)


def _touch(path: Path) -> None:
    """A later modification time, whatever the clock's resolution."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))


def test_unchanged_files_are_not_read_again(folder: TlsFolder):
    server = ServerCertificate(folder.member("gateway", "g"))
    assert server.newer() is None


def test_replaced_files_are_followed_once(folder: TlsFolder):
    files = folder.member("gateway", "g")
    server = ServerCertificate(files)
    before = server.configuration
    _renew(folder, files, 30)
    assert server.newer() is server.configuration
    assert server.configuration is not before
    assert server.newer() is None


def test_half_replaced_files_leave_the_old_certificate_in_force(folder: TlsFolder):
    files = folder.member("gateway", "g")
    server = ServerCertificate(files)
    before, old_key = server.configuration, files.private_key.read_bytes()
    _renew(folder, files, 30)
    new_key = files.private_key.read_bytes()
    files.private_key.write_bytes(old_key)
    _touch(files.private_key)
    with structlog.testing.capture_logs() as lines:
        assert server.newer() is None
    assert server.configuration is before
    assert [line["code"] for line in lines] == ["CERTIFICATE_KEY"]
    files.private_key.write_bytes(new_key)
    _touch(files.private_key)
    assert server.newer() is server.configuration is not before


@pytest.mark.parametrize("damage", ["truncated", "removed", "expired"])
def test_bad_replacement_leaves_the_old_certificate_in_force(folder: TlsFolder, damage: str):
    files = folder.member("gateway", "g")
    server = ServerCertificate(files)
    before = server.configuration
    if damage == "truncated":
        files.certificate.write_bytes(files.certificate.read_bytes()[:100])
    elif damage == "removed":
        files.certificate.unlink()
    else:
        _renew(folder, files, -1)
    assert server.newer() is None
    assert server.configuration is before


def test_a_server_does_not_start_with_bad_files(folder: TlsFolder):
    files = folder.member("gateway", "g")
    files.certificate.unlink()
    with pytest.raises(ConsentgateError):
        ServerCertificate(files)
