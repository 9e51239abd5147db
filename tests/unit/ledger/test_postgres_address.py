"""Addresses of PostgreSQL databases: no secret in them, nothing unknown, nothing in clear over a network."""

from __future__ import annotations

import pytest

from ledger.storage.postgres_address import parse_address


def test_by_socket() -> None:
    found = parse_address("postgresql://ledger_app@/ledger?host=/run/postgresql&port=5433")
    assert found == {"user": "ledger_app", "dbname": "ledger", "host": "/run/postgresql", "port": "5433"}


def test_over_tcp_the_server_is_always_verified() -> None:
    found = parse_address("postgresql://ledger_app@db.example:5432/ledger?sslrootcert=/etc/ca.pem&passfile=/etc/pass")
    assert found["sslmode"] == "verify-full"
    assert found["passfile"] == "/etc/pass"
    assert parse_address("postgresql://u@h/d?sslmode=verify-full&sslrootcert=system")["sslrootcert"] == "system"


@pytest.mark.parametrize(
    ("address", "flaw"),
    [
        ("sqlite:///ledger.db", "does not begin"),
        ("postgresql://u:secret@h/d", "no password"),
        ("postgresql://u@h/d?password=secret", "unknown parameter"),
        ("postgresql://u@h/d?options=-csynchronous_commit%3Doff", "unknown parameter"),
        ("postgresql://u@h/d?sslmode=disable", "verify-full"),
        ("postgresql://u@/d?host=h&sslmode=prefer", "verify-full"),
        ("postgresql://u@h/d?host=/run/postgresql", "given twice"),
        ("postgresql://u@/d?host=a,b", "several hosts"),
        ("postgresql://u@/d", "no host"),
        ("postgresql://u@h", "no database"),
        ("postgresql://u@h/d?passfile=pass", "absolute"),
        ("postgresql://u@h:port/d", "malformed"),
        ("postgresql://u@h/d?passfile", "malformed"),
    ],
)
def test_a_flaw_is_named_and_no_value_told(address: str, flaw: str) -> None:
    with pytest.raises(ValueError, match=flaw) as caught:
        parse_address(address)
    assert "secret" not in str(caught.value)
