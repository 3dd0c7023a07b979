"""Commands on runs: measured, merged, rendered again, verified, cited."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cmx_bench import units
from cmx_bench.cli import engines
from cmx_bench.cli.ending import Ended, briefly, keeping
from cmx_bench.cli.options import Rendered, Verifiable, look_up
from cmx_bench.cli.requests import Request, budget_of, suite_of, times_of, with_request
from cmx_bench.cli.telling import Code, command_line, draw, give, note, say
from cmx_bench.errors import MOST_OF_A_TEXT, CmxError, cut
from cmx_bench.present.drawing.theme import SIZES
from cmx_bench.spec import disk

if TYPE_CHECKING:
    from cmx_bench.cli.engines import Engine
    from cmx_bench.plan import Plan
    from cmx_bench.results.nouns import Report

_GRACE = 5.0  # seconds for the report of a run that is ended: schedulers kill ten after they ask
_LOST = "what was lost is not measured; the same command tries it again"


@with_request
def run(
    request: Request,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run.", show_default="reports/SUITE/TIME")
    ] = None,
    *,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew instead of finishing an earlier run.")
    ] = False,
    gate_claims: Annotated[
        bool,
        typer.Option("--gate-claims", help="Exit with 1 where a claim of the suite fails, with 3 "
                                           "where one stays undecided."),
    ] = False,
) -> None:  # fmt: skip
    """Measure a suite, or models, and render the report."""
    from cmx_bench.execute import looking, opening

    times = times_of(request)
    if len(line := command_line()) > MOST_OF_A_TEXT:
        raise CmxError(f"the command line has {len(line):,} characters, and a run keeps "
                       f"{MOST_OF_A_TEXT:,} at most; write a suite, or shorter globs")  # fmt: skip
    suite_file = suite_of(request)
    disk.refuse_unwritable(out or Path("reports"))
    if out is not None:
        opening.refuse_other(suite_file, request.replicate, out, fresh)
    if gate_claims and not suite_file.suite.claims:
        raise suite_file.document.error((), "--gate-claims: the suite makes no claims")
    with engines.choosing(request.executor, request.address) as engine:
        look = looking.watch()  # while the plan's process loads torch
        plan = engine.plan_of(request, suite_file)
        watched = engine.is_here and plan.is_timed
        neighbours = look(int(plan.machine["cores"])) if watched else None
        folder = opening.open_run(plan, Path("reports"), out, fresh, line, neighbours)
        if neighbours is not None:
            note(neighbours, neighbours.disturbs)
        _measure(plan, folder, engine, times, gate_claims)


def _measure(
    plan: Plan, folder: Path, engine: Engine, times: tuple[float | None, float],
    gate_claims: bool,
) -> None:  # fmt: skip
    """Measures what is left of a run and shows its report, also where a signal ends it.

    Args:
        times: the seconds of `--budget`, None for the suite's, and of `--spread`.
    """
    from cmx_bench.cli import progress
    from cmx_bench.execute import outlook, remaining, runner

    budget, spread = times
    seconds = budget_of(plan, budget)
    there = f"what was measured is in {folder}, the same command goes on from there"
    with keeping(there, partial(_render_briefly, folder)):
        with outlook.continuing(plan, folder) as known:
            if records := known.records:
                are = "is" if len(records) == 1 else "are"
                executions = units.tally(len(records), "execution")
                note(f"continuing in {folder}: {executions} {are} there already")
            if warning := remaining.foretell(plan, known.found, seconds):
                note(warning, beware=True)
            gc.freeze()  # a search of what was read for garbage would disturb what is timed
            watching = progress.watching(known, seconds, spread)
            with engine.engaged(plan) as (execute, evaluate), watching as watch:
                runner.run(known, folder, execute, watch, seconds, evaluate, spread)
        _show(folder, gate_claims)


def _render_briefly(folder: Path) -> None:
    """Renders what there is of a run that was ended, if nobody is in a hurry."""
    try:
        with briefly(_GRACE):
            from cmx_bench import report
            from cmx_bench.results import records

            if records.read(folder):
                say(report.save(report.read(folder), folder, "page"))
    except (Ended, CmxError, OSError, MemoryError):
        note(f"the report is left out; `python -m cmx_bench report {folder}` renders it")


def _show(folder: Path, gate_claims: bool, lacking: str = _LOST) -> None:
    """Renders what was measured, and exits with the code for what failed, if anything did.

    Args:
        lacking: what to say of a run that is not finished.
    """
    # Imported after measuring, for pandas takes 100 MB and a second.
    from cmx_bench import report
    from cmx_bench.report import headline
    from cmx_bench.report.overview import overview

    measured = report.read(folder)
    page = report.save(measured, folder, "page")
    draw(partial(overview, measured))
    say(page)
    every = (headline.quick(measured), headline.cut_off(measured), headline.too_wide(measured),
             headline.unmet(measured))  # fmt: skip
    for beware in filter(None, every):
        note(beware, beware=True)
    _note_disturbed(folder, measured)
    _exit_unless_fine(measured, gate_claims, lacking)


def _note_disturbed(run: Path, measured: Report) -> None:
    from cmx_bench.report import headline
    from cmx_bench.results import records

    if disturbed := headline.tell_disturbed(measured):
        # The command as it was typed, with its paths: a report has none.
        whole = records.read_run(run) if run.is_dir() else measured.run
        note(f"{run}: {disturbed}; {headline.calmer(whole)}", beware=True)


def _exit_unless_fine(measured: Report, gate_claims: bool, lacking: str) -> None:
    from cmx_bench.report.tables import judgements

    progress = measured.progress
    if not progress.ok:
        nothing = "nothing was measured; the report says why"
        note(nothing if progress.skipped or progress.missing else "every cell failed")
        raise typer.Exit(Code.BAD_INPUT)
    if gate_claims:
        counts = judgements.counts(judgements.judge(measured))
        note(f"claims: {judgements.count(counts)}")
        if counts["FAILS"]:
            raise typer.Exit(Code.REGRESSION)
    if progress.failed:
        cells = units.tally(len(measured.run.cells), "cell")
        note(f"{progress.failed} of {cells} failed; the report says why")
    if unfinished := progress.missing or not measured.run.finished:
        note(lacking)
    if progress.failed or unfinished:
        raise typer.Exit(Code.SOME_FAILED)
    if gate_claims and counts["UNDECIDED"]:
        raise typer.Exit(Code.INCONCLUSIVE)


def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs; several stand side by side.",
                                   metavar="RUN...")
    ],
    format: Annotated[
        str | None, typer.Option(help="One format, to stdout unless -o is given.",
                                 metavar="html|md|latex|csv|json")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write.")] = None,
    figures: Annotated[bool, typer.Option("--figures", help="Figures as PNG and PDF too.")] = False,
    style: Annotated[
        str | None,
        typer.Option(help="What these PNG and PDF are for: a page, a column of a two-column paper, "
                          "slides.", metavar="page|paper|slides", show_default="page"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for several runs side by side.",
                                  show_default="reports/SUITE/comparison-HASH")
    ] = None,
) -> None:  # fmt: skip
    """Render a run again from its records, or runs side by side."""
    from cmx_bench import report as reports
    from cmx_bench.report import formats
    from cmx_bench.results import runfolder

    atexit.register(gc.freeze)  # an exit searches all that is left for garbage: a tenth of the time
    everything = format is None and output is None
    of_figures = look_up("--style", "style", style or "page", {name: name for name in SIZES})
    _refuse_mixed(len(runs), everything, figures, style, out)
    renderers = formats.RENDERERS if len(runs) == 1 else formats.SIDE_BY_SIDE
    chosen = "" if everything else _format(format, output, renderers)
    runs = list(map(runfolder.folder_of, runs))
    _refuse_lone_page(runs, everything)
    if output is not None:
        runfolder.refuse_to_replace(runs, output)
    measured = [reports.read(run) for run in runs]
    if len(runs) > 1:
        _compare(runs, measured, chosen, output, out)
    elif everything:
        say(reports.save(measured[0], runs[0], of_figures if figures else None))
    else:
        give(formats.RENDERERS[chosen](measured[0]), output)
    for run, its in zip(runs, measured, strict=True):
        _note_disturbed(run, its)


def _compare(
    runs: Sequence[Path], measured: Sequence[Report], format: str, output: Path | None,
    out: Path | None,
) -> None:  # fmt: skip
    """Renders runs side by side, in all formats where none is named."""
    from cmx_bench.report import formats, save
    from cmx_bench.report.tables import side_by_side
    from cmx_bench.results import runfolder

    if out is not None:
        runfolder.refuse_for_others(out)
    comparison = side_by_side.compare(runs, measured)
    if format:
        give(formats.SIDE_BY_SIDE[format](comparison), output)
    else:
        say(save(comparison, out or formats.folder(comparison)))


def _refuse_mixed(
    count: int, everything: bool, figures: bool, style: str | None, out: Path | None
) -> None:
    if out is not None and (count == 1 or not everything):
        raise CmxError("--out: needs several runs and all formats; for one format use -o")
    if figures and (count > 1 or not everything):
        raise CmxError("--figures: needs one run and all formats")
    if style is not None and not figures:
        raise CmxError("--style: needs --figures; add it")


def _refuse_lone_page(runs: Sequence[Path], everything: bool) -> None:
    if everything and len(runs) == 1 and runs[0].is_file():
        raise CmxError(f"{runs[0]}: all formats are written into the folder of a run, and this is "
                       f"a page alone; give the folder, or a file to write: -o FILE")  # fmt: skip


def merge(
    parts: Annotated[
        list[Path], typer.Argument(help="Folders of runs, each of a part of one suite.",
                                   metavar="RUN...")
    ],
    out: Annotated[
        Path, typer.Option(help="Folder of the whole run: new, empty, or of an earlier merge.")
    ],
) -> None:  # fmt: skip
    """Put runs of parts of one suite together into one run."""
    from cmx_bench.results import merging, runfolder

    parts = list(map(runfolder.folder_of, parts))
    merging.merge(parts, out, cut(command_line(), MOST_OF_A_TEXT))
    _show(out, gate_claims=False, lacking=merging.tell_unfinished(parts))


def verify(path: Verifiable) -> None:
    """Recompute every number shown, and name each that differs."""
    from cmx_bench.report import verify as verifying

    verification = verifying.verify(path)
    say(*verifying.lines(verification))
    raise typer.Exit(Code.REGRESSION if verification.differences else Code.OK)


def cite(path: Rendered) -> None:
    """Print a run as BibTeX, with its content hash, device and date."""
    from cmx_bench import report
    from cmx_bench.report import exports

    give(exports.bibtex(report.read(path)))


def _format(format: str | None, output: Path | None, known: Mapping[str, object]) -> str:
    from cmx_bench.report.formats import SUFFIXES

    suffix = output.suffix.removeprefix(".") if output else ""
    name = format or SUFFIXES.get(suffix, suffix)
    look_up("--format", "format", name or "(none)", known)
    return name
