"""The plan: what a run measures. `making` makes it, and everything else reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.datasets import Split
from cmx_bench.measures import MEASURES
from cmx_bench.metrics import METRICS
from cmx_bench.models.importing import Origin
from cmx_bench.results.records import Environment
from cmx_bench.spec.suite import SuiteFile
from cmx_bench.worker.job import Place

# Until an interpreter has loaded torch and timm, where nobody has measured it: on a slow machine.
INTERPRETER_SECONDS = 8.0


def at_once(machine: Environment, models: int, processes: int) -> int:
    """How many of so many models are trained side by side, by so many processes each.

    The same when a run is resumed: from this follows with how many threads, on which the last bits
    of the weights depend.
    """
    if not str(machine["device"]).startswith("cpu"):
        return 1
    return max(1, min(models, int(machine["cores"]) // processes))


def replicates_of(cell: Cell, repeats: int, evaluation: Evaluation | None) -> int:
    """How many replicates a cell has in a whole run, processes or seeds.

    Args:
        repeats: the processes of a cell that is repeated.
        evaluation: on which images models are evaluated.
    """
    info = MEASURES[cell.measure]
    if info.together:
        return 1 if evaluation is None else len(evaluation.seeds_of(cell.model))
    return repeats if info.repeats(cell.setting.kind) else 1


@dataclass(frozen=True, slots=True)
class Cost:
    """What estimates and the batch size need of one model at one image size.

    `trouble` is why its cells will fail, `misfit` why it cannot be evaluated; empty where nothing
    is known against it. `origin` is the file that a user's model is from.
    """

    macs: int
    params: int
    layers: int
    traits: Mapping[str, int | str | None]
    trouble: str = ""
    origin: Origin = field(default_factory=dict)
    misfit: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will be measured, in the suite's order.

    `places` are the devices of this machine that share its cells, where there are several: see
    `on_several`.

    `estimates` are seconds for one execution of each cell, by key; `unavailable` maps the suite's
    settings for other devices to what to do about them, `skipped` keys of cells to what they lack;
    `opened` says of the images to learn from and to evaluate on what was found. `troubles` are why
    models will fail, as far as that is known; `origins` are the files that users' models are built
    from, by their names. `replicate` is the one that is asked for, of the cells that have it; None
    for all of them. `machine` is what the plan was made for; of devices of several kinds `machines`
    has one of each, by the `hardware` of its settings, and `machine` is the first.
    `starting` are the seconds for which each round waits, until an interpreter has loaded torch
    and timm.
    `cautions` say of settings what they do not measure on this machine, and of claims that they
    will stay undecided.
    """

    suite_file: SuiteFile
    machine: Environment
    models: tuple[Model, ...]
    settings: tuple[Setting, ...]
    cells: tuple[Cell, ...]
    estimates: Mapping[str, float]
    unavailable: Mapping[str, str]
    only: tuple[str, ...]
    places: tuple[Place, ...] = field(default=(), kw_only=True)
    evaluation: Evaluation | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    opened: Mapping[Split, str] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    replicate: int | None = None
    machines: Mapping[str, Environment] = field(default_factory=dict)
    cautions: tuple[str, ...] = ()
    starting: float = INTERPRETER_SECONDS

    @property
    def kinds(self) -> Mapping[str, Environment]:
        """A machine of each kind of device: see `Run.kinds`."""
        return self.machines or {"": self.machine}

    @property
    def device_name(self) -> str:
        """The device's name; of several kinds the names of all."""
        return " and ".join(self.machines) or str(self.machine["device_name"])

    def replicates(self, cell: Cell) -> int:
        """How many fresh processes execute `cell`, or with how many seeds its model is trained and
        evaluated; where the suite wants a precision, at least."""
        repeats = self.suite_file.suite.replicates
        return 1 if self.replicate is not None else replicates_of(cell, repeats, self.evaluation)

    def repeats(self, cell: Cell) -> bool:
        """Whether `cell` is measured anew in several fresh processes."""
        return MEASURES[cell.measure].repeats(cell.setting.kind)

    def asks_for(self, replicate: int) -> bool:
        """Whether this replicate is to be measured."""
        return self.replicate in (None, replicate)

    @property
    def is_timed(self) -> bool:
        """Whether any value depends on what else the machine does meanwhile."""
        measures = {cell.measure for cell in self.cells}
        return any(m.measure in measures and m.noise == "process" for m in METRICS.values())

    @property
    def devices(self) -> int:
        """How many executions of a round are under way at a time."""
        return max(1, len(self.places))

    @property
    def repeated(self) -> tuple[Cell, ...]:
        return tuple(filter(self.repeats, self.cells))

    @property
    def evaluated(self) -> tuple[Cell, ...]:
        """The cells that rest on images; those of a setting are executed together."""
        return tuple(cell for cell in self.cells if MEASURES[cell.measure].together)


def on_several(plan: Plan, places: tuple[Place, ...]) -> Plan:
    """A plan that was made on one of each kind of several devices, for all of them.

    Where they are of one kind its machine is all of them: a run goes on with the same devices
    alone, for two GPUs of one model differ by 8 % on average, and half of its rounds would say
    nothing of one of them.
    """
    if plan.machines:
        return replace(plan, places=places)
    numbers = ",".join(place.device.rpartition(":")[2] for place in places)
    several = {"device": f"cuda:{numbers}",
               "device_uuid": ", ".join(sorted(place.uuid for place in places))}  # fmt: skip
    return replace(plan, places=places, machine={**plan.machine, **several})
