"""Who may call what: the table, the RPCs in the descriptors and the proto comments agree."""

from __future__ import annotations

import re

import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from consentgate.authz import ALLOWED_ROLES, authorize
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.identity import Role, SpiffeId
from tests.architecture.contract import OWN_FILES, comments

CALLERS = re.compile(r"^ ?Callers: ([a-z, ]+)\.$", re.MULTILINE)


def test_table_lists_exactly_the_rpcs_of_all_servers():
    own = {f"/consentgate.v1.{service.name}/{method.name}" for service, method in _rpcs()}
    foreign = {
        f"/{service.full_name}/{method.name}"
        for file in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)
        for service in file.services_by_name.values()
        for method in service.methods
    }
    assert set(ALLOWED_ROLES) == own | foreign


def test_every_rpc_admits_somebody_and_none_admits_all_but_the_common_ones():
    for method, roles in ALLOWED_ROLES.items():
        assert roles
        assert method.startswith("/grpc.") or roles != frozenset(Role)


def test_proto_comments_name_the_callers():
    """ROLE_NOT_ALLOWED sends its reader there."""
    for file in OWN_FILES:
        said = comments(file)
        for service_index, service in enumerate(file.service):
            for method_index, method in enumerate(service.method):
                found = CALLERS.search(said.get((6, service_index, 2, method_index), ""))
                assert found, f"{service.name}.{method.name}"
                roles = ALLOWED_ROLES[f"/consentgate.v1.{service.name}/{method.name}"]
                assert found[1].split(", ") == sorted(roles), f"{service.name}.{method.name}"


@pytest.mark.parametrize("role", Role)
def test_a_method_outside_the_table_is_refused_for_everybody(role: Role):
    caller = SpiffeId("consentgate.test", role, "somebody")
    for method in ("/consentgate.v1.ScoringService/Unknown", "Score", "", "/grpc.health.v1.Health/"):
        with pytest.raises(ConsentgateError) as caught:
            authorize(caller, method)
        assert caught.value.code is ErrorCode.ROLE_NOT_ALLOWED


def _rpcs() -> list[tuple[descriptor_pb2.ServiceDescriptorProto, descriptor_pb2.MethodDescriptorProto]]:
    return [(service, method) for file in OWN_FILES for service in file.service for method in service.method]
