"""A match as an entry of a suite, and as what a run keeps of it."""

from __future__ import annotations

from cmx_bench.designs import find_published, matches, search
from cmx_bench.designs.search import Target


def test_a_published_member_is_named_alone() -> None:
    design = find_published("resnet50")
    assert design is not None
    match = search.find("resnet", Target({"params": design.params(1000, 224)}))
    assert matches.entry(match) == {"name": "resnet50", "label": "ResNet-50", "family": "resnet"}
    assert matches.departure(match) == "resnet50: as published"


def test_a_member_made_to_order_is_described() -> None:
    match = search.find("deit", Target({"params": 21_110_248}))
    entry = matches.entry(match)
    assert entry["deit"] == match.design.arguments
    assert set(entry) == {"name", "label", "deit"}
    kept = matches.tell(match, "convmixer_768_32")
    assert (kept["target"], kept["amounts"]) == ("convmixer_768_32", "21,110,248 parameters")
    assert kept["residual"] == match.params / 21_110_248 - 1
    assert str(kept["departure"]).startswith(f"{match.base}: ") and " → " in str(kept["departure"])


def test_a_convmixer_is_the_projects_own_even_as_published() -> None:
    match = search.find("convmixer", Target({"params": 21_110_248}))
    assert match.changes == []
    assert matches.entry(match)["convmixer"] == match.design.arguments
