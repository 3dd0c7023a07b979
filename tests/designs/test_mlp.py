"""ResMLPs and MLP-Mixers: what published ones cost, and what members are called."""

from __future__ import annotations

from cmx_bench.designs.mlp import MLP, RESMLPS


def test_a_member_is_called_by_all_that_it_is_made_of() -> None:
    member = MLP("mixer", 40, 3, patch_size=8)
    assert (member.name, member.label) == ("mixer_40_3_p8", "MLP-Mixer-40/3")
    assert member.arguments == {"dim": 40, "depth": 3, "patch_size": 8}


def test_rows_keep_the_family_and_its_patches() -> None:
    published = RESMLPS["resmlp_big_24_224"]
    members = [row.make(row.steps[0]) for row in published.rows()]
    assert {(member.family, member.patch_size) for member in members} == {("resmlp", 8)}  # type: ignore[attr-defined]
    assert [member.depth for member in members] == list(range(16, 37))  # type: ignore[attr-defined]
