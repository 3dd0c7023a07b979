"""What a side is, and whether its copy of this package is the same as this one."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import cmx_bench
from cmx_bench.errors import CmxError
from cmx_bench.execute import interpreters

PACKAGE = Path(cmx_bench.__file__).parent


def test_what_is_a_checkout(tmp_path: Path) -> None:
    assert interpreters.is_checkout(tmp_path)
    assert not interpreters.is_checkout(sys.executable)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    assert not interpreters.is_checkout(tmp_path)


def test_the_package_of_a_side(tmp_path: Path) -> None:
    """A checkout of single modules has that of this interpreter."""
    (tmp_path / "mynet.py").touch()
    for side in (sys.executable, str(tmp_path)):
        assert interpreters.is_this(interpreters.package_of(side))


@pytest.mark.parametrize(
    ("path", "text"), [("units.py", "changed"), ("later.py", ""), ("errors.py", None)]
)
def test_another_copy_of_this_package(tmp_path: Path, path: str, text: str | None) -> None:
    other = tmp_path / "cmx_bench"
    shutil.copytree(PACKAGE, other, ignore=shutil.ignore_patterns("__pycache__"))
    assert interpreters.is_this(other)
    if text is None:
        (other / path).unlink()
    else:
        (other / path).write_text(text)
    assert not interpreters.is_this(other)


@pytest.mark.parametrize("program", ["true", "echo"])
def test_a_program_that_is_no_python(program: str) -> None:
    with pytest.raises(CmxError, match=f"^{program}: no such interpreter; give the "):
        interpreters.package_of(program)


def test_a_program_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "_ANSWER_SECONDS", 0.2)
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    with pytest.raises(CmxError, match="python: gives no answer in 0.2 s; give a python$"):
        interpreters.package_of(str(program))


def test_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(CmxError, match="neither a virtual environment nor a folder of Python"):
        interpreters.package_of(str(tmp_path))
