"""The measures: each a function from a model and a setting to samples, in a module of its own.

The table names modules as text, so that listing the measures imports no torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from cmx_bench.cell import Model, Scope, Setting

Samples: TypeAlias = dict[str, list[float]]
Measure: TypeAlias = Callable[[Model, Setting], Samples]


@dataclass(frozen=True, slots=True)
class MeasureInfo:
    """A row of the table.

    `module` holds a function `measure(model, setting)`. `repeated` cells are measured anew in
    several fresh processes. `forwards` and `seconds` say roughly how many forward passes, and how
    long beside them, one process takes: the plan's time estimate is made of them.
    """

    module: str
    scope: Scope
    repeated: bool
    forwards: int
    seconds: float
    about: str


MEASURES: dict[str, MeasureInfo] = {
    "params": MeasureInfo(
        "cmx_bench.measures.params", "resolution", False, 0, 0.5, "parameters and buffers, exact"
    ),
    "macs": MeasureInfo(
        "cmx_bench.measures.macs", "resolution", False, 0, 2.0, "MACs, counted twice, exact"
    ),
    "throughput": MeasureInfo(
        "cmx_bench.measures.throughput", "setting", True, 8, 4.0, "images a second"
    ),
    "latency": MeasureInfo(
        "cmx_bench.measures.latency", "setting", True, 55, 2.0, "time of one batch, percentiles"
    ),
    "memory": MeasureInfo(
        "cmx_bench.measures.memory", "setting", False, 2, 1.5, "peak memory, used and planned"
    ),
    "load_time": MeasureInfo(
        "cmx_bench.measures.load_time", "setting", True, 0, 1.0, "from a name to a ready model"
    ),
}


def function(name: str) -> Measure:
    """The function behind a measure's name; imports its module, and with it torch."""
    measure: Measure = importlib.import_module(MEASURES[name].module).measure
    return measure
