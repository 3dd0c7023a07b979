"""ResNets between published ones."""

from __future__ import annotations

import pytest

from cmx_bench.designs.resnet import apportioned

from .test_designs import costs


# Counted by four tools, which agreed to the last MAC.
@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("resnet50", 25_557_032, 4_089_184_256),
        ("resnet152", 60_192_808, 11_513_626_624),
    ],
)
def test_published_members_cost_what_is_known(name: str, params: int, macs: int) -> None:
    assert costs(name) == (params, macs)


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
    assert apportioned(layers, blocks) == shared
