"""What there is from Python: runs as frames, and nothing heavy before they are asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import cmx_bench
from cmx_bench import report

from .report import rendering
from .report.synthetic import PAPER, make_records, make_run, write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = make_run(PAPER[:3])
    return write_folder(tmp_path / "mine", run, make_records(run))


def test_the_summary_is_what_the_report_has(folder: Path) -> None:
    summary = cmx_bench.summary(cmx_bench.load(folder))
    assert [tuple(row) for row in summary[["model", "setting", "metric"]].to_numpy()] == list(
        report.read(folder).results
    )
    assert summary["status"].eq("ok").all()


def test_the_file_of_samples_is_the_frame(folder: Path) -> None:
    rendering.write(folder)
    texts = pd.read_csv(folder / "samples.csv.gz", dtype=str, keep_default_na=False)
    samples = cmx_bench.load(folder)
    assert list(texts.columns) == list(samples.columns)
    assert pd.to_numeric(texts["value"]).tolist() == samples["value"].tolist()
    assert texts["run"].tolist() == samples["run"].tolist()


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import cmx_bench, sys; print({'pandas', 'numpy', 'torch', 'seaborn'} & {*sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout == "set()\n"
    assert {"load", "per_class", "plot", "predictions", "summary"} <= set(dir(cmx_bench))
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = cmx_bench.lode  # type: ignore[attr-defined]
