"""A run on two stand-ins for devices, a core each: `python -m tests.execute.beside FOLDER`."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

from cmx_bench.cli.ending import Ended, end_children, heeding
from cmx_bench.execute import devices, runner
from cmx_bench.execute.outlook import continuing
from cmx_bench.execute.runner import Watch
from cmx_bench.plan import Plan
from cmx_bench.results.records import Record
from cmx_bench.worker.job import Job, Place

TWO = (Place("cpu", "", (0,)), Place("cpu", "", (1,)))


def run(plan: Plan, folder: Path, watch: Watch) -> list[str]:
    """Measures side by side; gives what was said of devices that were left out."""
    said: list[str] = []
    engaged = devices.engaging(TWO, said.append)
    with continuing(plan, folder) as outlook, engaged as (executor, evaluator):
        runner.run(outlook, folder, executor, watch, None, evaluator)
    return said


def silent(job: Job, record: Record | None) -> None:
    pass


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    try:
        with heeding():
            run(pickle.loads((folder.parent / "plan").read_bytes()), folder, silent)
    except Ended as end:
        end_children()
        sys.exit(end.code)
