"""The tables of past runs: what changed, where each metric stands, and every run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from cmx_bench import units
from cmx_bench.gate.history import FEWEST_RUNS, History, PastRun, Series
from cmx_bench.gate.history.changes import HAS_RUPTURES, Change, changes, levels
from cmx_bench.gate.outputs.sentences import one_line
from cmx_bench.metrics import Metric
from cmx_bench.present.content import Column, Entry, Table, first_few
from cmx_bench.units import tally


def address(run: PastRun, base: Path | None) -> str:
    """The link to a run's report.html, for a file in the folder `base`; empty if one of the two is
    missing."""
    if run.page is None or base is None:
        return ""
    return quote(os.fsencode(relative(run.page, base)))


def relative(path: Path, base: Path) -> str:
    """A path as a file in the folder `base` links to it."""
    return Path(os.path.relpath(path, base)).as_posix()


def of_changes(history: History, base: Path | None = None) -> Table:
    """Every change point, the latest first, and remarks on the runs.

    Args:
        base: the folder of the file that shows it, for links to the runs.
    """
    columns = (
        Column("network", "Network"),
        *_where(history),
        Column("setting", "Setting"),
        Column("metric", "Metric"),
        Column("when", "When", title="The first run after the change"),
        Column("before", "Before", "right", "Typical value of the runs since the change before"),
        Column("after", "After", "right", "Typical value of the runs up to the next change"),
        Column("change", "Change", "right"),
        Column("commit", "Commit"),
        Column("environment", "Environment", title="What changed in it with this run"),
    )
    latest = [change for series in history.series for change in changes(series)]
    latest.sort(key=lambda change: change.size, reverse=True)
    latest.sort(key=lambda change: change.first.run.created, reverse=True)
    rows = tuple(_change(change, history, base) for change in latest)
    naming = [column.key for column in columns].index("when") + 1
    title = f"Change points over {tally(len(history.runs), 'run')}"
    title += f" of {named(history.suites, history.machines)}" if history.runs else ""
    return Table("change-points", title, columns, rows, tuple(remarks(history)), naming=naming,
                 none="No metric changed for good.")  # fmt: skip


def named(suites: Sequence[str], machines: Sequence[str]) -> str:
    """ "ci on AMD EPYC", "2 suites on 3 machines" """
    told = (
        names[0] if len(names) == 1 else tally(len(names), noun)
        for names, noun in ((suites, "suite"), (machines, "machine"))
    )
    return one_line(" on ".join(told))


def _where(history: History) -> Iterator[Column]:
    """Columns of what a history has several of."""
    if len(history.suites) > 1:
        yield Column("suite", "Suite")
    if len(history.machines) > 1:
        yield Column("machine", "Machine")


def _place(suite: str, machine: str, history: History) -> Iterator[Entry]:
    """The entries of `_where`."""
    if len(history.suites) > 1:
        yield Entry(suite)
    if len(history.machines) > 1:
        yield Entry(machine or "any")


def _change(change: Change, history: History, base: Path | None) -> tuple[Entry, ...]:
    series, run = change.series, change.first.run
    return (
        Entry(one_line(series.model.label), one_line(series.model.name)),
        *_place(series.suite, series.machine, history),
        Entry(series.setting),
        Entry(series.metric.title),
        Entry(one_line(run.when), link=address(run, base)),
        Entry(_value(change.before, series.metric), sort=change.before),
        Entry(_value(change.after, series.metric), sort=change.after),
        _change_entry(change),
        _commit(run),
        Entry(change.first.changed),
    )


def _change_entry(change: Change) -> Entry:
    return Entry(change.words, sort=change.slowdown, tone=change.tone)


def _commit(run: PastRun) -> Entry:
    return Entry(run.commit or "unknown", quiet=not run.commit)


def _value(value: float, metric: Metric) -> str:
    """An exact value unrounded."""
    if metric.exact:
        return f"{units.exact(value)} {metric.unit}".rstrip()
    return units.scale(value, metric.unit, 4)


def lines(whole: Table) -> Iterator[str]:
    """The table of change points for a terminal."""
    yield whole.title
    keys = [column.key for column in whole.columns]
    for row in whole.rows:
        texts = {key: entry.text for key, entry in zip(keys, row, strict=True)}
        where = ", ".join(texts[key] for key in ("suite", "machine", "setting") if key in texts)
        environment = f"; {texts['environment']}" * bool(texts["environment"])
        yield (
            f"  {texts['network']} {texts['metric']} ({where}): {texts['change']} since "
            f"{texts['when']} ({texts['before']} → {texts['after']}, commit {texts['commit']}"
            f"{environment})"
        )
    yield from (whole.remarks if whole.rows else ("  none", *whole.remarks))


# --- what a reader must know ----------------------------------------------------------------------


def remarks(history: History) -> Iterator[str]:
    """Where change points were looked for, and what is not shown."""
    sampled = [series for series in history.series if not series.metric.exact]
    looked = [series for series in sampled if series.long_enough]
    short = len(sampled) - len(looked)
    if not HAS_RUPTURES:
        yield "No change points were looked for: the package ruptures is not installed."
    elif looked:
        yield (
            f"Looked for in {tally(len(looked), 'series', 'series')} by PELT on the logarithms "
            "of the values; a change lasts two runs at least."
        )
    if short:
        yield (
            f"Not looked for in {tally(short, 'series', 'series')}: change points need "
            f"{FEWEST_RUNS} runs of values above zero."
        )
    if not sampled:
        yield "No run has a sampled metric."
    yield from _on_machines(history)
    if history.elsewhere:
        others = tally(history.elsewhere, "run")
        verb = "is" if history.elsewhere == 1 else "are"
        yield f"{others} of other suites or machines {verb} not shown."
    for reason in history.left_out:
        yield one_line(f"Left out: {reason}.")


_MOST_MOVES = 5


def _on_machines(history: History) -> Iterator[str]:
    """Where lines break."""
    moves = list(history.moves())
    if not moves:
        return
    moved = first_few(
        [f"{now.when} ({before.machine} → {now.machine})" for before, now in moves], _MOST_MOVES
    )
    yield (
        "Timings are compared on one machine only, and a line ends where the machine changes: "
        f"{moved}."
    )


# --- where each metric stands, and every run ------------------------------------------------------


def of_levels(history: History, base: Path | None = None) -> Table:
    """A row for each series: its first level, its last level, and since when."""
    columns = (
        Column("network", "Network"),
        *_where(history),
        Column("setting", "Setting"),
        Column("metric", "Metric"),
        Column("runs", "Runs", "right"),
        Column("first", "First level", "right", "Typical value up to the first change point"),
        Column("last", "Latest level", "right", "Typical value since the last change point"),
        Column("since", "Since", title="The first run at the latest level"),
        Column("all", "Altogether", "right", "The latest level against the first"),
    )
    rows = tuple(_levels(series, history, base) for series in history.series)
    naming = [column.key for column in columns].index("runs")
    return Table(
        "levels", "Where each metric stands", columns, rows, folded=len(rows) > 30, naming=naming
    )


def _levels(series: Series, history: History, base: Path | None) -> tuple[Entry, ...]:
    of_series = levels(series)
    first, last = of_series[0], of_series[-1]
    since = series.points[last.first].run
    whole = Change(series, last.first, first.value, last.value)
    return (
        Entry(one_line(series.model.label), one_line(series.model.name)),
        *_place(series.suite, series.machine, history),
        Entry(series.setting),
        Entry(series.metric.title),
        Entry(str(len(series.points)), sort=len(series.points)),
        Entry(_value(first.value, series.metric), sort=first.value),
        Entry(_value(last.value, series.metric), sort=last.value),
        Entry(one_line(since.when), link=address(since, base)),
        _change_entry(whole) if len(of_series) > 1 else Entry("unchanged", quiet=True),
    )


# What is said of a run, wherever runs are listed.
OF_RUN = {
    column.key: column
    for column in (
        Column("when", "Run"),
        Column("suite", "Suite", choices=True),
        Column("machine", "Machine", choices=True),
        Column("commit", "Commit"),
        Column("versions", "Versions"),
        Column("failed", "Failed cells", "right", "Of those that were planned"),
        Column("folder", "Folder"),
    )
}


def of_runs(history: History, base: Path | None = None) -> Table:
    """Every run, the latest first."""
    everywhere = {"suite": len(history.suites) == 1, "machine": len(history.machines) == 1}
    columns = tuple(column for key, column in OF_RUN.items() if not everywhere.get(key))
    rows = tuple(
        tuple(of_run(run, base)[column.key] for column in columns) for run in reversed(history.runs)
    )
    unlinked = sum(run.page is None for run in history.runs)
    missing = (
        f"{tally(unlinked, 'run')} {'has' if unlinked == 1 else 'have'} no report.html to link: "
        "`python -m cmx_bench report RUN` renders it."
    )
    return Table(
        "runs", "Runs", columns, rows, (missing,) if unlinked else (), folded=len(rows) > 30
    )


def of_run(run: PastRun, base: Path | None) -> dict[str, Entry]:
    """The entries of a run under `OF_RUN`."""
    failed = units.part(len(run.failed), run.cells) if run.failed else "none"
    cells = one_line(", ".join(run.failed))
    return {
        "when": Entry(one_line(run.when), link=address(run, base)),
        "suite": Entry(run.suite),
        "machine": Entry(run.machine),
        "commit": _commit(run),
        "versions": Entry(", ".join(run.versions)),
        "failed": Entry(failed, sort=len(run.failed), title=cells, quiet=not run.failed),
        "folder": Entry(one_line(units.decode(run.folder.name))),
    }
