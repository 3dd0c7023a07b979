"""By which runtime each setting ran, by how much its logits differ from eager torch's, and what
share of the device's arithmetic it reaches."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter, itemgetter
from typing import Any

from cmx_bench import units
from cmx_bench.cell import Model, Setting
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report import entries
from cmx_bench.results.nouns import Report


def table(report: Report) -> Table:
    """A row for each network in each setting of another runtime than torch, or with frozen
    weights."""
    columns = (
        Column("network", "Network"),
        Column("setting", "Setting"),
        Column("runtime", "Runtime", title="With the options by which it ran"),
        Column("difference", "Difference", "right", "Of a logit, as a share of the largest"),
        Column("tolerance", "Allowed", "right", "Beyond it a cell fails"),
        Column("share", "Share of the compute peak (%)", "right", _SHARE),
    )
    largest = _largest(report)
    rows = [
        _row(report, model, setting, deviation)
        for setting in report.run.settings
        for model in report.run.models
        if (deviation := largest.get((model.name, setting.key))) is not None
    ]
    shares = any(row[-1] is not None for row in rows)
    remarks = [
        "Difference: before anything is timed, the logits are compared with those of eager torch "
        "for the same weights and images. The largest difference of any process is shown.",
        *[_INT8 for setting in report.run.settings if setting.precision == "int8"][:1],
        *[f"{_SHARE}. {_BEYOND}"] * shares,
    ]
    return entries.table("runtimes", "Runtimes, compared with eager torch",
                         *entries.fill(columns, rows), remarks, naming=2)  # fmt: skip


_SHARE = (
    "Share of the compute peak: MACs a second at the measured throughput, divided by the most that "
    "torch reached in products of large matrices, in the same precision and on as many threads"
)
_BEYOND = "A runtime whose kernels are faster than torch's reaches more than 100 %."

_INT8 = (
    "In int8 the difference is that of all logits, on images that the model is calibrated on, as a "
    "share of how much the logits of eager torch differ from image to image (root mean squares)."
)


def _largest(report: Report) -> dict[tuple[str, str], Mapping[str, Any]]:
    """What the process of each model and setting recorded whose logits differ most."""
    largest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for (model, setting, _), processes in report.processes.items():
        for details in (process.details for process in processes):
            if "runtime" in details:
                both = (largest.get((model, setting), details["runtime"]), details["runtime"])
                largest[model, setting] = max(both, key=itemgetter("difference"))
    return largest


def _row(
    report: Report, model: Model, setting: Setting, deviation: Mapping[str, Any]
) -> tuple[object, ...]:
    options = ", ".join(f"{name} {value}" for name, value in deviation["options"].items())
    numbers = (deviation["difference"], deviation["tolerance"])
    runtime = str(deviation["version"])
    if "quantised" in deviation:  # how much of the model is in int8
        some, of_all = deviation["quantised"]["products"]
        runtime += f", {some} of {of_all} products in int8"
    return (
        model,
        setting,
        Entry(runtime, title=options),
        *(Entry(f"{number:.2g}", sort=number) for number in numbers),
        _share(report, model, setting),
    )


_ARITHMETIC = attrgetter("device", "hardware", "precision", "threads")


def _share(report: Report, model: Model, setting: Setting) -> Entry | None:
    """Of the highest peak in this precision, in whichever setting it was measured."""
    alike = {each.key for each in report.run.settings if _ARITHMETIC(each) == _ARITHMETIC(setting)}
    peaks = [
        max(result.medians.values())
        for (_, key, metric), result in report.results.items()
        if metric == "compute_peak" and key in alike and result.value is not None
    ]
    throughput, macs = (report.estimate(model, setting, what) for what in ("throughput", "macs"))
    if throughput is None or macs is None or not peaks:
        return None
    share = 100 * throughput.value * macs.value / max(peaks)
    return Entry(units.significant(share, 2), sort=share)
