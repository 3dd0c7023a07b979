"""Operators that multiply and add up nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cmx_bench.measures.counting.twice import count

from .test_twice import macs, ones


def test_a_gate_and_its_sum_are_elementwise() -> None:
    assert macs(lambda x: (x * x.mean((2, 3), keepdim=True).sigmoid()).sum(1)) == 0


def test_norms_activations_and_pooling_cost_nothing() -> None:
    def build() -> nn.Module:
        layers = nn.BatchNorm2d(3), nn.GELU(), nn.AvgPool2d(2), nn.LayerNorm(4), nn.Softmax(-1)
        return nn.Sequential(*layers)

    counts = count(build, 8)
    assert (counts.macs, counts.activations) == (0, 0)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.asin(x.mT) / x.numel(),
        lambda x: x.log1p().fill_(1) + torch.zeros_like(x).zero_(),
        lambda x: x.flatten().sort().values.cumprod(0) + x.median(),
        lambda x: functional.grid_sample(x, torch.zeros(1, 5, 5, 2), align_corners=False),
        lambda x: functional.embedding_bag(torch.zeros(1, 4).long(), ones(x, 4, 5)) + x.amax(),
        lambda x: functional.one_hot(x[0, 0].long(), 4),
        lambda x: functional.local_response_norm(x, 2),
        lambda x: x.scatter_add(0, torch.zeros(1, 3, 8, 8).long(), x).tril(),
        lambda x: torch.view_as_real(torch.complex(x, x)).logsumexp(-1),
        lambda x: x + torch.arange(8),  # made on the CPU, were it not counted elsewhere
    ],
)
def test_free_operators(function: Callable[[Tensor], Tensor]) -> None:
    assert macs(function) == 0
