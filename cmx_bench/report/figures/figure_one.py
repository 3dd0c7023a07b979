"""The paper's Figure 1: accuracy against parameters, measured and published."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from pandas import DataFrame, concat

from cmx_bench import published
from cmx_bench.present.drawing import NothingToDrawError, Plot, scatter
from cmx_bench.published import Published
from cmx_bench.report.figures.cost import PARAMS, fit, scale_of
from cmx_bench.report.figures.selection import Selection, name_setting, note_sparse, speak
from cmx_bench.units import first_few

_TITLE = "Figure 1 · Accuracy against parameters"
_SMALL = 40.0  # millions of parameters: the paper's axis would crowd models that are all smaller
DOUBT = (
    "† marks figures that nobody has checked against the paper's PDF; the table of published "
    "figures names their sources."
)


def plot(chosen: Selection) -> Plot:
    """Top-1 in percent against millions of parameters, as measured and as published; of another
    data set than ImageNet only what was measured."""
    ours, theirs = _find_measured(chosen), _find_published(chosen)
    if len(ours) and not chosen.imagenet:
        return _of_another_dataset(chosen, ours)
    points = concat([frame for frame in (ours, theirs) if len(frame)] or [theirs])
    if points.empty:
        raise NothingToDrawError(_TITLE)
    places = {name: place for place, name in enumerate(chosen.models.index)}
    points = points.sort_index(key=lambda names: names.map(places), kind="stable")
    usual = points["image_size"].mode().min()  # of none not a number, which is above nothing
    unlike = points["image_size"].notna() & (points["image_size"] != usual)
    sizes = points["image_size"].map(" ({:.0f} px)".format)
    points["label"] += sizes.where(unlike, "")
    sentences = [
        "ImageNet top-1 against parameters, as in the paper's Figure 1. Filled markers are "
        "measured in this run; hollow ones are published: the paper's figure or, where the paper "
        "has none, timm's for the weights named."
    ]
    if points["label"].str.contains("†").any():
        sentences.append(DOUBT)
    if unlike.any():
        sentences.append(f"Brackets name the size of the images where it is not {usual:.0f} px.")
    sentences += _remarks(chosen, points)
    paper = (0, 120) if points["x"].max() > _SMALL else None
    return Plot(
        "figure1", _TITLE, " ".join(sentences),
        speak("ImageNet top-1 in percent against millions of parameters", points),
        points,
        partial(scatter, labels=(PARAMS.axis, "ImageNet top-1 (%)"),
                scales=(scale_of(points["x"], paper), (72, 82))),
    )  # fmt: skip


def _of_another_dataset(chosen: Selection, points: DataFrame) -> Plot:
    size = fit(PARAMS, points["x"] * PARAMS.unit)
    points = points.assign(x=points["x"] * (PARAMS.unit / size.unit))
    sentences = [
        f"Top-1 on {chosen.dataset} against parameters, all measured in this run.",
        "Means over the seeds; bars are 95 % intervals over seeds and images."
        if chosen.over_seeds
        else "Bars are Wilson's 95 % intervals over the images.",
        *_remarks(chosen, points),
    ]
    return Plot(
        "figure1", _TITLE, " ".join(sentences),
        speak(f"{chosen.dataset} top-1 in percent against {size.axis.lower()}", points),
        points, partial(scatter, labels=(size.axis, f"{chosen.dataset} top-1 (%)"),
                        scales=(scale_of(points["x"]), None)),
    )  # fmt: skip


def _remarks(chosen: Selection, points: DataFrame) -> Iterator[str]:
    """What to know of the points: where several settings have a top-1, which of them it is of."""
    if chosen.every("top1")["setting"].nunique() > 1:
        titles = chosen.values("top1")["setting"].map(lambda key: name_setting(key, chosen.samples))
        usual = titles.value_counts().index[0]
        labels = chosen.models["label"].astype(str).to_dict()
        others = [f"{labels[name]} ({title})" for name, title in titles.items() if title != usual]
        but = f", except that of {first_few(others)}" if others else ""
        yield f"Measured top-1 is that of the setting {usual}{but}."
    yield from note_sparse(points, "top-1")
    yield from chosen.left_out(points.index, "top-1 or parameters")


def _find_measured(chosen: Selection) -> DataFrame:
    top1 = chosen.values("top1")
    points = chosen.models.assign(
        x=_params(chosen), y=100 * top1["value"], low=100 * top1["low"], high=100 * top1["high"],
        published=False, image_size=top1["image_size"],
    )  # fmt: skip
    return points.assign(line=points["family"]).dropna(subset=["x", "y"])


def _find_published(chosen: Selection) -> DataFrame:
    points = chosen.models.assign(x=_params(chosen), low=float("nan"), high=float("nan"))
    figures = {row.Index: published_top1(row) for row in points.itertuples()}
    points = points.loc[[name for name, figure in figures.items() if figure is not None]]
    known = [figure for figure in figures.values() if figure is not None]
    labels = [_label(*pair) for pair in zip(points["label"], known, strict=True)]
    points = points.assign(
        label=labels, y=[100 * (figure.value or 0) for figure in known], published=True,
        line=points["family"], image_size=[float(figure.image_size or "nan") for figure in known],
    )  # fmt: skip
    return points.dropna(subset=["x"])


def _params(chosen: Selection) -> Any:
    """Millions of parameters as counted here, or else as the paper prints them, by model."""
    printed = chosen.models["published_as"].map(lambda name: published.find(str(name), "params"))
    known = printed.map(lambda figure: None if figure is None else figure.value).astype(float)
    return chosen.values("params")["value"].reindex(known.index).fillna(known) / PARAMS.unit


def published_top1(model: Any) -> Published | None:
    """The paper's top-1 on ImageNet or, where it has none, timm's for the weights named.

    Args:
        model: a row of the samples or of their models.
    """
    name, tag = str(model.published_as), str(model.recipe or model.weights)
    paper = published.find(name, "top1")
    figure = paper or published.find(name, "top1", tag or published.REFERENCE_TAGS.get(name, ""))
    fits = figure is not None and figure.dataset == "ImageNet-1k" and model.classes == 1000
    return figure if fits else None


def _label(label: str, figure: Published) -> str:
    """The model's label with what a reader has to know of where a figure comes from."""
    more = ", extra data or teacher" if published.extra_training(figure.tag) else ""
    return label + f" (timm {figure.tag}{more})" * bool(figure.tag) + "†" * figure.doubtful
