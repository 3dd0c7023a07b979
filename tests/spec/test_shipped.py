"""The suites and recipes that come along: found by name, and each loads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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


def test_what_is_found_under_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, else what comes along, else whatever lies there: reading it says what it is."""
    monkeypatch.chdir(tmp_path)
    known = {"both": Path("/along"), "inner": Path("/along")}
    Path("both").touch()
    Path("inner").mkdir()
    os.mkfifo("pipe")
    Path("nowhere").symlink_to("gone")
    names = ("both", "inner", "pipe", "nowhere", "none", "\0", "x" * 300)
    assert [shipped.find(Path(name), name, known) for name in names] == [
        Path("both"), Path("/along"), Path("pipe"), Path("nowhere"), None, None, None,
    ]  # fmt: skip


def test_a_file_with_another_ending_is_suggested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("digit.yaml").touch()
    assert shipped.suggest(Path("digit"), ["digits"]) == ", did you mean 'digit.yaml'?"
    assert shipped.suggest(Path("digit.yml"), ["digits"]) == ", did you mean 'digit.yaml'?"
    assert shipped.suggest(Path("digitz"), ["digits"]) == ", did you mean 'digits'?"
    assert shipped.suggest(Path("x"), ["digits"]) == shipped.suggest(Path("/"), []) == ""
