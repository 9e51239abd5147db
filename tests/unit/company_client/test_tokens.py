"""A token is chosen once per grantee group, survives, and is nobody else's business."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from company_client.tokens import TokenStore
from consentgate.errors import ConsentgateError, ErrorCode
from tests.support.federation import hex16


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    return TokenStore(tmp_path / "tokens.json")


def test_a_group_keeps_its_token(store: TokenStore) -> None:
    token = store.token_for("group-a")
    assert TokenStore(store.path).token_for("group-a") == token
    assert store.all() == {"group-a": token}


def test_groups_cannot_be_linked_by_their_tokens(store: TokenStore) -> None:
    assert store.token_for("group-a") != store.token_for("group-b")


def test_tokens_of_two_companies_differ(store: TokenStore, tmp_path: Path) -> None:
    assert store.token_for("group-a") != TokenStore(tmp_path / "other.json").token_for("group-a")


def test_the_file_is_for_its_owner_only(store: TokenStore) -> None:
    store.token_for("group-a")
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_an_absent_store_is_empty(store: TokenStore) -> None:
    assert store.all() == {}
    assert store.version_of(hex16("consent")) is None


def test_the_newest_version_of_a_consent_is_remembered(store: TokenStore) -> None:
    for version in (1, 3, 2):
        store.remember(hex16("consent"), version, "group-a", hex16("token"))
    assert store.version_of(hex16("consent")) == 3
    assert store.groups() == {hex16("token"): "group-a"}


def test_another_token_for_a_known_group_is_refused(store: TokenStore) -> None:
    """Departments would refuse it, and the company would lose sight of half its accesses."""
    token = store.token_for("group-a")
    with pytest.raises(ConsentgateError) as refusal:
        store.remember(hex16("consent"), 1, "group-a", hex16("another"))
    assert refusal.value.code is ErrorCode.CONFIG_INVALID
    assert store.all() == {"group-a": token}


def test_one_token_for_two_groups_is_refused(store: TokenStore) -> None:
    token = store.token_for("group-a")
    with pytest.raises(ConsentgateError) as refusal:
        store.remember(hex16("consent"), 1, "group-b", token)
    assert refusal.value.code is ErrorCode.CONFIG_INVALID
    assert store.all() == {"group-a": token}


@pytest.mark.parametrize("group", ["", "Group A", "../x", "a" * 65])
def test_a_malformed_group_is_refused(store: TokenStore, group: str) -> None:
    with pytest.raises(ConsentgateError) as refusal:
        store.token_for(group)
    assert refusal.value.code is ErrorCode.INVALID_ARGUMENT_FIELD
    assert not store.path.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"version":2,"tokens":{}}',
        b'{"version":1,"tokens":{"group-a":"short"}}',
        b'{"version":1,"tokens":{},"extra":1}',
        b'{"version":1,"tokens":{},"tokens":{}}',
    ],
    ids=["empty", "list", "truncated", "version unknown", "no token", "member unknown", "member twice"],
)
def test_a_damaged_store_is_refused_and_left_alone(store: TokenStore, content: bytes) -> None:
    store.path.write_bytes(content)
    with pytest.raises(ConsentgateError) as refusal:
        store.token_for("group-a")
    assert refusal.value.code is ErrorCode.CONFIG_INVALID
    assert store.path.read_bytes() == content


def test_many_at_once_choose_one_token(store: TokenStore) -> None:
    chosen: list[str] = []
    threads = [threading.Thread(target=lambda: chosen.append(store.token_for("group-a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(chosen) == 8
    assert len(set(chosen)) == 1


def test_a_token_that_could_not_be_kept_is_not_given_out(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    kept = store.token_for("group-a")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConsentgateError) as refusal:
        store.token_for("group-b")
    assert refusal.value.code is ErrorCode.CONFIG_INVALID
    assert store.all() == {"group-a": kept}
    assert [path.name for path in store.path.parent.iterdir() if path.name.startswith(".tokens.json.")] == [
        ".tokens.json.lock"
    ]
