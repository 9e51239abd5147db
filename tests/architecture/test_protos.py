"""The contract's own rules: comments, bounds, pairs of messages, no fractions, fresh stubs, buf's lint."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from consentgate.v1 import consent_pb2, evidence_pb2, features_pb2, keys_pb2, ledger_pb2, scorecard_pb2, scoring_pb2
from dev.check_stubs import differing_stubs
from dev.lint_protos import findings
from tests.architecture.contract import IMAGE, MESSAGES, OWN_FILES, comments
from tests.architecture.sources import ROOT

MODULES = (consent_pb2, evidence_pb2, features_pb2, keys_pb2, ledger_pb2, scorecard_pb2, scoring_pb2)
FRACTIONS = {FieldDescriptorProto.TYPE_FLOAT, FieldDescriptorProto.TYPE_DOUBLE}
BOUNDED = {
    FieldDescriptorProto.TYPE_STRING,
    FieldDescriptorProto.TYPE_BYTES,
    FieldDescriptorProto.TYPE_UINT32,
    FieldDescriptorProto.TYPE_UINT64,
}
RULES = descriptor_pool.Default().FindExtensionByName("buf.validate.field")
OWN_MESSAGES = {name: found for module in MODULES for name, found in module.DESCRIPTOR.message_types_by_name.items()}
REQUESTS = sorted({method.input_type.rpartition(".")[2] for f in OWN_FILES for s in f.service for method in s.method})


def test_every_file_is_seen():
    assert {file.name for file in OWN_FILES} == {module.DESCRIPTOR.name for module in MODULES}


def test_every_element_has_a_comment():
    """Services, RPCs, fields, enumerations and their values; messages unless they are a Request or Response."""
    silent = []
    for file in OWN_FILES:
        said = comments(file)
        silent += [name for path, name in _elements(file) if path not in said]
    assert not silent


def test_no_field_can_hold_a_fraction():
    fields = [(message.name, field) for message in MESSAGES.values() for field in message.field]
    assert len(fields) > 80
    assert not [f"{message}.{field.name}" for message, field in fields if field.type in FRACTIONS]


@pytest.mark.parametrize("request_name", REQUESTS)
def test_every_bounded_field_of_a_request_has_a_constraint(request_name: str):
    unbounded = [field.full_name for field in _fields_within(OWN_MESSAGES[request_name]) if not _is_bounded(field)]
    assert not unbounded


def test_every_rpc_has_a_request_and_a_response_of_its_own():
    for file in OWN_FILES:
        for service in file.service:
            for method in service.method:
                assert method.input_type.endswith(f".{method.name}Request")
                assert method.output_type.endswith(f".{method.name}Response")


def test_files_say_their_licence():
    for path in (ROOT / "protos").rglob("*.proto"):
        assert path.read_text("utf-8").startswith("// SPDX-License-Identifier: Apache-2.0\n")


def test_stubs_equal_a_fresh_generation():
    assert differing_stubs() == []


def test_buf_finds_nothing():
    assert findings(IMAGE) == []


def test_buf_really_judges():
    spoilt = deepcopy(IMAGE)
    next(file for file in spoilt.file if file.name == OWN_FILES[0].name).message_type[0].field[0].name = "BadName"
    assert any("BadName" in line for line in findings(spoilt))


def _elements(file) -> Iterator[tuple[tuple[int, ...], str]]:
    for index, service in enumerate(file.service):
        yield (6, index), service.name
        for number, method in enumerate(service.method):
            yield (6, index, 2, number), f"{service.name}.{method.name}"
    for index, message in enumerate(file.message_type):
        if not message.name.endswith(("Request", "Response")):
            yield (4, index), message.name
        for number, field in enumerate(message.field):
            yield (4, index, 2, number), f"{message.name}.{field.name}"
    for index, enumeration in enumerate(file.enum_type):
        yield (5, index), enumeration.name
        for number, value in enumerate(enumeration.value):
            yield (5, index, 2, number), f"{enumeration.name}.{value.name}"


def _fields_within(message: Descriptor) -> Iterator[FieldDescriptor]:
    """Fields of a request and of our own messages inside of it."""
    for field in message.fields:
        yield field
        if field.message_type is not None and field.message_type.file.package == message.file.package:
            yield from _fields_within(field.message_type)


def _is_bounded(field: FieldDescriptor) -> bool:
    """Texts, bytes, numbers and lists need a rule; our own messages must be required; a flag and a moment need none."""
    rules = field.GetOptions().Extensions[RULES]
    if field.is_repeated:
        return rules.HasField("repeated") and rules.repeated.max_items > 0
    if field.message_type is not None:
        return field.message_type.file.package == "google.protobuf" or rules.required
    if field.type in BOUNDED:
        return any(rules.HasField(kind) for kind in ("string", "bytes", "uint32", "uint64"))
    return field.type == FieldDescriptor.TYPE_BOOL
