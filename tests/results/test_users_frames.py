"""Frames as users make them of what `load` gave: refused in a line, or read as they are."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from pandas import DataFrame

from cmx_bench.results import frame, sheets
from cmx_bench.results.executions import executions
from cmx_bench.results.summary import summary
from cmx_bench.results.users_frames import require

from ..report.synthetic import PAPER, make_records, make_run


@pytest.fixture(scope="module")
def samples() -> DataFrame:
    run = make_run(PAPER[:2])
    return frame.samples({"mine": (run, executions(run, make_records(run)))})


def test_whatever_the_index_is_the_values_are_the_same(samples: DataFrame) -> None:
    expected = summary(samples)
    for by in ("model", ["model", "setting"]):
        pd.testing.assert_frame_equal(summary(samples.set_index(by, drop=False)), expected)
    pd.testing.assert_frame_equal(summary(samples.set_axis([0] * len(samples))), expected)


def test_flags_may_be_zero_and_one_as_databases_have_them(samples: DataFrame) -> None:
    numbers = samples.astype(dict.fromkeys(frame.FLAGS, int))
    pd.testing.assert_frame_equal(summary(numbers), summary(samples))


def test_samples_that_are_there_twice_are_refused(samples: DataFrame) -> None:
    """The intervals of accuracies over seeds were too narrow, and two runs of one name became
    one."""
    with pytest.raises(ValueError, match="rows twice; give each run once, and load those of"):
        summary(pd.concat([samples, samples]))
    other = samples.assign(run="other")
    assert len(summary(pd.concat([samples, other]))) == 2 * len(summary(samples))


@pytest.mark.parametrize("value", [None, float("inf"), "fast"])
def test_what_counts_needs_a_number(samples: DataFrame, value: Any) -> None:
    column = list(samples["value"])
    column[int(samples["counts"].to_numpy().argmax())] = value
    with pytest.raises(ValueError, match="some rows that count have no finite number"):
        summary(samples.assign(value=column))


def test_a_flag_is_true_or_false(samples: DataFrame) -> None:
    unsure = samples["counts"].astype("boolean").mask(samples.index == 0)
    for counts in (unsure, samples["counts"].astype(str)):
        with pytest.raises(ValueError, match="counts: expected True or False in each row"):
            summary(samples.assign(counts=counts))


def test_what_is_no_frame_of_samples_is_refused(samples: DataFrame) -> None:
    given: Any
    for given in (3, None, [samples], dict(samples)):
        with pytest.raises(ValueError, match="expected a DataFrame, as cmx_bench.load gives it"):
            summary(given)
    with pytest.raises(ValueError, match="columns twice; keep one of each name"):
        summary(pd.concat([samples, samples[["value"]]], axis="columns"))
    assert require(samples[:0], frame.COLUMNS, frame.ONCE, "load").empty


def test_a_label_that_is_missing_is_named(samples: DataFrame) -> None:
    labels = samples["label"].map({str(samples["label"].iloc[0]): "mine"})
    with pytest.raises(ValueError, match="label: missing in some rows; fill them or leave"):
        summary(samples.assign(label=labels))


def test_details_are_json(samples: DataFrame) -> None:
    spelt = sheets.spell_details(samples)
    pd.testing.assert_frame_equal(summary(spelt), summary(samples))
    with pytest.raises(ValueError, match="details: expected JSON in each row: Expecting"):
        summary(spelt.assign(details="{"))
    for text in ("null", "[]", '"{}"'):
        with pytest.raises(ValueError, match="details: expected an object of JSON in each row"):
            summary(spelt.assign(details=text))


def test_an_accuracy_without_its_images_is_refused(samples: DataFrame) -> None:
    with pytest.raises(ValueError, match="details: those of top1 lack the images that it rests on"):
        summary(samples[:1].assign(metric="top1"))


def test_a_status_is_one_that_is_known(samples: DataFrame) -> None:
    with pytest.raises(ValueError, match="status: expected ok, failed, .*measured, got 'OK'"):
        summary(samples.assign(status="OK"))


def test_names_may_be_numbers(samples: DataFrame) -> None:
    numbered = samples.assign(model=samples["model"].cat.codes)
    assert list(summary(numbered)["model"].unique()) == ["0", "1"]


def test_texts_alone_keep_the_order_of_their_rows(samples: DataFrame) -> None:
    """They were sorted by name, and the models of a figure stood in another order than the rows."""
    texts = samples.astype({"model": str})[::-1]
    models = require(texts, frame.COLUMNS, frame.ONCE, "load")["model"]
    assert list(models.cat.categories) == list(samples["model"].unique())[::-1]


def test_what_does_not_count_has_no_value(samples: DataFrame) -> None:
    rows = summary(samples.assign(counts=False))
    assert rows["value"].isna().all()
    assert {*rows["status"]} == {"not measured"}
    assert {*rows["reason"]} == {"none of its samples counts"}
