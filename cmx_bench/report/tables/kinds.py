"""What the measure `roofline` found: the work of each model by kind, and the device's roofs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pandas import DataFrame

from cmx_bench import units
from cmx_bench.cell import Setting
from cmx_bench.measures import workload
from cmx_bench.measures.workload import Work
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report import entries
from cmx_bench.results import stats
from cmx_bench.results.nouns import Report


@dataclass(frozen=True, slots=True)
class Roofs:
    """What a device gives at best: MACs a second, bytes a second."""

    compute: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """The MACs a byte from which on arithmetic is the limit, and memory no longer."""
        return self.compute / self.bandwidth

    def at(self, intensity: float) -> float:
        """The most MACs a second at so many MACs a byte (Williams, Waterman and Patterson 2009,
        doi 10.1145/1498765.1498785)."""
        return min(self.compute, self.bandwidth * intensity)


def roofs(samples: DataFrame) -> Roofs | None:
    """The best that any process of a setting reached: disturbances only lower a peak."""
    counting = samples[samples["counts"]]
    best = counting.groupby("metric", observed=True)["value"].max()
    best = best[best > 0]  # of a user's frame
    if not {"compute_peak", "bandwidth_peak"} <= {*best.index}:
        return None
    return Roofs(float(best["compute_peak"]), float(best["bandwidth_peak"]))


def by_model(samples: DataFrame) -> Mapping[str, tuple[Work, ...]]:
    """The work of every model that was measured in a setting, by its name, over all processes that
    count."""
    rows = samples[samples["counts"] & (samples["metric"] == "mac_rate")].drop_duplicates("record")
    columns = rows[["model", "batch_size", "details"]]
    kinds: dict[str, dict[str, list[Work]]] = {}
    for model, size, details in columns.itertuples(index=False, name=None):
        for work in workload.read(details, size):
            kinds.setdefault(str(model), {}).setdefault(work.kind, []).append(work)
    return {  # the time of each kind is summarised as every time is
        model: tuple(
            replace(works[0], seconds=stats.of_medians([work.seconds for work in works]).value)
            for works in by_kind.values()
        )
        for model, by_kind in kinds.items()
    }


def table(report: Report, setting: Setting) -> Table:
    """MACs, bytes and time of each kind of work in every model."""
    columns = (
        Column("network", "Network"),
        Column("kind", "Kind of work"),
        Column("macs", "MACs (×10⁹)", "right", "For one image"),
        Column("bytes", "Bytes (MiB)", "right", _BYTES),
        Column(
            "time",
            "Time (ms)",
            "right",
            "For one image: median over the passes; of several processes their geometric mean",
        ),
        Column("share", "Share of time (%)", "right", "Share of a forward pass"),
        Column("intensity", "MACs a byte", "right", "MACs divided by bytes"),
        Column("rate", "Rate (GMAC/s)", "right", "MACs divided by time"),
        Column("roof", "Share of the roof (%)", "right", _ROOF),
    )
    samples = report.samples[report.samples["setting"] == setting.key]
    above = roofs(samples)
    rows = (
        (
            report.models[name],
            workload.KINDS[part.kind],
            *(
                value if value is None else Entry(units.significant(value, 3), sort=value)
                for value in _figures(part, total, above)
            ),
        )
        for name, parts in by_model(samples).items()
        for total in [sum(part.seconds for part in parts)]
        if above is not None
        for part in parts
    )
    remarks = () if above is None else (
        f"{describe(above)} {MEASURED}",
        f"{_BYTES}. {_ROOF}. {BEYOND}",
    )  # fmt: skip
    title = f"Work by kind · {setting.title} ({setting.key})"
    return entries.table(f"work-{setting.key}", title, columns, rows, remarks, folded=True)


_BYTES = (
    "Bytes of one image at the setting's batch size: inputs and weights of the operators are read "
    "once, outputs are written once"
)
_ROOF = (
    "Share of the roof: the rate divided by the highest rate that the device allows at so many "
    "MACs a byte"
)


BEYOND = (
    "Caches that are faster than the large copy, and kernels that are faster than the product, "
    "reach more than the roof allows."
)


def _figures(part: Work, total: float, above: Roofs) -> tuple[float | None, ...]:
    """MACs, bytes, time and its share, intensity, rate and its share of the roof, as the columns
    have them; of everything else only the time is known."""
    time, share = 1e3 * part.seconds, 100 * part.seconds / total
    if part.intensity is None:
        return None, None, time, share, None, None, None
    rate, roof = part.rate / 1e9, 100 * part.rate / above.at(part.intensity)
    return part.macs / 1e9, part.bytes / 2**20, time, share, part.intensity, rate, roof


def describe(above: Roofs) -> str:
    """The roofs in a sentence."""
    return (
        f"The measured peaks of the device are {units.scale(above.compute, 'MAC/s')} in a product "
        f"of large matrices and {units.scale(above.bandwidth, 'B/s')} in a large copy."
    )


MEASURED = (
    "Each operator is timed by itself while the model runs eagerly. Everything else is the rest of "
    "the pass: norms, activation functions, additions, copies."
)
