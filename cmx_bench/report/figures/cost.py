"""What a model costs on a device, throughput and memory, against its parameters and MACs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from pandas import Series

from cmx_bench import units
from cmx_bench.metrics import METRICS
from cmx_bench.present.drawing import NothingToDrawError, Plot, Scale, scatter
from cmx_bench.report import entries
from cmx_bench.report.figures.selection import Selection, explain_bars, note_sparse, speak


@dataclass(frozen=True, slots=True)
class Quantity:
    """A metric along an axis that counts in so many base units."""

    metric: str
    unit: float
    axis: str


PARAMS = Quantity("params", 1e6, "Parameters (millions)")
MACS = Quantity("macs", 1e9, "MACs (billions)")
THROUGHPUT = Quantity("throughput", 1.0, "Throughput (images/s)")
LATENCY = Quantity("latency_p50", 1e-3, "Latency p50 (ms)")
MEMORY = Quantity("peak_memory", 2.0**20, "Peak memory (MiB)")
TOP1 = Quantity("top1", 1e-2, "Top-1 (%)")
QUANTITIES = {
    quantity.metric: quantity for quantity in (PARAMS, MACS, THROUGHPUT, LATENCY, MEMORY, TOP1)
}

_MULTIPLES = {1e9: " (billions)", 1e6: " (millions)", 1e3: " (thousands)", 1.0: ""}


def fit(quantity: Quantity, values: Iterable[float]) -> Quantity:
    """The quantity in thousands, or one by one, where all values, in base units, are small."""
    if quantity.unit not in _MULTIPLES:
        return quantity
    unit = units.multiples(quantity.unit, values)
    axis = quantity.axis.replace(_MULTIPLES[quantity.unit], _MULTIPLES[unit])
    return replace(quantity, unit=unit, axis=axis)


_FAR = 100.0  # times: sizes that differ by more stand on a logarithmic axis


def scale_of(sizes: Series[float], usual: Scale = None) -> Scale:
    """The scale of an axis of parameters: `usual`, or logarithmic where sizes differ by `_FAR`."""
    return "log" if sizes.min() > 0 and sizes.max() / sizes.min() > _FAR else usual


def throughput(chosen: Selection) -> Plot:
    """Images a second against millions of parameters."""
    return _plot(THROUGHPUT, PARAMS, chosen)


def throughput_by_macs(chosen: Selection) -> Plot:
    """Images a second against billions of MACs."""
    return _plot(THROUGHPUT, MACS, chosen)


def memory(chosen: Selection) -> Plot:
    """Peak memory in MiB against millions of parameters."""
    return _plot(MEMORY, PARAMS, chosen)


def _plot(cost: Quantity, size: Quantity, chosen: Selection) -> Plot:
    """A sampled metric of every model against an exact one."""
    what, is_of_macs = METRICS[cost.metric].title, size.metric == MACS.metric
    against = chosen.above_zero(size.metric) if is_of_macs else "parameters"
    sizes = chosen.values(size.metric)["value"]
    size = fit(size, sizes)
    title = f"{what} against {'MACs' if is_of_macs else 'parameters'} · {chosen.name}"
    costly = chosen.values(cost.metric)
    points = chosen.models.join(costly[["value", "low", "high"]] / cost.unit)
    points = points.rename(columns={"value": "y"}).join(costly["disturbed"])
    points = points.assign(x=sizes / size.unit)
    points = points.dropna(subset=["x", "y"]).astype({"disturbed": bool})
    logarithmic = ["x", "y"] if is_of_macs else ["y"]
    points = points[(points[logarithmic] > 0).all(axis="columns")]
    if points.empty:
        raise NothingToDrawError(title)
    needed = f"{chosen.above_zero(cost.metric)} or {against}"
    sentences = [
        f"{what} on {entries.in_words(chosen.key)}.", explain_bars(points),
        *chosen.doubts(points, cost.metric), *note_sparse(points, what.lower()),
        *chosen.left_out(points.index, needed),
    ]  # fmt: skip
    return Plot(
        f"{cost.metric.replace('_', '-')}{'-macs' if is_of_macs else ''}-{chosen.key}", title,
        " ".join(sentences), speak(f"{cost.axis} against {size.axis}", points),
        points, partial(scatter, labels=(size.axis, cost.axis),
                        scales=("log" if is_of_macs else scale_of(points["x"]), "log")),
    )  # fmt: skip
