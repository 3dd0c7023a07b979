"""Traces on the meta device, and code that a trace shows as one operator without parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


class RecordConvolutions(TorchFunctionMode):
    """Calls every convolution as ``aten::_convolution``, the only form that the tracer records.

    Elsewhere a device's kernel makes that call inside; the meta device's does not, and the trace
    would lose the convolution and all before it.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _RECORDED.get(func, func)(*args, **(kwargs or {}))


class ConvolveOnMeta(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Gives ``aten::_convolution`` a shape on the meta device, where torch 2.11 lacks it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._convolution.default:
            return torch.ops.aten.convolution.default(*args[:9])
        return func(*args, **(kwargs or {}))


_Sizes: TypeAlias = int | Sequence[int]


def _each(size: _Sizes) -> list[int]:
    return [size] if isinstance(size, int) else list(size)


def _recorded_convolution(plain: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def convolve(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: _Sizes = 1,
        padding: _Sizes | str = 0,
        dilation: _Sizes = 1,
        groups: int = 1,
    ) -> Tensor:
        if isinstance(padding, str):  # recorded as aten::_convolution_mode
            return plain(input, weight, bias, stride, padding, dilation, groups)
        shape = (_each(stride), _each(padding), _each(dilation), False, [0], groups)
        return torch._convolution(input, weight, bias, *shape, False, False, False, False)

    return convolve


def _recorded_transposed(  # noqa: PLR0913, PLR0917
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _Sizes = 1,
    padding: _Sizes = 0,
    output_padding: _Sizes = 0,
    groups: int = 1,
    dilation: _Sizes = 1,
) -> Tensor:
    extra = _each(output_padding)
    shape = (_each(stride), _each(padding), _each(dilation), True, extra, groups)
    return torch._convolution(input, weight, bias, *shape, False, False, False, False)


_RECORDED: Mapping[Callable[..., Tensor], Callable[..., Tensor]] = {
    torch.conv1d: _recorded_convolution(torch.conv1d),
    torch.conv2d: _recorded_convolution(torch.conv2d),
    torch.conv3d: _recorded_convolution(torch.conv3d),
    torch.conv_transpose1d: _recorded_transposed,
    torch.conv_transpose2d: _recorded_transposed,
    torch.conv_transpose3d: _recorded_transposed,
}
