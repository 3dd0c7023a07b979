"""The tables of past runs: what changed, where each metric stands, and every run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from cmx_bench import units
from cmx_bench.gate.history import FEWEST_RUNS, HAS_RUPTURES, Change, History, PastRun
from cmx_bench.gate.outputs.comparisons import show_value
from cmx_bench.gate.outputs.sentences import one_line
from cmx_bench.present.content import Column, Entry, Showing, Table, tabulate
from cmx_bench.units import first_few, tally

_MOST_MOVES = 5  # to other machines that are named


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
    latest = [change for series in history.series for change in series.changes]
    latest.sort(key=lambda change: change.size, reverse=True)
    latest.sort(key=lambda change: change.first.run.created, reverse=True)
    naming: list[Showing[Change]] = [
        *_naming(history),
        (Column("when", "When", title="The first run after the change"),
         lambda of: show_when(of.first.run, base)),
    ]  # fmt: skip
    shown: list[Showing[Change]] = [
        *naming,
        (Column("before", "Before", "right", "Typical value of the runs since the change before"),
         lambda of: show_value(of.before, of.series.metric)),
        (Column("after", "After", "right", "Typical value of the runs up to the next change"),
         lambda of: show_value(of.after, of.series.metric)),
        (Column("change", "Change", "right"), _change),
        (Column("commit", "Commit"), lambda of: _commit(of.first.run)),
        (Column("environment", "Environment", title="What changed in it with this run"),
         lambda of: Entry(of.first.changed)),
    ]  # fmt: skip
    columns, rows = tabulate(shown, latest)
    title = f"Change points over {tally(len(history.runs), 'run')}"
    title += f" of {describe(history.suites, history.machines)}" if history.runs else ""
    return Table("change-points", title, columns, rows, tuple(remarks(history)),
                 naming=len(naming), none="No metric changed for good.")  # fmt: skip


def describe(suites: Sequence[str], machines: Sequence[str]) -> str:
    """ "ci on AMD EPYC", "2 suites on 3 machines" """
    told = (
        names[0] if len(names) == 1 else tally(len(names), noun)
        for names, noun in ((suites, "suite"), (machines, "machine"))
    )
    return one_line(" on ".join(told))


def _naming(history: History) -> Iterator[Showing[Change]]:
    """What a row is about: a series, by its suite and its machine where there are several."""
    yield Column("network", "Network"), _network
    if len(history.suites) > 1:
        yield Column("suite", "Suite"), lambda of: Entry(of.series.suite)
    if len(history.machines) > 1:
        yield Column("machine", "Machine"), lambda of: Entry(of.series.machine or "any")
    yield Column("setting", "Setting"), lambda of: Entry(of.series.setting)
    yield Column("metric", "Metric"), lambda of: Entry(of.series.metric.title)


def _network(change: Change) -> Entry:
    model = change.series.model
    return Entry(one_line(model.label), one_line(model.name))


def show_when(run: PastRun, base: Path | None) -> Entry:
    """When a run began, with the link to its page."""
    return Entry(one_line(run.when), link=address(run, base))


def _change(change: Change) -> Entry:
    return Entry(change.words, sort=change.slowdown, tone=change.tone)


def _commit(run: PastRun) -> Entry:
    return Entry(run.commit or "unknown", quiet=not run.commit)


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
    moved = [f"{now.when} ({before.machine} → {now.machine})" for before, now in history.moves()]
    if moved:
        yield (
            "Timings are compared on one machine only, and a line ends where the machine changes: "
            f"{first_few(moved, _MOST_MOVES)}."
        )
    if history.elsewhere:
        others = tally(history.elsewhere, "run")
        verb = "is" if history.elsewhere == 1 else "are"
        yield f"{others} of other suites or machines {verb} not shown."
    for reason in history.left_out:
        yield one_line(f"Left out: {reason}.")


# --- where each metric stands, and every run ------------------------------------------------------


def of_levels(history: History, base: Path | None = None) -> Table:
    """A row for each series: its first level, its last level, and since when."""
    naming = [*_naming(history)]
    shown: list[Showing[Change]] = [
        *naming,
        (Column("runs", "Runs", "right"),
         lambda of: Entry(str(len(of.series.points)), sort=len(of.series.points))),
        (Column("first", "First level", "right", "Typical value up to the first change point"),
         lambda of: show_value(of.before, of.series.metric)),
        (Column("last", "Latest level", "right", "Typical value since the last change point"),
         lambda of: show_value(of.after, of.series.metric)),
        (Column("since", "Since", title="The first run at the latest level"),
         lambda of: show_when(of.first.run, base)),
        (Column("all", "Altogether", "right", "The latest level against the first"),
         lambda of: _change(of) if of.place else Entry("unchanged", quiet=True)),
    ]  # fmt: skip
    columns, rows = tabulate(shown, [series.altogether for series in history.series])
    return Table("levels", "Where each metric stands", columns, rows, folded=len(rows) > 30,
                 naming=len(naming))  # fmt: skip


def of_run(base: Path | None) -> dict[str, Showing[PastRun]]:
    """Columns with what they show of a run, wherever runs are listed, by their keys."""

    def failed(run: PastRun) -> Entry:
        text = units.part(len(run.failed), run.cells) if run.failed else "none"
        cells = one_line(", ".join(run.failed))
        return Entry(text, sort=len(run.failed), title=cells, quiet=not run.failed)

    return {
        "when": (Column("when", "Run"), lambda run: show_when(run, base)),
        "suite": (Column("suite", "Suite", choices=True), lambda run: Entry(run.suite)),
        "machine": (Column("machine", "Machine", choices=True), lambda run: Entry(run.machine)),
        "commit": (Column("commit", "Commit"), _commit),
        "versions": (Column("versions", "Versions"), lambda run: Entry(", ".join(run.versions))),
        "failed": (Column("failed", "Failed cells", "right", "Of those that were planned"),
                   failed),
        "folder": (Column("folder", "Folder"),
                   lambda run: Entry(one_line(units.decode(run.folder.name)))),
    }  # fmt: skip


def of_runs(history: History, base: Path | None = None) -> Table:
    """Every run, the latest first."""
    everywhere = {"suite": len(history.suites) == 1, "machine": len(history.machines) == 1}
    shown = [about for key, about in of_run(base).items() if not everywhere.get(key)]
    columns, rows = tabulate(shown, reversed(history.runs))
    unlinked = sum(run.page is None for run in history.runs)
    missing = (
        f"{tally(unlinked, 'run')} {'has' if unlinked == 1 else 'have'} no report.html to link: "
        "`python -m cmx_bench report RUN` renders it."
    )
    return Table(
        "runs", "Runs", columns, rows, (missing,) if unlinked else (), folded=len(rows) > 30
    )
