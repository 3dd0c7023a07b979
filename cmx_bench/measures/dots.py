"""Follows products that are spelt elementwise, by the storages of the tensors of a running model.

Those that grow are counted where they are added up: see `spelt`. Dot products may be no larger than
their factors. With one query ``(q * k).sum(-1)`` is ``k @ q``. ``(x * w[o]).sum(1)`` is a row of
``w @ x``, and the sum of ``x[..., i:i + n] * w[i]`` over i is a convolution. `spelt` takes each of
them for a gate. Where the factors come from tells them apart.

Features are images, what layers give, and any function of features. Some functions make gates of
them. Nobody adds up two features or two gates along a dimension that both have, nor along the
dimensions of a weight that only scales, nor what several parts of one tensor made with parts of
another. A mean of features is pooling, unless it is along their channels. So is a sum of what a
quotient scales, as a norm does, and of two gates.

A product is followed through all that is linear, and through operators that nobody knows. ``prod``
makes one of features too, and so does the exponential of a sum of their logarithms, or of any sum
that grows. To divide by a reciprocal multiplies, and so does to take a negative logarithm away.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cmx_bench.measures import spans, spelt
from cmx_bench.measures.free import is_view, operands_of, plain
from cmx_bench.measures.spans import JOIN, NONE, NOWHERE, Product, Span
from cmx_bench.measures.spelt import Operand, SpeltError
from cmx_bench.models.tensors import is_part, storage_of

_MULTIPLY = frozenset(["mul", "multiply", "xlogy", "special_xlog1py"])
_MULTIPLY_UP = frozenset(["prod", "cumprod"])
_NEGATE = frozenset(["neg", "negative"])
_INVERT = frozenset(["reciprocal", "rsqrt"])
_LOG_GATES = frozenset(["log_sigmoid_forward", "_log_softmax"])
_LOGARITHMS = _LOG_GATES | frozenset(["log", "log2", "log10", "log1p"])
_EXPONENTIALS = frozenset(["exp", "exp2", "expm1"])
_GATES = _EXPONENTIALS | frozenset(
    ["sigmoid", "hardsigmoid", "_softmax", "_safe_softmax", "_masked_softmax"]
)
_SUMS = spelt.ADD_UP - spelt.MEANS - spelt.SPREADS
_LINEAR = spelt.LINEAR - spelt.SPREADS - {"square"}
# What gives a sum of logarithms of one, or of several: their exponential is a product, masked,
# clamped, or scaled by what else is added.
_PASS_LOGARITHMS = _NEGATE.union(
    spelt.MOVED, spelt.ADD_TWO,
    "where masked_fill copy clamp clip clamp_min clamp_max nan_to_num".split(),  # noqa: SIM905
)  # fmt: skip
# The inverse of an operand makes that of the result.
_KEEP_INVERSE = _PASS_LOGARITHMS.union(_MULTIPLY, spelt.DIVIDE, _EXPONENTIALS, _LOGARITHMS, _INVERT)
_UNKNOWN = Operand(sys.maxsize, sys.maxsize)


class _Known(NamedTuple):
    """What is known of a storage: whether it is made of weights alone; whether of features, and of
    gates alone, where their channels are, and whether a quotient scales them; the product, and the
    storage of which it is a part that was moved. Where it is a sum of logarithms, `power` is the
    product that their exponential is; an `inverse` is a reciprocal, or logarithms that are taken
    away; `joined` where weights lie beside others. Of what grows the operand, whether only a part
    is such a product, and on which sums of products it depends."""

    weight: bool = False
    feature: bool = False
    gate: bool = False
    channels: frozenset[Span] = NOWHERE
    quotient: bool = False
    product: Product = NONE
    whole: int = 0
    power: Product | None = None
    inverse: bool = False
    joined: bool = False
    operand: Operand = _UNKNOWN
    mixed: bool = False
    sums: frozenset[int] = frozenset()

    @property
    def makes_products(self) -> bool:
        """Whether elements of it are features to multiply with each other."""
        return self.joined or (self.feature and not self.gate)


class Products:
    """What is known of tensors, by storage: views know it, and so does what is written into."""

    def __init__(self, images: Iterable[Tensor] = ()) -> None:
        self._sums: list[tuple[str, int]] = []  # of products that grow: operators, and their MACs
        self._known: dict[int, tuple[_Known, Tensor]] = {}  # a tensor keeps its place taken
        for image in images:
            place, channels = storage_of(image), spans.of(image, range(image.dim())[1:2])
            self._known[place] = _Known(feature=True, channels=channels, whole=place), image

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
        name, tensors = spelt.meaning(plain(func), args, named), operands_of(func, args, named)
        operands = [self._operand(tensor) for tensor in tensors]  # of nested ones it fails
        if not outputs or is_view(func):
            return 0
        called = spelt.of_norm(name, args)
        if spelt.reduces(called, operands, outputs[0].numel()):
            raise SpeltError
        # What is added up of a sum that was counted is made of other products, if of any.
        adds_up = called in spelt.ADD_UP
        grown = any(each.product and not (adds_up and each.counted) for each in operands)
        if not grown and self._are_added(name, args, tensors, outputs[0]):
            raise SpeltError(", which counts where it is spelt by einsum or matmul")
        if operands and func._schema.name.endswith("_") and is_part(args[0]):
            # Known is what the whole holds: nothing says that this part is a product.
            operands[0] = operands[0]._replace(product=False)
        if all(each.weight for each in operands) and not any(map(spans.is_number, outputs)):
            operands = []  # places and other indices are as good as new: none is a product
        results = [spelt.follow(called, operands, output.numel()) for output in outputs]
        counted = next((macs for macs, _ in results if macs), 0)
        if counted and any(self._of(tensor).mixed for tensor in tensors):
            raise SpeltError
        name = name if func.namespace == "aten" else ""
        for output, (_, result) in zip(outputs, results, strict=True):
            self._learn(name, tensors, output, layer, result, counted > 0)
        self._sums += [(func._schema.name, counted)] if counted else []
        return counted

    def pass_on(
        self, func: Any, args: Any, named: Any, outputs: Sequence[Tensor], layer: bool
    ) -> None:
        """Follows what does not grow, where the user says what an operator costs."""
        name = spelt.meaning(plain(func), args, named) if func.namespace == "aten" else ""
        for output in [] if is_view(func) else outputs:
            self._learn(name, operands_of(func, args, named), output, layer)

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
            return any(
                spans.are_parts(term, other) for terms in others for term in left for other in terms
            )
        if name in spelt.ADD_EXPONENTIALS:
            whole = [self._of(tensor).power or NONE for tensor in tensors]
        elif name in spelt.ADD_UP - spelt.SPREADS:
            whole = [self._of(tensor).product for tensor in tensors]
        else:
            return False
        if name in _SUMS - spelt.ALONG:
            return any(product.sums for product in whole)
        added = spans.of(args[0], spelt.reduced(name, args))
        return spans.meet(whole[0].means if name in spelt.MEANS else whole[0].sums, added)

    def _learn(
        self, name: str, tensors: Sequence[Tensor], out: Tensor, layer: bool,
        result: Operand = _UNKNOWN, adds_up: bool = False,
    ) -> None:  # fmt: skip
        """Follows what an operator gives; one without a name, not torch's, passes all products."""
        known = self._given(name, tensors, out, layer)
        product = NONE if layer else self._passed(name, tensors, out)
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

    def _passed(self, name: str, tensors: Sequence[Tensor], out: Tensor) -> Product:
        """The product in what an operator gives."""
        product = spans.joined(self._entering(name, tensors, out))
        several = sum(tensor.numel() > 1 for tensor in tensors) > 1
        if several and (name in spelt.ADD or name in spelt.ADD_A_PRODUCT):
            product = product._replace(means=NOWHERE)  # as norms take means of what was scaled
        if not name and any(self._of(tensor).operand.product for tensor in tensors):
            product = spans.joined([product, spans.anywhere(out)])
        return product

    def _given(self, name: str, tensors: Sequence[Tensor], out: Tensor, layer: bool) -> _Known:
        """What is known of a result but the product in it."""
        numbers = [tensor for tensor in tensors if spans.is_number(tensor)]
        whole = storage_of(out)
        if len(numbers) == 1 and name in spelt.MOVED:
            whole = self._of(numbers[0]).whole
        if layer:
            return _Known(feature=True, channels=self._channels(name, tensors, out), whole=whole)
        if all(self._of(tensor).weight for tensor in numbers or tensors):
            blank = out.dtype is torch.bool or name in ("zeros", "empty")  # to be written into
            return _Known(weight=not blank, whole=whole)
        if not spans.is_number(out):
            return _Known(whole=whole)
        factors = [each for each in numbers if each.numel() > 1 and not self._of(each).weight]
        features = [tensor for tensor in factors if self._of(tensor).feature]
        others = [tensor for tensor in features if not self._of(tensor).gate]
        if not features or name in _LOG_GATES or (name in _LOGARITHMS and not others):
            return _Known(whole=whole)
        known = [self._of(tensor) for tensor in features]
        channels = [
            spans.moved(self._of(each).channels, each, out, name) for each in others or features
        ]
        gate = not others or (name in _GATES and self._exponent(name, tensors) is None)
        negated = name in _NEGATE or (name == "rsub" and len(numbers) == 1)
        turned = name in _INVERT or (negated and known[0].power is not None)
        divided = name in _INVERT or (name in spelt.DIVIDE and len(factors) > 1)
        return _Known(
            feature=True,
            gate=gate,
            channels=NOWHERE.union(*channels),
            quotient=gate or divided or all(each.quotient for each in known),
            inverse=name in _KEEP_INVERSE and turned != all(each.inverse for each in known),
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
            return [spans.anywhere(out) for each in tensors if self._of(each).makes_products]
        if name and name not in _LINEAR:
            return []
        sources = tensors[spelt.SOURCES.get(name, slice(None))]
        made: list[Product] = []
        if name in spelt.ADD_A_PRODUCT:
            made = [self._multiplied(sources[1], sources[2], out)]
            sources = sources[:1]
        elif name in _MULTIPLY and len(sources) == 2:
            made = [self._multiplied(sources[0], sources[1], out)]
        elif name in spelt.DIVIDE:
            if len(sources) == 2 and not any(self._of(source).weight for source in sources):
                made = [self._multiplied(sources[0], sources[1], out, divides=True)]
            sources = sources[:1]
        return made + [spans.carried(self._of(each).product, each, out, name) for each in sources]

    def _exponent(self, name: str, tensors: Sequence[Tensor]) -> Product | None:
        """The product that an operator gives as an exponential; None where it gives none so."""
        return self._of(tensors[0]).power if name in _EXPONENTIALS and tensors else None

    def _power(self, name: str, tensors: Sequence[Tensor], out: Tensor) -> Product | None:
        """The product that the exponential of a result is; None where no logarithms are added, and
        no sum grows."""
        if name in _LOGARITHMS:
            return spans.carried(self._of(tensors[0]).product, tensors[0], out)
        sources = tensors[spelt.SOURCES.get(name, slice(None))]
        sources = sources[::-1] if name == "rsub" else sources
        if name in spelt.ADD_TWO and all(source.numel() < out.numel() for source in sources):
            known = [self._of(source) for source in sources]
            made = any(each.makes_products or each.power is not None for each in known)
            return spans.anywhere(out) if made else None
        if name in spelt.SUBTRACT and not any(self._of(source).inverse for source in sources):
            sources = sources[:1]
        logarithms = [tensor for tensor in sources if self._of(tensor).power is not None]
        if not logarithms:
            return None
        if name in _SUMS & spelt.ALONG:
            return spans.anywhere(out) if self._of(logarithms[0]).makes_products else None
        if name not in _PASS_LOGARITHMS:
            return None
        powers = [
            spans.carried(self._of(each).power or NONE, each, out, name) for each in logarithms
        ]
        if name in spelt.ADD_TWO and len(logarithms) == 2:
            left, right = logarithms
            grown = spans.anywhere(out)
            powers.append(self._multiplied(left, right, out, name in spelt.SUBTRACT, grown))
        return spans.joined(powers)

    def _multiplied(
        self, left: Tensor, right: Tensor, out: Tensor, divides: bool = False, grown: Product = NONE
    ) -> Product:
        """The product of a weight with anything but weights, or of two features.

        Args:
            divides: it is a quotient; that of an inverse is a product.
            grown: what to take one for that is larger than its feature, which `spelt` may see.
        """
        ours, theirs = self._of(left), self._of(right)
        shared = spans.shared(left, right, out)
        if ours.weight != theirs.weight:
            weight, other = (left, right) if ours.weight else (right, left)
            if other.numel() < out.numel():
                return grown
            pair = frozenset([storage_of(weight), self._of(other).whole])
            return Product(shared, shared, frozenset([(pair, spans.part(other))]))
        unlike = ours.gate != theirs.gate or divides != (ours.inverse != theirs.inverse)
        if unlike or not (ours.feature and theirs.feature) or spans.is_same(left, right):
            return NONE
        channels = spans.moved(ours.channels, left, out) & spans.moved(theirs.channels, right, out)
        pair, part = frozenset([ours.whole, theirs.whole]), (spans.part(left), spans.part(right))
        sums = channels if ours.quotient or theirs.quotient else shared
        return Product(sums, channels, frozenset([(pair, part)]))

    def _of(self, tensor: Tensor) -> _Known:
        """What is known of a tensor; one that was there before is a weight, or another constant."""
        place = storage_of(tensor)
        return self._known[place][0] if place in self._known else _Known(True, whole=place)

    def _operand(self, tensor: Tensor) -> Operand:
        known = self._of(tensor)
        least = min(spans.distinct(tensor), known.operand.distinct)
        return known.operand._replace(elements=tensor.numel(), distinct=least, weight=known.weight)
