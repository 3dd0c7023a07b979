"""The table of metrics: each name once, with all that reports say of it."""

from __future__ import annotations

import pytest

from cmx_bench import metrics
from cmx_bench.measures import MEASURES
from cmx_bench.metrics import METRICS


def test_each_row_has_a_name_of_its_own() -> None:
    assert len(METRICS) == len(metrics._ROWS)
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_a_definition_begins_small_and_ends_without_a_stop(name: str) -> None:
    """It stands behind a colon in lists and captions."""
    definition = METRICS[name].definition
    assert not definition.endswith(".")
    first = definition.split()[0]
    assert first in {"CUDA:", "MACs", "AdamW's"} or first == first.lower()


def test_what_is_exact_has_no_noise() -> None:
    assert (METRICS["params"].kind, METRICS["params"].exact) == ("exact", True)
    assert (METRICS["throughput"].kind, METRICS["throughput"].exact) == ("sampled", False)
    assert (METRICS["top1"].kind, METRICS["top1"].exact) == ("sampled over images", False)


@pytest.mark.parametrize(
    ("name", "direction"),
    [("top1", "higher is better"), ("params", "lower is better"),
     ("idle_power", "neither higher nor lower is better")],
)  # fmt: skip
def test_a_direction_is_said_in_words(name: str, direction: str) -> None:
    assert METRICS[name].direction == direction


@pytest.mark.parametrize(
    ("measure", "name"),
    [("throughput", "throughput"), ("latency", "latency_p50"), ("memory", "peak_memory")],
)
def test_a_measure_is_repeated_until_its_first_metric_is_precise(measure: str, name: str) -> None:
    assert metrics.first_of(measure) == name


def test_every_measure_has_a_metric() -> None:
    assert {METRICS[metrics.first_of(measure)].measure for measure in MEASURES} == set(MEASURES)
