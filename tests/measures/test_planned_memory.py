"""Planned bytes against sums done by hand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from cmx_bench.errors import CountError, SkipError
from cmx_bench.measures.planned_memory import planned_peak

from .test_measures import MODEL, OPTIMISED, measure

FLOAT, HALF = torch.float32, torch.float16


class TwoLayers(nn.Module):
    """10 -> 20 -> 5 features: 325 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x.flatten(1))
        return out


class Residual(nn.Module):
    """Two ReLUs and, if asked, the sum of what came in and what comes out."""

    def __init__(self, residual: bool) -> None:
        super().__init__()
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        x = x * 2
        out = x.relu()
        if not self.residual:
            del x
        out = out.relu()
        return out + x if self.residual else out


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(x, x, x)


def test_two_layers() -> None:
    # 325 parameters, 4 x 10 inputs; at its most both sides of the ReLU, 4 x 20 each.
    assert planned_peak(TwoLayers, (4, 10, 1, 1), FLOAT) == 4 * (325 + 40 + 80 + 80)


def test_half_precision_halves() -> None:
    single = planned_peak(TwoLayers, (4, 10, 1, 1), FLOAT)
    assert 2 * planned_peak(TwoLayers, (4, 10, 1, 1), HALF) == single


def test_autocast_keeps_weights_and_reduces_copies_layer_by_layer() -> None:
    # fp32: parameters and input. Two bytes each, at the first layer: a copy of its 10 x 20 + 20
    # parameters, of its 4 x 10 inputs, and its 4 x 20 outputs.
    expected = 4 * (325 + 40) + 2 * (220 + 40 + 80)
    assert planned_peak(TwoLayers, (4, 10, 1, 1), FLOAT, autocast=torch.bfloat16) == expected
    assert planned_peak(TwoLayers, (4, 10, 1, 1), FLOAT, autocast=HALF) == expected


def test_a_residual_keeps_its_input_alive() -> None:
    image = 4 * 3 * 8 * 8
    # The caller's image, the two sides of a ReLU, and with a residual the block's input besides.
    assert planned_peak(lambda: Residual(False), (1, 3, 8, 8), FLOAT) == 3 * image
    assert planned_peak(lambda: Residual(True), (1, 3, 8, 8), FLOAT) == 4 * image


def test_in_place_and_views_add_nothing() -> None:
    def build() -> nn.Module:
        return nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Unflatten(1, (3, 64)))

    assert planned_peak(build, (1, 3, 8, 8), FLOAT) == 4 * 3 * 8 * 8


def test_intermediates_grow_linearly_with_the_batch() -> None:
    def build() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.GELU())

    one, two, five = (planned_peak(build, (batch, 3, 16, 16), FLOAT) for batch in (1, 2, 5))
    assert five - two == 3 * (two - one) > 0


def test_buffers_count_and_shared_parameters_count_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(8, 8, bias=False)
            self.second = nn.Linear(8, 8, bias=False)
            self.second.weight = self.first.weight
            self.register_buffer("steps", torch.zeros(3, dtype=torch.int64))

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.second(self.first(x))
            return out

    # One weight, one buffer of 3 x 8 bytes, the image and both outputs.
    assert planned_peak(Tied, (1, 1, 8, 8), FLOAT) == 4 * 64 + 24 + 3 * 4 * 64


def test_plain_tensors_count_and_share() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean, self.kept = torch.zeros(3, 1, 1), {"in": [torch.zeros(3, 1, 1)]}
            self.same = self.mean

        def forward(self, x: Tensor) -> Tensor:
            return x - self.mean + self.kept["in"][0]

    # Two of three numbers, the image, and the sides of the last operator.
    assert planned_peak(Plain, (1, 3, 8, 8), FLOAT) == 4 * (3 + 3 + 3 * 192)


def test_what_code_keeps_of_building_counts_too() -> None:
    @lru_cache
    def places(count: int) -> Tensor:
        return torch.arange(count, dtype=FLOAT)

    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            places(8)

        def forward(self, x: Tensor) -> Tensor:
            return x + places(8)

    assert planned_peak(Positions, (1, 3, 8, 8), FLOAT) == 4 * (8 + 2 * 192)


def test_work_that_is_still_to_be_done_is_refused() -> None:
    class Later(nn.Module):
        def forward(self, x: Tensor) -> Iterator[Tensor]:
            yield x * 2

    with pytest.raises(CountError, match="returns no tensor"):
        planned_peak(Later, (1, 3, 8, 8), FLOAT)


def test_weights_that_a_model_does_not_show_are_refused() -> None:
    layer = nn.Linear(8, 8)

    class Outside(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = layer(x)
            return out

    with pytest.raises(CountError, match="^runs a Linear that is none of its modules"):
        planned_peak(Outside, (1, 3, 8, 8), FLOAT)


def test_attention_scores_are_never_alive() -> None:
    tokens = 4 * 2 * 512 * 8
    assert planned_peak(Attention, (1, 2, 512, 8), FLOAT) == 2 * tokens
    assert planned_peak(Attention, (1, 2, 512, 8), FLOAT, autocast=HALF) <= 3 * tokens


def test_channels_last_moves_bytes_but_adds_none_to_a_convolution() -> None:
    def build() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3))

    planned = planned_peak(build, (2, 3, 16, 16), FLOAT)
    assert planned_peak(build, (2, 3, 16, 16), FLOAT, channels_last=True) == planned


def test_resnet50_is_the_same_twice_and_leaves_no_mode_behind() -> None:
    def build() -> nn.Module:
        return timm.create_model("resnet50")

    first = planned_peak(build, (8, 3, 224, 224), FLOAT)
    assert planned_peak(build, (8, 3, 224, 224), FLOAT) == first
    # 25,557,032 parameters, 53,120 buffer elements and 53 of 8 bytes, the image; the most is alive
    # in the first block's shortcut: its input, the branch's output, the shortcut's convolution
    # and that one's BatchNorm.
    resident = 4 * (25_557_032 + 53_120) + 8 * 53 + 4 * 8 * 3 * 224 * 224
    assert first == resident + 4 * 8 * 56 * 56 * (64 + 3 * 256)
    assert type(torch.ones(1)) is Tensor


class Filter(nn.Module):
    """A complex filter of 5 numbers, each eight bytes, and one buffer under two names."""

    def __init__(self, reads: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(5, dtype=torch.cfloat))
        mask = torch.zeros(float(torch.ones(1)).__int__() * 7 if reads else 7)
        self.register_buffer("one", mask)
        self.register_buffer("other", mask)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


def test_complex_weights_and_shared_buffers() -> None:
    """Of 20 numbers and 5 complex ones come 20 complex ones."""
    for reads in (False, True):
        for dtype, bytes_each in ((FLOAT, 4), (HALF, 2)):
            expected = 5 * 8 + bytes_each * (7 + 20) + 20 * 8
            assert planned_peak(lambda r=reads: Filter(r), (4, 1, 1, 5), dtype) == expected  # type: ignore[misc]


def test_an_optimised_model_plans_and_loads_the_folded_one_and_does_not_train() -> None:
    planned, less = (measure("planned_memory", model)["planned_memory"] for model in
                     (MODEL, OPTIMISED))  # fmt: skip
    assert less[0] < planned[0]
    assert measure("load_time", OPTIMISED)["load_time"][0] > 0
    for name in ("train_throughput", "train_memory"):
        with pytest.raises(SkipError, match="trained as the plain one"):
            measure(name, OPTIMISED)
