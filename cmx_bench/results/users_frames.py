"""Refuses frames of users that functions cannot read, or would make wrong numbers of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from pandas import DataFrame, Series

from cmx_bench.results.frame import FLAGS, TEXTS

_FEW = 5  # names in a message


def require(
    frame: DataFrame, columns: Iterable[str], once: Sequence[str], source: str
) -> DataFrame:
    """A user's frame as functions read it: whatever its index is, and with flags that are 0 and 1
    in a database.

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
    table = frame.reset_index(drop=True)
    absent = table[[name for name in TEXTS if name in columns]].isna().any()
    if absent.any() or (
        "details" in columns and any(isinstance(each, str) for each in table["details"][:1])
    ):
        raise ValueError("the frame lacks texts, as samples.csv.gz read by pandas alone does; "
                         "cmx_bench.load reads it back as it was")  # fmt: skip
    flags = [name for name in (*FLAGS, "right") if name in columns]
    if unclear := [name for name in flags if not table[name].isin([True, False]).all()]:
        raise ValueError(f"{', '.join(unclear)}: expected True or False in each row")
    table = table.astype(dict.fromkeys(flags, bool))
    if "value" in columns and not _are_finite(table["value"][table["counts"]]):
        raise ValueError("some rows that count have no finite number as their value; leave them "
                         "out")  # fmt: skip
    if once and table.duplicated([*once]).any():
        raise ValueError("the frame has samples twice; give each run once, and load those of one "
                         "name together, which calls them by their paths")  # fmt: skip
    return table


def _are_finite(values: Series[Any]) -> bool:
    try:
        return bool(np.isfinite(values.to_numpy(np.float64, na_value=np.nan)).all())
    except (TypeError, ValueError):  # texts
        return False


def missing(frame: DataFrame, columns: Iterable[str]) -> str:
    """The names of the first columns that a frame lacks, in words; empty where it lacks none."""
    names = [column for column in columns if column not in frame]
    return ", ".join(names[:_FEW]) + (f" and {len(names) - _FEW} more" if names[_FEW:] else "")
