"""The commands: the only place that prints. Results on stdout, progress and errors on stderr."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from cmx_bench import __version__
from cmx_bench.errors import CmxError, nearest

if TYPE_CHECKING:
    from cmx_bench.plan import Plan

OK, BAD_INPUT, SOME_FAILED, INTERRUPTED = 0, 2, 4, 130

app = typer.Typer(
    help="Benchmarks ConvMixer beside other vision backbones and renders the paper's table.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich's help takes four times as long to start
    pretty_exceptions_enable=False,
)

Suite = Annotated[str, typer.Argument(help="A suite's YAML file, or the name of a shipped suite.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Only = Annotated[
    list[str] | None,
    typer.Option(help="Measure only cells whose key or model matches GLOB; may be repeated.",
                 metavar="GLOB"),
]  # fmt: skip
AllowImport = Annotated[
    bool, typer.Option("--allow-import", help="Let `python:` models of the suite import code.")
]


@app.command()
def run(
    suite: Suite,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run.", show_default="reports/SUITE/TIME")
    ] = None,
    device: Device = "auto",
    only: Only = None,
    budget: Annotated[
        str | None, typer.Option(help="Stop repeating after this time, such as 90s, 10m or 1h.")
    ] = None,
    allow_import: AllowImport = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew instead of finishing an earlier run.")
    ] = False,
) -> None:
    """Measure a suite and render its report."""
    from cmx_bench import progress, records, report
    from cmx_bench.execute import local, runner

    seconds = _seconds(budget)
    plan = _plan(suite, device, only, allow_import)
    command = shlex.join(["python", "-m", "cmx_bench", *sys.argv[1:]])
    folder = runner.open_folder(plan, Path("reports"), out, fresh, command)
    found = records.read(folder)
    if found:
        _note(f"continuing in {folder}: {len(found)} executions are there already")
    try:
        with progress.watching(plan, found) as watch:
            found = runner.run(plan, folder, local.execute, watch, seconds)
    except KeyboardInterrupt:
        _note(f"interrupted; what was measured is in {folder}, the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    page = report.write(folder)
    counts = runner.outcome_counts(plan, found)
    print(report.overview(folder, shutil.get_terminal_size((160, 24)).columns))
    print(page)
    if not counts["ok"]:
        _note("every cell failed")
        raise typer.Exit(BAD_INPUT)
    if counts["failed"]:
        _note(f"{counts['failed']} of {len(plan.cells)} cells failed; the report says why")
        raise typer.Exit(SOME_FAILED)


@app.command()
def plan(
    suite: Suite, device: Device = "auto", only: Only = None, allow_import: AllowImport = False
) -> None:
    """List the cells of a suite, with an estimate of the time."""
    from cmx_bench.units import duration

    made = _plan(suite, device, only, allow_import)
    for cell in made.cells:
        times = made.replicates(cell)
        print(f"{cell.key}  {times} × {made.estimates[cell.key]:.1f} s")
    print(f"{len(made.cells)} cells on {made.machine['device_name']}, "
          f"about {duration(made.seconds)}")  # fmt: skip


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    format: Annotated[
        str | None, typer.Option("--format", help="One format, to stdout unless -o is given.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write.")] = None,
) -> None:
    """Render a run again from its records."""
    from cmx_bench import report as reports

    if format is None and output is None:
        print(reports.write(run))
        return
    text = reports.render(run, _format(format, output))
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CmxError(f"{output}: cannot be written: {error.strerror}") from error
    print(output)


@app.command("list")
def list_(
    what: Annotated[
        Literal["models", "measures", "metrics", "suites"], typer.Argument(help="What to list.")
    ],
    pattern: Annotated[str, typer.Argument(help="For models: a glob such as 'resnet*'.")] = "*",
) -> None:
    """List models, measures, metrics or suites."""
    from cmx_bench import listing

    for line in listing.LISTS[what](pattern):
        print(line)


def _version(show: bool) -> None:
    if show:
        print(f"cmx-bench {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def _plan(suite: str, device: str, only: list[str] | None, allow_import: bool) -> Plan:
    """The suite is read first, without torch: a typo is answered at once."""
    from cmx_bench import suite as suites
    from cmx_bench.execute import local

    suite_file = suites.load(suite)
    local.call("cmx_bench.execute.machine:check_installation")
    made: Plan = local.call(
        "cmx_bench.execute.worker:make_plan", suite_file, device, tuple(only or ()), allow_import
    )
    return made


def _seconds(budget: str | None) -> float | None:
    if budget is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)", budget)
    if match is None:
        raise CmxError(f"--budget {budget}: expected a time such as 90s, 10m or 1h")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def _format(format: str | None, output: Path | None) -> str:
    from cmx_bench.report import RENDERERS

    name = format or (output.suffix.removeprefix(".") if output else "")
    if name not in RENDERERS:
        raise CmxError(
            f"--format {name or '(none)'}: unknown format{nearest(name, RENDERERS)} "
            f"(known: {', '.join(RENDERERS)})"
        )
    return name


def _note(message: str) -> None:
    print(message, file=sys.stderr)


def main() -> NoReturn:
    """Runs the command line and exits with the contract's code."""
    try:
        app(standalone_mode=True)
    except CmxError as error:
        _note(f"cmx-bench: {error}")
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(OK)
