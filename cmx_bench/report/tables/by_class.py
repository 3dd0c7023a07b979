"""The tables of classes: how accurate models are in each, and which they take for which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pandas import DataFrame

from cmx_bench import units
from cmx_bench.cell import Setting
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report import entries
from cmx_bench.results import classwise
from cmx_bench.results.nouns import Report
from cmx_bench.units import tally

MOST_CLASSES = 20  # that a matrix, or a table of classes, can show
_MOST_PAIRS = 10  # of classes that a model confuses, where there are more classes
_IMAGES = "One with several labels is of the class that a model says, where that is one of them"
_WILSON = "Share of the images of the class that are right, with Wilson's 95 % interval"


def tables(report: Report, setting: Setting) -> Iterator[Table]:
    """Accuracy by class; then a matrix for each model or, of many classes, the pairs that are
    confused most."""
    labels = {name: model.label for name, model in report.models.items()}
    predictions = classwise.of_votes(report.votes, labels, report.run.name, setting.key)
    if predictions.empty:
        return
    yield accuracies(predictions, setting, report.over_seeds)
    if len(classes_of(predictions)) > MOST_CLASSES:
        yield pairs(predictions, setting)
        return
    for name, mine in predictions.groupby("model", observed=True, sort=False):
        yield matrix(mine, f"confusion-{name}-{setting.key}", setting)


def classes_of(predictions: DataFrame) -> dict[int, str]:
    """The classes that there are images of, or that a model said, by number and in order."""
    pairs = [predictions[["truth", "truth_name"]], predictions[["said", "said_name"]]]
    names = {
        int(number): str(name)
        for pair in pairs
        for number, name in pair.drop_duplicates().itertuples(index=False, name=None)
    }
    return dict(sorted(names.items()))


def accuracies(predictions: DataFrame, setting: Setting, over_seeds: bool) -> Table:
    """A row for each class; of many the ones that all models together have most often wrong.

    Args:
        predictions: as `classwise.of_votes` gives it, of this setting.
        over_seeds: whether models were trained several times.
    """
    classes = classwise.per_class(predictions)
    models = predictions.drop_duplicates("model")
    columns = (
        Column("class", "Class"),
        Column("images", "Images", "right", _IMAGES),
        *(
            Column(f"top1-{model.model}", str(model.label), "right", _WILSON)
            for model in models.itertuples()
        ),
    )
    sums = classes.groupby("class")[["images", "right"]].sum()
    share = (sums["right"] / sums["images"]).sort_values(kind="stable")
    shown = sorted(share.index) if len(share) <= MOST_CLASSES else list(share.index[:MOST_CLASSES])
    known = {(row["class"], row["model"]): row for row in classes.to_dict("records")}
    names = classes_of(predictions)
    images = classes.groupby("class")["images"].agg(["min", "max"])
    rows = [
        (
            _class(names[number], number),
            _images(*images.loc[number]),
            *(_share(known.get((number, model))) for model in models["model"]),
        )
        for number in shown
    ]
    title = f"Accuracy by class · {setting.title} ({setting.key})"
    remarks = [f"{_WILSON}."]
    if len(share) > MOST_CLASSES:
        remarks.append(f"The {MOST_CLASSES} of {len(share)} classes that are most often wrong.")
    if over_seeds:
        remarks.append("Of models that were trained several times the first seed.")
    return entries.table(f"classes-{setting.key}", title, columns, rows, remarks)


def _class(name: str, number: int) -> Entry:
    return Entry(name, "" if name == str(number) else str(number), number)


def _images(least: int, most: int) -> Entry:
    return Entry(f"{least:,}" if least == most else f"{least:,} to {most:,}", sort=least)


def _share(row: Any) -> Entry:
    if row is None:
        return entries.DASH
    low, high = (units.hundredths(row[edge], 2) for edge in ("low", "high"))
    wrong = f", most often taken for {row['instead']} ({row['times']})" if row["times"] else ""
    title = f"{row['right']} of {tally(row['images'], 'image')} right{wrong}"
    return Entry(units.hundredths(row["value"], 3), f"{low} to {high}", row["value"], title)


def matrix(predictions: DataFrame, key: str, setting: Setting) -> Table:
    """How many images of each class one model takes for which."""
    classes = classes_of(predictions)
    counts = predictions.groupby(["truth", "said"], observed=True).size().to_dict()
    columns = (
        Column("class", "Class"),
        *(Column(f"said-{number}", name, "right") for number, name in classes.items()),
    )
    rows = [
        (_class(name, truth),
         *(Entry(f"{images:,}", sort=images, best=truth == other, quiet=not images)
           for other in classes for images in [counts.get((truth, other), 0)]))
        for truth, name in classes.items()
    ]  # fmt: skip
    label = str(predictions["label"].iloc[0])
    title = f"Confusion matrix of {label} · {setting.title}"
    remarks = (
        "Rows are the true classes, columns the predicted ones. Right predictions are bold.",
    )
    return entries.table(key, title, columns, rows, remarks, folded=True)


def pairs(predictions: DataFrame, setting: Setting) -> Table:
    """The pairs of classes that each model confuses most."""
    columns = (Column("network", "Network"), Column("class", "Class"),
               Column("instead", "Taken for"), Column("times", "Images", "right"),
               Column("share", "Of the class (%)", "right"))  # fmt: skip
    images = predictions.groupby(["model", "truth"], observed=True).size().to_dict()
    names = classes_of(predictions)
    mistakes = classwise.mistakes(predictions)
    most = mistakes.groupby("model", observed=True, sort=False).head(_MOST_PAIRS)
    rows = [
        (
            str(pair["label"]),
            _class(names[pair["truth"]], pair["truth"]),
            _class(pair["instead"], pair["said"]),
            Entry(f"{pair['times']:,}", sort=pair["times"]),
            Entry(units.hundredths(share, 3), sort=share),
        )
        for pair in most.to_dict("records")
        for share in [pair["times"] / images[pair["model"], pair["truth"]]]
    ]
    title = f"Classes that are confused most · {setting.title}"
    remarks = (f"At most {_MOST_PAIRS} pairs of each model.",)
    return entries.table(f"confused-{setting.key}", title, columns, rows, remarks, True, naming=3)
