"""An optimised ConvMixer gives what the plain one gives, whatever its weights and statistics."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from cmx_bench.cell import Model, Setting
from cmx_bench.designs import depthwise as designs
from cmx_bench.errors import ModelError
from cmx_bench.measures import macs, params
from cmx_bench.models.building import build, build_on_meta
from cmx_bench.models.convmixer import ConvMixer
from cmx_bench.models.fast import FastConvMixer, finish, optimise


def draw_weights(module: nn.Module) -> nn.Module:
    """The module in evaluation mode, its parameters and statistics drawn; some scales are 0 or
    negative, as training may leave them."""
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
            part.weight.data[0] = 0
            assert part.running_mean is not None and part.running_var is not None
            part.running_mean.normal_()
            part.running_var.uniform_(0.1, 3)
    return module.eval()


def difference(plain: nn.Module, images: Tensor) -> float:
    """The largest, as a share of the largest logit."""
    with torch.no_grad():
        expected = plain(images)
        logits = optimise(plain)(images)
    assert logits.shape == expected.shape
    assert logits.dtype == expected.dtype
    return float((logits - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("kernel_size", [1, 2, 5, 8, 9, 11])
@pytest.mark.parametrize(
    ("patch_size", "shape"), [(1, (1, 3, 6, 6)), (7, (2, 3, 84, 63)), (4, (3, 3, 30, 65))]
)
def test_logits_equal_the_plain_ones_in_fp64(
    activation: Any, kernel_size: int, patch_size: int, shape: tuple[int, ...]
) -> None:
    plain = draw_weights(
        ConvMixer(24, 3, kernel_size, patch_size, activation, num_classes=10)
    ).double()
    assert difference(plain, torch.randn(shape, dtype=torch.float64)) < 1e-10


def test_timms_convmixer_too() -> None:
    plain = draw_weights(
        timm.models.convmixer.ConvMixer(16, 2, kernel_size=8, num_classes=10)
    ).double()
    assert difference(plain, torch.randn(2, 3, 56, 70, dtype=torch.float64)) < 1e-10


@pytest.mark.parametrize("kernel_size", [7, 9])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_logits_equal_the_plain_ones_in_fp32_in_both_layouts(
    kernel_size: int, layout: torch.memory_format
) -> None:
    plain = draw_weights(ConvMixer(64, 4, kernel_size)).to(memory_format=layout)
    assert difference(plain, torch.randn(2, 3, 112, 112).contiguous(memory_format=layout)) < 1e-4


@pytest.mark.parametrize("given", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize(
    ("kernel_size", "chosen"), [(7, torch.channels_last), (9, torch.contiguous_format)]
)
def test_activations_have_the_layout_of_the_kernel_whatever_the_images_have(
    kernel_size: int, chosen: torch.memory_format, given: torch.memory_format
) -> None:
    fast = optimise(ConvMixer(8, 2, kernel_size).eval().to(memory_format=given))
    chosen_ones: list[bool] = []
    for part in fast.blocks.modules():  # type: ignore[union-attr]
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(
                lambda *called: chosen_ones.append(called[2].is_contiguous(memory_format=chosen))
            )
    with torch.no_grad():
        fast(torch.randn(2, 3, 28, 28).contiguous(memory_format=given))
    assert chosen_ones == [True] * 4


def test_bf16_and_autocast_stay_in_bf16() -> None:
    plain = draw_weights(ConvMixer(32, 2, 7))
    images = torch.randn(2, 3, 56, 56)
    expected = plain(images)
    fast: Any = optimise(plain)
    dtypes: set[torch.dtype] = set()
    for part in fast.blocks.modules():
        part.register_forward_hook(lambda *called: dtypes.add(called[2].dtype))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits = fast(images)
    assert dtypes == {torch.bfloat16}
    assert (logits - expected).abs().max() < 0.05 * expected.abs().max()
    assert difference(plain.bfloat16(), images.bfloat16()) < 0.05


def test_it_compiles_as_one_graph_and_is_exported() -> None:
    plain = draw_weights(ConvMixer(16, 2, 9))
    images = torch.randn(2, 3, 56, 56)
    with torch.no_grad():
        expected = plain(images)
        fast = optimise(plain)
        compiled = torch.compile(fast, backend="aot_eager", fullgraph=True)
        exported = torch.export.export(fast, (images,)).module()
        for form in (compiled, exported):
            torch.testing.assert_close(form(images), expected, rtol=1e-4, atol=1e-5)


def test_a_convmixer_inside_another_module() -> None:
    plain = nn.Sequential(nn.Identity(), draw_weights(ConvMixer(8, 1, 3)))
    images = torch.randn(1, 3, 14, 14)
    with torch.no_grad():
        expected = plain(images)
        torch.testing.assert_close(optimise(plain)(images), expected, rtol=1e-4, atol=1e-5)
    assert isinstance(plain[1], FastConvMixer)


@pytest.mark.parametrize(
    "other",
    [
        partial(ConvMixer, 8, 1, norm="layer"),
        partial(ConvMixer, 8, 1, residual="both"),
        partial(ConvMixer, 8, 1, residual="none"),
        partial(timm.models.convmixer.ConvMixer, 8, 1, global_pool="max"),
        partial(timm.models.convmixer.ConvMixer, 8, 1, num_classes=0),
        partial(nn.Conv2d, 3, 8, 1),
    ],
)
def test_others_are_refused(other: Any) -> None:
    with pytest.raises(ModelError, match="optimised"):
        optimise(other())


@pytest.mark.parametrize("optimised", [False, True])
def test_what_is_counted_is_the_architecture(optimised: bool) -> None:
    args = {"dim": 16, "depth": 2, "kernel_size": 5, "patch_size": 7}
    model = Model("m", "M", "convmixer", "convmixer", "", args, num_classes=10, optimised=optimised)
    setting = Setting("cpu", "cpu", "fp32", "nchw", "none", 1, 56)
    counted = params.measure(model, setting)["params"] + macs.measure(model, setting).values["macs"]
    design = designs.ConvMixer(16, 2, kernel_size=5)
    assert counted == [design.params(10, 56), design.macs(10, 56)]


@pytest.mark.parametrize("source", ["convmixer", "timm"])
def test_a_model_is_finished_where_it_is_optimised(source: Any) -> None:
    target = "convmixer_1024_20_ks9_p14" if source == "timm" else ""
    args = {} if source == "timm" else {"dim": 8, "depth": 1}
    plain = Model("m", "M", "convmixer", source, target, args, num_classes=10)
    module = build_on_meta(lambda: build(plain, 28))
    assert finish(module, plain) is module
    assert isinstance(finish(module, replace(plain, optimised=True)), FastConvMixer)
