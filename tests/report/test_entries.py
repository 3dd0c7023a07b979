"""How one thing stands in a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cmx_bench.metrics import METRICS
from cmx_bench.present.content import Column, Entry
from cmx_bench.report import entries
from cmx_bench.report.tables.quantities import Span
from cmx_bench.results.reading import summarise
from cmx_bench.results.summary import Result

from .synthetic import FP16, PAPER, make_records, make_run

Make = Callable[..., Result]


@pytest.fixture(scope="module")
def result() -> Make:
    """A result of a metric, with changes."""
    run = make_run(PAPER[:1])
    results = summarise(run, make_records(run)).results

    def make(of: str = "throughput", /, **changes: Any) -> Result:
        [row] = [each for key, each in results.items() if key[2] == of]
        return row._replace(**changes)

    return make


def test_each_kind_of_value_has_an_entry() -> None:
    given = Entry("as it is")
    assert entries.entry(given) is given
    assert entries.entry(None) == entries.DASH
    assert entries.entry(3) == Entry("3", sort=3)
    assert entries.entry(FP16) == Entry(FP16.title, FP16.key)
    assert entries.entry("text") == Entry("text")
    assert entries.entry(PAPER[0]) == entries.network(PAPER[0])
    assert entries.table("k", "T", [Column("a", "A")], [[3], [None]]).rows == (
        (Entry("3", sort=3),), (entries.DASH,),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (FP16.key, "cuda, fp16, nchw, eager, batch 64, images of 224 × 224"),
        ("cpu-int8-nhwc-max_autotune-b1-r32-t1-no_cudnn_benchmark-nvidia_t4-openvino-frozen",
         "cpu, int8, nhwc, compiled (max-autotune), batch 1, images of 32 × 32, 1 thread, "
         "no cudnn benchmark, nvidia t4, openvino, frozen weights"),
        ("r32", "images of 32 × 32"),
    ],
)  # fmt: skip
def test_a_key_can_be_read(key: str, words: str) -> None:
    assert entries.in_words(key) == words


@pytest.mark.parametrize(
    ("weights", "detail"),
    [(None, "net"), ("in1k", "net.in1k"), ("/home/me/best.pt", "net, weights best.pt")],
)
def test_a_network_is_called_with_its_weights(weights: str | None, detail: str) -> None:
    model = replace(PAPER[0], name="net", label="Net", weights=weights)
    assert entries.network(model) == Entry("Net", detail)


def test_a_kind_of_device_is_named_where_there_are_several() -> None:
    table = entries.table("metrics", "Metrics", [], [])
    assert entries.on("", table) is table
    named = entries.on("NVIDIA A100", table)
    assert (named.key, named.title) == ("metrics-nvidia_a100", "Metrics · NVIDIA A100")
    assert entries.on("NVIDIA A100", named).key == "metrics-nvidia_a100"


def test_what_has_no_value_says_why(result: Make) -> None:
    without: dict[str, Any] = {"value": None, "low": None, "high": None, "n": 0}
    assert entries.show(None) == entries.DASH
    assert entries.show(result(status="not measured", **without)) == entries.NOT_MEASURED
    failed = entries.show(result(status="failed", reason="boom", **without))
    assert (failed.text, failed.title, failed.quiet) == ("failed", "boom", False)
    skipped = entries.show(result(status="skipped", reason="no GPU", **without))
    assert (skipped.text, skipped.quiet) == ("skipped", True)


def test_digits_follow_the_interval_and_its_width_stands_below(result: Make) -> None:
    steady = entries.show(result(value=1234.567, low=1234.4, high=1234.7, n=5))
    wide = entries.show(result(value=1234.567, low=1100.0, high=1400.0, n=5))
    assert len(steady.text) > len(wide.text)
    assert wide.detail.startswith("± 13 %, n = 5")
    assert steady.title == "95 % interval 1,234.4 images/s to 1,234.7 images/s over 5 processes"


@pytest.mark.parametrize(
    ("changes", "spread"),
    [
        ({"n": 3, "left_out": 2, "planned": 5}, "n = 3 of 5"),
        ({"n": 3, "left_out": 0, "planned": 5}, "n = 3 of 5"),
        ({"n": 5, "left_out": 0, "planned": 5}, "n = 5"),
        ({"n": 6, "left_out": 4, "planned": 5}, "n = 6 of 10"),
    ],
)
def test_processes_that_do_not_count_are_counted(
    result: Make, changes: dict[str, int], spread: str
) -> None:
    assert entries.show(result(**changes)).detail.endswith(spread)


def test_one_process_has_a_spread_only_where_more_were_planned(result: Make) -> None:
    single: dict[str, Any] = {"low": None, "high": None, "n": 1, "left_out": 0}
    assert entries.show(result(planned=1, **single)).detail == ""
    assert entries.show(result(planned=3, **single)).detail == "n = 1 of 3, no interval"
    assert entries.show(result(planned=1, **single)).title.startswith("one process")


def test_an_exact_value_has_no_spread(result: Make) -> None:
    exact = entries.show(result("params"))
    assert exact.detail == ""
    assert exact.title == "exactly 51,625,960"
    assert entries.digits_of(result("params")) == 3


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(6, "heads", "6 heads"), (1536, "heads", "1,536 heads"), (12, "", "12"), (2.5, "", "2.50"),
     (21_000_000, "", "21.0 M")],
)  # fmt: skip
def test_exact_whole_numbers_are_whole(result: Make, value: float, unit: str, text: str) -> None:
    assert entries.show(result("params", value=value, unit=unit)).text == text


def test_doubts_are_notes(result: Make) -> None:
    doubtful = result(disturbed=True, status="failed", launching=0.99, wanted=0.001,
                      details={"given": {"a::b": "zero"}})  # fmt: skip
    assert entries.show(doubtful).marks == "≈, ✗, ¶, ↔, ◊"
    assert entries.show(result()).marks == ""


def test_a_share_of_images_is_in_points_and_stays_within_all_of_them(result: Make) -> None:
    share: dict[str, Any] = {"metric": "top1", "unit": METRICS["top1"].unit, "n": 50,
                             "over": "images", "details": {}}  # fmt: skip
    middle = entries.show(result(value=0.5, low=0.4, high=0.6, **share), 0.01)
    edge = entries.show(result(value=0.02, low=0.004, high=0.1, **share), 0.01)
    assert middle.detail == "± 10, n = 50 images"
    assert edge.detail == "0.40 to 10, n = 50 images"


def test_an_interval_that_excludes_one_never_seems_to_end_there() -> None:
    entry = entries.ratio(Span(1.05, 1.0004, 1.1))
    assert entry.detail.split(" to ")[0] == "1.0004"
    assert entries.ratio(Span(2.0, 1.5, 2.5, disturbed=True)).disturbed


def test_a_memory_that_was_not_seen_to_grow_is_marked(result: Make) -> None:
    for value in (0.0, -4096.0):
        row = result("peak_memory", value=value, low=None, high=None, n=1)
        assert entries.show(row).marks == "∅"
    assert not entries.show(result("peak_memory")).notes
    assert not entries.show(result("buffers", value=0.0)).notes


def test_only_all_images_read_as_all(result: Make) -> None:
    almost = result(value=239 / 240, low=0.977, high=0.9993, unit="fraction")
    assert entries.show(almost._replace(metric="top1"), 0.01).text == "99.6"
    whole = almost._replace(metric="top1", value=1.0)
    assert entries.show(whole, 0.01).text == "100"


def test_a_correlation_that_is_not_one_does_not_read_as_one() -> None:
    """Two neighbours of 60 networks change places: ρ is 1 − 6 · 2 / (60 · 3,599)."""
    almost, equal, against = (
        entries.show_correlation(rho, 60)
        for rho in (1 - 12 / (60 * 3599), 1.0, -1 + 12 / (60 * 3599))
    )
    assert almost is not None and equal is not None and against is not None
    assert (almost.text, equal.text, against.text) == ("0.9999", "1.00", "-0.9999")
