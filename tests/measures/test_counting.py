"""MACs and activations against arithmetic done by hand, and what must be refused."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable

import pytest
import timm
import torch
from fvcore.nn.jit_analysis import _IGNORED_OPS
from torch import Tensor, nn
from torch.nn import functional

from cmx_bench.errors import CountError
from cmx_bench.measures.counting import RULES, ZERO, count
from cmx_bench.models.building import build_on_meta

# params and MACs per 224 x 224 image: a closed formula, hooks and both counters gave the same.
MEASURED = [
    ("convmixer_1536_20", 51_625_960, 51_099_168_768),
    ("convmixer_768_32", 21_110_248, 20_676_851_712),
    ("resnet50", 25_557_032, 4_089_184_256),
    ("resnet152", 60_192_808, 11_513_626_624),
    ("deit_small_patch16_224", 22_050_664, 4_598_882_304),
    ("deit_base_patch16_224", 86_567_656, 17_563_828_224),
    ("resmlp_12_224", 15_350_872, 3_009_739_776),
    ("resmlp_24_224", 30_020_680, 5_961_292_800),
    ("resmlp_big_24_224", 129_138_280, 100_230_739_968),
    ("mixer_s16_224", 18_528_264, 3_776_958_464),
    ("mixer_b16_224", 59_880_472, 12_601_767_936),
]


class Function(nn.Module):
    """A model that is one function of the image."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, image: Tensor) -> Tensor:
        return self.function(image)


def macs(function: Callable[[Tensor], Tensor], image_size: int = 8, in_channels: int = 3) -> int:
    return count(lambda: Function(function), image_size, in_channels).macs


@pytest.mark.parametrize(("name", "params", "expected"), MEASURED)
def test_models_of_the_paper(name: str, params: int, expected: int) -> None:
    def build() -> nn.Module:
        return timm.create_model(name, num_classes=1000)

    counts = count(build, 224)
    assert counts.macs == expected
    assert sum(counts.operators.values()) == expected
    assert sum(parameter.numel() for parameter in build_on_meta(build).parameters()) == params


def test_same_padding_is_counted_in_activations() -> None:
    counts = count(lambda: timm.create_model("convmixer_1536_20"), 224)
    assert counts.activations == 41 * 32 * 32 * 1536 + 1000 == 64_488_424


@pytest.mark.parametrize(
    ("h", "d", "k", "p", "size"),
    [(8, 2, 3, 4, 32), (12, 1, 9, 7, 56), (8, 3, 4, 2, 16), (8, 2, 8, 7, 63), (16, 1, 2, 1, 8)],
)
def test_convmixer_closed_form(h: int, d: int, k: int, p: int, size: int) -> None:
    def build() -> nn.Module:
        blocks: list[nn.Module] = [nn.Conv2d(3, h, p, stride=p)]
        for _ in range(d):
            blocks += [nn.Conv2d(h, h, k, groups=h, padding="same"), nn.BatchNorm2d(h)]
            blocks += [nn.Conv2d(h, h, 1), nn.GELU()]
        return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(h, 10))

    n = size // p
    counts = count(build, size)
    assert counts.macs == n * n * h * 3 * p * p + d * (n * n * h * k * k + n * n * h * h) + h * 10
    assert counts.activations == n * n * h * (1 + 2 * d) + 10


@pytest.mark.parametrize(
    ("convolution", "expected"),
    [
        # 6 filters of 4 / 2 channels and 3 x 3 taps at 4 x 4 outputs, padding included.
        (lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), 4 * 4 * 6 * 2 * 9),
        (lambda: nn.Conv2d(4, 6, 3, dilation=2, padding=(2, 0), bias=False), 8 * 4 * 6 * 4 * 9),
        # Each of 8 x 8 inputs is multiplied by every tap.
        (lambda: nn.ConvTranspose2d(4, 6, 2, stride=2), 8 * 8 * 4 * 6 * 4),
        (lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1), 8 * 8 * 4 * 6 * 9),
        (lambda: nn.Conv2d(4, 6, 3, padding="valid"), 6 * 6 * 6 * 4 * 9),
        (lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), 8 * 8 * 6 * 4 * 9),
        (lambda: nn.Sequential(nn.Flatten(2), nn.Conv1d(4, 6, 3, padding=1)), 64 * 6 * 4 * 3),
    ],
)
def test_convolutions(convolution: Callable[[], nn.Module], expected: int) -> None:
    assert count(convolution, 8, in_channels=4).macs == expected


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        (lambda x: torch.ones(8, 8, device=x.device) @ x, 3 * 8 * 8 * 8),  # W(N,N) @ x(1,3,N,C)
        (lambda x: torch.ones(7, 1, 5, 8, device=x.device) @ x, 7 * 3 * 5 * 8 * 8),
        (lambda x: torch.mm(x[0, 0], x[0, 1]), 8 * 8 * 8),
        (lambda x: torch.bmm(x[0], x[0]), 3 * 8 * 8 * 8),
        (lambda x: torch.addmm(x[0, 0], x[0, 0], x[0, 1]), 8 * 8 * 8),
        (lambda x: torch.baddbmm(x[0], x[0], x[0]), 3 * 8 * 8 * 8),
        (lambda x: torch.einsum("bcij,bcjk->bcik", x, x), 3 * 8 * 8 * 8),
        (lambda x: torch.einsum("...ij,ki->...kj", x, x[0, 0]), 3 * 8 * 8 * 8),
        (lambda x: torch.einsum("bcij,bdij", x, x), 3 * 3 * 8 * 8),
        (lambda x: torch.einsum("i,j->ij", x[0, 0, 0], x[0, 1, 0]), 0),
        (lambda x: functional.scaled_dot_product_attention(x, x, x[..., :5]), 3 * 64 * (8 + 5)),
        (lambda x: functional.linear(x, torch.ones(5, 8, device=x.device)), 3 * 8 * 8 * 5),
    ],
)
def test_products(product: Callable[[Tensor], Tensor], expected: int) -> None:
    assert macs(product) == expected


def test_a_token_mixer_on_the_left_with_a_batch() -> None:
    """fvcore's own rule multiplies W(N, N) once instead of once for each of the 6 images."""

    def mix(image: Tensor) -> Tensor:
        tokens = image.reshape(6, 16, 2)
        return torch.ones(16, 16, device=image.device) @ tokens

    assert macs(mix) == 6 * 16 * 16 * 2


def test_attention_counts_both_products_as_activations() -> None:
    def attend(image: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(image, image, image[..., :5])

    assert count(lambda: Function(attend), 8).activations == 3 * 8 * 8 + 3 * 8 * 5


def test_a_gate_and_its_sum_are_elementwise() -> None:
    assert macs(lambda x: (x * x.mean((2, 3), keepdim=True).sigmoid()).sum(1)) == 0


def test_an_lstm_applies_its_weights_at_every_step() -> None:
    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(8, 5, num_layers=2, bidirectional=True, batch_first=True)

        def forward(self, image: Tensor) -> Tensor:
            out: Tensor = self.lstm(image[:, 0])[0]
            return out

    # 8 steps, both directions; the second layer reads the 2 x 5 outputs of the first.
    assert count(Rows, 8).macs == 8 * 2 * (4 * 5 * (8 + 5) + 4 * 5 * (10 + 5))


def test_norms_activations_and_pooling_cost_nothing() -> None:
    def build() -> nn.Module:
        layers = nn.BatchNorm2d(3), nn.GELU(), nn.AvgPool2d(2), nn.LayerNorm(4), nn.Softmax(-1)
        return nn.Sequential(*layers)

    counts = count(build, 8)
    assert (counts.macs, counts.activations) == (0, 0)


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (lambda x: torch.fft.fft2(x).real, "aten::fft_fft2"),
        (lambda x: torch.cdist(x, x), "aten::cdist"),
        (
            lambda x: functional.bilinear(x, x, torch.ones(2, 8, 8, device=x.device)),
            "aten::bilinear",
        ),
        (lambda x: torch.einsum("bcij,cij,bij->c", x, x[0], x[:, 0]), "aten::einsum"),
        (lambda x: (x[..., None] * x[..., None, :, :]).sum(-2), "aten::sum"),
    ],
)
def test_unknown_operators_are_refused_by_name(
    function: Callable[[Tensor], Tensor], operator: str
) -> None:
    with pytest.raises(CountError, match=operator):
        macs(function)


def test_a_model_whose_counts_differ_is_refused() -> None:
    """The trace drops a product nobody uses; the dispatcher sees it being done."""

    def waste(image: Tensor) -> Tensor:
        image @ image
        return image.relu()

    with pytest.raises(CountError, match=r"two counts differ.*aten\.bmm"):
        macs(waste)


def test_a_product_that_the_second_counter_misses_is_refused() -> None:
    with pytest.raises(CountError, match=r"two counts differ.*aten::matmul 192"):
        macs(lambda x: x @ torch.ones(8, device=x.device))  # aten::mv, which it takes for nothing


def test_no_operator_both_counts_and_is_zero() -> None:
    assert not RULES.keys() & ZERO


def test_what_fvcore_skips_on_its_own_is_listed() -> None:
    assert _IGNORED_OPS <= ZERO


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
