"""The paper's Table 1 with this device's figures beside the published ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cmx_bench import units
from cmx_bench.cell import Model, Setting
from cmx_bench.metrics import METRICS
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report import entries
from cmx_bench.report.tables import best, caveats, trained
from cmx_bench.results.nouns import Report
from cmx_bench.units import plain


def tables(report: Report) -> list[Table]:
    """Table 1 of each setting that `--only` left something of; of all where it left only what
    settings share."""
    chosen = {key.rpartition("/")[2] for key in report.run.cells}
    left = [setting for setting in report.run.settings if setting.key in chosen]
    return [table_one(report, setting) for setting in left or report.run.settings]


_OVER_SEEDS = (
    "Top-1 is the mean over the seeds, n their number; ± reaches as far as Student's t over them "
    "and Wilson's interval over the images."
)


def table_one(report: Report, setting: Setting) -> Table:
    """The paper's Table 1 with this device's figures beside the published ones."""
    top1 = any(
        metric == "top1" and result.status in ("ok", "failed")
        for (_, _, metric), result in report.results.items()
    )
    top1_group = f"{_top1_of(report)} (%), published"
    columns = (
        Column("network", "Network", title="Its timm name and weights stand below the label"),
        Column("patch", "Patch", "right", "Side of the patches of the built model, in pixels"),
        Column("kernel", "Kernel", "right", "Side of its largest kernel behind the stem"),
        Column("params", "measured", "right", METRICS["params"].definition, "# Params (×10⁶)"),
        Column("params_paper", "paper", "right", "As the paper gives it", "# Params (×10⁶)"),
        Column("macs", "MACs (×10⁹)", "right", METRICS["macs"].definition),
        Column("throughput", "measured", "right", METRICS["throughput"].definition,
               "Throughput (images/s)"),
        Column("throughput_paper", "paper, RTX 8000", "right",
               "Another device than this one: one RTX 8000, batch 64, half precision",
               "Throughput (images/s)"),
        Column("memory", "Peak memory (MiB)", "right", METRICS["peak_memory"].definition),
        Column("activation", "Activation", title="The activation function of the built model"),
        *([Column("epochs_here", "Epochs, here", "right", "Epochs of training in this run")]
          if report.run.trains else []),
        Column("epochs", "Epochs, paper", "right", "Epochs of training, as the paper gives them"),
        *([Column("top1", "measured", "right", f"Measured here on {_evaluated(report)}",
                  f"{_evaluated(report)} top-1 (%)")] if top1 else []),
        Column("top1_paper", "paper", "right", "Published, not measured here", top1_group),
        Column("top1_timm", "timm", "right",
               "Published by timm for the weights named, at 224 × 224", top1_group),
    )  # fmt: skip
    leaders = {
        metric: best.leaders(report, setting, metric)
        for metric in ("params", "macs", "throughput", "peak_memory", *(["top1"] if top1 else []))
    }
    rows = tuple(_row_one(report, setting, model, leaders) for model in report.run.models)
    remarks = [
        f"{_described(setting)}. The value is the geometric mean over fresh processes, ± half its "
        "95 % interval (Student's t), n the number of processes.",
        "The paper's throughput is of another device (one RTX 8000, batch 64, half precision): "
        "it is no counterpart to the measured one.",
        "A value without ± is exact, or of one process.",
        *([_OVER_SEEDS] if top1 and report.over_seeds else []),
        *([best.REMARK] if any(leaders.values()) else []),
        "Below a network stand its name and the tag of the weights whose top-1 timm publishes. "
        "Speed and memory are those of the architecture with initial weights.",
    ]
    if report.run.precision is not None:
        remarks.append(
            f"Where ± was wider than {units.percent(report.run.precision)}, more than "
            f"{report.run.replicates} processes were taken, up to a limit of number and time."
        )
    if not top1:
        remarks.append("Top-1 was not measured in this run: both columns are published figures.")
    title = f"Table 1 · {setting.name} ({setting.key})"
    made = Table(f"table1-{setting.key}", title, columns, rows, tuple(remarks))
    if top1:
        names = [model.name for model in report.run.models]
        found = [report.results.get((name, setting.key, "top1")) for name in names]
        made = caveats.by_preprocessing(made, {"top1": found})
    timm = [report.published[model.name].timm.get("top1") for model in report.run.models]
    return caveats.by_conditions(made, {"top1_timm": timm})


def _row_one(
    report: Report, setting: Setting, model: Model, leaders: Mapping[str, Collection[str]]
) -> tuple[Entry, ...]:
    paper, timm = report.published[model.name].paper, report.published[model.name].timm

    def measured(metric: str, unit: float = 1.0) -> Entry:
        result = report.result(model, setting.key, setting.image_size, metric)
        return entries.measured(result, unit, best=model.name in leaders[metric])

    return (
        entries.network(model),
        entries.number(model.patch_size),
        entries.number(model.kernel_size),
        measured("params", 1e6),
        entries.printed(paper.get("params")),
        measured("macs", 1e9),
        measured("throughput"),
        entries.printed(paper.get("throughput")),
        measured("peak_memory", 2.0**20),
        Entry(plain(model.activation)) if model.activation else entries.DASH,
        *([entries.number(trained.epochs(report, model))] if report.run.trains else []),
        entries.printed(paper.get("epochs")),
        *([measured("top1", 0.01)] if "top1" in leaders else []),
        entries.printed(paper.get("top1")),
        entries.printed(timm.get("top1"), known_tag=model.recipe or model.weights),
    )


def _evaluated(report: Report) -> str:
    return plain(str(report.run.accuracy.get("dataset", "")))


def _top1_of(report: Report) -> str:
    """ "ImageNet-1k top-1": with the data sets that the published figures are of."""
    found = {
        figures["top1"].dataset
        for known in report.published.values()
        for figures in (known.paper, known.timm)
        if "top1" in figures
    }
    return f"{', '.join(sorted(found))} top-1" if found else "Top-1"


def _described(setting: Setting) -> str:
    compiled = "eager" if setting.compile == "none" else f"compiled ({setting.compile})"
    threads = f", {setting.threads} threads" if setting.threads else ""
    return (
        f"{setting.device}, {setting.precision}, {setting.layout}, {compiled}, "
        f"batch {setting.batch_size}, {setting.image_size} × {setting.image_size}{threads}"
    )
