"""DeiTs between published ones."""

from __future__ import annotations

from cmx_bench.designs import find_published
from cmx_bench.designs.deit import DeiT


def test_heads_are_64_wide_or_narrower_below_ti() -> None:
    tiny = find_published("deit_tiny_patch16_224")
    assert tiny is not None
    for row in tiny.rows():
        member = row.make(row.steps[0])
        assert isinstance(member, DeiT)
        head = member.dim // member.heads
        assert member.dim == head * member.heads
        assert head == 64 if member.dim >= 192 else (member.heads == 3 and head < 64)
