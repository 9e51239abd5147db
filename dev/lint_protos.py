"""Lints `protos/` with buf, offline: python -m dev.lint_protos

buf would fetch `buf/validate/validate.proto` from its registry. Instead it is given an image: the descriptors that the
pinned protoc makes, comments included, with protovalidate's own from the installed package. The rules stand in
`protos/buf.yaml`. From the first release on the same image is compared with the released one (`buf breaking`).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from dev.generate_stubs import PROTOS, SCRIPTS, imported_descriptors

OWN_FOLDER = "consentgate"
"""Only files of this folder are judged; the others in the image are imports."""


def image() -> descriptor_pb2.FileDescriptorSet:
    """Descriptors of all files in `protos/` and of what they import, with comments."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        imported, out = Path(scratch) / "imported.binpb", Path(scratch) / "image.binpb"
        imported.write_bytes(imported_descriptors())
        options = [f"-I{PROTOS}", f"--descriptor_set_in={imported}", f"--descriptor_set_out={out}"]
        code = protoc.main(["protoc", *options, "--include_imports", "--include_source_info", *sources])
        if code:
            raise SystemExit(code)
        return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())


def findings(descriptors: descriptor_pb2.FileDescriptorSet) -> list[str]:
    """What buf dislikes, one line each."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "image.binpb"
        path.write_bytes(descriptors.SerializeToString())
        rules = ["--config", str(PROTOS / "buf.yaml"), "--path", OWN_FOLDER]
        command = [str(SCRIPTS / "buf"), "lint", str(path), *rules]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=scratch)
    lines = (done.stdout + done.stderr).splitlines()
    return lines or [f"buf ended with code {done.returncode}"] * bool(done.returncode)


def main() -> None:
    found = findings(image())
    if found:
        sys.exit("\n".join(found))
    print("buf finds nothing to object to in protos/.")


if __name__ == "__main__":
    main()
