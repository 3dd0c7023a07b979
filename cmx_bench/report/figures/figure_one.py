"""The paper's Figure 1: accuracy against parameters, measured and published."""

from __future__ import annotations

from collections.abc import Iterator

from cmx_bench import published
from cmx_bench.cell import Model
from cmx_bench.present.plot import Axis, Plot, Point, Scatter, short_label, spoken
from cmx_bench.published import Published
from cmx_bench.report.figures.cost import PARAMS, left_out
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result
from cmx_bench.units import plain


def plot(report: Report) -> Plot:
    """The paper's Figure 1; of another data set than ImageNet only what was measured."""
    models = report.run.models
    found = {model.name: tuple(_points(report, model)) for model in models}
    points = tuple(point for some in found.values() for point in some)
    ours = tuple(one for one in points if not one.published)
    if ours and not report.on_imagenet:
        evaluated = plain(str(report.run.accuracy.get("dataset", "an unknown data set")))
        there = [name for name, some in found.items() if any(not one.published for one in some)]
        sentences = [
            f"Top-1 on {evaluated} against parameters, all measured in this run.",
            "Means over the seeds; bars are 95 % intervals over seeds and images."
            if report.over_seeds
            else "Bars are Wilson's 95 % intervals over the images.",
            *left_out(models, there, "top-1 or parameters"),
        ]
        return Plot(
            "figure1", "Figure 1 · Accuracy against parameters", " ".join(sentences),
            spoken(f"{evaluated} top-1 in percent against millions of parameters", ours),
            Scatter(PARAMS.axis, Axis(f"{evaluated} top-1 (%)"), ours),
        )  # fmt: skip
    sentences = [
        "ImageNet top-1 against parameters, as in the paper's Figure 1. Filled markers are "
        "measured in this run; hollow ones are published: the paper's figure or, where the paper "
        "has none, timm's for the weights named."
    ]
    if any(point.label.endswith("†") for point in points):
        sentences.append(DOUBT)
    there = [name for name, some in found.items() if some]
    sentences += left_out(models, there, "top-1 or parameters")
    return Plot(
        "figure1", "Figure 1 · Accuracy against parameters", " ".join(sentences),
        spoken("ImageNet top-1 in percent against millions of parameters", points),
        Scatter(Axis(PARAMS.axis.label, (0, 120)), Axis("ImageNet top-1 (%)", (72, 82)), points),
    )  # fmt: skip


DOUBT = (
    "† marks figures that nobody has checked against the paper's PDF; their grades stand "
    "under the published figures."
)


def _points(report: Report, model: Model) -> Iterator[Point]:
    """A model's measured accuracy, its published one, or both."""
    params = _params(report, model)
    if params is None:
        return
    found = _any_setting(report, model, "top1")
    if found is not None and found.estimate is not None:
        value, low, high = (
            None if one is None else 100 * one
            for one in (found.estimate.value, found.estimate.low, found.estimate.high)
        )
        assert value is not None
        yield Point(
            short_label(model.label), model.family, params / 1e6, value, low, high,
            line=model.family,
        )  # fmt: skip
    figure = published_top1(report, model)
    if figure is not None and figure.value is not None:
        yield Point(
            published_label(model, figure), model.family, params / 1e6, 100 * figure.value,
            published=True, line=model.family,
        )  # fmt: skip


def _params(report: Report, model: Model) -> float | None:
    """Parameters as counted here, or else as the paper prints them."""
    counted = _any_setting(report, model, "params")
    if counted is not None and counted.estimate is not None:
        return counted.estimate.value
    printed = report.published[model.name].paper.get("params")
    return None if printed is None else printed.value


def _any_setting(report: Report, model: Model, metric: str) -> Result | None:
    found = (
        report.result(model, setting.key, setting.image_size, metric)
        for setting in report.run.settings
    )
    return next((one for one in found if one is not None and one.estimate is not None), None)


def published_top1(report: Report, model: Model) -> Published | None:
    """The paper's top-1 on ImageNet or, where it has none, timm's for the weights named."""
    known = report.published[model.name]
    figure = known.paper.get("top1") or known.timm.get("top1")
    if figure is None or figure.value is None or figure.dataset != "ImageNet-1k":
        return None
    return figure


def published_label(model: Model, figure: Published) -> str:
    """The model's label with what a reader has to know of where a figure comes from."""
    return short_label(model.label) + _tag(figure) + "†" * figure.doubtful


def _tag(figure: Published) -> str:
    seen_more = ", extra data or teacher" if published.extra_training(figure.tag) else ""
    return f" (timm {figure.tag}{seen_more})" if figure.tag else ""
