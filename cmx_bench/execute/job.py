"""What goes to a worker process and what comes back: plain data, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from cmx_bench.cell import Cell
from cmx_bench.measures import Samples
from cmx_bench.records import Environment


@dataclass(frozen=True, slots=True)
class Job:
    """One execution of a cell. What its process prints goes to the file `log`."""

    cell: Cell
    replicate: int
    log: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the process found: samples, or the reason why there are none.

    `covariates` and `discarded` are those of `measures.Watched`; `elapsed` are the seconds that the
    process took.
    """

    values: Samples
    reason: str
    environment: Environment
    covariates: Samples = field(default_factory=dict)
    discarded: Samples = field(default_factory=dict)
    elapsed: float = 0.0


# Takes jobs one by one, with the longest time in seconds that one may last, and gives each back
# with its outcome before it asks for the next.
Executor: TypeAlias = Callable[[Iterable[Job], float], Iterator[tuple[Job, Outcome]]]
