"""ConvMixer (arXiv:2201.09792): width h, depth d, kernel k, patch p, and the activation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from cmx_bench.cell import Argument
from cmx_bench.designs.anatomy import WIDTHS, Axis, Row, depths, tokens


@dataclass(frozen=True, slots=True)
class ConvMixer:
    """ConvMixer-`dim`/`depth`. `models.convmixer` is the module."""

    dim: int
    depth: int
    kernel_size: int = 9
    patch_size: int = 7
    activation: Literal["gelu", "relu"] = "gelu"
    norm: Literal["batch", "layer"] = "batch"
    residual: Literal["depthwise", "both", "none"] = "depthwise"

    @property
    def name(self) -> str:
        sides = f"ks{self.kernel_size}_p{self.patch_size}"
        changed = "" if self.activation == "gelu" else f"_{self.activation}"
        changed += "" if self.norm == "batch" else f"_{self.norm}norm"
        changed += "" if self.residual == "depthwise" else f"_res_{self.residual}"
        return f"convmixer_{self.dim}_{self.depth}_{sides}{changed}"

    @property
    def label(self) -> str:
        return f"ConvMixer-{self.dim}/{self.depth}"

    @property
    def arguments(self) -> dict[str, Argument]:
        return asdict(self)

    @property
    def axes(self) -> dict[str, Axis]:
        sizes = {"h": self.dim, "d": self.depth, "p": self.patch_size}
        return {what: Axis.of(size) for what, size in sizes.items()}

    def rows(self) -> Iterator[Row]:
        """Every width at every depth; all else stays."""
        rest = {key: value for key, value in asdict(self).items() if key not in ("dim", "depth")}
        for depth in depths(self.depth):
            yield Row(partial(ConvMixer, depth=depth, **rest), WIDTHS)

    def params(self, classes: int, image_size: int) -> int:
        h, k = self.dim, self.kernel_size
        block = k * k + h + 6
        return h * (self.depth * block + 3 * self.patch_size**2 + classes + 3) + classes

    def macs(self, classes: int, image_size: int) -> int:
        h, k, n = self.dim, self.kernel_size, tokens(image_size, self.patch_size)
        block = h * k * k + h * h
        return n * (h * 3 * self.patch_size**2 + self.depth * block) + h * classes


# The first three are timm's, with weights; the others are in the paper's appendix. Note the ReLU of
# the second and the width of the third.
PUBLISHED = {
    "convmixer_1536_20": ConvMixer(1536, 20),
    "convmixer_768_32": ConvMixer(768, 32, kernel_size=7, activation="relu"),
    "convmixer_1024_20_ks9_p14": ConvMixer(1024, 20, patch_size=14),
    "convmixer_1024_16_ks9_p7": ConvMixer(1024, 16),
    "convmixer_1024_12_ks8_p7": ConvMixer(1024, 12, kernel_size=8),
    "convmixer_512_16_ks8_p7": ConvMixer(512, 16, kernel_size=8),
    "convmixer_512_12_ks8_p7": ConvMixer(512, 12, kernel_size=8),
}
