"""RevocationService (protos/consentgate/v1/features.proto)."""

from __future__ import annotations

from consentgate.interceptors import Context, caller_of
from consentgate.v1 import features_pb2, features_pb2_grpc
from department_adapter.revocations import Revocations


class RevocationServicer(features_pb2_grpc.RevocationServiceServicer):
    """Companies reach the department without the gateway."""

    def __init__(self, revocations: Revocations) -> None:
        self._revocations = revocations

    async def SubmitRevocation(  # noqa: N802 - the name is the RPC's
        self, request: features_pb2.SubmitRevocationRequest, context: Context
    ) -> features_pb2.SubmitRevocationResponse:
        """Stored before it is acknowledged."""
        await self._revocations.submit(request.transition_jws, request.attestation_jws, caller_of(context))
        return features_pb2.SubmitRevocationResponse()
