"""What `plan` prints: what the suite says or leaves to defaults, its cells, and the time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cmx_bench import units
from cmx_bench.cli import arrays, engines
from cmx_bench.cli.options import Chunk, Slurm, SlurmOptions, seconds_of
from cmx_bench.cli.requests import Request, budget_of, times_of, with_request
from cmx_bench.cli.telling import note, say, say_rows
from cmx_bench.errors import CmxError
from cmx_bench.measures import MEASURES

if TYPE_CHECKING:
    from cmx_bench.cell import Cell
    from cmx_bench.plan import Plan


@with_request
def plan(
    request: Request, *, slurm: Slurm = None, chunk: Chunk = None, slurm_option: SlurmOptions = None
) -> None:
    """List the cells that `run` measures, and estimate the time."""
    seconds, apart = times_of(request)
    if slurm is not None:
        arrays.refuse_other(request)
        arrays.write_array(request, slurm, seconds_of("--chunk", chunk), slurm_option or ())
        return
    if chunk is not None or slurm_option:
        raise CmxError("--chunk and --slurm-option: need a job array; add --slurm FOLDER")
    with engines.choosing(request.executor, request.address) as engine:
        planned = engine.plan_of(request)
        resources = engine.resources(planned)
    seconds = budget_of(planned, seconds)
    say_rows([*_list_asked(planned, seconds, request.budget is not None), *resources])
    say("")
    say_rows((cell.key, _executions(planned, cell)) for cell in planned.cells)
    _say_estimate(planned, seconds, apart)


def _say_estimate(planned: Plan, seconds: float | None, apart: float) -> None:
    from cmx_bench.execute import remaining
    from cmx_bench.execute.outlook import Outlook

    about = "about" if planned.suite_file.suite.precision is None else "at least"
    # Making the plan takes as long as an interpreter of a round, and the report about as long.
    outlook = Outlook(planned)
    whole, within = (
        2 * planned.starting + outlook.seconds_left(most, apart) for most in (None, seconds)
    )
    cut = f"; without a budget {units.duration(whole)}" if within < whole else ""
    if warning := remaining.foretell(planned, {}, seconds):
        note(warning, beware=True)
    say(f"{units.tally(len(planned.cells), 'cell')} on {planned.device_name}, "
          f"{about} {units.duration(within)}{cut}")  # fmt: skip


def _list_asked(planned: Plan, budget: float | None, by_option: bool) -> Iterator[tuple[str, str]]:
    """What is asked for, by its key; what neither the suite nor an option says is marked."""
    suite, written = planned.suite_file.suite, planned.suite_file.document.value
    assert isinstance(written, dict)
    rounds = f"{units.tally(suite.replicates, 'process', 'processes')} for each timing"
    if planned.replicate is not None:
        rounds = f"replicate {planned.replicate} alone"
    elif suite.precision is not None:
        rounds += f", more until ± is at most {units.percent(suite.precision)}"
    lines = {
        "title": suite.title or suite.name,
        "measures": ", ".join(suite.measures),
        "settings": ", ".join(setting.key for setting in planned.settings),
        "replicates": rounds,
        "budget": "none" if budget is None else units.duration(budget),
    }
    by_options = {"budget": by_option, "replicates": planned.replicate is not None}
    given = {*written, *(key for key, is_given in by_options.items() if is_given)}
    cut_down = ("replicates", "budget") if planned.suite_file.quick else ()
    for key, text in lines.items():
        why = "" if key in given else " (by default)"
        yield key, f"{text}{' (by --quick)' if key in cut_down else why}"


def _executions(planned: Plan, cell: Cell) -> str:
    from cmx_bench.execute import remaining

    if reason := planned.skipped.get(cell.key):
        return f"skipped: {reason}"
    times, seconds = planned.replicates(cell), planned.estimates[cell.key]
    if MEASURES[cell.measure].together and planned.evaluation is not None:
        times = remaining.seeds(planned, cell)
        seconds /= times
    return f"{times} × {seconds:.1f} s"
