"""The suites and recipes that come with the package."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from cmx_bench.errors import nearest
from cmx_bench.spec import trust


def suites() -> dict[str, Path]:
    return _list_files("*.yaml")


def recipes() -> dict[str, Path]:
    return _list_files("recipes/*.yaml")


def find(path: Path, name: str, known: Mapping[str, Path]) -> Path | None:
    """The file at `path`, else the one of that name which comes along; None where there is neither.
    A folder or a pipe at the path is given too: who reads it says what it is."""
    if trust.is_file(path):
        return path
    return known.get(name, path if os.path.lexists(path) else None)


def suggest(path: Path, known: Iterable[str]) -> str:
    """`", did you mean 'mine.yaml'?"`: the file with another ending or with one, else the nearest
    names that come along; an empty string where there is neither."""
    for name in (f"{path.name}.yaml", f"{path.stem}.yaml", f"{path.stem}.yml"):
        if trust.is_file(path.parent / name):
            return f", did you mean {name!r}?"
    return nearest(path.stem, known)


def _list_files(pattern: str) -> dict[str, Path]:
    """In the wheel they lie in the package, in a checkout beside it."""
    here = Path(__file__).resolve().parent.parent
    folders = (here / "suites", here.parent / "suites")
    paths = {path.stem: path for folder in folders for path in folder.glob(pattern)}
    return dict(sorted(paths.items()))
