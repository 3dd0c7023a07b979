"""What a fresh process tries for a plan: models of users, and their rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmx_bench.cell import Model
from cmx_bench.plan import trying

MIXER = Model("m", "M", "mixer", "mixer", "", {"dim": 8, "depth": 1, "patch_size": 8},
              num_classes=10)  # fmt: skip


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process keeps its streams, which those that try give up."""
    monkeypatch.setattr(trying, "_print_nothing", lambda: None)


def test_a_model_is_tried_at_each_size() -> None:
    costs = trying.costs(MIXER, {16: 2, 32: 4})
    assert {size: cost.trouble for size, cost in costs.items()} == {16: "", 32: ""}
    patches, width = {16: 4, 32: 16}, 8
    for size, cost in costs.items():
        tokens = patches[size]
        mixing = 2 * tokens * 4 * width + 2 * tokens * width * 4 * width
        assert cost.macs == tokens * width * 3 * 64 + mixing + width * 10


def test_rules_that_cannot_count_are_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tried_rules.py").write_text("def macs(x, *, out_shape): return 1\nvalue = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    refused = trying.refused_rules({
        "mine::one": "tried_rules:macs", "mine::two": "tried_rules:value",
        "mine::three": "no_such_module:macs",
    })  # fmt: skip
    assert refused.keys() == {"mine::two", "mine::three"}
    assert "no_such_module" in refused["mine::three"]


def test_what_a_model_is_matched_by_is_counted() -> None:
    assert trying.amount("macs", MIXER, 16) == trying.costs(MIXER, {16: 1})[16].macs
    assert trying.amount("params", MIXER, 16) == trying.costs(MIXER, {16: 1})[16].params
