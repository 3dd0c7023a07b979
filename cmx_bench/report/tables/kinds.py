"""What the measure `roofline` found: the work of each model by kind, and the device's roofs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cmx_bench import units
from cmx_bench.cell import Model, Setting
from cmx_bench.measures import work
from cmx_bench.measures.work import Work
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report import entries
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


def roofs(report: Report, setting: Setting) -> Roofs | None:
    """The best that any process of the setting reached: disturbances only lower a peak."""
    compute, bandwidth = (
        [
            found.value
            for model in report.run.models
            if (found := report.estimate(model, setting, metric)) is not None
        ]
        for metric in ("compute_peak", "bandwidth_peak")
    )
    return Roofs(max(compute), max(bandwidth)) if compute and bandwidth else None


def by_model(report: Report, setting: Setting) -> Mapping[str, tuple[Work, ...]]:
    """The work of every model that was measured, by its name."""
    found = {
        model.name: report.result(model, setting.key, setting.image_size, "mac_rate")
        for model in report.run.models
    }
    return {
        name: tuple(work.read(result.details, setting.batch_size))
        for name, result in found.items()
        if result is not None and result.estimate is not None
    }


def table(report: Report, setting: Setting) -> Table:
    """MACs, bytes and time of each kind of work in every model."""
    columns = (
        Column("network", "Network"),
        Column("kind", "Kind of work"),
        Column("macs", "MACs (×10⁹)", "right", "Of one image"),
        Column("bytes", "Bytes (MiB)", "right", _BYTES),
        Column("time", "Time (ms)", "right", "Of one image: median over the passes"),
        Column("share", "Share of time (%)", "right", "Of a forward pass"),
        Column("intensity", "MACs a byte", "right", "MACs over bytes"),
        Column("rate", "Rate (GMAC/s)", "right", "MACs over time"),
        Column("roof", "Share of the roof (%)", "right", _ROOF),
    )
    found, above = by_model(report, setting), roofs(report, setting)
    rows = tuple(
        _row(model, one, sum(each.seconds for each in found[model.name]), above)
        for model in report.run.models
        if above is not None
        for one in found.get(model.name, ())
    )
    return Table(
        f"work-{setting.key}", f"Work by kind · {setting.name} ({setting.key})", columns, rows,
        tuple(_remarks(above)), folded=True,
    )  # fmt: skip


_BYTES = (
    "Of one image, at the setting's batch size: inputs and weights of the operators read once, "
    "outputs written once"
)
_ROOF = "The rate over the highest that the device's peaks allow at so many MACs a byte"


def _row(model: Model, one: Work, total: float, above: Roofs) -> tuple[Entry, ...]:
    share = _number(100 * one.seconds / total)
    head = (entries.network(model), Entry(work.KINDS[one.kind]))
    if one.intensity is None:
        return (*head, entries.DASH, entries.DASH, _number(1e3 * one.seconds), share,
                entries.DASH, entries.DASH, entries.DASH)  # fmt: skip
    return (
        *head, _number(one.macs / 1e9), _number(one.bytes / 2**20), _number(1e3 * one.seconds),
        share, _number(one.intensity), _number(one.rate / 1e9),
        _number(100 * one.rate / above.at(one.intensity)),
    )  # fmt: skip


def _number(value: float) -> Entry:
    return Entry(units.significant(value, 3), sort=value)


def _remarks(above: Roofs | None) -> Iterator[str]:
    if above is not None:
        yield f"{described(above)} {MEASURED}"
        yield f"{_BYTES}. {_ROOF}; caches may lift a rate above it."


def described(above: Roofs) -> str:
    """The roofs in a sentence."""
    return (
        f"The device's peaks as measured: {units.scaled(above.compute, 'MAC/s')} in a product of "
        f"large matrices, {units.scaled(above.bandwidth, 'B/s')} in a large copy."
    )


MEASURED = (
    "Each operator is timed by itself while the model runs eagerly; everything else is what is "
    "left of the pass: norms, activation functions, additions, copies."
)
