"""Shared and complex tensors through every change of a module."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cmx_bench.models.building import build_on_meta
from cmx_bench.models.tensors import convert, precise


class Sharing(nn.Module):
    """Two layers with one weight, two with one buffer, a complex filter, a recurrent layer; built
    on the meta device unless a value is read."""

    def __init__(self, read: bool = False) -> None:
        super().__init__()
        self.rate = float(torch.ones(1)) if read else 1.0
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
        self.b.weight = self.a.weight
        mask = torch.ones(5)
        self.a.register_buffer("mask", mask)
        self.b.register_buffer("mask", mask)
        self.filter = nn.Parameter(torch.randn(3, dtype=torch.cdouble))
        self.register_buffer("turns", torch.ones(2, dtype=torch.cfloat))
        self.register_buffer("places", torch.arange(4))
        self.places: Tensor
        self.recurrent = nn.GRU(8, 2)
        self.scaled = nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 4, 3, bias=False))
        self.plain, self.kept = torch.zeros(8), {"in": [torch.zeros(8)]}

    def forward(self, x: Tensor) -> Tensor:
        x = self.b(self.a(x)) * self.rate + self.plain + self.kept["in"][0]
        x = self.recurrent(x)[0]
        return x + self.scaled(torch.zeros(1, 8, 3, 3, dtype=x.dtype, device=x.device)).mean()


_PARAMETERS = 64 + 8 + 8 + 3 + (3 * 2 * 8 + 3 * 2 * 2 + 6 + 6) + (4 * 8 * 9 + 4)
_BUFFERS = 5 + 2 + 4


def sizes(module: nn.Module) -> tuple[int, int]:
    return sum(p.numel() for p in module.parameters()), sum(b.numel() for b in module.buffers())


@pytest.mark.parametrize("read", [False, True])
def test_what_is_shared_stays_shared_on_meta(read: bool) -> None:
    module = build_on_meta(lambda: Sharing(read))
    assert sizes(module) == sizes(Sharing(read)) == (_PARAMETERS, _BUFFERS)
    assert {tensor.device.type for tensor in (*module.parameters(), *module.buffers())} == {"meta"}
    assert module(torch.zeros(1, 3, 8, device="meta")).shape == (1, 3, 2)


def test_what_requires_no_gradient_stays_so_on_meta() -> None:
    def build_frozen() -> nn.Module:
        module = Sharing(True)
        module.a.requires_grad_(False)
        return module

    trainable = sum(p.numel() for p in build_on_meta(build_frozen).parameters() if p.requires_grad)
    assert trainable == _PARAMETERS - 64 - 8


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_precision_leaves_sharing_complex_numbers_and_integers(dtype: torch.dtype) -> None:
    module = Sharing()
    values = module.filter.detach().clone()
    convert(module, "cpu", dtype, torch.channels_last)
    assert sizes(module) == (_PARAMETERS, _BUFFERS)
    assert module.a.weight is module.b.weight
    assert module.a.mask is module.b.mask
    assert module.a.mask.dtype == module.a.weight.dtype == dtype
    assert module.filter.dtype == module.turns.dtype == torch.complex64
    assert torch.equal(module.filter.detach(), values.to(torch.complex64))
    assert module.places.dtype == torch.int64
    factor = module.scaled.parametrizations.weight.original1
    assert factor.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (torch.float64, torch.float16), (torch.bfloat16, torch.float16),
        (torch.complex128, torch.complex64), (torch.complex32, torch.complex64),
        (torch.int8, torch.int8), (torch.bool, torch.bool),
        (torch.float8_e4m3fn, torch.float8_e4m3fn),
    ],
)  # fmt: skip
def test_the_type_that_each_type_becomes(own: torch.dtype, expected: torch.dtype) -> None:
    assert precise(own, torch.float16) == expected
