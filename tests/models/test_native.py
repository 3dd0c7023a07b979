"""The kernel for CPUs gives what torch gives, and runs where an optimised ConvMixer is compiled."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, gelu, relu

from cmx_bench.errors import ModelError
from cmx_bench.models import native
from cmx_bench.models.convmixer import ConvMixer
from cmx_bench.models.fast import optimise
from tests.models.test_fast import draw_weights

OPERATOR = "cmx_bench::spatial_on_cpu"
# Blocks of channels and strips of columns that are full and that are not, and kernels that reach
# over the whole image.
SHAPES = [((2, 48, 9, 32), 7), ((1, 5, 3, 2), 7), ((2, 33, 4, 31), 9), ((2, 40, 9, 17), 4),
          ((3, 16, 1, 5), 1)]  # fmt: skip


def compute_in_steps(images: Tensor, rows: Tensor, size: int, is_gelu: bool) -> Tensor:
    """The same in fp64 and in steps."""
    taps, (bias, factor, scale, shift) = rows[:-4].double(), rows[-4:].double()[:, :, None, None]
    y = images.double() * scale + shift
    before = (size - 1) // 2
    padded = torch.nn.functional.pad(y, [before, size - 1 - before] * 2)
    kernels = taps.T.reshape(-1, 1, size, size)
    sums = conv2d(padded, kernels, bias.flatten(), groups=len(kernels))
    return y + factor * (gelu(sums) if is_gelu else relu(sums))


@pytest.mark.parametrize("is_gelu", [False, True])
@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 1e-6), (torch.bfloat16, 4e-3)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_it_gives_what_torch_gives(
    shape: tuple[int, ...], size: int, layout: torch.memory_format, dtype: torch.dtype,
    allowed: float, is_gelu: bool,
) -> None:  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(shape, generator=generator).to(dtype).contiguous(memory_format=layout)
    rows = torch.randn(size**2 + 4, shape[1], generator=generator)
    results = native.spatial(images, rows, size, is_gelu)
    assert results.is_contiguous(memory_format=torch.channels_last)
    assert results.dtype is dtype
    wanted = compute_in_steps(images, rows, size, is_gelu)
    assert (results.double() - wanted).abs().max() <= allowed * wanted.abs().max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nan_is_kept_and_no_factor_times_infinity_is_nan(dtype: torch.dtype) -> None:
    images = torch.zeros(1, 1, 1, 3, dtype=dtype)
    images[..., 0], images[..., 2] = float("nan"), float("inf")
    rows = torch.tensor([1.0, 0, 0, 1, 0])[:, None]  # one tap, and no factor
    results = native.spatial(images, rows, 1, gelu=False).flatten().tolist()
    assert str(results) == "[nan, 0.0, nan]"


def run_compiled(plain: torch.nn.Module, images: Tensor, **options: Any) -> tuple[Tensor, int]:
    """What the optimised network gives, compiled, and how often the kernel ran."""
    form = torch.compile(optimise(plain), backend="aot_eager", **options)
    with torch.no_grad():
        form(images)
        with torch.profiler.profile() as profile:
            logits = form(images)
    return logits, sum(event.name == OPERATOR for event in profile.events() or [])


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 1e-4), (torch.bfloat16, 0.05)])
def test_a_compiled_network_runs_it_in_every_block(
    dtype: torch.dtype, allowed: float, activation: Any
) -> None:
    plain = draw_weights(ConvMixer(24, 3, 9, activation=activation, num_classes=10))
    images = torch.randn(2, 3, 63, 84)
    with torch.no_grad():
        wanted = plain(images)
    logits, passes = run_compiled(plain.to(dtype), images.to(dtype), fullgraph=True)
    assert passes == 3
    assert (logits - wanted).abs().max() < allowed * wanted.abs().max()


@pytest.mark.parametrize(
    ("dtype", "size"), [(torch.float64, 3), (torch.float32, native.LARGEST + 1)]
)
def test_other_types_and_larger_kernels_run_in_steps(dtype: torch.dtype, size: int) -> None:
    plain = draw_weights(ConvMixer(8, 2, size, num_classes=10)).to(dtype)
    images = torch.randn(1, 3, 28, 28, dtype=dtype)
    logits, passes = run_compiled(plain, images)
    assert passes == 0
    torch.testing.assert_close(logits, plain(images), rtol=1e-4, atol=1e-5)


def test_the_largest_kernels_that_fit() -> None:
    images, rows = torch.randn(1, 3, 20, 20), torch.randn(native.LARGEST**2 + 4, 3)
    wanted = compute_in_steps(images, rows, native.LARGEST, is_gelu=True)
    results = native.spatial(images, rows, native.LARGEST, gelu=True)
    assert (results - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_so_do_eager_networks_and_exported_ones() -> None:
    fast, images = optimise(draw_weights(ConvMixer(8, 2, 3))), torch.randn(1, 3, 28, 28)
    exported = torch.export.export(fast, (images,))
    assert OPERATOR not in str(exported.graph)
    with torch.no_grad(), torch.profiler.profile() as profile:
        fast(images)
    assert OPERATOR not in {event.name for event in profile.events() or []}


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false", "c++ -no-such-option"])
def test_a_compiler_that_fails(compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", compiler)
    with pytest.raises(ModelError, match="does not compile: .+; install g\\+\\+, or set compile"):
        native.spatial(torch.zeros(1, 1, 1, 1), torch.zeros(8, 1), 2, gelu=True)
