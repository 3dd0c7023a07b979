"""Chooses where a plan is made and executed: on this machine, or on the nodes of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cmx_bench import units
from cmx_bench.cli.options import look_up
from cmx_bench.cli.requests import Request, plan_of
from cmx_bench.cli.telling import note
from cmx_bench.errors import CmxError

if TYPE_CHECKING:
    from cmx_bench.execute.cluster import Node
    from cmx_bench.execute.on_ray import RayOpening
    from cmx_bench.plan import Plan
    from cmx_bench.spec.suite import SuiteFile
    from cmx_bench.worker.job import Evaluator, Executor

_EXECUTORS = {"local": False, "ray": True}


@dataclass(frozen=True, slots=True)
class Engine:
    """What makes plans, as `requests.plan_of`, and what executes and evaluates the cells of one;
    `resources` are what there is for it, in rows for the user, where that is not this machine."""

    plan_of: Callable[..., Plan]
    engaged: Callable[[Plan], AbstractContextManager[tuple[Executor, Evaluator]]]
    is_here: bool = True
    resources: Callable[[Plan], Sequence[tuple[str, str]]] = lambda _: ()


@contextmanager
def choosing(executor: str, address: str | None) -> Iterator[Engine]:
    """The engine that `--executor` and `--address` ask for.

    Raises:
        CmxError: there is no such executor, or no cluster.
    """
    if look_up("--executor", "executor", executor, _EXECUTORS):
        with _on_ray(address or "auto") as engine:
            yield engine
        return
    if address is not None:
        raise CmxError("--address: needs a Ray cluster; add --executor ray")
    from cmx_bench.execute import devices

    beware = partial(note, beware=True)
    yield Engine(plan_of, lambda plan: devices.engaging(plan.places, beware))


@contextmanager
def _on_ray(address: str) -> Iterator[Engine]:
    from cmx_bench.execute import cluster
    from cmx_bench.execute.on_ray import RayOpening

    with cluster.joining(address):
        opened = RayOpening(cluster.Nodes(Path.cwd(), note))
        yield Engine(
            partial(_plan_on, opened), lambda _: _engaging(opened), False,
            partial(_resources, opened),
        )  # fmt: skip


@contextmanager
def _engaging(opened: RayOpening) -> Iterator[tuple[Executor, Evaluator]]:
    from cmx_bench.execute import slots

    try:
        yield partial(slots.execute, opened), partial(slots.evaluate, opened)
    finally:
        opened.end()


def _plan_on(opened: RayOpening, request: Request, suite_file: SuiteFile | None = None) -> Plan:
    from cmx_bench.execute.cluster import ClusterError
    from cmx_bench.plan import joining
    from cmx_bench.results import checkouts, environment

    living = opened.nodes.living()
    kind = _kind(request.device, living)
    nodes = [node for node in living if kind == "cpu" or node.gpus]
    if not nodes:
        raise ClusterError(f"--device {request.device}: no node of the cluster has a GPU; give one "
                           f"with `ray start --num-gpus`, or use --device cpu")  # fmt: skip
    first_of = {node.devices[kind]: node for node in reversed(nodes)}
    data, weights = ([*map(_absolute, given or ())] for given in (request.data, request.weights))
    plans, placed = [], replace(request, device=kind, data=data, weights=weights)
    for node in first_of.values():
        with opened.calling(node, kind) as call:
            plans.append(plan_of(placed, suite_file, call, elsewhere=True))
    names = environment.hardware([plan.machine for plan in plans])
    opened.hardware = {(kind, device): name for device, name in zip(first_of, names, strict=True)}
    plan = joining.join(plans, [f"node {node.name}" for node in first_of.values()])
    _refuse_missing(plan, request, nodes)
    of_user = {"project_commit": checkouts.commit_of(Path.cwd())}
    return replace(plan, machine={**plan.machine, **of_user})


def _kind(device: str, nodes: Sequence[Node]) -> str:
    if device == "auto":
        return "cuda" if any(node.gpus for node in nodes) else "cpu"
    if device not in ("cpu", "cuda"):
        raise CmxError(f"--device {device}: Ray chooses the device of each cell; expected "
                       f"auto, cpu or cuda with --executor ray")  # fmt: skip
    return device


def _absolute(option: str) -> str:
    name, separator, text = option.partition("=")
    return f"{name}={Path(text).absolute()}" if separator else str(Path(option).absolute())


def _refuse_missing(plan: Plan, request: Request, nodes: Sequence[Node]) -> None:
    """Refuses a node that lacks a file or module which those that made the plan have."""
    from cmx_bench.execute import cluster

    named = [Path(model.weights) for model in plan.models if model.weights is not None]
    paths = [path for path in named if path.is_absolute()]
    if (task := plan.evaluation) is not None:
        paths += [] if task.path is None else [task.path]
        paths += [] if task.asked.real_labels is None else [task.base / task.asked.real_labels]
    targets = [model.target for model in plan.models if model.source == "python"]
    if request.trusted:
        targets += plan.suite_file.suite.macs.rules.values()
    modules = sorted({target.partition(":")[0].partition(".")[0] for target in targets})
    asked = [(node, node.agent.missing.remote(paths, modules)) for node in nodes]
    for node, missing in asked:
        for what in cluster.answer(missing):
            raise cluster.ClusterError(f"node {node.name}: there is no {what}; other nodes have "
                                       f"it, put it there, too")  # fmt: skip


def _resources(opened: RayOpening, plan: Plan) -> list[tuple[str, str]]:
    from cmx_bench.execute.on_ray import places

    kind = plan.settings[0].kind
    nodes = opened.nodes.living()
    rows = [
        (f"node {each.name}", f"{units.tally(each.cores, 'core')}, {units.tally(each.gpus, 'GPU')}")
        for each in nodes
    ]
    timed, counted = (len(places(nodes, kind, whole)) for whole in (True, False))
    slots = f"{units.tally(timed, 'timing')}, {units.tally(counted, 'exact cell')}"
    return [*rows, ("at a time", slots)]
