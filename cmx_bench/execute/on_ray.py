"""Opens the slots of a round on a cluster of Ray's: an actor for each device that a job needs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from typing import Any

from cmx_bench.cell import Setting
from cmx_bench.errors import CmxError
from cmx_bench.execute import cluster
from cmx_bench.execute.cluster import AgentLostError, Node, Nodes
from cmx_bench.execute.slots import SlotLostError, Tell
from cmx_bench.measures import MEASURES
from cmx_bench.results import runfolder
from cmx_bench.spec import disk
from cmx_bench.training import files
from cmx_bench.worker.job import EvaluationJob, Job, Round
from cmx_bench.worker.local import Call

# Seconds in which those that hold nothing of others' are placed; the rest of a round goes without
# devices that others hold.
_PLACING_SECONDS = 20.0
_RETURNING_SECONDS = 60.0  # for an agent in place of one that died; it fails at once on a dead node


@dataclass(frozen=True, slots=True)
class Holding:
    """What a slot holds of a node: a GPU and its share of the cores, all cores, or one."""

    node: Node
    kind: str
    cores: float
    gpus: int = 0


@dataclass(slots=True)
class RaySlot:
    """A device of a node, held by an agent there; a `Slot`. An agent that died is begun anew, until
    the round is `over`."""

    name: str
    kind: str
    hardware: str
    repeated: bool
    begin: Callable[[], Any]
    pool: ThreadPoolExecutor
    agent: Any = None
    over: bool = False

    def __post_init__(self) -> None:
        self.agent = self.begin()

    def takes(self, setting: Setting) -> bool:
        """Whether it is what a setting asks for."""
        return setting.kind == self.kind and setting.hardware in ("", self.hardware)

    def carry_out(self, order: Job | EvaluationJob, timeout: float, tell: Tell) -> Future[None]:
        """Begins to execute or to evaluate; see `Slot`."""
        return self.pool.submit(self._carry_out, order, timeout, tell)

    def _carry_out(self, order: Job | EvaluationJob, timeout: float, tell: Tell) -> None:
        self._await_answer(self.agent.begin.remote(order, _read_trained(order), timeout))
        while (told := self._await_answer(self.agent.hear.remote())) is not None:
            if isinstance(told, CmxError):
                raise SlotLostError(f"{self.name}: {told}")
            if isinstance(order, EvaluationJob):
                runfolder.write_files(order.folder, told.left)
            if told.printed:
                with disk.writing(order.log), disk.appending(order.log) as file:
                    file.write(told.printed)
            tell(told.said)

    def _await_answer(self, asked: Any) -> Any:
        """What the agent answers; raises `SlotLostError`."""
        try:
            return cluster.answer(asked)
        except AgentLostError as error:
            is_back = not self.over and self._is_back()
            raise SlotLostError(f"{self.name}: was lost ({error})", is_back) from None

    def _is_back(self) -> bool:
        """Whether the device is held again, ready for the next job, by a new agent."""
        cluster.end([self.agent])
        self.agent = self.begin()
        try:
            cluster.answer(self.agent.is_there.remote(), _RETURNING_SECONDS)
            return cluster.answer(self.agent.open.remote(self.repeated)) is None
        except AgentLostError:
            return False


def _read_trained(job: Job | EvaluationJob) -> dict[str, bytes]:
    """What the run's folder has of trainings that an earlier command finished."""
    kept: dict[str, bytes] = {}
    if isinstance(job, Job) or job.seed is None:
        return kept
    for cell in job.cells:
        size = job.task.asked.shared_size(cell.setting)
        mine = files.of(job.folder, cell.model.name, size, job.seed)
        for path in (mine.last, mine.best, mine.told):
            if mine.told.exists() and path.exists():
                kept[path.relative_to(job.folder).as_posix()] = path.read_bytes()
    return kept


@dataclass(slots=True)
class RayOpening:
    """Opens the slots of each round; an `Opening`.

    `hardware` names the kinds of devices where there are several, by kind and by what nodes say of
    them.
    """

    nodes: Nodes
    hardware: Mapping[tuple[str, str], str] = field(default_factory=dict)
    slots: list[RaySlot] = field(default_factory=list)

    @contextmanager
    def __call__(self, this: Round) -> Iterator[Sequence[RaySlot]]:
        """The slots of a round, all of them ready; their agents end with it."""
        chosen = self._places(this)
        try:
            with ThreadPoolExecutor(max(1, len(chosen))) as pool:
                self.slots = [self._slot(place, this.repeated, pool) for place in chosen]
                try:
                    held = _place(self.slots, self.nodes.tell)
                    yield _ready(held, self.nodes.tell)
                finally:
                    self.end()
        finally:
            self.end()  # one may have begun an agent anew meanwhile

    def end(self) -> None:
        """Ends what a round that was broken off still executes."""
        _end(self.slots)

    @contextmanager
    def calling(self, node: Node, kind: str) -> Iterator[Call]:
        """Functions are called on a node, where they find a device of this kind."""
        place = places([node], kind, whole=False)[0] if kind == "cuda" else Holding(node, kind, 0)
        agent = self._begin(place)
        try:
            yield cluster.caller(agent, node.name)
        finally:
            cluster.end([agent])

    def _places(self, this: Round) -> list[Holding]:
        """Where the jobs of a round may run: at most one place a job, drawn by chance, so that
        intervals over processes hold how the devices differ."""
        wanted = Counter((job.cell.setting.kind, job.cell.setting.hardware) for job in this.jobs)
        whole = this.repeated or any(MEASURES[job.cell.measure].together for job in this.jobs)
        living = self.nodes.living()
        chosen = []
        for (kind, hardware), jobs in wanted.items():
            nodes = [node for node in living if hardware in ("", self._hardware(node, kind))]
            there = places(random.sample(nodes, len(nodes)), kind, whole)
            chosen += there[:jobs]
        return chosen

    def _hardware(self, node: Node, kind: str) -> str:
        return self.hardware.get((kind, node.devices[kind]), "")

    def _begin(self, place: Holding) -> Any:
        node, nodes = place.node, self.nodes
        return cluster.begin_agent(
            nodes.agent, node.id, nodes.here, node.facts.variables, place.cores, place.gpus
        )

    def _slot(self, place: Holding, repeated: bool, pool: ThreadPoolExecutor) -> RaySlot:
        name, hardware = f"node {place.node.name}", self._hardware(place.node, place.kind)
        begin = partial(self._begin, place)
        return RaySlot(name, place.kind, hardware, repeated, begin, pool)


def _end(slots: Sequence[RaySlot]) -> None:
    for slot in slots:
        slot.over = True
    cluster.end(slot.agent for slot in slots)


def places(nodes: Sequence[Node], kind: str, whole: bool) -> list[Holding]:
    """All devices of a kind, those of one node after those of others.

    A GPU comes with its share of the node's cores. A CPU that times something, or evaluates with
    all of its threads, is held as a `whole`: no other work of Ray's that asks for a core runs there
    meanwhile. For what is only counted one core will do.
    """
    if kind == "cuda":
        each = [[Holding(node, kind, _share(node), 1)] * node.gpus for node in nodes if node.gpus]
    elif whole:
        each = [[Holding(node, kind, node.cores)] for node in nodes]
    else:
        each = [[Holding(node, kind, 1)] * node.cores for node in nodes]
    return [place for row in zip_longest(*each) for place in row if place is not None]


def _share(node: Node) -> float:
    """The cores that come with each GPU of a node; Ray takes parts of one, and no 1.5."""
    cores = node.cores / node.gpus
    return int(cores) if cores >= 1 else int(10000 * cores) / 10000


def _place(slots: Sequence[RaySlot], tell: Callable[[str], None]) -> list[RaySlot]:
    """Those that hold their device; one at least is waited for, whoever else has them now."""
    began = {slot.pool.submit(cluster.answer, slot.agent.is_there.remote()): slot for slot in slots}
    done, waiting = wait(began, _PLACING_SECONDS)
    if waiting and all(future.exception() for future in done):
        tell("other work holds the cluster's devices: this waits until one is free")
        done = _first_well(began)
    _end([slot for future, slot in began.items() if future not in done])
    return [slot for future, slot in began.items() if future in done and not future.exception()]


def _first_well(futures: Collection[Future[Any]]) -> set[Future[Any]]:
    """All that are done as soon as one of them is well, or none is left."""
    for future in as_completed(futures):
        if future.exception() is None:
            break
    return {future for future in futures if future.done()}


def _ready(slots: Sequence[RaySlot], tell: Callable[[str], None]) -> list[RaySlot]:
    loading = [
        slot.pool.submit(cluster.answer, slot.agent.open.remote(slot.repeated)) for slot in slots
    ]
    wait(loading)
    ready = []
    for slot, future in zip(slots, loading, strict=True):
        if why := future.exception() or future.result():
            tell(f"{slot.name} is left out of this round: {why}")
        else:
            ready.append(slot)
    return ready
