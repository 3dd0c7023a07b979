"""Past runs: which belong together, where a series changed, and what is shown of it."""

from __future__ import annotations

import dataclasses
import random
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.gate import history
from cmx_bench.gate.history import History, Point, Series, change_points, changes, drawings, read
from cmx_bench.gate.outputs import write
from cmx_bench.metrics import METRICS
from cmx_bench.results.records import Environment, Record, Run

from ..report.synthetic import ENVIRONMENT, FP16, PAPER, make_records, make_run, model, write_folder
from .test_outputs import AWKWARD, mixed

NOISE = 0.03


def series(values: Sequence[float], label: str = "ResNet-50", metric: str = "throughput") -> Series:
    points = tuple(
        Point(f"2026-01-{day:02}T00:00:00+00:00", value, 0.98 * value, 1.02 * value,
              f"commit{day}", "2.14", "1.0", "torch 2.13 → 2.14" if day == 4 else "")
        for day, value in enumerate(values, 1)
    )  # fmt: skip
    return Series(model("resnet50", label, "resnet"), FP16.key, METRICS[metric], points)


def noisy(seed: int, step: Callable[[int], float], runs: int = 30) -> Series:
    rng = random.Random(seed)
    return series([800 * step(run) * rng.lognormvariate(0, NOISE) for run in range(runs)])


# --- change points --------------------------------------------------------------------------------


def test_noise_alone_has_no_change_point() -> None:
    silent = [seed for seed in range(100) if change_points(noisy(seed, lambda _: 1)) == ()]
    assert len(silent) >= 95


def test_a_step_of_ten_percent_is_found_where_it_is() -> None:
    found = [change_points(noisy(seed, lambda run: 1 if run < 18 else 0.9)) for seed in range(100)]
    assert sum(len(one) == 1 and abs(one[0] - 18) <= 1 for one in found) >= 95


def test_few_runs_have_no_change_point_and_the_table_says_so() -> None:
    short = series([100, 100.1, 99.9, 50, 50.1])
    assert change_points(short) == ()
    assert change_points(series([100, 100.1, 99.9, 50, 50.1, 49.9])) == (3,)
    table = history.table(History("ci", "A CPU", 5, (short,), (), 0))
    assert table.rows == ()
    assert any("need 6 runs" in remark for remark in table.remarks)


def test_equal_values_and_zeros_have_no_change_point() -> None:
    assert change_points(series([100.0] * 10)) == ()
    assert change_points(series([0.0] * 10)) == ()


def test_a_change_is_worse_or_better_as_the_metric_says() -> None:
    (slower,) = changes(series([100] * 5 + [80] * 5))
    assert (slower.place, slower.before, slower.after) == pytest.approx((5, 100, 80))
    assert slower.slowdown == pytest.approx(0.25)
    (faster,) = changes(series([0.1] * 5 + [0.08] * 5, metric="latency_p50"))
    assert faster.slowdown == pytest.approx(-0.2)


def test_the_table_of_change_points() -> None:
    found = History("ci", "A CPU", 10, (series([100] * 5 + [80] * 5),), (), 2)
    table = history.table(found)
    assert [entry.text for entry in table.rows[0]] == [
        "ResNet-50", FP16.key, "Throughput", "2026-01-06 00:00:00 UTC", "100.0 images/s",
        "80.00 images/s", "25 % slower", "commit6", "",
    ]  # fmt: skip
    assert table.title == "Change points over 10 runs of ci on A CPU"
    assert "2 runs of other suites or devices are not shown." in table.remarks
    one = history.table(dataclasses.replace(found, runs=1, elsewhere=1))
    assert one.title == "Change points over 1 run of ci on A CPU"
    assert "1 run of other suites or devices is not shown." in one.remarks


def test_the_terminal_says_in_which_setting_and_with_what_it_changed(
    past: tuple[Path, Run],
) -> None:
    folder, like = past
    [first, *_] = [line for line in history.lines(history.table(read(folder, like))) if "→" in line]
    assert f"Throughput ({FP16.key}): 11 % slower since 2026-01-05" in first
    assert "commit commit5; torch 2.15.0 → 2.16)" in first


# --- reading --------------------------------------------------------------------------------------


def past_run(
    folder: Path, day: int, factor: float, machine: Mapping[str, Any] | None = None, **fields: Any
) -> Run:
    """A run whose throughputs are those of the synthetic run times `factor`."""
    seen: Environment = ENVIRONMENT | {"git_commit": f"commit{day}"} | dict(machine or {})
    run = dataclasses.replace(
        make_run(measures=("params", "throughput")),
        created=f"2026-01-{day:02}T00:00:00+00:00", machine=seen, environments={"e1": seen},
        **fields,
    )  # fmt: skip
    write_folder(folder, run, [scaled(one, factor) for one in make_records(run)])
    return run


def scaled(record: Record, factor: float) -> Record:
    if record.measure != "throughput":
        return record
    values = {name: [factor * one for one in found] for name, found in record.values.items()}
    return dataclasses.replace(record, values=values)


@pytest.fixture
def past(tmp_path: Path) -> tuple[Path, Run]:
    """Eight runs at two depths, the last four 10 % slower and with another torch; and strangers."""
    for day in range(1, 9):
        folder = tmp_path / f"run{9 - day}" if day % 2 else tmp_path / "more" / f"run{day}"
        slow = day > 4
        like = past_run(folder, day, 0.9 if slow else 1.0, {"torch": "2.16"} if slow else {})
    past_run(tmp_path / "suite", 9, 1.0, suite="other")
    past_run(tmp_path / "device", 9, 1.0, {"device_name": "Another GPU"})
    past_run(tmp_path / "uuid", 9, 1.0, {"device_uuid": "GPU-2"})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{", encoding="utf-8")
    past_run(tmp_path / "bad", 9, 1.0)
    (tmp_path / "bad" / "records.jsonl").write_text("{}\n", encoding="utf-8")
    return tmp_path, like


def test_read_takes_the_runs_that_belong_together(past: tuple[Path, Run]) -> None:
    found = read(*past)
    assert (found.suite, found.device, found.runs, found.elsewhere) == (
        "paper", "Synthetic GPU 1", 8, 3,
    )  # fmt: skip
    first = found.series[0]
    assert [point.created[8:10] for point in first.points] == [f"0{day}" for day in range(1, 9)]
    assert [point.commit for point in first.points[:2]] == ["commit1", "commit2"]
    assert {point.torch for point in first.points} == {"2.15.0", "2.16"}
    assert all(point.low is not None for point in first.points)
    assert {one.metric.name for one in found.series} == {"throughput"}  # params are exact


def test_what_cannot_be_read_is_named_with_the_reason(past: tuple[Path, Run]) -> None:
    bad, broken = read(*past).left_out
    assert "bad/records.jsonl:1: schema: is missing" in bad
    assert "broken/run.json: is not valid JSON" in broken
    assert sum("Left out" in remark for remark in history.table(read(*past)).remarks) == 2


def test_a_change_of_the_environment_is_marked(past: tuple[Path, Run]) -> None:
    found = read(*past).series[0]
    assert [point.changed for point in found.points] == [
        "", "", "", "", "torch 2.15.0 → 2.16", "", "", "",
    ]  # fmt: skip
    (change,) = changes(found)
    assert change.place == 4
    assert change.slowdown == pytest.approx(1 / 0.9 - 1)


def test_another_model_of_the_same_name_is_marked(tmp_path: Path) -> None:
    past_run(tmp_path / "a", 1, 1.0)
    others = tuple(dataclasses.replace(one, args={"depth": 3}) for one in PAPER)
    like = past_run(tmp_path / "b", 2, 1.0, models=others)
    assert read(tmp_path, like).series[0].points[1].changed == "another model of this name"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match=r"no such folder; give the one that holds past runs"):
        read(tmp_path / "nowhere", make_run())


# --- figures --------------------------------------------------------------------------------------


def test_a_figure_shows_lines_change_points_and_environments(past: tuple[Path, Run]) -> None:
    (plot,) = history.plots(read(*past))
    assert plot.name == f"history-throughput-{FP16.key}"
    line = plot.data[plot.data["label"] == "ResNet-50"]
    assert line["tick"].tolist() == [f"2026-01-0{day}" for day in range(1, 9)]
    assert line["x"].tolist() == list(range(8))
    assert line["y"].tolist() == pytest.approx([100] * 4 + [90] * 4)
    change, around = plot.paint.keywords["marks"]  # type: ignore[attr-defined]
    assert (change.x, change.change) == (3.5, True)
    assert re.fullmatch(r"(.+ 11 % slower\n){2}and 9 more", change.text)
    assert (around.x, around.text, around.change) == (3.5, "torch 2.15.0 → 2.16", False)


def test_throughput_is_drawn_first_and_single_runs_are_not() -> None:
    found = History("ci", "A CPU", 3, (series([1, 2], metric="latency_p50"), series([3])), (), 0)
    assert [plot.name for plot in history.plots(found)] == [f"history-latency-p50-{FP16.key}"]
    assert "need 6 runs" in history.plots(found)[0].caption


def test_a_verdict_without_figures_loads_nothing_that_draws() -> None:
    code = (
        "import sys; from cmx_bench.gate import check, history, outputs; "
        "print({'seaborn', 'matplotlib'} & {*sys.modules})"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout == "set()\n"


def test_figures_carry_awkward_names_and_are_embedded(tmp_path: Path) -> None:
    models = [dataclasses.replace(series([100] * 5 + [80] * 5, label).model, name=f"m{place}")
              for place, label in enumerate(AWKWARD)]  # fmt: skip
    lines = [dataclasses.replace(series([100 + n] * 5 + [80] * 5), model=one)
             for n, one in enumerate(models)]  # fmt: skip
    found = History("ci", "A CPU", 10, tuple(lines), (), 0)
    (drawing,) = drawings(found)
    assert drawing.svg == drawings(found)[0].svg
    ElementTree.fromstring(drawing.svg.encode())
    write(mixed(), tmp_path, [drawing], [history.table(found)])
    name = drawing.plot.name
    assert (tmp_path / "figures" / f"{name}.png").read_bytes() == drawing.copies["png"]
    page = (tmp_path / "verdict.html").read_text(encoding="utf-8")
    assert f'<figure id="figure-{name}">' in page and page.count("<svg") == 1
    assert "Change points over 10 runs" in page
    text = (tmp_path / "verdict.md").read_text(encoding="utf-8")
    assert f"](figures/{name}.svg)" in text
