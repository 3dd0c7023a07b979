"""Where processes of a cell keep what was compiled for it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from cmx_bench.cell import Setting
from cmx_bench.measures import compiled
from cmx_bench.measures.compiled import INDUCTOR

SETTING = Setting("cpu", "cpu", "fp32", "nchw", "default", 2, 56)
SEARCHES = replace(SETTING, compile="max-autotune")


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test sets of the environment is gone afterwards."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


def test_without_a_folder_each_process_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TORCHINDUCTOR_CACHE_DIR", str(Path.cwd()))
    compiled.share("cell")
    assert not compiled.is_shared(SETTING)
    assert not compiled.is_there(SETTING)
    assert os.environ[INDUCTOR] == str(Path.cwd())
    assert compiled.variables(None) == {}


def test_processes_of_a_cell_share(tmp_path: Path) -> None:
    os.environ |= compiled.variables(tmp_path, "base")
    homes = {}
    for key in ("one", "other", "one"):
        compiled.share(key)
        homes[key] = Path(os.environ[INDUCTOR])
        assert compiled.is_there(SETTING) == (len(homes) == 2 and key == "one")
        homes[key].mkdir(parents=True, exist_ok=True)
    assert homes["one"] != homes["other"]
    assert homes["one"].parent == tmp_path / "base"
    assert Path(os.environ["TRITON_CACHE_DIR"]).is_relative_to(homes["one"])


def test_what_no_cell_decides_is_kept_for_all(tmp_path: Path) -> None:
    os.environ |= compiled.variables(tmp_path)
    homes = []
    for key in ("one", "other"):
        compiled.share(key)
        of_cell = os.environ[INDUCTOR]
        with compiled.shared_by_cells():
            homes.append(os.environ[INDUCTOR])
        assert os.environ[INDUCTOR] == of_cell
    assert homes[0] == homes[1] != of_cell
    assert not compiled.is_there(SETTING)


def test_a_mode_that_times_kernels_compiles_anew(tmp_path: Path) -> None:
    os.environ |= compiled.variables(tmp_path)
    compiled.share("cell")
    Path(os.environ[INDUCTOR]).mkdir()
    assert compiled.is_there(SETTING)
    assert not compiled.is_shared(SEARCHES)
    assert not compiled.is_there(SEARCHES)


def test_the_folder_goes(tmp_path: Path) -> None:
    with compiled.folder(tmp_path) as folder:
        assert folder.parent == tmp_path
        (folder / "kernel.so").touch()
    assert not folder.exists()
