"""A run as a job array of Slurm: a script whose jobs measure parts, and one that merges them."""

from __future__ import annotations

import math
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cmx_bench
from cmx_bench import units
from cmx_bench.errors import PlanError
from cmx_bench.plan.chunks import Chunk
from cmx_bench.spec import disk

# The limit of a job is so many times its estimate and so many seconds: a node may be slower than
# the one that made the plan, and torch is read from a disk that all nodes share.
_MARGIN, _BEGINNING = 2.0, 300.0
# A run needs a second to end, and five at most for its report. Slurm may signal a minute early.
_SIGNAL_SECONDS = 60
_MERGE_LIMIT = "00:30:00"
# Of Slurm's own setting, which clusters may change.
MOST_JOBS = 1000


@dataclass(frozen=True, slots=True)
class Array:
    """A suite as a job array.

    `name` is the suite's, `planned` the command that wrote the array, `run` the words of the
    command that measures the whole suite. `options` are the user's, of sbatch, by their long names;
    an empty one has no value. A job has `gpus` and `cores`, or a whole node where it has no GPU.
    """

    name: str
    planned: str
    run: Sequence[str]
    chunks: Sequence[Chunk]
    options: Mapping[str, str]
    gpus: int
    cores: int

    @property
    def longest(self) -> float:
        """The estimated seconds of the longest job."""
        return max(chunk.seconds for chunk in self.chunks)

    @property
    def limit(self) -> float:
        """The seconds after which Slurm ends a job."""
        return 60.0 * math.ceil((_MARGIN * self.longest + _BEGINNING) / 60)


def options_of(texts: Sequence[str]) -> dict[str, str]:
    """Options of sbatch by their long names, of texts such as `partition=gpu`.

    Raises:
        PlanError: one is none.
    """
    options = {}
    for text in texts:
        match = re.fullmatch(r"(?:--)?([a-z][a-z-]+)(?:=([^\r\n]*))?", text)
        if match is None:
            raise PlanError(f"--slurm-option {text}: expected a long option of sbatch, such as "
                            "partition=gpu or exclusive")  # fmt: skip
        options[match[1]] = match[2] or ""
    return options


def place_of(folder: Path, here: Path) -> Path:
    """Where an array is to lie, as an absolute path.

    Args:
        folder: is new or empty, and begins in the folder `here`.

    Raises:
        PlanError: it cannot be that of an array.
        RecordsError: it cannot be there.
    """
    place = here / folder
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise PlanError(f"--slurm {folder}: holds something already; submit its array.sh again to "
                        "go on with an array, or give a new folder")  # fmt: skip
    if re.search(r"[\\\r\n]", str(place)):  # Slurm would take no pattern, or end the line there
        raise PlanError(f"--slurm {folder}: a backslash or a line break in its path is not "
                        "understood by Slurm; give another folder")  # fmt: skip
    disk.refuse_unwritable(place)
    return place


def write(array: Array, place: Path, here: Path) -> None:
    """Writes `array.sh` and `merge.sh`, and makes the folder for what their jobs print.

    Args:
        place: of `place_of`; the parts and the whole run will lie in it.
        here: the folder in which all paths of the command begin.

    Raises:
        RecordsError: it cannot be written.
    """
    with disk.writing(place):
        (place / "logs").mkdir(parents=True, exist_ok=True)
    for name, script in {"array.sh": _array, "merge.sh": _merge}.items():
        # Bytes of a file's name that are no UTF-8 stay what they are.
        disk.write(place / name, script(array, place, here).encode(errors="surrogateescape"))


def _array(array: Array, place: Path, here: Path) -> str:
    last = len(array.chunks) - 1
    ours = {
        "job-name": f"cmx-{array.name}",
        "array": f"0-{last}",
        "nodes": "1",
        "ntasks": "1",
        **_devices(array),
        "time": _time(array.limit),
        "signal": f"B:TERM@{_SIGNAL_SECONDS}",
        "requeue": "",
        "open-mode": "append",
        "output": f"{_pattern(place)}/logs/%A_%a.log",
    }
    cases = "\n".join(
        f"{number}) chunk=({shlex.join(_words(chunk))}) ;;"
        for number, chunk in enumerate(array.chunks)
    )
    run = shlex.join([sys.executable, "-m", "cmx_bench", "run", *array.run])
    return f"""\
#!/bin/bash
# Measures {array.name} in {units.tally(len(array.chunks), "job")}: each a part of one replicate.
# Written by cmx-bench {cmx_bench.__version__}:
#   {array.planned.replace(chr(10), " ")}
# Submit it again when jobs were ended at their limit or lost: parts that are finished are left
# alone, the others go on. Nothing that was measured is lost. merge.sh puts the parts together.
# Edit the options as your cluster wants them. All jobs need nodes of one kind: where a partition
# has several, pin one with --constraint.
# The limit is twice the estimate of the longest job, and 5 minutes. Slurm sends SIGTERM to the
# run itself (B:) before that: it ends within seconds, and keeps each process that has ended.
{_header({**ours, **array.options})}
set -euo pipefail
cd -- {shlex.quote(str(here))}
case "${{SLURM_ARRAY_TASK_ID:?submit this script with sbatch}}" in
{cases}
*) echo "there is no part $SLURM_ARRAY_TASK_ID: the last is {last}" >&2; exit 2 ;;
esac
part={shlex.quote(str(place / "parts"))}/$(printf '%0{_digits(array)}d' "$SLURM_ARRAY_TASK_ID")
if grep -qs '"finished": "[^"]' "$part/run.json"; then
  echo "$part: is finished already"
  exit 0
fi
# In the place of this shell, so that signals reach it.
exec {run} "${{chunk[@]}}" --out "$part"
"""


def _merge(array: Array, place: Path, here: Path) -> str:
    digits = _digits(array)
    parts = f"{{{0:0{digits}d}..{len(array.chunks) - 1:0{digits}d}}}"
    ours = {
        "job-name": f"cmx-{array.name}-merge",
        "time": _MERGE_LIMIT,
        "output": f"{_pattern(place)}/logs/merge-%j.log",
    }
    theirs = {name: value for name, value in array.options.items() if name not in _OF_ARRAYS}
    merge = shlex.join([sys.executable, "-m", "cmx_bench", "merge"])
    return f"""\
#!/bin/bash
# Puts the parts that array.sh measured together, and says which are missing or not finished.
# Submit it behind the array (sbatch --dependency=afterany:JOB), or run it: bash merge.sh
{_header({**ours, **theirs})}
set -euo pipefail
cd -- {shlex.quote(str(here))}
folder={shlex.quote(str(place))}
exec {merge} "$folder"/parts/{parts} --out "$folder"/whole
"""


# What a user wants of the jobs that measure alone.
_OF_ARRAYS = (
    "array", "cpus-per-gpu", "cpus-per-task", "exclusive", "gpus", "gpus-per-node",
    "gpus-per-task", "gres", "job-name", "output", "signal", "time",
)  # fmt: skip


def _devices(array: Array) -> dict[str, str]:
    """A GPU belongs to one job; what runs on the CPU has a node of its own."""
    if array.gpus:
        return {"gres": f"gpu:{array.gpus}", "cpus-per-task": str(array.cores)}
    return {"exclusive": "", "mem": "0"}


def _header(options: Mapping[str, str]) -> str:
    return "\n".join(
        f"#SBATCH --{name}" + (f"={shlex.quote(value)}" if value else "")
        for name, value in options.items()
    )


def _words(chunk: Chunk) -> list[str]:
    return [f"--replicate={chunk.replicate}", *(f"--only={glob}" for glob in chunk.only)]


def _digits(array: Array) -> int:
    return max(3, len(str(len(array.chunks) - 1)))


def _pattern(place: Path) -> str:
    """A path in which Slurm replaces nothing."""
    return str(place).replace("%", "%%")


def _time(seconds: float) -> str:
    """`01:05:00`."""
    minutes = round(seconds / 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"
