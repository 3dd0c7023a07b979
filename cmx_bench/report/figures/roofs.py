"""The roofline: the work of each model by kind, below what the device's peaks allow."""

from __future__ import annotations

from functools import partial

from pandas import DataFrame

from cmx_bench import units
from cmx_bench.measures.workload import KINDS
from cmx_bench.present.drawing import NothingToDrawError, Plot
from cmx_bench.present.drawing.scatter import scatter
from cmx_bench.report import entries
from cmx_bench.report.figures.captions import speak
from cmx_bench.report.figures.selection import Selection
from cmx_bench.report.tables.kinds import BEYOND, MEASURED, Roofs, by_model, describe, roofs

LACK = "work measured by kind"
_AXES = ("MACs a byte moved (1 MAC = 2 FLOPs)", "Billions of MACs a second")
_LEAST_SHARE = 0.01  # of a model's time: a classifier's layer explains nothing


def plot(chosen: Selection) -> Plot:
    """Billions of MACs a second against MACs a byte, a point for each kind of work of a model."""
    kinds, above = by_model(chosen.samples, chosen.batch_size), roofs(chosen.samples)
    rows = [
        (name, each.intensity, each.rate / 1e9, each.kind)
        for name, works in kinds.items()
        for total in [sum(each.seconds for each in works)]
        for each in works
        if each.intensity is not None and each.seconds >= _LEAST_SHARE * total
    ]
    if not rows:
        raise NothingToDrawError(f"Roofline · {chosen.name}")
    points = DataFrame(rows, columns=["model", "x", "y", "kind"]).set_index("model")
    points = points.join(chosen.models[["label", "family"]])
    ends = zip(points["x"], points["y"], strict=True)
    is_beyond = any(above and y > above.at(x) / 1e9 for x, y in ends)
    sentences = [
        "The work of each model by kind, and what the device allows "
        f"({entries.in_words(chosen.key)}). Below the slope memory is the limit, below the flat "
        f"roof arithmetic is. Kinds that take less than {units.percent(_LEAST_SHARE)} of a model's "
        "time are left out.",
        *([describe(above), MEASURED] if above else []),
        *[BEYOND] * is_beyond,
        *chosen.left_out(kinds, LACK),
    ]
    spelt = points.assign(label=points["label"] + ", " + points["kind"].map(KINDS).str.lower())
    return Plot(
        f"roofline-{chosen.key}", f"Roofline · {chosen.name}", " ".join(sentences),
        speak("MACs a byte and billions of MACs a second", spelt),
        points,
        partial(scatter, labels=_AXES, scales=("log", "log"),
                curve=("Measured roofs", curve(above, points))),
    )  # fmt: skip


def curve(above: Roofs | None, points: DataFrame) -> list[tuple[float, float]]:
    """The roofs over all points, with enough of the slope and of the flat to tell them apart."""
    if above is None:
        return []
    shown = (above.ridge / 4, *points["x"], above.ridge * 2)
    bends = (min(shown), above.ridge, max(shown))
    return [(bend, above.at(bend) / 1e9) for bend in bends]
