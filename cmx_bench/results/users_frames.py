"""Refuses frames of users that functions cannot read, or would make wrong numbers of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
from pandas import Categorical, CategoricalDtype, DataFrame, Series
from pandas.api.types import is_numeric_dtype

from cmx_bench.results.frame import FLAGS, STATUSES, TEXTS
from cmx_bench.units import first_few

_NEEDED = (*TEXTS, "image", "truth", "said", "truth_name", "said_name")


def require(
    frame: DataFrame, columns: Iterable[str], once: Sequence[str], source: str
) -> DataFrame:
    """A user's frame as functions read it: whatever its index is, with flags that are 0 and 1 in a
    database, and with models in their order, as categoricals have them or their rows stand.

    Args:
        once: the columns that tell each row from all others; empty where none are sure to.
        source: the function of `cmx_bench` that gives such frames.

    Raises:
        ValueError: it is no frame, lacks some of the `columns`, holds something twice, or what was
            no text, flag or number, as one that pandas alone read from a file.
    """
    if not isinstance(frame, DataFrame):
        raise ValueError(f"expected a DataFrame, as cmx_bench.{source} gives it, got "
                         f"{type(frame).__name__}")  # fmt: skip
    if lacking := missing(frame, columns):
        raise ValueError(f"the frame lacks {lacking}; "
                         f"give what cmx_bench.{source} gives, or some of its rows")  # fmt: skip
    if not frame.columns.is_unique:
        raise ValueError("the frame has columns twice; keep one of each name")
    table = frame.reset_index(drop=True).infer_objects()
    if blank := [name for name in _NEEDED if name in columns and table[name].isna().any()]:
        raise ValueError(f"{first_few(blank)}: missing in some rows; fill them or leave these out. "
                         "Read a file by cmx_bench.load: pandas loses empty texts")  # fmt: skip
    for name in (name for name in TEXTS if name in columns):
        if not isinstance(table[name].dtype, CategoricalDtype):
            texts = list(map(str, table[name]))
            table[name] = Categorical(texts, list(dict.fromkeys(texts)))
    if "status" in columns and (odd := {*table["status"].unique()} - {*STATUSES}):
        raise ValueError(f"status: expected {', '.join(STATUSES)}, got {min(odd)!r}")
    flags = [name for name in (*FLAGS, "right") if name in columns]
    if unclear := [name for name in flags if not table[name].isin([True, False]).all()]:
        raise ValueError(f"{first_few(unclear)}: expected True or False in each row")
    table = table.astype(dict.fromkeys(flags, bool))
    if "value" in columns and not _has_numbers(table):
        raise ValueError("some rows that count have no finite number as their value; leave them "
                         "out, and read a file by cmx_bench.load")  # fmt: skip
    if once and table.duplicated([*once]).any():
        raise ValueError("the frame has rows twice; give each run once, and load those of one "
                         "name together, which calls them by their paths")  # fmt: skip
    return table.assign(details=_parse(table["details"])) if "details" in columns else table


def _parse(details: Series[Any]) -> list[Any]:
    """What `details` hold, which are objects of JSON."""
    read = cache(json.loads)
    try:
        objects = [read(each) if isinstance(each, str) else each for each in details]
    except ValueError as error:
        raise ValueError(f"details: expected JSON in each row: {error}") from None
    if not all(isinstance(each, dict) for each in objects):
        raise ValueError(
            "details: expected an object of JSON in each row, {} where nothing is told"
        )
    return objects


def refuse_several(table: DataFrame) -> None:
    """Refuses a frame of several runs, which no figure tells apart."""
    if len(runs := list(map(str, table["run"].unique()))) > 1:
        raise ValueError(f"rows of several runs: {', '.join(runs)}; choose those of one")


def _has_numbers(samples: DataFrame) -> bool:
    if not all(is_numeric_dtype(samples[name]) for name in ("value", "wanted")):
        return False
    counting = samples["value"][samples["counts"]]
    return bool(np.isfinite(counting.to_numpy(np.float64, na_value=np.nan)).all())


def missing(frame: DataFrame, columns: Iterable[str]) -> str:
    """The names of the first columns that a frame lacks, in words; empty where it lacks none."""
    return first_few([column for column in columns if column not in frame])
