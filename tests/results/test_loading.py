"""Runs as frames, from folders and pages."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

import cmx_bench
from cmx_bench.errors import RecordsError

from ..report import rendering
from ..report.synthetic import PAPER, make_records, make_run, write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = make_run(PAPER[:3])
    return write_folder(tmp_path / "mine", run, make_records(run))


def test_a_folder_and_its_page_are_the_same(folder: Path) -> None:
    page = rendering.write(folder)
    assert cmx_bench.load(folder).equals(cmx_bench.load(str(page)))


def test_another_file_of_a_run_stands_for_its_folder(folder: Path) -> None:
    for name in ("records.jsonl", "run.json"):
        assert cmx_bench.load(folder / name).equals(cmx_bench.load(folder))


def test_several_runs_are_told_apart(tmp_path: Path, folder: Path) -> None:
    run = make_run(PAPER[:3])
    later = dataclasses.replace(run, created="2026-01-02T00:00:00+00:00")
    other = write_folder(tmp_path / "other", later, make_records(run))
    samples = cmx_bench.load([folder, other])
    assert list(samples["run"].cat.categories) == [
        "paper 2026-01-01 00:00:00", "paper 2026-01-02 00:00:00",
    ]  # fmt: skip
    assert samples["run"].value_counts().tolist() == [len(samples) // 2] * 2
    alike = write_folder(tmp_path / "alike", run, make_records(run))
    assert list(cmx_bench.load([folder, alike])["run"].unique()) == [str(folder), str(alike)]


def test_what_is_no_run_is_refused(tmp_path: Path, folder: Path) -> None:
    suite = shutil.copytree(folder, tmp_path / "runs" / "suite" / "run").parent
    for above in (suite, suite.parent):
        with pytest.raises(RecordsError, match=f"holds no run .* such as {suite / 'run'}$"):
            cmx_bench.load(above)
    with pytest.raises(RecordsError, match="is given twice"):
        cmx_bench.load([folder, folder])
    with pytest.raises(RecordsError, match="no runs to load"):
        cmx_bench.load([])
