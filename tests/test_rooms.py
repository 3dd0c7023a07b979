"""The rooms of the package: each module is found by its name alone."""

from __future__ import annotations

from collections import defaultdict
from itertools import permutations
from pathlib import Path

import cmx_bench

PACKAGE = Path(cmx_bench.__file__).parent
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
