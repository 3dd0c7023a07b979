"""Runs in a fresh process: executes one cell."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path

from cmx_bench import measures
from cmx_bench.cell import Model, Setting
from cmx_bench.errors import CmxError, SkipError, cut, first_line, is_of_surroundings, message_of
from cmx_bench.measures import Watched, compiled, taking
from cmx_bench.measures.calibration import giving
from cmx_bench.measures.forward import apply_flags, compilation, out_of_memory
from cmx_bench.models.building import origin
from cmx_bench.results.environment import variables
from cmx_bench.results.records import Environment
from cmx_bench.spec import disk
from cmx_bench.worker import limits, machine
from cmx_bench.worker.job import Job, Outcome


def execute(job: Job) -> Outcome:
    """Measures a cell in this process; output goes to the job's log."""
    print_to(job.log, f"{job.cell.key} {job.replicate}")
    outcome = _outcome(job)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # whatever a model put there, or closed
            stream.flush()
    return outcome


def print_to(log: Path, heading: str) -> None:
    """Sends what this process and its libraries print to a file, below a heading.

    Raises:
        RecordsError: the file cannot be written.
    """
    with disk.writing(log), disk.appending(log, buffering=0) as file:
        file.write(f"--- {heading}\n".encode())
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def print_error(error: BaseException) -> None:
    """Prints the traceback of an error, if a model left anything to print to."""
    with suppress(Exception):
        traceback.print_exception(error)


def _outcome(job: Job) -> Outcome:
    cell = job.cell
    environment: Environment = {}
    watched = Watched({})
    told: dict[str, object] = {}
    reason, lost = "", False
    try:
        apply_flags(cell.setting)
        compiled.share(cell.key)
        # Before a model can break the device.
        environment = machine.capture(cell.setting.device, cell.setting)
        with _calibrating(job):
            taken = taking.take(cell.measure, cell.model, cell.setting)
        if measures.MEASURES[cell.measure].forwards:
            told |= compilation(cell.model, cell.setting)
            environment = _while_measuring(environment, cell.setting)
        watched = taken
        told |= origins(cell.model)
    except SkipError as lack:
        return Outcome({}, str(lack), environment, skipped=True)
    except BaseException as error:  # whatever a model does is a failed record, never a lost run
        print_error(error)
        reason, lost = reason_of(error, cell.setting), is_of_surroundings(error)
    return Outcome(watched.values, reason, environment, watched.covariates, watched.discarded,
                   details={**watched.details, **told}, lost=lost)  # fmt: skip


def _while_measuring(before: Environment, setting: Setting) -> Environment:
    """The environment as it is now, but with the variables of `before`: those that a model sets or
    takes away are its own, and its record would pass for one of another machine."""
    now = machine.capture(setting.device, setting)
    kept = {name: now[name] for name in now.keys() - variables(now).keys()}
    return {**kept, **variables(before)}


def _calibrating(job: Job) -> AbstractContextManager[None]:
    """Within it the cell's model can be calibrated, where it is of int8."""
    if job.task is None:
        return nullcontext()
    from cmx_bench.accuracy import calibrating

    cell = job.cell
    return giving(partial(calibrating.calibration, cell.model, cell.setting, job.task))


def origins(model: Model) -> Mapping[str, object]:
    """What the details of a record say of the file that a user's model was built from."""
    return {"origin": found} if (found := origin(model)) else {}


def reason_of(error: BaseException, setting: Setting) -> str:
    """Why a cell failed, in a line."""
    if out_of_memory(error):
        return f"out of memory at batch {setting.batch_size} on {setting.device}"
    told, text = first_line(error), message_of(error)
    if isinstance(error, CmxError):
        return told
    reason = f"{type(error).__name__}: {told}"
    if told.startswith("Caught "):  # by a DataLoader, elsewhere: a traceback follows
        reason = cut(text.rstrip().rpartition("\n")[2])
    if "shared memory" in text:  # the system's words for it, or torch's where a worker was killed
        reason += "; /dev/shm is full: give a container more with --shm-size"
    return f"{reason}{limits.describe()}" if is_of_surroundings(error) else reason
