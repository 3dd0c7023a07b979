"""The time and the processes that are left, by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmx_bench import units
from cmx_bench.accuracy import Evaluation
from cmx_bench.execute import remaining
from cmx_bench.execute.outlook import Outlook
from cmx_bench.plan import INTERPRETER_SECONDS, Plan, making
from cmx_bench.plan.users import Asked
from cmx_bench.results import gaps, records, stats
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record
from cmx_bench.spec import suite
from cmx_bench.spec.suite import SuiteFile
from cmx_bench.worker.job import Job, Outcome

from ..conftest import CPU, TRAINED, StandIn, append_record, samples
from .conftest import measure, noisy, open_folder, processes


def seconds_left(plan: Plan, lines: list[Record], budget: float | None = None) -> float:
    return Outlook(plan, lines).seconds_left(budget)


def whole(plan: Plan) -> float:
    """The estimate of all: three rounds, of what is repeated."""
    rounds = sum(plan.estimates[cell.key] * plan.replicates(cell) for cell in plan.cells)
    return 3 * INTERPRETER_SECONDS + rounds


def timed(key: str, replicate: int, value: float = 100.0, calm: bool = True, elapsed: float = 2.0
) -> Record:  # fmt: skip
    """A process whose one block that counts was disturbed, unless it was `calm`."""
    covariates = {"disturbed": [float(not calm)], "discarded": [0.0]}
    return Record(key, "net", "throughput", "k", replicate, "ok", {"throughput": [value]}, "", "e",
                  "", elapsed, covariates=covariates)  # fmt: skip


@pytest.mark.parametrize(
    ("processes", "elapsed", "more"),
    [
        ("ccccc", 2.0, 0),  # all were calm
        ("cccdd", 2.0, 2),  # three in five are: two more of five are likely
        ("ccddd", 2.0, 3),  # so that three may come, which count alone
        ("cdddd", 2.0, 0),  # two in seven come to no three
        ("ddddd", 2.0, 0),
        ("cccdddd", 2.0, 2),
        ("ccddddddd", 2.0, 0),  # one more is allowed, and unlikely
        ("cccaa", 2.0, 0),  # disturbed, and they agree with the others: nothing was moved
        ("cccdd", 6.0, 1),  # each takes what three calm ones took: there is time for one
        ("cccddd", 6.0, 0),  # and that was it
    ],
)
def test_what_stayed_disturbed_is_repeated_where_that_narrows(
    tiny_five: Plan, processes: str, elapsed: float, more: int
) -> None:
    """`c` is calm, `d` disturbed and a third slower, `a` disturbed and as fast."""
    cell = next(cell for cell in tiny_five.cells if cell.key.startswith("net/throughput/"))
    lines = [
        timed(cell.key, number, {"d": 70.0}.get(kind, 100.0), kind == "c",
              elapsed if kind == "d" else 2.0)
        for number, kind in enumerate(processes)
    ]  # fmt: skip
    assert remaining.processes_left(tiny_five, cell, lines) == more


def test_only_timings_may_get_more_processes_than_planned(tiny_plan: Plan) -> None:
    most = {cell.measure: remaining.most_processes(tiny_plan, cell) for cell in tiny_plan.cells}
    assert most == {"params": 1, "throughput": gaps.MOST_REPEATS * 3}
    part = replace(tiny_plan, replicate=0)
    assert {remaining.most_processes(part, cell) for cell in part.cells} == {1}


def test_the_time_left_follows_what_was_seen(tiny_plan: Plan) -> None:
    cells = [cell for cell in tiny_plan.cells if cell.measure == "throughput"]
    assert seconds_left(tiny_plan, []) == pytest.approx(whole(tiny_plan))
    record = Record(
        cells[0].key, "mixer", "throughput", "k", 0, "ok", {}, "", "e", "", elapsed=10.0
    )  # fmt: skip
    scale = 10.0 / tiny_plan.estimates[cells[0].key]
    rest = 2 * tiny_plan.estimates["net/params/r56"]
    rest += scale * 3 * tiny_plan.estimates[cells[1].key]
    rest += 3 * INTERPRETER_SECONDS
    assert seconds_left(tiny_plan, [record]) == pytest.approx(20.0 + rest)
    assert seconds_left(tiny_plan, [replace(record, status="failed")]) == pytest.approx(rest)


def test_each_round_waits_for_an_interpreter_as_long_as_the_plan_says(tiny_plan: Plan) -> None:
    fast = replace(tiny_plan, starting=2.0)
    saved = seconds_left(tiny_plan, []) - seconds_left(fast, [])
    assert saved == pytest.approx(3 * (INTERPRETER_SECONDS - 2.0))


def test_a_budget_bounds_the_time_left(tiny_plan: Plan) -> None:
    once = sum(tiny_plan.estimates.values()) + INTERPRETER_SECONDS
    for budget, left in ((-1.0, once), (once + 0.5, once + 0.5), (1e6, whole(tiny_plan))):
        assert seconds_left(tiny_plan, [], budget) == pytest.approx(left)


def test_a_budget_that_holds_not_even_a_round_is_foretold(tiny_plan: Plan) -> None:
    once = sum(tiny_plan.estimates.values()) + INTERPRETER_SECONDS
    said = remaining.foretell(tiny_plan, {}, once - 1)
    assert said.startswith(
        f"measuring each cell once takes about {units.duration(once)}, more than the budget of "
        f"{units.duration(once - 1)}: that is done all the same, and nothing is repeated"
    )
    assert remaining.foretell(tiny_plan, {}, once + 1) == ""
    assert remaining.foretell(tiny_plan, {}, None) == ""
    there = {cell.key: [timed(cell.key, 0)] for cell in tiny_plan.cells}
    assert remaining.foretell(tiny_plan, there, 1.0) == ""  # what is there is not measured again


def test_a_spread_run_takes_until_its_last_round_begins(tiny_plan: Plan, tmp_path: Path) -> None:
    """Two rounds of three begin a third of an hour after the one before; with none left it is 0."""
    assert Outlook(tiny_plan).seconds_left(spread=3600.0) == 2 * 1200.0
    lines = measure(tiny_plan, open_folder(tiny_plan, tmp_path), StandIn())
    assert Outlook(tiny_plan, lines).seconds_left(spread=3600.0) == 0


def test_the_time_left_foresees_more_processes(precise: Callable[..., Plan]) -> None:
    plan = precise("1%")
    cell = next(cell for cell in plan.cells if cell.key.startswith("net/throughput/"))
    lines = [
        Record(cell.key, "net", "throughput", "k", n, "ok", {"throughput": [value]}, "", "e", "", 2)
        for n, value in enumerate((100.0, 102.0, 101.0, 103.0, 99.0))
    ]
    width = (
        stats.estimate([record.values["throughput"] for record in lines]).relative_half_width or 0
    )
    needed = math.ceil(5 * (width / 0.01) ** 2)
    assert 10 < needed < gaps.MOST_PROCESSES
    assert remaining.processes_left(plan, cell, lines) == needed - 5
    others = sum(plan.estimates[cell.key] for cell in plan.cells if cell.measure == "params")
    scale = 2 / plan.estimates[cell.key]
    mixer = next(key for key in plan.estimates if key.startswith("mixer/throughput/"))
    others += 5 * scale * plan.estimates[mixer] + INTERPRETER_SECONDS * (needed - 5)
    assert seconds_left(plan, lines) == pytest.approx(2 * (needed - 5) + others)


def test_an_interval_without_a_width_gets_one_more_process(precise: Callable[..., Plan]) -> None:
    """The ends of one of values that are worlds apart are no numbers."""
    plan = precise("1%")
    cell = next(each for each in plan.cells if each.key.startswith("net/throughput/"))
    apart = [timed(cell.key, number, 10.0 ** (300 - 600 * (number % 2))) for number in range(5)]
    assert remaining.processes_left(plan, cell, apart) == 1


def test_models_that_are_evaluated_end_together(
    write_suite: Callable[[str], Path], cpu: dict[str, Any]
) -> None:
    """The estimate is of one seed; what one process took says nothing of those beside it."""
    file = suite.load(str(write_suite(TRAINED)))
    plan = making.make(file, cpu, Asked(evaluation=Evaluation(file.suite.accuracy, Path())))
    seed = sum(plan.estimates.values())
    first, other = (cell.key for cell in plan.cells)
    lines = [
        Record(key, key.split("/")[0], "accuracy", "k", seed, "ok", {}, "", "e", "", 500.0)
        for seed in (0, 1)
        for key in (first, other)
    ]
    assert [seconds_left(plan, lines[:n]) for n in range(5)] == pytest.approx(
        [2 * seed, seed, seed, 0.0, 0.0]
    )
    assert Outlook(plan, lines[:3]).left == {first: 0, other: 1}
    failed = [replace(record, status="failed") for record in lines]
    assert Outlook(plan, failed[:3]).left == {first: 0, other: 1}  # each seed is tried
    again = Outlook(plan, failed)
    again.add(lines[0])
    assert again.changes() == [(again.plan.cells[0], 1)]
    assert again.why_more(again.plan.cells[0]) == "what failed is tried again"


def test_what_is_skipped_once_is_not_tried_in_the_next_round(tiny_plan: Plan) -> None:
    cell = next(cell for cell in tiny_plan.cells if cell.measure == "throughput")
    assert remaining.processes_left(tiny_plan, cell, []) == 3
    skipped = Record(cell.key, "mixer", "throughput", "k", 0, "skipped", {}, "why", "e", "", 1.0)
    assert remaining.processes_left(tiny_plan, cell, [skipped]) == 0


def test_of_one_replicate_each_cell_gets_one(tiny: SuiteFile, cpu: dict[str, Any]) -> None:
    """However disturbed it is: whether more are wanted only the whole run can tell."""
    plan = making.make(tiny, cpu, Asked(replicate=1))
    key = next(cell.key for cell in plan.cells if cell.model.name == "net")
    left = Outlook(plan, [timed(key, 1, calm=False)]).left
    assert left == {cell.key: int(cell.key != key) for cell in plan.cells}
    assert remaining.rounds(plan) == (1,)
    assert seconds_left(plan, []) == pytest.approx(
        INTERPRETER_SECONDS + sum(plan.estimates.values())
    )


def test_one_seed_takes_its_part_of_the_time(
    write_suite: Callable[[str], Path], cpu: dict[str, Any]
) -> None:
    file = suite.load(str(write_suite(TRAINED)))
    task = Evaluation(file.suite.accuracy, Path())
    whole, part = (
        making.make(file, cpu, Asked(evaluation=task, replicate=number)) for number in (None, 1)
    )
    assert seconds_left(part, []) == pytest.approx(seconds_left(whole, []) / 2)


@pytest.mark.parametrize(
    ("processes", "why"),
    [
        ("ccccc", "precision asks for another round"),
        ("cccdd", "disturbed processes are repeated"),
        ("ccccd", "disturbed processes are repeated"),
        ("", "precision asks for another round"),
    ],
)
def test_why_a_cell_gets_more_processes(tiny_five: Plan, processes: str, why: str) -> None:
    cell = next(each for each in tiny_five.cells if each.key.startswith("net/throughput/"))
    lines = [
        timed(cell.key, number, 100.0 if kind == "c" else 70.0, kind == "c")
        for number, kind in enumerate(processes)
    ]
    assert remaining.why_more(tiny_five, cell, lines) == why


def test_only_wide_cells_get_more_processes(precise: Callable[..., Plan], tmp_path: Path) -> None:
    plan, executor = precise("5%"), StandIn(noisy)
    folder = open_folder(plan, tmp_path)
    lines = measure(plan, folder, executor)
    counts = processes(executor)
    least = remaining.FEWEST_FOR_PRECISION
    assert counts["mixer"] == least
    assert least < counts["net"] < gaps.MOST_PROCESSES
    nets = [
        record.values["throughput"] for record in lines if record.cell.startswith("net/throughput/")
    ]
    sizes = range(least, len(nets) + 1)
    widths = [stats.estimate(nets[:n]).relative_half_width or 1.0 for n in sizes]
    assert [width > 0.05 for width in widths] == [True] * (len(widths) - 1) + [False]
    results = summarise(records.read_run(folder), lines).results.values()
    assert not any(result.wide for result in results)


def test_a_cell_that_stays_wide_ends_and_the_report_knows(
    precise: Callable[..., Plan], tmp_path: Path
) -> None:
    plan, executor = precise("0.1%"), StandIn(noisy)
    folder = open_folder(plan, tmp_path)
    lines = measure(plan, folder, executor)
    assert processes(executor) == {"mixer": 5, "net": gaps.MOST_PROCESSES}
    results = summarise(records.read_run(folder), lines).results.values()
    assert [result.model for result in results if result.wide] == ["net"]


def test_a_few_that_agree_are_no_precision(precise: Callable[..., Plan], tmp_path: Path) -> None:
    plan, executor = precise("20%", replicates=1), StandIn(noisy)
    measure(plan, open_folder(plan, tmp_path), executor)
    assert processes(executor) == {"mixer": 5, "net": 5}


def test_a_wide_cell_that_fails_gets_no_more(precise: Callable[..., Plan], tmp_path: Path) -> None:
    def answer(job: Job) -> Outcome:
        broken = job.cell.model.name == "net" and job.replicate == 4
        return samples(job, 1.0, "boom") if broken else noisy(job)

    plan, executor = precise("1%"), StandIn(answer)
    measure(plan, open_folder(plan, tmp_path), executor)
    assert processes(executor) == {"mixer": 5, "net": 5}


def test_a_spent_budget_ends_the_search_for_precision(
    precise: Callable[..., Plan], tmp_path: Path
) -> None:
    plan, executor = precise("1%"), StandIn(noisy)
    folder = open_folder(plan, tmp_path)
    lines = measure(plan, folder, executor, budget=0)
    assert processes(executor) == {"mixer": 1, "net": 1}
    results = summarise(records.read_run(folder), lines).results.values()
    assert [result.model for result in results if result.wide] == ["mixer", "net"]


def test_rounds_by_precision_go_on_after_any_record(
    precise: Callable[..., Plan], tmp_path: Path
) -> None:
    plan, whole = precise("5%"), StandIn(noisy)
    lines = measure(plan, open_folder(plan, tmp_path, tmp_path / "whole"), whole)
    environments = records.read_run(tmp_path / "whole").environments
    for number in range(len(lines) + 1):
        out, rest = open_folder(plan, tmp_path, tmp_path / f"cut-{number}"), StandIn(noisy)
        records.write_run(out, replace(records.read_run(out), environments=environments))
        for record in lines[:number]:
            append_record(out, record)
        measure(plan, out, rest)
        assert whole.seen[:number] + rest.seen == whole.seen


@pytest.mark.parametrize(("slow_ones", "count"), [([0], 4), ([0, 2], 3)])
def test_a_process_that_stayed_disturbed_is_repeated_where_others_are_calm(
    tiny_plan: Plan, tmp_path: Path, slow_ones: list[int], count: int
) -> None:
    def answer(job: Job) -> Outcome:
        slow = job.cell.model.name == "net" and job.replicate in slow_ones
        probe = [400e-6 if slow else 200e-6] * 4
        calm = [0.0] * 4
        covariates = {"probe": probe, "core_speed": [1.0] * 4, "disturbed": calm, "discarded": calm}
        if job.cell.measure == "params":
            return Outcome({"params": [1]}, "", CPU)
        return Outcome({"throughput": [50.0 if slow else 100.0] * 4}, "", CPU, covariates)

    lines = measure(tiny_plan, open_folder(tiny_plan, tmp_path), StandIn(answer))
    counts = {name: sum(record.model == name and record.measure == "throughput" for record in lines)
              for name in ("mixer", "net")}  # fmt: skip
    assert counts == {"mixer": 3, "net": count}
