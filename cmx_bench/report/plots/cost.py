"""What a model costs on a device, throughput and memory, against its params and MACs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cmx_bench.cell import Setting
from cmx_bench.metrics import METRICS
from cmx_bench.report.plot import Axis, Plot, Point, Scatter, short_label, spoken
from cmx_bench.report.summary import Report


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
    points = tuple(_points(report, setting, cost, size))
    title = METRICS[cost.metric].title
    against = METRICS[size.metric].title if size is MACS else METRICS[size.metric].title.lower()
    name = cost.metric.replace("_", "-") + ("-macs" if size is MACS else "")
    return Plot(
        f"{name}-{setting.key}", f"{title} against {against} · {setting.name}",
        f"{title} on {setting.key}. {bars(points)}",
        spoken(f"{cost.axis.label} against {size.axis.label}", points),
        Scatter(size.axis, cost.axis, points),
    )  # fmt: skip


def _points(report: Report, setting: Setting, cost: Quantity, size: Quantity) -> Iterator[Point]:
    for model in report.run.models:
        large, costly = (
            report.estimate(model, setting, quantity.metric) for quantity in (size, cost)
        )
        if large is None or costly is None or costly.value <= 0:
            continue
        low, high = (
            None if edge is None else edge / cost.unit for edge in (costly.low, costly.high)
        )
        yield Point(
            short_label(model.label), model.family,
            large.value / size.unit, costly.value / cost.unit, low, high,
        )  # fmt: skip


def bars(points: Sequence[Point]) -> str:
    """What a caption says of the intervals."""
    if all(point.low is None for point in points):
        return "One process each: there is no interval."
    return (
        "Bars are 95 % intervals over fresh processes; where none shows, it is narrower than the "
        "marker."
    )
