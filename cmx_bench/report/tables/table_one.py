"""The paper's Table 1 with this device's figures next to the published ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from cmx_bench import units
from cmx_bench.cell import Setting
from cmx_bench.metrics import METRICS
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.published import Published
from cmx_bench.report import entries
from cmx_bench.report.tables import best, caveats, trained
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result

_MEASURED = "measured"
_Cells: TypeAlias = tuple[Column, Iterable[object]]


def tables(report: Report) -> list[Table]:
    """Table 1 of each setting that `--only` left something of; of all where it left only what
    settings share."""
    chosen = {key.rpartition("/")[2] for key in report.run.cells}
    left = [setting for setting in report.run.settings if setting.key in chosen]
    return [table_one(report, setting) for setting in left or report.run.settings]


def table_one(report: Report, setting: Setting) -> Table:
    """The paper's Table 1 with this device's figures next to the published ones."""
    absent = ["epochs_here"] * (not report.run.trains) + ["top1"] * (not report.has_top1)
    cells = {column: values for column, values in _columns(report, setting).items()
             if column.key not in absent}  # fmt: skip
    columns, rows = entries.fill(list(cells), zip(*cells.values(), strict=True))
    keys = [column.key for column in columns]
    title = f"Table 1 · {setting.title} ({setting.key})"
    remarks = _remarks(report, setting, rows, keys)
    table = entries.table(f"table1-{setting.key}", title, _head(columns), rows, remarks)
    models = report.run.models
    metrics = ("top1", "peak_memory", "throughput")
    results, peaks, speeds = (report.column(setting, metric) for metric in metrics)
    papers = [report.published[model.name].paper.get("top1") for model in models]
    timm = [report.published[model.name].timm.get("top1") for model in models]
    prepared, conditions = map(caveats.preprocessing, results), map(caveats.conditions, timm)
    table = caveats.tell_apart(table, "evaluated", {"top1": prepared, "top1_timm": conditions})
    accuracies: dict[str, Sequence[Result | Published | None]] = {
        "top1": results, "top1_paper": papers, "top1_timm": timm,
    }  # fmt: skip
    return caveats.letter(table, {
        "throughput": [*map(caveats.of_speed, speeds)],
        "memory": [*map(caveats.whole_peak, peaks)],
        **{key: [caveats.of_accuracy(report, model, setting, each)
                 for model, each in zip(models, column, strict=True)]
           for key, column in accuracies.items()},
    })  # fmt: skip


def _head(columns: Sequence[Column]) -> list[Column]:
    """The columns; a measured one that stands alone in its group has the heading of the group."""
    sizes = Counter(column.group for column in columns)
    return [
        replace(column, heading=column.group, group="")
        if column.heading == _MEASURED and sizes[column.group] == 1 else column
        for column in columns
    ]  # fmt: skip


def _columns(report: Report, setting: Setting) -> dict[Column, Iterable[object]]:
    models = report.run.models
    timm = [report.published[model.name].timm.get("top1") for model in models]
    tags = [model.recipe or model.weights for model in models]
    dataset = report.run.accuracy.get("dataset", "")

    def measured(metric: str, unit: float, key: str, heading: str, group: str = "") -> _Cells:
        column = Column(key, heading, "right", METRICS[metric].definition, group)
        return column, best.column(report, setting, metric, unit)

    def paper(quantity: str, key: str, heading: str, title: str, group: str = "") -> _Cells:
        figures = [report.published[model.name].paper.get(quantity) for model in models]
        return Column(key, heading, "right", title, group), map(entries.show_figure, figures)

    millions, params = _multiples(report, setting, "params", 1e6, "# Params")
    billions, macs = _multiples(report, setting, "macs", 1e9, "MACs")
    throughput = "Throughput (images/s)"
    here, published = f"{dataset} top-1 (%)", _published_top1(report)
    return dict([
        (Column("network", "Network", title="Below the label: its name and weights"), models),
        (Column("patch", "Patch", "right", "Side of the patches of the built model, in pixels"),
         [model.patch_size for model in models]),
        (Column("kernel", "Kernel", "right", "Side of its largest kernel after the stem"),
         [model.kernel_size for model in models]),
        measured("params", millions, "params", _MEASURED, params),
        paper("params", "params_paper", "paper", "As the paper prints it", params),
        measured("macs", billions, "macs", macs),
        measured("throughput", 1.0, "throughput", _MEASURED, throughput),
        paper("throughput", "throughput_paper", "paper, RTX 8000",
              "On another device: one RTX 8000, batch 64, half precision", throughput),
        measured("peak_memory", 2.0**20, "memory", "Peak memory (MiB)"),
        (Column("activation", "Activation", title="Activation function of the built model"),
         [model.activation or None for model in models]),
        (Column("epochs_here", "Epochs, here", "right", "Epochs of training in this run"),
         trained.epochs(report)),
        paper("epochs", "epochs", "Epochs, paper", "Epochs of training in the paper"),
        (Column("top1", _MEASURED, "right", f"Measured here on {dataset}", here),
         best.column(report, setting, "top1", 0.01)),
        paper("top1", "top1_paper", "paper", "Published, not measured here", published),
        (Column("top1_timm", "timm", "right",
                "Published by timm for the named weights at 224 × 224", published),
         map(entries.show_figure, timm, tags)),
    ])  # fmt: skip


_POWERS = {1e9: " (×10⁹)", 1e6: " (×10⁶)", 1e3: " (×10³)"}


def _multiples(
    report: Report, setting: Setting, metric: str, usual: float, heading: str
) -> tuple[float, str]:
    """The size of the multiples that suit a column of counts, and the heading that names them."""
    papers = [known.paper.get(metric) for known in report.published.values()]
    every = [*report.column(setting, metric), *papers]
    size = units.multiples(usual, [each.value for each in every if each and each.value])
    return size, heading + _POWERS.get(size, "")


def _remarks(
    report: Report, setting: Setting, rows: Iterable[Iterable[Entry]], keys: Collection[str]
) -> Iterator[str]:
    yield (
        f"The setting is {entries.in_words(setting.key)}. A value is the geometric mean over n "
        "fresh processes. ± is half its 95 % interval (Student's t). Where n reads “4 of 5”, the "
        "others failed, stayed disturbed, or were not measured."
    )
    if "throughput_paper" in keys:
        yield (
            "The paper measured throughput on another device (one RTX 8000, batch 64, half "
            "precision). It cannot be compared with the throughput measured here."
        )
    yield "A value without ± is exact, or it comes from one process."
    if report.has_top1 and report.over_seeds:
        yield (
            "Top-1 is the mean over the seeds, and n is their number. ± covers both Student's t "
            "over the seeds and Wilson's interval over the images."
        )
    given = ", ".join(model.label for model in report.run.with_weights)
    if report.has_top1 and report.run.trains and given:
        yield f"{given} came with weights. The other models were trained in this run."
    yield from best.remarks(rows)
    tagged = any(model.weights for model in report.run.models)
    names = "stand its name and the tag of its weights" if tagged else "stands its name"
    yield (
        f"Below a network {names}. "
        f"{'timm publishes top-1 for these weights. ' * ('top1_timm' in keys)}"
        "Speed and memory are those of the architecture with initial weights."
    )
    if report.run.precision is not None:
        yield (
            f"Where ± was wider than {units.percent(report.run.precision)}, processes beyond the "
            f"first {report.run.replicates} were measured, up to a limit of number and time."
        )
    published = len({"top1_paper", "top1_timm"} & {*keys})
    if published and not report.has_top1:
        shows = "Both columns show" if published > 1 else "Its column shows"
        yield f"Top-1 was not measured in this run. {shows} published figures."


def _published_top1(report: Report) -> str:
    """`ImageNet-1k top-1 (%), published`: with the data sets that the published figures are of."""
    figures = [
        known.get("top1")
        for figures in report.published.values()
        for known in (figures.paper, figures.timm)
    ]
    datasets = sorted({figure.dataset for figure in figures if figure is not None})
    return f"{', '.join(datasets)} top-1 (%), published"
