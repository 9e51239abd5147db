"""The protos as descriptors with comments, made once by the pinned protoc."""

from __future__ import annotations

from google.protobuf import descriptor_pb2

from dev.lint_protos import OWN_FOLDER, image

IMAGE = image()
OWN_FILES: list[descriptor_pb2.FileDescriptorProto] = [
    file for file in IMAGE.file if file.name.startswith(f"{OWN_FOLDER}/")
]
MESSAGES = {message.name: message for file in OWN_FILES for message in file.message_type}


def comments(file: descriptor_pb2.FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """Path of an element inside the file → the comment before it (descriptor.proto, SourceCodeInfo)."""
    return {
        tuple(location.path): location.leading_comments
        for location in file.source_code_info.location
        if location.leading_comments.strip()
    }
