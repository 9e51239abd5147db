"""`bank keygen`, `register-key` and the two commands that move a private key in clear, which are loudly named."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bank_client import keystore, render
from bank_client.cli_options import BANK_TOML, AsJson, Config, Development, ask_new_passphrase, ask_passphrase
from bank_client.client import BankClient
from bank_client.config import BankConfig
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.signing import InstitutionSigner
from consentgate.terminal import note, show, working
from paillier.errors import PaillierError
from paillier.private.phe_form import MAX_PRIVATE_KEY_TEXT, export_unencrypted_phe_json, import_unencrypted_phe_json
from paillier.public_key import DEFAULT_KEY_BITS

UNDERSTOOD = "--i-understand-that-the-file-is-not-encrypted"

Bits = Annotated[int, typer.Option(help="2048, 3072 or 4096.")]
RegistrationOnly = Annotated[
    bool, typer.Option(help="Keep the key, sign its registration again (after renewing a certificate).")
]
Understood = Annotated[bool, typer.Option(UNDERSTOOD, help="Required.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the `bank` program, in the order of a bank's first day."""
    app.command("keygen")(keygen)
    app.command("register-key")(register_key)
    app.command("export-phe-private-key")(export_phe_private_key)
    app.command("import-phe-private-key")(import_phe_private_key)


def keygen(
    config: Config = BANK_TOML,
    bits: Bits = DEFAULT_KEY_BITS,
    registration_only: RegistrationOnly = False,
    as_json: AsJson = False,
) -> None:
    """Make a recipient key: encrypted private key file, and the signed registration to be sent."""
    content = BankConfig.load(config)
    signer = InstitutionSigner.load(content.signing.certificate, content.signing.private_key)
    files, now = content.paillier, datetime.now(UTC)
    if registration_only:
        private = keystore.load_private(files, ask_passphrase)
        with working("Proving that the modulus is well formed"):
            keystore.write_registration(files.registration, private, signer, now)
        key_id = private.public.key_id
    else:
        secret = keystore.read_passphrase(files, ask_new_passphrase)
        with working(f"Making a key of {bits} bits and proving that it is well formed"):
            key_id = keystore.create(files, signer, secret, now, bits).key_id
    _show_key(key_id, files.registration, as_json)


def register_key(config: Config = BANK_TOML, development: Development = False, as_json: AsJson = False) -> None:
    """Register the recipient key with the gateway and the ledger. Harmless to repeat."""
    client = BankClient.from_config(config, allow_development_ca=development)
    with client as bank, working("Registering the key; gateway and ledger check its proof"):
        registered = bank.register_key()
    members = render.registered_key_members(registered)
    seq = registered.leaf.entry.seq
    show(members, [f"key {registered.key_id}", f"ledger entry {seq}, verified"], as_json)


def export_phe_private_key(
    out: Annotated[Path, typer.Argument(help="New file that will hold the UNENCRYPTED private key.")],
    understood: Understood = False,
    config: Config = BANK_TOML,
) -> None:
    """Write the private key IN CLEAR, in phe's form. Whoever reads the file can open every score ever received."""
    if not understood:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=UNDERSTOOD)
    private = keystore.load_private(BankConfig.load(config).paillier, ask_passphrase)
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(export_unencrypted_phe_json(private) + "\n")
    except OSError as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(out)) from error
    note(f"WARNING: {out} holds the private key UNENCRYPTED. Delete it as soon as it has served.")


def import_phe_private_key(
    file: Annotated[Path, typer.Argument(help="File with an UNENCRYPTED private key in phe's form.")],
    config: Config = BANK_TOML,
    as_json: AsJson = False,
) -> None:
    """Keep a key that phe made, encrypted, and sign its registration. Refused unless it is a Blum key."""
    content = BankConfig.load(config)
    signer = InstitutionSigner.load(content.signing.certificate, content.signing.private_key)
    try:
        with file.open("rb") as source:
            private = import_unencrypted_phe_json(source.read(MAX_PRIVATE_KEY_TEXT + 1))
    except OSError as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=str(file)) from error
    except PaillierError as error:
        raise keystore.key_error(file, error) from error
    secret = keystore.read_passphrase(content.paillier, ask_new_passphrase)
    with working("Proving that the modulus is well formed"):
        kept = keystore.keep(content.paillier, private, signer, secret, datetime.now(UTC))
    note(f"WARNING: {file} still holds the private key UNENCRYPTED. Delete it.")
    _show_key(kept.key_id, content.paillier.registration, as_json)


def _show_key(key_id: str, registration: Path, as_json: bool) -> None:
    members = {"key_id": key_id, "registration": str(registration)}
    show(members, [f"key {key_id}", f"registration {registration}; next: bank register-key"], as_json)
