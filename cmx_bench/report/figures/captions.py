"""What captions and alternative texts say of points."""

from __future__ import annotations

from collections.abc import Iterator

from pandas import DataFrame

from cmx_bench import units
from cmx_bench.metrics import METRICS
from cmx_bench.present.content import DISTURBED, first_few
from cmx_bench.report.figures.selection import Selection
from cmx_bench.results.disturbance import FEWEST_UNDISTURBED

_SPOKEN = 12


def speak(what: str, points: DataFrame) -> str:
    """Words for points: what they show, and the first of them."""
    first = zip(*(points[name][:_SPOKEN] for name in ("label", "x", "y")), strict=True)
    sentence = (
        f"{label} {units.significant(x, 3)}, {units.significant(y, 4)}" for label, x, y in first
    )
    return f"{what}: {'; '.join(sentence)}."


def bars(points: DataFrame) -> str:
    """What a caption says of intervals."""
    alone = points["low"].isna()
    if alone.all():
        return "There is no interval: each value is from a single process."
    return (
        "Bars are 95 % intervals over fresh processes; where none shows, it is narrower than the "
        f"marker{', or the value is from a single process' * bool(alone.any())}."
    )


def doubts(chosen: Selection, points: DataFrame, metric: str) -> Iterator[str]:
    """What a caption says of points that rest on disturbed processes, or beside which processes
    failed."""
    values = chosen.every(metric)
    if failed := list(values.loc[values["status"] == "failed", "model"]):
        labels = list(dict.fromkeys(chosen.models.loc[failed, "label"]))
        yield f"Some processes failed of {first_few(labels)}."
    if points["disturbed"].any():
        yield (
            f"Faded points marked {DISTURBED} are disturbed: fewer than {FEWEST_UNDISTURBED} of "
            "their processes were calm, and they may be off by more than their bars."
        )


def above_zero(chosen: Selection, metric: str) -> str:
    """What models lack that a logarithmic axis does not show: the metric, or one above zero."""
    title = METRICS[metric].title
    words = title if metric == "macs" else title.lower()
    return f"{words} above zero" if (chosen.every(metric)["value"] <= 0).any() else words


def little(points: DataFrame, y: str) -> Iterator[str]:
    """What a caption says where there is little to see: one point, or the same y everywhere."""
    if len(points) == 1:
        yield f"Only {points['label'].iloc[0]} is shown: no other model has the values."
    elif points["y"].nunique() == 1:
        yield f"All have the same {y}."
