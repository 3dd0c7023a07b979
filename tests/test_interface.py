"""What there is from Python: runs as frames, and nothing heavy before they are asked for."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import cmx_bench
from cmx_bench import report
from cmx_bench.errors import RecordsError

from .report.synthetic import PAPER, make_records, make_run, write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = make_run(PAPER[:3])
    return write_folder(tmp_path / "mine", run, make_records(run))


def test_a_folder_and_its_page_are_the_same(folder: Path) -> None:
    page = report.write(folder)
    assert cmx_bench.load(folder).equals(cmx_bench.load(str(page)))


def test_the_summary_is_what_the_report_has(folder: Path) -> None:
    summary = cmx_bench.summary(cmx_bench.load(folder))
    assert [tuple(row) for row in summary[["model", "setting", "metric"]].to_numpy()] == list(
        report.read(folder).results
    )
    assert summary["status"].eq("ok").all()


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


def test_the_file_of_samples_is_the_frame(folder: Path) -> None:
    report.write(folder)
    texts = pd.read_csv(folder / "samples.csv.gz", dtype=str, keep_default_na=False)
    samples = cmx_bench.load(folder)
    assert list(texts.columns) == list(samples.columns)
    assert pd.to_numeric(texts["value"]).tolist() == samples["value"].tolist()
    assert texts["run"].tolist() == samples["run"].tolist()


def test_what_is_no_run_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(RecordsError, match="holds no run"):
        cmx_bench.load(tmp_path)
    with pytest.raises(RecordsError, match="is given twice"):
        cmx_bench.load([folder, folder])
    with pytest.raises(RecordsError, match="no runs to load"):
        cmx_bench.load([])


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import cmx_bench, sys; print({'pandas', 'numpy', 'torch', 'seaborn'} & {*sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout == "set()\n"
    assert {"load", "per_class", "plot", "predictions", "summary"} <= set(dir(cmx_bench))
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = cmx_bench.lode  # type: ignore[attr-defined]


def test_every_figure_can_be_drawn_from_the_samples(folder: Path) -> None:
    from matplotlib import pyplot

    samples = cmx_bench.load(folder)
    drawn = ("figure_one", "front", "throughput", "throughput_by_macs", "memory", "samples")
    others = {"roofline", "work_shares", "batch_sizes", "sweep", "learning_curves", "confusion"}
    assert {*drawn, *others, "style"} == {*dir(cmx_bench.plot)}
    for name in drawn:
        _, ax = pyplot.subplots()
        assert getattr(cmx_bench.plot, name)(samples, ax) is ax
        assert ax.collections, name
    with pytest.raises(ValueError, match="Roofline · paper: left out, because no model has"):
        cmx_bench.plot.roofline(samples)
    with pytest.raises(AttributeError, match="no figure 'fronts'; there are figure_one, front,"):
        _ = cmx_bench.plot.fronts
    pyplot.close("all")


def test_a_new_figure_has_the_size_of_the_style(folder: Path) -> None:
    from matplotlib import pyplot

    samples = cmx_bench.load(folder)
    with cmx_bench.plot.style("slides"):
        ax = cmx_bench.plot.throughput(samples)
    assert ax.figure.get_figwidth() == 10  # type: ignore[union-attr]
    assert ax.xaxis.label.get_fontsize() == 16
    pyplot.close("all")
