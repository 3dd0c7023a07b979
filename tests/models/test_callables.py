"""Modules, callables and arguments that are not there, each with the nearest that is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cmx_bench.errors import RefusedModelError
from cmx_bench.models import callables

CODE = """\
from torch import nn

def build(width, depth=2): return nn.Conv2d(3, width, 1)
def deep(bias=True): return nn.Conv2d(3, 3, 1, bias=bias)
def loose(**options): return nn.Identity()
LIMIT = 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a module, and a package with one inside."""
    (tmp_path / "callable_models.py").write_text(CODE)
    (tmp_path / "callable_package").mkdir()
    (tmp_path / "callable_package/__init__.py").write_text("")
    (tmp_path / "callable_package/nets.py").write_text("import absent_helper\n")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.startswith("callable_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    return tmp_path


PYTHON, ARGS = ("python",), ("args",)


@pytest.mark.parametrize(
    ("target", "arguments", "key", "said"),
    [
        ("callable_modles:build", {}, PYTHON, "'callable_modles', did you mean 'callable_models'"),
        ("callable_package.nest:build", {}, PYTHON, ", did you mean 'callable_package.nets'?"),
        ("callable_models:biuld", {}, PYTHON, ", did you mean 'build'? (known: build, deep"),
        ("callable_models:LIMIT", {}, PYTHON, "callable_models has no callable 'LIMIT'"),
        ("callable_models:build", {"widht": 4}, (*ARGS, "widht", "<key>"),
         "no argument 'widht', did you mean 'width'? (known: width, depth)"),
        ("callable_models:deep", {"bias": "no"}, (*ARGS, "bias"), "true or false, got text 'no'"),
        ("callable_models:build", {"depth": 4}, ARGS, "build needs width: give a value under args"),
    ],
)  # fmt: skip
def test_what_is_not_there(
    target: str, arguments: dict[str, object], key: tuple[str, ...], said: str
) -> None:
    with pytest.raises(RefusedModelError) as error:
        callables.find(target, arguments)
    assert said in str(error.value)
    assert error.value.key == key


def test_a_lost_module_says_where_it_was_looked_for(folder: Path) -> None:
    with pytest.raises(RefusedModelError) as error:
        callables.find("callable_nowhere:build", {})
    assert f"looked for in the working folder {folder} and where this Python" in str(error.value)
    with pytest.raises(RefusedModelError) as error:
        callables.find("callable_package.nowhere:build", {})
    assert f"looked for in {folder / 'callable_package'}." in str(error.value)


def test_a_module_that_it_imports_is_another_matter() -> None:
    with pytest.raises(ModuleNotFoundError, match="absent_helper"):
        callables.find("callable_package.nets:build", {})


def test_what_fits_is_found() -> None:
    assert callables.find("callable_models:build", {"width": 4}).__name__ == "build"
    assert callables.find("callable_models:loose", {"anything": 4}).__name__ == "loose"
    assert callables.find("math:hypot", {}).__name__ == "hypot"
