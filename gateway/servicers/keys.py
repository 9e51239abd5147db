"""KeyService (protos/consentgate/v1/keys.proto)."""

from __future__ import annotations

from consentgate import convert
from consentgate.interceptors import Context, caller_of
from consentgate.v1 import keys_pb2, keys_pb2_grpc
from gateway.keys import RecipientKeys


class KeyServicer(keys_pb2_grpc.KeyServiceServicer):
    """Banks register the keys under which they receive scores."""

    def __init__(self, keys: RecipientKeys) -> None:
        self._keys = keys

    async def RegisterKey(  # noqa: N802 - the name is the RPC's
        self, request: keys_pb2.RegisterKeyRequest, context: Context
    ) -> keys_pb2.RegisterKeyResponse:
        """Verifies the proof and records the registration."""
        key_id, receipt = await self._keys.register(request.registration_jws, caller_of(context))
        return keys_pb2.RegisterKeyResponse(key_id=key_id, receipt=convert.receipt_to_message(receipt))
