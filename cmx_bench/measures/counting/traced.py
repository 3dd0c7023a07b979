"""The first count: fvcore walks a trace, with a rule for each operator that has a cost.

An operator without a rule counts nothing here. That hides no work: the second count (see
`dispatched`) knows each operator that such a one is made of, and the two must agree. Where they do
not, those without a rule can be counted by their parts. Products that are spelt elementwise are
left to the second count alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from math import prod
from typing import Any, NamedTuple, TypeAlias

import torch
from fvcore.nn.jit_analysis import JitModelAnalysis
from torch import Tensor, nn

from cmx_bench.errors import CountError
from cmx_bench.measures.counting import dispatched, free
from cmx_bench.measures.counting.dispatched import Source
from cmx_bench.measures.counting.given import NONE, Word
from cmx_bench.measures.counting.tracing import KeepSizes, StayOnMeta
from cmx_bench.models.tensors import tensors_in

_ACTIVATIONS = "activations"  # no operator's name: those have a namespace


class Trace(NamedTuple):
    """The MACs of a trace by operator, and the output elements of all operators that have any."""

    operators: Mapping[str, int]
    activations: int


def count(
    model: nn.Module,
    inputs: tuple[Tensor, ...],
    words: Mapping[str, Word] = NONE,
    by_parts: bool = False,
) -> Trace:
    """The operators that the model's output, made of tensors, depends on.

    Args:
        words: the user's, on what operators without a rule may be made of.
        by_parts: count those without a rule by what torch makes them of.
    """
    analysis = JitModelAnalysis(_Outputs(model), inputs).tracer_warnings("none")
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    others = _without_rule() if by_parts else {EINSUM}
    analysis.set_op_handle(
        **{kind: _costing(kind, rule) for kind, rule in RULES.items()},
        **{kind: _in_parts(kind, words) for kind in others},
    )
    with KeepSizes(), StayOnMeta():  # type: ignore[no-untyped-call]
        operators = Counter(analysis.by_operator())
    activations = operators.pop(_ACTIVATIONS, 0)
    return Trace(+operators, activations)


class _Outputs(nn.Module):
    """A model whose output is a plain tuple of tensors, as a trace wants it. Its modules are not
    shown: fvcore takes those with a slash in their names for others."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._models = [model]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        [model] = self._models
        return tuple(output.clone() for output in tensors_in(model(*inputs)))


@cache
def composite() -> frozenset[str]:
    """The operators that are made of others."""
    registered = torch._C._dispatch_get_registrations_for_dispatch_key("CompositeImplicitAutograd")
    return frozenset(name.partition(".")[0] for name in registered)


@cache
def _without_rule() -> frozenset[str]:
    """The operators that may have a cost, as the second count has it, and have no rule here."""
    composites = [kind for kind in composite() if not all(map(free.is_free, free.overloads(kind)))]
    return dispatched.operators().union(composites) - RULES.keys()


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


def _attention(inputs: _Values, outputs: _Values) -> _Cost:
    """``q: (..., L, E)``, ``k: (..., S, E)``, ``v: (..., S, V)``; a mask saves nothing."""
    out = _shape_of(outputs[0])
    scores = prod(out[:-1]) * _shape_of(inputs[1])[-2]
    return scores * (_shape_of(inputs[0])[-1] + out[-1]), scores + prod(out)


def _recurrent(inputs: _Values, outputs: _Values) -> _Cost:
    """Every weight matrix applied once a step: ``x: (B, T, C)``; biases are vectors and free."""
    lists = [value for value in inputs if value.node().kind() == "prim::ListConstruct"]
    steps = prod(_shape_of(inputs[0])[:-1])
    matrices = [
        shape for weight in lists[-1].node().inputs() if len(shape := _shape_of(weight)) == 2
    ]
    macs = steps * sum(rows * columns for rows, columns in matrices)
    return macs, steps * sum(rows for rows, _ in matrices)


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
    "aten::linalg_vecdot": _elementwise,
    "aten::scaled_dot_product_attention": _attention,
    **{f"aten::{name}": _recurrent for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
}  # fmt: skip

EINSUM = "aten::einsum"  # made of such products pair by pair, as torch contracts the operands


def _costing(kind: str, rule: _Rule) -> _Handle:
    def handle(inputs: _Values, outputs: _Values) -> Counter[str]:
        macs, elements = rule(inputs, outputs)
        return Counter({kind: macs, _ACTIVATIONS: elements})

    return handle


def _in_parts(kind: str, words: Mapping[str, Word]) -> _Handle:
    """Of an operator that is called once more, by itself, and watched: see `dispatched`. One that
    cannot be called so counts nothing."""

    def handle(inputs: _Values, outputs: _Values) -> Counter[str]:
        values = list(map(_argument, inputs))
        call = torch._C._jit_get_operation(kind)[0]
        schemas = torch._C._jit_get_schemas_for_operator(kind)
        schema = next(known for known in schemas if len(known.arguments) == len(values))
        pairs = list(zip(schema.arguments, values, strict=True))
        positional = [value for argument, value in pairs if not argument.kwarg_only]
        with suppress(Exception), dispatched.counting(words) as ran:
            call(*positional, **{each.name: value for each, value in pairs if each.kwarg_only})
            macs, elements = dispatched.total(ran.of(Source.RULE))
            return Counter({kind: macs, _ACTIVATIONS: elements})
        return Counter()

    return handle


def _argument(value: _Value) -> Any:
    """What stood for a value when the trace was made, on the meta device."""
    if value.isCompleteTensor():
        return torch.empty(_shape_of(value), dtype=value.type().dtype(), device="meta")
    if value.node().kind() == "prim::ListConstruct":
        return list(map(_argument, value.node().inputs()))
    return value.toIValue()
