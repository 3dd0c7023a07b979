"""What `test_fused` runs in processes of its own: how Triton treats a kernel is settled when the
kernel is defined."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, gelu, relu

from cmx_bench.errors import ModelError
from cmx_bench.models import fast, fused
from cmx_bench.models.convmixer import ConvMixer

draw = partial(torch.randn, generator=torch.Generator().manual_seed(0))
launch = partial(fused.launch, fused._kernel)


def interpret() -> None:
    """Holds the kernel against torch, for strips and blocks that are not full too."""
    shapes = [((2, 24, 6, 7), 3), ((1, 150, 5, 40), 4), ((2, 8, 3, 3), 9), ((1, 8, 2, 1), 1)]
    for (count, channels, height, width), size in shapes:
        for activation in (gelu, relu):
            images = draw(count, channels, height, width)
            images = images.contiguous(memory_format=torch.channels_last)
            weight, bias, scale = draw(channels, 1, size, size), draw(channels), draw(channels)
            taps = weight[:, 0].permute(1, 2, 0).contiguous()
            values = launch(images, taps, bias, scale, activation is gelu)
            convolved = conv2d(images, weight, bias, padding="same", groups=channels)
            expected = images + scale.view(1, -1, 1, 1) * activation(convolved)
            assert values.is_contiguous(memory_format=torch.channels_last)
            torch.testing.assert_close(values, expected, rtol=1e-5, atol=1e-5)


def optimise() -> None:
    """Holds a network that uses the kernel against the plain one."""
    with mock.patch.object(fused, "spatial", mock.Mock(side_effect=launch)) as spatial:
        for name in ("gelu", "relu"):
            plain = ConvMixer(16, 2, 5, 7, name, num_classes=5).eval()  # type: ignore[arg-type]
            for norm in plain.modules():
                if isinstance(norm, nn.BatchNorm2d):
                    norm.running_mean = draw(16)
            plain = plain.to(memory_format=torch.channels_last)
            images = draw(2, 3, 14, 21).contiguous(memory_format=torch.channels_last)
            with torch.no_grad():
                logits = fast.optimise(plain)(images)
                torch.testing.assert_close(logits, plain(images), rtol=1e-4, atol=1e-5)
    assert spatial.call_count == 8  # two blocks of two networks, each tried once before


def deviate() -> None:
    """Prints what is said where the kernel gives other values."""

    def other(*arguments: Any) -> Tensor:
        return launch(*arguments) * 1.01

    with mock.patch.object(fused, "spatial", other):
        try:
            fast.optimise(ConvMixer(8, 1, 3, 7).eval())
        except ModelError as error:
            print(error)


def compile_for_hopper() -> None:
    """Prints the bytes of the kernel's machine code, for pointers that are multiples of 16."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    from triton.compiler import compile as compiled

    types = ["*fp16"] * 5 + ["i32"] * 3 + ["constexpr"] * 4
    signature = dict(zip(fused._kernel.arg_names, types, strict=True))
    divisible = {(place,): [["tt.divisibility", 16]] for place in (0, 1, 2, 3, 4, 7)}
    for size in (7, 9):
        constants = {(8,): size, (9,): True, (10,): fused._COLUMNS, (11,): fused._CHANNELS}
        source = ASTSource(fused._kernel, signature, constants, divisible)
        options = {"num_warps": fused._WARPS}
        kernel = compiled(source, target=GPUTarget("cuda", 90, 32), options=options)
        assert kernel.asm["ptx"].count("ld.global.v4") >= 2
        print(len(kernel.asm["cubin"]))


SCRIPTS: dict[str, tuple[Callable[[], None], ...]] = {
    "interpreted": (interpret, optimise, deviate),
    "compiled": (compile_for_hopper,),
}

if __name__ == "__main__":
    if sys.argv[1] == "interpreted":
        fast._fits_fused = lambda *_: True
    for script in SCRIPTS[sys.argv[1]]:
        script()
