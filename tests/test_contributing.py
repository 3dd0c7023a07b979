"""CONTRIBUTING's first hour, step by step on a copy of the package: it must work as written."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cmx_bench

from .conftest import TINY

ROOT = Path(__file__).parent.parent


@pytest.fixture
def steps() -> list[str]:
    """The code of the three steps, without the list's indentation."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    hour = text.partition("## A first hour")[2]
    blocks = re.findall(r"^   ```python\n(.*?)^   ```$", hour, re.DOTALL | re.MULTILINE)
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in blocks]


def with_row(path: Path, table: str, row: str) -> None:
    """Adds a row as the last one of the table that begins with the line `table`."""
    head, start, rest = path.read_text().partition(table)
    assert start
    body, end, tail = re.split(r"(?m)(^[)}].*$)", rest, maxsplit=1)
    path.write_text(f"{head}{start}{body}    {row}{end}{tail}")


def test_a_measure_is_one_file_and_two_lines(steps: list[str], tmp_path: Path) -> None:
    file, measure_row, metric_row = steps
    assert len(measure_row.splitlines()) == len(metric_row.splitlines()) == 1
    shutil.copytree(
        Path(cmx_bench.__file__).parent,
        tmp_path / "cmx_bench",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    named = re.match(r"# (\S+)\n", file)
    assert named is not None
    (tmp_path / named[1]).write_text(file)
    with_row(tmp_path / "cmx_bench/measures/__init__.py", "MEASURES: dict", measure_row)
    with_row(tmp_path / "cmx_bench/metrics.py", "_ROWS = (", metric_row)
    (tmp_path / "suite.yaml").write_text(TINY.replace("[params, throughput]", "[layers]"))

    def cmx(*arguments: str) -> str:
        line = [sys.executable, "-m", "cmx_bench", *arguments]
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "layers           leaf modules: layers" in cmx("list", "measures")
    cmx("run", "suite.yaml", "--out", "out")
    rows = list(csv.DictReader((tmp_path / "out/results.csv").open()))
    values = {row["model"]: float(row["value"]) for row in rows if row["metric"] == "layers"}
    # stem 3; two blocks of 3 + 3; pooling, flattening, classifier
    assert values["mixer"] == 3 + 2 * 6 + 3
    assert "Layers" in (tmp_path / "out/report.md").read_text()
