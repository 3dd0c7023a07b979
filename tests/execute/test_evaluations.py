"""The processes that evaluate: skipped cells, cells tried again, one that dies, one that hangs."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cmx_bench import report
from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.execute import evaluations, learners, opening
from cmx_bench.models.building import build
from cmx_bench.plan import Plan, making
from cmx_bench.plan.users import Asked
from cmx_bench.results import records
from cmx_bench.results.executions import executions
from cmx_bench.spec import suite
from cmx_bench.spec.suite import Accuracy
from cmx_bench.worker import local
from cmx_bench.worker.job import Evaluated, EvaluationJob, Heard, Job, Outcome, Seen
from cmx_bench.worker.local import Child

from ..conftest import CPU, StandIn
from .conftest import measure

SETTING = Setting("cpu", "cpu", "fp32", "nchw", "none", 2, 56)
CELLS = [
    Cell(Model(name, name, "", "timm", "test_vit"), "accuracy", SETTING) for name in ("a", "b", "c")
]
TASK = Evaluation(Accuracy(), Path())
SUITE = """\
name: seen
num_classes: 10
models:
  - {name: mixer, convmixer: {dim: 8, depth: 1, kernel_size: 3}, weights: w/mixer.pth}
  - {name: other, convmixer: {dim: 8, depth: 2, kernel_size: 3}, weights: w/other.pth}
  - {name: blank, convmixer: {dim: 8, depth: 1, kernel_size: 3}}
measures: [params, accuracy]
accuracy: {dataset: NAME}
settings:
  cpu: [{name: cpu, batch_size: 2, image_size: 56}]
"""


def ok(share: float = 0.5) -> Outcome:
    details = {
        "dataset": "digits", "images": 100, "correct": {"top1": round(100 * share)}, "broken": {},
        "preprocessing": {"geometry": {"image_size": 56, "crop_pct": 1, "crop_mode": "center",
                                       "interpolation": "bicubic"}, "mean": [0], "std": [1]},
        "weights_sha256": hashlib.sha256().hexdigest(),  # of an empty file, as they are here
    }  # fmt: skip
    return Outcome({"top1": [share]}, "", CPU, details=details)


# --- one group ------------------------------------------------------------------------------------

Life = Callable[[Connection, Sequence[Cell]], None]


# A process as it is found when its pipe has ended.
KILLED: Any = SimpleNamespace(join=lambda seconds: None, exitcode=-signal.SIGKILL)


@pytest.fixture
def lives(monkeypatch: pytest.MonkeyPatch) -> Callable[[Life], list[list[str]]]:
    """Puts a function in the place of each process; notes which cells each was given."""

    def install(life: Life) -> list[list[str]]:
        given: list[list[str]] = []

        @contextmanager
        def process(target: str, cells: Sequence[Cell], *rest: object) -> Iterator[Child]:
            given.append([cell.key for cell in cells])
            ours, theirs = Pipe()
            thread = Thread(target=run, args=(life, theirs, cells))
            thread.start()
            with ours:
                yield Child(KILLED, ours)
            thread.join()

        monkeypatch.setattr(local, "process", process)
        return given

    return install


def run(life: Life, pipe: Connection, cells: Sequence[Cell]) -> None:
    with pipe:
        life(pipe, cells)


def outcomes(timeout: float = 60.0) -> dict[str, Outcome]:
    heard = evaluations.execute(CELLS, TASK, Path(os.devnull).parent, timeout)
    return {said[0].key: said[1] for said in heard if not isinstance(said, Seen)}


def test_all_are_evaluated_in_one_process(lives: Any) -> None:
    def life(pipe: Connection, cells: Sequence[Cell]) -> None:
        pipe.send(Seen(2, 4))
        for cell in cells:
            pipe.send(Evaluated(cell.key, ok()))

    given = lives(life)
    assert outcomes() == {cell.key: ok() for cell in CELLS}
    assert len(given) == 1


def test_a_users_model_has_a_process_of_its_own(lives: Any) -> None:
    def life(pipe: Connection, cells: Sequence[Cell]) -> None:
        pipe.send(Seen(2, 4))
        for cell in cells:
            pipe.send(Evaluated(cell.key, ok()))

    own = replace(CELLS[1], model=replace(CELLS[1].model, source="python", target="mine:build"))
    given = lives(life)
    cells = [CELLS[0], own, CELLS[2]]
    heard = list(evaluations.execute(cells, TASK, Path(os.devnull).parent, 60.0))
    assert heard == [
        Seen(2, 8), (CELLS[0], ok()), (CELLS[2], ok()), Seen(6, 8), (own, ok())
    ]  # fmt: skip
    assert given == [[CELLS[0].key, CELLS[2].key], [own.key]]


# A model that changes what predicts in its process, as soon as it sees values, and the folder.
PATCHES = """\
import os
import torch
from torch import nn

class Patches(nn.Module):
    def __init__(self):
        super().__init__()
        os.chdir("/")
        self.head = nn.Linear(3, 10)

    def forward(self, x):
        if x.device.type != "meta":
            os.chdir("/")
            nn.functional.batch_norm = lambda x, *rest: x * 0
            nn.functional.gelu = lambda x, **rest: x * 0
        return self.head(x.mean((2, 3)))
"""
BESIDE = """\
name: beside
num_classes: 10
models:
  - {name: first, convmixer: {dim: 8, depth: 1, kernel_size: 3}, weights: w/first.pth}
  - {name: bad, python: "patching_models:Patches", weights: w/bad.pth}
  - {name: last, convmixer: {dim: 8, depth: 2, kernel_size: 3}, weights: w/last.pth}
measures: [accuracy]
accuracy: {dataset: digits, preprocessing: shared}
settings:
  cpu: [{name: cpu, batch_size: 64, image_size: 32}]
"""


def test_a_model_that_changes_torch_changes_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The models beside it are as accurate as they are without it."""
    (tmp_path / "patching_models.py").write_text(PATCHES)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w").mkdir()
    (tmp_path / "suite.yaml").write_text(BESIDE)
    suite_file = suite.load("suite.yaml", trusted=True)
    for name in ("first", "bad", "last"):
        (tmp_path / "w" / f"{name}.pth").touch()
    task = Evaluation(suite_file.suite.accuracy, tmp_path)
    plan = making.make(suite_file, CPU, Asked(trusted=True, evaluation=task))
    torch.manual_seed(0)
    for model in plan.models:
        torch.save(build(model, 32).state_dict(), str(model.weights))

    def top1(*names: str) -> dict[str, Any]:
        cells = [cell for cell in plan.cells if cell.model.name in names]
        home = Path("-".join(names))
        home.mkdir()
        job = EvaluationJob(cells, 0, None, task, home)
        ends = [said for said in learners.outcomes(job, 300.0) if not isinstance(said, Seen)]
        return {cell.model.name: (outcome.reason, outcome.values) for cell, outcome in ends}

    alone, beside = top1("first", "last"), top1("first", "bad", "last")
    assert [reason for reason, _ in beside.values()] == ["", "", ""]
    assert {name: beside[name] for name in alone} == alone


def test_a_process_that_dies_fails_only_the_model_that_kills_it(lives: Any) -> None:
    def life(pipe: Connection, cells: Sequence[Cell]) -> None:
        for cell in cells:
            if cell.model.name == "b":
                return  # the end of the pipe is the death of the process
            pipe.send(Evaluated(cell.key, ok()))

    given = lives(life)
    by_cell = outcomes()
    assert [by_cell[cell.key].reason for cell in CELLS] == [
        "", "the process was killed by SIGKILL (out of memory?)", ""
    ]  # fmt: skip
    keys = [cell.key for cell in CELLS]
    # The first was done already; what something outside ended may do better in a second try.
    assert given == [keys, [keys[1]], [keys[1]], [keys[2]]]


def test_one_that_ran_out_of_memory_is_tried_alone(lives: Any) -> None:
    def life(pipe: Connection, cells: Sequence[Cell]) -> None:
        for cell in cells:
            again = cell.model.name == "b" and len(cells) > 1
            pipe.send(
                Evaluated(cell.key, Outcome({}, "out of memory", {}) if again else ok(), again)
            )

    given = lives(life)
    assert {outcome.reason for outcome in outcomes().values()} == {""}
    assert [len(cells) for cells in given] == [3, 1]


def test_a_process_that_says_nothing_is_given_up(lives: Any) -> None:
    def life(pipe: Connection, cells: Sequence[Cell]) -> None:
        while not pipe.poll(0.05):  # until the other end is closed
            time.sleep(0)

    lives(lambda pipe, cells: closed(life, pipe, cells))
    assert {outcome.reason for outcome in outcomes(timeout=0.05).values()} == {
        "the process took longer than 0.05 s"
    }


def closed(life: Life, pipe: Connection, cells: Sequence[Cell]) -> None:
    try:
        life(pipe, cells)
    except (EOFError, OSError):
        return


# --- a run ----------------------------------------------------------------------------------------


class Evaluator:
    """Evaluates nothing: it answers each cell as told, and notes what it was asked."""

    def __init__(self, answer: Callable[[Cell], Outcome] = lambda cell: ok()) -> None:
        self.answer, self.asked = answer, list[list[str]]()

    def __call__(
        self, jobs: Sequence[EvaluationJob], timeout: float
    ) -> Iterator[tuple[EvaluationJob, Heard]]:
        [job] = jobs
        self.asked.append([cell.model.name for cell in job.cells])
        yield job, Seen(1, 2)
        for cell in job.cells:
            outcome = self.answer(cell)
            details = {**outcome.details, "weights": cell.model.weights}
            yield job, (cell, replace(outcome, details=details))


@pytest.fixture
def make_plan(tmp_path: Path) -> Callable[..., Plan]:
    def make(dataset: str = "digits", path: Path | None = None) -> Plan:
        (tmp_path / "w").mkdir(exist_ok=True)
        for name in ("mixer", "other"):
            (tmp_path / "w" / f"{name}.pth").touch()
        file = tmp_path / "suite.yaml"
        file.write_text(SUITE.replace("NAME", dataset))
        suite_file = suite.load(str(file))
        task = Evaluation(suite_file.suite.accuracy, tmp_path, path)
        return making.make(suite_file, CPU, Asked(evaluation=task))

    return make


def run_once(plan: Plan, folder: Path, evaluator: Evaluator) -> dict[str, str]:
    out = opening.open_run(plan, folder, folder / "run", False, "the command")
    params = StandIn(lambda job: Outcome({"params": [1], "trainable_params": [1], "buffers": [0]},
                                         "", CPU))  # fmt: skip
    lines = measure(plan, out, params, watched, evaluator=evaluator)
    assert lines == records.read(out)
    return {record.model: record.reason for record in lines if record.measure == "accuracy"}


def watched(job: Job, record: object) -> None:
    assert job.seen is None or job.seen == Seen(1, 2)


def test_weights_replaced_under_their_name_are_evaluated_again(
    make_plan: Any, tmp_path: Path
) -> None:
    def answer(cell: Cell) -> Outcome:
        outcome = ok()
        content = Path(str(cell.model.weights)).read_bytes()
        details = {**outcome.details, "weights_sha256": hashlib.sha256(content).hexdigest()}
        return replace(outcome, details=details)

    plan: Plan = make_plan()
    for expected in ([["mixer", "other"]], []):
        evaluator = Evaluator(answer)
        run_once(plan, tmp_path, evaluator)
        assert evaluator.asked == expected
    (tmp_path / "w" / "other.pth").write_bytes(b"other weights")
    evaluator = Evaluator(answer)
    run_once(plan, tmp_path, evaluator)
    assert evaluator.asked == [["other"]]


def test_other_weights_are_another_try_and_no_other_seed(make_plan: Any, tmp_path: Path) -> None:
    plan: Plan = make_plan()
    run_once(plan, tmp_path, Evaluator())
    known = tmp_path / "run"
    models = [replace(model, weights=f"{model.weights}.new") for model in plan.models]
    by_name = {model.name: model for model in models}
    cells = tuple(replace(cell, model=by_name[cell.model.name]) for cell in plan.cells)
    again = replace(plan, models=tuple(models), cells=cells)
    params = StandIn(lambda job: Outcome({"params": [1]}, "", CPU))
    lines = measure(again, known, params, watched, evaluator=Evaluator())
    accuracies = [
        execution
        for execution in executions(records.read_run(known), lines)
        if (execution.record.measure, execution.record.model) == ("accuracy", "mixer")
    ]
    assert [execution.why for execution in accuracies] == ["tried again", ""]
    assert accuracies[1].record.details["weights"] == by_name["mixer"].weights


def test_what_lacks_weights_is_skipped_with_the_option(make_plan: Any, tmp_path: Path) -> None:
    evaluator = Evaluator()
    reasons = run_once(make_plan(), tmp_path, evaluator)
    assert evaluator.asked == [["mixer", "other"]]
    assert reasons["blank"].endswith("add --weights blank=FILE")
    made_of_it = report.read(tmp_path / "run")
    assert (made_of_it.progress.ok, made_of_it.progress.skipped) == (5, 1)
    gap = next(gap for gap in made_of_it.gaps if gap.models == ("blank",))
    assert gap.reason == "no weights, and an untrained model guesses"
    estimate = made_of_it.results["mixer", SETTING.key, "top1"].estimate
    assert estimate is not None
    assert (estimate.value, estimate.n) == (0.5, 100)


def test_images_that_are_missing_skip_and_may_be_given_later(
    make_plan: Any, tmp_path: Path
) -> None:
    evaluator = Evaluator()
    reasons = run_once(make_plan("imagenet-val"), tmp_path, evaluator)
    assert evaluator.asked == []
    assert reasons["mixer"] == "no images of 'imagenet-val': add --data imagenet-val=PATH"
    kept = (tmp_path / "run" / "records.jsonl").read_bytes()
    run_once(make_plan("imagenet-val"), tmp_path, evaluator)  # nothing new to say
    assert (tmp_path / "run" / "records.jsonl").read_bytes() == kept

    folder = tmp_path / "images" / "7"
    folder.mkdir(parents=True)
    (folder / "one.jpg").touch()
    run_once(make_plan("imagenet-val", tmp_path / "images"), tmp_path, evaluator)
    assert evaluator.asked == [["mixer", "other"]]
    rendered = report.read(tmp_path / "run")
    assert (rendered.progress.ok, rendered.progress.skipped) == (5, 1)
    assert rendered.run.accuracy["path"] == "…/images"  # a report has no path of the machine
    whole = records.read_run(tmp_path / "run")
    assert whole.accuracy["path"] == str(tmp_path / "images")


def test_what_failed_is_tried_again(make_plan: Any, tmp_path: Path) -> None:
    def fails(cell: Cell) -> Outcome:
        return replace(ok(), reason="broken images") if cell.model.name == "other" else ok()

    first, second = Evaluator(fails), Evaluator()
    assert run_once(make_plan(), tmp_path, first)["other"] == "broken images"
    assert report.read(tmp_path / "run").progress.failed == 1
    before = replace(records.read_run(tmp_path / "run"), finished="2026-01-01T00:00:00+00:00")
    records.rewrite_run(tmp_path / "run", before)
    run_once(make_plan(), tmp_path, second)
    assert second.asked == [["other"]]
    assert report.read(tmp_path / "run").progress.failed == 0
    whole = records.read_run(tmp_path / "run")
    assert whole.finished > "2026-01-02"  # when its last record was
    run_once(make_plan(), tmp_path, Evaluator())
    assert records.read_run(tmp_path / "run") == whole
