"""A company's connections: to its gateway, or to a department when the gateway does not do its duty."""

from __future__ import annotations

import grpc

from company_client.config import CompanyConfig
from consentgate.anchors import Anchors
from consentgate.channel import open_channel
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import IdentityInvalid, SpiffeId
from consentgate.tls import TlsFiles


def connect(
    config: CompanyConfig, anchors: Anchors, address: str, peer: str, *, allow_development_ca: bool = False
) -> grpc.Channel:
    """A channel to `address`, on which only `peer` can answer; raises CERTIFICATE_*, DEVELOPMENT_CA."""
    try:
        expected = SpiffeId.parse(peer)
    except IdentityInvalid as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="peer") from error
    files = TlsFiles(config.tls.certificate, config.tls.private_key, anchors.member_ca)
    return open_channel(address, expected, files, allow_development_ca=allow_development_ca)
