"""What a run shows while it measures, on stderr: a live bar, or plain lines without a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from cmx_bench import stats, units
from cmx_bench.disturbance import by_cell
from cmx_bench.execute.job import Job
from cmx_bench.execute.remaining import all_processes_left, seconds_left
from cmx_bench.execute.runner import Watch
from cmx_bench.metrics import METRICS
from cmx_bench.plan import Plan
from cmx_bench.records import Record


@contextmanager
def watching(
    plan: Plan, found: list[Record], budget: float | None = None, spread: float = 0.0
) -> Iterator[Watch]:
    """A watch for a run that begins now with the records `found`; `budget` and `spread` are the
    seconds that the runner is given."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    so_far, begin = by_cell(found), time.monotonic()

    def left() -> float:
        rest = None if budget is None else budget - (time.monotonic() - begin)
        return seconds_left(plan, so_far, rest, spread)

    def line(job: Job, record: Record) -> str:
        """Keeps the record, and says what it gave."""
        so_far[record.cell].append(record)
        return _line(plan, job, so_far, left())

    if console.is_terminal:
        with _live(console, plan, sum(record.elapsed for record in found), left, line) as watch:
            yield watch
    else:
        yield _plain(console, line)


def _plain(console: Console, line: Callable[[Job, Record], str]) -> Watch:
    def watch(job: Job, record: Record | None) -> None:
        if record is not None:
            console.print(line(job, record), markup=False)

    return watch


@contextmanager
def _live(
    console: Console,
    plan: Plan,
    spent: float,
    left: Callable[[], float],
    line: Callable[[Job, Record], str],
) -> Iterator[Watch]:
    columns = (
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[left]} left", style="cyan"),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=plan.seconds, left=units.duration(left()))

        def watch(job: Job, record: Record | None) -> None:
            nonlocal spent
            if record is not None:
                spent += record.elapsed
                console.print(line(job, record), markup=False)
            rest = left()
            bar.update(
                task,
                completed=spent,
                total=spent + rest,
                left=units.duration(rest),
                description=_under_way(job),
            )

        yield watch


def _under_way(job: Job) -> str:
    if job.seen is None:
        return f"{job.cell.measure} of {job.cell.model.label}"
    size = "" if job.seen.size is None else f" of {job.seen.size:,}"
    return f"{job.seen.doing}: {job.seen.images:,}{size} images"


def _line(plan: Plan, job: Job, found: Mapping[str, Sequence[Record]], left: float) -> str:
    """One finished execution: how far the run is, what it gave, the estimate so far."""
    cell = job.cell
    mine = found[cell.key]
    record = mine[-1]
    result = _result(mine) if record.status == "ok" else f"{record.status}: {record.reason}"
    return (
        f"{_done(plan, found)} {cell.key}{_times(plan, job)}: {result}  "
        f"[{record.elapsed:.1f} s, {units.duration(left)} left]"
    )


def _done(plan: Plan, found: Mapping[str, Sequence[Record]]) -> str:
    """`[ 7/12]`: where a precision is wanted, the second number is a guess that gets better."""
    done = sum(map(len, found.values()))
    total = done + sum(all_processes_left(plan, found).values())
    return f"[{done:>{len(str(total))}}/{total}]"


def _times(plan: Plan, job: Job) -> str:
    """` (2 of 5)`; nothing for what is executed once."""
    number, least = job.replicate + 1, plan.replicates(job.cell)
    if least == 1 and number == 1:
        return ""
    return f" ({number} of {least})" if number <= least else f" ({number})"


def _result(found: Sequence[Record]) -> str:
    """The cell's first metric, estimated from all its processes so far."""
    metric = METRICS[next(iter(found[-1].values))]
    if metric.noise == "image":
        top1 = units.scaled(found[-1].values[metric.name][0], metric.unit)
        return f"{metric.title} {top1} of {found[-1].details['images']:,} images"
    now = stats.estimate([one.values[metric.name] for one in found if one.status == "ok"])
    spread = now.relative_half_width if now.n > 2 else None  # two give no useful interval
    digits = units.digits_for(now.value, spread and spread * now.value)
    text = units.scaled(now.value, metric.unit, 4 if metric.exact else digits)
    return text if spread is None else f"{text} ± {units.significant(100 * spread, 2)} %"
