"""A history as files: a page, the same in Markdown with figures, and all values as JSON."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cmx_bench import units
from cmx_bench.gate.history import History, PastRun, Series, rows, trends
from cmx_bench.gate.outputs.sentences import one_line
from cmx_bench.present import drawing, markdown
from cmx_bench.present.content import Fact, Site, Table
from cmx_bench.results.runfolder import write_files
from cmx_bench.spec import disk
from cmx_bench.units import first_few, plain, tally

SCHEMA = 1
_DIGITS = 6  # of the numbers that place a point in the page
_MOST_MACHINES = 5  # named above the tables


def write(history: History, folder: Path) -> None:
    """Writes history.html, .md and .json, and the figures of the second, into a folder.

    Raises:
        RecordsError: the folder cannot be made or written.
    """
    write_files(folder, files(history, folder))


def files(history: History, folder: Path, site: Site | None = None) -> dict[str, str | bytes]:
    """The files of a history, by their path in its folder. The page comes last.

    Args:
        site: the one that the page is a part of.
    """
    drawings = drawing.draw(trends.plots(history))
    shown = (
        rows.of_changes(history, folder),
        rows.of_levels(history, folder),
        rows.of_runs(history, folder),
    )
    first, *rest = map(markdown.table, shown)
    pictures = [markdown.figure(drawn.plot) for drawn in drawings]
    blocks = [markdown.facts_list(facts(history)), first, *pictures, *rest]
    return {
        **{path: file for drawn in drawings for path, file in drawn.files.items()},
        "history.json": _lines(data(history, folder)),
        "history.md": markdown.document(title(history), blocks),
        "history.html": _page(history, shown, folder, site),
    }


def title(history: History) -> str:
    """ "History of ci on AMD EPYC" """
    return f"History of {rows.describe(history.suites, history.machines)}"


def facts(history: History) -> Iterator[Fact]:
    """Which runs, on which machines, and how often anything changed."""
    yield from about_runs(history.runs)
    tones = Counter(change.tone for series in history.series for change in series.changes)
    neither = f", {tones['']} times neither" * bool(tones[""])
    judged = f"{tones['bad']} times for the worse, {tones['good']} for the better"
    of_series = tally(len(history.series), "series", "series")
    yield Fact("Changed", f"{judged}{neither}, in {of_series}")
    yield from about_left_out(history.left_out)


def about_runs(runs: Sequence[PastRun]) -> Iterator[Fact]:
    """The number of runs, their first and last date, their suites and machines; the oldest run
    comes first."""
    first, last = runs[0].created[:10], runs[-1].created[:10]
    yield Fact("Runs", f"{tally(len(runs), 'run')}, {first}{f' to {last}' * (last != first)}")
    yield Fact("Suites", one_line(", ".join(dict.fromkeys(run.suite for run in runs))))
    by_machine = Counter(run.machine for run in runs).most_common()
    yield Fact("Machines", first_few([f"{name} ({tally(number, 'run')})"
                                      for name, number in by_machine], _MOST_MACHINES))  # fmt: skip


def about_left_out(reasons: Sequence[str]) -> Iterator[Fact]:
    """How many runs are left out; empty if none."""
    if reasons:
        runs = tally(len(reasons), "run")
        yield Fact("Left out", f"{runs}, for the reasons below", warning=True)


def _lines(content: Mapping[str, Any]) -> str:
    """JSON with a run, or a series, on each line."""
    parts = []
    for name, value in content.items():
        texts = ",\n".join(map(_text, value)) if isinstance(value, list) else ""
        parts.append(f"{_text(name)}: " + (f"[\n{texts}\n]" if texts else _text(value)))
    return "{" + ",\n".join(parts) + "}\n"


def _text(value: object) -> str:
    # A label must not end the script that holds it.
    return disk.json_of(value).rstrip().replace("<", "\\u003c")


def _page(history: History, shown: tuple[Table, ...], folder: Path, site: Site | None) -> str:
    from markupsafe import Markup

    from cmx_bench.present import page  # jinja2 is slow to import

    block, own = "", list[str]()
    if history.series:
        block = _lines(data(history, folder, _DIGITS))
        own = [page.file("cmx_bench.gate", "history.js")]
    return page.template("cmx_bench.gate", "history.html.j2").render(
        title=plain(title(history)),
        site=site,
        facts=list(facts(history)),
        tables=shown,
        data=Markup(block),
        licenses=page.licenses(),
        scripts=[*page.scripts(bool(own)), *own],
    )


# --- every value ----------------------------------------------------------------------------------


def data(history: History, base: Path, digits: int | None = None) -> dict[str, Any]:
    """Every run and every series, in base units.

    A series is made of lists. One of its `points` has the place of a run in `runs`, a value and, if
    any, its interval. One of its `levels` has the place of its first point, a number of points and
    a typical value. One of its `changes` has the place of the first point after it, a text and a
    tone. One in `changed` has the place of a point and a text that says what is unlike the run
    before. `unit` is the unit that suits the values, and `factor` its size in base units.

    Args:
        base: the folder of the file, for links to the runs.
        digits: significant ones that values have; None for all.
    """
    places = {run.folder: place for place, run in enumerate(history.runs)}
    return {
        "schema": SCHEMA,
        "runs": [
            {
                "folder": units.escape(rows.relative(run.folder, base)),
                "link": rows.address(run, base),
                "created": run.created,
                "suite": run.suite,
                "machine": run.machine,
                "commit": run.commit,
                "versions": ", ".join(run.versions),
            }
            for run in history.runs
        ],
        "series": [_series(series, places, digits) for series in history.series],
        "left_out": [one_line(reason) for reason in history.left_out],
    }


def _series(series: Series, places: dict[Path, int], digits: int | None) -> dict[str, Any]:
    metric = series.metric
    exactly = digits is None or metric.exact
    middle = statistics.median_low([point.value for point in series.points])
    factor, unit = units.step(middle, metric.unit)

    def number(value: float) -> float:
        if value == int(value):
            return int(value)
        return value if exactly or digits is None else units.round_to(value, digits)

    return {
        "suite": series.suite,
        "machine": series.machine,
        "model": plain(series.model.name),
        "label": one_line(series.model.label),
        "setting": series.setting,
        "metric": metric.name,
        "title": metric.title,
        "about": metric.definition,
        "direction": metric.direction,
        "exact": metric.exact,
        "factor": factor,
        "unit": unit,
        "points": [
            [places[point.run.folder], *(number(edge) for edge in edges if edge is not None)]
            for point in series.points
            for edges in [(point.value, point.low, point.high)]
        ],
        "levels": [[level.first, level.n, number(level.value)] for level in series.levels],
        "changes": [[change.place, change.words, change.tone] for change in series.changes],
        "changed": [
            [place, point.changed] for place, point in enumerate(series.points) if point.changed
        ],
    }
