"""A history as files: links that lead to runs, data for its script, awkward names."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.gate.history.gathering import read
from cmx_bench.gate.history.publishing import data, write

from ..test_outputs import AWKWARD
from .past import history, past_run, series


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven runs, the last three slower; one was not rendered."""
    for day in range(1, 8):
        past_run(tmp_path / "runs" / f"run {day}", day, 0.8 if day > 4 else 1.0)
        if day > 1:
            (tmp_path / "runs" / f"run {day}" / "report.html").touch()
    return tmp_path / "runs"


def in_page(folder: Path) -> Any:
    page = (folder / "history.html").read_text(encoding="utf-8")
    block = re.search(r'id="history-data">\n(.*?)\n</script>', page, re.DOTALL)
    assert block is not None
    return json.loads(block[1])


def test_every_run_is_linked_from_where_the_page_lies(folder: Path) -> None:
    pages = folder.parent / "pages"
    write(read(folder), pages)
    for content in (in_page(pages), json.loads((pages / "history.json").read_text())):
        links = [run["link"] for run in content["runs"]]
        assert [run["folder"] for run in content["runs"]][:1] == ["../runs/run 1"]
        assert links == ["", *(f"../runs/run%20{day}/report.html" for day in range(2, 8))]
    text = (pages / "history.md").read_text(encoding="utf-8")
    assert "[2026-01-05 00:00:00 UTC](../runs/run%205/report.html)" in text
    assert "](figures/history-throughput-" in text
    assert list((pages / "figures").glob("history-throughput-*.svg"))
    assert "1 run has no report.html" in (pages / "history.html").read_text(encoding="utf-8")


def test_the_page_lies_beside_the_runs_and_is_written_again(folder: Path) -> None:
    for _ in range(2):
        write(read(folder), folder)
    assert in_page(folder)["runs"][1]["link"] == "run%202/report.html"


def test_the_json_has_unrounded_values_and_what_changed(folder: Path) -> None:
    gathered = read(folder)
    content = data(gathered, folder)
    throughput, *_ = content["series"]
    first = gathered.series[0].points[0]
    assert throughput["points"][0] == [0, first.value, first.low, first.high]
    assert throughput["changes"] == [[4, "25 % slower", "bad"]]
    assert [level[:2] for level in throughput["levels"]] == [[0, 4], [4, 3]]
    assert (throughput["unit"], throughput["direction"]) == ("images/s", "higher is better")
    params = next(series for series in content["series"] if series["metric"] == "params")
    assert (params["exact"], params["points"][0]) == (True, [0, 51_625_960])
    rounded = data(gathered, folder, 6)["series"][0]["points"][0]
    assert rounded == pytest.approx([0, first.value, first.low, first.high], rel=1e-5)
    assert max(len(str(number)) for number in rounded) <= 7


def test_what_was_left_out_stands_in_every_file(folder: Path) -> None:
    (folder / "run 7" / "records.jsonl").write_text("{}\n", encoding="utf-8")
    write(read(folder), folder)
    for name in ("history.html", "history.md", "history.json"):
        assert "records.jsonl:1: schema: is missing" in (folder / name).read_text(encoding="utf-8")
    assert len(in_page(folder)["runs"]) == 6


def test_awkward_names_stay_text(tmp_path: Path) -> None:
    lines = [series([100] * 3 + [80] * 3, label, suite=f"s {place}")
             for place, label in enumerate(AWKWARD)]  # fmt: skip
    runs = [point.run for line in lines for point in line.points]
    odd = [replace(run, commit=AWKWARD[0], machine=AWKWARD[-1]) for run in runs]
    write(history(*lines, runs=tuple(odd), left_out=AWKWARD), tmp_path)
    page = (tmp_path / "history.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and 'onmouseover="alert' not in page
    assert [series["label"] for series in in_page(tmp_path)["series"]][:2] == list(AWKWARD[:2])
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None and "default-src 'none'" in policy[1]
    assert not re.search(r'(src|href)="https?:', page)


def test_runs_without_a_value_still_have_a_page(tmp_path: Path) -> None:
    line = series([1])
    write(history(runs=(line.points[0].run,)), tmp_path)
    page = (tmp_path / "history.html").read_text(encoding="utf-8")
    assert "history-data" not in page
    assert "No metric changed for good." in page


def test_folders_may_have_names_that_are_no_text(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"run \xe9 (1)")
    past_run(odd, 1, 1.0)
    (odd / "report.html").touch()
    write(read(tmp_path), tmp_path)
    [run] = in_page(tmp_path)["runs"]
    assert run["link"] == "run%20%E9%20%281%29/report.html"
    assert run["folder"] == "run \\xe9 (1)"
