"""Finds dot products that are spelt elementwise, and no larger than their factors.

With one query ``(q * k).sum(-1)`` is ``k @ q``. ``(x * w[o]).sum(1)`` is a row of ``w @ x``, and
the sum of ``x[..., i:i + n] * w[i]`` over i is a convolution. `spelt` takes each such product for a
gate. Where the factors come from tells them apart.

Features are what layers give, and any function of features but those that make gates. Nobody adds
up two features along a dimension that both have, nor along the dimensions of a weight that only
scales, nor what several parts of one tensor made with parts of another. A mean of features is
pooling, unless it is along their channels. So is a sum of what a quotient scales, as a norm does.

A product is followed through all that is linear, and through operators that nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from torch import Tensor

from cmx_bench.measures import spelt
from cmx_bench.models.tensors import is_part, storage_of

_MULTIPLY = frozenset(["mul", "multiply"])
_DIVIDE = frozenset(["div", "divide", "true_divide"])
_GATES = frozenset(
    """
    sigmoid hardsigmoid log_sigmoid_forward exp exp2 expm1 reciprocal rsqrt
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
_ALONG = frozenset(["sum", "nansum", "mean", "nanmean", "cumsum"])  # the dimensions they are told
_JOIN = frozenset(["cat", "stack", "block_diag", "_chunk_cat"])

# Of a dimension in a storage: its stride, and how far it reaches.
_Span: TypeAlias = tuple[int, int]
# What a product is made of: two tensors, and which parts of them.
_Term: TypeAlias = tuple[frozenset[int], object]
_NOWHERE: frozenset[_Span] = frozenset()


class _Product(NamedTuple):
    """The dimensions along which a sum, or a mean, adds up a dot product; and its terms."""

    sums: frozenset[_Span] = _NOWHERE
    means: frozenset[_Span] = _NOWHERE
    terms: frozenset[_Term] = frozenset()


_NONE = _Product()


class _Known(NamedTuple):
    """What is known of a storage: whether it is made of weights alone; whether of features, where
    their channels are, and whether a quotient scales them; the product, and the storage of which it
    is a part that was moved."""

    weight: bool = False
    feature: bool = False
    channels: frozenset[_Span] = _NOWHERE
    quotient: bool = False
    product: _Product = _NONE
    whole: int = 0


class Dots:
    """What is known of the tensors of a model that runs, by storage: views know it too."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        # A tensor keeps its place taken.
        self._known = {
            storage_of(tensor): (_Known(weight=True, whole=storage_of(tensor)), tensor)
            for tensor in weights
        }

    def are_added(
        self, name: str, args: Sequence[Any], tensors: Sequence[Tensor], out: Tensor
    ) -> bool:
        """Whether an operator, no view, adds up such products.

        Args:
            name: without namespace, overload and the ``_`` of an operator that works in place.
            tensors: its operands, those in lists too.
        """
        products = self._entering(name, tensors, out)
        if name in spelt.ADD_TWO or name in spelt.ADD_A_PRODUCT:
            left, *others = [product.terms for product in products] or [_NONE.terms]
            return any(_are_parts(one, two) for more in others for one in left for two in more)
        if name not in spelt.ADD_UP - spelt.SPREADS:
            return False
        whole = [self._of(tensor).product for tensor in tensors]
        if name in _SUMS - _ALONG:
            return any(product.sums for product in whole)
        added = _spans(args[0], _reduced(name, args))
        return _meet(whole[0].means if name in _MEANS else whole[0].sums, added)

    def learn(
        self, name: str, tensors: Sequence[Tensor], out: Tensor, layer: bool, grown: bool = False
    ) -> None:
        """Follows what an operator, no view, gives.

        Args:
            name: as for `are_added`; empty where nobody knows the operator.
            layer: the operator has MACs itself.
            grown: an operand is a product that `spelt` follows, and it does not follow this.
        """
        known = self._given(name, tensors, out, layer)
        product = _NONE if layer else _joined(self._entering(name, tensors, out))
        several = sum(tensor.numel() > 1 for tensor in tensors) > 1
        if several and (name in spelt.ADD or name in spelt.ADD_A_PRODUCT):
            product = product._replace(means=_NOWHERE)  # as norms take means of what was scaled
        if grown:
            product = _joined([product, _Product(_everywhere(out), _everywhere(out))])
        before = self._of(out)
        if is_part(out):  # the rest holds what it held
            product = _joined([before.product, product])
            known = known._replace(
                feature=known.feature or before.feature, channels=known.channels | before.channels
            )
        self._known[storage_of(out)] = known._replace(product=product), out

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
        factors = [one for one in numbers if one.numel() > 1 and not self._of(one).weight]
        features = [tensor for tensor in factors if self._of(tensor).feature]
        if name in _GATES or not features:
            return _Known(whole=whole)
        divided = name in _DIVIDE and len(factors) > 1
        return _Known(
            feature=True,
            channels=_NOWHERE.union(
                *(_moved(self._of(one).channels, one, out, name) for one in features)
            ),
            quotient=divided or all(self._of(tensor).quotient for tensor in features),
            whole=whole,
        )

    def _channels(self, name: str, tensors: Sequence[Tensor], out: Tensor) -> frozenset[_Span]:
        """Where a layer puts its channels: where its weight has them."""
        if "conv" in name:
            return _spans(out, [1])
        if len(tensors) < 2:  # nobody knows it
            return _everywhere(out)
        *_, left, right = tensors
        first = self._of(left).weight and not self._of(right).weight and out.dim() > 1
        return _spans(out, [-2 if first else -1])

    def _entering(self, name: str, tensors: Sequence[Tensor], out: Tensor) -> list[_Product]:
        """The products in what an operator gives, by its operands."""
        if name and name not in _LINEAR:
            return []
        sources = tensors[spelt.SOURCES.get(name, slice(None))]
        made = []
        if name in spelt.ADD_A_PRODUCT:
            made = [self._multiplied(sources[1], sources[2], out)]
            sources = sources[:1]
        elif name in _MULTIPLY and len(sources) == 2:
            made = [self._multiplied(sources[0], sources[1], out)]
        elif name in _DIVIDE:
            sources = sources[:1]
        for source in sources:
            product = self._of(source).product
            sums = _moved(product.sums, source, out, name)
            if product.sums and name in _JOIN:
                sums = _everywhere(out)
            made.append(product._replace(sums=sums, means=_moved(product.means, source, out, name)))
        return made

    def _multiplied(self, left: Tensor, right: Tensor, out: Tensor) -> _Product:
        """The product of a weight with anything but weights, or of two features."""
        ours, theirs = self._of(left), self._of(right)
        both = (dim for dim in range(-out.dim(), 0) if _has(left, dim) and _has(right, dim))
        shared = _spans(out, both)
        if ours.weight != theirs.weight:
            weight, other = (left, right) if ours.weight else (right, left)
            if other.numel() < out.numel():  # it grows: see `spelt`
                return _NONE
            pair = frozenset([storage_of(weight), self._of(other).whole])
            return _Product(shared, shared, frozenset([(pair, _part(other))]))
        if not (ours.feature and theirs.feature) or _is_same(left, right):
            return _NONE
        channels = _moved(ours.channels, left, out) & _moved(theirs.channels, right, out)
        pair, part = frozenset([ours.whole, theirs.whole]), (_part(left), _part(right))
        sums = channels if ours.quotient or theirs.quotient else shared
        return _Product(sums, channels, frozenset([(pair, part)]))

    def _of(self, tensor: Tensor) -> _Known:
        place = storage_of(tensor)
        return self._known[place][0] if place in self._known else _Known(whole=place)


def _joined(products: Sequence[_Product]) -> _Product:
    return _Product(
        _NOWHERE.union(*(product.sums for product in products)),
        _NOWHERE.union(*(product.means for product in products)),
        _NONE.terms.union(*(product.terms for product in products)),
    )


def _are_parts(one: _Term, two: _Term) -> bool:
    """Whether two products are of the same tensors, and of other parts of them."""
    return one[0] == two[0] and one[1] != two[1]


# --- dimensions -----------------------------------------------------------------------------------


def _spans(tensor: Tensor, dims: Iterable[int]) -> frozenset[_Span]:
    """Those dimensions of a tensor along which it has several elements."""
    return frozenset(
        (tensor.stride(dim), tensor.stride(dim) * tensor.shape[dim])
        for dim in dims
        if _has(tensor, dim)
    )


def _everywhere(tensor: Tensor) -> frozenset[_Span]:
    return _spans(tensor, range(tensor.dim()))


def _has(tensor: Tensor, dim: int) -> bool:
    """Whether a tensor has several elements along a dimension."""
    return -dim <= tensor.dim() and tensor.shape[dim] > 1 and tensor.stride(dim) != 0


def _meet(left: Iterable[_Span], right: Iterable[_Span]) -> bool:
    """Whether a dimension is the same, a part of the other, or holds it."""
    return any(a < end and b < reach for a, reach in left for b, end in right)


def _moved(
    spans: frozenset[_Span], source: Tensor, out: Tensor, name: str = "mul"
) -> frozenset[_Span]:
    """Where dimensions of an operand are in the result; everywhere where nothing tells."""
    more = out.dim() - source.dim()
    if spans and (more < 0 or not name or (more and name in spelt.MOVED)):
        return _everywhere(out)
    dims = (dim for dim in range(source.dim()) if _meet(spans, _spans(source, [dim])))
    return _spans(out, [dim + more for dim in dims])


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
