"""The recipient key: what is registered can be opened, and a file that is not as it must be is refused by name."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bank_client import keystore
from bank_client.config import PaillierFiles
from consentgate import evidence
from consentgate.errors import ConsentgateError, ErrorCode
from paillier.private import save
from paillier.private.keyfile import MIN_SCRYPT_LOG2_N
from tests.support.federation import Federation
from tests.support.paillier_keys import key_2048, other_key_2048
from tests.support.synced_disk import SyncedDisk

PASSPHRASE = b"correct horse battery"


@pytest.fixture
def files(tmp_path: Path, federation: Federation) -> PaillierFiles:
    passphrase = tmp_path / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_bytes(PASSPHRASE + b"\n")
    save(tmp_path / "key.json", key_2048(), PASSPHRASE, scrypt_log2_n=MIN_SCRYPT_LOG2_N)
    (tmp_path / "registration.jws").write_bytes(federation.registration)
    return PaillierFiles(
        private_key=tmp_path / "key.json",
        registration=tmp_path / "registration.jws",
        passphrase_file=passphrase,
    )


def refusal_of(files: PaillierFiles) -> ConsentgateError:
    with pytest.raises(ConsentgateError) as refusal:
        keystore.load(files)
    assert PASSPHRASE.decode() not in str(refusal.value)
    return refusal.value


def test_a_created_key_is_registered_and_opens(tmp_path: Path, federation: Federation) -> None:
    """The whole way once, with a fresh key: file, proof, signature, and the verifier that everybody uses."""
    files = PaillierFiles(private_key=tmp_path / "key.json", registration=tmp_path / "registration.jws")
    bank = federation.bank_a
    made = keystore.create(files, bank.signer, PASSPHRASE, federation.now, bits=2048)
    token = keystore.read_registration(files.registration)
    key = evidence.verify_key_registration(token, federation.anchors, federation.now, bank.identity)
    assert key == made.private.public
    assert stat.S_IMODE(files.private_key.stat().st_mode) == 0o600
    assert keystore.load(files, lambda: PASSPHRASE) == made
    with pytest.raises(ConsentgateError) as refusal:
        keystore.create(files, bank.signer, PASSPHRASE, federation.now, bits=2048)
    assert refusal.value.code is ErrorCode.KEY_FILE
    assert keystore.read_registration(files.registration) == token


def test_a_key_loads_with_its_registration(files: PaillierFiles, federation: Federation) -> None:
    key = keystore.load(files)
    assert (key.key_id, key.registration_jws) == (key_2048().public.key_id, federation.registration)


def test_without_a_passphrase_file_it_is_asked_for(files: PaillierFiles) -> None:
    asked = files.model_copy(update={"passphrase_file": None})
    assert keystore.load(asked, lambda: PASSPHRASE).private == key_2048()
    assert refusal_of(asked).field == "paillier.passphrase_file"


def test_a_wrong_passphrase_is_refused(files: PaillierFiles) -> None:
    assert files.passphrase_file is not None
    files.passphrase_file.write_bytes(b"another passphrase\n")
    refused = refusal_of(files)
    assert refused.code is ErrorCode.KEY_FILE
    assert "passphrase is wrong" in refused.hint
    assert "key.json" in str(refused.field)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def flipped(path: Path) -> None:
    """One digit of the ciphertext: the file still parses, its seal is broken."""
    text = path.read_text()
    at = text.index('"ciphertext": "') + len('"ciphertext": "')
    path.write_text(text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1 :])


@pytest.mark.parametrize(
    ("damage", "cure"),
    [
        (truncated, "backup"),
        (flipped, "backup"),
        (lambda path: path.write_bytes(b""), "backup"),
        (lambda path: path.write_bytes(bytes(20_000)), "backup"),
        (lambda path: path.chmod(0o640), "0600"),
        (lambda path: path.unlink(), "Check the path"),
    ],
    ids=["truncated", "altered", "empty", "too long", "read by others", "absent"],
)
def test_a_damaged_key_file_is_refused_with_its_cure(
    files: PaillierFiles, damage: Callable[[Path], None], cure: str
) -> None:
    damage(files.private_key)
    refused = refusal_of(files)
    assert refused.code is ErrorCode.KEY_FILE
    assert cure in refused.hint
    assert "key.json" in str(refused.field)


@pytest.mark.parametrize("which", ["private_key", "registration"])
def test_nothing_is_replaced_and_nothing_is_computed_for_it(
    files: PaillierFiles, federation: Federation, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keystore, "generate", lambda _bits: pytest.fail("a key was made that could not be kept"))
    other = {"private_key", "registration"} - {which}
    getattr(files, other.pop()).unlink()
    with pytest.raises(ConsentgateError) as refusal:
        keystore.create(files, federation.bank_a.signer, PASSPHRASE, federation.now, bits=2048)
    assert refusal.value.code is ErrorCode.KEY_FILE
    assert "not replaced silently" in refusal.value.hint


@pytest.mark.parametrize(
    ("passphrase", "bits", "code"), [(b"short", 2048, "KEY_FILE"), (PASSPHRASE, 1024, "KEY_INVALID")]
)
def test_a_weak_passphrase_or_size_makes_no_file(
    tmp_path: Path, federation: Federation, passphrase: bytes, bits: int, code: str
) -> None:
    files = PaillierFiles(private_key=tmp_path / "key.json", registration=tmp_path / "registration.jws")
    with pytest.raises(ConsentgateError) as refusal:
        keystore.create(files, federation.bank_a.signer, passphrase, federation.now, bits=bits)
    assert refusal.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_a_key_does_not_show_itself(files: PaillierFiles) -> None:
    key = keystore.load(files)
    assert str(int(key.private.p))[:20] not in f"{key!r} {key.private!r}"


def test_a_passphrase_that_others_can_read_is_refused(files: PaillierFiles) -> None:
    assert files.passphrase_file is not None
    files.passphrase_file.chmod(0o644)
    assert "0600" in str(refusal_of(files).field)


@pytest.mark.parametrize("which", ["private_key", "registration", "passphrase_file"])
def test_an_absent_file_is_named(files: PaillierFiles, which: str) -> None:
    path: Path = getattr(files, which)
    path.unlink()
    assert path.name in str(refusal_of(files).field)


def test_a_registration_of_another_key_is_refused(files: PaillierFiles) -> None:
    files.private_key.unlink()
    save(files.private_key, other_key_2048(), PASSPHRASE, scrypt_log2_n=MIN_SCRYPT_LOG2_N)
    assert refusal_of(files).code is ErrorCode.KEY_MISMATCH


def test_a_registration_can_be_signed_again(files: PaillierFiles, federation: Federation) -> None:
    token = keystore.write_registration(files.registration, key_2048(), federation.bank_a.signer, federation.now)
    assert keystore.load(files).registration_jws == token
    assert keystore.registered_key_id(token) == key_2048().public.key_id


def test_a_registration_survives_a_power_cut(
    files: PaillierFiles, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SyncedDisk(files.registration.parent, monkeypatch)
    keystore.write_registration(files.registration, key_2048(), federation.bank_a.signer, federation.now)
    assert disk.lost() == []


def test_an_endless_registration_file_is_refused(files: PaillierFiles) -> None:
    files.registration.write_bytes(bytes(keystore.MAX_REGISTRATION_BYTES + 1))
    assert refusal_of(files).code is ErrorCode.CONFIG_INVALID
