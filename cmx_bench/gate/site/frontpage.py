"""The index of a site: every run and every suite, with links to their pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from cmx_bench import units
from cmx_bench.gate.history import PastRun, publishing, rows
from cmx_bench.gate.outputs.sentences import one_line
from cmx_bench.gate.site import Listed
from cmx_bench.present.content import Column, Entry, Table, first_few

_MANY_SUITES = 12  # more are folded away
_FEW = 2  # machines and settings that are named


@dataclass(frozen=True, slots=True)
class Shown:
    """A run as the index shows it; `folder` is where it lies below the folder of all runs."""

    run: Listed
    past: PastRun
    folder: str


def page(
    shown: Sequence[Shown], histories: Mapping[str, str], left_out: Sequence[str], out: Path
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


def of_suites(shown: Sequence[Shown], histories: Mapping[str, str], out: Path) -> Table:
    """A row for each suite, the one that was measured last first."""
    columns = (
        Column("suite", "Suite", title="Leads to its runs"),
        Column("title", "Title"),
        Column("runs", "Runs", "right"),
        Column("machines", "Machines"),
        Column("latest", "Latest run"),
        Column("history", "Past runs", title="Where one machine measured it more than once"),
    )
    by_suite: dict[str, list[Shown]] = {}
    for each in reversed(shown):
        by_suite.setdefault(each.run.suite, []).append(each)
    every = tuple(
        _suite(suite, runs, histories.get(suite), out) for suite, runs in by_suite.items()
    )
    return Table("suites", "Suites", columns, every, folded=len(every) > _MANY_SUITES)


def _suite(suite: str, runs: Sequence[Shown], history: str | None, out: Path) -> tuple[Entry, ...]:
    latest = runs[0]
    machines = list(dict.fromkeys(each.past.machine for each in runs))
    return (
        Entry(suite, link=f"index.html?suite={quote(suite)}#runs"),
        Entry(latest.run.title),
        Entry(f"{len(runs):,}", sort=len(runs)),
        Entry(first_few(machines, _FEW), title=", ".join(machines)),
        rows.show_when(latest.past, out),
        Entry("none", quiet=True) if history is None
        else Entry(f"History of {suite}", link=quote(f"{history}/history.html")),
    )  # fmt: skip


def of_runs(shown: Sequence[Shown], left_out: Sequence[str], out: Path) -> Table:
    """A row for each run, the latest first."""
    known = {key: column for key, (column, _) in rows.of_run(out).items()}
    columns = (
        *(known[key] for key in ("when", "suite", "machine")),
        Column("beware", "Beware", title="What a reader must know before using any number"),
        Column("measured", "Measured cells", "right", "Of those that were planned"),
        known["failed"],
        Column("settings", "Settings"),
        Column("networks", "Networks", "right", "How many; a filter finds their names"),
        Column("torch", "torch"),
        *(known[key] for key in ("commit", "folder")),
    )
    every = tuple(
        tuple(entries[column.key] for column in columns)
        for entries in (_run(each, out) for each in reversed(shown))
    )
    remarks = tuple(one_line(f"Left out: {reason}.") for reason in left_out)
    return Table("runs", "Runs", columns, every, remarks)


def _run(shown: Shown, out: Path) -> dict[str, Entry]:
    run, beware = shown.run, ", ".join(_beware(shown.run))
    entries = {key: show(shown.past) for key, (_, show) in rows.of_run(out).items()}
    versions = ", ".join(run.versions)
    torch = next((text.partition(" ")[2] for text in run.versions if text.startswith("torch ")), "")
    return {
        **entries,
        "suite": replace(entries["suite"], title=run.title, keywords=run.title),
        "beware": Entry(beware, tone="unsure" if beware else ""),
        "measured": Entry(units.part(run.measured, run.cells), sort=run.measured),
        "settings": Entry(
            first_few(run.setting_names, _FEW), first_few(run.settings, 1),
            title=", ".join(run.settings), keywords=" ".join(run.settings),
        ),
        "networks": Entry(
            f"{len(run.models):,}", sort=len(run.models), title=", ".join(run.labels),
            keywords=" ".join((*run.labels, *run.models)),
        ),
        "torch": Entry(torch or "unknown", title=versions, keywords=versions, quiet=not torch),
        "folder": Entry(one_line(units.decode(shown.folder))),
    }  # fmt: skip


def _beware(run: Listed) -> Iterator[str]:
    """What a reader must know before using a number, in a word each."""
    if run.quick:
        yield "quick"
    if not run.finished:
        yield "not finished"
    if run.disturbed:
        yield "disturbed"
