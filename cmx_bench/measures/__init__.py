"""The measures: each a function from a model and a setting to samples.

Each lives in the module of this room that has its name; the table below imports none of them, so
that listing the measures loads no torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cmx_bench.cell import Model, Scope, Setting

# Raw samples in base units by metric: all that most measures have to say.
Samples: TypeAlias = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Watched:
    """Samples with the conditions they were taken under, some of them discarded for these.

    `covariates` holds, by condition, one value for each sample taken, in order, those discarded
    included; `discarded` the samples that do not count, by metric. `details` are what else belongs
    to the values, as plain data.
    """

    values: Samples
    covariates: Samples = field(default_factory=dict)
    discarded: Samples = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


Measure: TypeAlias = Callable[[Model, Setting], Samples | Watched]


@dataclass(frozen=True, slots=True)
class MeasureInfo:
    """A row of the table.

    `repeated` cells are measured anew in several fresh processes. `forwards` and `seconds` say
    roughly how many forward passes, and how long beside them, one process takes: the plan's time
    estimate is made of them. Rounds go on for a `precise` one until its first metric is as narrow
    as a suite's precision wants it. Cells of one setting that are measured `together` share a
    process, which has no function here: see `worker.scoring`.
    """

    scope: Scope
    repeated: bool
    forwards: int
    seconds: float
    about: str
    precise: bool = False
    together: bool = False


MEASURES: dict[str, MeasureInfo] = {
    "params": MeasureInfo("resolution", False, 0, 0.5, "parameters and buffers, exact"),
    "macs": MeasureInfo("resolution", False, 0, 2.0, "MACs, counted twice, exact"),
    "throughput": MeasureInfo("setting", True, 12, 2.0, "images a second", precise=True),
    "latency": MeasureInfo(
        "setting", True, 55, 2.0, "time of one batch, percentiles", precise=True
    ),
    "memory": MeasureInfo("setting", False, 2, 1.0, "peak memory as the device saw it"),
    "energy": MeasureInfo("setting", True, 5, 14.0, "joules an image, and idle power"),
    "planned_memory": MeasureInfo("setting", False, 0, 1.5, "peak bytes of live tensors, exact"),
    "accuracy": MeasureInfo(
        "setting", False, 0, 2.0, "top-1 and top-5 on labelled images", together=True
    ),
    "roofline": MeasureInfo("setting", False, 4, 3.0, "work and time by kind of operator, peaks"),
    "load_time": MeasureInfo("setting", True, 0, 1.0, "from a name to a ready model"),
    # A step takes about as long as three forward passes.
    "train_throughput": MeasureInfo(
        "setting", True, 36, 2.0, "images a second of training, and its phases", precise=True
    ),
    "train_memory": MeasureInfo("setting", False, 6, 1.0, "peak memory of a training step"),
}


def function(name: str) -> Measure:
    """`measure` of the module that has the measure's name; imports it, and with it torch."""
    measure: Measure = importlib.import_module(f"cmx_bench.measures.{name}").measure
    return measure
