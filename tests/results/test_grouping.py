"""Groups keep the order in which things come, neighbours or not."""

from __future__ import annotations

from cmx_bench.results.grouping import group


def test_things_stand_by_their_keys_in_the_order_in_which_they_come() -> None:
    groups = group(["bee", "ant", "bat", "ape"], lambda word: word[0])
    assert list(groups.items()) == [("b", ["bee", "bat"]), ("a", ["ant", "ape"])]
