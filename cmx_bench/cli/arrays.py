"""`plan --slurm`: a suite as a job array."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cmx_bench import units
from cmx_bench.cli.requests import Request, plan_of
from cmx_bench.cli.telling import command_line, note, say
from cmx_bench.errors import CmxError

if TYPE_CHECKING:
    from cmx_bench.execute.slurm import Array
    from cmx_bench.plan import Plan


_CHUNK_SECONDS = 1800.0


def refuse_other(request: Request) -> None:
    """Refuses options of a run in one piece.

    Raises:
        CmxError: one is given.
    """
    for option in ("quick", "replicate", "budget", "spread", "executor", "address"):
        if getattr(request, option) != getattr(Request(), option):
            raise CmxError(f"--slurm: the jobs measure each replicate in full, once; leave "
                           f"--{option} out")  # fmt: skip
    if "," in request.device or request.device == "cuda:all":
        raise CmxError(f"--device {request.device}: each job has a GPU of its own; give --device "
                       "cuda with --slurm")  # fmt: skip


def write_array(request: Request, folder: Path, most: float | None, options: Sequence[str]) -> None:
    """Writes the scripts of a job array into a folder, and says how they are submitted.

    Args:
        request: of the whole suite.
        most: the seconds that a job takes at most; None for half an hour.
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
    parts = chunks.divide(first, _CHUNK_SECONDS if most is None else most, besides)
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
