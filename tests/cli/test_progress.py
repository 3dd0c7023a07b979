"""What a run says of itself, and how it foresees the end of what takes long."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.progress import Progress

from cmx_bench.accuracy import Evaluation
from cmx_bench.cli import progress, telling
from cmx_bench.execute.outlook import Outlook
from cmx_bench.plan import Plan, making
from cmx_bench.plan.users import Asked
from cmx_bench.results.records import Record
from cmx_bench.spec import suite
from cmx_bench.worker.job import Job, Place, Seen

from ..conftest import TINY, TRAINED

TWO = (Place("cuda:0", "a", (0,)), Place("cuda:1", "b", (1,)))


class Clock:
    """In the place of the time: it stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=clock))
    return clock


@pytest.fixture
def trained(write_suite: Callable[[str], Path], cpu: dict[str, Any]) -> Plan:
    """Two models that are trained and evaluated together, with two seeds."""
    file = suite.load(str(write_suite(TRAINED)))
    return making.make(file, cpu, Asked(evaluation=Evaluation(file.suite.accuracy, Path())))


def kept(job: Job) -> Record:
    details = {"images": 360}
    return Record(
        job.cell.key, job.cell.model.name, "accuracy", "k", job.replicate, "ok", {"top1": [0.5]},
        "", "e", "", 60.0, details=details,
    )  # fmt: skip


def test_trainings_are_foreseen_by_their_pace(
    trained: Plan, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of the images of the first seed take 60 s: 60 are left of it, and another seed as
    planned. A line comes when a minute has been silent."""
    job = Job(trained.cells[0], 0, Path("log"))
    other = sum(trained.estimates.values())
    outlook = Outlook(trained)
    with progress.watching(outlook) as watch:
        watch(job, None)
        for images, passed in ((0, 0.0), (400, 59.0), (500, 1.0), (600, 12.0)):
            clock.now += passed
            watch(replace(job, seen=Seen(images, 1000, "training one and other")), None)
        said = capsys.readouterr().err
        left = progress.units.duration(60.0 + other)
        assert said == f"500 of 1,000 images, training one and other  [{left} left]\n"
        for cell in trained.cells:
            record = kept(replace(job, cell=cell))
            outlook.add(record)
            watch(replace(job, cell=cell), record)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"[1/4] {trained.cells[0].key} (1 of 2): Top-1 50.0 % of 360 images")
    assert second.startswith("[2/4] ")
    # The pace was that of the first seed: what is left is as planned.
    assert all(line.endswith(f"[60.0 s, {progress.units.duration(other)} left]")
               for line in (first, second))  # fmt: skip


def test_what_goes_on_is_foreseen_by_what_is_new(trained: Plan, clock: Clock) -> None:
    """A training that was broken off begins at 800 of 1,000: 50 images in 5 s leave 15 s."""
    job = Job(trained.cells[0], 0, Path("log"))
    forecast = progress._Forecast(Outlook(trained), None, 0.0, clock())
    whole = forecast.left()
    forecast.hear(replace(job, seen=Seen(800, 1000)), None)
    assert forecast.left() == whole  # as planned: the pace is not known yet
    clock.now += 5
    forecast.hear(replace(job, seen=Seen(850, 1000)), None)
    assert forecast.left() == pytest.approx(15 + whole / 2)
    clock.now += 1
    forecast.hear(replace(job, seen=Seen(0, 360)), None)  # trained, and evaluated now
    clock.now += 1
    forecast.hear(replace(job, seen=Seen(90, 360)), None)
    assert forecast.left() == pytest.approx(3 + whole / 2)


def test_a_stream_of_unknown_length_is_foreseen_as_planned(trained: Plan, clock: Clock) -> None:
    forecast = progress._Forecast(Outlook(trained), None, 0.0, clock())
    whole = forecast.left()
    for images in (0, 64):
        clock.now += 1
        job = Job(trained.cells[0], 0, Path("log"), Seen(images, None))
        forecast.hear(job, None)
    assert forecast.left() == whole
    assert progress._under_way([job]) == "64 images, accuracy"


def test_the_bar_moves_while_models_train(
    trained: Plan, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the first of two seeds in the time that was planned for it: a quarter."""
    monkeypatch.setattr(telling, "is_terminal", lambda stream: True)
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(Progress, "update", lambda self, task, **fields: shown.append(fields))
    job, seed = Job(trained.cells[0], 0, Path("log")), sum(trained.estimates.values())
    with progress.watching(Outlook(trained)) as watch:
        watch(replace(job, seen=Seen(0, 10)), None)
        clock.now += seed / 2
        watch(replace(job, seen=Seen(5, 10)), None)
    assert shown[-1]["completed"] / shown[-1]["total"] == pytest.approx(1 / 4)


def test_several_devices_share_the_time(trained: Plan) -> None:
    """With all seeds of a setting under way nothing else of it is left."""
    shared = Outlook(replace(trained, places=TWO))
    assert shared.seconds_left() == pytest.approx(Outlook(trained).seconds_left() / 2)
    assert shared.seconds_left(under_way={trained.cells[0].setting_key: 60.0}) == 60.0


def test_what_is_under_way_is_counted(trained: Plan, clock: Clock) -> None:
    outlook = Outlook(replace(trained, places=TWO))
    forecast = progress._Forecast(outlook, None, 0.0, clock())
    first, other = (Job(cell, 0, Path("log")) for cell in trained.cells)
    forecast.hear(first, None)
    assert progress._under_way(forecast.jobs) == "accuracy of one"
    forecast.hear(other, None)
    assert progress._under_way(forecast.jobs) == "accuracy of other and 1 other"
    forecast.hear(other, kept(other))
    assert progress._under_way(forecast.jobs) == "accuracy of one"


@pytest.fixture
def precise(write_suite: Callable[[str], Path], cpu: dict[str, Any]) -> Plan:
    """Two models' throughput, three processes each, and more until it is known to a percent."""
    text = TINY.replace("[params, throughput]", "[throughput]") + "precision: 1%\n"
    return making.make(suite.load(str(write_suite(text))), cpu)


def timed(job: Job, value: float, disturbed: float = 0.0) -> Record:
    covariates = {"disturbed": [disturbed], "discarded": [0.0]}
    return Record(
        job.cell.key, job.cell.model.name, "throughput", "k", job.replicate, "ok",
        {"throughput": [value]}, "", "e", "", 2.0, covariates=covariates,
    )  # fmt: skip


def test_the_total_says_why_it_changes(precise: Plan, clock: Clock) -> None:
    """Five processes of a cell 8 % apart ask for more; a sixth beside them for fewer of these."""
    forecast = progress._Forecast(Outlook(precise), None, 0.0, clock())
    job = Job(precise.cells[0], 0, Path("log"))
    for replicate, value in enumerate((100.0, 101.0, 99.0, 100.5)):
        forecast.outlook.add(timed(replace(job, replicate=replicate), value))
        assert forecast.done() == f"[{replicate + 1:>2}/10]"
    forecast.outlook.add(timed(replace(job, replicate=4), 104.0))
    match = re.fullmatch(
        r"\[ 5/(\d+), \+(\d+): precision asks for another round\]", forecast.done()
    )
    assert match and int(match[1]) == 10 + int(match[2])
    assert forecast.done() == f"[ 5/{match[1]}]"  # told once
    for records in (forecast.outlook.records, forecast.outlook.found[job.cell.key]):
        records.pop()
    forecast.outlook.add(timed(replace(job, replicate=4), 100.0))
    assert forecast.done() == f"[ 5/10, −{match[2]}: no more are needed]"


def test_a_value_of_several_processes_says_so(precise: Plan) -> None:
    job = Job(precise.cells[0], 0, Path("log"))
    records = [timed(replace(job, replicate=place), 100.0 + place) for place in range(3)]
    texts = [progress._result(records[: place + 1]) for place in range(3)]
    assert texts == ["100 images/s", "100 images/s so far", "101 images/s ± 2.5 % so far"]


def test_processes_that_stayed_disturbed_are_why_more_follow(
    write_suite: Callable[[str], Path], cpu: dict[str, Any], clock: Clock
) -> None:
    text = TINY.replace("[params, throughput]", "[throughput]")
    plan = making.make(suite.load(str(write_suite(text))), cpu)
    forecast = progress._Forecast(Outlook(plan), None, 0.0, clock())
    job = Job(plan.cells[0], 0, Path("log"))
    for replicate, (value, disturbed) in enumerate(((100.0, 0.0), (50.0, 1.0), (99.0, 0.0))):
        forecast.outlook.add(timed(replace(job, replicate=replicate), value, disturbed))
    assert forecast.done() == "[3/7, +1: disturbed processes are repeated]"
