"""What a run shows while it measures, on stderr: a live bar, or plain lines without a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from cmx_bench import stats, units
from cmx_bench.execute.job import Job
from cmx_bench.execute.runner import Watch, seconds_left
from cmx_bench.metrics import METRICS
from cmx_bench.records import Record

if TYPE_CHECKING:
    from cmx_bench.plan import Plan


@contextmanager
def watching(plan: Plan, found: list[Record]) -> Iterator[Watch]:
    """A watch for a run that begins with the records `found`."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    so_far = list(found)
    shown = _live if console.is_terminal else _plain
    with shown(console, plan, so_far) as watch:
        yield watch


@contextmanager
def _plain(console: Console, plan: Plan, found: list[Record]) -> Iterator[Watch]:
    def watch(job: Job, record: Record | None) -> None:
        if record is not None:
            found.append(record)
            console.print(_line(plan, job, found), markup=False)

    yield watch


@contextmanager
def _live(console: Console, plan: Plan, found: list[Record]) -> Iterator[Watch]:
    columns = (
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[left]} left", style="cyan"),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        left = seconds_left(plan, found)
        task = bar.add_task("starting", total=plan.seconds, left=units.duration(left))

        def watch(job: Job, record: Record | None) -> None:
            if record is not None:
                found.append(record)
                console.print(_line(plan, job, found), markup=False)
            left = seconds_left(plan, found)
            spent = sum(one.elapsed for one in found)
            bar.update(
                task,
                completed=spent,
                total=spent + left,
                left=units.duration(left),
                description=f"{job.cell.measure} of {job.cell.model.label}",
            )

        yield watch


def _line(plan: Plan, job: Job, found: list[Record]) -> str:
    """One finished execution: how far the run is, what it gave, the estimate so far."""
    record, cell = found[-1], job.cell
    total = sum(plan.replicates(one) for one in plan.cells)
    done = f"[{len(found):>{len(str(total))}}/{total}]"
    times = f" ({record.replicate + 1} of {plan.replicates(cell)})" * (plan.replicates(cell) > 1)
    result = record.reason if record.status == "failed" else _result(record, found)
    left = units.duration(seconds_left(plan, found))
    return f"{done} {cell.key}{times}: {result}  [{record.elapsed:.1f} s, {left} left]"


def _result(record: Record, found: list[Record]) -> str:
    """The record's first metric, estimated from all processes of its cell so far."""
    metric = METRICS[next(iter(record.values))]
    mine = [one.values[metric.name] for one in found
            if one.cell == record.cell and one.status == "ok"]  # fmt: skip
    now = stats.estimate(mine)
    spread = now.relative_half_width if now.n > 2 else None  # two give no useful interval
    digits = units.digits_for(now.value, spread and spread * now.value)
    text = units.scaled(now.value, metric.unit, 4 if metric.exact else digits)
    return text if spread is None else f"{text} ± {units.significant(100 * spread, 2)} %"
