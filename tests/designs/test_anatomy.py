"""Depths beside a published one, and how many patches an image is cut into."""

from __future__ import annotations

import pytest

from cmx_bench.designs.anatomy import WIDTHS, Axis, depths, tokens


@pytest.mark.parametrize(
    ("published", "least", "most"), [(12, 8, 18), (20, 14, 30), (1, 1, 1), (2, 2, 3), (32, 22, 48)]
)
def test_depths_reach_from_two_thirds_to_half_as_much_again(
    published: int, least: int, most: int
) -> None:
    assert list(depths(published)) == list(range(least, most + 1))


def test_what_is_left_over_at_an_edge_is_dropped() -> None:
    assert [tokens(size, 16) for size in (224, 225, 239, 240, 15)] == [196, 196, 196, 225, 0]


def test_widths_ascend_and_most_are_multiples_of_four() -> None:
    assert list(WIDTHS) == sorted(set(WIDTHS))
    assert all(width % 4 == 0 for width in WIDTHS if width >= 64)
    assert Axis.of(3) == (3, "3")
