"""The table of trainings: what each model reached over the seeds, how long it took, by which
recipe."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pandas import DataFrame

from cmx_bench import units
from cmx_bench.cell import Model
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report import entries
from cmx_bench.results import frame
from cmx_bench.results.nouns import Report


def trainings(samples: DataFrame) -> dict[str, list[Mapping[str, Any]]]:
    """What is told of each model's trainings, one for each seed, by its name; settings share
    them."""
    ended = (samples["metric"] == "top1") & (samples["status"] == "ok")
    records = samples[ended & ~samples["why"].isin(frame.ASIDE)].drop_duplicates("record")
    seeds: dict[str, list[Mapping[str, Any]]] = {}
    by_cell = records.groupby(["model", "setting"], observed=True, sort=False)["details"]
    for (model, _), details in by_cell:
        seeds.setdefault(str(model), [each["training"] for each in details if each.get("training")])
    return seeds


def epochs(report: Report) -> list[int | None]:
    """For how many epochs each model was trained here; None where it was not."""
    seeds = trainings(report.samples)
    trained = [seeds.get(model.name) for model in report.run.models]
    return [int(of_model[0]["epochs"]) if of_model else None for of_model in trained]


def table(report: Report) -> Table:
    """One row a model that was trained."""
    columns = (
        Column("network", "Network"),
        Column("seeds", "Seeds", "right"),
        Column("last", "Top-1 after the last epoch (%)", "right",
               "Mean over the seeds and its standard deviation (SD)"),
        Column("best", "Top-1 of the best epoch (%)", "right"),
        Column("epoch", "Best epoch", "right", "Of each seed"),
        Column("loss", "Loss of the last epoch", "right", "With augmented images and soft targets"),
        Column("time", "Time", "right", "Training steps of one seed (mean), without evaluation"),
        Column("speed", "Training (images/s)", "right", "Includes loading and augmenting images"),
        Column("waiting", "Time waiting for images", "right",
               "Share of that time: where it is large, images/s are those of loading"),
    )  # fmt: skip
    by_model = trainings(report.samples)
    trained = [(model, seeds) for model in report.run.models if (seeds := by_model.get(model.name))]
    at_once = max((seed.get("at_once", 1) for _, seeds in trained for seed in seeds), default=1)
    rows = (_row(model, seeds) for model, seeds in trained)
    return entries.table("training", "Training", columns, rows, _remarks(report, at_once))


def _row(model: Model, seeds: Sequence[Mapping[str, Any]]) -> tuple[object, ...]:
    last = [seed["curve"][-1] for seed in seeds]
    best = [seed["best"]["epoch"] for seed in seeds]
    seconds, waiting = statistics.fmean(seed["seconds"] for seed in seeds), None
    timed = [point for seed in seeds for point in seed["curve"] if "data_seconds" in point]
    if timed:
        share = sum(each["data_seconds"] for each in timed) / sum(each["seconds"] for each in timed)
        waiting = Entry(units.percent(share), sort=share)
    return (
        model,
        Entry(str(len(seeds)), ", ".join(str(seed["seed"]) for seed in seeds), len(seeds)),
        _over_seeds([100 * point["top1"] for point in last]),
        _over_seeds([100 * seed["best"]["top1"] for seed in seeds]),
        Entry(", ".join(map(str, best)), sort=statistics.fmean(best)),
        _over_seeds([point["loss"] for point in last]),
        Entry(units.duration(seconds), sort=seconds),
        _over_seeds([seed["images_per_second"] for seed in seeds]),
        waiting,
    )


def _over_seeds(values: Sequence[float]) -> Entry:
    mean = statistics.fmean(values)
    spread = f"SD {units.significant(statistics.stdev(values), 2)}" if len(values) > 1 else ""
    return Entry(units.significant(mean, 4), spread, mean)


def _remarks(report: Report, at_once: int) -> Iterator[str]:
    recipe = report.run.accuracy.get("train") or {}
    about = f": {recipe['about']}" if recipe.get("about") else ""
    yield (
        f"Recipe {recipe.get('name')}{about}. Every model of this table was trained with it. "
        "run.json has all of it."
    )
    if labels := [model.label for model in report.run.with_weights]:
        verb = "was" if len(labels) == 1 else "were"
        yield f"{', '.join(labels)} came with weights and {verb} not trained here."
    yield (
        "A training starts with weights drawn from the seed. Accuracy is that of the last epoch. "
        "The best epoch was chosen on the same images: its accuracy tends to be too high."
    )
    if report.over_seeds:
        yield "Values are means over the seeds, with their standard deviation (SD)."
    if at_once > 1:
        yield f"Times were taken while up to {at_once} trainings ran side by side on the machine."
