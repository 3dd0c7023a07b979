"""Runs on a real Ray cluster: four nodes, which are processes of this machine. See tox.ini."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

import cmx_bench
from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.errors import CmxError
from cmx_bench.execute import cluster, on_node, on_ray, slots
from cmx_bench.execute.cluster import ClusterError, Nodes
from cmx_bench.execute.on_node import Agent, Files, Told
from cmx_bench.execute.on_ray import RayOpening
from cmx_bench.results import records
from cmx_bench.worker.job import EvaluationJob, Job, Outcome, Round
from cmx_bench.worker.targets import Target

from ..conftest import Cli, interruptible

# Minutes on two cores: `tox run -e ray` has the extra.
ray = pytest.importorskip("ray")
Cluster = pytest.importorskip("ray.cluster_utils").Cluster

SUITE = """\
name: spread
num_classes: 10
models:
  - {name: one, mixer: {dim: 16, depth: 1, patch_size: 4}}
  - {name: other, mixer: {dim: 24, depth: 1, patch_size: 4}}
measures: [params, macs, load_time, accuracy]
replicates: 1
accuracy:
  dataset: digits
  preprocessing: shared
  train: {name: short, epochs: 1, batch_size: 16, optimizer: {lr: 0.01}}
settings:
  cpu: [{name: cpu, batch_size: 64, image_size: 16}]
"""
CPU = Setting("cpu", "cpu", "fp32", "nchw", "none", 2, 28)
GPU = replace(CPU, name="gpu", device="cuda:0")
LACKS = "CMX_TEST_LACKS"  # what a node of this name does not have
_NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}


def job(folder: Path, model: Model, measure: str = "load_time", setting: Setting = CPU) -> Job:
    return Job(Cell(model, measure, setting), 0, folder / "log.txt")


def user_model(name: str, target: str) -> Model:
    return Model(name, name, name, "python", target)


@pytest.fixture(scope="module")
def three() -> Iterator[Any]:
    """Three nodes, one of which lacks what the variable names."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    nodes = Cluster(initialize_head=True, head_node_args={**_NODE, "node_name": "a"})
    nodes.add_node(**_NODE, node_name="b", wait=False)
    nodes.add_node(**_NODE, node_name="c", wait=False, env_vars={LACKS: "/the/images"})
    nodes.wait_for_nodes()
    yield nodes
    nodes.shutdown()


@pytest.fixture(autouse=True)
def no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def details_of(folder: Path) -> dict[tuple[str, int], Mapping[str, Any]]:
    """What a run's records say of each execution, which has one record."""
    kept = records.read(folder)
    by_execution = {(record.cell, record.replicate): record.values for record in kept}
    assert len(by_execution) == len(kept)
    return by_execution


def below(nodes: Sequence[Any]) -> list[psutil.Process]:
    """The agents on nodes, with what they began."""
    processes = []
    for node in nodes:
        for process in psutil.Process(node.all_processes["raylet"][0].process.pid).children():
            with suppress(psutil.Error):  # it has ended meanwhile
                if re.search(r"ray::(Dying)?Agent", " ".join(process.cmdline())):
                    processes += [process, *process.children(recursive=True)]
    return processes


def ended(three: Any, command: Sequence[str], when: str, number: int) -> tuple[int, str]:
    """The exit code and last words of a command that gets a signal at its first line on `when`;
    nothing that it began is left on the nodes."""
    driver = interruptible([sys.executable, "-m", "cmx_bench", *command])
    assert driver.stderr is not None
    said = [driver.stderr.readline()]
    while when not in said[-1]:
        said.append(driver.stderr.readline())
        assert said[-1], said
    left = below(three.list_all_nodes())
    driver.send_signal(number)
    words = driver.stderr.read()
    assert len(left) > 2
    assert psutil.wait_procs(left, timeout=60)[1] == []
    return driver.wait(), words


def test_a_run_on_a_cluster_is_that_of_this_machine(three: Any, cmx: Cli) -> None:
    """Counts, predictions and weights bit by bit, and the environment of every record; though its
    command is ended, and killed, and given again."""
    Path("suite.yaml").write_text(SUITE)
    command = ["run", "suite.yaml", "--executor", "ray", "--address", three.address, "--out", "run"]
    code, words = ended(three, command, "/params/", signal.SIGTERM)
    assert code == 128 + signal.SIGTERM
    assert "ended by SIGTERM; what was measured is in run" in words
    assert Path("run", "report.html").exists() or "the report is left out" in words
    code, _ = ended(three, command, "/load_time/", signal.SIGKILL)
    assert code == -signal.SIGKILL
    before = Path("run", "records.jsonl").read_text()
    code, _, err = cmx(*command)
    assert (code, "there already" in err) == (0, True), err
    assert Path("run", "records.jsonl").read_text().startswith(before)
    assert cmx("run", "suite.yaml", "--device", "cpu", "--out", "here")[0] == 0
    here, there = details_of(Path("here")), details_of(Path("run"))
    assert len(here) == 2 * 4
    assert here.keys() == there.keys()
    assert all(here[key] == there[key] for key in here if "load_time" not in key[0])
    kept = [path for path in Path("here").rglob("*") if path.suffix in (".npz", ".safetensors")]
    assert len(kept) == 6
    for path in kept:
        assert path.read_bytes() == Path("run", *path.parts[1:]).read_bytes(), path
    environments = [records.read_run(Path(folder)).environments for folder in ("here", "run")]
    assert environments[0].keys() == environments[1].keys()


class DyingAgent(Agent):
    """One that measures nothing, and whose node or itself is killed by the first job of all, "m":
    the others begin at the same time."""

    def open(self, repeated: bool) -> CmxError | None:
        return None

    def begin(self, order: Job | EvaluationJob, kept: Files, timeout: float) -> None:
        assert isinstance(order, Job)
        death, whom = order.log.parent / "death", order.cell.model.target
        if order.cell.model.name == "m" and not death.exists():
            death.touch()
            os.kill(int(os.environ["RAY_RAYLET_PID"]) if whom == "node" else os.getpid(), 9)
            time.sleep(60)  # a worker lives on for a moment
        self._told = iter([Told((order.cell, Outcome({}, "", {})))])


@pytest.mark.parametrize(("whom", "where"), [("node", ("b", "d")), ("agent", ("d",))])
def test_what_was_lost_is_executed_once_more(
    three: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whom: str,
    where: Sequence[str],
) -> None:  # fmt: skip
    """Elsewhere where the node is gone, and by a new agent where there is one device alone."""
    jobs = [job(tmp_path, user_model(name, whom)) for name in "mno"]
    extra = three.add_node(**_NODE, node_name="d")
    # The first place, that of the node "d", gets the first job.
    monkeypatch.setattr(random, "sample", lambda nodes, _: sorted(nodes, key=is_other))
    with cluster.joining(three.address):
        nodes = Nodes(tmp_path, print, DyingAgent)
        nodes.known |= {node.id: None for node in nodes.living() if node.name not in where}
        left = below([extra])
        outcomes = list(slots.execute(RayOpening(nodes), [Round(jobs, True)], 300))
        assert left
        assert whom == "agent" or psutil.wait_procs(left, timeout=60)[1] == []
    three.remove_node(extra, allow_graceful=False)
    assert [(outcome.reason, outcome.lost) for _, outcome in outcomes] == [("", False)] * 3
    assert sorted(done.cell.model.name for done, _ in outcomes) == ["m", "n", "o"]


def is_other(node: cluster.Node) -> bool:
    return node.name != "d"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--executor", "ray", "--address", "127.0.0.1:1"],
         "--address 127.0.0.1:1: no Ray cluster answers ([Errno 111] Connection refused); start "
         "one with `ray start --head`, or give the address of another"),
        (["--executor", "ray", "--address", "ray://127.0.0.1:1"],
         "--address ray://127.0.0.1:1: no Ray cluster answers ([Errno 111]"),
        (["--executor", "ray", "--address", "nowhere"],
         "--address nowhere: expected auto, HOST:PORT or ray://HOST:PORT"),
        (["--address", "auto"], "--address: needs a Ray cluster; add --executor ray"),
        (["--executor", "slurm"], "--executor slurm: unknown executor (known: local, ray)"),
    ],
)  # fmt: skip
def test_where_no_cluster_is(cmx: Cli, options: list[str], expected: str) -> None:
    Path("suite.yaml").write_text(SUITE)
    code, _, err = cmx("run", "suite.yaml", *options)
    assert code == 2
    assert err.count("\n") == 1
    assert expected in err
    assert not Path("reports").exists()


def test_what_listens_there_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        joining = cluster.joining(f"127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(ClusterError, match="what listens there is no Ray cluster"), joining:
            pass


@pytest.mark.parametrize(
    ("device", "expected"),
    [("cuda", "--device cuda: no node of the cluster has a GPU"),
     ("cuda:1", "--device cuda:1: Ray chooses the device of each cell")],
)  # fmt: skip
def test_a_cluster_without_the_device(three: Any, cmx: Cli, device: str, expected: str) -> None:
    Path("suite.yaml").write_text(SUITE)
    code, _, err = cmx("run", "suite.yaml", "--executor", "ray", "--address", three.address,
                       "--device", device)  # fmt: skip
    *_, last = err.splitlines()  # a node that has just died may be named before
    assert (code, expected in last) == (2, True), err


class PartialAgent(Agent):
    """One that lacks what its node's variable names."""

    def missing(self, paths: Sequence[Path], modules: Sequence[str]) -> list[str]:
        lacking = os.environ.get(LACKS)
        return [lacking] if lacking else super().missing([], modules)


def test_a_node_that_lacks_images(three: Any, cmx: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("suite.yaml").write_text(SUITE)
    monkeypatch.setattr(cluster, "Nodes", partial(Nodes, agent=PartialAgent))
    code, _, err = cmx("run", "suite.yaml", "--executor", "ray", "--address", three.address)
    *_, last = err.splitlines()
    assert code == 2, err
    assert "node c: there is no /the/images; other nodes have it, put it there, too" in last
    assert not Path("reports").exists()


class OtherAgent(Agent):
    """One whose node, where it has the variable, has another CPU."""

    def facts(self) -> on_node.Facts:
        facts = super().facts()
        return replace(facts, devices={"cpu": "another"}) if LACKS in os.environ else facts

    def call(self, target: str, arguments: tuple[object, ...], timeout: float | None) -> Any:
        said = super().call(target, arguments, timeout)
        if target == Target.MAKE_PLAN and LACKS in os.environ:
            return replace(
                said, machine={**said.machine, "device_name": "Another", "cpu": "Another"}
            )
        return said


def test_each_kind_of_device_has_its_settings(
    three: Any, cmx: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("suite.yaml").write_text(SUITE)
    monkeypatch.setattr(cluster, "Nodes", partial(Nodes, agent=OtherAgent))
    code, out, err = cmx("plan", "suite.yaml", "--executor", "ray", "--address", three.address,
                         "--device", "cpu", "--only", "one/load_time/*")  # fmt: skip
    assert code == 0, err
    assert "one/load_time/cpu-fp32-nchw-eager-b64-r16-another " in out
    assert out.count("one/load_time/") == 2
    assert "3 timings, 3 exact cells" in out


def test_a_slot_takes_the_settings_of_its_hardware() -> None:
    other = replace(CPU, hardware="Another")
    slot = on_ray.RaySlot("a", "cpu", "Another", True, lambda: None, None)  # type: ignore[arg-type]
    settings = (CPU, other, replace(other, hardware="A CPU"), GPU)
    assert [slot.takes(each) for each in settings] == [True, True, False, False]


def test_a_node_with_another_version(three: Any, tmp_path: Path) -> None:
    """A whole copy of this package, called older, is what its Python finds."""
    home = Path(cmx_bench.__file__).parent
    copy = shutil.copytree(home, tmp_path / "cmx_bench", ignore=shutil.ignore_patterns("__py*"))
    text = (copy / "__init__.py").read_text()
    (copy / "__init__.py").write_text(text.replace(cmx_bench.__version__, "0.0.1"))
    other = three.add_node(**_NODE, node_name="old", env_vars={"PYTHONPATH": str(tmp_path)})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    try:
        refused = pytest.raises(ClusterError, match=r"node old: has cmx-bench 0\.0\.1, and this")
        with chdir(elsewhere), cluster.joining(three.address), refused:
            Nodes(elsewhere, print).living()
    finally:
        three.remove_node(other)


class ExclusiveAgent(Agent):
    """One that measures nothing: it says which device it used, and fails where another job uses
    that. The first two wait for each other."""

    def open(self, repeated: bool) -> CmxError | None:
        return None

    def begin(self, order: Job | EvaluationJob, kept: Files, timeout: float) -> None:
        assert isinstance(order, Job)
        device, folder = os.environ["CUDA_VISIBLE_DEVICES"], order.log.parent
        (folder / f"used-{device}").touch()
        while len(list(folder.glob("used-*"))) < 2:
            time.sleep(0.01)
        held = folder / f"held-{device}"
        with held.open("x"):
            outcome = Outcome({}, "", {"device": device})
        held.unlink()
        self._told = iter([Told((order.cell, outcome))])


def test_each_gpu_has_one_job_at_a_time(three: Any, tmp_path: Path) -> None:
    """GPUs that the node only claims to have: two of them, and three cores."""
    node = three.add_node(**(_NODE | {"num_cpus": 3}), node_name="gpus", num_gpus=2)
    jobs = [job(tmp_path, user_model(name, "a:b"), setting=GPU) for name in "mnopq"]
    try:
        with cluster.joining(three.address):
            opened = RayOpening(Nodes(tmp_path, print, ExclusiveAgent))
            with opened(Round(jobs, True)) as held:
                assert len(held) == 2
                assert all(slot.takes(GPU) for slot in held)
            outcomes = list(slots.execute(opened, [Round(jobs, True)], 300))
    finally:
        three.remove_node(node)
    assert [outcome.reason for _, outcome in outcomes] == [""] * 5
    assert {outcome.environment["device"] for _, outcome in outcomes} == {"0", "1"}


def test_places() -> None:
    def node(name: str, cores: int, gpus: int) -> cluster.Node:
        facts = on_node.Facts({}, "", {"cpu": "", "cuda": ""}, {})
        return cluster.Node(name, name, cores, gpus, None, facts, facts.devices)

    nodes = [node("a", 3, 2), node("b", 2, 0), node("c", 1, 4)]
    places = {
        (kind, whole): [(each.node.name, each.cores) for each in on_ray.places(nodes, kind, whole)]
        for kind, whole in (("cpu", True), ("cpu", False), ("cuda", True))
    }
    assert places["cpu", True] == [("a", 3), ("b", 2), ("c", 1)]
    assert places["cpu", False] == [("a", 1), ("b", 1), ("c", 1), ("a", 1), ("b", 1), ("a", 1)]
    assert places["cuda", True] == [
        ("a", 1), ("c", 0.25), ("a", 1), ("c", 0.25), ("c", 0.25), ("c", 0.25),
    ]  # fmt: skip
