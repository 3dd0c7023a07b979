"""The first count: fvcore walks a trace, with a rule for each operator that has a cost.

An operator without a rule counts nothing here. That hides no work: the second count (see
`dispatched`) knows each operator that such a one is made of, and the two must agree. Where they do
not, such a one can be counted by its parts. Products that are spelt elementwise are left to the
second count alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any, TypeAlias

import torch
from fvcore.nn.jit_analysis import JitModelAnalysis
from torch import Tensor, nn

from cmx_bench.errors import CountError
from cmx_bench.measures import dispatched, free
from cmx_bench.measures.given import NONE, Word
from cmx_bench.measures.tracing import RecordConvolutions, StayOnMeta

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


def count(
    model: nn.Module,
    inputs: tuple[Tensor, ...],
    words: Mapping[str, Word] = NONE,
    by_parts: Iterable[str] = (),
) -> Trace:
    """The operators that the model's output, made of tensors, depends on.

    Args:
        words: the user's, on what operators without a rule may be made of.
        by_parts: such as these to count by those that torch makes them of.
    """
    analysis = JitModelAnalysis(model, inputs).tracer_warnings("none")
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.set_op_handle(
        **{kind: _costing(kind, rule) for kind, rule in RULES.items()},
        **{kind: _in_parts(kind, words) for kind in {*IN_PARTS, *by_parts}},
    )
    with RecordConvolutions(), StayOnMeta():  # type: ignore[no-untyped-call]
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
            if _may_cost(kind) or not kind.startswith("aten::")  # Python's and script's
        ]
        for name in by_module
    }
    return Trace(dict(+operators), activations, by_module, unknown)


@cache
def composite() -> frozenset[str]:
    """The operators that are made of others."""
    registered = torch._C._dispatch_get_registrations_for_dispatch_key("CompositeImplicitAutograd")
    return frozenset(name.partition(".")[0] for name in registered)


def _may_cost(kind: str) -> bool:
    """Whether an operator is made of others that may have a cost."""
    return kind in composite() and not all(map(free.is_free, free.overloads(kind)))


# --- operators by name ----------------------------------------------------------------------------

_Value: TypeAlias = Any  # torch._C.Value, whose stub lacks sizes() and toIValue()
_Values: TypeAlias = Sequence[_Value]
_Cost: TypeAlias = tuple[int, int]  # MACs, output elements
_Rule: TypeAlias = Callable[[_Values, _Values], _Cost]  # of one operator's inputs and outputs
_Handle: TypeAlias = Callable[[_Values, _Values], "Counter[str]"]


def _shape_of(value: _Value) -> list[int]:
    """The sizes of a tensor."""
    sizes: list[int] = value.type().sizes()
    return sizes


def _filtered(weight: _Value, grid: _Value) -> int:
    """The whole filter, ``(out, in / groups, *kernel)``, applied once at each pixel of ``grid``."""
    batch, _, *pixels = _shape_of(grid)
    return batch * prod(pixels) * prod(_shape_of(weight))


def _convolution(inputs: _Values, outputs: _Values) -> _Cost:
    transposed = inputs[6].toIValue()
    grid = inputs[0] if transposed else outputs[0]
    return _filtered(inputs[1], grid), prod(_shape_of(outputs[0]))


def _product(left: int) -> _Rule:
    """A matrix product whose left operand is input number ``left``.

    Each output element sums over the left operand's last dimension, however either operand is
    broadcast: fvcore's own rule loses the batch of ``W(N, N) @ x(B, N, C)``.
    """

    def rule(inputs: _Values, outputs: _Values) -> _Cost:
        elements = prod(_shape_of(outputs[0]))
        return elements * _shape_of(inputs[left])[-1], elements

    return rule


def _summed_products(inputs: _Values, outputs: _Values) -> _Cost:
    """``addbmm``: the products of a batch, ``(B, N, K)`` and ``(B, K, P)``, added up."""
    return prod(_shape_of(inputs[1])) * _shape_of(inputs[2])[-1], prod(_shape_of(outputs[0]))


def _attention(inputs: _Values, outputs: _Values) -> _Cost:
    """``q: (..., L, E)``, ``k: (..., S, E)``, ``v: (..., S, V)``; a mask saves nothing."""
    out = _shape_of(outputs[0])
    scores = prod(out[:-1]) * _shape_of(inputs[1])[-2]
    return scores * (_shape_of(inputs[0])[-1] + out[-1]), scores + prod(out)


def _recurrent(inputs: _Values, outputs: _Values) -> _Cost:
    """Every weight matrix applied once a step: ``x: (B, T, C)``; biases are vectors and free."""
    lists = [value for value in inputs if value.node().kind() == "prim::ListConstruct"]
    return _applied(inputs[0], list(lists[-1].node().inputs()))


def _cell(inputs: _Values, outputs: _Values) -> _Cost:
    """One step of ``x: (B, C)`` or ``(C,)``."""
    return _applied(inputs[0], inputs[2:4])


def _applied(steps: _Value, weights: _Values) -> _Cost:
    count = prod(_shape_of(steps)[:-1])
    matrices = [shape for shape in map(_shape_of, weights) if len(shape) == 2]
    macs = count * sum(rows * columns for rows, columns in matrices)
    return macs, count * sum(rows for rows, _ in matrices)


def _filter_applied(inputs: _Values, outputs: _Values) -> _Cost:
    """An ordinary convolution, of deformed pixels too: interpolating is resampling, and free."""
    return _filtered(inputs[1], outputs[0]), prod(_shape_of(outputs[0]))


def _elementwise(inputs: _Values, outputs: _Values) -> _Cost:
    """torch multiplies elementwise and adds up, which nothing tells from a gate and its sum."""
    raise CountError("no rule counts aten::linalg_vecdot: write it with einsum or matmul")


RULES: Mapping[str, _Rule] = {
    "aten::_convolution": _convolution,
    "aten::_convolution_mode": _filter_applied,  # padding="same" and "valid"; fvcore has no rule
    "torchvision::deform_conv2d": _filter_applied,
    **{f"aten::{name}": _product(0) for name in
       ("linear", "matmul", "linalg_matmul", "mm", "bmm", "mv", "dot", "vdot", "inner")},
    **{f"aten::{name}": _product(1) for name in ("addmm", "baddbmm", "addmv")},
    "aten::addbmm": _summed_products,
    "aten::linalg_vecdot": _elementwise,
    "aten::scaled_dot_product_attention": _attention,
    **{f"aten::{name}": _recurrent for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
    **{f"aten::{name}_cell": _cell for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
}  # fmt: skip

# Made of such products pair by pair, as torch contracts the operands.
IN_PARTS = ("aten::einsum",)


def _costing(kind: str, rule: _Rule) -> _Handle:
    def handle(inputs: _Values, outputs: _Values) -> Counter[str]:
        macs, elements = rule(inputs, outputs)
        return Counter({kind: macs, _ACTIVATIONS: elements})

    return handle


def _in_parts(kind: str, words: Mapping[str, Word]) -> _Handle:
    """Of an operator that is called once more, by itself, and watched: see `dispatched`."""

    def handle(inputs: _Values, outputs: _Values) -> Counter[str]:
        values = list(map(_argument, inputs))
        call = torch._C._jit_get_operation(kind)[0]
        schemas = torch._C._jit_get_schemas_for_operator(kind)
        schema = next(known for known in schemas if len(known.arguments) == len(values))
        pairs = list(zip(schema.arguments, values, strict=True))
        positional = [value for argument, value in pairs if not argument.kwarg_only]
        with dispatched.counting(words) as ran:
            call(*positional, **{each.name: value for each, value in pairs if each.kwarg_only})
        return Counter({kind: ran.operators.total(), _ACTIVATIONS: ran.activations})

    return handle


def _argument(value: _Value) -> Any:
    """What stood for a value when the trace was made, on the meta device."""
    if value.isCompleteTensor():
        return torch.empty(_shape_of(value), dtype=value.type().dtype(), device="meta")
    if value.node().kind() == "prim::ListConstruct":
        return list(map(_argument, value.node().inputs()))
    return value.toIValue()
