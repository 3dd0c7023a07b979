"""The table of trainings: what each model reached over the seeds, how long it took, by which
recipe."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from cmx_bench import units
from cmx_bench.cell import Model
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report import entries
from cmx_bench.results.nouns import Report
from cmx_bench.units import plain


def trainings(report: Report, model: Model) -> Sequence[Mapping[str, Any]]:
    """What is told of a model's trainings, one for each seed; settings share them."""
    for setting in report.run.settings:
        result = report.results.get((model.name, setting.key, "top1"))
        if result is not None and (details := report.details(result)):
            return [one["training"] for one in details if one.get("training")]
    return []


def epochs(report: Report, model: Model) -> int | None:
    """For how many epochs a model was trained here; None where it was not."""
    return next((int(one["epochs"]) for one in trainings(report, model)), None)


def table(report: Report) -> Table:
    """One row a model that was trained."""
    columns = (
        Column("network", "Network"),
        Column("seeds", "Seeds", "right"),
        Column("last", "Top-1 after the last epoch (%)", "right",
               "Mean over the seeds, with their standard deviation (SD)"),
        Column("best", "Top-1 of the best epoch (%)", "right"),
        Column("epoch", "Best epoch", "right", "Of each seed"),
        Column("loss", "Loss of the last epoch", "right", "With augmented images and soft targets"),
        Column("time", "Time", "right", "Of the steps of one training (mean), without evaluation"),
        Column("speed", "Training (images/s)", "right", "With loading and augmenting the images"),
    )  # fmt: skip
    rows = tuple(
        _row(model, found)
        for model in report.run.models
        if (found := trainings(report, model))
    )  # fmt: skip
    return Table("training", "Training", columns, rows, tuple(_remarks(report)))


def _row(model: Model, found: Sequence[Mapping[str, Any]]) -> tuple[Entry, ...]:
    last = [one["curve"][-1] for one in found]
    best = [one["best"]["epoch"] for one in found]
    return (
        entries.network(model),
        Entry(str(len(found)), ", ".join(str(one["seed"]) for one in found), len(found)),
        _over_seeds([100 * point["top1"] for point in last]),
        _over_seeds([100 * one["best"]["top1"] for one in found]),
        Entry(", ".join(map(str, best)), sort=statistics.fmean(best)),
        _over_seeds([point["loss"] for point in last]),
        _duration(statistics.fmean(one["seconds"] for one in found)),
        _over_seeds([one["images_per_second"] for one in found]),
    )


def _over_seeds(values: Sequence[float]) -> Entry:
    mean = statistics.fmean(values)
    if len(values) == 1:
        return Entry(units.significant(mean, 4), sort=mean)
    spread = statistics.stdev(values)
    return Entry(units.significant(mean, 4), f"SD {units.significant(spread, 2)}", mean)


def _duration(seconds: float) -> Entry:
    return Entry(units.duration(seconds), sort=seconds)


def _remarks(report: Report) -> list[str]:
    recipe = report.run.accuracy.get("train") or {}
    told = f"Recipe {recipe.get('name')}" + (f": {recipe['about']}" if recipe.get("about") else "")
    remarks = [
        plain(f"{told}. It is the same for every model, and stands whole in run.json."),
        "Every model begins with weights drawn from the seed. Accuracy is that of the last epoch. "
        "The best epoch was chosen by the very images that it is told of, and flatters.",
    ]
    found = [one for model in report.run.models for one in trainings(report, model)]
    if report.over_seeds:
        remarks.append("Values are means over the seeds, with their standard deviation (SD).")
    if (at_once := max((one.get("at_once", 1) for one in found), default=1)) > 1:
        remarks.append(f"Times are of up to {at_once} trainings side by side on the machine.")
    return remarks
