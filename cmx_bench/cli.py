"""The commands: the only place that prints. Results on stdout, progress and errors on stderr."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, TypeVar

import typer

from cmx_bench import __version__
from cmx_bench.errors import CmxError, nearest

if TYPE_CHECKING:
    from cmx_bench.cell import Family
    from cmx_bench.gate.history import History
    from cmx_bench.gate.pairs import Pair
    from cmx_bench.gate.verdict import Comparison, Verdict
    from cmx_bench.matching.search import Quantity
    from cmx_bench.plan import Plan

OK, REGRESSION, BAD_INPUT, INCONCLUSIVE, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 130

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
Data = Annotated[
    list[str] | None,
    typer.Option(help="Where the images of a data set lie.", metavar="NAME=PATH"),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(help="A model's checkpoint, or a folder with files called like models.",
                 metavar="MODEL=FILE|FOLDER"),
]  # fmt: skip
AllowMissing = Annotated[
    int, typer.Option(min=0, help="Evaluate although so many images are broken.", metavar="N")
]
Cache = Annotated[bool, typer.Option("--cache", help="Keep preprocessed images for later runs.")]
Processes = Annotated[
    int,
    typer.Option(min=1, help="Processes, and GPUs, that train a model together.", metavar="N"),
]
AllowImport = Annotated[
    bool, typer.Option("--allow-import", help="Let `python:` models of the suite import code.")
]
Threshold = Annotated[
    str, typer.Option(help="The slowdown that must not pass, such as 5%.", metavar="PERCENT")
]
Rendered = Annotated[Path, typer.Argument(help="The folder of a run, or its report.html.")]
AnyThreshold = Annotated[
    bool,
    typer.Option("--any-threshold", help="Allow one below what the self-test found detectable."),
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
    data: Data = None,
    weights: Weights = None,
    allow_missing: AllowMissing = 0,
    cache: Cache = False,
    processes: Processes = 1,
    allow_import: AllowImport = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew instead of finishing an earlier run.")
    ] = False,
    gate_claims: Annotated[
        bool,
        typer.Option("--gate-claims", help="Exit with 1 where a claim of the suite fails, with 3 "
                                           "where one stays undecided."),
    ] = False,
) -> None:  # fmt: skip
    """Measure a suite and render its report."""
    from cmx_bench import progress, records, report
    from cmx_bench.execute import rounds, runner
    from cmx_bench.report import claims, headline

    seconds = _seconds(budget)
    plan = _plan(suite, device, only, allow_import, data, weights, allow_missing, cache, processes)
    if gate_claims and not plan.suite_file.suite.claims:
        raise plan.suite_file.document.error((), "--gate-claims: the suite makes no claims")
    if seconds is None:
        seconds = plan.suite_file.suite.budget
    folder = runner.open_folder(plan, Path("reports"), out, fresh, _command())
    found = records.read(folder)
    if found:
        _note(f"continuing in {folder}: {len(found)} executions are there already")
    try:
        with progress.watching(plan, found, seconds) as watch:
            runner.run(plan, folder, rounds.execute, watch, seconds)
    except KeyboardInterrupt:
        _note(f"interrupted; what was measured is in {folder}, the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    made = report.read(folder)
    page = report.save(made, folder, copies=True)
    print(report.overview(made, shutil.get_terminal_size((160, 24)).columns))
    print(page)
    if wide := headline.too_wide(made):
        _note(wide)
    if not made.progress.ok:
        _note("nothing was measured; the report says why" if made.progress.skipped
              else "every cell failed")  # fmt: skip
        raise typer.Exit(BAD_INPUT)
    if gate_claims:
        counts = claims.counts(claims.judged(made))
        _note(f"claims: {claims.counted(counts)}")
        if counts["FAILS"]:
            raise typer.Exit(REGRESSION)
    if made.progress.failed:
        _note(f"{made.progress.failed} of {len(plan.cells)} cells failed; the report says why")
        raise typer.Exit(SOME_FAILED)
    if gate_claims and counts["UNDECIDED"]:
        raise typer.Exit(INCONCLUSIVE)


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
    about = "about" if made.suite_file.suite.precision is None else "at least"
    print(f"{len(made.cells)} cells on {made.machine['device_name']}, "
          f"{about} {duration(made.seconds)}")  # fmt: skip


@app.command()
def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs; several stand side by side.",
                                   metavar="RUN...")
    ],
    format: Annotated[
        str | None, typer.Option("--format", help="One format, to stdout unless -o is given.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write.")] = None,
    figures: Annotated[bool, typer.Option("--figures", help="Figures as PNG and PDF too.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for several runs side by side.",
                                  show_default="reports/SUITE/comparison-HASH")
    ] = None,
) -> None:  # fmt: skip
    """Render a run again from its records, or several runs side by side."""
    from cmx_bench import report as reports
    from cmx_bench.report import compared, comparison

    everything = format is None and output is None
    if out is not None and (len(runs) == 1 or not everything):
        raise CmxError("--out: is for all files of several runs; -o names a file of one format")
    if figures and (len(runs) > 1 or not everything):
        raise CmxError("--figures: goes with all files of one run")
    if len(runs) == 1:
        if everything:
            print(reports.write(runs[0], figures))
        else:
            _give(reports.render(runs[0], _format(format, output, reports.RENDERERS)), output)
        return
    found = comparison.compare(runs, [reports.read(run) for run in runs])
    if everything:
        print(compared.save(found, out))
    else:
        _give(compared.RENDERERS[_format(format, output, compared.RENDERERS)](found), output)


@app.command()
def check(
    run: Annotated[Path, typer.Argument(help="The folder of the run to judge.")],
    baseline: Annotated[Path, typer.Option(help="The folder of the run to hold it against.")],
    threshold: Threshold = "5%",
    anchor: Annotated[
        Path | None,
        typer.Option(help="A run that stays fixed, so that small losses cannot add up unseen."),
    ] = None,
    history: Annotated[
        Path | None, typer.Option(help="A folder of past runs: shows their trend.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the verdict's files.")] = None,
    any_threshold: AnyThreshold = False,
) -> None:
    """Judge a run against a baseline: exact metrics equal, sampled ones not slower."""
    from cmx_bench.gate import check as checks
    from cmx_bench.gate import floor
    from cmx_bench.gate import history as histories

    share = _share("--threshold", threshold)
    others = {"baseline": baseline} | ({} if anchor is None else {"anchor": anchor})
    head, verdict = checks.verdict(run, others, share)
    note = floor.note(share, head.run.machine, any_threshold)
    past = None if history is None else histories.read(history, head.run)
    _conclude(replace(verdict, notes=(note,)), out, past)


@app.command()
def ab(
    suite: Suite,
    base: Annotated[str, typer.Option(help="A Python, virtual environment or checkout.")],
    head: Annotated[
        str, typer.Option(help="The same, to be judged.", show_default="this Python")
    ] = sys.executable,
    threshold: Threshold = "5%",
    anchor: Annotated[
        str | None,
        typer.Option(help="A base that stays fixed, so that small losses cannot add up unseen."),
    ] = None,
    device: Device = "auto",
    only: Only = None,
    budget: Annotated[
        str | None,
        typer.Option(help="Stop after this time, for each base.", show_default="2m a model"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pairs and the verdict.",
                                  show_default="reports/ab-SUITE/TIME")
    ] = None,
    allow_import: AllowImport = False,
    any_threshold: AnyThreshold = False,
) -> None:  # fmt: skip
    """Measure two Pythons or checkouts in turns on this machine, and judge head against base."""
    from cmx_bench.execute import servers
    from cmx_bench.gate import ab as gate
    from cmx_bench.gate import floor, kept
    from cmx_bench.gate.outputs import terminal

    share, seconds = _share("--threshold", threshold), _seconds(budget)
    bases = {"base": base} | ({} if anchor is None else {"anchor": anchor})
    for name, path in (bases | {"head": head}).items():
        try:
            servers.refuse_unusable(path)
        except CmxError as error:
            raise CmxError(f"--{name} {error}") from None
    made = _plan(suite, device, only, allow_import)
    note = floor.note(share, made.machine, any_threshold)
    about = {"sides": bases | {"head": head}, "threshold": share, "command": _command()}
    folder = kept.open_folder(made, out, "ab", about)

    def watch(pair: Pair, so_far: Comparison) -> None:
        kept.append(folder, pair, against=so_far.against)
        _note(terminal.pair_line(pair, so_far))

    with _keeping(folder):
        verdict = gate.verdict(made, bases, head, share, folder / "log.txt", watch, seconds)
    _conclude(replace(verdict, notes=(note,)), folder, None)


@app.command()
def selftest(
    suite: Annotated[str, typer.Argument(help="A suite's YAML file, or its name.")] = "ci",
    threshold: Threshold = "5%",
    device: Device = "auto",
    only: Only = None,
    budget: Annotated[str, typer.Option(help="About how long to measure.")] = "15m",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pairs.",
                                  show_default="reports/selftest-SUITE/TIME")
    ] = None,
    allow_import: AllowImport = False,
) -> None:  # fmt: skip
    """Measure this machine's false alarms, misses and smallest detectable change."""
    from cmx_bench.gate import floor, kept
    from cmx_bench.gate import selftest as tests
    from cmx_bench.gate.outputs import terminal

    share, seconds = _share("--threshold", threshold), _seconds(budget) or 0.0
    made = _plan(suite, device, only, allow_import)
    about = {"threshold": share, "command": _command()}
    folder = kept.open_folder(made, out, "selftest", about)

    def watch(kind: str, pair: Pair) -> None:
        kept.append(folder, pair, kind=kind)
        _note(terminal.trial_line(kind, pair))

    with _keeping(folder):
        found = tests.run(made, share, seconds, folder / "log.txt", watch)
    for line in tests.lines(found):
        print(line)
    for file in (folder / "selftest.json", floor.path(made.machine)):
        floor.write(found, file)
        print(file)


@app.command()
def verify(path: Rendered) -> None:
    """Recompute every number shown from the raw samples, and name each that differs."""
    from cmx_bench.report import verify as verifying

    found = verifying.verify(path)
    for line in verifying.lines(found):
        print(line)
    raise typer.Exit(REGRESSION if found.differences else OK)


@app.command()
def cite(path: Rendered) -> None:
    """Print a run as BibTeX, with its content hash, device and date."""
    from cmx_bench import report
    from cmx_bench.report import cite as citing

    print(citing.bibtex(report.read(path)), end="")


@app.command()
def match(
    params: Annotated[
        str | None, typer.Option(help="Parameters: a number such as 21.1M, or a model's.")
    ] = None,
    macs: Annotated[
        str | None, typer.Option(help="MACs for one image: a number such as 4G, or a model's.")
    ] = None,
    families: Annotated[
        str, typer.Option(help="Families, between commas; there is convmixer as well.")
    ] = "resnet,deit,resmlp,mixer",
    classes: Annotated[int, typer.Option(min=1, help="Classes that the head tells apart.")] = 1000,
    image_size: Annotated[int, typer.Option(min=1, help="Side of the images, in pixels.")] = 224,
    patch_size: Annotated[
        int | None, typer.Option(min=1, help="Side of the patches, for smaller images.")
    ] = None,
    within: Annotated[
        str, typer.Option(help="How far from the target is accepted.", metavar="PERCENT")
    ] = "1%",
    format: Annotated[
        str, typer.Option(help="table, csv, or yaml to paste into a suite.")
    ] = "table",
) -> None:
    """Find the member of each family that has as many parameters or MACs."""
    from cmx_bench.designs import FAMILIES
    from cmx_bench.matching import search
    from cmx_bench.matching.formats import FORMATS

    render = _looked_up("--format", "format", format, FORMATS)
    names: dict[str, Family] = {family: family for family in FAMILIES}
    words = map(str.strip, families.split(","))
    chosen = [_looked_up("--families", "family", word, names) for word in words]
    asked: dict[search.Quantity, str | None] = {"params": params, "macs": macs}
    amounts = {
        quantity: _amount(quantity, text, classes, image_size)
        for quantity, text in asked.items()
        if text is not None
    }
    if not amounts:
        raise CmxError("match: nothing to match; give --params or --macs a number or a model")
    target = search.Target(amounts, classes, image_size)
    share = _share("--within", within)
    matches = [search.find(family, target, share, patch_size) for family in chosen]
    print(render(matches, shutil.get_terminal_size((160, 24)).columns), end="")


@app.command("list")
def list_(
    what: Annotated[
        Literal["models", "measures", "metrics", "datasets", "suites"],
        typer.Argument(help="What to list."),
    ],
    pattern: Annotated[str, typer.Argument(help="For models: a glob such as 'resnet*'.")] = "*",
) -> None:
    """List models, measures, metrics, data sets or suites."""
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


def _plan(
    suite: str,
    device: str,
    only: list[str] | None,
    allow_import: bool,
    data: list[str] | None = None,
    weights: list[str] | None = None,
    allow_missing: int = 0,
    cache: bool = False,
    processes: int = 1,
) -> Plan:
    """The suite is read first, without torch: a typo is answered at once."""
    from cmx_bench import accuracy, datasets
    from cmx_bench import suite as suites
    from cmx_bench.execute import local

    suite_file = suites.load(suite)
    asked = suite_file.suite
    dataset = asked.accuracy.dataset if "accuracy" in asked.measures else None
    paths = datasets.parse(data or [], dataset)
    evaluation = accuracy.Evaluation(
        asked.accuracy,
        suite_file.document.path.resolve().parent,
        paths.get(asked.accuracy.dataset),
        allow_missing,
        accuracy.cache_folder() if cache else None,
        processes,
    )
    given = accuracy.weights_given(
        weights or [], asked.named if len(asked.named) == len(asked.models) else ()
    )
    local.call("cmx_bench.execute.machine:check_installation")
    made: Plan = local.call(
        "cmx_bench.execute.worker:make_plan",
        suite_file,
        device,
        tuple(only or ()),
        allow_import,
        evaluation,
        given,
    )
    return made


def _conclude(verdict: Verdict, out: Path | None, past: History | None) -> None:
    """Shows a verdict, here and where CI looks for it, and exits with its code."""
    from cmx_bench.gate import history as histories
    from cmx_bench.gate import outputs
    from cmx_bench.gate.outputs import github, terminal

    verdict = replace(verdict, command=_command())
    print(terminal.text(verdict, shutil.get_terminal_size((160, 24)).columns), end="")
    tables = [histories.table(past)] if past else []
    for table in tables:
        print(*histories.lines(table), sep="\n")
    if out is not None:
        drawings = histories.drawings(past) if past else []
        outputs.write(verdict, out, drawings, tables)
        print(out / "verdict.html")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        github.append_summary(verdict, Path(summary))
        for line in github.workflow_commands(verdict):
            print(line)
    raise typer.Exit({"PASS": OK, "FAIL": REGRESSION}.get(verdict.state, INCONCLUSIVE))


@contextmanager
def _keeping(folder: Path) -> Iterator[None]:
    """Says where the pairs are when they are interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        _note(f"interrupted; the pairs so far are in {folder / 'pairs.jsonl'}")
        raise typer.Exit(INTERRUPTED) from None


def _command() -> str:
    return shlex.join(["python", "-m", "cmx_bench", *sys.argv[1:]])


def _amount(quantity: Quantity, text: str, classes: int, image_size: int) -> int:
    """A number as it is; of a published member of a family by closed form, of others by torch."""
    from cmx_bench import designs, units
    from cmx_bench.execute import local
    from cmx_bench.matching import search

    try:
        return units.count(text)
    except ValueError:
        pass
    design = designs.published(text)
    if design is not None and image_size >= design.least_image_size:
        return search.count(quantity, design, search.Target({}, classes, image_size))
    amount: int = local.call("cmx_bench.planning:amount", quantity, text, {}, classes, image_size)
    return amount


def _share(option: str, text: str) -> float:
    from cmx_bench import units

    try:
        return units.share(text)
    except ValueError as error:
        raise CmxError(f"{option} {text}: {error}") from None


def _seconds(budget: str | None) -> float | None:
    from cmx_bench import units

    try:
        return None if budget is None else units.seconds(budget)
    except ValueError as error:
        raise CmxError(f"--budget {budget}: {error}") from None


def _give(text: str, output: Path | None) -> None:
    """Prints a rendering, or writes it to a file and prints its path."""
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CmxError(f"{output}: cannot be written: {error.strerror}") from error
    print(output)


def _format(format: str | None, output: Path | None, known: Mapping[str, object]) -> str:
    from cmx_bench.report import SUFFIXES

    suffix = output.suffix.removeprefix(".") if output else ""
    name = format or SUFFIXES.get(suffix, suffix)
    _looked_up("--format", "format", name or "(none)", known)
    return name


_Value = TypeVar("_Value")


def _looked_up(option: str, what: str, word: str, known: Mapping[str, _Value]) -> _Value:
    """What a word of an option stands for."""
    if word not in known:
        raise CmxError(
            f"{option} {word}: unknown {what}{nearest(word, known)} (known: {', '.join(known)})"
        )
    return known[word]


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
    except Exception:  # a mistake of ours: Python's own exit code would say "regression"
        traceback.print_exc()
        sys.exit(BAD_INPUT)
    sys.exit(OK)
