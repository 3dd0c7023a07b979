"""How models run to be counted: nothing is printed, and nothing of it stays."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cmx_bench.errors import CountError
from cmx_bench.measures.counting.twice import count


def test_nothing_is_printed_or_left_behind(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    filters, level = list(warnings.filters), logging.getLogger("fvcore").level
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        count(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), 8)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert (warnings.filters, logging.getLogger("fvcore").level) == (filters, level)
    assert torch._C._get_tracing_state() is None


def test_a_model_that_reads_values_while_it_is_built() -> None:
    """timm 1.0.20 does, for its drop-path rates."""

    def build() -> nn.Module:
        rate = torch.linspace(0, 0.1, 2)[1].item()
        return nn.Sequential(nn.Dropout(rate), nn.Conv2d(3, 4, 1))

    assert count(build, 8).macs == 8 * 8 * 3 * 4


def test_a_model_that_computes_gradients_is_told_so() -> None:
    class Slopes(nn.Linear):
        def forward(self, image: Tensor) -> Tensor:
            return torch.autograd.grad(super().forward(image).sum(), image)[0]

    with pytest.raises(CountError, match="it computes gradients while it runs, which are not cou"):
        count(lambda: Slopes(8, 8), 8)


def _is_number(image: Tensor) -> bool:
    return isinstance(image.shape[2], int) and isinstance(image.numel(), int)


def _are_keys(image: Tensor) -> bool:
    return {8: {3: True}}[image.size(-1)][image.size()[1]]


def _unpools(image: Tensor) -> bool:
    """torch compares sizes in code of its own, which takes no tensor for an answer."""
    pooled, places = nn.functional.max_pool2d(image, 2, return_indices=True)
    return nn.functional.max_unpool2d(pooled, places, [2, 2]).shape == image.shape


@pytest.mark.parametrize("agrees", [_is_number, _are_keys, _unpools])
def test_sizes_are_numbers_in_a_trace_too(agrees: Callable[[Tensor], bool]) -> None:
    class Asking(nn.Conv2d):
        def forward(self, image: Tensor) -> Tensor:
            assert agrees(image)
            return super().forward(image)

    assert count(lambda: Asking(3, 4, 1), 8).macs == 8 * 8 * 3 * 4


def test_a_buffer_that_no_checkpoint_holds_is_an_output() -> None:
    """As the loss beside the logits that a model has none of where it is not trained."""

    class WithLoss(nn.Conv2d):
        def __init__(self) -> None:
            super().__init__(3, 4, 1)
            self.register_buffer("zero", torch.tensor(0.0), persistent=False)
            self.zero: Tensor

        def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
            return super().forward(image), self.zero

    assert count(WithLoss, 8).macs == 8 * 8 * 3 * 4
