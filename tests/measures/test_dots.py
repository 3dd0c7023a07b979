"""Dot products of features that are spelt elementwise are refused; gates, poolings count none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cmx_bench.errors import CountError
from cmx_bench.measures.counting import count

LAYER = 64 * 3 * 8  # of 64 positions, from 3 to 8 features


class Tokens(nn.Module):
    """A function of the features of 64 tokens, (1, 64, 4) twice, and of their gates (1, 64, 1)."""

    def __init__(self, function: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.layer, self.gate = nn.Linear(3, 8), nn.Linear(8, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        both = self.layer(image.flatten(2).mT)
        q, k = both.chunk(2, -1)
        gate = self.gate(both)
        return self.function(q, k, gate), gate


def query(q: Tensor) -> Tensor:
    """(1, 1, 4)."""
    return q.mean(1, keepdim=True)


def shape(k: Tensor) -> Tensor:
    """(1, 4, 8, 8)."""
    return k.mT.unflatten(2, (8, 8))


@pytest.mark.parametrize(
    "function",
    [
        lambda q, k, g: (query(q) * k).sum(-1),
        lambda q, k, g: (k * query(q).expand_as(k)).sum(-1),
        lambda q, k, g: (query(q) * 0.5 * k + 0.0).mT.sum(1),
        lambda q, k, g: (functional.layer_norm(q, (4,)) * k.relu()).masked_fill(k > 0, 0).sum(2),
        lambda q, k, g: (shape(q).roll(1, 3) * shape(k)).flatten(2).sum(1),  # of positions
        lambda q, k, g: (k * g).sum(1),  # no softmax makes these weights
    ],
)
def test_a_dot_product_of_features_is_refused(
    function: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> None:
    with pytest.raises(CountError, match="elementwise, which counts where it is spelt by einsum"):
        count(lambda: Tokens(function), 8)


@pytest.mark.parametrize(
    "function",
    [
        lambda q, k, g: (k * g.softmax(1)).sum(1),
        lambda q, k, g: (k * g.sigmoid()).sum(1) + (k * (g > 0).float()).sum(1),
        lambda q, k, g: (functional.normalize(g, dim=1) * k).sum(1),
        lambda q, k, g: (q * k).mean(1),
        lambda q, k, g: (shape(k) * query(q).mT[..., None]).sum((2, 3)),
        lambda q, k, g: (k * k).sum(-1) + (k - k.mean()).square().sum(-1),
        lambda q, k, g: torch.stack([q * k.sigmoid(), k], 1).sum(1) + q * k,
    ],
)
def test_gates_norms_and_poolings_are_free(
    function: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> None:
    assert count(lambda: Tokens(function), 8).macs == LAYER + 64 * 8
