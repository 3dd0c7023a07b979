"""Rounds, resuming, failing: with an executor that measures nothing."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Precision
from cmx_bench.errors import RecordsError
from cmx_bench.execute import runner
from cmx_bench.execute.outlook import Outlook
from cmx_bench.plan import Plan, making
from cmx_bench.plan.users import Asked
from cmx_bench.results import merging, records
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record
from cmx_bench.spec import suite
from cmx_bench.spec.suite import SuiteFile
from cmx_bench.worker.job import EvaluationJob, Heard, Job, Outcome

from ..conftest import CPU, TINY, TRAINED, StandIn, samples
from .conftest import measure, noisy, open_folder, processes, silent


def test_exact_cells_once_then_rounds(tiny_plan: Plan, tmp_path: Path) -> None:
    executor = StandIn()
    folder = open_folder(tiny_plan, tmp_path)
    lines = measure(tiny_plan, folder, executor)
    assert [key for key, _ in executor.seen[:2]] == ["mixer/params/r56", "net/params/r56"]
    rounds = [executor.seen[2 + 2 * n : 4 + 2 * n] for n in range(3)]
    for number, cells in enumerate(rounds):
        assert {key.partition("/")[0] for key, _ in cells} == {"mixer", "net"}
        assert {replicate for _, replicate in cells} == {number}
    assert len(lines) == 8
    assert records.read(folder) == lines
    assert records.read_run(folder).finished


def test_a_reason_is_recorded_in_2000_characters(tiny_plan: Plan, tmp_path: Path) -> None:
    executor = StandIn(lambda job: samples(job, 0.0, "x" * 5_000_000))
    lines = measure(tiny_plan, open_folder(tiny_plan, tmp_path), executor)
    assert {len(record.reason) for record in lines} == {2000}


def test_what_a_plan_skips_is_recorded_and_never_executed(tiny_plan: Plan, tmp_path: Path) -> None:
    skipped = {cell.key: "no weights" for cell in tiny_plan.cells if cell.measure == "throughput"}
    plan, executor = replace(tiny_plan, skipped=skipped), StandIn()
    for _ in range(2):
        lines = measure(plan, open_folder(plan, tmp_path, tmp_path / "out"), executor)
        assert {key for key, _ in executor.seen} == {"mixer/params/r56", "net/params/r56"}
        why = [(each.replicate, each.reason) for each in lines if each.status == "skipped"]
        assert why == [(0, "no weights")] * 2
    assert summarise(records.read_run(tmp_path / "out"), lines).progress.missing == 0


def test_an_int8_job_says_on_which_images_it_is_calibrated(tiny_plan: Plan, tmp_path: Path) -> None:
    precisions: tuple[Precision, ...] = ("fp32", "int8")
    cells = tuple(
        replace(cell, setting=replace(cell.setting, precision=precision))
        for cell, precision in zip(tiny_plan.repeated, precisions, strict=True)
    )
    task = Evaluation(tiny_plan.suite_file.suite.accuracy, tmp_path)
    tasks = {}

    def note(job: Job) -> Outcome:
        tasks[job.cell.model.name] = job.task
        return samples(job, 1.0)

    seconds = {cell.key: 1.0 for cell in cells}
    plan = replace(tiny_plan, cells=cells, evaluation=task, estimates=seconds)
    for job, _ in StandIn(note)(runner._rounds(Outlook(plan), tmp_path, silent, None, 0.0), 9):
        assert job.cell in cells
    assert tasks == {"mixer": None, "net": task}


def test_the_order_of_models_changes_between_rounds(
    write_suite: Callable[[str], Path], cpu: dict[str, Any], tmp_path: Path
) -> None:
    text = TINY.replace("replicates: 3", "replicates: 20")
    plan = making.make(suite.load(str(write_suite(text))), cpu, Asked(only=["*/throughput/*"]))
    executor = StandIn()
    measure(plan, open_folder(plan, tmp_path), executor)
    firsts = [key.partition("/")[0] for key, _ in executor.seen[::2]]
    assert 4 <= firsts.count("mixer") <= 16


def test_a_run_that_is_cut_off_goes_on_where_it_was(tiny_plan: Plan, tmp_path: Path) -> None:
    class CutError(Exception):
        pass

    def watch_until(number: int) -> runner.Watch:
        def watch(job: Job, record: Record | None) -> None:
            if record is None and len(executor.seen) == number:
                raise CutError

        return watch

    whole = StandIn()
    measure(tiny_plan, open_folder(tiny_plan, tmp_path, tmp_path / "whole"), whole)
    for number in range(8):
        out = tmp_path / f"cut-{number}"
        executor = StandIn()
        with pytest.raises(CutError):
            measure(tiny_plan, open_folder(tiny_plan, tmp_path, out), executor, watch_until(number))
        assert not records.read_run(out).finished
        rest = StandIn()
        measure(tiny_plan, open_folder(tiny_plan, tmp_path, out), rest)
        assert executor.seen + rest.seen == whole.seen


def test_a_failed_cell_is_kept_and_not_repeated(tiny_plan: Plan, tmp_path: Path) -> None:
    def answer(job: Job) -> Outcome:
        return samples(job, 1.0, "out of memory" if job.cell.model.name == "net" else "")

    executor = StandIn(answer)
    lines = measure(tiny_plan, open_folder(tiny_plan, tmp_path), executor)
    failed = [record for record in lines if record.status == "failed"]
    assert [(record.cell, record.reason, record.values) for record in failed] == [
        ("net/params/r56", "out of memory", {}),
        ("net/throughput/cpu-fp32-nchw-eager-b2-r56", "out of memory", {}),
    ]


def test_what_was_lost_is_tried_again_by_the_next_command(tiny_plan: Plan, tmp_path: Path) -> None:
    """This one has done what it can for the cell."""
    exact, timed = "net/params/r56", "net/throughput/cpu-fp32-nchw-eager-b2-r56"

    def answer(job: Job) -> Outcome:
        lost = job.cell.key == exact or (job.cell.key, job.replicate) == (timed, 1)
        return replace(samples(job, 1.0, "No space left on device" if lost else ""), lost=lost)

    said: list[Record | None] = []
    folder = open_folder(tiny_plan, tmp_path)
    lines = measure(tiny_plan, folder, StandIn(answer), lambda _, record: said.append(record))
    assert {record.status for record in lines} == {"ok"}
    assert [record.replicate for record in lines if record.cell == timed] == [0]
    assert records.read(folder) == lines
    assert not records.read_run(folder).finished
    assert [record.reason for record in said if record and record.reason] == [
        "No space left on device; the next command tries it again"
    ] * 2
    rest = StandIn()
    measure(tiny_plan, open_folder(tiny_plan, tmp_path), rest)
    assert rest.seen == [(exact, 0), (timed, 1), (timed, 2)]
    assert records.read_run(folder).finished


def remove_records(folder: Path) -> None:
    (folder / "records.jsonl").unlink()


def replace_records(folder: Path) -> None:
    remove_records(folder)
    (folder / "records.jsonl").touch()


@pytest.mark.parametrize("remove", [remove_records, replace_records, shutil.rmtree])
def test_records_that_are_taken_away_end_the_run(
    tiny_plan: Plan, tmp_path: Path, remove: Callable[[Path], None]
) -> None:
    """They are not made anew, for the first ones would be lacking."""
    folder = open_folder(tiny_plan, tmp_path)

    def watch(job: Job, record: Record | None) -> None:
        if record is not None:
            remove(folder)

    executor = StandIn()
    with pytest.raises(RecordsError, match="cannot be written|took its place"):
        measure(tiny_plan, folder, executor, watch)
    assert len(executor.seen) == 2
    assert not folder.exists() or not records.read(folder)


def test_a_log_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much a model prints; what is printed later is there."""
    monkeypatch.setattr(runner, "_LARGEST_LOG", 100)
    monkeypatch.setattr(runner, "_LOOK", 0.001)
    log = tmp_path / "log.txt"
    with runner._keeping_short(log), log.open("ab", buffering=0) as printed:
        printed.write(b"x" * 100)
        printed.write(b"x")
        while "gone" not in log.read_text():
            time.sleep(0)
        printed.write(b"later")
    assert re.fullmatch("--- over .* gone\nlater", log.read_text())


def test_a_spent_budget_leaves_each_cell_one_process(tiny_plan: Plan, tmp_path: Path) -> None:
    executor = StandIn()
    lines = measure(tiny_plan, open_folder(tiny_plan, tmp_path), executor, budget=0)
    assert len(lines) == 4
    assert {record.replicate for record in lines} == {0}


def test_a_budget_holds_what_fits_into_it(
    tiny_plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once 32 s are gone, another process of 30 s does not fit into 60, one of 2 s does, twice."""
    now = start = 1000.0
    takes = {"mixer": 2.0, "net": 30.0}

    def answer(job: Job) -> Outcome:
        nonlocal now
        seconds = takes[job.cell.model.name] if job.cell.measure == "throughput" else 0.0
        now += seconds
        return replace(samples(job, 100.0), elapsed=seconds)

    monkeypatch.setattr(runner.time, "monotonic", lambda: now)
    folder, executor = open_folder(tiny_plan, tmp_path), StandIn(answer)
    measure(tiny_plan, folder, executor, budget=60.0)
    assert processes(executor) == {"mixer": 3, "net": 1}
    assert now <= start + 60.0
    run = records.read_run(folder)
    cut_off = {f"net/throughput/{run.settings[0].key}": 2}
    assert (run.budget, run.cut_off) == (60.0, cut_off)
    measure(tiny_plan, folder, executor)
    assert processes(executor) == {"mixer": 3, "net": 3}
    run = records.read_run(folder)
    assert (run.budget, run.cut_off) == (None, {})


def test_rounds_are_spread_over_a_time(
    tiny_plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three rounds over a minute: each begins 20 s after the one before, or when that is done."""
    now, slept = 0.0, []

    def answer(job: Job) -> Outcome:
        nonlocal now
        now += 18.0 if job.replicate == 1 else 2.0  # two cells: 36 s and 4 s a round
        return samples(job, 100.0)

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    monkeypatch.setattr(runner.time, "monotonic", lambda: now)
    monkeypatch.setattr(runner.time, "sleep", sleep)
    folder, executor = open_folder(tiny_plan, tmp_path), StandIn(answer)
    measure(tiny_plan, folder, executor, spread=60.0)
    once = 2 * 2.0  # cells of the first round that are executed once
    assert slept == [0.0, 20.0 - 4.0 - once, 0.0]
    measure(tiny_plan, folder, executor, spread=60.0)
    assert len(slept) == 3  # nothing is missing, nothing is waited for


def test_environments_are_kept_once(tiny_plan: Plan, tmp_path: Path) -> None:
    def answer(job: Job) -> Outcome:
        return Outcome({"throughput": [1.0]}, "", CPU | {"threads": job.replicate})

    folder = open_folder(tiny_plan, tmp_path)
    lines = measure(tiny_plan, folder, StandIn(answer))
    environments = records.read_run(folder).environments
    assert len(environments) == 3
    assert all(environments[r.environment]["threads"] == r.replicate for r in lines)


def test_two_processes_never_share_a_folder(tiny_plan: Plan, tmp_path: Path) -> None:
    folder = open_folder(tiny_plan, tmp_path)

    def watch(job: Job, record: Record | None) -> None:
        if record is not None:
            return
        assert open_folder(tiny_plan, tmp_path, tmp_path / "other") != folder
        with pytest.raises(RecordsError, match="another process measures into it"):
            measure(tiny_plan, folder, StandIn())

    measure(tiny_plan, folder, StandIn(), watch)
    assert len(records.read(folder)) == 8
    measure(tiny_plan, folder, StandIn())


# --- one replicate alone --------------------------------------------------------------------------


def measure_alone(file: SuiteFile, tmp_path: Path, node: int, **asked: Any) -> Path:
    """A part, measured on a node of its own by `noisy`."""
    here = CPU | {"device_uuid": str(node)}
    plan = making.make(file, here, Asked(replicate=node, **asked))
    folder = open_folder(plan, tmp_path, tmp_path / f"part-{node}")
    measure(plan, folder, StandIn(lambda job: replace(noisy(job), environment=here)))
    return folder


def test_replicates_measured_one_by_one_make_the_whole(tiny: SuiteFile, tmp_path: Path) -> None:
    parts = [measure_alone(tiny, tmp_path, number) for number in range(3)]
    assert [len(records.read(part)) for part in parts] == [4, 2, 2]
    whole = merging.merge(parts, tmp_path / "whole", "merge")
    plan = making.make(tiny, CPU)
    folder = open_folder(plan, tmp_path, tmp_path / "one")
    in_one = measure(plan, folder, StandIn(noisy))

    def values_of(lines: list[Record]) -> list[tuple[Any, ...]]:
        return sorted(
            (record.cell, record.replicate, record.status, str(record.values)) for record in lines
        )

    assert values_of(records.read(tmp_path / "whole")) == values_of(in_one)
    assert whole.finished and whole.cells == records.read_run(folder).cells
    assert whole.replicate is None
    in_order = sorted(records.read(tmp_path / "whole"), key=lambda record: record.replicate)
    uuids = [whole.environments[record.environment]["device_uuid"] for record in in_order]
    assert uuids == ["0"] * 4 + ["1"] * 2 + ["2"] * 2


def test_what_is_merged_goes_on_until_it_is_narrow(
    precise: Callable[..., Plan], tmp_path: Path
) -> None:
    """A part knows nothing of the others; the whole run gets the processes that it lacks."""
    plan = precise("5%")
    parts = [measure_alone(plan.suite_file, tmp_path, number) for number in range(3)]
    merging.merge(parts, out := tmp_path / "whole", "merge")
    assert open_folder(plan, tmp_path, out) == out
    rest, in_one = StandIn(noisy), StandIn(noisy)
    measure(plan, out, rest)
    measure(plan, open_folder(plan, tmp_path, tmp_path / "one"), in_one)
    assert {number for _, number in rest.seen} == set(range(3, 1 + max(n for _, n in in_one.seen)))
    assert sorted(rest.seen) == sorted(job for job in in_one.seen if job[1] > 2)
    with pytest.raises(RecordsError, match=r"whole: holds \d+ records that no part has; give anot"):
        merging.merge(parts, out, "merge")


def test_the_replicate_that_no_part_has_is_measured_by_the_whole(
    tiny: SuiteFile, tmp_path: Path
) -> None:
    parts = [measure_alone(tiny, tmp_path, number) for number in (0, 2)]
    out = tmp_path / "whole"
    assert not merging.merge(parts, out, "merge").finished
    assert merging.tell_unfinished(parts) == (
        "2 processes of its cells are in no part, such as replicate 1 of mixer/throughput/"
        "cpu-fp32-nchw-eager-b2-r56: give all parts, or measure the rest with `run` and the same "
        "--out"
    )
    plan = making.make(tiny, CPU)
    rest = StandIn(noisy)
    measure(plan, open_folder(plan, tmp_path, out), rest)
    assert {number for _, number in rest.seen} == {1}
    assert records.read_run(out).finished


def test_one_replicate_of_a_training_is_one_seed(
    write_suite: Callable[[str], Path], tmp_path: Path
) -> None:
    """With as many models side by side as in the whole run: the last bits depend on that."""
    file = suite.load(str(write_suite(TRAINED)))
    parts, asked = [], []

    def evaluate(
        jobs: Sequence[EvaluationJob], timeout: float
    ) -> Iterator[tuple[EvaluationJob, Heard]]:
        for job in jobs:
            asked.append((job.replicate, job.seed, job.at_once))
            yield from ((job, (cell, Outcome({}, "boom", {}))) for cell in job.cells)

    for number in (0, 1):
        task = Evaluation(file.suite.accuracy, tmp_path)
        plan = making.make(file, CPU, Asked(evaluation=task, replicate=number))
        parts.append(open_folder(plan, tmp_path, tmp_path / f"part-{number}"))
        lines = measure(plan, parts[-1], StandIn(), evaluator=evaluate)
        assert [record.replicate for record in lines] == [number] * 2
    assert asked == [(0, 0, 2), (1, 7, 2)]
    assert merging.merge(parts, tmp_path / "whole", "merge").finished
    assert len(records.read(tmp_path / "whole")) == 4
    assert merging.merge(parts[:1], tmp_path / "half", "merge").replicate == 0


@pytest.mark.parametrize(
    ("endings", "again"), [(("ok",), False), (("failed", "ok"), False), (("ok", "failed"), True)]
)
def test_how_an_evaluation_ended_last_counts(
    write_suite: Callable[[str], Path], tmp_path: Path, endings: Sequence[Any], again: bool
) -> None:
    file = suite.load(str(write_suite(TRAINED)))
    task = Evaluation(file.suite.accuracy, tmp_path)
    plan = making.make(file, CPU, Asked(evaluation=task, replicate=0))
    lines = [
        Record(cell.key, cell.model.name, "accuracy", "k", 0, status, {}, "", "e", "", 1.0)
        for cell in plan.cells
        for status in endings
    ]
    begun: list[EvaluationJob] = []

    def evaluate(
        jobs: Sequence[EvaluationJob], timeout: float
    ) -> Iterator[tuple[EvaluationJob, Heard]]:
        begun.extend(jobs)
        return iter(())

    assert list(runner._evaluations(Outlook(plan, lines), tmp_path, silent, evaluate)) == []
    assert bool(begun) == again
