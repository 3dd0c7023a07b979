"""Rendered runs for commands to read."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ..gate.conftest import stand_in_pairs
from ..report import rendering
from ..report.synthetic import PAPER, make_records, make_run, watched, write_folder

__all__ = ["another", "disturbed", "rendered", "stand_in_pairs"]


@pytest.fixture(autouse=True)
def _drawn_once(drawn_once: None) -> None:
    pass


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one model's parameters, rendered."""
    run = make_run(models=PAPER[:1], measures=("params",))
    folder = write_folder(tmp_path_factory.mktemp("rendered") / "out", run, make_records(run))
    rendering.write(folder)
    return folder


@pytest.fixture
def rendered(written: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(written, tmp_path / "out")


@pytest.fixture
def disturbed(tmp_path: Path) -> Path:
    """A run of one model's throughput, none of whose processes was calm."""
    run = make_run(models=PAPER[:1], measures=("throughput",))
    restless = [watched(record, "..d..") for record in make_records(run)]
    return write_folder(tmp_path / "disturbed", run, restless)


@pytest.fixture
def another(tmp_path: Path) -> Path:
    """The same on another device."""
    run = make_run(models=PAPER[:1], measures=("params",))
    run = replace(run, machine=run.machine | {"device_name": "Another GPU"})
    return write_folder(tmp_path / "another", run, make_records(run))
