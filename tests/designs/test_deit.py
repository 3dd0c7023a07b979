"""DeiTs between published ones."""

from __future__ import annotations

import pytest

from cmx_bench.designs import published
from cmx_bench.designs.deit import DeiT

from .test_designs import costs


# Counted by four tools, which agreed to the last MAC.
@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("deit_small_patch16_224", 22_050_664, 4_598_882_304),
        ("deit_base_patch16_224", 86_567_656, 17_563_828_224),
    ],
)
def test_published_members_cost_what_is_known(name: str, params: int, macs: int) -> None:
    assert costs(name) == (params, macs)


def test_heads_are_64_wide_or_narrower_below_ti() -> None:
    tiny = published("deit_tiny_patch16_224")
    assert tiny is not None
    for row in tiny.rows():
        member = row.make(row.steps[0])
        assert isinstance(member, DeiT)
        head = member.dim // member.heads
        assert member.dim == head * member.heads
        assert head == 64 if member.dim >= 192 else (member.heads == 3 and head < 64)
