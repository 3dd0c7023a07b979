"""DeiT (arXiv:2012.12877): a ViT of 12 blocks with heads 64 wide and an MLP four times as wide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial

from cmx_bench import units
from cmx_bench.cell import Argument
from cmx_bench.designs.anatomy import Axis, Row, depths, tokens

_HEAD = 64
_TINY_HEADS = 3  # Ti's

# (dim, heads): as many heads of 64 as it takes; below Ti's three of them, three narrower ones.
_WIDTHS = (
    *((_TINY_HEADS * head, _TINY_HEADS) for head in range(8, _HEAD, 8)),
    *((_HEAD * heads, heads) for heads in range(_TINY_HEADS, 49)),
)


@dataclass(frozen=True, slots=True)
class DeiT:
    """DeiT of `depth` blocks, `dim` wide, with an MLP of `mlp_dim` hidden units in each."""

    dim: int
    depth: int
    heads: int
    mlp_dim: int
    patch_size: int = 16

    @property
    def name(self) -> str:
        patches = "" if self.patch_size == 16 else f"_p{self.patch_size}"
        return f"deit_{self.dim}_{self.depth}_heads{self.heads}_mlp{self.mlp_dim}{patches}"

    @property
    def label(self) -> str:
        expanded = "" if self.mlp_dim == 4 * self.dim else f" MLP {self.mlp_dim}"
        return f"DeiT-{self.dim}/{self.depth}{expanded}"

    @property
    def arguments(self) -> dict[str, Argument]:
        return asdict(self)

    @property
    def axes(self) -> dict[str, Axis]:
        ratio = self.mlp_dim / self.dim
        return {
            "dim": Axis.of(self.dim),
            "depth": Axis.of(self.depth),
            "head width": Axis.of(self.dim // self.heads),
            "MLP ratio": Axis(ratio, units.significant(ratio)),
            "patch": Axis.of(self.patch_size),
        }

    def rows(self) -> Iterator[Row]:
        """Every width in whole heads at every depth, the MLP an eighth wider or narrower.

        Between S and B parameters grow by a sixth to a third from one width to the next, by a
        twelfth from one depth to the next: the MLP fills the gaps.
        """
        for dim, heads in _WIDTHS:
            for depth in depths(self.depth):
                most = dim // 16 * 8
                hidden = range(4 * dim - most, 4 * dim + most + 1, 8)
                make = partial(DeiT, dim, depth, heads, patch_size=self.patch_size)
                yield Row(make, hidden)

    def params(self, classes: int, image_size: int) -> int:
        d, m, n = self.dim, self.mlp_dim, tokens(image_size, self.patch_size) + 1
        block = 4 * d * d + 2 * d * m + 9 * d + m
        stem = d * (3 * self.patch_size**2 + 1) + d + n * d  # patches, class token, their places
        return stem + self.depth * block + 2 * d + (d + 1) * classes

    def macs(self, classes: int, image_size: int) -> int:
        d, n = self.dim, tokens(image_size, self.patch_size)
        stem = n * d * 3 * self.patch_size**2
        n += 1
        block = n * (4 * d * d + 2 * d * self.mlp_dim) + 2 * n * n * d
        return stem + self.depth * block + d * classes


PUBLISHED = {
    "deit_tiny_patch16_224": DeiT(192, 12, heads=3, mlp_dim=768),
    "deit_small_patch16_224": DeiT(384, 12, heads=6, mlp_dim=1536),
    "deit_base_patch16_224": DeiT(768, 12, heads=12, mlp_dim=3072),
}
