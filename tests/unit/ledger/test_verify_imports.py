"""An auditor installs almost nothing: verifier, evidence and replay import nothing but cryptography."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys

BLOCKED = {"sqlalchemy", "alembic", "grpc", "google", "pydantic", "structlog", "typer", "sqlite3", "consentgate"}


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked")
        return None


sys.meta_path.insert(0, Blocker())

from pathlib import Path

import ledger.evidence_folder
import ledger.refused
import ledger.replay
from ledger.policy import LogPolicy
from ledger.verify import verify_export

folder = Path(sys.argv[1])
report = verify_export(folder / "export", LogPolicy.parse((folder / "ledger-policy.txt").read_text()))
outside = {
    name.partition(".")[0]
    for name in sys.modules
    if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith("_")
}
print(report.checkpoint.size, *sorted(outside))
"""


def test_verifies_with_nothing_but_cryptography() -> None:
    good = ROOT / "tests" / "vectors" / "ledger" / "good"
    command = [sys.executable, "-c", PROGRAM, str(good)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    size, *modules = done.stdout.split()
    assert size == "20"
    assert set(modules) <= {"cffi", "cryptography", "ledger"}
