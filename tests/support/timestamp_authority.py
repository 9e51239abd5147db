"""A timestamp authority: OpenSSL's `ts` with certificates made for the test, on a loopback port."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

EXTENSIONS = """
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
"""
CONFIGURATION = """
[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.55555.1
digests = sha256
ess_cert_id_alg = sha256
"""


@dataclass(frozen=True)
class Authority:
    """Its files; `answer` is what it says to a query."""

    folder: Path

    @property
    def roots(self) -> Path:
        """The certificate that vouches for it."""
        return self.folder / "ca.pem"

    def answer(self, query: bytes) -> bytes:
        """A response in DER."""
        (self.folder / "query").write_bytes(query)
        command = ["ts", "-reply", "-config", self.folder / "tsa.cnf", "-queryfile", self.folder / "query"]
        return _openssl(*command, "-out", "-")

    def verifies(self, token: Path, note: Path) -> bool:
        """Whether OpenSSL accepts a token over a note."""
        command = ["openssl", "ts", "-verify", "-token_in", "-in", token, "-data", note, "-CAfile", self.roots]
        done = subprocess.run(command, capture_output=True, check=False, timeout=30)
        return done.returncode == 0


def make_authority(folder: Path) -> Authority:
    """Root, authority and its configuration in `folder`."""
    folder.mkdir(parents=True)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    _openssl("req", "-x509", *key, "-keyout", folder / "ca.key", "-out", folder / "ca.pem", "-subj", "/CN=Root")
    _openssl("req", *key, "-keyout", folder / "tsa.key", "-out", folder / "tsa.csr", "-subj", "/CN=Authority")
    (folder / "extensions").write_text(EXTENSIONS)
    command = ["x509", "-req", "-in", folder / "tsa.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"]
    _openssl(*command, "-CAcreateserial", "-extfile", folder / "extensions", "-out", folder / "tsa.pem")
    (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))
    (folder / "serial").write_text("01\n")
    return Authority(folder)


@contextmanager
def serving(authority: Authority, status: int = 200) -> Iterator[str]:
    """Its address, while the block lasts; with another status than 200 it only refuses."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            if status == 200 and self.headers["Content-Type"] == "application/timestamp-query":
                self.wfile.write(authority.answer(query))

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsa"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _openssl(*arguments: object) -> bytes:
    command = ["openssl", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
