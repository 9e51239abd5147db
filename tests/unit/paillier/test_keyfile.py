"""The private key file: round trip, and every way in which it can be wrong."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from paillier import errors
from paillier.private import PrivateKey, keyfile, load, save
from paillier.private.keyfile import MAX_FILE_BYTES, MAX_SCRYPT_LOG2_N, MIN_SCRYPT_LOG2_N
from tests.support.paillier_keys import key_3072, other_key_2048

PASSPHRASE = b"correct horse battery"


@pytest.fixture
def path(tmp_path: Path, key: PrivateKey) -> Path:
    file = tmp_path / "bank.key"
    save(file, key, PASSPHRASE, scrypt_log2_n=MIN_SCRYPT_LOG2_N)
    return file


def rewrite(path: Path, **changes: Any) -> None:
    document = json.loads(path.read_text())
    for member, value in changes.items():
        outer, _, inner = member.partition("__")
        if inner:
            document[outer][inner] = value
        else:
            document[outer] = value
    path.write_text(json.dumps(document))


def test_round_trip(path: Path, key: PrivateKey) -> None:
    assert load(path, PASSPHRASE) == key


def test_default_cost_and_default_key_size(tmp_path: Path) -> None:
    save(tmp_path / "k", key_3072(), PASSPHRASE)
    assert json.loads((tmp_path / "k").read_text())["kdf"]["n"] == 1 << 17
    assert load(tmp_path / "k", PASSPHRASE) == key_3072()


def test_the_file_is_private_whatever_the_umask(tmp_path: Path, key: PrivateKey) -> None:
    before = os.umask(0)
    try:
        save(tmp_path / "k", key, PASSPHRASE, scrypt_log2_n=MIN_SCRYPT_LOG2_N)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["k"]


def test_the_file_holds_no_prime_in_clear(path: Path, key: PrivateKey) -> None:
    text = path.read_text()
    for prime in (int(key.p), int(key.q)):
        assert f"{prime:x}" not in text
        assert str(prime) not in text


def test_two_saves_of_one_key_share_no_salt_nonce_or_ciphertext(tmp_path: Path, key: PrivateKey) -> None:
    documents = []
    for name in ("a", "b"):
        save(tmp_path / name, key, PASSPHRASE, scrypt_log2_n=MIN_SCRYPT_LOG2_N)
        documents.append(json.loads((tmp_path / name).read_text()))
    first, second = documents
    assert first["kdf"]["salt"] != second["kdf"]["salt"]
    assert first["cipher"]["nonce"] != second["cipher"]["nonce"]
    assert first["ciphertext"] != second["ciphertext"]


def test_an_existing_file_is_not_replaced_silently(path: Path, key: PrivateKey) -> None:
    with pytest.raises(errors.KeyFileExists):
        save(path, other_key_2048(), PASSPHRASE, scrypt_log2_n=MIN_SCRYPT_LOG2_N)
    assert load(path, PASSPHRASE) == key
    assert len(list(path.parent.iterdir())) == 1


def test_overwriting_replaces_it(path: Path) -> None:
    save(path, other_key_2048(), PASSPHRASE, overwrite=True, scrypt_log2_n=MIN_SCRYPT_LOG2_N)
    assert load(path, PASSPHRASE) == other_key_2048()


def test_wrong_passphrase(path: Path) -> None:
    with pytest.raises(errors.KeyFileDecryption):
        load(path, PASSPHRASE + b" ")


def test_short_passphrase_and_weak_cost_are_refused(tmp_path: Path, key: PrivateKey) -> None:
    with pytest.raises(errors.PassphraseTooShort):
        save(tmp_path / "k", key, b"1234567")
    with pytest.raises(errors.ParameterOutOfRange):
        save(tmp_path / "k", key, PASSPHRASE, scrypt_log2_n=MIN_SCRYPT_LOG2_N - 1)
    assert not (tmp_path / "k").exists()


@pytest.mark.parametrize("log2_n", [MIN_SCRYPT_LOG2_N, MAX_SCRYPT_LOG2_N])
def test_every_cost_within_the_bounds_is_written_and_read(
    tmp_path: Path, key: PrivateKey, monkeypatch: pytest.MonkeyPatch, log2_n: int
) -> None:
    """The derivation itself is left out: the dearest one takes a gibibyte."""
    monkeypatch.setattr(keyfile, "_derive", lambda _passphrase, header: header["kdf"]["n"].to_bytes(32, "big"))
    save(tmp_path / "k", key, PASSPHRASE, scrypt_log2_n=log2_n)
    assert json.loads((tmp_path / "k").read_text())["kdf"]["n"] == 1 << log2_n
    assert load(tmp_path / "k", PASSPHRASE) == key


@pytest.mark.parametrize("log2_n", [MIN_SCRYPT_LOG2_N - 1, MAX_SCRYPT_LOG2_N + 1])
def test_every_cost_outside_the_bounds_is_refused_when_writing_and_when_reading(
    path: Path, key: PrivateKey, log2_n: int
) -> None:
    with pytest.raises(errors.ParameterOutOfRange):
        save(path.with_name("k"), key, PASSPHRASE, scrypt_log2_n=log2_n)
    rewrite(path, kdf__n=1 << log2_n)
    with pytest.raises(errors.KeyFileFormat):
        load(path, PASSPHRASE)


def test_a_passphrase_of_the_least_length_is_enough(tmp_path: Path, key: PrivateKey) -> None:
    save(tmp_path / "k", key, b"12345678", scrypt_log2_n=MIN_SCRYPT_LOG2_N)
    assert load(tmp_path / "k", b"12345678") == key


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(errors.KeyFileMissing):
        load(tmp_path / "nothing", PASSPHRASE)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_file_that_others_can_reach_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(errors.KeyFilePermissions):
        load(path, PASSPHRASE)


def test_what_is_not_a_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for name in ("pipe", "folder"):
        with pytest.raises(errors.KeyFileFormat):
            load(tmp_path / name, PASSPHRASE)


@pytest.mark.parametrize("kept", [0, 1, 100, -3], ids=["empty", "one_byte", "start", "all_but_the_end"])
def test_a_truncated_file(path: Path, kept: int) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:kept])
    with pytest.raises(errors.KeyFileFormat):
        load(path, PASSPHRASE)


def test_an_oversized_file(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" " * MAX_FILE_BYTES)
    with pytest.raises(errors.KeyFileFormat):
        load(path, PASSPHRASE)


def flip_last_hex_digit(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


@pytest.mark.parametrize("member", ["ciphertext", "key_id", "kdf__salt", "cipher__nonce"])
def test_a_flipped_bit_in_any_field_is_noticed(path: Path, member: str) -> None:
    document = json.loads(path.read_text())
    outer, _, inner = member.partition("__")
    old = document[outer][inner] if inner else document[outer]
    rewrite(path, **{member: flip_last_hex_digit(old)})
    with pytest.raises(errors.KeyFileDecryption):
        load(path, PASSPHRASE)


def test_the_authenticated_cost_cannot_be_changed(path: Path) -> None:
    rewrite(path, kdf__n=1 << 15)
    with pytest.raises(errors.KeyFileDecryption):
        load(path, PASSPHRASE)


BAD_MEMBERS: dict[str, dict[str, Any]] = {
    "unknown_format": {"format": "other"},
    "newer_version": {"version": 2},
    "extra_member": {"comment": "x"},
    "size_not_allowed": {"bits": 1024},
    "size_as_text": {"bits": "2048"},
    "kdf_missing": {"kdf": None},
    "kdf_unknown": {"kdf__name": "pbkdf2"},
    "kdf_too_weak": {"kdf__n": 2},
    "kdf_exhausts_memory": {"kdf__n": 1 << 30},
    "kdf_not_a_power_of_two": {"kdf__n": 100_000},
    "kdf_block_size": {"kdf__r": 1 << 20},
    "kdf_parallel": {"kdf__p": 0},
    "kdf_cost_as_bool": {"kdf__p": True},
    "kdf_cost_as_text": {"kdf__n": "131072"},
    "salt_short": {"kdf__salt": "00"},
    "salt_upper_case": {"kdf__salt": "AB" * 16},
    "cipher_missing": {"cipher": []},
    "cipher_unknown": {"cipher__name": "none"},
    "nonce_not_hex": {"cipher__nonce": "zz" * 12},
    "ciphertext_short": {"ciphertext": "00" * 10},
    "ciphertext_number": {"ciphertext": 7},
    "key_id_short": {"key_id": "00"},
}


@pytest.mark.parametrize("defect", BAD_MEMBERS)
def test_a_bad_member_is_refused_before_the_costly_derivation(path: Path, defect: str) -> None:
    rewrite(path, **BAD_MEMBERS[defect])
    with pytest.raises(errors.KeyFileFormat):
        load(path, PASSPHRASE)


@pytest.mark.parametrize("text", ["[]", "nonsense", "[" * 9000, "\u00e9"])
def test_what_is_not_a_key_document_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(errors.KeyFileFormat):
        load(path, PASSPHRASE)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, key: PrivateKey, monkeypatch: Any) -> None:
    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path / "k", key, PASSPHRASE, scrypt_log2_n=MIN_SCRYPT_LOG2_N)
    assert list(tmp_path.iterdir()) == []
