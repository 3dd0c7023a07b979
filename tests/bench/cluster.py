"""What a Ray cluster costs and survives: `python tests/bench/cluster.py COMMAND [KILLS] [SEED]`.

`driver`: 100 short cells on a slot that is ready. The seconds from the first job's beginning to the
last one's end against the sum of the cells' own seconds; side by side with the executor of this
machine. A ready slot, and not a whole run, which waits for torch to load, as on one machine.

`nodes`, `drivers`: a tiny suite on three nodes of this machine; a node, or the command, is killed
up to four seconds after a number of records that is drawn, a node is replaced, and the command is
given again until the run is finished.
Prints a line a kill, and how many executions lack a record or have two; both have to be 0.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ray.cluster_utils import Cluster

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.execute import cluster, on_ray, rounds, slots
from cmx_bench.measures import compiled
from cmx_bench.results import records
from cmx_bench.worker import local, scratch
from cmx_bench.worker.job import Job, Outcome, Round

SUITE = """\
name: kills
models:
  - {name: a, convmixer: {dim: 8, depth: 1, kernel_size: 3, patch_size: 7}}
  - {name: b, convmixer: {dim: 12, depth: 1, kernel_size: 3, patch_size: 7}}
num_classes: 10
measures: [params, load_time]
replicates: 2
timeout: 120
settings:
  cpu: [{name: cpu, batch_size: 2, image_size: 28, threads: 1}]
"""
PLANNED = 2 + 2 * 2
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
    with TemporaryDirectory() as name, of_nodes(1) as nodes, cluster.joined(nodes.address):
        folder = Path(name)
        jobs = jobs_of(folder, count)
        opened = on_ray.RayOpening(cluster.Nodes(folder, print))
        with opened(Round(jobs, True)) as ready:
            this = slots._RoundUnderWay(Round(jobs, True), 300, list(ready))
            report("Ray, one slot", *took(this.outcomes))
        variables = compiled.variables(scratch.folder() / "compiled")
        with rounds.interpreter(folder / "log.txt", variables) as call:
            report("this machine", *took(
                lambda: ((job, rounds.execute_job(call, job, 300)) for job in jobs)
            ))  # fmt: skip


def report(name: str, seconds: float, own: float) -> None:
    """One line."""
    added = seconds / own - 1
    print(
        f"{name:14} {seconds:6.2f} s by the wall, {own:6.2f} s of the cells: +{100 * added:.2f} %"
    )


def begun(folder: Path, address: str) -> subprocess.Popen[bytes]:
    """A run of the suite on the cluster."""
    line = [sys.executable, "-m", "cmx_bench", "run", "kills.yaml", "--out", "out",
            "--executor", "ray", "--address", address, "--device", "cpu"]  # fmt: skip
    return subprocess.Popen(line, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def executions(folder: Path) -> Counter[tuple[str, int]]:
    """How many records there are of each execution."""
    return Counter((one.cell, one.replicate) for one in records.read(folder / "out"))


def lines(folder: Path) -> int:
    """How many records there are, while they are written."""
    kept = folder / "out" / "records.jsonl"
    return kept.read_bytes().count(b"\n") if kept.exists() else 0


def kill_node(nodes: Cluster, number: int, draw: random.Random) -> None:
    """Kills a node that is not the head, without a word, and begins another."""
    victim = draw.choice(sorted(nodes.worker_nodes, key=lambda node: node.unique_id))
    nodes.remove_node(victim, allow_graceful=False)
    nodes.add_node(**NODE, node_name=f"new-{number}", wait=False)


def kills(whom: str, count: int, seed: int) -> None:
    """A run for each kill, in a folder of its own."""
    draw = random.Random(seed)
    lacking = doubled = 0
    with of_nodes(3) as nodes:
        for number in range(count):
            with TemporaryDirectory() as name:
                folder = Path(name)
                (folder / "kills.yaml").write_text(SUITE, encoding="utf-8")
                before, commands = killed(nodes, folder, whom, number, draw)
                kept = executions(folder)
            lacking += PLANNED - len(kept)
            doubled += sum(kept.values()) - len(kept)
            print(f"{whom} {number}: killed at {before} of {PLANNED} records, {commands} commands, "
                  f"{sum(kept.values())} records", flush=True)  # fmt: skip
    print(f"{count} kills: {lacking} executions lack a record, {doubled} have two")


def killed(
    nodes: Cluster, folder: Path, whom: str, number: int, draw: random.Random
) -> tuple[int, int]:
    """How many records there were when something was killed, and how many commands the run took."""
    command, least = begun(folder, nodes.address), draw.randrange(PLANNED)
    while lines(folder) < least and command.poll() is None:
        time.sleep(0.2)
    time.sleep(draw.uniform(0, 4))
    if command.poll() is not None:
        print("the run was over before", flush=True)
    before = lines(folder)
    if whom == "nodes":
        kill_node(nodes, number, draw)
    else:
        command.kill()
    code, commands = command.wait(), 1
    while code != 0 and commands < 5:
        code, commands = begun(folder, nodes.address).wait(), commands + 1
    return before, commands


def main() -> None:
    """Runs the command."""
    what, *numbers = sys.argv[1:] or ["driver"]
    if what == "driver":
        driver()
    else:
        count, seed = [*map(int, numbers), *(10, 1)[len(numbers) :]]
        kills(what, count, seed)


if __name__ == "__main__":
    local.call("os:getpid")
    main()
