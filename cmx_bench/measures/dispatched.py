"""The second count: every operator that reaches the dispatcher of torch, one by one.

What a model calls is made of operators of a closed set, and all of them come by here. Each has a
cost, or it is free (see `free`), or torch itself writes it with others, or it is refused by name.
So nothing is left out, whatever the trace knows (see `traced`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import nan, prod
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch._decomp import decomposition_table
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry
from torch.utils.module_tracker import ModuleTracker

from cmx_bench.errors import CountError
from cmx_bench.measures import spelt
from cmx_bench.measures.dots import Dots
from cmx_bench.measures.free import is_free, plain, reads, shares
from cmx_bench.measures.given import NONE, Word, bind
from cmx_bench.measures.spelt import Operand
from cmx_bench.measures.tracing import StayOnMeta, whole
from cmx_bench.models.tensors import is_part, storage_of

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


@dataclass(slots=True)
class Dispatched:
    """What torch ran. Modules have the names that ``ModuleTracker`` gives them.

    ``modules``: MACs by module, those inside it included, and by operator. ``given``: MACs by
    operator where these are the user's word, and the output elements of what cost any; the rest
    holds none of them.
    """

    operators: Counter[str] = field(default_factory=Counter)
    activations: int = 0
    modules: dict[str, Counter[str]] = field(default_factory=dict)
    given: Counter[str] = field(default_factory=Counter)
    given_activations: int = 0

    @property
    def macs(self) -> int:
        return self.operators.total()


@contextmanager
def counting(
    words: Mapping[str, Word] = NONE, weights: Sequence[Tensor] = ()
) -> Iterator[Dispatched]:
    """Counts what runs inside, as it runs.

    Args:
        words: the user's, by operators.
        weights: of the model that runs.

    Raises:
        CountError: an operator is neither counted nor free, or reads what a tensor holds.
    """
    with (
        StayOnMeta(),  # type: ignore[no-untyped-call]
        ModuleTracker() as modules,
        _Called() as called,
        _Dispatch(modules, called, words, weights) as dispatch,
    ):
        yield dispatch.counted


class _Dispatch(TorchDispatchMode):
    supports_higher_order_operators = True

    def __init__(
        self, modules: ModuleTracker, called: _Called, words: Mapping[str, Word],
        weights: Sequence[Tensor],
    ) -> None:  # fmt: skip
        super().__init__()  # type: ignore[no-untyped-call]
        self.counted = Dispatched()
        self._modules = modules
        self._called = called
        self._words = words
        self._products = _Products(weights)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if isinstance(func, torch._ops.HigherOrderOperator):
            raise self._refused(func)
        if word := self._words.get(func._schema.name):
            output = func(*args, **named)
            self._give(word, macs := word.macs(func, args, named, output), output)
            self._products.pass_on(func, args, named, _tensors(output), layer=macs > 0)
            return output
        rule = rule_of(func)
        if rule is None:
            with self:  # in inference mode, operators come whole that elsewhere come in parts
                output = func.decompose(*args, **named)
            if output is not NotImplemented:
                return output
            self._refuse_reading(func, args, named)
            if not is_free(func):
                return self._in_parts(func, args, named)
        output = func(*args, **named)
        tensors = _tensors(output)
        try:
            spelt_out = self._products.follow(func, args, named, tensors, layer=rule is not None)
        except _SpeltError as error:
            raise self._refused(func, f" of a product that is spelt elementwise{error}") from None
        if macs := rule(args, named, output) if rule else spelt_out:
            self._add(func, macs, tensors[0].numel())
        return output

    def _in_parts(self, func: Any, args: Any, named: Any) -> Any:
        """What torch itself writes with other operators is counted by these."""
        parts = decomposition_table.get(func)
        if parts is None:
            raise self._refused(func)
        with self:
            return parts(*args, **named)

    def _refuse_reading(self, func: Any, args: Any, named: Any) -> None:
        if _reads(func, args, named):
            raise CountError(
                f"{self._caller(func)} needs to know what a tensor holds: "
                f"what it computes, and so its MACs, depends on the image; where they do not, skip "
                f"it if that tensor is_meta"
            )

    def _add(self, func: Any, macs: int, elements: int) -> None:
        name = func._schema.name
        self.counted.operators[name] += macs
        self.counted.activations += elements
        for module in self._modules.parents - {"Global"}:
            self.counted.modules.setdefault(module, Counter())[name] += macs

    def _give(self, word: Word, macs: int, output: Any) -> None:
        self.counted.given[word.operator] += macs
        if macs:
            self.counted.given_activations += sum(tensor.numel() for tensor in _tensors(output)[:1])

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
        modules = self._modules.parents - {"Global"}
        return f"{name}{called} in {max(modules, key=len, default='the model')}"


class _Called(TorchFunctionMode):
    """The function that was called last, as its user knows it."""

    name = ""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.name = resolve_name(func) or ""
        return whole(func, args)(*args, **(kwargs or {}))


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


# --- costs ----------------------------------------------------------------------------------------


def rule_of(func: Any) -> Callable[[Any, Any, Any], int] | None:
    """What gives the MACs of a call of an overload, by its arguments and output; None where nothing
    does."""
    if own := _MACS.get(func._schema.name):
        return lambda args, named, output: own(
            bind(func._schema, args, named)[0], _tensors(output)[0]
        )
    if formula := flop_registry.get(func._overloadpacket):
        return lambda args, named, output: formula(*args, **named, out_val=output) // 2
    return None


def _reads(func: Any, args: Any, named: Any) -> bool:
    """Whether a call's does, of a tensor on the meta device."""
    tensors = _tensors((args, named))
    if func._overloadpacket is torch.ops.aten.index:
        tensors = [mask for mask in tensors[1:] if mask.dtype in {torch.bool, torch.uint8}]
    return reads(func) and any(tensor.is_meta for tensor in tensors)


# --- products that are spelt elementwise ----------------------------------------------------------


class _SpeltError(Exception):
    """Nobody knows what a product that is added up, or reduced otherwise, stands for; the text says
    what would count."""


class _Products:
    """What is known of tensors, by storage: views know it, and so does what is written into."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        # The tensor keeps its place taken.
        self._known: dict[int, tuple[Operand, Tensor]] = {
            storage_of(weight): (Operand(weight.numel(), weight.numel(), weight=True), weight)
            for weight in weights
        }
        self._dots = Dots(weights)

    def follow(
        self, func: Any, args: Any, named: Any, outputs: Sequence[Tensor], layer: bool
    ) -> int:
        """The MACs that an operator adds up of a product.

        Args:
            layer: the operator has MACs itself.

        Raises:
            _SpeltError: it reduces one otherwise, or adds up one that does not grow.
        """
        exponent = args[1] if len(args) > 1 else None
        if isinstance(exponent, Tensor):
            exponent = nan
        name = spelt.of_power(plain(func), exponent)
        view = _is_view(func)
        tensors = _read(func, args, named)
        operands = [self._operand(tensor) for tensor in tensors]
        if outputs and spelt.reduces(name, operands, outputs[0].numel()):
            raise _SpeltError
        alone = outputs and not view and not any(operand.product for operand in operands)
        if alone and self._dots.are_added(plain(func), args, tensors, outputs[0]):
            raise _SpeltError(", which counts where it is spelt by einsum or matmul")
        self.pass_on(func, args, named, outputs, layer)
        if operands and func._schema.name.endswith("_") and is_part(args[0]):
            # Known is what the whole holds: nothing says that this part is a product.
            operands[0] = operands[0]._replace(product=False)
        counted = 0
        for output in outputs:
            macs, result = spelt.follow(name, operands, output.numel(), view)
            counted = counted or macs
            if not view:
                self._learn(output, result)
        return counted

    def pass_on(
        self, func: Any, args: Any, named: Any, outputs: Sequence[Tensor], layer: bool
    ) -> None:
        """Follows what does not grow, and beyond operators of others than torch all products."""
        name = plain(func) if func.namespace == "aten" else ""
        tensors = _read(func, args, named)
        grown = not name and any(self._operand(tensor).product for tensor in tensors)
        for output in [] if _is_view(func) else outputs:
            self._dots.learn(name, tensors, output, layer, grown)

    def _operand(self, tensor: Tensor) -> Operand:
        elements, distinct = tensor.numel(), _distinct(tensor)
        known = self._known.get(storage_of(tensor))
        if known is None:
            return Operand(elements, distinct)
        return known[0]._replace(elements=elements, distinct=min(distinct, known[0].distinct))

    def _learn(self, output: Tensor, result: Operand) -> None:
        place = storage_of(output)
        if place in self._known and output.numel() < self._known[place][1].numel():
            whole = self._known[place][0]
            products = [operand for operand in (result, whole) if operand.product]
            result = result._replace(
                product=bool(products), counted=all(product.counted for product in products)
            )
        if result.product or result.grown or result.weight:
            self._known[place] = result, output
        else:
            self._known.pop(place, None)


def _is_view(func: Any) -> bool:
    seen = torch.Tag.inplace_view in func.tags or plain(func) == "_unsafe_view"  # no schema says so
    return seen or any(map(shares, func._schema.returns))


def _read(func: Any, args: Any, named: Any) -> list[Tensor]:
    """The tensors that an operator computes with, those in lists too."""
    outs = {argument.name for argument in func._schema.arguments if argument.is_out}
    return _tensors((args, [value for key, value in named.items() if key not in outs]))


def _distinct(tensor: Tensor) -> int:
    """How many elements a tensor is made of: fewer than it has where it is expanded or unfolded."""
    sizes = [
        (size, stride)
        for size, stride in zip(tensor.shape, tensor.stride(), strict=True)
        if stride and size > 1
    ]
    reach = 1 + sum((size - 1) * stride for size, stride in sizes)
    return min(prod(size for size, _ in sizes), reach)
