"""Counts the multiply-accumulates and activations of a vision model twice; both must agree exactly.

One MAC is one multiply-accumulate of a convolution (transposed too), a linear layer, a matrix
product or an attention product (QKᵀ and AV), for one image. Taps that fall on zero-padding count.
Bias, norms, activation functions, softmax, elementwise operators and pooling count as zero.

Both counters run on the meta device: they need shapes, not weights, and do no arithmetic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import torch
from fvcore.nn.jit_analysis import JitModelAnalysis
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from cmx_bench.errors import CountError
from cmx_bench.models.building import build_on_meta


@dataclass(frozen=True, slots=True)
class Counts:
    """What one image costs: exact, and the same on every machine.

    ``macs``: multiply-accumulates. ``activations``: output elements of every counted operator,
    for attention those of both its products. ``operators``: MACs per traced operator, such as
    ``aten::linear``; they add up to ``macs``.
    """

    macs: int
    activations: int
    operators: Mapping[str, int]


def count(build: Callable[[], nn.Module], image_size: int, in_channels: int = 3) -> Counts:
    """The counts of ``build()``'s model for one square image ``x: (1, in_channels, H, W)``.

    ``build`` returns a fresh model on the current default device. The first count walks a trace
    with fvcore and a rule for each operator, the second is ``FlopCounterMode``'s.

    Raises:
        CountError: an operator has neither a rule nor a place among those that count as zero, or
            the two counts differ. The text names the operator.
    """
    model = build_on_meta(build).eval().requires_grad_(False)
    image = torch.empty(1, in_channels, image_size, image_size, device="meta")
    traced = _count_traced(model, image)
    macs, activations = _count_dispatched(model, image)
    if (traced.macs, traced.activations) != (macs.total(), activations):
        raise CountError(
            f"two counts differ: {traced.macs} MACs and {traced.activations} activations traced "
            f"({_listed(traced.operators)}), "
            f"{macs.total()} and {activations} dispatched ({_listed(macs)})"
        )
    return traced


def _listed(macs: Mapping[str, int]) -> str:
    return ", ".join(f"{operator} {count}" for operator, count in sorted(macs.items()))


# --- The first count: the traced operators, by rule -----------------------------------------------

Value: TypeAlias = Any  # torch._C.Value, whose stub lacks sizes() and toIValue()
Values: TypeAlias = Sequence[Value]
Cost: TypeAlias = tuple[int, int]  # MACs, output elements
Rule: TypeAlias = Callable[[Values, Values], Cost]  # of one operator's inputs and outputs


def _shape(value: Value) -> list[int]:
    sizes: list[int] = value.type().sizes()
    return sizes


def _filtered(weight: Value, grid: Value) -> int:
    """The whole filter, ``(out, in / groups, *kernel)``, applied once at each pixel of ``grid``."""
    batch, _, *pixels = _shape(grid)
    return batch * prod(pixels) * prod(_shape(weight))


def _convolution(inputs: Values, outputs: Values) -> Cost:
    transposed = inputs[6].toIValue()
    grid = inputs[0] if transposed else outputs[0]
    return _filtered(inputs[1], grid), prod(_shape(outputs[0]))


def _convolution_mode(inputs: Values, outputs: Values) -> Cost:
    return _filtered(inputs[1], outputs[0]), prod(_shape(outputs[0]))


def _product(left: int) -> Rule:
    """A matrix product whose left operand is input number ``left``.

    Each output element sums over the left operand's last dimension, however either operand is
    broadcast: fvcore's own rule loses the batch of ``W(N, N) @ x(B, N, C)``.
    """

    def rule(inputs: Values, outputs: Values) -> Cost:
        elements = prod(_shape(outputs[0]))
        return elements * _shape(inputs[left])[-1], elements

    return rule


def _attention(inputs: Values, outputs: Values) -> Cost:
    """``q: (..., L, E)``, ``k: (..., S, E)``, ``v: (..., S, V)``; a mask saves nothing."""
    out = _shape(outputs[0])
    scores = prod(out[:-1]) * _shape(inputs[1])[-2]
    return scores * (_shape(inputs[0])[-1] + out[-1]), scores + prod(out)


def _einsum(inputs: Values, outputs: Values) -> Cost:
    """A product of two operands, summed over the subscripts both have and the result lacks."""
    equation = inputs[0].toIValue().replace(" ", "")
    terms, _, result = equation.partition("->")
    operands = terms.split(",")
    if len(operands) != 2:
        raise CountError(f"aten::einsum has no rule for {len(operands)} operands: {equation}")
    left = next(inputs[1].node().inputs())
    head, _, tail = operands[0].partition("...")
    sizes = dict(zip(head, _shape(left), strict=False))
    sizes |= zip(reversed(tail), reversed(_shape(left)), strict=False)
    summed = (set(operands[1]) & sizes.keys()) - set(result)
    if not summed:
        return 0, 0  # an outer product, which torch multiplies elementwise
    elements = prod(_shape(outputs[0]))
    return elements * prod(sizes[subscript] for subscript in summed), elements


def _lstm(inputs: Values, outputs: Values) -> Cost:
    """Every weight matrix applied once a step: ``x: (B, T, C)``; biases are vectors and free."""
    steps = prod(_shape(inputs[0])[:-1])
    weights = [_shape(value) for value in inputs[2].node().inputs()]
    matrices = [shape for shape in weights if len(shape) == 2]
    elements = steps * sum(rows for rows, _ in matrices)
    return steps * sum(rows * columns for rows, columns in matrices), elements


def _sum(inputs: Values, outputs: Values) -> Cost:
    """Free, but not over an outer product: that is a matrix product spelt elementwise."""
    summed = inputs[0].node()
    if summed.kind() == "aten::mul":
        factors = [prod(_shape(v)) for v in summed.inputs() if v.isCompleteTensor()]
        if max(factors) < prod(_shape(inputs[0])):
            raise CountError("aten::sum over a broadcast aten::mul is a matrix product uncounted")
    return 0, 0


RULES: Mapping[str, Rule] = {
    "aten::_convolution": _convolution,
    "aten::_convolution_mode": _convolution_mode,  # padding="same" and "valid"; fvcore has no rule
    "aten::linear": _product(0),
    "aten::matmul": _product(0),
    "aten::mm": _product(0),
    "aten::bmm": _product(0),
    "aten::addmm": _product(1),
    "aten::baddbmm": _product(1),
    "aten::scaled_dot_product_attention": _attention,
    "aten::einsum": _einsum,
    "aten::lstm": _lstm,
    "aten::sum": _sum,
}

# Operators that multiply-accumulate nothing: elementwise; activation functions; norms and dropout;
# reductions, pooling and resampling; shapes and copies; new tensors. Complete, fvcore's own list
# included: an operator in neither table is an error.
ZERO = frozenset(
    f"aten::{name}"
    for name in """
    add add_ sub sub_ rsub mul mul_ div div_ pow square sqrt rsqrt exp sin cos neg abs ceil
    floor floor_divide remainder addcmul addcdiv lerp maximum minimum where clamp clamp_
    clamp_min clamp_max masked_fill masked_fill_ eq ne ge gt le lt logical_and logical_not
    bitwise_not __and__

    relu relu_ relu6 relu6_ leaky_relu leaky_relu_ prelu elu gelu silu silu_ mish softplus
    sigmoid sigmoid_ tanh tanh_ hardtanh hardtanh_ hardsigmoid hardsigmoid_ hardswish
    hardswish_ softmax log_softmax

    batch_norm layer_norm group_norm instance_norm rms_norm dropout dropout_ feature_dropout

    mean var var_mean std std_mean amax amin max min argmax topk cumsum norm
    linalg_vector_norm avg_pool1d avg_pool2d max_pool1d max_pool2d adaptive_avg_pool1d
    adaptive_avg_pool2d adaptive_max_pool2d upsample_nearest2d upsample_bilinear2d
    upsample_bicubic2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa

    size view view_as reshape reshape_as flatten unflatten squeeze unsqueeze unsqueeze_
    expand expand_as permute transpose t movedim select slice narrow split split_with_sizes
    tensor_split chunk unbind cat stack repeat repeat_interleave tile roll flip pad
    constant_pad_nd reflection_pad2d unfold im2col col2im pixel_shuffle pixel_unshuffle
    channel_shuffle index index_select index_put_ gather nonzero contiguous clone copy_
    detach to type_as Int ScalarImplicit

    arange linspace eye one_hot meshgrid empty zeros ones full zeros_like ones_like
    full_like new_empty new_zeros new_ones new_full
    """.split()  # noqa: SIM905
)

_ACTIVATIONS = "activations"  # no operator's name: those have a namespace


def _count_traced(model: nn.Module, image: Tensor) -> Counts:
    analysis = JitModelAnalysis(model, (image,)).tracer_warnings("none")
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.set_op_handle(**{name: _handle(name, rule) for name, rule in RULES.items()})
    analysis.set_op_handle(**dict.fromkeys(ZERO, _nothing))
    with _RecordConvolutions(), _ConvolveOnMeta():  # type: ignore[no-untyped-call]
        operators = Counter(analysis.by_operator())
    unknown = analysis.unsupported_ops()
    if unknown:
        raise CountError(f"no rule counts {', '.join(sorted(unknown))}")
    activations = operators.pop(_ACTIVATIONS, 0)
    return Counts(operators.total(), activations, dict(+operators))


def _handle(name: str, rule: Rule) -> Callable[[Values, Values], Counter[str]]:
    def handle(inputs: Values, outputs: Values) -> Counter[str]:
        macs, elements = rule(inputs, outputs)
        return Counter({name: macs, _ACTIVATIONS: elements})

    return handle


def _nothing(inputs: Values, outputs: Values) -> Counter[str]:
    return Counter()


class _RecordConvolutions(TorchFunctionMode):
    """Calls every convolution as ``aten::_convolution``, the only form that the tracer records.

    Elsewhere a device's kernel makes that call inside; the meta device's does not, and the trace
    would lose the convolution and all before it.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _RECORDED.get(func, func)(*args, **(kwargs or {}))


class _ConvolveOnMeta(TorchDispatchMode):  # type: ignore[no-untyped-call]
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


# --- The second count: what the dispatcher was asked for ------------------------------------------


def _count_dispatched(model: nn.Module, image: Tensor) -> tuple[Counter[str], int]:
    """MACs by operator and activations, of the matrix products attention is made of on meta."""
    flops = FlopCounterMode(display=False)
    elements = FlopCounterMode(
        display=False, custom_mapping=dict.fromkeys(flop_registry, _output_elements)
    )
    with flops, elements:
        model(image)
    by_operator = flops.get_flop_counts().get("Global", {})
    macs = Counter({str(operator): count // 2 for operator, count in by_operator.items()})
    return macs, elements.get_total_flops()


def _output_elements(*shapes: Any, out_shape: Sequence[int], **options: Any) -> int:
    return prod(out_shape)
