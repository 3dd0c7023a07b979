"""The figures of past runs."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.text import Annotation
from pandas import DataFrame

from cmx_bench.gate.history import trends
from cmx_bench.gate.history.rows import of_changes
from cmx_bench.gate.history.trends import MOST_MARKED, Mark, drawings, plots
from cmx_bench.gate.outputs import write
from cmx_bench.present import drawing

from ...report.synthetic import FP16
from ..test_outputs import AWKWARD, mixed
from .past import history, series

CHANGE, ENVIRONMENT = Mark(4, "9 % slower", True), Mark(4.1, "torch 2.15", False)


def test_a_figure_shows_lines_change_points_and_environments() -> None:
    lines = [series([100] * 4 + [90] * 4, f"Net {place}") for place in range(10)]
    (plot,) = plots(history(series([200] * 4 + [180] * 4), *lines))
    assert plot.name == f"history-throughput-{FP16.key}"
    line = plot.data[plot.data["label"] == "ResNet-50"]
    assert line["tick"].tolist() == [f"2026-01-0{day}" for day in range(1, 9)]
    assert line["x"].tolist() == list(range(8))
    assert line["y"].tolist() == pytest.approx([100] * 4 + [90] * 4)
    change, around = plot.paint.keywords["marks"]  # type: ignore[attr-defined]
    assert (change.x, change.change) == (3.5, True)
    assert re.fullmatch(r"(.+ 11 % slower\n){2}and 9 more", change.text)
    assert (around.x, around.text, around.change) == (2.5, "torch 2.13 → 2.14", False)


def test_throughput_is_drawn_first_and_single_runs_are_not() -> None:
    (plot,) = plots(history(series([1, 2], metric="latency_p50"), series([3])))
    assert plot.name == f"history-latency-p50-{FP16.key}"
    assert "need 6 runs" in plot.caption


def test_an_exact_metric_is_drawn_where_it_changed() -> None:
    assert plots(history(series([7, 7, 7], metric="params"))) == []
    (plot,) = plots(history(series([7, 7, 8], metric="params")))
    assert plot.title == f"Parameters over time · {FP16.key}"


def test_each_machine_has_a_figure_of_its_own() -> None:
    figures = plots(history(series([1, 2]), series([1, 2], machine="B CPU")))
    assert [plot.title.rpartition(" · ")[2] for plot in figures] == ["A CPU", "B CPU"]
    assert len({plot.name for plot in figures}) == 2


def test_many_runs_are_lines_without_markers() -> None:
    line = series(list(range(1, 29)))
    runs = [replace(point.run, folder=Path(f"run{place}"),
                                created=f"2026-01-01T{place // 60:02}:{place % 60:02}:00+00:00")
            for place, point in enumerate(line.points * 3)]  # fmt: skip
    points = tuple(replace(point, run=run, changed="")
                   for point, run in zip(line.points * 3, runs, strict=True))  # fmt: skip
    assert len(points) > MOST_MARKED
    (drawn,) = drawing.draw(plots(history(replace(line, points=points))))
    assert drawn.svg.count("<title>") == 1
    assert "Bars" not in drawn.plot.caption


def test_a_verdict_without_figures_loads_nothing_that_draws() -> None:
    code = (
        "import sys; from cmx_bench.gate import check, outputs; "
        "from cmx_bench.gate.history import trends; "
        "print({'seaborn', 'matplotlib'} & {*sys.modules})"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout == "set()\n"


def test_figures_carry_awkward_names_and_are_embedded(tmp_path: Path) -> None:
    models = [replace(series([100] * 5 + [80] * 5, label).model, name=f"m{place}")
              for place, label in enumerate(AWKWARD)]  # fmt: skip
    lines = [replace(series([100 + n] * 5 + [80] * 5), model=model)
             for n, model in enumerate(models)]  # fmt: skip
    gathered = history(*lines)
    (drawing,) = drawings(gathered)
    assert drawing.svg == drawings(gathered)[0].svg
    ElementTree.fromstring(drawing.svg.encode())
    write(mixed(), tmp_path, [drawing], [of_changes(gathered)])
    name = drawing.plot.name
    assert (tmp_path / "figures" / f"{name}.png").read_bytes() == drawing.copies["png"]
    page = (tmp_path / "verdict.html").read_text(encoding="utf-8")
    assert f'<figure id="figure-{name}">' in page and page.count("<svg") == 1
    assert "Change points over 10 runs" in page
    text = (tmp_path / "verdict.md").read_text(encoding="utf-8")
    assert f"](figures/{name}.svg)" in text


# --- drawn ----------------------------------------------------------------------------------------


def points(runs: int) -> DataFrame:
    return DataFrame({
        "x": range(runs), "y": [100.0 + 100 * (run % 2) for run in range(runs)], "label": "Net",
        "family": "resnet", "line": "Net", "low": float("nan"), "high": float("nan"),
        "published": False,
    })  # fmt: skip


def painted(runs: int, *marks: Mark) -> Axes:
    _, ax = plt.subplots()
    ticks = [f"day {run}" for run in range(runs)]
    trends._paint(points(runs), ax, marks=marks, ticks=ticks, what="images/s")
    return ax


@pytest.fixture(autouse=True)
def _closed() -> object:
    yield
    plt.close("all")


def texts(ax: Axes) -> dict[str, Any]:
    return {each.get_text(): each for each in ax.texts if isinstance(each, Annotation)}


@pytest.mark.parametrize(("runs", "labels"), [(4, 4), (12, 6), (13, 5)])
def test_at_most_six_runs_are_named(runs: int, labels: int) -> None:
    ax = painted(runs)
    named = [label.get_text() for label in ax.get_xticklabels()]
    assert len(named) == labels
    assert named[0] == "day 0"


def test_of_many_runs_the_last_point_alone_is_marked() -> None:
    def markers(runs: int) -> int:
        points = (each for each in painted(runs).collections if isinstance(each, PathCollection))
        return sum(len(np.asarray(each.get_offsets())) for each in points)

    assert markers(MOST_MARKED) == MOST_MARKED
    assert markers(MOST_MARKED + 1) == 1


def test_a_change_hangs_from_the_top_and_an_environment_stands_on_the_bottom() -> None:
    ax = painted(10, CHANGE, ENVIRONMENT)
    change, environment = texts(ax)[CHANGE.text], texts(ax)[ENVIRONMENT.text]
    assert (change.xy, change.get_verticalalignment()) == ((4, 1), "top")
    assert (environment.xy, environment.get_verticalalignment()) == ((4.1, 0), "bottom")


def test_texts_that_would_overlap_stand_in_rows_below_each_other() -> None:
    near, far = Mark(4.2, "4 % faster", True), Mark(9, "7 % slower", True)
    rows = dict(trends._rows(painted(10), (CHANGE, near, far, ENVIRONMENT), 10))
    assert (rows[CHANGE], rows[near], rows[far], rows[ENVIRONMENT]) == (0, 1, 0, 0)


def test_lines_leave_room_for_the_texts_but_keep_half_the_height() -> None:
    low, high = painted(10).get_ylim()
    tall = "\n".join(f"package {number}" for number in range(40))
    lower, higher = painted(10, CHANGE, Mark(5, tall, False)).get_ylim()
    assert lower < low < high <= higher
    assert 100 / (higher - lower) == pytest.approx(0.5)  # the values are 100 and 200
