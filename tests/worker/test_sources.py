"""Which files run, and are read, while a model is made."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.worker import sources

MODULES = {
    "whole/__init__.py": "__version__ = '1.5'",
    "whole/net.py": "import json, pathlib\ndef make():\n"
    "    return json.loads((pathlib.Path(__file__).parent / 'net.json').read_text())",
    "whole/unused.py": "def other():\n    pass",
    "whole/net.json": "{}",
}


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that is imported before anything is traced, as timm is."""
    for name, text in MODULES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("whole.net", "whole.unused"):
        importlib.import_module(name)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in {"whole", "packed"}]:
        del sys.modules[name]


def trace(*calls: Any) -> dict[str, Any]:
    with sources.tracing() as noted:
        for call in calls:
            call()
    return sources.describe(noted)


def test_what_ran_and_what_was_read(imported: Path) -> None:
    used = trace(sys.modules["whole.net"].make)
    mine = {name for name in used["files"] if name.startswith("whole")}
    assert mine == {"whole/net.py", "whole/net.json"}
    assert used["files"]["whole/net.py"] == str(imported / "whole" / "net.py")
    assert used["imported"]["whole/unused.py"] == str(imported / "whole" / "unused.py")
    assert used["imported"]["whole/__init__.py"] == str(imported / "whole" / "__init__.py")
    assert used["versions"]["whole"] == "1.5"
    assert not any(name.startswith(("json", "/proc")) for name in used["files"])


def test_what_is_imported_meanwhile_runs(imported: Path) -> None:
    for name in ("whole.net", "whole.unused", "whole"):
        del sys.modules[name]
    used = trace(lambda: importlib.import_module("whole.unused"))
    mine = {name for name in used["files"] if name.startswith("whole")}
    assert mine == {"whole/__init__.py", "whole/unused.py"}


def test_what_runs_after_it_is_not_noted(imported: Path) -> None:
    with sources.tracing() as noted:
        pass
    sys.modules["whole.net"].make()
    used = sources.describe(noted)
    assert not any(name.startswith("whole") for name in used["files"])
    assert sys.getprofile() is None


def test_code_in_an_archive_is_the_archive(imported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(imported / "packed.zip", "w") as archive:
        archive.writestr("packed.py", "def make():\n    pass")
    monkeypatch.syspath_prepend(imported / "packed.zip")
    used = trace(lambda: importlib.import_module("packed").make())
    assert str(imported / "packed.zip") in used["files"].values()


def test_what_was_noted_at_the_installation_is_no_data(imported: Path) -> None:
    used = trace(importlib.metadata.packages_distributions)
    assert not any("-info" in name for name in used["files"])


def test_compiled_code_is_told(imported: Path) -> None:
    importlib.import_module("numpy")
    libraries = trace()["libraries"]
    assert any(name.startswith("numpy/") and ".so" in name for name in libraries)
