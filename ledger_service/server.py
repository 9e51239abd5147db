"""The two processes of this package: the ledger, and a witness that is nobody's adapter (the regulator's)."""

from __future__ import annotations

import asyncio
from functools import partial

from consentgate.anchors import Anchors
from consentgate.error_status import translate
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.server import ServerLimits, build_server, serve_until_signal
from consentgate.tls import TlsFiles
from ledger.errors import LedgerError
from ledger.note import SignatureType
from ledger.policy import LogPolicy
from ledger.witness import Witness
from ledger_service.config import LedgerConfig, WitnessConfig, WitnessKey
from ledger_service.embedded import EmbeddedLedger
from ledger_service.keys import load_signer
from ledger_service.witness_servicer import witness_service

STOP_GRACE_SECONDS = 2.0
"""Tails never end by themselves, so the whole grace passes at every stop; appends need far less."""
CONCURRENT_CALLS = 1024
"""Every department's tail is one call that stays, and a refused append would only come again."""


async def serve_ledger(config: LedgerConfig, *, allow_development_ca: bool = False) -> None:
    """Serves until a signal. Witnesses may come up later: until a quorum of them did, health says NOT_SERVING."""
    anchors = Anchors.load(config.anchors)
    tls = TlsFiles(config.tls.certificate, config.tls.private_key, anchors.member_ca)
    ledger = EmbeddedLedger.open(config, anchors, tls, allow_development_ca=allow_development_ca)
    server = await build_server(
        tls,
        config.listen,
        ledger.services(),
        limits=ServerLimits(concurrent_calls=CONCURRENT_CALLS, stop_grace_seconds=STOP_GRACE_SECONDS),
        truth=ledger.check,
        allow_development_ca=allow_development_ca,
    )
    await serve_until_signal(server, ready_file=config.ready_file, background=[ledger.run()])


async def serve_witness(config: WitnessConfig, *, allow_development_ca: bool = False) -> None:
    """Serves until a signal; healthy while the state file can be read and nothing shows that the log forked."""
    anchors = Anchors.load(config.anchors)
    tls = TlsFiles(config.tls.certificate, config.tls.private_key, anchors.member_ca)
    witness = open_witness(config.witness, anchors.log_policy)

    server = await build_server(
        tls,
        config.listen,
        [witness_service(witness)],
        truth=partial(check_witness, witness),
        allow_development_ca=allow_development_ca,
    )
    await serve_until_signal(server, ready_file=config.ready_file)


async def check_witness(witness: Witness) -> None:
    """Raises what is wrong with the witness, or LEDGER_INVALID while it keeps a fork: whoever watches it must know.
    It cosigns all the same, one history as before.
    """
    try:
        await asyncio.to_thread(witness.known_size)
    except LedgerError as error:
        raise translate(error) from error
    if witness.refusals.forks():
        raise ConsentgateError(ErrorCode.LEDGER_INVALID, field="witness")


_UNLISTED = (
    "The ledger policy lists no witness of this name with this key. Compare witness.name and the key with the line that"
    " `ledger keygen --witness` showed, and have every member's policy list it."
)


def open_witness(key: WitnessKey, policy: LogPolicy) -> Witness:
    """The witness for the policy's log; raises CONFIG_INVALID, also when the policy does not know its key."""
    signer = load_signer(key.signing_key, key.name, SignatureType.COSIGNATURE)
    if policy.witness_of(signer.verifier_key) is None:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field="witness.signing_key", hint=_UNLISTED)
    try:
        return Witness(signer, policy.logs, key.state)
    except LedgerError as error:
        raise translate(error) from error
