"""Past runs: which belong together, and what cannot be read."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.gate.history.gathering import read
from cmx_bench.gate.history.rows import of_changes
from cmx_bench.results.records import Run

from ...report.synthetic import FP16, PAPER, failed, make_records, make_run, write_folder
from .past import past_run


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
    past_run(tmp_path / "cores", 9, 1.0, {"cores": 4})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{", encoding="utf-8")
    past_run(tmp_path / "bad", 9, 1.0)
    (tmp_path / "bad" / "records.jsonl").write_text("{}\n", encoding="utf-8")
    return tmp_path, like


def test_read_takes_the_runs_that_belong_together(past: tuple[Path, Run]) -> None:
    gathered = read(*past)
    assert (gathered.suites, gathered.machines, len(gathered.runs), gathered.elsewhere) == (
        ("paper",), ("Synthetic GPU 1",), 8, 4,
    )  # fmt: skip
    first = gathered.series[0]
    assert [point.run.created[8:10] for point in first.points] == [f"0{day}" for day in range(1, 9)]
    assert [point.run.commit for point in first.points[:2]] == ["commit1", "commit2"]
    assert {point.run.versions[1] for point in first.points} == {"torch 2.15.0", "torch 2.16"}
    assert all(point.low is not None for point in first.points)
    metrics = dict.fromkeys(series.metric.name for series in gathered.series)
    assert list(metrics) == ["throughput", "params", "trainable_params", "buffers"]


def test_what_cannot_be_read_is_named_with_the_reason(past: tuple[Path, Run]) -> None:
    bad, broken = read(*past).left_out
    assert bad.startswith("bad/records.jsonl:1: schema: is missing")
    assert broken.startswith("broken/run.json: is not valid JSON")
    assert sum("Left out" in remark for remark in of_changes(read(*past)).remarks) == 2


def test_a_change_of_the_environment_is_marked(past: tuple[Path, Run]) -> None:
    gathered = read(*past).series[0]
    assert [point.changed for point in gathered.points] == [
        "", "", "", "", "torch 2.15.0 → 2.16", "", "", "",
    ]  # fmt: skip
    (change,) = gathered.changes
    assert change.place == 4
    assert change.slowdown == pytest.approx(1 / 0.9 - 1)


def test_another_model_of_the_same_name_is_marked(tmp_path: Path) -> None:
    past_run(tmp_path / "a", 1, 1.0)
    others = tuple(replace(model, args={"depth": 3}) for model in PAPER)
    like = past_run(tmp_path / "b", 2, 1.0, models=others)
    assert read(tmp_path, like).series[0].points[1].changed == "another model of this name"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match=r"no such folder; give the one that holds past runs"):
        read(tmp_path / "nowhere", make_run())


# --- a folder of anything -------------------------------------------------------------------------


def test_each_machine_has_series_of_its_own_and_a_name(past: tuple[Path, Run]) -> None:
    everything = read(past[0])
    assert everything.suites == ("paper", "other")
    assert set(everything.machines) == {
        "Synthetic GPU 1, device_uuid unknown, cores 8",
        "Synthetic GPU 1, device_uuid unknown, cores 4", "Another GPU",
        "Synthetic GPU 1, device_uuid GPU-2, cores 8",
    }  # fmt: skip
    sampled = [series for series in everything.series if not series.metric.exact]
    for series in sampled:
        assert {point.run.machine for point in series.points} == {series.machine}
    assert sum(len(series.points) for series in sampled) == 12 * len(PAPER)


def test_exact_metrics_are_followed_over_all_machines(past: tuple[Path, Run]) -> None:
    [params] = [series for series in read(past[0]).series
                if (series.suite, series.metric.name, series.model.name)
                == ("paper", "params", "resnet50")]  # fmt: skip
    assert (params.machine, len(params.points)) == ("", 11)
    assert {point.changed for point in params.points} >= {"torch 2.15.0 → 2.16"}
    assert not any("cores" in point.changed for point in params.points)


def test_a_run_that_lies_there_twice_counts_once(tmp_path: Path) -> None:
    past_run(tmp_path / "run", 1, 1.0)
    shutil.copytree(tmp_path / "run", tmp_path / "sorted" / "copy")
    gathered = read(tmp_path)
    assert len(gathered.runs) == 1
    [reason] = gathered.left_out
    assert reason == "sorted/copy: is the same run as run"


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"quick": True}, "run: is a quick run, which decides nothing; measure it without --quick"),
        ({"replicate": 0}, "run: is one replicate of a run; merge the parts first"),
    ],
)
def test_a_part_of_a_run_is_left_out(tmp_path: Path, part: dict[str, Any], why: str) -> None:
    past_run(tmp_path / "run", 1, 1.0, **part)
    gathered = read(tmp_path)
    assert (gathered.runs, gathered.left_out) == ((), (why,))


def test_records_without_a_run_are_named(tmp_path: Path) -> None:
    past_run(tmp_path / "lost", 1, 1.0)
    (tmp_path / "lost" / "run.json").unlink()
    [reason] = read(tmp_path).left_out
    assert reason.startswith("lost: holds no run (no run.json)")


def test_what_failed_has_no_point_and_is_counted(tmp_path: Path) -> None:
    run = make_run(PAPER[:2], measures=("throughput",))
    name = PAPER[0].name
    write_folder(tmp_path / "run", run, [
        failed(record, "out of memory") if record.model == name else record
        for record in make_records(run)
    ])  # fmt: skip
    gathered = read(tmp_path)
    assert [series.model.name for series in gathered.series] == [PAPER[1].name]
    assert gathered.runs[0].failed == (f"{name}/throughput/{FP16.key}",)
    assert gathered.runs[0].page is None


def test_an_empty_folder_has_no_runs(tmp_path: Path) -> None:
    assert read(tmp_path).runs == read(tmp_path).series == ()


def test_machines_of_one_kind_may_begin_in_the_same_second(tmp_path: Path) -> None:
    past_run(tmp_path / "one", 1, 1.0)
    past_run(tmp_path / "other", 1, 1.01)
    gathered = read(tmp_path)
    assert (len(gathered.runs), gathered.left_out) == (2, ())
