"""The second count: every operator that reaches the dispatcher of torch, one by one.

What a model calls is made of operators of a closed set, and all of them come by here. Each has a
cost, or it is free (see `free`), or torch itself writes it with others, or it is refused by name.
So nothing is left out, whatever the trace knows (see `traced`).
"""

from __future__ import annotations

import functools
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from math import prod
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch._decomp import decomposition_table
from torch.overrides import resolve_name
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torch.utils.module_tracker import ModuleTracker

from cmx_bench.errors import CountError
from cmx_bench.measures.counting.effects import SpeltError
from cmx_bench.measures.counting.free import is_blank, is_free, reads
from cmx_bench.measures.counting.given import NONE, Word, bind
from cmx_bench.measures.counting.products import Products
from cmx_bench.measures.counting.tracing import StayOnMeta, Whole
from cmx_bench.models.tensors import leaves, storage_of

_Rule: TypeAlias = Callable[[Sequence[Any], Tensor], int]  # of the arguments and the first output


def _expanded(args: Sequence[Any], out: Tensor) -> int:
    """The elements of the product of three, which ``_trilinear`` adds up."""
    factors = []
    for factor, added in zip(args[:3], args[3:6], strict=True):
        for dim in sorted(added):
            factor = factor.unsqueeze(dim)  # noqa: PLW2901
        factors.append(factor)
    return prod(map(max, zip(*(factor.shape for factor in factors), strict=True)))


def _weighted(args: Sequence[Any], out: Tensor) -> int:
    """Of the rows of a table that a bag adds up, each times its weight; without weights none."""
    return 0 if args[6] is None else args[1].numel() * args[0].shape[-1]


def _distances(args: Sequence[Any], out: Tensor) -> int:
    """As ``(x[:, None] - y).pow(2).sum(-1)``; other powers multiply nothing."""
    return out.numel() * args[0].shape[-1] if len(args) == 2 or args[2] == 2 else 0


# What torch's own counter of FLOPs has no formula for. Every MAC is two FLOPs there.
_MACS: Mapping[str, _Rule] = {
    "aten::mv": lambda args, out: args[0].numel(),
    "aten::addmv": lambda args, out: args[1].numel(),
    "aten::dot": lambda args, out: args[0].numel(),
    "aten::vdot": lambda args, out: args[0].numel(),
    "aten::addbmm": lambda args, out: args[1].numel() * args[2].shape[-1],
    "aten::_trilinear": _expanded,
    **dict.fromkeys(("aten::_euclidean_dist", "aten::_cdist_forward"), _distances),
    **dict.fromkeys(("aten::_embedding_bag", "aten::_embedding_bag_forward_only"), _weighted),
    "torchvision::deform_conv2d": lambda args, out: (
        out.shape[0] * prod(out.shape[2:]) * args[1].numel()
    ),
}


class Source(Enum):
    """By what a call of an operator has MACs."""

    RULE = auto()  # its own cost
    SPELT = auto()  # it adds up a product that is spelt elementwise
    WORD = auto()  # the user's


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call costs: MACs, and the elements of its output. The module in which it was called
    has the name that ``ModuleTracker`` gives it."""

    operator: str
    source: Source
    module: str
    macs: int
    activations: int


class Dispatched:
    """What torch ran: the cost of each call that has one, and on which of them, and on the images,
    tensors depend."""

    def __init__(self, images: Iterable[Tensor]) -> None:
        self.costs: list[Cost] = []
        # By storage: a bit for the images and one for each cost, with a tensor that keeps the place
        # taken.
        self._needs = {storage_of(image): (image, 1) for image in images}

    def of(self, source: Source) -> list[Cost]:
        """The costs that have this source."""
        return [cost for cost in self.costs if cost.source is source]

    def unused(self, outputs: Iterable[Tensor]) -> list[Cost]:
        """The costs that no output depends on."""
        used = self._needed(outputs)
        return [
            cost for place, cost in enumerate(self.costs) if cost.macs and not used >> place + 1 & 1
        ]

    def sees(self, outputs: Iterable[Tensor]) -> bool:
        """Whether an output depends on the images."""
        return bool(self._needed(outputs) & 1)

    def add(self, cost: Cost, operands: Iterable[Tensor], results: Iterable[Tensor]) -> None:
        """Notes the cost of a call, and that its results depend on it and on the operands."""
        needed = self._needed(operands)
        if cost.macs or cost.source is Source.WORD:
            needed |= 2 << len(self.costs)
            self.costs.append(cost)
        for result in results:
            self._needs[storage_of(result)] = result, needed

    def _needed(self, tensors: Iterable[Tensor]) -> int:
        needs = [self._needs.get(storage_of(tensor)) for tensor in tensors]
        return functools.reduce(operator.or_, (need[1] for need in needs if need), 0)


def total(costs: Iterable[Cost]) -> tuple[int, int]:
    """MACs, and output elements."""
    pairs = [(cost.macs, cost.activations) for cost in costs]
    return sum(macs for macs, _ in pairs), sum(elements for _, elements in pairs)


def by_operator(costs: Iterable[Cost]) -> Counter[str]:
    """The MACs of each operator."""
    counts: Counter[str] = Counter()
    for cost in costs:
        counts[cost.operator] += cost.macs
    return counts


@contextmanager
def counting(
    words: Mapping[str, Word] = NONE, images: Sequence[Tensor] = ()
) -> Iterator[Dispatched]:
    """Counts what runs inside, as it runs.

    Args:
        words: the user's, by operators.
        images: what the model that runs is given.

    Raises:
        CountError: an operator is neither counted nor free, or reads what a tensor holds.
    """
    with (
        StayOnMeta(),  # type: ignore[no-untyped-call]
        ModuleTracker() as modules,
        _Called() as called,
        _Dispatch(modules, called, words, images) as dispatch,
    ):
        yield dispatch.counted


class _Dispatch(TorchDispatchMode):
    supports_higher_order_operators = True

    def __init__(
        self, modules: ModuleTracker, called: _Called, words: Mapping[str, Word],
        images: Sequence[Tensor],
    ) -> None:  # fmt: skip
        super().__init__()  # type: ignore[no-untyped-call]
        self.counted = Dispatched(images)
        self._modules = modules
        self._called = called
        self._words = words
        self._products = Products(images)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if isinstance(func, torch._ops.HigherOrderOperator):
            raise self._refused(func)
        word, rule = self._words.get(func._schema.name), rule_of(func)
        if not word and not rule:
            output = take_apart(self, func, args, named)
            if output is not NotImplemented:
                return output
            self._refuse_reading(func, args, named)
            if not is_free(func):
                return self._in_parts(func, args, named)
        output = func(*args, **named)
        results = leaves(output)
        if word:
            source, macs = Source.WORD, word.macs(func, args, named, output)
        else:
            source, macs = (Source.RULE, rule(args, named, output)) if rule else (Source.SPELT, 0)
        layer = None if source is Source.SPELT else bool(rule or macs)
        try:
            macs += self._products.follow(func, args, named, results, layer)
        except SpeltError as error:
            raise self._refused(func, f" of a product that is spelt elementwise{error}") from None
        elements = sum(result.numel() for result in results[:1]) if macs else 0
        cost = Cost(func._schema.name, source, self._module(), macs, elements)
        operands = [] if is_blank(func) else leaves((args, named))
        self.counted.add(cost, operands, results or operands)  # without results it writes into them
        return output

    def _module(self) -> str:
        """The innermost that runs."""
        return max(self._modules.parents - {"Global"}, key=len, default="the model")

    def _in_parts(self, func: Any, args: Any, named: Any) -> Any:
        """What torch itself writes with other operators is counted by these."""
        parts = decomposition_table.get(func)
        if parts is None:
            raise self._refused(func)
        with self:
            return parts(*args, **named)

    def _refuse_reading(self, func: Any, args: Any, named: Any) -> None:
        tensors = leaves((args, named))
        if func._overloadpacket is torch.ops.aten.index:
            tensors = [mask for mask in tensors[1:] if mask.dtype in {torch.bool, torch.uint8}]
        if reads(func) and any(tensor.is_meta for tensor in tensors):
            raise CountError(
                f"{self._caller(func)} needs to know what a tensor holds: "
                f"what it computes, and so its MACs, depends on the image; where they do not, skip "
                f"it if that tensor is_meta"
            )

    def _refused(self, func: Any, what: str = "") -> CountError:
        refused = f"no rule counts {self._caller(func)}{what}"
        if isinstance(func, torch._ops.HigherOrderOperator):
            return CountError(f"{refused}: write it without, at least where a tensor is_meta")
        name = func._schema.name
        return CountError(
            f"{refused}: where it multiplies and adds up nothing, say macs: {{zero: [{name}]}} in "
            f"the suite, else macs: {{rules: {{{name}: 'module:function'}}}}"
        )

    def _caller(self, func: Any) -> str:
        """The operator, what it was called as, and the module that calls it."""
        name = str(func) if isinstance(func, torch._ops.HigherOrderOperator) else func._schema.name
        called = f", called as {self._called.name}," if self._called.name else ""
        return f"{name}{called} in {self._module()}"


class _Called(Whole):
    """The function that was called last, as its user knows it."""

    name = ""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.name = resolve_name(func) or ""
        return super().__torch_function__(func, types, args, kwargs)


# --- costs ----------------------------------------------------------------------------------------


def operators() -> frozenset[str]:
    """Those that have a rule."""
    packets = [each for each in flop_registry if isinstance(each, torch._ops.OpOverloadPacket)]
    return frozenset([*_MACS, *(packet._qualified_op_name for packet in packets)])


def rule_of(func: Any) -> Callable[[Any, Any, Any], int] | None:
    """What gives the MACs of a call of an overload, by its arguments and output; None where nothing
    does."""
    if own := _MACS.get(func._schema.name):
        return lambda args, named, output: own(
            bind(func._schema, args, named)[0], leaves(output)[0]
        )
    if formula := flop_registry.get(func._overloadpacket):
        return lambda args, named, output: formula(*args, **named, out_val=output) // 2
    return None


def take_apart(mode: TorchDispatchMode, func: Any, args: Any, named: Any) -> Any:
    """What an operator gives that comes whole in inference mode, and elsewhere in parts, which the
    mode is shown; NotImplemented of others."""
    with mode:
        return func.decompose(*args, **named)
