"""ResNets between published ones."""

from __future__ import annotations

import pytest

from cmx_bench.designs.resnet import apportion


@pytest.mark.parametrize(
    ("layers", "blocks", "shared"),
    [
        ((3, 4, 6, 3), 16, (3, 4, 6, 3)),
        ((3, 4, 6, 3), 17, (3, 4, 7, 3)),
        ((3, 4, 6, 3), 24, (5, 6, 9, 4)),
        ((3, 4, 6, 3), 32, (6, 8, 12, 6)),
        ((3, 8, 36, 3), 34, (2, 5, 25, 2)),
        ((2, 2, 2, 2), 6, (2, 2, 1, 1)),
    ],
)
def test_blocks_are_shared_out_in_the_published_ratio(
    layers: tuple[int, ...], blocks: int, shared: tuple[int, ...]
) -> None:
    assert apportion(layers, blocks) == shared
