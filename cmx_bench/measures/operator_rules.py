"""The MACs of operators in a trace, from the shapes of their inputs and outputs.

One function for each operator that has a cost and that many models call. Others, which torch makes
of several, are counted by these: see `traced`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, TypeAlias

from cmx_bench.errors import CountError

Value: TypeAlias = Any  # torch._C.Value, whose stub lacks sizes() and toIValue()
Values: TypeAlias = Sequence[Value]
Cost: TypeAlias = tuple[int, int]  # MACs, output elements
Rule: TypeAlias = Callable[[Values, Values], Cost]  # of one operator's inputs and outputs


def shape_of(value: Value) -> list[int]:
    """The sizes of a tensor."""
    sizes: list[int] = value.type().sizes()
    return sizes


def items_of(value: Value) -> Iterator[Value]:
    """The values that a list in the trace is made of."""
    items: Iterator[Value] = value.node().inputs()
    return items


def _integers(value: Value) -> list[int]:
    """A list in the trace, or none."""
    if value.node().kind() == "prim::ListConstruct":
        return [item.toIValue() for item in items_of(value)]
    return list(value.toIValue() or [])


def _filtered(weight: Value, grid: Value) -> int:
    """The whole filter, ``(out, in / groups, *kernel)``, applied once at each pixel of ``grid``."""
    batch, _, *pixels = shape_of(grid)
    return batch * prod(pixels) * prod(shape_of(weight))


def _convolution(inputs: Values, outputs: Values) -> Cost:
    transposed = inputs[6].toIValue()
    grid = inputs[0] if transposed else outputs[0]
    return _filtered(inputs[1], grid), prod(shape_of(outputs[0]))


def _product(left: int) -> Rule:
    """A matrix product whose left operand is input number ``left``.

    Each output element sums over the left operand's last dimension, however either operand is
    broadcast: fvcore's own rule loses the batch of ``W(N, N) @ x(B, N, C)``.
    """

    def rule(inputs: Values, outputs: Values) -> Cost:
        elements = prod(shape_of(outputs[0]))
        return elements * shape_of(inputs[left])[-1], elements

    return rule


def _summed_products(inputs: Values, outputs: Values) -> Cost:
    """``addbmm``: the products of a batch, ``(B, N, K)`` and ``(B, K, P)``, added up."""
    return prod(shape_of(inputs[1])) * shape_of(inputs[2])[-1], prod(shape_of(outputs[0]))


def _attention(inputs: Values, outputs: Values) -> Cost:
    """``q: (..., L, E)``, ``k: (..., S, E)``, ``v: (..., S, V)``; a mask saves nothing."""
    out = shape_of(outputs[0])
    scores = prod(out[:-1]) * shape_of(inputs[1])[-2]
    return scores * (shape_of(inputs[0])[-1] + out[-1]), scores + prod(out)


def einsum(inputs: Values, outputs: Values) -> Cost:
    """Pair by pair, as torch contracts the operands: from the left, or along a given path.

    A subscript is summed with the last pair that has it, by a matrix product where both have it.
    A pair with none to sum is multiplied elementwise.
    """
    operands, result = _subscripts(inputs[0].toIValue(), list(map(shape_of, items_of(inputs[1]))))
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
    return _applied(inputs[0], list(items_of(lists[-1])))


def _cell(inputs: Values, outputs: Values) -> Cost:
    """One step of ``x: (B, C)`` or ``(C,)``."""
    return _applied(inputs[0], inputs[2:4])


def _applied(steps: Value, weights: Values) -> Cost:
    count = prod(shape_of(steps)[:-1])
    matrices = [shape for shape in map(shape_of, weights) if len(shape) == 2]
    macs = count * sum(rows * columns for rows, columns in matrices)
    return macs, count * sum(rows for rows, _ in matrices)


def _filter_applied(inputs: Values, outputs: Values) -> Cost:
    """An ordinary convolution, of deformed pixels too: interpolating is resampling, and free."""
    return _filtered(inputs[1], outputs[0]), prod(shape_of(outputs[0]))


def _elementwise(inputs: Values, outputs: Values) -> Cost:
    """torch multiplies elementwise and adds up, which nothing tells from a gate and its sum."""
    raise CountError("no rule counts aten::linalg_vecdot: write it with einsum or matmul")


RULES: Mapping[str, Rule] = {
    "aten::_convolution": _convolution,
    "aten::_convolution_mode": _filter_applied,  # padding="same" and "valid"; fvcore has no rule
    "torchvision::deform_conv2d": _filter_applied,
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
    "aten::linalg_vecdot": _elementwise,
    "aten::scaled_dot_product_attention": _attention,
    "aten::einsum": einsum,
    **dict.fromkeys(("aten::lstm", "aten::gru", "aten::rnn_tanh", "aten::rnn_relu"), _recurrent),
    **dict.fromkeys(
        ("aten::lstm_cell", "aten::gru_cell", "aten::rnn_tanh_cell", "aten::rnn_relu_cell"), _cell
    ),
}
