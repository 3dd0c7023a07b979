"""The index of a site: every run and every suite, with links to their pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cmx_bench import units
from cmx_bench.gate.history import PastRun, publishing, rows
from cmx_bench.gate.outputs.sentences import one_line
from cmx_bench.gate.site import Listed
from cmx_bench.present.content import Column, Entry, Showing, Table, tabulate
from cmx_bench.results.grouping import group

_MANY_SUITES = 12  # more are folded away
_FEW = 2  # machines and settings that are named


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as the index shows it; `folder` is where it lies below the folder of all runs."""

    run: Listed
    past: PastRun
    folder: str


def page(
    shown: Sequence[RunRow], histories: Mapping[str, str], left_out: Sequence[str], out: Path
) -> str:
    """The index, as a page in the folder `out`.

    Args:
        shown: the oldest first.
        histories: the place of each suite's history in the site.
        left_out: in a line each which runs cannot be shown, and why.
    """
    from cmx_bench.present import page as pages  # jinja2 is slow to import

    past = [each.past for each in shown]
    suites, machines = (
        dict.fromkeys(getattr(run, name) for run in past) for name in ("suite", "machine")
    )
    return pages.template("cmx_bench.gate", "site.html.j2").render(
        title=f"Runs of {rows.describe(list(suites), list(machines))}",
        facts=[*publishing.about_runs(past), *publishing.about_left_out(left_out)],
        tables=(of_suites(shown, histories, out), of_runs(shown, left_out, out)),
        scripts=pages.scripts(draws=False),
    )


def of_suites(shown: Sequence[RunRow], histories: Mapping[str, str], out: Path) -> Table:
    """A row for each suite, the one that was measured last first."""
    by_suite = group(reversed(shown), lambda each: each.run.suite)
    showing: list[Showing[list[RunRow]]] = [
        (Column("suite", "Suite", title="Leads to its runs"), _suite),
        (Column("title", "Title"), lambda runs: Entry(runs[0].run.title)),
        (Column("runs", "Runs", "right"), lambda runs: Entry(f"{len(runs):,}", sort=len(runs))),
        (Column("machines", "Machines"), _machines),
        (Column("latest", "Latest run"), lambda runs: rows.show_when(_latest(runs).past, out)),
        (Column("history", "Past runs", title="Where one machine measured it more than once"),
         lambda runs: _history(runs[0].run.suite, histories)),
    ]  # fmt: skip
    columns, every = tabulate(showing, by_suite.values())
    return Table("suites", "Suites", columns, every, folded=len(every) > _MANY_SUITES)


def _latest(runs: Sequence[RunRow]) -> RunRow:
    """The latest run that is whole, where one is, and neither quick nor a part."""
    return next((each for each in runs if each.run.in_history), runs[0])


def _suite(runs: Sequence[RunRow]) -> Entry:
    suite = runs[0].run.suite
    return Entry(suite, link=f"index.html?suite={quote(suite)}#runs")


def _machines(runs: Sequence[RunRow]) -> Entry:
    machines = list(dict.fromkeys(each.past.machine for each in runs))
    return Entry(units.first_few(machines, _FEW), title=", ".join(machines))


def _history(suite: str, histories: Mapping[str, str]) -> Entry:
    if suite not in histories:
        return Entry("none", quiet=True)
    return Entry(f"History of {suite}", link=quote(f"{histories[suite]}/history.html"))


def of_runs(shown: Sequence[RunRow], left_out: Sequence[str], out: Path) -> Table:
    """A row for each run, the latest first."""
    known = rows.of_run(out)

    def of_past(key: str) -> Showing[RunRow]:
        column, show = known[key]
        return column, lambda each: show(each.past)

    showing: list[Showing[RunRow]] = [
        of_past("when"),
        (known["suite"][0],
         lambda each: Entry(each.run.suite, title=each.run.title, keywords=each.run.title)),
        of_past("machine"),
        (Column("beware", "Beware", title="What a reader must know before using any number"),
         _beware),
        (Column("measured", "Measured cells", "right", "Of those that were planned"),
         lambda each: Entry(units.part(each.run.measured, each.run.cells), sort=each.run.measured)),
        of_past("failed"),
        (Column("settings", "Settings"), _settings),
        (Column("networks", "Networks", "right", "How many; a filter finds their names"),
         _networks),
        (Column("torch", "torch"), _torch),
        of_past("commit"),
        (known["folder"][0], lambda each: Entry(one_line(units.decode(each.folder)))),
    ]  # fmt: skip
    columns, every = tabulate(showing, reversed(shown))
    remarks = tuple(one_line(f"Left out: {reason}.") for reason in left_out)
    return Table("runs", "Runs", columns, every, remarks)


def _beware(shown: RunRow) -> Entry:
    """What a reader must know before using a number, in a word each."""
    run = shown.run
    is_part = not (run.quick or run.in_history)
    words = {"quick": run.quick, "one replicate": is_part, "not finished": not run.finished,
             "disturbed": run.disturbed}  # fmt: skip
    beware = ", ".join(word for word, holds in words.items() if holds)
    return Entry(beware, tone="unsure" if beware else "")


def _settings(shown: RunRow) -> Entry:
    names, keys = shown.run.setting_names, shown.run.settings
    return Entry(units.first_few(names, _FEW), units.first_few(keys, 1), title=", ".join(keys),
                 keywords=" ".join(keys))  # fmt: skip


def _networks(shown: RunRow) -> Entry:
    labels, names = shown.run.labels, shown.run.models
    return Entry(f"{len(names):,}", sort=len(names), title=", ".join(labels),
                 keywords=" ".join((*labels, *names)))  # fmt: skip


def _torch(shown: RunRow) -> Entry:
    every = shown.run.versions
    torch = next((text.partition(" ")[2] for text in every if text.startswith("torch ")), "")
    versions = ", ".join(every)
    return Entry(torch or "unknown", title=versions, keywords=versions, quiet=not torch)
