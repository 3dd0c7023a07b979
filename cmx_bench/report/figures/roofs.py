"""Why a model is slow: its work by kind below the device's roofs, and where its time goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from cmx_bench import units
from cmx_bench.cell import Setting
from cmx_bench.measures.work import KINDS, Work
from cmx_bench.present.plot import (
    Axis,
    Curve,
    Plot,
    Point,
    Scatter,
    Stack,
    Stacks,
    short_label,
    spoken,
)
from cmx_bench.report.figures.cost import left_out
from cmx_bench.report.tables.kinds import MEASURED, Roofs, by_model, described, roofs
from cmx_bench.results.nouns import Report

# Beyond so many the bars cannot be read, nor drawn quickly.
_MOST_STACKS = 16
_WORK = "work measured by kind"
_LEAST_SHARE = 0.01  # of a model's time: a classifier's layer explains nothing


def roofline(report: Report, setting: Setting) -> Plot:
    """Each kind of work of each model: MACs a second against MACs a byte."""
    above, found = roofs(report, setting), by_model(report, setting)
    points = tuple(
        Point(short_label(model.label), model.family, one.intensity, one.rate / 1e9, kind=one.kind)
        for model in report.run.models
        for one in _considerable(found.get(model.name, ()))
        if one.intensity is not None
    )
    sentences = [
        f"The work of each model on {setting.key}, by kind, and what the device allows: below the "
        "slope memory is the limit, below the flat roof arithmetic. Kinds that take less than "
        f"{units.percent(_LEAST_SHARE)} of a model's time are left out.",
        *([described(above), MEASURED] if above else []),
        *left_out(report.run.models, found, _WORK),
    ]
    spelt = [replace(one, label=f"{one.label}, {KINDS[one.kind].lower()}") for one in points]
    return Plot(
        f"roofline-{setting.key}", f"Roofline · {setting.name}",
        " ".join(sentences),
        spoken("MACs a byte and billions of MACs a second", spelt),
        Scatter(
            Axis("MACs a byte moved (1 MAC = 2 FLOPs)", logarithmic=True),
            Axis("Billions of MACs a second", logarithmic=True),
            points,
            (_curve(above, points),) if above and points else (),
        ),
    )  # fmt: skip


def _considerable(found: Sequence[Work]) -> list[Work]:
    total = sum(one.seconds for one in found)
    return [one for one in found if one.seconds >= _LEAST_SHARE * total]


def _curve(above: Roofs, points: Sequence[Point]) -> Curve:
    """The roofs over all points, with enough of the slope and of the flat to tell them apart."""
    shown = (above.ridge / 4, *(point.x for point in points), above.ridge * 2)
    bends = (min(shown), above.ridge, max(shown))
    return Curve("Measured roofs", tuple((one, above.at(one) / 1e9) for one in bends))


_BARS: dict[str, Callable[[Work], float]] = {
    "MACs": lambda one: one.macs,
    "bytes": lambda one: one.bytes,
    "time": lambda one: one.seconds,
}


def shares(report: Report, setting: Setting) -> Plot:
    """What share of a model's MACs, bytes and time each kind of work has."""
    found = by_model(report, setting)
    models = [model for model in report.run.models if model.name in found]
    stacks = tuple(
        _stack(short_label(model.label), found[model.name]) for model in models[:_MOST_STACKS]
    )
    sentences = [
        f"Shares of the MACs, of the bytes that operators must move and of the time of a forward "
        f"pass on {setting.key}, by kind of work. A kind that takes a far larger share of the time "
        f"than of the MACs is why a model is slower than its MACs say. {MEASURED}"
    ]
    if len(models) > _MOST_STACKS:
        sentences.append(f"The first {_MOST_STACKS} of {len(models)} models are shown.")
    sentences += left_out(report.run.models, found, _WORK)
    return Plot(
        f"work-{setting.key}", f"Where work and time go · {setting.name}", " ".join(sentences),
        f"The kind of work that takes most of the time: {'; '.join(map(_told, stacks))}.",
        Stacks(Axis("Share of the model's total (%)"), tuple(KINDS), stacks),
    )  # fmt: skip


def _stack(label: str, found: Sequence[Work]) -> Stack:
    by_kind = {one.kind: one for one in found}
    bars = []
    for name, value in _BARS.items():
        total = sum(map(value, found)) or 1.0  # there are models without MACs
        bars.append((name, tuple(100 * value(by_kind[kind]) / total if kind in by_kind else 0.0
                                 for kind in KINDS)))  # fmt: skip
    return Stack(label, tuple(bars))


def _told(stack: Stack) -> str:
    """`ResNet-50 pointwise and other convolutions, 80 % (99 % of the MACs)`."""
    shares = dict(stack.bars)
    seconds, macs, title = max(zip(shares["time"], shares["MACs"], KINDS.values(), strict=True))
    time, work = (units.significant(share, 2) for share in (seconds, macs))
    return f"{stack.label} {title.lower()}, {time} % ({work} % of the MACs)"
