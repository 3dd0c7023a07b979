"""Cells shared among devices of this machine: two stand-ins on the CPU, pinned to a core each."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell, Setting
from cmx_bench.execute import devices, learners, opening
from cmx_bench.plan import Plan, making
from cmx_bench.plan.users import Asked
from cmx_bench.results import records
from cmx_bench.results.records import Record
from cmx_bench.spec import suite
from cmx_bench.worker.job import EvaluationJob, Evaluator, Job, Place, Seen

from ..conftest import CPU, wait_until
from ..training.test_loop import model
from . import beside
from .test_learners import asked

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or not {0, 1} <= os.sched_getaffinity(0),
    reason="needs two cores that processes can be held on",
)
ROOT = Path(__file__).parents[2]
# Tells where and when it is built; one that is called `waits` waits for a file.
TELLING = """\
import os, time
from pathlib import Path
from torch import nn

def build(name, num_classes=10):
    here = Path(os.environ["TELLING"])
    with (here / "built.txt").open("a") as file:
        file.write(f"{name} {sorted(os.sched_getaffinity(0))} {time.time()}\\n")
    while name == "waits" and len(os.sched_getaffinity(0)) == 1 and not (here / "go").exists():
        time.sleep(0.01)
    return nn.Sequential(nn.Conv2d(3, 8, 7, 7), nn.Flatten(), nn.Linear(8 * 16, num_classes))
"""
SUITE = """\
name: beside
num_classes: 10
models:
  - {name: A, python: "telling:build", args: {name: A}}
  - {name: B, python: "telling:build", args: {name: B}}
measures: [MEASURES]
replicates: TIMES
settings:
  cpu: [{name: cpu, batch_size: 2, image_size: 28, threads: 1}]
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the models tell, found by this process and those that it starts."""
    here = tmp_path_factory.mktemp("telling")
    (here / "telling.py").write_text(TELLING)
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(here))
        patched.setenv("TELLING", str(here))
        yield here


def plan_on(here: Path, measures: str, times: int, *names: str) -> tuple[Plan, Path]:
    """A plan for two models, and the folder that it is measured into."""
    text = SUITE.replace("MEASURES", measures).replace("TIMES", str(times))
    for letter, name in zip("AB", names, strict=True):
        text = text.replace(f"name: {letter}", f"name: {name}")
    (here / "suite.yaml").write_text(text)
    suite_file = suite.load(str(here / "suite.yaml"), trusted=True)
    plan = making.make(suite_file, CPU, Asked(trusted=True))
    return plan, opening.open_run(plan, here, here / "-".join(names), False, "command")


def children_of(process: psutil.Process, word: str) -> list[psutil.Process]:
    """Those below a process whose command line has a word; one that has just ended has none."""
    below = process.children(recursive=True)
    lines = [child.as_dict(["cmdline"], ad_value=[])["cmdline"] for child in below]
    return [child for child, line in zip(below, lines, strict=True) if word in " ".join(line)]


@pytest.fixture(scope="module")
def run(here: Path) -> tuple[list[Record], list[str]]:
    """Two rounds: in the first an interpreter is killed, in the second what holds a device."""
    plan, folder = plan_on(here, "load_time", 2, "a", "b")
    victims = ["cmx_bench.worker.server", "on_device"]

    def watch(job: Job, record: Record | None) -> None:
        if record is None and len(victims) > 1 - job.replicate:
            children_of(psutil.Process(), victims.pop(0))[0].kill()

    said = beside.run(plan, folder, watch)
    assert not victims and not children_of(psutil.Process(), "on_device")
    return records.read(folder), said


def test_all_is_there_once_although_processes_were_killed(
    run: tuple[list[Record], list[str]],
) -> None:
    lines, said = run
    assert said == []
    assert all(record.status == "ok" for record in lines)
    times = Counter((record.model, record.measure, record.replicate) for record in lines)
    assert times == {(name, "load_time", number): 1 for name in "ab" for number in (0, 1)}


def test_a_device_measures_one_thing_at_a_time_on_its_own_core(
    here: Path, run: tuple[list[Record], list[str]]
) -> None:
    lines, _ = run
    environments = records.read_run(here / "a-b").environments
    assert {environments[record.environment]["cores"] for record in lines} == {1}
    spans: dict[str, set[tuple[float, float]]] = {"[0]": set(), "[1]": set()}
    for line in (here / "built.txt").read_text().splitlines():
        name, _, rest = line.partition(" ")
        cores, _, moment = rest.rpartition(" ")
        for record in lines if cores in spans else ():
            begin = datetime.fromisoformat(record.started).timestamp()
            if record.model == name and begin <= float(moment) <= begin + record.elapsed:
                spans[cores].add((begin, begin + record.elapsed))
    assert sum(map(len, spans.values())) == len(lines) and all(spans.values())
    for mine in spans.values():
        for (_, end), (begin, _) in pairwise(sorted(mine)):
            assert end <= begin + 0.002  # they are rounded to milliseconds


def test_an_ended_run_leaves_nothing_behind_and_goes_on(here: Path) -> None:
    """Ended by SIGKILL, then by SIGTERM, while one of two models is still measured."""
    plan, folder = plan_on(here, "load_time", 1, "quick", "waits")
    (here / "plan").write_bytes(pickle.dumps(plan))
    paths = os.pathsep.join([str(ROOT), str(here), *sys.path])
    for number in (signal.SIGKILL, signal.SIGTERM):
        (here / "built.txt").unlink(missing_ok=True)
        command = subprocess.Popen(
            [sys.executable, "-m", "tests.execute.beside", str(folder)],
            env=os.environ | {"PYTHONPATH": paths},
        )
        this = psutil.Process(command.pid)
        wait_until(lambda: is_waiting(here, folder), command)
        below = this.children(recursive=True)
        command.send_signal(number)
        assert command.wait(60) == (-number if number == signal.SIGKILL else 128 + number)
        _, alive = psutil.wait_procs(below, 60)
        assert not alive
    (here / "go").touch()
    beside.run(plan, folder, beside.silent)
    lines = records.read(folder)
    assert sorted(record.model for record in lines) == ["quick", "waits"]
    assert all(record.status == "ok" for record in lines)


def test_each_kind_of_device_has_a_part_in_a_round() -> None:
    """However few jobs there are, and whatever chance says."""
    places = [*(Place(f"cuda:{n}", str(n), (n,), "A") for n in range(3)),
              Place("cuda:3", "3", (3,), "B")]  # fmt: skip
    gpu = replace(SETTING, device="cuda:0")
    jobs = [Job(Cell(model("mixer"), "throughput", replace(gpu, hardware=kind)), 0, Path("log"))
            for kind in ("B", "A")]  # fmt: skip
    for _ in range(20):
        chosen = devices._choose([devices._Beside(place) for place in places], jobs)
        assert chosen[0].name == "cuda:3" and len(chosen) == 2


def is_waiting(here: Path, folder: Path) -> bool:
    """Whether the one model is measured and the other one waits."""
    built = here / "built.txt"
    if not built.exists() or not (folder / "records.jsonl").exists():
        return False
    return "waits" in built.read_text() and "quick" in (folder / "records.jsonl").read_text()


SETTING = Setting("cpu", "cpu", "fp32", "nchw", "none", 8, 16, threads=1)


def with_weights(cell: Cell, home: Path) -> Cell:
    """A cell of the same model, with the weights that it was trained to in a run."""
    name = cell.model.name
    weights = str(home / f"{name}.r16.seed0.safetensors")
    return replace(cell, model=replace(cell.model, name=f"given_{name}", weights=weights))


def test_models_are_trained_and_evaluated_as_on_one_device(tmp_path: Path, few: Path) -> None:
    """Weights and predictions are the same bit for bit, whoever had the cell."""
    task = Evaluation(asked(epochs=1), Path(), few)
    cells = [
        Cell(replace(model(family), name=family), "accuracy", SETTING)
        for family in ("mixer", "convmixer")
    ]

    def evaluate_on(folder: Path, evaluate: Evaluator) -> dict[str, bytes]:
        """The files that it leaves, by their names."""
        folder.mkdir()
        jobs = [EvaluationJob(cells, 0, 0, task, folder, 2)]
        first = list(evaluate(jobs, 300.0))
        home = tmp_path / "one" / "trained"
        given = [with_weights(cell, home) for cell in cells]
        second = list(evaluate([EvaluationJob(given, 0, None, task, folder)], 300.0))
        for heard in (first, second):
            ended = [(job, *said) for job, said in heard if not isinstance(said, Seen)]
            assert 2 == len(ended) < len(heard)
            for job, cell, outcome in ended:
                assert outcome.reason == "" and cell in job.cells, outcome.reason
        kept = [*folder.glob("trained/*.safetensors"), *folder.glob("predictions/*")]
        return {file.name: file.read_bytes() for file in kept if file.suffix != ".rows"}

    alone = evaluate_on(tmp_path / "one", learners.evaluate)
    with devices.engaging(beside.TWO, lambda line: None) as (_, evaluate):
        shared = evaluate_on(tmp_path / "two", evaluate)
    assert len(alone) == 2 * 2 + 4 + 2  # the last and the best weights, predictions, two lists
    assert alone == shared
