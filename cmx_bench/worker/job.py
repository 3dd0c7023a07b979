"""The data that goes to a worker process and comes back, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell
from cmx_bench.measures import Samples
from cmx_bench.results.records import Environment
from cmx_bench.spec import disk
from cmx_bench.spec.recipe import Recipe
from cmx_bench.training.files import Files

LOOK = "look"  # asks a process that times in turns for the conditions: see measures/probes.py


@dataclass(frozen=True, slots=True)
class Place:
    """A device of this machine, what tells it from others of its kind, the logical cores on which
    its processes run, and its kind, as `Setting.hardware` names it."""

    device: str
    uuid: str
    cores: tuple[int, ...]
    hardware: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """How many images a process that evaluates or trains has seen, of how many; None where nobody
    knows."""

    images: int
    size: int | None
    doing: str = "accuracy"


@dataclass(frozen=True, slots=True)
class Job:
    """One execution of a cell. What its process prints goes to the file `log`; `seen` is how far
    one that evaluates has come; `task` says of one in int8 which images it is calibrated on."""

    cell: Cell
    replicate: int
    log: Path
    seen: Seen | None = None
    task: Evaluation | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the process found: samples, or the reason why there are none.

    `covariates` and `discarded` are those of `measures.Watched`, `elapsed` the seconds of the
    process. `details` hold what else belongs to the values, such as the images they rest on; a
    training has details and no values. A `skipped` cell was not tried: the reason says what it
    lacks. A `lost` one failed through no fault of its model: another try may succeed.
    """

    values: Samples
    reason: str
    environment: Environment
    covariates: Samples = field(default_factory=dict)
    discarded: Samples = field(default_factory=dict)
    elapsed: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)
    skipped: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A cell's outcome; `again` where it may do better without the other models in its process."""

    key: str
    outcome: Outcome
    again: bool = False


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One training: of the model of `cell`, with `seed`. It leaves `files`; `at_once` is how many
    are under way on the machine at the same time."""

    cell: Cell
    seed: int
    task: Evaluation
    files: Files
    at_once: int = 1

    @property
    def recipe(self) -> Recipe:
        """What it trains with."""
        assert self.task.asked.train is not None
        return self.task.asked.train


@dataclass(frozen=True, slots=True)
class EvaluationJob:
    """Cells of one setting that are evaluated on the same images, their models trained with `seed`
    before where one is given.

    What it leaves goes to `folder`, a run's. `at_once` models are trained side by side;
    `estimates` are about the seconds that each cell takes, by its key.
    """

    cells: Sequence[Cell]
    replicate: int
    seed: int | None
    task: Evaluation
    folder: Path
    at_once: int = 1
    estimates: Mapping[str, float] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """The file for what its processes print."""
        return disk.within(self.folder, "log.txt")


# What is heard of an evaluation: how far it has come, or a cell with its outcome.
Heard: TypeAlias = Seen | tuple[Cell, Outcome]
# Takes jobs of one setting, and the longest time in seconds without a word; gives what is heard of
# each job as it comes.
Evaluator: TypeAlias = Callable[
    [Sequence[EvaluationJob], float], Iterator[tuple[EvaluationJob, Heard]]
]


@dataclass(frozen=True, slots=True)
class Round:
    """Jobs, one at least, none of which waits for another: any order will do, and side by side.

    The jobs of a `repeated` round are executed under interpreters that are begun for this round.
    `begin` is called with a job when it is about to start, and says whether it still may: a budget
    may be spent by then.
    """

    jobs: Sequence[Job]
    repeated: bool
    begin: Callable[[Job], bool] = lambda _: True


# Takes rounds, with the longest time in seconds that one job may last, and gives each job back with
# its outcome. It asks for the next round when it has given back all jobs of the one before.
Executor: TypeAlias = Callable[[Iterable[Round], float], Iterator[tuple[Job, Outcome]]]
