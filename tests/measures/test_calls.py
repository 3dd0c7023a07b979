"""Kinds of work and their MACs, against arithmetic and against the two other counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import timm
import torch
from torch import Tensor, nn

from cmx_bench.errors import CountError
from cmx_bench.measures.calls import macs_by_kind
from cmx_bench.measures.counting import count
from cmx_bench.models.convmixer import ConvMixer

SIZE = 64


def convmixer() -> nn.Module:
    return ConvMixer(16, 2, 5, 8, num_classes=10).eval()


def deit() -> nn.Module:
    return timm.create_model("deit_tiny_patch16_224", img_size=SIZE, depth=2).eval()


def test_a_convmixer() -> None:
    n = (SIZE // 8) ** 2
    assert macs_by_kind(convmixer, SIZE) == {
        "convolution": n * 16 * 3 * 8**2 + 2 * n * 16 * 16,  # patches, pointwise
        "depthwise": 2 * n * 16 * 5**2,
        "linear": 16 * 10,
    }


@pytest.mark.parametrize("fused", [True, False])
def test_a_deit(fused: bool) -> None:
    """Attention is one call or two products: QKᵀ and AV."""
    tokens, dim = (SIZE // 16) ** 2 + 1, 192

    def build() -> nn.Module:
        model = deit()
        for module in model.modules():
            if hasattr(module, "fused_attn"):
                vars(module)["fused_attn"] = fused
        return model

    assert macs_by_kind(build, SIZE) == {
        "convolution": (tokens - 1) * dim * 3 * 16**2,
        "linear": 2 * 12 * tokens * dim**2 + 1000 * dim,
        "attention": 2 * 2 * tokens**2 * dim,
    }


@pytest.mark.parametrize(
    "build",
    [
        convmixer,
        deit,
        lambda: timm.create_model("resnet10t").eval(),
        lambda: timm.create_model("resmlp_12_224", img_size=SIZE).eval(),
        lambda: timm.create_model("mixer_s16_224", img_size=SIZE).eval(),
    ],
)
def test_all_kinds_together_are_the_count(build: Callable[[], nn.Module]) -> None:
    assert sum(macs_by_kind(build, SIZE).values()) == count(build, SIZE).macs


class Products(nn.Module):
    """Products by a weight, as it is and as a view of it, and of activations."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(SIZE, SIZE))

    def forward(self, images: Tensor) -> Tensor:
        rows = images[:, 0]
        mixed = rows @ self.weight + torch.matmul(self.weight.t(), rows)
        return torch.einsum("bij,bjk->bik", mixed, rows) + mixed.bmm(rows)


def test_a_product_by_a_weight_is_linear() -> None:
    assert macs_by_kind(Products, SIZE) == {"linear": 2 * SIZE**3, "attention": 2 * SIZE**3}


def test_a_product_with_a_vector_counts() -> None:
    class Query(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query = nn.Parameter(torch.zeros(SIZE))

        def forward(self, images: Tensor) -> Tensor:
            return images @ self.query

    assert macs_by_kind(Query, SIZE) == {"linear": 3 * SIZE**2}


def test_a_product_spelt_elementwise_has_no_kind() -> None:
    class Spelt(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return (images[..., None] * images[..., None, :, :]).sum(-2)

    with pytest.raises(CountError, match=f"sum has {3 * SIZE**3} MACs, and its kind"):
        macs_by_kind(Spelt, SIZE)


def test_a_transposed_convolution_is_no_depthwise_one() -> None:
    def build() -> nn.Module:
        return nn.ConvTranspose2d(3, 4, 2, 2)

    assert macs_by_kind(build, SIZE) == {"convolution": SIZE**2 * 3 * 4 * 2**2}


def test_work_of_an_unknown_kind_is_refused() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = nn.LSTM(SIZE, 4)

        def forward(self, images: Tensor) -> Tensor:
            return self.rows(images[:, 0])[0]

    with pytest.raises(CountError, match=r"lstm has \d+ MACs, and its kind of work is unknown"):
        macs_by_kind(Recurrent, SIZE)
