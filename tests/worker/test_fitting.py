"""How a training is set up and told; tests/execute/test_learners.py trains in processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.measures import jiffies
from cmx_bench.spec import suite
from cmx_bench.training import files
from cmx_bench.worker import fitting
from cmx_bench.worker.job import Seen, TrainingJob

from ..conftest import TRAINED

MODEL = Model("m", "M", "mixer", "mixer", "", {"dim": 16, "depth": 1, "patch_size": 4},
              num_classes=10)  # fmt: skip
SETTING = Setting("cpu", "cpu", "bf16", "nhwc", "default", 64, 16, threads=1)


@pytest.fixture
def job(write_suite: Callable[[str], Path], tmp_path: Path) -> TrainingJob:
    asked = suite.load(str(write_suite(TRAINED))).suite.accuracy
    cell = Cell(MODEL, "accuracy", SETTING)
    return TrainingJob(cell, 7, Evaluation(asked, Path()), files.of(tmp_path, "m", 16, 7))


def test_a_training_has_a_setting_of_its_own(job: TrainingJob) -> None:
    """Whatever its models are evaluated in."""
    setting = fitting._setting(job)
    assert (setting.precision, setting.layout, setting.compile) == ("fp32", "nchw", "none")
    assert (setting.batch_size, setting.image_size) == (16, 16)


@pytest.mark.parametrize(
    ("at_once", "processes", "threads"), [(1, 1, 7), (2, 1, 3), (2, 2, 1), (8, 1, 1)]
)
def test_trainings_share_the_cores_and_leave_one_for_images(
    job: TrainingJob, monkeypatch: pytest.MonkeyPatch, at_once: int, processes: int, threads: int
) -> None:
    monkeypatch.setattr(jiffies, "usable_cores", lambda: 8)
    shared = replace(job, at_once=at_once, task=replace(job.task, processes=processes))
    assert fitting._setting(shared).threads == threads


def test_each_process_of_a_training_has_a_gpu_of_its_own(job: TrainingJob) -> None:
    on_gpu = replace(job, cell=replace(job.cell, setting=replace(SETTING, device="cuda:2")))
    assert [fitting._setting(on_gpu, rank).device for rank in (0, 1)] == ["cuda:2", "cuda:3"]
    assert fitting._setting(on_gpu).threads is None


def test_images_are_counted_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.5, 1.0, 1.5, 2.5])
    monkeypatch.setattr(fitting.time, "monotonic", lambda: next(clock))
    sent: list[Seen] = []
    tell = fitting._sometimes(SimpleNamespace(send=sent.append), 40)  # type: ignore[arg-type]
    for images in (10, 20, 30, 40):
        tell(images)
    assert sent == [Seen(20, 40), Seen(40, 40)]


def test_what_is_told_of_a_training_follows_from_its_curve(job: TrainingJob) -> None:
    curve: list[dict[str, Any]] = [
        {"number": number, "seconds": 2.0, "images": 100, "top1": top1}
        for number, top1 in enumerate((0.5, 0.75, 0.75, 0.6), 1)
    ]

    class Images(list[int]):
        about = "100 images"

    training = SimpleNamespace(
        recipe=SimpleNamespace(name="short"), images=Images(range(100)),
        part=SimpleNamespace(count=2),
    )  # fmt: skip
    lesson: Any = SimpleNamespace(training=training)
    details = fitting._tell(lesson, curve, replace(job, at_once=3))
    assert (details["recipe"], details["seed"]) == ("short", 7)
    assert (details["epochs"], details["images"]) == (4, 100)
    assert (details["processes"], details["at_once"], details["opened"]) == (2, 3, "100 images")
    assert (details["seconds"], details["images_per_second"]) == (8.0, 50.0)
    assert details["best"] == {"epoch": 2, "top1": 0.75}  # of epochs that are as good the first
