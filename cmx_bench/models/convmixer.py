"""ConvMixer, written out as in *Patches Are All You Need?* (arXiv:2201.09792, section 2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU}


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
    ) -> None:
        super().__init__()
        act = ACTIVATIONS[activation]
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, dim, kernel_size=patch_size, stride=patch_size),
            act(),
            nn.BatchNorm2d(dim),
        )
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    Residual(
                        nn.Sequential(
                            nn.Conv2d(dim, dim, kernel_size, groups=dim, padding="same"),
                            act(),
                            nn.BatchNorm2d(dim),
                        )
                    ),
                    nn.Conv2d(dim, dim, kernel_size=1),
                    act(),
                    nn.BatchNorm2d(dim),
                )
                for _ in range(depth)
            )
        )
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
