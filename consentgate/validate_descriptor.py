"""Registers `buf/validate/validate.proto` in protobuf's default pool, so that generated stubs can refer to it.

protovalidate ships its rules' descriptor but no `validate_pb2` module; the generator (`dev/generate_stubs.py`) rewrites
the import of that absent module into an import of this one. Importing is all there is to do.
"""

from google.protobuf import (  # the well-known files validate.proto imports must be in the pool before it
    descriptor_pb2,  # noqa: F401
    descriptor_pool,
    duration_pb2,  # noqa: F401
    field_mask_pb2,  # noqa: F401
    timestamp_pb2,  # noqa: F401
)
from protovalidate._gen.buf.validate import validate_pb

descriptor_pool.Default().AddSerializedFile(validate_pb.desc().proto.to_binary())
