"""The samples of every process, relative to their model's median."""

from __future__ import annotations

from cmx_bench.cell import Setting
from cmx_bench.metrics import METRICS
from cmx_bench.present.plot import Axis, Plot, Strip, Strips, short_label
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result

# Beyond so many rows a strip plot cannot be read, nor drawn quickly.
_MOST_STRIPS = 16


def plot(report: Report, setting: Setting, metric: str) -> Plot:
    """A strip plot of the deviations in percent."""
    results = [
        result
        for model in report.run.models
        if (result := report.result(model, setting.key, setting.image_size, metric)) is not None
        and result.medians
    ]
    strips = tuple(_strip(report, result) for result in results[:_MOST_STRIPS])
    caption = (
        f"Every counted sample of {METRICS[metric].title.lower()} on {setting.key}, relative to "
        "the median of its model. Each row of a model is one fresh process: where the rows stand "
        "apart, processes differ by more than the samples within them."
    )
    if len(results) > _MOST_STRIPS:
        caption += f" The first {_MOST_STRIPS} of {len(results)} models are shown."
    return Plot(
        f"samples-{metric}-{setting.key}", f"Samples of every process · {setting.name}", caption,
        f"Deviation of each sample from its model's median, for {len(strips)} models.",
        Strips(Axis("Deviation from the model's median (%)"), strips),
    )  # fmt: skip


def _strip(report: Report, result: Result) -> Strip:
    samples = report.samples_of(result)
    kept = samples[(samples["status"] == "ok") & ~samples["discarded"]]
    median = kept["value"].median()
    return Strip(
        short_label(result.label),
        tuple(
            tuple(100 * (value / median - 1) if median else 0.0 for value in process["value"])
            for _, process in kept.groupby("record")
        ),
    )
