"""The rooms of the package: each module is found by its name alone."""

from __future__ import annotations

import ast
from collections import defaultdict
from itertools import permutations
from pathlib import Path

import cmx_bench

PACKAGE = Path(cmx_bench.__file__).parent
TESTS = Path(__file__).parent
# Modules that have no test file of their name, each with what holds them.
HELD_ELSEWHERE = {
    "__main__.py": "the command as a user starts it; cli/test_cli.py does",
    "results/details.py": "types of what records hold; results/test_validation.py harms each field",
    "worker/job.py": "data alone, which every test of execute/ sends and receives",
    "worker/preload.py": "imports alone; worker/test_targets.py starts a process that runs it",
    **dict.fromkeys(
        ("measures/runtimes/aotinductor.py", "measures/runtimes/onnxruntime.py",
         "measures/runtimes/openvino.py", "measures/runtimes/tensorrt.py"),
        "measures/runtimes/test_exported.py holds each runtime that is installed to the same",
    ),
}  # fmt: skip
_SUFFIXES = ("s", "r", "er", "or", "d", "ed", "ing", "ings", "ation", "ations")


def names() -> dict[str, list[Path]]:
    """The modules and rooms of the package by their names."""
    paths = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        name = path.parent.name if path.stem == "__init__" else path.stem
        paths[name].append(path.relative_to(PACKAGE))
    return paths


def test_no_name_is_there_twice() -> None:
    assert {name: paths for name, paths in names().items() if len(paths) > 1} == {}


def test_no_two_names_differ_by_a_suffix() -> None:
    pairs = [
        (name, other)
        for name, other in permutations(names(), 2)
        if other.startswith(name) and other.removeprefix(name) in _SUFFIXES
    ]
    assert pairs == []


def test_there_are_few_doors() -> None:
    doors = {path for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    doors -= {PACKAGE / name for name in ("__init__.py", "__main__.py", "__pycache__", "suites")}
    assert len(doors) <= 21, sorted(path.name for path in doors)


def test_each_module_has_a_test_file_of_its_name() -> None:
    """Of a package that holds more than a docstring the file has the package's name."""
    modules = [path for path in PACKAGE.rglob("*.py") if _has_code(path)]
    lacking = {path.relative_to(PACKAGE).as_posix() for path in modules if not _tests_of(path)}
    assert lacking == HELD_ELSEWHERE.keys()


def _has_code(path: Path) -> bool:
    """Whether a module defines or imports anything."""
    defines = ast.FunctionDef | ast.ClassDef | ast.Import | ast.With
    return any(isinstance(node, defines) for node in ast.parse(path.read_text("utf-8")).body)


def _tests_of(path: Path) -> bool:
    folder = TESTS / path.parent.relative_to(PACKAGE)
    if path.stem != "__init__":
        return (folder / f"test_{path.stem}.py").exists()
    names = (folder, folder.parent)  # within the folder of the package, or beside it
    return any((name / f"test_{path.parent.name}.py").exists() for name in names)
