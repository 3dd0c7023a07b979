"""A site made anew from the runs of a folder: of what did not change since, nothing is made."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cmx_bench.errors import CmxError, RecordsError
from cmx_bench.gate.history import HAS_RUPTURES, History, gathering, publishing
from cmx_bench.gate.site import Listed, Render, abreast, frontpage, keeping, list_run
from cmx_bench.present.content import Site
from cmx_bench.results import embedded, environment, loading, predictions, runfolder
from cmx_bench.results.grouping import group
from cmx_bench.results.runfolder import write_files
from cmx_bench.spec import disk

INDEX = "index.html"
_RUNS, _HISTORIES = "runs", "history"  # the folders of a site
_LARGEST = 2**33  # bytes of a file of predictions
_OURS = b'<meta name="generator" content="cmx-bench">'


@dataclass(frozen=True, slots=True)
class Renewed:
    """What became of a site: how many `runs` it has, how many of them were `rendered` anew, and how
    many it has no more. `left_out` says in a line each which runs it cannot show."""

    runs: int
    rendered: int
    removed: int
    left_out: tuple[str, ...]


@dataclass(slots=True)
class _Pages:
    """The runs of a site by the place of their pages in it: where they lie, what these were made
    of, and what is to be listed."""

    places: dict[str, Path] = field(default_factory=dict)
    made_of: dict[str, str] = field(default_factory=dict)
    runs: dict[str, Listed] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    rendered: int = 0


def renew(folder: Path, out: Path, render: Render, tell: Callable[[str], None]) -> Renewed:
    """Writes the site of all runs below `folder` into the folder `out`.

    Where no run can be shown, nothing is written. Files in `out` that no site has stay.

    Args:
        render: makes the files of a run's page.
        tell: hears of each run that was rendered.

    Raises:
        CmxError: there is no such folder, `out` holds something else or cannot be written.
    """
    below = runfolder.runs_below(folder)
    pages = _Pages(left_out=list(below.left_out))
    for place in below.runs:
        part = f"{_RUNS}/{place.relative_to(folder).as_posix()}"
        try:
            pages.made_of[part] = _hash_of(place)
        except RecordsError as error:
            pages.left_out.append(str(error))
        else:
            pages.places[part] = place
    _refuse_out(out, pages)
    _render_changed(pages, out, render, tell)
    left_out = tuple(gathering.shorten(reason, folder) for reason in pages.left_out)
    if not pages.runs:
        return Renewed(0, 0, 0, left_out)
    histories = _renew_histories(pages, folder, out)
    index = frontpage.page(_show(pages, out), histories, left_out, out)
    # GitHub shows no names that begin with an underscore where a site has no .nojekyll.
    write_files(out, {".nojekyll": "", INDEX: index})
    removed = _discard_others(out, _RUNS, pages.runs)
    _discard_others(out, _HISTORIES, histories.values())
    return Renewed(len(pages.runs), pages.rendered, removed, left_out)


def _refuse_out(out: Path, pages: _Pages) -> None:
    index = disk.within(out, INDEX)
    if index.exists() and _OURS not in disk.bytes_of(index, RecordsError):
        raise CmxError(f"{index}: is no index of runs; give another --out")
    for part in pages.places:
        if any((out / part / name).exists() for name in runfolder.OF_RUN):
            raise CmxError(f"{out / part}: is a run, where its page would lie; give another --out")


# --- a page for each run --------------------------------------------------------------------------


def _hash_of(place: Path) -> str:
    names = [name for name in runfolder.OF_RUN if disk.within(place, name).exists()]
    for path in disk.files_below(predictions.folder_of(place)):
        if path.is_file():
            names.append(path.relative_to(place).as_posix())
    content = {}
    for name in names:
        path = disk.within(place, name)
        content[name] = hashlib.sha256(disk.bytes_of(path, RecordsError, _LARGEST)).hexdigest()
    return _hash(content)


def _hash(content: object) -> str:
    """A hash of what a part of the site is made of, and of the code that makes it."""
    made_by = [embedded.code(), embedded.renderers(), HAS_RUPTURES]
    return hashlib.sha256(json.dumps([made_by, content]).encode()).hexdigest()


def _render_changed(pages: _Pages, out: Path, render: Render, tell: Callable[[str], None]) -> None:
    changed = []
    for part, made_of in pages.made_of.items():
        note = keeping.current(out, part, made_of)
        if note and note.run:
            pages.runs[part] = note.run
        else:
            changed.append(part)
    tasks = [partial(_render, pages.places[part], out, part, pages.made_of[part], render)
             for part in changed]  # fmt: skip
    for number, (part, outcome) in enumerate(zip(changed, abreast.run_all(tasks), strict=True), 1):
        if isinstance(outcome, Listed):
            pages.runs[part] = outcome
            pages.rendered += 1
            width = len(str(len(changed)))
            tell(f"[{number:{width}}/{len(changed)}] {part.removeprefix(f'{_RUNS}/')}")
        else:
            pages.left_out.append(outcome)


def _render(place: Path, out: Path, part: str, made_of: str, render: Render) -> Listed | str:
    """Writes the page of a run; gives what is to be listed, or why the run cannot be read."""
    try:
        report = loading.read(place)
    except RecordsError as error:
        return str(error)
    run = list_run(report)
    keeping.put(out, part, render(report, _home(part)), made_of, run)
    return run


def _home(part: str) -> str:
    """What leads from a page in a part of the site to the site's folder."""
    return "../" * (part.count("/") + 1)


# --- a history for each suite ---------------------------------------------------------------------


def _renew_histories(pages: _Pages, folder: Path, out: Path) -> dict[str, str]:
    """Writes the histories that changed; gives the place of each suite's in the site."""
    among = {environment.digest(run.machine): run.machine for run in pages.runs.values()}
    histories, tasks = {}, []
    for suite, parts in _group_measured_again(pages.runs).items():
        part = histories[suite] = f"{_HISTORIES}/{_name(suite)}"
        machines = [pages.runs[run].machine for run in parts]
        names = gathering.machine_names(machines, among.values())
        made_of = _hash([names, [[run, pages.made_of[run]] for run in parts]])
        if not keeping.current(out, part, made_of):
            places = {pages.places[run]: out / run for run in parts}
            make = partial(gathering.gather, places, folder, among=tuple(among.values()))
            tasks.append(partial(_write_history, make, out, part, suite, made_of))
    list(abreast.run_all(tasks))
    return histories


def _group_measured_again(runs: Mapping[str, Listed]) -> dict[str, list[str]]:
    """The whole runs of each suite that one machine measured more than once."""
    whole = (part for part in sorted(runs) if runs[part].in_history)
    suites = group(whole, lambda part: runs[part].suite)
    return {
        suite: parts
        for suite, parts in suites.items()
        if max(Counter(environment.digest(runs[part].machine) for part in parts).values()) > 1
    }


def _name(suite: str) -> str:
    """The name of a suite's folder: its own where every system can have it."""
    name = re.sub("[^a-z0-9._-]+", "-", suite).strip(".-")
    return name if name == suite else f"{name}-{hashlib.sha256(suite.encode()).hexdigest()[:8]}"


def _write_history(
    make: Callable[[], History], out: Path, part: str, suite: str, made_of: str
) -> None:
    site = Site(_home(part), suite, ("history.json", "history.md"))
    keeping.put(out, part, publishing.files(make(), out / part, site), made_of)


# --- the index ------------------------------------------------------------------------------------


def _show(pages: _Pages, out: Path) -> list[frontpage.RunRow]:
    in_order = sorted(pages.runs.items(), key=lambda item: (item[1].created, item[0]))
    names = gathering.machine_names([run.machine for _, run in in_order])
    return [
        frontpage.RunRow(run, run.past(name, out / part), part.removeprefix(f"{_RUNS}/"))
        for (part, run), name in zip(in_order, names, strict=True)
    ]


def _discard_others(out: Path, room: str, current: Collection[str]) -> int:
    """Removes the parts below a folder of the site that are not current; gives their number."""
    others = [part for part in keeping.parts(out, room) if part not in current]
    for part in others:
        keeping.discard(out, part)
    return len(others)
