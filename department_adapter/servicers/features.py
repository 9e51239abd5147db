"""FeatureService (protos/consentgate/v1/features.proto)."""

from __future__ import annotations

from consentgate import canonical, convert
from consentgate.interceptors import Context
from consentgate.v1 import features_pb2, features_pb2_grpc
from department_adapter.catalogue import Catalogue
from department_adapter.release import Releases


class FeatureServicer(features_pb2_grpc.FeatureServiceServicer):
    """Encrypted features against evidence, and what there is."""

    def __init__(self, releases: Releases, catalogue: Catalogue) -> None:
        self._releases = releases
        self._catalogue = catalogue

    async def GetFeatures(  # noqa: N802 - the name is the RPC's
        self, request: features_pb2.GetFeaturesRequest, _context: Context
    ) -> features_pb2.GetFeaturesResponse:
        """Decides on the bundle alone: who carried it here does not matter."""
        answer = await self._releases.answer(convert.bundle_from_message(request.evidence))
        return features_pb2.GetFeaturesResponse(answer_jws=answer.answer_jws, ciphertexts=answer.ciphertexts)

    async def GetCatalogue(  # noqa: N802
        self, _request: features_pb2.GetCatalogueRequest, _context: Context
    ) -> features_pb2.GetCatalogueResponse:
        """The columns; no data."""
        return features_pb2.GetCatalogueResponse(
            department=self._catalogue.department,
            version=self._catalogue.version,
            columns=[
                features_pb2.CatalogueColumn(
                    category=entry.category,
                    specification=canonical.encode(entry.column.to_json()),
                    high_risk=entry.high_risk,
                )
                for entry in self._catalogue.columns
            ],
        )
