"""What a model costs on a device, throughput and memory, against its params and MACs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cmx_bench.cell import Model, Setting
from cmx_bench.metrics import METRICS
from cmx_bench.present.content import first_few
from cmx_bench.present.plot import Axis, Plot, Point, Scatter, short_label, spoken
from cmx_bench.results.nouns import Report


@dataclass(frozen=True, slots=True)
class Quantity:
    """A metric along an axis that counts in so many base units."""

    metric: str
    unit: float
    axis: Axis


PARAMS = Quantity("params", 1e6, Axis("Parameters (millions)"))
MACS = Quantity("macs", 1e9, Axis("MACs (billions)", logarithmic=True))
THROUGHPUT = Quantity("throughput", 1.0, Axis("Throughput (images/s)", logarithmic=True))
MEMORY = Quantity("peak_memory", 2.0**20, Axis("Peak memory (MiB)", logarithmic=True))


def plot(report: Report, setting: Setting, cost: Quantity, size: Quantity) -> Plot:
    """A sampled metric of every model against an exact one."""
    models = report.run.models
    found = {one.name: _point(report, setting, cost, size, one) for one in models}
    points = tuple(point for point in found.values() if point is not None)
    there = [name for name, point in found.items() if point is not None]
    title = METRICS[cost.metric].title
    against = METRICS[size.metric].title if size is MACS else METRICS[size.metric].title.lower()
    name = cost.metric.replace("_", "-") + ("-macs" if size is MACS else "")
    return Plot(
        f"{name}-{setting.key}", f"{title} against {against} · {setting.name}",
        " ".join([f"{title} on {setting.key}.", bars(points),
                  *left_out(models, there, f"{title.lower()} or {against}")]),
        spoken(f"{cost.axis.label} against {size.axis.label}", points),
        Scatter(size.axis, cost.axis, points),
    )  # fmt: skip


def _point(
    report: Report, setting: Setting, cost: Quantity, size: Quantity, model: Model
) -> Point | None:
    large, costly = (report.estimate(model, setting, quantity.metric) for quantity in (size, cost))
    if large is None or costly is None or costly.value <= 0:
        return None
    low, high = (None if edge is None else edge / cost.unit for edge in (costly.low, costly.high))
    return Point(
        short_label(model.label), model.family,
        large.value / size.unit, costly.value / cost.unit, low, high,
    )  # fmt: skip


def left_out(models: Sequence[Model], there: Collection[str], lack: str) -> list[str]:
    """What a caption says of the models that are not in its figure, for they `lack` something."""
    missing = [short_label(one.label) for one in models if one.name not in there]
    if not missing:
        return []
    return [f"Without {lack}, and left out: {first_few(missing, _MOST_NAMED)}."]


_MOST_NAMED = 5


def bars(points: Sequence[Point]) -> str:
    """What a caption says of the intervals."""
    if all(point.low is None for point in points):
        return "One process each: there is no interval."
    return (
        "Bars are 95 % intervals over fresh processes; where none shows, it is narrower than the "
        "marker."
    )
