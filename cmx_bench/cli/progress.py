"""What a run shows while it measures, on stderr: a live bar, or plain lines without a terminal."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from cmx_bench import units
from cmx_bench.cli import telling
from cmx_bench.cli.telling import note
from cmx_bench.execute.outlook import Outlook
from cmx_bench.execute.runner import Watch
from cmx_bench.metrics import METRICS
from cmx_bench.results import stats, wall
from cmx_bench.results.records import Record
from cmx_bench.worker.job import Job, Seen

# Where nothing is kept for longer than this, a plain line says how far a training has come.
_SILENCE = 60.0
# Why fewer processes follow than were expected.
_FEWER = "no more are needed"


@dataclass(slots=True)
class _Pace:
    """Models that are trained or evaluated together: when they were first heard of, and how far
    they had come then."""

    setting_key: str
    since: float
    first: int
    last: Seen

    def seconds_left(self) -> float | None:
        """The seconds left at the speed so far; None while that is unknown."""
        passed, images = time.monotonic() - self.since, self.last.images - self.first
        if self.last.size is None or images <= 0:
            return None
        return passed * (self.last.size - self.last.images) / images


@dataclass(slots=True)
class _Forecast:
    """What is there of a run that goes on, and by that how long the rest takes."""

    outlook: Outlook
    budget: float | None
    spread: float
    begin: float
    pace: _Pace | None = None
    under_way: dict[tuple[str, int], Job] = field(default_factory=dict)

    def done(self) -> str:
        """`[ 7/12]`; where the second number has changed since it was last told, by how many and
        why: `[ 7/14, +2: precision asks for another round]`."""
        changes: Counter[str] = Counter()
        for cell, more in self.outlook.changes():
            changes[self.outlook.why_more(cell) if more > 0 else _FEWER] += more
        done, total = len(self.outlook.records) + len(self.outlook.lost), self.outlook.total
        reasons = "".join(f", {'+' if more > 0 else '−'}{abs(more)}: {why}"
                          for why, more in changes.items())  # fmt: skip
        return f"[{done:>{len(str(total))}}/{total}{reasons}]"

    @property
    def jobs(self) -> list[Job]:
        """The jobs that run now. The last one began last."""
        return list(self.under_way.values())

    def hear(self, job: Job, record: Record | None) -> None:
        """Keeps the progress that the runner reports."""
        if record is None:
            self.under_way[job.cell.key, job.replicate] = job
        else:
            self.under_way.pop((job.cell.key, job.replicate), None)
            self.pace = None
        if record is None and job.seen is not None:
            if self.pace is None or job.seen.images < self.pace.last.images:
                key, images = job.cell.setting_key, job.seen.images
                self.pace = _Pace(key, time.monotonic(), images, job.seen)
            self.pace.last = job.seen

    def passed(self) -> float:
        """The seconds since the run began, or goes on."""
        return time.monotonic() - self.begin

    def left(self) -> float:
        rest = None if self.budget is None else self.budget - self.passed()
        seconds = None if self.pace is None else self.pace.seconds_left()
        under_way = {} if self.pace is None or seconds is None else {self.pace.setting_key: seconds}
        return self.outlook.seconds_left(rest, self.spread, under_way)


@contextmanager
def watching(outlook: Outlook, budget: float | None = None, spread: float = 0.0) -> Iterator[Watch]:
    """A watch for a run that begins now and keeps its outlook up; `budget` and `spread` are the
    seconds that the runner is given."""
    forecast = _Forecast(outlook, budget, spread, time.monotonic())
    if telling.is_terminal(sys.stderr):
        with _live(forecast, wall.seconds(outlook.records)) as watch:
            yield watch
    else:
        yield _plain(forecast)


def _plain(forecast: _Forecast) -> Watch:
    spoke = forecast.begin

    def watch(job: Job, record: Record | None) -> None:
        nonlocal spoke
        forecast.hear(job, record)
        now = time.monotonic()
        if record is not None:
            line = _line(forecast, job, record)
        elif job.seen is not None and now - spoke >= _SILENCE:
            line = f"{_under_way([job])}  [{units.duration(forecast.left())} left]"
        else:
            return
        spoke = now
        note(line)

    return watch


@contextmanager
def _live(forecast: _Forecast, before: float) -> Iterator[Watch]:
    """A bar of the time; `before` are the seconds that an earlier run into the folder took."""
    from rich.console import Console  # slow to import
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.text import Text

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[left]} left", style="cyan"),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        rest = forecast.left()
        task = bar.add_task("starting", total=before + rest, left=units.duration(rest))

        def watch(job: Job, record: Record | None) -> None:
            forecast.hear(job, record)
            if record is not None:
                style = {"ok": "", "skipped": "yellow"}.get(record.status, "red")
                console.print(Text(units.escape(_line(forecast, job, record)), style))
            rest, spent = forecast.left(), before + forecast.passed()
            bar.update(
                task,
                completed=spent,
                total=spent + rest,
                left=units.duration(rest),
                description=_under_way(forecast.jobs),
            )

        yield watch


def _under_way(jobs: Sequence[Job]) -> str:
    """What is executed now: the job that began last, and how many others."""
    if not jobs:
        return ""
    *others, job = jobs
    if job.seen is None:
        more = f" and {units.tally(len(others), 'other')}" if others else ""
        return f"{job.cell.measure} of {job.cell.model.label}{more}"
    images, size = job.seen.images, job.seen.size
    done = "" if size is None else f"{images:,} of "
    return f"{done}{units.tally(images if size is None else size, 'image')}, {job.seen.doing}"


def _line(forecast: _Forecast, job: Job, record: Record) -> str:
    """`[ 7/12] net/throughput/cpu (2 of 5): …`; no number of what is executed once."""
    outlook, key = forecast.outlook, job.cell.key
    number, least = job.replicate + 1, outlook.plan.replicates(job.cell)
    times = f" ({number} of {least})" if number <= least else f" ({number})"
    times = "" if number == least == 1 else times
    result = f"{record.status}: {record.reason}"
    if record.status == "ok":
        result = _result(outlook.found[key])
    return (
        f"{forecast.done()} {key}{times}: {result}  "
        f"[{record.elapsed:.1f} s, {units.duration(forecast.left())} left]"
    )


def _result(records: Sequence[Record]) -> str:
    """The cell's first metric, estimated from all its processes so far."""
    metric = METRICS[next(iter(records[-1].values))]
    if metric.noise == "image":
        images = int(records[-1].details["images"])
        top1 = units.scale(records[-1].values[metric.name][0], metric.unit)
        return f"{metric.title} {top1} of {units.tally(images, 'image')}"
    now = stats.estimate(
        [record.values[metric.name] for record in records if metric.name in record.values]
    )
    spread = now.relative_half_width if now.n > 2 else None  # two give no useful interval
    digits = units.digits_for(now.value, spread and spread * now.value)
    text = units.scale(now.value, metric.unit, 4 if metric.exact else digits, metric.exact)
    if spread is not None:
        text += f" ± {units.significant(100 * spread, 2)} %"
    return f"{text} so far" if now.n > 1 else text
