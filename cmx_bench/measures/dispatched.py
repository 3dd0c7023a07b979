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
from math import prod
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch._decomp import decomposition_table
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torch.utils.module_tracker import ModuleTracker

from cmx_bench.errors import CountError
from cmx_bench.measures.effects import SpeltError
from cmx_bench.measures.free import is_free, reads
from cmx_bench.measures.given import NONE, Word, bind
from cmx_bench.measures.products import Products
from cmx_bench.measures.tracing import StayOnMeta, whole
from cmx_bench.models.tensors import leaves

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

    ``operators`` and ``activations`` are of what has a rule, as a trace has them; ``modules`` their
    MACs by module, those inside it included, and by operator. ``spelt``: MACs by operator of
    products that are spelt elementwise; ``given``: those that are the user's word; and
    ``more_activations`` the output elements of what has any of these. ``products`` knows on which
    of the former a tensor depends.
    """

    operators: Counter[str] = field(default_factory=Counter)
    activations: int = 0
    modules: dict[str, Counter[str]] = field(default_factory=dict)
    spelt: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)
    more_activations: int = 0
    products: Products = field(default_factory=Products)

    @property
    def macs(self) -> int:
        """Those that are nobody's word."""
        return self.operators.total() + self.spelt.total()


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
        _Dispatch(modules, called, words, Products(images)) as dispatch,
    ):
        yield dispatch.counted


class _Dispatch(TorchDispatchMode):
    supports_higher_order_operators = True

    def __init__(
        self, modules: ModuleTracker, called: _Called, words: Mapping[str, Word], products: Products
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counted = Dispatched(products=products)
        self._modules = modules
        self._called = called
        self._words = words

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if isinstance(func, torch._ops.HigherOrderOperator):
            raise self._refused(func)
        if word := self._words.get(func._schema.name):
            output = func(*args, **named)
            tensors, macs = leaves(output), word.macs(func, args, named, output)
            self._add_apart(self.counted.given, word.operator, macs, tensors)
            self.counted.products.pass_on(func, args, named, tensors, layer=macs > 0)
            return output
        rule = rule_of(func)
        if rule is None:
            output = take_apart(self, func, args, named)
            if output is not NotImplemented:
                return output
            self._refuse_reading(func, args, named)
            if not is_free(func):
                return self._in_parts(func, args, named)
        output = func(*args, **named)
        tensors = leaves(output)
        try:
            spelt = self.counted.products.follow(func, args, named, tensors, rule is not None)
        except SpeltError as error:
            raise self._refused(func, f" of a product that is spelt elementwise{error}") from None
        if rule is None:
            self._add_apart(self.counted.spelt, func._schema.name, spelt, tensors)
        elif macs := rule(args, named, output):
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
        tensors = leaves((args, named))
        if func._overloadpacket is torch.ops.aten.index:
            tensors = [mask for mask in tensors[1:] if mask.dtype in {torch.bool, torch.uint8}]
        if reads(func) and any(tensor.is_meta for tensor in tensors):
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

    def _add_apart(
        self, counts: Counter[str], name: str, macs: int, outputs: Sequence[Tensor]
    ) -> None:
        counts[name] += macs
        if macs:
            self.counted.more_activations += sum(tensor.numel() for tensor in outputs[:1])

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


# --- costs ----------------------------------------------------------------------------------------


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
