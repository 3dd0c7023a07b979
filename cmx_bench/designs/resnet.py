"""ResNet (arXiv:1512.03385): four stages, each twice as wide as the one before, of like blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from cmx_bench.cell import Argument
from cmx_bench.designs.anatomy import Axis, Row, depths

STEM = 64  # timm's stem keeps its width, whatever that of the stages
EXPANSION = {"basic": 1, "bottleneck": 4}

_WIDTHS = (*range(2, 32), *range(32, 513, 4))


@dataclass(frozen=True, slots=True)
class ResNet:
    """ResNet of `layers` blocks in its stages; the first is `width` wide, 64 in published ones.

    `layers` is written 3-4-6-3. A bottleneck's outputs are four times as wide as its stage.
    """

    width: int
    layers: tuple[int, ...]
    block: Literal["basic", "bottleneck"] = "bottleneck"

    @property
    def name(self) -> str:
        kind = "" if self.block == "bottleneck" else "_basic"
        return f"resnet{kind}_{self._shown.replace('-', '_')}_w{self.width}"

    @property
    def label(self) -> str:
        convolutions = {"basic": 2, "bottleneck": 3}[self.block] * sum(self.layers)
        wide = "" if self.width == STEM else f" w{self.width}"
        return f"ResNet-{convolutions + 2}{wide}"

    @property
    def patch_size(self) -> int:
        return 1  # it cuts none

    @property
    def arguments(self) -> dict[str, Argument]:
        return {"block": self.block, "layers": self._shown, "width": self.width}

    @property
    def axes(self) -> dict[str, Axis]:
        return {"width": Axis.of(self.width), "layers": Axis(sum(self.layers), self._shown)}

    @property
    def _shown(self) -> str:
        return "-".join(map(str, self.layers))

    def rows(self) -> Iterator[Row]:
        """Every width at every number of blocks; kind of block and ratio of the stages stay."""
        for blocks in depths(sum(self.layers)):
            layers = apportion(self.layers, blocks)
            yield Row(partial(ResNet, layers=layers, block=self.block), _WIDTHS)

    def params(self, classes: int, image_size: int) -> int:
        convolved = sum(
            times * (weights + 2 * outputs) for times, weights, outputs, _ in self._convolutions()
        )
        return convolved + (self._features + 1) * classes

    def macs(self, classes: int, image_size: int) -> int:
        sides = [_halve(image_size)]  # behind the stem, its pooling, and each stage but the first
        for _ in range(4):
            sides.append(_halve(sides[-1]))
        convolved = sum(
            times * weights * sides[grid] ** 2 for times, weights, _, grid in self._convolutions()
        )
        return convolved + self._features * classes

    @property
    def _features(self) -> int:
        return 8 * self.width * EXPANSION[self.block]

    def _convolutions(self) -> Iterator[tuple[int, int, int, int]]:
        """How often each kind of convolution is there, its weights, its outputs, and on which grid:
        how often it was halved since the stem. A BatchNorm follows each."""
        yield 1, 3 * 7 * 7 * STEM, STEM, 0
        inputs = STEM
        for stage, blocks in enumerate(self.layers):
            width = self.width << stage
            outputs, grid = width * EXPANSION[self.block], stage + 1
            if stage > 0 or inputs != outputs:
                yield 1, inputs * outputs, outputs, grid
            yield from self._block(1, inputs, width, (max(stage, 1), grid))
            yield from self._block(blocks - 1, outputs, width, (grid, grid))
            inputs = outputs

    def _block(
        self, times: int, inputs: int, width: int, grids: tuple[int, int]
    ) -> Iterator[tuple[int, int, int, int]]:
        """The 3 x 3 convolution halves the grid, in a basic block the first of the two."""
        before, grid = grids
        if self.block == "basic":
            yield times, 9 * inputs * width, width, grid
            yield times, 9 * width * width, width, grid
        else:
            yield times, inputs * width, width, before
            yield times, 9 * width * width, width, grid
            yield times, 4 * width * width, 4 * width, grid


def _halve(side: int) -> int:
    """The side of the grid behind a convolution or pooling of stride 2, padded by half a kernel."""
    return (side + 1) // 2


def apportion(layers: tuple[int, ...], blocks: int) -> tuple[int, ...]:
    """`blocks` shared out to the stages in the ratio of `layers`, by largest remainders."""
    total = sum(layers)
    shares = [blocks * stage // total for stage in layers]
    by_remainder = sorted(range(len(layers)), key=lambda at: -(blocks * layers[at] % total))
    for at in by_remainder[: blocks - sum(shares)]:
        shares[at] += 1
    return tuple(shares)


PUBLISHED = {
    "resnet18": ResNet(64, (2, 2, 2, 2), "basic"),
    "resnet34": ResNet(64, (3, 4, 6, 3), "basic"),
    "resnet50": ResNet(64, (3, 4, 6, 3)),
    "resnet101": ResNet(64, (3, 4, 23, 3)),
    "resnet152": ResNet(64, (3, 8, 36, 3)),
}
