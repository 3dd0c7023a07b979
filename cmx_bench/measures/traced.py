"""The first count: fvcore walks a trace, with a rule for each operator that has a cost.

An operator without a rule counts nothing here. That hides no work: the second count (see
`dispatched`) knows each operator that such a one is made of, and the two must agree. Where they do
not, such a one can be counted by its parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import nan, prod
from typing import Any, TypeAlias

import torch
from fvcore.nn.jit_analysis import JitModelAnalysis
from torch import Tensor, nn

from cmx_bench.measures import dispatched, free, spelt
from cmx_bench.measures.given import NONE, Word
from cmx_bench.measures.operator_rules import RULES, Rule, Value, Values, einsum, items_of, shape_of
from cmx_bench.measures.spelt import Operand
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
    by_parts: Iterable[str] = (),
    words: Mapping[str, Word] = NONE,
) -> Trace:
    """The operators that the model's output, made of tensors, depends on.

    Args:
        by_parts: operators without a rule to count by those that torch makes them of.
        words: the user's, on such as these may be made of.
    """
    analysis = JitModelAnalysis(model, inputs).tracer_warnings("none")
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.set_op_handle(
        **_handles(len(inputs)), **{kind: _in_parts(kind, words) for kind in by_parts}
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
            if kind in composite() or not kind.startswith("aten::")  # Python's and script's
        ]
        for name in by_module
    }
    return Trace(dict(+operators), activations, by_module, unknown)


@cache
def composite() -> frozenset[str]:
    """The operators that are made of others."""
    registered = torch._C._dispatch_get_registrations_for_dispatch_key("CompositeImplicitAutograd")
    return frozenset(name.partition(".")[0] for name in registered)


# --- operators by name ----------------------------------------------------------------------------

_Handle: TypeAlias = Callable[[Values, Values], "Counter[str]"]


def _handles(images: int) -> Mapping[str, _Handle]:
    """What fvcore calls for each operator, in the order of the trace: costs, and what passes on a
    product that is spelt elementwise.

    Args:
        images: the number of inputs.
    """
    products = _Products(images)
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
        if schema.name.startswith("aten::") and any(map(free.shares, schema.returns))
    )


def _costing(kind: str, rule: Rule) -> _Handle:
    def handle(inputs: Values, outputs: Values) -> Counter[str]:
        macs, elements = rule(inputs, outputs)
        return Counter({kind: macs, _ACTIVATIONS: elements})

    return handle


def _following(kind: str, products: _Products) -> _Handle:
    """Of an operator that follows a product, and counts it where it adds it up."""
    name = kind.partition("::")[2].removesuffix("_")
    view = kind in _views() or kind.startswith("prim::")

    def handle(inputs: Values, outputs: Values) -> Counter[str]:
        exponent = inputs[1].toIValue() if len(inputs) > 1 else None
        if len(inputs) > 1 and inputs[1].isCompleteTensor():
            exponent = nan
        return products.follow(kind, spelt.of_power(name, exponent), view, inputs, outputs)

    return handle


def _in_parts(kind: str, words: Mapping[str, Word]) -> _Handle:
    """Of an operator that is called once more, by itself, and watched: see `dispatched`."""

    def handle(inputs: Values, outputs: Values) -> Counter[str]:
        arguments = list(map(_argument, inputs))
        call = torch._C._jit_get_operation(kind)[0]
        schemas = torch._C._jit_get_schemas_for_operator(kind)
        schema = next(known for known in schemas if len(known.arguments) == len(arguments))
        names = (argument.name for argument in schema.arguments)
        with dispatched.counting(words) as ran:
            call(**dict(zip(names, arguments, strict=True)))
        return Counter({kind: ran.macs, _ACTIVATIONS: ran.activations})

    return handle


def _argument(value: Value) -> Any:
    """What stood for a value when the trace was made, on the meta device."""
    if value.isCompleteTensor():
        return torch.empty(shape_of(value), dtype=value.type().dtype(), device="meta")
    if value.node().kind() == "prim::ListConstruct":
        return list(map(_argument, items_of(value)))
    return value.toIValue()


def _einsum_or_spelt(products: _Products) -> _Handle:
    """An einsum is elementwise where no pair of operands has a subscript to sum."""

    def handle(inputs: Values, outputs: Values) -> Counter[str]:
        macs, elements = einsum(inputs, outputs)
        if macs:
            return Counter({"aten::einsum": macs, _ACTIVATIONS: elements})
        operands = list(items_of(inputs[1]))
        alone = "sum" if prod(shape_of(operands[0])) > prod(shape_of(outputs[0])) else "clone"
        name = alone if len(operands) == 1 else "mul"
        return products.follow("aten::einsum", name, False, operands, outputs)

    return handle


class _Products:
    """What is known of the values in a trace. Its first inputs are images, the others weights."""

    def __init__(self, images: int) -> None:
        self._images = images
        self._known: dict[int, Operand] = {}

    def follow(
        self, kind: str, name: str, view: bool, inputs: Values, outputs: Values
    ) -> Counter[str]:
        """What an operator adds up of a product."""
        operands = list(self._operands(inputs))
        counted: Counter[str] = Counter()
        for output in outputs:
            whole = sum(operand.elements for operand in operands)  # of a list, which has no shape
            elements = prod(shape_of(output)) if output.isCompleteTensor() else whole
            macs, self._known[output.unique()] = spelt.follow(name, operands, elements, view)
            if macs and not counted:  # var_mean has two outputs of one reduction
                counted = Counter({kind: macs, _ACTIVATIONS: elements})
        return counted

    def _operands(self, values: Values) -> Iterator[Operand]:
        """The tensors among an operator's inputs, those in lists too."""
        for value in values:
            if value.unique() in self._known:
                yield self._known[value.unique()]
            elif value.isCompleteTensor():
                elements, place = prod(shape_of(value)), value.offset()
                weight = value.node().kind() == "prim::Param" and place >= self._images
                yield Operand(elements, elements, weight=weight)
            elif value.node().kind() == "prim::ListConstruct":
                yield from self._operands(list(items_of(value)))
