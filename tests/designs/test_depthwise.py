"""ConvMixers: what published ones cost, and names that tell all ablations."""

from __future__ import annotations

import pytest

from cmx_bench.designs.depthwise import PUBLISHED, ConvMixer


@pytest.mark.parametrize(
    ("design", "name"),
    [
        (ConvMixer(256, 8), "convmixer_256_8_ks9_p7"),
        (ConvMixer(256, 8, 5, 4, "relu"), "convmixer_256_8_ks5_p4_relu"),
        (ConvMixer(256, 8, norm="layer", residual="none"),
         "convmixer_256_8_ks9_p7_layernorm_res_none"),
    ],
)  # fmt: skip
def test_a_name_tells_what_is_not_the_default(design: ConvMixer, name: str) -> None:
    assert (design.name, design.label) == (name, "ConvMixer-256/8")


def test_rows_keep_all_but_width_and_depth() -> None:
    members = [row.make(row.steps[0]) for row in PUBLISHED["convmixer_768_32"].rows()]
    rest = {(member.kernel_size, member.patch_size, member.activation) for member in members}  # type: ignore[attr-defined]
    assert rest == {(7, 7, "relu")}
