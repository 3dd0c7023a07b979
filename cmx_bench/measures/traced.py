"""The first count: fvcore walks a trace, with a rule for each operator that has a cost.

An operator without a rule counts nothing here. That hides no work: the second count (see
`dispatched`) knows each operator that such a one is made of, and the two must agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import nan, prod
from typing import Any, TypeAlias

import torch
from fvcore.nn.jit_analysis import JitModelAnalysis
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from cmx_bench.errors import CountError
from cmx_bench.measures import spelt
from cmx_bench.measures.spelt import Operand

Value: TypeAlias = Any  # torch._C.Value, whose stub lacks sizes() and toIValue()
Values: TypeAlias = Sequence[Value]
Cost: TypeAlias = tuple[int, int]  # MACs, output elements
Rule: TypeAlias = Callable[[Values, Values], Cost]  # of one operator's inputs and outputs

_ACTIVATIONS = "activations"  # no operator's name: those have a namespace


@dataclass(frozen=True, slots=True)
class Trace:
    """What the trace counts. Modules have the names that `named_modules` gives them.

    ``modules``: MACs by module, those inside it included. ``unknown``: by module, the operators
    that are made of others and have no rule.
    """

    operators: Mapping[str, int]
    activations: int
    modules: Mapping[str, int]
    unknown: Mapping[str, Sequence[str]]

    @property
    def macs(self) -> int:
        return sum(self.operators.values())


def count(model: nn.Module, inputs: tuple[Tensor, ...]) -> Trace:
    """The operators that the model's output, made of tensors, depends on."""
    analysis = JitModelAnalysis(model, inputs).tracer_warnings("none")
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.set_op_handle(**_handles())
    with _RecordConvolutions(), _ConvolveOnMeta():  # type: ignore[no-untyped-call]
        operators = Counter(analysis.by_operator())
    activations = operators.pop(_ACTIVATIONS, 0)
    by_module = {
        name: sum(counts.values()) - counts[_ACTIVATIONS]
        for name, counts in analysis.by_module_and_operator().items()
    }
    unknown = {
        name: [
            kind
            for kind in sorted(analysis.unsupported_ops(name))
            if kind in _composite() or not kind.startswith("aten::")  # Python's and script's
        ]
        for name in by_module
    }
    return Trace(dict(+operators), activations, by_module, unknown)


@cache
def _composite() -> frozenset[str]:
    """The operators that are made of others."""
    registered = torch._C._dispatch_get_registrations_for_dispatch_key("CompositeImplicitAutograd")
    return frozenset(name.partition(".")[0] for name in registered)


# --- the rules ------------------------------------------------------------------------------------


def _shape(value: Value) -> list[int]:
    sizes: list[int] = value.type().sizes()
    return sizes


def _integers(value: Value) -> list[int]:
    """A list in the trace, or none."""
    if value.node().kind() == "prim::ListConstruct":
        return [item.toIValue() for item in _items(value)]
    return list(value.toIValue() or [])


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


def _summed_products(inputs: Values, outputs: Values) -> Cost:
    """``addbmm``: the products of a batch, ``(B, N, K)`` and ``(B, K, P)``, added up."""
    return prod(_shape(inputs[1])) * _shape(inputs[2])[-1], prod(_shape(outputs[0]))


def _tensordot(inputs: Values, outputs: Values) -> Cost:
    elements, left = prod(_shape(outputs[0])), _shape(inputs[0])
    return elements * prod(left[dim] for dim in _integers(inputs[2])), elements


def _chain(inputs: Values, outputs: Values) -> Cost:
    """``multi_dot``, in the order of least cost; a vector may begin or end the chain."""
    shapes = [_shape(value) for value in _items(inputs[0])]
    first, *others = shapes
    sizes = [1, first[0]] if len(first) == 1 else list(first)
    sizes += [shape[1] if len(shape) == 2 else 1 for shape in others]

    @cache
    def cheapest(start: int, end: int) -> Cost:
        if end - start == 1:
            return 0, 0
        elements = sizes[start] * sizes[end]
        splits = (
            (cheapest(start, middle), cheapest(middle, end), elements * sizes[middle])
            for middle in range(start + 1, end)
        )
        totals = ((a[0] + b[0] + macs, a[1] + b[1] + elements) for a, b, macs in splits)
        return min(totals, key=lambda total: total[0])

    return cheapest(0, len(sizes) - 1)


def _attention(inputs: Values, outputs: Values) -> Cost:
    """``q: (..., L, E)``, ``k: (..., S, E)``, ``v: (..., S, V)``; a mask saves nothing."""
    out = _shape(outputs[0])
    scores = prod(out[:-1]) * _shape(inputs[1])[-2]
    return scores * (_shape(inputs[0])[-1] + out[-1]), scores + prod(out)


def _einsum(inputs: Values, outputs: Values) -> Cost:
    """Pair by pair, as torch contracts the operands: from the left, or along a given path.

    A subscript is summed with the last pair that has it, by a matrix product where both have it.
    A pair with none to sum is multiplied elementwise.
    """
    operands, result = _subscripts(inputs[0].toIValue(), list(map(_shape, _items(inputs[1]))))
    path = _integers(inputs[2]) if len(inputs) > 2 else []
    place = len if path else lambda operands: 0  # where torch puts the result of a pair
    macs = elements = 0
    while len(operands) > 1:
        first, second = sorted((path.pop(0), path.pop(0))) if path else (0, 1)
        right, left = operands.pop(second), operands.pop(first)
        wanted = result.union(*operands)
        sizes = left | right
        kept = {label: size for label, size in sizes.items() if label in wanted}
        if summed := (left.keys() & right.keys()) - wanted:
            macs += prod(kept.values()) * prod(sizes[label] for label in summed)
            elements += prod(kept.values())
        operands.insert(place(operands), kept)
    return macs, elements


def _subscripts(
    equation: str, shapes: Sequence[Sequence[int]]
) -> tuple[list[dict[str, int]], set[str]]:
    """The sizes of each operand by subscript, but for those of 1, and the result's subscripts.

    The dimensions that ``...`` stands for are called ``.1``, ``.2``, from the last.
    """
    terms, arrow, given = equation.replace(" ", "").partition("->")
    labels: list[list[str]] = []
    for term, shape in zip(terms.split(","), shapes, strict=True):
        head, dots, tail = term.partition("...")
        rest = len(shape) - len(head) - len(tail) if dots else 0
        labels.append([*head, *(f".{number}" for number in range(rest, 0, -1)), *tail])
    occurrences = Counter(label for term in labels for label in term)
    result = {label for label in occurrences if label in given}
    if not arrow:
        result = {label for label, count in occurrences.items() if count == 1}
    if not arrow or "..." in given:
        result |= {label for label in occurrences if label.startswith(".")}
    sized = [
        {label: size for label, size in zip(term, shape, strict=True) if size != 1}
        for term, shape in zip(labels, shapes, strict=True)
    ]
    return sized, result


def _recurrent(inputs: Values, outputs: Values) -> Cost:
    """Every weight matrix applied once a step: ``x: (B, T, C)``; biases are vectors and free."""
    lists = [value for value in inputs if value.node().kind() == "prim::ListConstruct"]
    return _applied(inputs[0], list(_items(lists[-1])))


def _cell(inputs: Values, outputs: Values) -> Cost:
    """One step of ``x: (B, C)`` or ``(C,)``."""
    return _applied(inputs[0], inputs[2:4])


def _applied(steps: Value, weights: Values) -> Cost:
    count = prod(_shape(steps)[:-1])
    matrices = [shape for shape in map(_shape, weights) if len(shape) == 2]
    macs = count * sum(rows * columns for rows, columns in matrices)
    return macs, count * sum(rows for rows, _ in matrices)


def _deformed(inputs: Values, outputs: Values) -> Cost:
    """As an ordinary convolution; interpolating the pixels is resampling, and free."""
    return _filtered(inputs[1], outputs[0]), prod(_shape(outputs[0]))


def _elementwise(inputs: Values, outputs: Values) -> Cost:
    """torch multiplies elementwise and adds up, which nothing tells from a gate and its sum."""
    raise CountError("no rule counts aten::linalg_vecdot: write it with einsum or matmul")


RULES: Mapping[str, Rule] = {
    "aten::_convolution": _convolution,
    "aten::_convolution_mode": _convolution_mode,  # padding="same" and "valid"; fvcore has no rule
    "torchvision::deform_conv2d": _deformed,
    "aten::linear": _product(0),
    "aten::matmul": _product(0),
    "aten::linalg_matmul": _product(0),
    "aten::mm": _product(0),
    "aten::bmm": _product(0),
    "aten::mv": _product(0),
    "aten::dot": _product(0),
    "aten::vdot": _product(0),
    "aten::inner": _product(0),
    "aten::addmm": _product(1),
    "aten::baddbmm": _product(1),
    "aten::addmv": _product(1),
    "aten::addbmm": _summed_products,
    "aten::tensordot": _tensordot,
    **dict.fromkeys(("aten::linalg_multi_dot", "aten::chain_matmul"), _chain),
    "aten::linalg_vecdot": _elementwise,
    "aten::scaled_dot_product_attention": _attention,
    "aten::einsum": _einsum,
    **dict.fromkeys(("aten::lstm", "aten::gru", "aten::rnn_tanh", "aten::rnn_relu"), _recurrent),
    **dict.fromkeys(
        ("aten::lstm_cell", "aten::gru_cell", "aten::rnn_tanh_cell", "aten::rnn_relu_cell"), _cell
    ),
}


# --- operators by name ----------------------------------------------------------------------------

_Handle: TypeAlias = Callable[[Values, Values], "Counter[str]"]


def _handles() -> Mapping[str, _Handle]:
    """What fvcore calls for each operator, in the order of the trace: costs, and what passes on a
    product that is spelt elementwise."""
    products: dict[int, Operand] = {}
    linear = {f"aten::{name}{end}" for name in spelt.LINEAR for end in ("", "_")}
    unpacking = {"prim::ListUnpack", "prim::TupleUnpack"}
    return {
        **{kind: _following(kind, products) for kind in linear | _views() | unpacking},
        **{kind: _costing(kind, rule) for kind, rule in RULES.items()},
        "aten::einsum": _einsum_or_spelt(products),
    }


@cache
def _views() -> frozenset[str]:
    """Operators whose result may share its elements with their first operand, by their schema."""
    return frozenset(
        schema.name
        for schema in torch._C._jit_get_all_schemas()
        if schema.name.startswith("aten::")
        and any(one.alias_info and not one.alias_info.is_write for one in schema.returns)
    )


def _costing(kind: str, rule: Rule) -> _Handle:
    def handle(inputs: Values, outputs: Values) -> Counter[str]:
        macs, elements = rule(inputs, outputs)
        return Counter({kind: macs, _ACTIVATIONS: elements})

    return handle


def _following(kind: str, products: dict[int, Operand]) -> _Handle:
    """Of an operator that follows a product, and counts it where it adds it up."""
    name = kind.partition("::")[2].removesuffix("_")
    view = kind in _views() or kind.startswith("prim::")

    def handle(inputs: Values, outputs: Values) -> Counter[str]:
        exponent = inputs[1].toIValue() if len(inputs) > 1 else None
        if len(inputs) > 1 and inputs[1].isCompleteTensor():
            exponent = nan
        return _follow(kind, spelt.of_power(name, exponent), view, inputs, outputs, products)

    return handle


def _einsum_or_spelt(products: dict[int, Operand]) -> _Handle:
    """An einsum is elementwise where no pair of operands has a subscript to sum."""

    def handle(inputs: Values, outputs: Values) -> Counter[str]:
        macs, elements = _einsum(inputs, outputs)
        if macs:
            return Counter({"aten::einsum": macs, _ACTIVATIONS: elements})
        operands = list(_items(inputs[1]))
        alone = "sum" if prod(_shape(operands[0])) > prod(_shape(outputs[0])) else "clone"
        name = alone if len(operands) == 1 else "mul"
        return _follow("aten::einsum", name, False, operands, outputs, products)

    return handle


def _follow(
    kind: str,
    name: str,
    view: bool,
    inputs: Values,
    outputs: Values,
    products: dict[int, Operand],
) -> Counter[str]:
    operands = list(_operands(inputs, products))
    counted: Counter[str] = Counter()
    for output in outputs:
        whole = sum(operand.elements for operand in operands)  # of a list, which has no shape
        elements = prod(_shape(output)) if output.isCompleteTensor() else whole
        macs, products[output.unique()] = spelt.follow(name, operands, elements, view)
        if macs and not counted:  # var_mean has two outputs of one reduction
            counted = Counter({kind: macs, _ACTIVATIONS: elements})
    return counted


def _operands(values: Values, products: Mapping[int, Operand]) -> Iterator[Operand]:
    """The tensors among an operator's inputs, those in lists too."""
    for value in values:
        if value.isCompleteTensor():
            elements = prod(_shape(value))
            yield products.get(value.unique(), Operand(elements, elements))
        elif value.node().kind() == "prim::ListConstruct":
            yield from _operands(list(_items(value)), products)
        elif value.unique() in products:
            yield products[value.unique()]


def _items(value: Value) -> Iterator[Value]:
    """The values that a list in the trace is made of."""
    items: Iterator[Value] = value.node().inputs()
    return items


# --- a trace on the meta device -------------------------------------------------------------------


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
