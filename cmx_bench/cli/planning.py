"""What `plan` prints: what the suite says or leaves to defaults, its cells, and the time; and what
`plan --slurm` writes."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cmx_bench import units
from cmx_bench.cli import engines
from cmx_bench.cli.options import Chunk, Slurm, SlurmOptions, seconds_of
from cmx_bench.cli.requests import Request, budget_of, plan_of, times_of, with_request
from cmx_bench.cli.telling import command_line, note, say, say_rows
from cmx_bench.errors import CmxError

if TYPE_CHECKING:
    from cmx_bench.cell import Cell
    from cmx_bench.execute.slurm import Array
    from cmx_bench.plan import Plan

_CHUNK_SECONDS = 1800.0  # that a job of an array takes at most


@with_request
def plan(
    request: Request, *, slurm: Slurm = None, chunk: Chunk = None, slurm_option: SlurmOptions = None
) -> None:
    """List the cells that `run` measures, and estimate the time."""
    seconds, apart = times_of(request)
    if slurm is not None:
        _refuse_other(request)
        most = seconds_of("--chunk", chunk)
        most = _CHUNK_SECONDS if most is None else most
        _write_array(request, slurm, most, slurm_option or ())
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
    if reason := planned.skipped.get(cell.key):
        return f"skipped: {reason}"
    return f"{planned.replicates(cell)} × {planned.estimates[cell.key]:.1f} s"


# --- a suite as a job array of Slurm --------------------------------------------------------------


def _refuse_other(request: Request) -> None:
    """Refuses options of a run in one piece."""
    for option in ("quick", "replicate", "budget", "spread", "executor", "address"):
        if getattr(request, option) != getattr(Request(), option):
            raise CmxError(f"--slurm: the jobs measure each replicate in full, once; leave "
                           f"--{option} out")  # fmt: skip
    if "," in request.device or request.device == "cuda:all":
        raise CmxError(f"--device {request.device}: each job has a GPU of its own; give --device "
                       "cuda with --slurm")  # fmt: skip


def _write_array(request: Request, folder: Path, most: float, options: Sequence[str]) -> None:
    """Writes the scripts of a job array into a folder, and says how they are submitted.

    Args:
        request: of the whole suite.
        most: the seconds that a job takes at most.
        options: of sbatch, as `slurm.options_of` reads them.
    """
    from cmx_bench.execute import slurm
    from cmx_bench.plan import chunks

    theirs = slurm.options_of(options)
    here = Path.cwd()
    place = slurm.place_of(folder, here)
    begin = time.monotonic()
    # Every cell has a replicate 0, and the other rounds take as long as this one.
    first = plan_of(replace(request, replicate=0))
    making = time.monotonic() - begin
    # Each job makes the plan again, starts an interpreter of a round, and renders a report.
    besides = making + 2 * first.starting
    parts = chunks.divide(first, most, besides)
    on_gpu = not str(first.machine["device"]).startswith("cpu")
    array = slurm.Array(
        first.suite_file.suite.name,
        command_line(),
        request.words("cuda" if on_gpu else "cpu"),
        parts,
        theirs,
        request.processes if on_gpu else 0,
        int(first.machine["cores"]),
    )
    slurm.write(array, place, here)
    _tell(array, first, folder)


def _tell(array: Array, first: Plan, folder: Path) -> None:
    from cmx_bench.execute.slurm import MOST_JOBS

    suite, jobs = first.suite_file.suite, len(array.chunks)
    if suite.budget is not None:
        note(f"the suite's budget of {units.duration(suite.budget)} is of a run in one piece: the "
             "array measures all replicates")  # fmt: skip
    if jobs > MOST_JOBS:
        note(f"{jobs:,} jobs are more than most clusters take in an array (MaxArraySize, usually "
             f"{MOST_JOBS + 1:,}): a longer --chunk makes fewer", beware=True)  # fmt: skip
    longest, limit = units.duration(array.longest), units.duration(array.limit)
    every = units.duration(sum(chunk.seconds for chunk in array.chunks))
    say(f"{units.tally(jobs, 'job')} on {first.machine['device_name']}, the longest of about "
        f"{longest}, {every} in all; each is ended after {limit}")  # fmt: skip
    script, merge = (shlex.quote(str(folder / name)) for name in ("array.sh", "merge.sh"))
    say(f"submit it: job=$(sbatch --parsable {script})")
    say(f"then merge: sbatch --dependency=afterany:$job {merge}")
    say(folder / "array.sh")
