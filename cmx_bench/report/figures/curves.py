"""Curves: settings, or models, that differ in nothing but one number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from pandas import DataFrame, concat, isna
from pandas.api.types import is_numeric_dtype

from cmx_bench.present.drawing.theme import STYLES
from cmx_bench.report.figures.cost import Quantity
from cmx_bench.report.figures.selection import Selection, each_setting
from cmx_bench.results import swept_arguments

FEWEST = 3  # values that make a curve
_MOST_LINES = 24  # beyond so many nobody can tell them apart, nor is there room for their labels
# What settings can differ in, and what stands before it in their keys.
_OF_SETTINGS = {"batch_size": "b", "image_size": "r", "threads": "t"}


# --- what there is to choose from -----------------------------------------------------------------


def each_batch_sweep(samples: DataFrame) -> dict[str, list[str]]:
    """Settings that differ in nothing but the batch size, where there are `FEWEST` or more, each
    group named `batch_size:` and what their keys have in common."""
    return {f"batch_size:{shared}": keys for shared, keys in _along("batch_size", samples).items()}


def each_sweep(samples: DataFrame) -> dict[str, list[str]]:
    """What was swept but the batch size: arguments of models in each setting, by their column and
    the setting's key (`arg_depth:KEY`), then image sizes and threads, each with what keys share."""
    names = _swept_arguments(samples)
    of_models = {
        f"{name}:{key}": settings
        for key, settings in each_setting(samples).items()
        for name in names
    }
    of_settings = {
        f"{name}:{shared}": keys
        for name in ("image_size", "threads")
        for shared, keys in _along(name, samples).items()
    }
    return of_models | of_settings


def each_argument(samples: DataFrame) -> dict[str, list[str]]:
    """The arguments that were swept, `arg_depth:`, for what depends on nothing but the model."""
    sizes = _sizes(samples)
    return {f"{name}:": sizes for name in _swept_arguments(samples)} if sizes else {}


def each_size_sweep(samples: DataFrame) -> dict[str, list[str]]:
    """The same at each size of images, `arg_depth:r224`, for what depends on nothing else, and
    `image_size:`, these sizes."""
    sizes = _sizes(samples)
    of_models = {f"{name}:{size}": [size] for size in sizes for name in _swept_arguments(samples)}
    return of_models | ({"image_size:": sizes} if len(sizes) >= FEWEST else {})


def _sizes(samples: DataFrame) -> list[str]:
    """The keys of what all settings of an image size share."""
    return [key for key in map(str, samples["setting"].unique()) if re.fullmatch(r"r\d+", key)]


def _swept_arguments(samples: DataFrame) -> list[str]:
    models = samples.drop_duplicates("model").set_index("model")
    columns = swept_arguments.columns_in(models)
    return [column for column in columns if not _lines(column, models).empty]


def _along(over: str, samples: DataFrame) -> dict[str, list[str]]:
    """Settings that differ in nothing else, by what their keys have in common; where there are none
    such, in the batch size too, which follows from the image size if it is `auto`."""
    keys = list(each_setting(samples))
    curves = _alike(keys, over)
    left = [key for key in keys if not any(key in curve for curve in curves.values())]
    if over != "batch_size":
        batches = _alike(left, over, "batch_size")
        curves |= {
            shared: curve
            for shared, curve in batches.items()
            if len({number(over, key) for key in curve}) == len(curve)
        }
    return curves


def _alike(keys: Sequence[str], *numbers: str) -> dict[str, list[str]]:
    curves: dict[str, list[str]] = {}
    for key in keys:
        shared = key
        for name in numbers:
            shared = re.sub(rf"-{_OF_SETTINGS[name]}\d+(?=-|$)", "", shared, count=1)
        if all(number(name, key) is not None for name in numbers):
            curves.setdefault(shared, []).append(key)
    return {shared: curve for shared, curve in curves.items() if len(curve) >= FEWEST}


def number(name: str, key: str) -> int | None:
    """The batch size, image size (in pixels) or number of threads that a setting's key tells; None
    where it tells none.

    Args:
        name: `batch_size`, `image_size` or `threads`.
    """
    part = re.search(rf"(?:^|-){_OF_SETTINGS[name]}(\d+)(?=-|$)", key)
    return None if part is None else int(part[1])


# --- points ---------------------------------------------------------------------------------------


def points(over: str, quantity: Quantity, chosen: Selection) -> DataFrame:
    """A point for each value that a metric was measured at, by model: of each `line` in the order
    of x, the last one with the line's label, and others of one x with their own.

    Args:
        over: what is swept, the column of an argument or what settings differ in.
    """
    rows = chosen.every(quantity.metric).rename(columns={"value": "y"})
    rows[["y", "low", "high"]] /= quantity.unit
    rows = rows.join(chosen.models[["label", "family"]], "model").rename(columns={"label": "name"})
    if of_settings(over):
        rows["x"] = [float(number(over, key) or 0) for key in rows["setting"]]
        labels = chosen.models["label"].astype(str)
        lines = DataFrame({"line": labels.index.astype(str), "label": labels})
        curves = rows.join(lines, "model", how="inner")
    else:
        first = rows.drop_duplicates("model")
        curves = first.join(_lines(over, chosen.models), "model", how="inner")
    curves = _order(curves, chosen).set_index("model")
    return curves.assign(
        tick=[f"{word_argument(over).capitalize()} {x:,.10g}" for x in curves["x"]]
    )


def _order(curves: DataFrame, chosen: Selection) -> DataFrame:
    """Line after line, without those that have too few values; see `points` for the labels."""
    place = curves["line"].map({str(name): at for at, name in enumerate(chosen.models.index)})
    enough = curves.groupby("line", sort=False)["x"].transform("nunique") >= FEWEST
    curves = curves.assign(place=place)[enough].sort_values(["place", "x"], kind="stable")
    is_last = ~curves.duplicated("line", keep="last")
    is_alone = ~curves.duplicated(["line", "x"], keep=False)
    labels = curves["label"].where(is_last, curves["name"].mask(is_alone, ""))
    return curves.assign(label=labels).drop(columns="place")


def first_lines(points: DataFrame) -> tuple[DataFrame, list[str]]:
    """The points of as many lines as a figure can show, and what its caption says of the others."""
    lines = list(points["line"].unique())
    if len(lines) <= _MOST_LINES:
        return points, []
    sentence = f"The first {_MOST_LINES} of {len(lines)} lines are shown."
    return points[points["line"].isin(lines[:_MOST_LINES])], [sentence]


def _lines(over: str, models: DataFrame) -> DataFrame:
    """For models that differ in nothing but a numeric argument, by name: its value `x`, the `line`
    that they are on, and its `label`, which tells it from the others.

    Args:
        models: `Selection.models`, or alike.
    """
    others = [column for column in swept_arguments.columns_in(models) if column != over]
    known = models[models[over].notna() & is_numeric_dtype(models[over])]
    alone = known["architecture"].astype(str) == known.index.astype(str)
    kinds = known["family"].astype(str) + known["architecture"].astype(str).mask(alone, "")
    alike = known.groupby([kinds, *(known[name].map(str) for name in others)], sort=False)
    known = known.assign(group=alike.ngroup())[alike[over].transform("nunique") >= FEWEST]
    groups = [rows for _, rows in known.groupby("group")]
    firsts = [rows.iloc[0].to_dict() for rows in groups]
    names = [_common(over, list(map(str, rows["label"])), str(rows["family"].iloc[0]))
             for rows in groups]  # fmt: skip
    differing = [name for name in others if len({str(first[name]) for first in firsts}) > 1]
    lines = [
        DataFrame({
            "x": rows[over].to_numpy(), "line": str(rows.index[0]),
            "label": name if names.count(name) == 1
            else ", ".join([name, *_in_words(first, differing)]),
        }, rows.index.astype(str))
        for name, rows, first in zip(names, groups, firsts, strict=True)
    ]  # fmt: skip
    return concat(lines or [DataFrame(columns=["x", "line", "label"], index=known.index[:0])])


def _common(over: str, labels: Sequence[str], family: str) -> str:
    """What labels begin with, `Small` of `Small k3` and `Small k5`, or their family."""
    words = [re.split(r"(?<=[\s,_/-])", label) for label in labels]
    alike = takewhile(lambda there: len(set(there)) == 1, zip(*words, strict=False))
    name = (
        "".join(word for word, *_ in alike).rstrip(" ,_/-").removesuffix(f" {name_argument(over)}")
    )
    return name or (STYLES[family].label if family in STYLES else family)


def _in_words(values: Mapping[Any, Any], columns: Sequence[str]) -> Iterator[str]:
    """`patch 7`, for each argument that a model has and in which groups differ."""
    for column in columns:
        value = values[column]
        text = value if isinstance(value, str) else "" if isna(value) else f"{value:g}"
        if text:
            yield f"{word_argument(column).removesuffix(' size')} {text}"


def of_settings(over: str) -> bool:
    """Whether settings differ in it, and not models."""
    return not over.startswith(swept_arguments.PREFIX)


def list_shown(over: str, points: DataFrame, chosen: Selection) -> set[str]:
    """The models that have a point, and those that nobody expects one of."""
    if of_settings(over):
        return {*points.index}
    swept = _lines(over, chosen.models).index
    return {*points.index, *(name for name in chosen.models.index if name not in swept)}


def name_argument(over: str) -> str:
    """What was swept, as a suite calls it."""
    return over.removeprefix(swept_arguments.PREFIX)


def word_argument(over: str) -> str:
    """The same in words."""
    return name_argument(over).replace("_", " ")
