"""The predictions of models for each image as a DataFrame, and their summary by class."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from pandas import DataFrame

from cmx_bench.results import stats
from cmx_bench.results.agreement import Voter, Votes
from cmx_bench.results.loading import read
from cmx_bench.results.users_frames import require
from cmx_bench.units import plain

# What each column of the predictions holds.
COLUMNS: Mapping[str, str] = {
    "run": "name of the run",
    "model": "name of the model in the suite",
    "label": "what reports call it",
    "setting": "key of the setting",
    "image": "the image, within its data set",
    "truth": "number of its class",
    "said": "number of the likeliest class, as the model says",
    "right": "whether this is a class of the image",
    "truth_name": "name of its class; the number where the data set knows none",
    "said_name": "name of the likeliest class",
}
_OF_MODEL = ["run", "model", "label", "setting"]


def predictions(path: str | os.PathLike[str]) -> DataFrame:
    """The prediction of each model of a run for each image that counts, with the columns of
    `COLUMNS`.

    A model that was trained several times has the predictions of its first training. The class of
    an image with several labels is the predicted one, if it is among them, and otherwise the first.

    Args:
        path: the folder of a run or its report.html.

    Raises:
        RecordsError: it is no run, or cannot be read.
    """
    report = read(Path(path))
    labels = {name: model.label for name, model in report.models.items()}
    return of_votes(report.votes, labels, report.run.name)


def of_votes(
    votes: Votes, labels: Mapping[str, str], run: str, setting: str | None = None
) -> DataFrame:
    """The same of what was read, in all settings or in one.

    Args:
        labels: of models, by their names.
        run: the name of the run.
    """
    voters = [voter for voter in votes.classes if setting in (None, voter[1])]
    frames = [
        _of_voter(votes, voter, plain(labels[voter[0]])).assign(run=run) for voter in voters
    ]  # fmt: skip
    frame = pd.concat(frames, ignore_index=True) if frames else DataFrame(columns=list(COLUMNS))
    for column in ("truth", "said"):
        numbers = frame[column].unique()
        names = {number: class_name(votes, int(number)) for number in numbers}
        frame[f"{column}_name"] = frame[column].map(names).astype("category")
    for column in _OF_MODEL:
        frame[column] = pd.Categorical(frame[column], list(dict.fromkeys(frame[column])))
    return frame[list(COLUMNS)]


def class_name(votes: Votes, number: int) -> str:
    """The name of a class, or its number where no name is known."""
    return plain(votes.images.names.get(number, str(number)))


def _of_voter(votes: Votes, voter: Voter, label: str) -> DataFrame:
    counted = np.flatnonzero(votes.counted[voter])
    said, right = votes.classes[voter][counted], votes.right[voter][counted]
    first = np.array([votes.images.labels[place][0] for place in counted], np.int32)
    return DataFrame({
        "model": voter[0], "label": label, "setting": voter[1],
        "image": [votes.images.keys[place] for place in counted],
        "truth": np.where(right, said, first), "said": said, "right": right,
    })  # fmt: skip


def per_class(predictions: DataFrame) -> DataFrame:
    """A row for each class of each model, setting and run: its `images`, how many are `right`, that
    share (`value`) with Wilson's 95 % interval, the wrong class that is predicted most (`instead`),
    and how many `times`.

    Args:
        predictions: as `predictions` gives them, or some of their rows.

    Raises:
        ValueError: columns are missing.
    """
    predictions = require(predictions, COLUMNS, (), "predictions")
    columns = [*_OF_MODEL, "class", "name", "images", "right", "value", "low", "high", "instead",
               "times"]  # fmt: skip
    return DataFrame(list(_classes(predictions)), columns=columns)


def _classes(predictions: DataFrame) -> Iterator[tuple[object, ...]]:
    wrong = mistakes(predictions).drop_duplicates([*_OF_MODEL, "truth"])
    instead = {tuple(row[:5]): row[6:] for row in wrong.itertuples(index=False, name=None)}
    groups = predictions.groupby([*_OF_MODEL, "truth"], observed=True, sort=False)
    counts = groups.agg(name=("truth_name", "first"), images=("right", "size"),
                        right=("right", "sum")).reset_index()  # fmt: skip
    counts = counts.sort_values([*_OF_MODEL, "truth"])
    for *model, number, name, images, right in counts.itertuples(index=False, name=None):
        share = stats.proportion(int(right), int(images))
        span = (share.value, share.low, share.high)
        yield *model, number, name, images, right, *span, *instead.get((*model, number), ("", 0))


def mistakes(predictions: DataFrame) -> DataFrame:
    """The pairs of classes that each model confuses, the most frequent first: `truth`, the name of
    the class that is `instead` said, and how many `times`."""
    wrong = predictions[~predictions["right"].astype(bool)]
    keys = [*_OF_MODEL, "truth", "said", "said_name"]
    pairs = wrong.groupby(keys, observed=True, sort=False).size().reset_index(name="times")
    pairs = pairs.rename(columns={"said_name": "instead"})
    return pairs.sort_values(
        [*_OF_MODEL, "times", "truth", "said"], ascending=[True] * 4 + [False, True, True]
    ).reset_index(drop=True)
