"""The suites and recipes that come along: found by name, and each loads."""

from __future__ import annotations

from cmx_bench.spec import recipe, shipped, suite


def test_suites_are_called_as_their_files() -> None:
    paths = shipped.suites()
    assert list(paths) == sorted(paths)
    assert {"paper", "ci", "digits"} <= paths.keys()
    for name, path in paths.items():
        assert suite.load(str(path)).suite.name == name


def test_recipes_are_called_as_their_files() -> None:
    paths = shipped.recipes()
    assert {"cifar10", "digits"} <= paths.keys()
    for name, path in paths.items():
        assert recipe.load(path).name == name
