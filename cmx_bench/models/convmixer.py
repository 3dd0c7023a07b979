"""ConvMixer, written out as in *Patches Are All You Need?* (arXiv:2201.09792, section 2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal

from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU}
# Over the channels of a position, LayerNorm as in token models; both have two parameters a channel.
NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm2d, "layer": LayerNorm2d}


class Residual(nn.Module):
    """`fn(x) + x`."""

    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fn(x) + x
        return out


class ConvMixer(nn.Module):
    """ConvMixer-`dim`/`depth`: patch embedding, `depth` blocks of depthwise and pointwise
    convolution, global average pooling, linear classifier.

    Each convolution is followed by the activation and BatchNorm; the depthwise one alone has a
    residual. Parameters: `dim * (depth * (kernel_size**2 + dim + 6) + in_channels * patch_size**2
    + num_classes + 3) + num_classes`. Parameter names are timm's.

    Args:
        dim: the width h of every layer.
        depth: the number d of blocks.
        kernel_size: the depthwise convolution's k; an even one is padded unevenly ("same").
        patch_size: the patch embedding's kernel and stride p.
        activation: "gelu", or "relu" as in ConvMixer-768/32.
        norm: "batch", or "layer" as in the paper's ablations.
        residual: around the "depthwise" convolution, around "both", or "none".
        in_channels: channels of the image.
        num_classes: length of the logits.
    """

    def __init__(
        self,
        dim: int,
        depth: int,
        kernel_size: int = 9,
        patch_size: int = 7,
        activation: Literal["gelu", "relu"] = "gelu",
        in_channels: int = 3,
        num_classes: int = 1000,
        norm: Literal["batch", "layer"] = "batch",
        residual: Literal["depthwise", "both", "none"] = "depthwise",
    ) -> None:
        super().__init__()
        act, normed = ACTIVATIONS[activation], NORMS[norm]

        def mixing(convolution: nn.Conv2d) -> list[nn.Module]:
            return [convolution, act(), normed(dim)]

        def block() -> nn.Sequential:
            spatial = nn.Sequential(
                *mixing(nn.Conv2d(dim, dim, kernel_size, groups=dim, padding="same"))
            )
            channels = mixing(nn.Conv2d(dim, dim, kernel_size=1))
            if residual == "both":
                channels = [Residual(nn.Sequential(*channels))]
            return nn.Sequential(spatial if residual == "none" else Residual(spatial), *channels)

        self.stem = nn.Sequential(
            *mixing(nn.Conv2d(in_channels, dim, kernel_size=patch_size, stride=patch_size))
        )
        self.blocks = nn.Sequential(*(block() for _ in range(depth)))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten())
        self.head = nn.Linear(dim, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(N, num_classes)` of images `x: (N, in_channels, H, W)`, H and W at least p."""
        logits: Tensor = self.head(self.pool(self.blocks(self.stem(x))))
        return logits


def rename_authors_keys(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' checkpoints name parameters by position in one nn.Sequential; this renames them.

    `0` and `2` are the stem, `3` to `depth + 2` the blocks, `depth + 5` the classifier (after
    pooling and flattening). Other state dicts come back unchanged.
    """
    if not all(re.match(r"\d+\.", key) for key in state_dict):
        return dict(state_dict)
    last = max(int(key.partition(".")[0]) for key in state_dict)

    def renamed(key: str) -> str:
        position, rest = re.fullmatch(r"(\d+)\.(.+)", key).groups()  # type: ignore[union-attr]
        index = int(position)
        if index == last:
            return f"head.{rest}"
        return f"stem.{index}.{rest}" if index < 3 else f"blocks.{index - 3}.{rest}"

    return {renamed(key): value for key, value in state_dict.items()}
