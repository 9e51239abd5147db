"""Generates `consentgate/v1/*_pb2*.py[i]` from `protos/` with the one pinned generator.

`protos/X/Y.proto` becomes `X/Y_pb2.py` (proto path = Python path, else generated imports break). protovalidate's wheel
ships no .proto file, so its descriptor set is taken from the installed package and handed to protoc.

Usage: python -m dev.generate_stubs [--out DIR]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from grpc_tools import protoc
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
SCRIPTS = Path(sys.executable).parent
ABSENT_IMPORT = "from buf.validate import validate_pb2 as"
OWN_IMPORT = "from consentgate import validate_descriptor as"
IMPORTED = (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2)


def imported_descriptors() -> bytes:
    """A serialized FileDescriptorSet with protovalidate's file and the well-known types, imports first."""
    bundle = descriptor_pb2.FileDescriptorSet()
    for module in IMPORTED:
        module.DESCRIPTOR.CopyToProto(bundle.file.add())
    bundle.file.add().ParseFromString(validate_pb.desc().proto.to_binary())
    return bundle.SerializeToString()


def generate(out: Path) -> None:
    """Runs protoc over every file in `protos/`; raises SystemExit with protoc's code on failure."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        imported = Path(scratch) / "imported.binpb"
        imported.write_bytes(imported_descriptors())
        code = protoc.main(
            [
                "protoc",
                f"-I{PROTOS}",
                f"--descriptor_set_in={imported}",
                f"--plugin=protoc-gen-mypy={SCRIPTS / 'protoc-gen-mypy'}",
                f"--plugin=protoc-gen-mypy_grpc={SCRIPTS / 'protoc-gen-mypy_grpc'}",
                f"--python_out={out}",
                f"--grpc_python_out={out}",
                f"--mypy_out=quiet:{out}",
                f"--mypy_grpc_out=quiet:{out}",
                *sources,
            ]
        )
    if code:
        raise SystemExit(code)
    for stub in (out / "consentgate" / "v1").glob("*_pb2.py"):
        stub.write_text(stub.read_text().replace(ABSENT_IMPORT, OWN_IMPORT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT)
    generate(parser.parse_args().out)


if __name__ == "__main__":
    main()
