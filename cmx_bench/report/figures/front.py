"""Accuracy against throughput with the Pareto front and each model's probability of being on it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame, Series

from cmx_bench.present.drawing import NothingToDrawError, Plot, scatter
from cmx_bench.report import entries
from cmx_bench.report.figures import pareto
from cmx_bench.report.figures.cost import THROUGHPUT
from cmx_bench.report.figures.figure_one import DOUBT, published_top1
from cmx_bench.report.figures.selection import Selection, note_sparse, speak
from cmx_bench.results import stats
from cmx_bench.results.agreement import Votes

_VALIDATION_IMAGES = 50_000  # of ImageNet, on which the published figures were counted


def plot(chosen: Selection, votes: Votes | None = None) -> Plot:
    """Top-1 in percent against images a second, with the Pareto front and the probability of being
    on it; top-1 as measured in this setting or, where no model's was, as published.

    Args:
        votes: the predictions of the run (`results.agreement.read`), which samples do not hold.
            Without them, models count as right or wrong independently of each other, and leads are
            less certain.
    """
    chosen = chosen if votes is None else replace(chosen, votes=votes)
    title = f"Accuracy against throughput · {chosen.name}"
    top1 = chosen.values("top1")
    measured = not top1.empty
    points = _points(chosen, top1 if measured else _find_published(chosen))
    if points.empty:
        raise NothingToDrawError(title)
    chances = _chances(chosen, points, measured)
    marks = [f" · {_percent(chance)}" for chance in chances] or [""] * len(points)
    of_all = points["unlike"].iloc[0] if points["unlike"].nunique() == 1 else ""
    unlike = "" if of_all else points["unlike"]  # what all have stands at the axis
    labels = points["label"] + points["doubt"] + unlike + marks
    points = points.assign(label=labels, published=not measured)
    dataset = chosen.dataset if measured else "ImageNet"
    return Plot(
        f"front-{chosen.key}", title, _caption(chosen, points, measured, sure=bool(chances)),
        speak("Images a second and top-1 in percent, with the probability that a model is on the "
               "Pareto front", points),
        points, partial(scatter, labels=(THROUGHPUT.axis, f"{dataset} top-1 (%){of_all}"),
                        scales=("log", "close"), curve=("Pareto front", steps(points))),
    )  # fmt: skip


def _points(chosen: Selection, top1: DataFrame) -> DataFrame:
    speed = chosen.values("throughput")
    points = chosen.models.assign(
        x=speed["value"], left=speed["low"], right=speed["high"], disturbed=speed["disturbed"],
        y=100 * top1["value"], low=100 * top1["low"], high=100 * top1["high"], n=top1["n"],
        doubt=top1.get("doubt", ""),
        unlike=Series({row.Index: _unlike(chosen, row) for row in top1.itertuples()}, dtype=object),
    ).dropna(subset=["x", "y"])  # fmt: skip
    return points[points["x"] > 0].astype({"disturbed": bool})


def _unlike(chosen: Selection, top1: Any) -> str:
    """` (224 px)`: the image size and weights of a top-1 that are not those of the throughput."""
    parts = []
    if top1.image_size > 0 and top1.image_size != chosen.image_size:
        parts.append(f"{top1.image_size:.0f} px")
    if isinstance(top1.weights, str) and top1.weights != chosen.models.loc[top1.Index, "weights"]:
        parts.append("other weights")
    return f" ({', '.join(parts)})" * bool(parts)


def _find_published(chosen: Selection) -> DataFrame:
    rows = {}
    for model in chosen.models.itertuples():
        figure = published_top1(model)
        if figure is not None and figure.value is not None:
            right = round(figure.value * _VALIDATION_IMAGES)
            share = stats.proportion(right, _VALIDATION_IMAGES)
            rows[model.Index] = (
                share.value, share.low, share.high, share.n, "†" * figure.doubtful,
                float(figure.image_size or "nan"), None,
            )  # fmt: skip
    columns = ["value", "low", "high", "n", "doubt", "image_size", "weights"]
    return DataFrame.from_dict(rows, "index", columns=columns)


def _chances(chosen: Selection, points: DataFrame, measured: bool) -> list[float]:
    """The probabilities; none where a model has one process only, or one that stood still."""
    medians = {row.model: row.medians for row in chosen.results if row.metric == "throughput"}
    processes = [list(medians[name].values()) for name in points.index]
    if min(map(len, processes)) < 2 or min(map(min, processes)) <= 0:
        return []
    top1 = list(points["y"] / 100)
    covariance = _covariance(chosen, points) if measured else None
    if covariance is None:
        covariance = pareto.other_images(top1, list(points["n"]))
    return pareto.probabilities(processes, top1, covariance)


def _covariance(chosen: Selection, points: DataFrame) -> NDArray[np.float64] | None:
    """That over the images that count for all, or of the intervals over several seeds; None where
    predictions are not at hand."""
    voters, votes = [(name, chosen.key) for name in points.index], chosen.votes
    if chosen.over_seeds:
        halves = ((points["high"] - points["low"]) / 200).fillna(0.0).to_numpy(np.float64)
        return np.diag(np.square(halves) / stats.quantile(0.975, np.inf) ** 2)
    if not set(voters) <= votes.right.keys():
        return None
    both = np.logical_and.reduce([votes.counted[voter] for voter in voters])
    return pareto.same_images([votes.right[voter][both] for voter in voters])


def _percent(chance: float) -> str:
    """Whole percent: the draws support no more."""
    if 0.995 <= chance < 1:
        return "> 99 %"
    return "< 1 %" if 0 < chance < 0.005 else f"{round(100 * chance)} %"


def steps(points: DataFrame) -> list[tuple[float, float]]:
    """The front as steps between the models on it: what is left of them and below is beaten. No
    step where there is one model."""
    first = points[pareto.on_front(points["x"].to_numpy(), points["y"].to_numpy())]
    best = sorted(zip(first["x"], first["y"], strict=True))
    down = [spot for (x, y), (_, below) in pairwise(best) for spot in ((x, y), (x, below))]
    return [*down, best[-1]] if down else []


def _caption(chosen: Selection, points: DataFrame, measured: bool, sure: bool) -> str:
    source = "measured in this run" if measured else "published, as in Figure 1"
    sentences = [
        f"Top-1, {source}, against throughput on {entries.in_words(chosen.key)}. Bars are 95 % "
        f"intervals over fresh processes and over {'seeds and ' * chosen.over_seeds}the images. "
        "The line is the Pareto front: no model is both faster and more accurate than one on it.",
        "The percentage is a model's probability of being on it, over "
        f"{pareto.draws(len(points)):,} draws of all throughputs (Student's t over the processes) "
        "and of all top-1 (normal)."
        if sure
        else "Probabilities of being on it need two processes of every model.",
    ]
    if (points["doubt"] != "").any():
        sentences.append(DOUBT)
    if (points["unlike"] != "").any():
        sentences.append(
            "Brackets name the size of the images, and other weights, that a top-1 is of. "
            f"Throughput is of images of {chosen.image_size} px."
        )
    speed = chosen.above_zero(THROUGHPUT.metric)
    sentences += chosen.doubts(points, "throughput")
    sentences += note_sparse(points, "top-1")
    return " ".join([*sentences, *chosen.left_out(points.index, f"{speed} or top-1")])
