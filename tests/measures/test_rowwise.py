"""Products that are spelt row by row: refused, where a weight tells them from a gate."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cmx_bench.errors import CountError
from cmx_bench.measures.counting import count


class Weighted(nn.Module):
    """A function of an image (1, 3, 8, 8) and of weights `w` (5, 3), `taps` (3, 3, 3, 3)."""

    def __init__(self, function: Callable[[Weighted, Tensor], object]) -> None:
        super().__init__()
        self.function = function
        self.w, self.taps = nn.Parameter(torch.zeros(5, 3)), nn.Parameter(torch.zeros(3, 3, 3, 3))
        self.register_buffer("scale", torch.ones(3))
        self.scale: Tensor

    def forward(self, image: Tensor) -> object:
        return self.function(self, image)


def vector(x: Tensor) -> Tensor:
    """(1, 3)."""
    return x.mean((2, 3))


@pytest.mark.parametrize(
    "function",
    [
        lambda s, x: torch.stack([(vector(x) * s.w[o]).sum(1) for o in range(5)], 1),
        lambda s, x: torch.stack([(s.w[o] * x.movedim(1, -1)).sum(-1) for o in range(5)], 1),
        lambda s, x: (x * s.w[0, :, None, None]).mean(),
        # A convolution of each channel, tap by tap.
        lambda s, x: sum(
            x[..., i : i + 6, j : j + 6] * s.taps[0, :, i, j, None, None]
            for i in range(3) for j in range(3)
        ),
        lambda s, x: sum(x.roll(i, 3) * s.taps[0, :, 0, i, None, None] for i in range(3)),
        lambda s, x: functools.reduce(
            lambda out, i: out.add_(x[..., i : i + 6] * s.taps[0, 0, i].view(3, 1, 1)),
            range(3), torch.zeros_like(x[..., :6]),
        ),
    ],
)  # fmt: skip
def test_a_product_that_is_spelt_row_by_row_is_refused(
    function: Callable[[Weighted, Tensor], object],
) -> None:
    with pytest.raises(CountError, match="elementwise, which counts where it is spelt by einsum"):
        count(lambda: Weighted(function), 8)
