"""Commands that judge: a run by another, one Python by another, this machine by itself."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cmx_bench.cli import options
from cmx_bench.cli.ending import keeping
from cmx_bench.cli.options import look_up, seconds_of, share_of
from cmx_bench.cli.requests import Request, plan_of
from cmx_bench.cli.telling import Code, command_line, draw, note, say
from cmx_bench.errors import CmxError, RecordsError, SuiteError
from cmx_bench.spec import disk
from cmx_bench.units import escape

if TYPE_CHECKING:
    from cmx_bench.gate.history import History
    from cmx_bench.gate.pairs import Pair
    from cmx_bench.gate.verdict import Comparison, Policy, Verdict
    from cmx_bench.plan import Plan


# What is said of a module that nobody finds, and of one that a user's module imports.
_LOST = ("there is no module", "ModuleNotFoundError")


def check(
    run: Annotated[Path, typer.Argument(help="The folder of the run to judge.")],
    baseline: Annotated[Path, typer.Option(help="The folder of the run to compare it with.")],
    threshold: options.Threshold = "5%",
    anchor: Annotated[
        Path | None,
        typer.Option(help="A run that stays fixed, so that small losses cannot add up unseen."),
    ] = None,
    history: Annotated[
        Path | None, typer.Option(help="A folder of past runs: shows their trend.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the verdict's files.")] = None,
    inconclusive: options.Inconclusive = "fail",
    any_threshold: options.AnyThreshold = False,
) -> None:
    """Judge a run against a baseline: same counts, not slower."""
    from cmx_bench.gate import check as checks
    from cmx_bench.gate import floor
    from cmx_bench.gate.history import gathering
    from cmx_bench.results import runfolder

    share, policy = share_of("--threshold", threshold), _policy_of(inconclusive)
    if out is not None:
        runfolder.refuse_for_others(out)
    others = {"baseline": baseline} | ({} if anchor is None else {"anchor": anchor})
    head, verdict = checks.verdict(run, others, share)
    kinds = head.run.kinds.values()
    shown = dict.fromkeys(floor.note(share, machine, any_threshold) for machine in kinds)
    past = None if history is None else gathering.read(history, head.run)
    _conclude(replace(verdict, notes=(*shown,), policy=policy), out, past)


Base = Annotated[
    str, typer.Option(help="A Python, virtual environment or checkout.", metavar="PYTHON")
]
Head = Annotated[
    str,
    typer.Option(help="The one to judge.", metavar="PYTHON", show_default="this Python"),
]
Anchor = Annotated[
    str | None,
    typer.Option(help="A base that stays fixed, so that small losses cannot add up unseen.",
                 metavar="PYTHON"),
]  # fmt: skip
Budget = Annotated[
    str | None,
    typer.Option(help="Stop after this time, for each base.", metavar="TIME",
                 show_default="2m a model"),
]  # fmt: skip
ExpectEqual = Annotated[
    bool, typer.Option("--expect-equal", help="Measure although both sides run the same code.")
]


def ab(
    base: Base,
    suite: options.SuiteOrModels = None,
    model: options.Models = None,
    head: Head = sys.executable,
    threshold: options.Threshold = "5%",
    anchor: Anchor = None,
    device: options.Device = "auto",
    only: options.Only = None,
    budget: Budget = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pairs and the verdict.",
                                  show_default="reports/ab-SUITE/TIME")
    ] = None,
    inconclusive: options.Inconclusive = "fail",
    allow_import: options.AllowImport = False,
    any_threshold: options.AnyThreshold = False,
    expect_equal: ExpectEqual = False,
) -> None:  # fmt: skip
    """Judge one Python or checkout against another, both in turns."""
    from cmx_bench.gate import ab as gate
    from cmx_bench.gate import floor, kept
    from cmx_bench.gate.outputs import console

    share, seconds = share_of("--threshold", threshold), seconds_of("--budget", budget)
    asked, policy = gate.Gate(share, seconds, expect_equal), _policy_of(inconclusive)
    request = Request(suite, model, device, only=only, allow_import=allow_import)
    if request.several:
        raise CmxError(f"--device {device}: ab measures on one device; name one")
    kept.refuse_folder(out)
    bases = {"base": base} | ({} if anchor is None else {"anchor": anchor})
    packages = {name: _package_of(name, path) for name, path in (bases | {"head": head}).items()}
    plan = _plan(request, head, packages["head"])
    shown = floor.note(share, plan.machine, any_threshold, gate.seconds_a_model(plan, seconds))
    about = {"sides": bases | {"head": head}, "threshold": share, "command": _command()}
    folder = kept.open_folder(plan, out, "ab", about)

    def watch(pair: Pair, so_far: Comparison) -> None:
        kept.append(folder, pair, against=so_far.against)
        note(console.pair_line(pair, so_far))

    with _keeping(folder):
        verdict = gate.verdict(plan, bases, head, asked, disk.within(folder, "log.txt"), watch)
    kept.keep_code(folder, verdict.contrasts)
    _conclude(replace(verdict, notes=(shown, *verdict.notes), policy=policy), folder, None)


def selftest(
    suite: options.Suite = "ci",
    threshold: options.Threshold = "5%",
    device: options.Devices = "auto",
    only: options.Only = None,
    budget: Annotated[
        str, typer.Option(help="About how long to measure.", metavar="TIME")
    ] = "15m",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pairs.",
                                  show_default="reports/selftest-SUITE/TIME")
    ] = None,
    allow_import: options.AllowImport = False,
) -> None:  # fmt: skip
    """Measure which changes this machine can show.

    Its false alarms, its misses and the smallest change that `ab` detects; of several GPUs, whether
    timings on one move while the others measure.
    """
    from cmx_bench.gate import floor, kept
    from cmx_bench.gate import selftest as tests
    from cmx_bench.gate.outputs import console

    share, seconds = share_of("--threshold", threshold), seconds_of("--budget", budget) or 0.0
    kept.refuse_folder(out)
    plan = plan_of(Request(suite, device=device, only=only, allow_import=allow_import))
    if plan.places:
        _test_side_by_side(plan, seconds, out)
        return
    kept_in = floor.path(plan.machine)
    disk.refuse_unwritable(kept_in.parent)
    about = {"threshold": share, "command": command_line()}
    folder = kept.open_folder(plan, out, "selftest", about)

    def watch(kind: str, pair: Pair) -> None:
        kept.append(folder, pair, kind=kind)
        note(console.trial_line(kind, pair))

    with _keeping(folder):
        measured = tests.run(plan, share, seconds, disk.within(folder, "log.txt"), watch)
    say(*tests.lines(measured))
    for file in (folder / "selftest.json", kept_in):
        floor.write(measured, file)
        say(file)


def _test_side_by_side(plan: Plan, seconds: float, out: Path | None) -> None:
    from cmx_bench.execute import devices
    from cmx_bench.gate import alongside, kept
    from cmx_bench.gate.alongside import Alongside

    folder = kept.open_folder(plan, out, "selftest", {"command": command_line()})
    log, pairs = disk.within(folder, "log.txt"), list[Alongside]()
    with _keeping(folder), devices.opening(plan.places, note) as opened:
        for pair in alongside.run(plan, opened, seconds, log):
            pairs.append(pair)
            kept.append(folder, pair)
            note(f"{pair.model} on {pair.device}: alone {pair.alone:.1f} images/s, next to the "
                 f"others {pair.beside:.1f}")  # fmt: skip
    say(*alongside.lines(plan.machine, pairs), folder)


def _package_of(name: str, path: str) -> Path:
    from cmx_bench.execute import interpreters

    try:
        return interpreters.package_of(path)
    except CmxError as error:
        raise CmxError(f"--{name} {error}") from None


def _plan(request: Request, head: str, package: Path) -> Plan:
    """The plan, made where head finds its modules."""
    from cmx_bench.gate import ab as gate

    with gate.planning(head, package) as call:
        try:
            plan = plan_of(request, call=call)
        except SuiteError as error:
            _note_lost_modules([str(error)], head, package)
            raise
    _note_lost_modules(plan.troubles, head, package)
    return plan


def _note_lost_modules(troubles: Iterable[str], head: str, package: Path) -> None:
    """Says where a user's module that is missing was looked for, and how to name its place."""
    from cmx_bench.execute import interpreters

    if not any(word in trouble for trouble in troubles for word in _LOST):
        return
    where = f"where head ({head}) finds its own"
    if not interpreters.is_this(package):
        where = (
            f"where this Python finds its own, and in {package.parent}, for head has another "
            "cmx-bench"
        )
    note(f"modules of models were looked for {where}; where one lies elsewhere, name its folder: "
         f"PYTHONPATH=FOLDER {command_line()}")  # fmt: skip


def _command() -> str:
    """The command line, with the variables by which modules are found and timings change."""
    from cmx_bench.results import environment

    names = sorted({"PYTHONPATH", *environment.variables(os.environ)} & os.environ.keys())
    set_before = [f"{name}={shlex.quote(os.environ[name])}" for name in names]
    return " ".join([*map(escape, set_before), command_line()])


def _policy_of(word: str) -> Policy:
    from cmx_bench.gate.verdict import POLICIES

    return look_up("--inconclusive", "policy", word, {policy: policy for policy in POLICIES})


def _conclude(verdict: Verdict, out: Path | None, past: History | None) -> None:
    """Shows a verdict, here and where CI looks for it, and exits with its code. Paths of this
    machine are shown on its terminal alone."""
    from cmx_bench.gate import outputs
    from cmx_bench.gate.history import rows, trends
    from cmx_bench.gate.outputs import console, github
    from cmx_bench.results import public

    verdict = replace(verdict, command=_command())
    draw(lambda width, colours: console.text(verdict, width, colours).rstrip("\n"))
    shown: Verdict = public.shorten(verdict)
    tables = [rows.of_changes(past, out)] if past else []
    for table in tables:
        say(*rows.lines(table))
    if out is not None:
        drawings = trends.drawings(past) if past else []
        outputs.write(shown, out, drawings, tables)
        say(out / "verdict.html")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        say(*github.workflow_commands(shown))
        try:
            github.append_summary(shown, Path(summary))
        except RecordsError as error:  # the verdict stands without a summary
            note(f"warning: the job's summary: {error}")
    if verdict.let_through:
        if verdict.policy == "warn":
            note("warning: undecided, which --inconclusive warn lets through")
        raise typer.Exit(Code.OK)
    codes = {"PASS": Code.OK, "FAIL": Code.REGRESSION, "NOTHING COMPARED": Code.BAD_INPUT}
    raise typer.Exit(codes.get(verdict.state, Code.INCONCLUSIVE))


def _keeping(folder: Path) -> AbstractContextManager[None]:
    pairs = folder / "pairs.jsonl"
    return keeping(f"the pairs so far are in {pairs}; the same command begins anew")
