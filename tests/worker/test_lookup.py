"""Fresh processes do not look into the working folder, unless the user names it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cmx_bench.worker.lookup import import_path


def test_the_working_folder_is_left_out_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), *sys.path])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    without = import_path()
    assert str(tmp_path) not in without and "" not in without
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert import_path() == [str(tmp_path), *without]
