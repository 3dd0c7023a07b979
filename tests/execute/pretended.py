"""What stands in for a training in a process: it imports little, for a test waits for it."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

from cmx_bench.worker.job import Outcome, Seen, TrainingJob


def pretend(pipe: Connection, job: TrainingJob, log: Path) -> None:
    """Does what its model is called, once the others have begun."""
    (log.parent / job.cell.model.name).touch()
    while len(list(log.parent.iterdir())) < job.at_once:
        time.sleep(0.01)
    if job.cell.model.name == "dies":
        os.abort()
    pipe.send(Seen(3, 10))
    if job.cell.model.name == "hangs":
        time.sleep(600)
    pipe.send(Outcome({}, "", {}, details={"at_once": job.at_once}))
