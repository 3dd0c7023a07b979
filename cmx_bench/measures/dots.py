"""Follows products that are spelt elementwise, by the storages of the tensors of a running model.

Those that grow are counted where they are added up: see `spelt`. Dot products may be no larger than
their factors. With one query ``(q * k).sum(-1)`` is ``k @ q``. ``(x * w[o]).sum(1)`` is a row of
``w @ x``, and the sum of ``x[..., i:i + n] * w[i]`` over i is a convolution. `spelt` takes each of
them for a gate. Where the factors come from tells them apart.

Features are what layers give, and any function of features but those that make gates. Nobody adds
up two features along a dimension that both have, nor along the dimensions of a weight that only
scales, nor what several parts of one tensor made with parts of another. A mean of features is
pooling, unless it is along their channels. So is a sum of what a quotient scales, as a norm does.

A product is followed through all that is linear, and through operators that nobody knows. ``prod``
makes one of features too, and so does the exponential of a sum of their logarithms.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from cmx_bench.measures import spans, spelt
from cmx_bench.measures.free import is_view, operands_of, plain
from cmx_bench.measures.spans import JOIN, NONE, NOWHERE, Product, Span, Term
from cmx_bench.measures.spelt import Operand
from cmx_bench.models.tensors import is_part, storage_of

_MULTIPLY = frozenset(["mul", "multiply"])
_MULTIPLY_UP = frozenset(["prod", "cumprod"])
_DIVIDE = frozenset(["div", "divide", "true_divide"])
_SUBTRACT = frozenset(["sub", "subtract"])
_LOGARITHMS = frozenset(["log", "log2", "log10", "log1p"])
_EXPONENTIALS = frozenset(["exp", "exp2", "expm1"])
_GATES = _EXPONENTIALS | frozenset(
    """
    sigmoid hardsigmoid log_sigmoid_forward reciprocal rsqrt
    _softmax _log_softmax _safe_softmax _masked_softmax
    """.split()  # noqa: SIM905
)
_MEANS = frozenset(
    """
    mean nanmean avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
    adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d
    """.split()  # noqa: SIM905
)
_SUMS = spelt.ADD_UP - _MEANS - spelt.SPREADS
_LINEAR = spelt.LINEAR - spelt.SPREADS - {"square", "pow"}
_ADD_EXPONENTIALS = frozenset(["logsumexp", "logcumsumexp"])
# They add up along the dimensions that they are told.
_ALONG = _ADD_EXPONENTIALS | frozenset(["sum", "nansum", "mean", "nanmean", "cumsum"])
# What gives a sum of logarithms of one, or of several: their exponential is a product, masked,
# clamped, or scaled by what else is added.
_PASS_LOGARITHMS = spelt.MOVED | frozenset(
    """
    add sub subtract where masked_fill copy clamp clip clamp_min clamp_max nan_to_num
    """.split()  # noqa: SIM905
)
_UNKNOWN = Operand(sys.maxsize, sys.maxsize)


class SpeltError(Exception):
    """Nobody knows what a product that is added up, or reduced otherwise, stands for; the text says
    what would count."""


class _Known(NamedTuple):
    """What is known of a storage: whether it is made of weights alone; whether of features, where
    their channels are, and whether a quotient scales them; the product, and the storage of which it
    is a part that was moved. Where it is a sum of logarithms, `power` is the product that their
    exponential is; `joined` where weights lie beside others. Of what grows the operand, whether
    only a part is such a product, and on which sums of products it depends."""

    weight: bool = False
    feature: bool = False
    channels: frozenset[Span] = NOWHERE
    quotient: bool = False
    product: Product = NONE
    whole: int = 0
    power: Product | None = None
    joined: bool = False
    operand: Operand = _UNKNOWN
    mixed: bool = False
    sums: frozenset[int] = frozenset()


class Products:
    """What is known of tensors, by storage: views know it, and so does what is written into."""

    def __init__(self, weights: Iterable[Tensor] = ()) -> None:
        self._sums: list[tuple[str, int]] = []  # of products that grow: operators, and their MACs
        # A tensor keeps its place taken.
        self._known = {
            storage_of(tensor): (_Known(weight=True, whole=storage_of(tensor)), tensor)
            for tensor in weights
        }

    def follow(
        self, func: Any, args: Any, named: Any, outputs: Sequence[Tensor], layer: bool
    ) -> int:
        """The MACs that an operator adds up of a product that grows.

        Args:
            layer: the operator has MACs itself.

        Raises:
            SpeltError: it reduces one otherwise, or adds up one that does not grow, or of which
                only a part is one.
        """
        name, tensors = plain(func), operands_of(func, args, named)
        operands = [self._operand(tensor) for tensor in tensors]  # of nested ones it fails
        if not outputs or is_view(func):
            return 0
        called = spelt.of_power(name, args)
        if spelt.reduces(called, operands, outputs[0].numel()):
            raise SpeltError
        grown = any(operand.product for operand in operands)
        if not grown and self._are_added(name, args, tensors, outputs[0]):
            raise SpeltError(", which counts where it is spelt by einsum or matmul")
        if operands and func._schema.name.endswith("_") and is_part(args[0]):
            # Known is what the whole holds: nothing says that this part is a product.
            operands[0] = operands[0]._replace(product=False)
        results = [spelt.follow(called, operands, output.numel()) for output in outputs]
        counted = next((macs for macs, _ in results if macs), 0)
        if counted and any(self._of(tensor).mixed for tensor in tensors):
            raise SpeltError
        for output, (_, result) in zip(outputs, results, strict=True):
            self._learn(func, args, tensors, output, layer, result, counted > 0)
        self._sums += [(func._schema.name, counted)] if counted else []
        return counted

    def pass_on(
        self, func: Any, args: Any, named: Any, outputs: Sequence[Tensor], layer: bool
    ) -> None:
        """Follows what does not grow, where the user says what an operator costs."""
        for output in [] if is_view(func) else outputs:
            self._learn(func, args, operands_of(func, args, named), output, layer)

    def unused(self, outputs: Iterable[Tensor]) -> Counter[str]:
        """The MACs of such products, by operator, that none of these depends on."""
        used = frozenset[int]().union(*(self._of(output).sums for output in outputs))
        unused: Counter[str] = Counter()
        for place, (name, macs) in enumerate(self._sums):
            unused[name] += 0 if place in used else macs
        return +unused

    def _are_added(
        self, name: str, args: Sequence[Any], tensors: Sequence[Tensor], out: Tensor
    ) -> bool:
        """Whether an operator adds up products that do not grow."""
        products = self._entering(name, tensors, out)
        if name in spelt.ADD_TWO or name in spelt.ADD_A_PRODUCT:
            left, *others = [product.terms for product in products] or [NONE.terms]
            return any(_are_parts(one, two) for more in others for one in left for two in more)
        if name in _ADD_EXPONENTIALS:
            whole = [self._of(tensor).power or NONE for tensor in tensors]
        elif name in spelt.ADD_UP - spelt.SPREADS:
            whole = [self._of(tensor).product for tensor in tensors]
        else:
            return False
        if name in _SUMS - _ALONG:
            return any(product.sums for product in whole)
        added = spans.of(args[0], _reduced(name, args))
        return spans.meet(whole[0].means if name in _MEANS else whole[0].sums, added)

    def _learn(
        self, func: Any, args: Sequence[Any], tensors: Sequence[Tensor], out: Tensor, layer: bool,
        result: Operand = _UNKNOWN, adds_up: bool = False,
    ) -> None:  # fmt: skip
        """Follows what an operator gives; beyond those of others than torch all products."""
        name = plain(func) if func.namespace == "aten" else ""
        if name == "pow" and not isinstance(args[0], Tensor):
            name = "exp2"
        known = self._given(name, tensors, out, layer)
        product = NONE if layer else spans.joined(self._entering(name, tensors, out))
        several = sum(tensor.numel() > 1 for tensor in tensors) > 1
        if several and (name in spelt.ADD or name in spelt.ADD_A_PRODUCT):
            product = product._replace(means=NOWHERE)  # as norms take means of what was scaled
        if not name and any(self._of(tensor).operand.product for tensor in tensors):
            product = spans.joined([product, spans.anywhere(out)])
        mixed = result.product and any(self._of(tensor).mixed for tensor in tensors)
        sums = frozenset([len(self._sums)] if adds_up else [])
        before = self._of(out)
        if is_part(out):  # the rest holds what it held
            product = spans.joined([before.product, product])
            known = known._replace(
                feature=known.feature or before.feature, channels=known.channels | before.channels
            )
            mixed = before.mixed or (result.product and not before.operand.product)
            sums |= before.sums
            products = [each for each in (result, before.operand) if each.product]
            counted = all(each.counted for each in products)
            result = result._replace(product=bool(products), counted=counted)
        self._known[storage_of(out)] = (
            known._replace(
                product=product,
                power=self._power(name, tensors, out),
                joined=name in JOIN and len({self._of(tensor).weight for tensor in tensors}) > 1,
                operand=result if result.product or result.grown else _UNKNOWN,
                mixed=mixed,
                sums=sums.union(*(self._of(tensor).sums for tensor in tensors)),
            ),
            out,
        )

    def _given(self, name: str, tensors: Sequence[Tensor], out: Tensor, layer: bool) -> _Known:
        """What is known of a result but the product in it."""
        numbers = [tensor for tensor in tensors if _is_number(tensor)]
        whole = storage_of(out)
        if len(numbers) == 1 and name in spelt.MOVED:
            whole = self._of(numbers[0]).whole
        if not _is_number(out):
            return _Known(whole=whole)
        if layer:
            return _Known(feature=True, channels=self._channels(name, tensors, out), whole=whole)
        if numbers and all(self._of(tensor).weight for tensor in numbers):
            return _Known(weight=True, whole=whole)
        factors = [each for each in numbers if each.numel() > 1 and not self._of(each).weight]
        features = [tensor for tensor in factors if self._of(tensor).feature]
        if not features or (name in _GATES and self._exponent(name, tensors) is None):
            return _Known(whole=whole)
        divided = name in _DIVIDE and len(factors) > 1
        return _Known(
            feature=True,
            channels=NOWHERE.union(
                *(spans.moved(self._of(each).channels, each, out, name) for each in features)
            ),
            quotient=divided or all(self._of(tensor).quotient for tensor in features),
            whole=whole,
        )

    def _channels(self, name: str, tensors: Sequence[Tensor], out: Tensor) -> frozenset[Span]:
        """Where a layer puts its channels: where its weight has them."""
        if "conv" in name:
            return spans.of(out, [1])
        if len(tensors) < 2:  # nobody knows it
            return spans.everywhere(out)
        *_, left, right = tensors
        first = self._of(left).weight and not self._of(right).weight and out.dim() > 1
        return spans.of(out, [-2 if first else -1])

    def _entering(self, name: str, tensors: Sequence[Tensor], out: Tensor) -> list[Product]:
        """The products in what an operator gives, by its operands."""
        if (power := self._exponent(name, tensors)) is not None:
            return [spans.carried(power, tensors[0], out)]
        if name in _MULTIPLY_UP:
            known = [self._of(tensor) for tensor in tensors]
            return [spans.anywhere(out) for each in known if each.feature or each.joined]
        if name and name not in _LINEAR:
            return []
        sources = tensors[spelt.SOURCES.get(name, slice(None))]
        made: list[Product] = []
        if name in spelt.ADD_A_PRODUCT:
            made = [self._multiplied(sources[1], sources[2], out)]
            sources = sources[:1]
        elif name in _MULTIPLY and len(sources) == 2:
            made = [self._multiplied(sources[0], sources[1], out)]
        elif name in _DIVIDE:
            sources = sources[:1]
        return made + [spans.carried(self._of(each).product, each, out, name) for each in sources]

    def _exponent(self, name: str, tensors: Sequence[Tensor]) -> Product | None:
        """The product that an operator gives as an exponential; None where it gives none so."""
        return self._of(tensors[0]).power if name in _EXPONENTIALS and tensors else None

    def _power(self, name: str, tensors: Sequence[Tensor], out: Tensor) -> Product | None:
        """The product that the exponential of a result is; None where no logarithms are added."""
        if name in _LOGARITHMS:
            return spans.carried(self._of(tensors[0]).product, tensors[0], out)
        sources = tensors[spelt.SOURCES.get(name, slice(1 if name in _SUBTRACT else None))]
        logarithms = [tensor for tensor in sources if self._of(tensor).power is not None]
        if not logarithms:
            return None
        if name in _SUMS & _ALONG:
            known = self._of(logarithms[0])
            return spans.anywhere(out) if known.feature or known.joined else None
        if name not in _PASS_LOGARITHMS:
            return None
        powers = [
            spans.carried(self._of(each).power or NONE, each, out, name) for each in logarithms
        ]
        if name == "add" and len(logarithms) == 2:
            left, right = logarithms
            powers.append(self._multiplied(left, right, out, grown=spans.anywhere(out)))
        return spans.joined(powers)

    def _multiplied(
        self, left: Tensor, right: Tensor, out: Tensor, grown: Product | None = None
    ) -> Product:
        """The product of a weight with anything but weights, or of two features.

        Args:
            grown: what to take one for that grows; None where `spelt` sees that.
        """
        if grown is not None and max(left.numel(), right.numel()) < out.numel():
            return grown
        ours, theirs = self._of(left), self._of(right)
        shared = spans.shared(left, right, out)
        if ours.weight != theirs.weight:
            weight, other = (left, right) if ours.weight else (right, left)
            if other.numel() < out.numel():
                return grown or NONE
            pair = frozenset([storage_of(weight), self._of(other).whole])
            return Product(shared, shared, frozenset([(pair, _part(other))]))
        if not (ours.feature and theirs.feature) or _is_same(left, right):
            return NONE
        channels = spans.moved(ours.channels, left, out) & spans.moved(theirs.channels, right, out)
        pair, part = frozenset([ours.whole, theirs.whole]), (_part(left), _part(right))
        sums = channels if ours.quotient or theirs.quotient else shared
        return Product(sums, channels, frozenset([(pair, part)]))

    def _of(self, tensor: Tensor) -> _Known:
        place = storage_of(tensor)
        return self._known[place][0] if place in self._known else _Known(whole=place)

    def _operand(self, tensor: Tensor) -> Operand:
        known = self._of(tensor)
        least = min(spans.distinct(tensor), known.operand.distinct)
        return known.operand._replace(elements=tensor.numel(), distinct=least, weight=known.weight)


def _are_parts(one: Term, two: Term) -> bool:
    """Whether two products are of the same tensors, and of other parts of them."""
    return one[0] == two[0] and one[1] != two[1]


def _reduced(name: str, args: Sequence[Any]) -> Iterable[int]:
    """The dimensions that a sum or a mean adds up."""
    every = range(args[0].dim())
    if name not in _ALONG:  # of positions, which come last
        return every[-int(name[-2]) :]
    dims = args[1] if len(args) > 1 and args[1] is not None else []
    return [dims] if isinstance(dims, int) else dims or every


def _is_number(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _part(tensor: Tensor) -> tuple[int, int]:
    """Which part of its storage a tensor is, however it is viewed."""
    return storage_of(tensor), int(tensor.storage_offset())


def _is_same(left: Tensor, right: Tensor) -> bool:
    return _part(left) == _part(right) and left.stride() == right.stride()
