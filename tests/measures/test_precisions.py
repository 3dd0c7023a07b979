"""Products in other numbers than the setting's, in models that choose these by themselves."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cmx_bench.cell import Model, Precision, Setting
from cmx_bench.errors import ModelError
from cmx_bench.measures import ready
from cmx_bench.measures.forward import place

SETTING = Setting("s", "cpu", "fp32", "nchw", "none", 4, 8)
MODEL = Model("m", "M", "m", "python", "", num_classes=10)


class Heads(nn.Module):
    """A head of 8 × 8 × 3 → 10 as torch has it, and one made by a function."""

    def __init__(self, function: Callable[[Heads, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.plain, self.own = nn.Linear(192, 10), nn.Linear(192, 30, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        rows = images.flatten(1)
        plain: Tensor = self.plain(rows)
        own = self.function(self, rows)[:, :10]
        return plain + (own.real if own.is_complex() else own).to(plain.dtype)


def cast(dtype: torch.dtype) -> Callable[[Heads, Tensor], Tensor]:
    return lambda heads, rows: functional.linear(rows.to(dtype), heads.own.weight.to(dtype))


def without_autocast(heads: Heads, rows: Tensor) -> Tensor:
    with torch.autocast("cpu", enabled=False):
        out: Tensor = heads.own(rows)
    return out


with warnings.catch_warnings():
    warnings.simplefilter("ignore")

    @torch.jit.script
    def multiply_in_fp64(rows: Tensor, weight: Tensor) -> Tensor:
        return rows.double() @ weight.double().t()


def find_precisions(function: Callable[[Heads, Tensor], Tensor], precision: Precision) -> object:
    setting = replace(SETTING, precision=precision)
    prepared = ready.prepare_module(place(Heads(function), setting), setting, MODEL)
    return prepared.details.get("precisions")


@pytest.mark.parametrize(
    ("function", "precision", "expected"),
    [
        (lambda heads, rows: heads.own(rows), "fp32", None),
        (lambda heads, rows: heads.own(rows), "bf16", None),
        (lambda heads, rows: heads.own(rows), "autocast", None),
        (lambda heads, rows: rows.double().sin(), "fp32", None),  # no product
        (cast(torch.float64), "fp32", {"float64": 0.75}),
        (lambda heads, rows: multiply_in_fp64(rows, heads.own.weight), "fp32", {"float64": 0.75}),
        (cast(torch.float32), "bf16", {"float32": 0.75}),
        (cast(torch.float16), "bf16", {"float16": 0.75}),
        (without_autocast, "autocast", {"float32": 0.75}),
        (cast(torch.complex64), "bf16", None),
        (cast(torch.complex128), "fp32", {"complex128": 0.75}),
    ],
)
def test_products_in_other_numbers_are_told(
    function: Callable[[Heads, Tensor], Tensor], precision: Precision, expected: object
) -> None:
    assert find_precisions(function, precision) == expected


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_products_in_smaller_numbers_are_refused(dtype: torch.dtype) -> None:
    kind = str(dtype).removeprefix("torch.")
    with pytest.raises(ModelError, match=f"computes mm in {kind} by its own choice, .* for fp32;"):
        find_precisions(cast(dtype), "fp32")
