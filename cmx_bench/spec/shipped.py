"""The suites and recipes that come with the package."""

from __future__ import annotations

from pathlib import Path


def suites() -> dict[str, Path]:
    """The files of suites, by name."""
    return _named("*.yaml")


def recipes() -> dict[str, Path]:
    """The files of recipes, by name."""
    return _named("recipes/*.yaml")


def _named(pattern: str) -> dict[str, Path]:
    """In the wheel they lie in the package, in a checkout beside it."""
    here = Path(__file__).resolve().parent.parent
    folders = (here / "suites", here.parent / "suites")
    paths = {path.stem: path for folder in folders for path in folder.glob(pattern)}
    return dict(sorted(paths.items()))
