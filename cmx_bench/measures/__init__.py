"""The measures: each a function from a model and a setting to samples.

Each lives in the module of this room that has its name; the table below imports none of them, so
that listing the measures loads no torch.
"""

from __future__ import annotations

import importlib
import math
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

    A `repeated` cell is measured in several fresh processes; one `repeated_on_cuda` only there,
    because cuDNN may pick other algorithms, with other workspaces, in every process. For a
    `precise` measure rounds go on until its first metric is as narrow as the suite's precision.

    The plan estimates the time of a process. `forwards` is the number of forward passes. They take
    `least` seconds or more, and `most` seconds or fewer. Everything else takes `seconds`.

    Cells of one setting that are measured `together` share a process, `worker.scoring`, and have no
    module here. A measure that `trains` needs the runtime torch, and weights that are not frozen.
    """

    scope: Scope
    repeated: bool
    forwards: int
    seconds: float
    about: str
    precise: bool = False
    together: bool = False
    least: float = 0.0
    most: float = math.inf
    repeated_on_cuda: bool = False
    trains: bool = False

    def repeats(self, kind: str) -> bool:
        """Whether cells are measured in several processes on this kind of device."""
        return self.repeated or (self.repeated_on_cuda and kind == "cuda")


MEASURES: dict[str, MeasureInfo] = {
    "params": MeasureInfo("resolution", False, 0, 0.2, "parameters and buffers, exact"),
    "macs": MeasureInfo("resolution", False, 0, 0.6, "MACs, counted twice, exact"),
    # Half a second of warm-up, four passes at least, and eight blocks of a tenth and some more.
    "throughput": MeasureInfo("setting", True, 12, 0.3, "images a second", precise=True, least=2.0),
    "latency": MeasureInfo(
        "setting", True, 54, 0.3, "time of one batch, percentiles", precise=True, least=2.6, most=30
    ),
    "memory": MeasureInfo(
        "setting", False, 2, 0.3, "peak memory of a forward pass", repeated_on_cuda=True
    ),
    "energy": MeasureInfo("setting", True, 5, 14.0, "joules an image, and idle power"),
    "planned_memory": MeasureInfo("setting", False, 0, 0.5, "peak bytes of live tensors, exact"),
    "accuracy": MeasureInfo(
        "setting", False, 0, 0.5, "top-1 and top-5 on labelled images", together=True
    ),
    "roofline": MeasureInfo("setting", False, 4, 2.0, "work and time by kind of operator, peaks"),
    "load_time": MeasureInfo("setting", True, 0, 0.3, "from a name to a ready model"),
    # A step takes about as long as three forward passes.
    "train_throughput": MeasureInfo(
        "setting",
        True,
        36,
        0.3,
        "images a second of training, and its phases",
        precise=True,
        least=2.0,
        trains=True,
    ),
    "train_memory": MeasureInfo(
        "setting",
        False,
        6,
        0.4,
        "peak memory of a training step",
        repeated_on_cuda=True,
        trains=True,
    ),
}


def function(name: str) -> Measure:
    """`measure` of the module that has the measure's name; imports it, and with it torch."""
    measure: Measure = importlib.import_module(f"cmx_bench.measures.{name}").measure
    return measure
