"""The families of the comparison: the published members of each, and the rules that others follow.

A family is one file with a frozen class that is a `Design`, and a row in the table below.
"""

from __future__ import annotations

from collections.abc import Mapping

from cmx_bench.cell import Family
from cmx_bench.designs import deit, depthwise, mlp, resnet
from cmx_bench.designs.anatomy import Design

# By family, the published members by their names, which are timm's where timm has them.
FAMILIES: dict[Family, Mapping[str, Design]] = {
    "resnet": resnet.PUBLISHED,
    "deit": deit.PUBLISHED,
    "resmlp": mlp.RESMLPS,
    "mixer": mlp.MIXERS,
    "convmixer": depthwise.PUBLISHED,
}


def find_published(name: str) -> Design | None:
    """The published member of that name, of any family; None where there is none."""
    return next((members[name] for members in FAMILIES.values() if name in members), None)
