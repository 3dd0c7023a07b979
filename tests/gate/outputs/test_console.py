"""A verdict in a terminal."""

from __future__ import annotations

from dataclasses import replace

from cmx_bench.gate.outputs import console

from ..test_outputs import awkward, make_comparison, mixed, verdict


def test_the_terminal_keeps_to_its_width() -> None:
    for width in (60, 80, 120):
        assert max(map(len, console.text(mixed(), width).splitlines())) <= width
    assert "\x1b" not in console.text(awkward(), 80)


def test_the_terminal_says_of_how_many_models_each_metric_is_equal() -> None:
    """MACs of one model failed: both metrics are not "of 2 models"."""
    first, other = (
        make_comparison(name, "PASS", "params", slowdown=0.0) for name in ("resnet18", "deit")
    )
    macs = make_comparison("deit", "PASS", "macs", slowdown=0.0)
    trainable = [
        make_comparison(name, "PASS", "trainable_params", slowdown=0.0) for name in ("a", "b")
    ]
    text = console.text(verdict(first, other, macs, *trainable), 120)
    assert (
        "equal, as they must be: Parameters, Trainable parameters of 2 models; MACs of 1 model"
    ) in text


def test_what_cannot_be_judged_is_named_in_one_line() -> None:
    """A row for each would hide the rows that are judged."""
    peaks = [
        replace(make_comparison(name, "INCOMPARABLE", "peak_memory"), reason="too few")
        for name in ("a", "b")
    ]
    slow = replace(make_comparison("a", "FAIL", "macs"), reason="an exact metric changed")
    lines = console.text(verdict(slow, *peaks), 120).splitlines()
    assert sum(line.startswith(" INCOMPARABLE") for line in lines) == 0
    assert "INCOMPARABLE: Peak memory of 2 models: too few" in lines
    assert "FAIL: A MACs: an exact metric changed" in lines
