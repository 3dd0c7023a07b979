"""What a run of thousands of cells costs beside its measuring, in seconds and in memory.

Run by hand: ``python tests/bench/large.py [CELLS ...]``, by default 1000, 3000 and 10000 cells: a
hundredth as many models, 20 settings, five measures, and what settings share (params, macs). The
records have the shape of those in reports/, five processes for each timing, all of them finished.
Beside it one that lacks the last 200 goes on. Each line is a fresh process of one thread: its CPU
seconds, which hold where other programs run, and its largest memory.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import pickle
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from cmx_bench.cell import Cell
from cmx_bench.cli.requests import Request
from cmx_bench.measures import MEASURES
from cmx_bench.results import environment, records
from cmx_bench.results.records import Record
from cmx_bench.worker.job import Job, Outcome, Round

EXAMPLE = max((Path(__file__).parents[2] / "reports" / "paper").glob("*/report.html")).parent
REPLICATES, SETTINGS, APPENDED = 5, 20, 200
SUITE = """\
name: large
title: Many models in many settings
models:
{models}
measures: [params, macs, planned_memory, throughput, latency, memory, load_time]
replicates: {replicates}
settings:
  cpu:
    - {{name: "b{{batch_size}}_{{layout}}_{{precision}}", batch_size: [1, 2, 4, 8, 16],
       layout: [nchw, nhwc], precision: [fp32, autocast], image_size: 28}}
"""
MODEL = '  - {{name: model_{place}, label: "{family} {place}", family: {family}, convmixer: ' \
        "{{dim: {dim}, depth: {depth}, patch_size: 7, kernel_size: 3}}}}"  # fmt: skip
FAMILIES = ("convmixer", "resnet", "deit", "resmlp", "mixer")
FORMATS = ("json", "csv", "md", "latex", "html")


def main() -> None:
    if sys.argv[1:2] == ["--stage"]:
        print(json.dumps(STAGES[sys.argv[2]](Path(sys.argv[3]))))
        return
    for cells in [int(text) for text in sys.argv[1:]] or [1000, 3000, 10000]:
        with tempfile.TemporaryDirectory() as temporary:
            _measure(cells, Path(temporary))


def _measure(cells: int, home: Path) -> None:
    (home / "suite.yaml").write_text(_suite(cells // (5 * SETTINGS)), encoding="utf-8")
    this = [sys.executable, __file__, "--stage"]
    _line("planning", [*this, "plan", str(home)])
    seconds, _, counts = _run([*this, "make", str(home)])
    print(f"{counts}  (made in {seconds:.0f} s)", flush=True)
    for name in ("resume", "append", "load"):
        _line(name, [*this, name, str(home)])
    run, output = str(home / "run"), str(home / "output")
    report = [sys.executable, "-m", "cmx_bench"]
    for name in FORMATS:
        _line(f"report --format {name}", [*report, "report", run, "--format", name, "-o", output])
        print(f"{'':24}{Path(output).stat().st_size / 1e6:8.1f} MB of {name}", flush=True)
    _line("report", [*report, "report", run])
    _line("verify", [*report, "verify", run])


def _line(name: str, command: list[str]) -> None:
    seconds, memory, last_line = _run(command)
    if "--stage" not in command:
        last_line = ""
    print(f"{name:24}{seconds:8.1f} s {memory:8.0f} MiB   {last_line}", flush=True)


def _run(command: list[str]) -> tuple[float, float, str]:
    """The seconds and the largest memory of a process, and what it printed last."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command}: ended with {process.returncode}")
    last_line = printed.rstrip().rpartition("\n")[2]
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, last_line


def _suite(models: int) -> str:
    lines = [
        MODEL.format(place=place, family=FAMILIES[place % 5], dim=8 + 8 * (place % 16),
                     depth=1 + place // 16)
        for place in range(models)
    ]  # fmt: skip
    return SUITE.format(models="\n".join(lines), replicates=REPLICATES)


# --- stages, each in a process of its own ---------------------------------------------------------


def plan(home: Path) -> str:
    """The plan with the costs of its models known, what the command prints, and one model tried."""
    from cmx_bench.cli import engines, planning
    from cmx_bench.plan import Cost, estimates, making
    from cmx_bench.plan.users import Asked, Tried
    from cmx_bench.worker import machine
    from cmx_bench.worker.targets import Target

    captured = machine.capture("cpu")

    def call(target: str, *arguments: object, timeout: float | None = None) -> object:
        if target != Target.MAKE_PLAN:
            return None
        suite_file = arguments[0]
        names = [entry.name for entry in suite_file.suite.models]
        known = Tried({(name, 28): Cost(10**7, 10**6, 100, {}) for name in names})
        return pickle.loads(pickle.dumps(making.make(suite_file, captured, Asked(tried=known))))

    of = engines.plan_of
    engines.plan_of = lambda request: plans.append(of(request, call=call)) or plans[0]
    plans: list[object] = []
    begin = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        planning.plan.__wrapped__(Request(str(home / "suite.yaml"), device="cpu"))
    seconds = time.process_time() - begin
    begin = time.process_time()
    estimates.cost(plans[0].models[-1], 28)
    trial = time.process_time() - begin
    (home / "plan").write_bytes(pickle.dumps(plans[0]))
    return f"{len(plans[0].cells)} cells in {seconds:.2f} s, and {trial:.2f} s to try a model"


def make(home: Path) -> str:
    """A finished run of the plan, and one beside it that lacks its last records."""
    from cmx_bench.execute import opening

    planned = pickle.loads((home / "plan").read_bytes())
    name = environment.digest(planned.machine)
    lines = [
        json.dumps(dataclasses.asdict(record)) + "\n" for record in _records(planned.cells, name)
    ]
    for folder, left_out in ((home / "run", 0), (home / "resumed", APPENDED)):
        opening.open_run(planned, home, folder, False, "python -m cmx_bench run suite.yaml")
        finished = "" if left_out else "2026-11-29T12:00:00+00:00"
        run = dataclasses.replace(
            records.read_run(folder), environments={name: planned.machine}, finished=finished
        )
        records.rewrite_run(folder, run)
        text = "".join(lines[: len(lines) - left_out])
        (folder / "records.jsonl").write_text(text, encoding="utf-8")
    size = sum(map(len, lines)) / 1e6
    return f"{len(planned.cells)} cells, {len(lines)} records, {size:.0f} MB"


def resume(home: Path) -> str:
    """The command from its plan on until its first job is handed out."""
    begin, first = _moments(home, 1)
    return f"first job after {first - begin:.2f} s"


def append(home: Path) -> str:
    """What a record costs the command, beside the time of its process."""
    _, *handed_out = _moments(home, APPENDED)
    took = [1000 * (after - before) for before, after in pairwise(handed_out)]
    return f"{statistics.median(took):.2f} ms a record, {max(took):.0f} at most"


def load(home: Path) -> str:
    import cmx_bench

    begin = time.process_time()
    frame = cmx_bench.load(home / "run")
    return f"{len(frame)} rows in {time.process_time() - begin:.1f} s"


class _EnoughError(Exception):
    """So many jobs were handed out."""


def _moments(home: Path, wanted: int) -> list[float]:
    """When the command has its plan, and when each of its first jobs is handed out."""
    from cmx_bench.cli import engines, runs
    from cmx_bench.execute import rounds

    planned, known, rng = pickle.loads((home / "plan").read_bytes()), _patterns(), random.Random(1)
    moments: list[float] = []

    def plan_of(*_: object) -> object:
        moments.append(time.process_time())
        return planned

    def execute(todo: Iterable[Round], _: float) -> Iterator[tuple[Job, Outcome]]:
        for job in (job for this in todo for job in this.jobs if this.begin(job)):
            moments.append(time.process_time())
            if len(moments) > wanted:
                raise _EnoughError
            record = _record(job.cell, job.replicate, rng, known)
            yield job, Outcome(record.values, "", planned.machine, record.covariates,
                               record.discarded, record.elapsed)  # fmt: skip

    engines.plan_of, rounds.execute = plan_of, execute
    with contextlib.suppress(_EnoughError), contextlib.redirect_stderr(io.StringIO()):
        request = Request(str(home / "suite.yaml"), device="cpu")
        runs.run.__wrapped__(request, home / "resumed")
    return moments


STAGES: dict[str, Callable[[Path], str]] = {
    "plan": plan, "make": make, "resume": resume, "append": append, "load": load
}  # fmt: skip


# --- records --------------------------------------------------------------------------------------


def _patterns() -> dict[str, list[Record]]:
    """Records of the example by measure; it has none of two measures."""
    known: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records.read(EXAMPLE):
        if record.status == "ok":
            known[record.measure].append(record)
    first = known["memory"][0]
    percentiles = {"latency_p50": [0.05], "latency_p90": [0.06], "latency_p99": [0.07]}
    known["latency"] = [dataclasses.replace(first, values=percentiles)]
    known["load_time"] = [dataclasses.replace(first, values={"load_time": [0.2]})]
    return known


def _records(cells: Sequence[Cell], environment_name: str) -> Iterator[Record]:
    """Round by round, exact ones first, as a run writes them."""
    rng, known = random.Random(0), _patterns()
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    jobs = [
        (cell, replicate)
        for replicate in range(REPLICATES)
        for cell in cells
        if replicate == 0 or MEASURES[cell.measure].repeats("cpu")
    ]
    for place, (cell, replicate) in enumerate(jobs):
        record = _record(cell, replicate, rng, known)
        started = (begin + timedelta(seconds=2 * place)).isoformat(timespec="milliseconds")
        yield dataclasses.replace(record, environment=environment_name, started=started)


def _record(
    cell: Cell, replicate: int, rng: random.Random, known: Mapping[str, Sequence[Record]]
) -> Record:
    """One of the example, by a factor of the model's: all of its digits differ, none is new."""
    pattern = known[cell.measure][replicate % len(known[cell.measure])]
    exact = not MEASURES[cell.measure].repeats("cpu")
    own = random.Random(cell.model.name).uniform(0.5, 2)
    factor = own * (1 if exact else rng.lognormvariate(0, 0.01))

    def scale(samples: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
        return {
            name: [int(value * factor) if exact else value * factor for value in values]
            for name, values in samples.items()
        }

    return dataclasses.replace(
        pattern, cell=cell.key, model=cell.model.name, measure=cell.measure,
        setting=cell.setting_key, replicate=replicate, values=scale(pattern.values),
        discarded=scale(pattern.discarded),
    )  # fmt: skip


if __name__ == "__main__":
    main()
