"""A seeded mutation run over `paillier/`: python -m tests.mutation.paillier [--seed N] [--per-module N] [NAME …]

mutmut 3 changes one place of one function at a time and runs the tests of tests/unit/paillier that reach this function;
a mutant that no test refuses has survived. All 3,000 would take hours, so a seed chooses some of every module. Mutants
that alter nothing but the text of an error are left out before: an error's class is its contract, its words are not.
`make mutation` installs mutmut into build/mutation and calls this; survivors are argued in docs/paillier-mutants.md.

mutmut leaves alone: constants of modules and classes, properties and other decorated functions.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from mutmut.mutation.file_mutation import mutate_file_contents

ROOT = Path(__file__).parents[2]
TREE = ROOT / "build" / "mutation" / "tree"
COPIED = ("paillier", "tests/unit/paillier", "tests/vectors/paillier", "tests/support")
LEFT_OUT = ("__pycache__", "test_docstrings.py")  # that test reads the sources, which hold every mutant at once
SEED = 20261124
PER_MODULE = 9
MUTMUT = (sys.executable, "-m", "mutmut")
SETTINGS = """[mutmut]
source_paths=paillier/
also_copy=
    tests
pytest_add_cli_args_test_selection=
    tests/unit/paillier
pytest_add_cli_args=
    -p
    no:cacheprovider
    -p
    no:xdist
"""


class _WithoutTexts(ast.NodeTransformer):
    """Drops what an error is raised with, and the number in a mutant's name."""

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        if isinstance(node.exc, ast.Call):
            node.exc.args = []
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.name = ""
        self.generic_visit(node)
        return node


def mutants(module: str) -> list[str]:
    """Names of the mutants of one module that alter more than a text, in mutmut's order."""
    path = Path(module.replace(".", "/") + ".py")
    mutated = mutate_file_contents(str(path), path.read_text())
    functions = {
        node.name: ast.dump(_WithoutTexts().visit(node))
        for node in ast.walk(ast.parse(mutated.code))
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name
    }
    originals = {name: functions[name.rpartition("__mutmut_")[0] + "__mutmut_orig"] for name in mutated.mutant_names}
    return [f"{module}.{name}" for name in mutated.mutant_names if functions[name] != originals[name]]


def sample(seed: int, per_module: int) -> list[str]:
    """At most `per_module` mutants of every module."""
    source = random.Random(seed)  # noqa: S311 (repeatable sample)
    chosen = []
    for path in sorted(Path("paillier").rglob("*.py")):
        names = mutants(".".join(path.with_suffix("").parts)) if path.stem != "__init__" else []
        chosen += source.sample(names, min(per_module, len(names)))
    return chosen


def prepare() -> None:
    """A copy of what is mutated and of what tests it, and into it: mutmut works in its current directory."""
    shutil.rmtree(TREE, ignore_errors=True)
    for folder in COPIED:
        shutil.copytree(ROOT / folder, TREE / folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    shutil.copy(ROOT / "pyproject.toml", TREE)
    (TREE / "setup.cfg").write_text(SETTINGS)
    os.chdir(TREE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--per-module", type=int, default=PER_MODULE)
    parser.add_argument("names", nargs="*", help="these mutants instead of a sample")
    arguments = parser.parse_args()
    prepare()
    names = arguments.names or sample(arguments.seed, arguments.per_module)
    print(f"{len(names)} mutants, seed {arguments.seed}", flush=True)
    subprocess.run([*MUTMUT, "run", "--max-children", "1", *names], check=False)
    survivors = [shown for name in names if (shown := survivor(name))]
    print("\n".join([*survivors, f"{len(survivors)} of {len(names)} mutants survived"]))


def survivor(name: str) -> str | None:
    """What was changed, if no test noticed it."""
    shown = subprocess.run([*MUTMUT, "show", name], stdout=subprocess.PIPE, text=True, check=False).stdout
    verdict = shown.partition("\n")[0]
    if "no tests" in verdict:  # as far as mutmut can see
        return None if _noticed_in_spawned_processes(name) else shown
    return shown if "survived" in verdict else None


def _noticed_in_spawned_processes(name: str) -> bool:
    """mutmut does not see which tests run a function in another process: these two files start some."""
    files = [f"tests/unit/paillier/{file}" for file in ("test_workers.py", "test_randomizer_worker.py")]
    environment = {**os.environ, "MUTANT_UNDER_TEST": name}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files]
    return (
        subprocess.run(command, cwd="mutants", env=environment, stdout=subprocess.DEVNULL, check=False).returncode != 0
    )


if __name__ == "__main__":
    main()
