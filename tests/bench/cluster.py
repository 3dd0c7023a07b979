"""What a Ray cluster costs and survives: `python tests/bench/cluster.py COMMAND [KILLS] [SEED]`.

`driver`: 100 short cells on a slot that is ready. The seconds from the first job's beginning to the
last one's end against the sum of the cells' own seconds; side by side with the executor of this
machine. A ready slot, and not a whole run, which waits for torch to load, as on one machine.

`kills`: a small suite on three nodes of this machine; a node, and in the next run the driver, is
killed up to two seconds after a number of records that is drawn, a node is replaced, and the driver
is begun again until the run is finished. Cells are stand-ins that take 0.2 s; the cluster, its
agents, the rounds and the records are real. Prints a line a kill, and how many executions lack a
record or have two; both have to be 0.
"""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from ray.cluster_utils import Cluster

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.errors import CmxError
from cmx_bench.execute import cluster, on_ray, opening, rounds, runner, slots
from cmx_bench.execute.on_node import Agent
from cmx_bench.execute.outlook import continuing
from cmx_bench.measures import compiled
from cmx_bench.plan import Plan
from cmx_bench.results import records
from cmx_bench.spec import suite
from cmx_bench.worker import local, scratch
from cmx_bench.worker.job import Job, Outcome, Round
from cmx_bench.worker.targets import Target

SUITE = """\
name: kills
models:
  - {name: "m{dim}", convmixer: {dim: [4, 8, 12], depth: 1, kernel_size: 3}}
num_classes: 10
measures: [params, throughput]
replicates: 3
settings:
  cpu: [{name: cpu, batch_size: 2, image_size: 28, threads: 1}]
"""
PLANNED = 3 + 3 * 3
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}


@contextmanager
def of_nodes(count: int) -> Iterator[Cluster]:
    """A cluster on this machine."""
    nodes = Cluster(initialize_head=True, head_node_args={**NODE, "node_name": "head"})
    try:
        for number in range(1, count):
            nodes.add_node(**NODE, node_name=f"node-{number}", wait=False)
        nodes.wait_for_nodes()
        yield nodes
    finally:
        nodes.shutdown()


def jobs_of(folder: Path, count: int) -> list[Job]:
    """Short cells: load times of a small model."""
    setting = Setting("cpu", "cpu", "fp32", "nchw", "none", 2, 28, threads=1)
    model = Model("m", "M", "m", "timm", "resnet10t")
    return [Job(Cell(model, "load_time", setting), n, folder / "log.txt") for n in range(count)]


def took(outcomes: Callable[[], Iterable[tuple[Job, Outcome]]]) -> tuple[float, float]:
    """Seconds by the wall, and the sum of the cells' own."""
    begin = time.perf_counter()
    done = [outcome for _, outcome in outcomes()]
    seconds = time.perf_counter() - begin
    assert not any(outcome.reason for outcome in done), done
    return seconds, sum(outcome.elapsed for outcome in done)


def driver(count: int = 100) -> None:
    """Prints what the driver adds, with one node and with this machine alone."""
    with TemporaryDirectory() as name, of_nodes(1) as nodes, cluster.joining(nodes.address):
        folder = Path(name)
        jobs = jobs_of(folder, count)
        opened = on_ray.RayOpening(cluster.Nodes(folder, print))
        with opened(Round(jobs, True)) as ready:
            tasks = [slots.Task(job, [job.cell]) for job in jobs]
            this = slots.UnderWay(300, list(ready), tasks)
            report("Ray, one slot", *took(
                lambda: ((task.order, outcome) for task, (_, outcome) in this.words())
            ))  # fmt: skip
        variables = compiled.variables(scratch.folder() / "compiled")
        with rounds.ready(True, folder / "log.txt", variables) as call:
            report("this machine", *took(
                lambda: ((job, rounds.execute_job(call, job, 300)) for job in jobs)
            ))  # fmt: skip


def report(name: str, seconds: float, own: float) -> None:
    """One line."""
    added = seconds / own - 1
    print(
        f"{name:14} {seconds:6.2f} s by the wall, {own:6.2f} s of the cells: +{100 * added:.2f} %"
    )


class StandInAgent(Agent):
    """One whose cells take 0.2 s and measure nothing."""

    def open(self, repeated: bool) -> CmxError | None:
        return None

    def execute(self, job: Job, timeout: float) -> tuple[Outcome | CmxError, bytes]:
        time.sleep(0.2)
        values = {job.cell.measure: [1.0]}
        return Outcome(values, "", {"device": "cpu", "device_name": "none"}, elapsed=0.2), b""


def work(folder: Path, address: str) -> None:
    """A driver: goes on with the run in the folder."""
    plan: Plan = pickle.loads((folder / "plan").read_bytes())
    out = opening.open_run(plan, folder, folder / "out", False, "the command")
    with cluster.joining(address):
        opened = on_ray.RayOpening(cluster.Nodes(folder, print, StandInAgent))
        executor = partial(slots.execute, opened)
        with continuing(plan, out) as outlook:
            runner.run(outlook, out, executor, lambda *_: None)


def start_driver(folder: Path, address: str) -> subprocess.Popen[bytes]:
    """A driver of its own."""
    line = [sys.executable, __file__, "work", str(folder), address]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL)


def is_finished(folder: Path) -> bool:
    """Whether the run lacks nothing."""
    run = folder / "out" / "run.json"
    return run.exists() and bool(records.read_run(run.parent).finished)


def executions(folder: Path) -> Counter[tuple[str, int]]:
    """How many records there are of each execution."""
    return Counter((record.cell, record.replicate) for record in records.read(folder / "out"))


def lines(folder: Path) -> int:
    """How many records there are, while they are written."""
    kept = folder / "out" / "records.jsonl"
    return kept.read_bytes().count(b"\n") if kept.exists() else 0


def kill_node(nodes: Cluster, number: int, draw: random.Random) -> None:
    """Kills a node that is not the head, without a word, and begins another."""
    victim = draw.choice(sorted(nodes.worker_nodes, key=lambda node: node.unique_id))
    nodes.remove_node(victim, allow_graceful=False)
    nodes.add_node(**NODE, node_name=f"new-{number}", wait=False)


def kills(count: int, seed: int) -> None:
    """A run for each kill, so many of a node and so many of the driver."""
    draw = random.Random(seed)
    with TemporaryDirectory() as name:
        (suite_path := Path(name) / "kills.yaml").write_text(SUITE, encoding="utf-8")
        plan = pickle.dumps(local.call(Target.MAKE_PLAN, suite.load(str(suite_path)), "cpu"))
    lacking = doubled = 0
    with of_nodes(3) as nodes:
        for number in range(2 * count):
            whom = ("node", "driver")[number % 2]
            with TemporaryDirectory() as name:
                folder = Path(name)
                (folder / "plan").write_bytes(plan)
                before, drivers = kill_during(nodes, folder, whom, number, draw)
                kept = executions(folder)
            lacking += PLANNED - len(kept)
            doubled += sum(kept.values()) - len(kept)
            print(f"{whom} killed at {before} of {PLANNED} records: {drivers} drivers, "
                  f"{sum(kept.values())} records", flush=True)  # fmt: skip
    print(f"{2 * count} kills: {lacking} executions lack a record, {doubled} have two")


def kill_during(
    nodes: Cluster, folder: Path, whom: str, number: int, draw: random.Random
) -> tuple[int, int]:
    """How many records there were when something was killed, and how many drivers the run took."""
    command, least = start_driver(folder, nodes.address), draw.randrange(PLANNED)
    while lines(folder) < least and command.poll() is None:
        time.sleep(0.05)
    time.sleep(draw.uniform(0, 2))
    if command.poll() is not None:
        print("the run was over before", flush=True)
    before = lines(folder)
    if whom == "node":
        kill_node(nodes, number, draw)
    else:
        command.kill()
    command.wait()
    drivers = 1
    while not is_finished(folder) and drivers < 5:
        start_driver(folder, nodes.address).wait()
        drivers += 1
    return before, drivers


def main() -> None:
    """Runs the command."""
    what, *numbers = sys.argv[1:] or ["driver"]
    if what == "work":
        work(Path(numbers[0]), numbers[1])
    elif what == "driver":
        driver()
    else:
        count, seed = [*map(int, numbers), *(10, 1)[len(numbers) :]]
        kills(count, seed)


if __name__ == "__main__":
    main()
