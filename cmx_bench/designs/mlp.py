"""ResMLP (arXiv:2105.03404) and MLP-Mixer (arXiv:2105.01601): patches mixed by what is linear.

ResMLP has one linear layer over the patches, MLP-Mixer an MLP half as wide as the channels; both
have an MLP over the channels, four times as wide as these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from cmx_bench.cell import Argument
from cmx_bench.designs.anatomy import WIDTHS, Axis, Row, depths, tokens

_LABELS = {"resmlp": "ResMLP", "mixer": "MLP-Mixer"}


@dataclass(frozen=True, slots=True)
class MLP:
    """`depth` blocks, `dim` wide."""

    family: Literal["resmlp", "mixer"]
    dim: int
    depth: int
    patch_size: int = 16

    @property
    def name(self) -> str:
        return f"{self.family}_{self.dim}_{self.depth}_p{self.patch_size}"

    @property
    def label(self) -> str:
        return f"{_LABELS[self.family]}-{self.dim}/{self.depth}"

    @property
    def arguments(self) -> dict[str, Argument]:
        return {"dim": self.dim, "depth": self.depth, "patch_size": self.patch_size}

    @property
    def axes(self) -> dict[str, Axis]:
        sizes = {"dim": self.dim, "depth": self.depth, "patch": self.patch_size}
        return {what: Axis.of(size) for what, size in sizes.items()}

    def rows(self) -> Iterator[Row]:
        """Every width at every depth; patches and expansions stay."""
        for depth in depths(self.depth):
            yield Row(partial(MLP, self.family, depth=depth, patch_size=self.patch_size), WIDTHS)

    def params(self, classes: int, image_size: int) -> int:
        d, n, t = self.dim, tokens(image_size, self.patch_size), self.dim // 2
        # Mixing the patches; norms, and what scales a layer's output; the MLP is common to both.
        mixing = n * n + n if self.family == "resmlp" else 2 * n * t + t + n
        norms = 6 * d if self.family == "resmlp" else 4 * d
        block = mixing + norms + 8 * d * d + 5 * d
        return d * (3 * self.patch_size**2 + 1) + self.depth * block + 2 * d + (d + 1) * classes

    def macs(self, classes: int, image_size: int) -> int:
        d, n = self.dim, tokens(image_size, self.patch_size)
        mixing = n * n if self.family == "resmlp" else 2 * n * (d // 2)
        block = d * mixing + 8 * n * d * d
        return n * d * 3 * self.patch_size**2 + self.depth * block + d * classes


RESMLPS = {
    "resmlp_12_224": MLP("resmlp", 384, 12),
    "resmlp_24_224": MLP("resmlp", 384, 24),
    "resmlp_36_224": MLP("resmlp", 384, 36),
    "resmlp_big_24_224": MLP("resmlp", 768, 24, patch_size=8),
}

# Patches of 16, as in the paper's comparison: those of 32 cost a quarter of the MACs at equal
# parameters, which is another contest.
MIXERS = {
    "mixer_s16_224": MLP("mixer", 512, 8),
    "mixer_b16_224": MLP("mixer", 768, 12),
    "mixer_l16_224": MLP("mixer", 1024, 24),
}
