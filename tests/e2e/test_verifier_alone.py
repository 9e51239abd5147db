"""The verifier installs and runs alone: an environment with this package and `cryptography`, and nothing else.

A new virtual environment without pip; the package is built and installed from its own `pyproject.toml`, and what it
says it requires is put beside it, file by file as its publisher installed it. Nothing is downloaded.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ledger.evidence import Material
from ledger.evidence_folder import make_bundle
from ledger.policy import LogPolicy
from tests.support.forked_log import EARLIER, forked
from tests.support.witnessed_log import policy_text

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests" / "vectors" / "ledger"
GOOD = VECTORS / "good"
POLICY = ["--policy", GOOD / "ledger-policy.txt"]
INVALID = 5

pytestmark = pytest.mark.e2e


class Bare:
    """An environment, and the one program in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        self.packages = Path(self.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Isolated: no variables, no user's packages, another working directory."""
        command = [str(self.python), "-I", *map(str, arguments)]
        return subprocess.run(
            command,
            cwd=self.folder,
            env={"LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def verify(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "ledger", *arguments)

    def install_package(self, source: Path) -> None:
        """As `pip install ./ledger` does; from a copy, because a build leaves files behind."""
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-build-isolation", "--no-deps"]
        command += ["--disable-pip-version-check", "--target", str(self.packages), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr

    def install_requirement(self, found: Distribution) -> None:
        for file in found.files or []:
            source = Path(str(found.locate_file(file)))
            if ".." not in file.parts and source.is_file():
                target = self.packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)


def required(requirements: list[str] | None) -> set[str]:
    """Of those that apply here."""
    parsed = [Requirement(text) for text in requirements or []]
    return {found.name for found in parsed if found.marker is None or found.marker.evaluate({"extra": ""})}


def everything_required(requirements: list[str] | None) -> dict[str, Distribution]:
    found: dict[str, Distribution] = {}
    waiting = list(required(requirements))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = distribution(name)
            waiting += required(found[name].requires)
    return found


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Bare:
    folder = tmp_path_factory.mktemp("alone")
    bare = Bare(folder / "environment")
    source = shutil.copytree(ROOT / "ledger", folder / "ledger", ignore=shutil.ignore_patterns("__pycache__"))
    bare.install_package(source)
    own = tomllib.loads((source / "pyproject.toml").read_text())
    for found in everything_required(own["project"]["dependencies"]).values():
        bare.install_requirement(found)
    return bare


def test_nothing_else_is_there(bare: Bare) -> None:
    names = {path.name.partition("-")[0].partition(".")[0] for path in bare.packages.iterdir()}
    assert names <= {"ledger", "consentgate_ledger", "cryptography", "cffi", "_cffi_backend", "pycparser", "bin"}
    for absent in ("sqlalchemy", "grpc", "google.protobuf", "pydantic", "typer", "consentgate", "ledger_service"):
        assert "ModuleNotFoundError" in bare.run("-c", f"import {absent}").stderr


def test_its_version_and_requirement_are_those_of_the_whole_project() -> None:
    whole, own = (tomllib.loads((ROOT / name / "pyproject.toml").read_text())["project"] for name in ("", "ledger"))
    assert own["version"] == whole["version"]
    assert own["requires-python"] == whole["requires-python"]
    assert set(own["dependencies"]) < set(whole["dependencies"])


def test_an_export_a_receipt_and_evidence_hold(bare: Bare, tmp_path: Path) -> None:
    done = bare.verify(GOOD / "export", *POLICY, "--json")
    assert (done.returncode, json.loads(done.stdout)["entries"]) == (0, 20), done.stderr
    done = bare.verify("--receipt", GOOD / "receipt-8.leaf", *POLICY)
    assert (done.returncode, done.stdout.startswith("recorded: entry 8, ")) == (0, True), done.stderr
    fork, policy = forked(3, 9, 9), tmp_path / "policy.txt"
    policy.write_text(policy_text())
    material = Material(fork.honest.note(EARLIER), fork.other.note(EARLIER))
    make_bundle(tmp_path / "bundle", material, LogPolicy.parse(policy_text()))
    done = bare.verify("--evidence", tmp_path / "bundle", "--policy", policy)
    assert (done.returncode, "the log showed two histories" in done.stdout) == (0, True), done.stderr
    (tmp_path / "bundle" / "explanation.txt").write_text("nothing happened")
    assert bare.verify("--evidence", tmp_path / "bundle", "--policy", policy).returncode == INVALID
    continued = bare.verify(GOOD / "export", *POLICY, "--earlier", GOOD / "export" / "checkpoint")
    assert continued.returncode == 0


def test_an_altered_export_and_receipt_are_refused_and_named(bare: Bare, tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path / "good")
    entries = tmp_path / "good" / "export" / "entries" / "000000000000.jsonl"
    entries.write_bytes(entries.read_bytes().replace(b'"version":1', b'"version":2', 1))
    done = bare.verify(tmp_path / "good" / "export", *POLICY, "--json")
    assert done.returncode == INVALID
    assert json.loads(done.stdout)["valid"] is False
    assert "is not the leaf that was recorded" in done.stderr
    leaf = tmp_path / "good" / "receipt-8.leaf"
    leaf.write_bytes(leaf.read_bytes()[:-1] + b" ")
    done = bare.verify("--receipt", leaf, *POLICY)
    assert (done.returncode, "ProofInvalid" in done.stderr, "Traceback" in done.stderr) == (INVALID, True, False)


def test_wrong_arguments_are_no_verdict(bare: Bare, tmp_path: Path) -> None:
    for arguments in ([], [GOOD / "export"], ["--receipt", tmp_path / "none.leaf", *POLICY]):
        done = bare.verify(*arguments)
        assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (2, "", False)
