"""The second count: what torch's dispatcher is asked for, or a refusal by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cmx_bench.errors import CountError
from cmx_bench.measures.counting.twice import count

from .test_twice import macs


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda x: torch.fft.fft2(x).real,
            "no rule counts aten::_fft_c2c, called as torch.fft.fft2, in Function",
        ),
        (torch.linalg.inv, "no rule counts aten::linalg_inv_ex, called as torch.lin"),
        (lambda x: torch.ops.aten.linalg_vecdot(x, x), "linalg_vecdot: write it with einsum or"),
        (lambda x: torch.cond(x.sum() > 0, torch.sin, torch.cos, (x,)), "cond in .*: write it wit"),
        (lambda x: x * x.mean().item(), "called as torch.Tensor.item, .* depends on the image"),
        (lambda x: x if x.mean() > 0 else -x, "torch.Tensor.__bool__, .* depends on the image"),
        (lambda x: x[x > 0], "aten::index, .* depends on the image"),
    ],
)
def test_what_cannot_be_counted_is_refused_by_name(
    function: Callable[[Tensor], Tensor], message: str
) -> None:
    with pytest.raises(CountError, match=message):
        macs(function)


def test_an_operator_of_a_library_is_refused() -> None:
    """It may multiply whatever it likes inside."""
    library = torch.library.Library("cmx_test", "DEF")
    library.define("gram(Tensor image) -> Tensor")
    library.impl("gram", lambda image: image @ image, "CompositeExplicitAutograd")
    with pytest.raises(CountError, match="no rule counts cmx_test::gram"):
        macs(torch.ops.cmx_test.gram)


def gate(x: Tensor) -> Tensor:
    """Of 3 x 3 MACs a pixel."""
    return functional.conv2d(x, torch.zeros(3, 3, 1, 1, device=x.device))


def write_by_rows(x: Tensor) -> Tensor:
    out = torch.empty_like(x)
    for row in range(8):
        out[:, :, row] = gate(x)[:, :, row]
    return out


@pytest.mark.parametrize(
    ("function", "layers"),
    [
        (
            lambda x: functional.grid_sample(x, gate(x)[:, :2].movedim(1, -1), align_corners=False),
            1,
        ),
        (lambda x: x.masked_fill(gate(x) > 0, 0), 1),
        (lambda x: x[:, gate(x).argmax(1)], 1),
        (write_by_rows, 8),
    ],
)
def test_what_an_output_depends_on_in_whatever_way_counts(
    function: Callable[[Tensor], Tensor], layers: int
) -> None:
    assert macs(function) == layers * 8 * 8 * 3 * 3


def test_a_refusal_names_the_module() -> None:
    class Spectrum(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return torch.fft.rfft(image).real

    with pytest.raises(CountError, match="called as torch.fft.rfft, in Sequential.1: where it"):
        count(lambda: nn.Sequential(nn.ReLU(), Spectrum()), 8)
