"""What follows for the result of an operator, from its kind and from what is known of operands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import torch
from torch import Tensor

from cmx_bench.measures.counting import spans
from cmx_bench.measures.counting.aten import ELEMENTWISE, LINEAR, REARRANGE, Kind
from cmx_bench.measures.counting.known import Grown, Known, Origin, Product, Term, anywhere, join
from cmx_bench.measures.counting.spans import NOWHERE, Spans
from cmx_bench.models.tensors import storage_of


class SpeltError(Exception):
    """Nobody knows what a product that is added up, or reduced otherwise, stands for; the text says
    what would count."""


_ADDITIONS = (Kind.ADD, Kind.SUBTRACT)
_SUMS = (Kind.SUM, Kind.MEAN)
# The most that a result is made of.
_ORIGINS = {
    Kind.GATE: Origin.GATE,
    Kind.EXPONENTIAL: Origin.GATE,
    Kind.LOG_GATE: Origin.OTHER,
    Kind.INVERT: Origin.SCALED,
}
# What they do where they normalise no expanded tensor, which their weights would make a product of.
_NORMALISING = {Kind.NORMALISE: Kind.NONLINEAR, Kind.NORMALISE_BY_STATISTICS: Kind.KEEP}
# What they give is the logarithm of what these give.
_LOGARITHMS = {Kind.LOGARITHM: Kind.MOVE, Kind.LOG_GATE: Kind.GATE}
# What they do to logarithms, these do to what they are the logarithms of.
_IN_EXPONENTIALS = {
    Kind.ADD: Kind.MULTIPLY,
    Kind.SUBTRACT: Kind.DIVIDE,
    Kind.NEGATE: Kind.KEEP,  # and it is an inverse
    Kind.SUM: Kind.PROD,
    Kind.ADD_TWO_EXPONENTIALS: Kind.ADD,
    **{kind: kind for kind in (Kind.KEEP, *REARRANGE)},
}


def simplify(kind: Kind, operands: Sequence[Known], out: Tensor) -> tuple[Kind, Sequence[Known]]:
    """The same call by fewer kinds: ``x + a * b`` for ``addcmul(x, a, b)``, ``x`` for
    ``x.log().exp()``, and the product with its weights for a norm of what was expanded."""
    if kind is Kind.ADD_PRODUCT and operands:
        return Kind.ADD, [operands[0], result(Kind.MULTIPLY, operands[1:], out)]
    if kind is Kind.EXPONENTIAL and any(each.exponential for each in operands):
        return Kind.KEEP, _exponentials(operands)
    if kind in _NORMALISING:
        expanded = len(operands) > 1 and operands[0].made_of < operands[0].tensor.numel()
        return (Kind.MULTIPLY, operands[:2]) if expanded else (_NORMALISING[kind], operands)
    return kind, operands


def check(kind: Kind, operands: Sequence[Known], dims: Iterable[int] | None) -> None:
    """Refuses what adds up a product that did not grow, or reduces one that did otherwise.

    Args:
        dims: along which it adds up; None where it does not say.

    Raises:
        SpeltError: it does.
    """
    grown = any(each.product.grown < Grown.COUNTED for each in operands)
    if grown and kind in (Kind.EXTREME, Kind.PROD, Kind.ADD_EXPONENTIALS):
        raise SpeltError
    if kind is Kind.ADD_EXPONENTIALS:
        kind, operands = Kind.SUM, _exponentials(operands)
    if kind is Kind.ADD_TWO_EXPONENTIALS:
        kind, operands = Kind.ADD, _exponentials(operands)
    is_dot = False
    if kind in _ADDITIONS:
        is_dot = any(
            factors == others and part != other
            for left, right in combinations(map(_terms, operands), 2)
            for factors, part in left
            for others, other in right
        )
    elif kind in _SUMS and not grown:
        for each in operands:
            along = each.product.means if kind is Kind.MEAN else each.product.sums
            added = range(each.tensor.dim()) if dims is None else dims
            is_dot = is_dot or spans.meet(along, spans.of(each.tensor, added))
    if is_dot:
        raise SpeltError(", which counts where it is spelt by einsum or matmul")


def macs(kind: Kind, operands: Sequence[Known]) -> int:
    """The multiply-accumulates that are added up: the elements of products that grew.

    Raises:
        SpeltError: only a part of an operand is such a product.
    """
    added: Sequence[Known] = []
    if kind in (*_SUMS, Kind.SPREAD) or _adds_terms(kind, operands):
        added = [each for each in operands if each.product.grown < Grown.COUNTED]
    elif kind is Kind.NORM:
        added = [each for each in operands if _squared(each).grown < Grown.COUNTED]
    if any(each.product.grown is Grown.PARTLY for each in added):
        raise SpeltError
    return sum(each.tensor.numel() for each in added)


def result(kind: Kind, operands: Sequence[Known], out: Tensor) -> Known:
    """What is known of `out`, which a simplified call gives."""
    numbers = [each for each in operands if spans.is_number(each.tensor)]
    features = [each for each in operands if each.several and each.origin >= Origin.GATE]
    features = [each for each in features if each.origin > Origin.GATE] or features
    is_inverse = bool(features) and all(each.inverse for each in features)
    is_moved = kind in REARRANGE and len(numbers) == 1
    return Known(
        out,
        _origin(kind, numbers or operands, out),
        _made_of(kind, operands, out),
        numbers[0].whole if is_moved else storage_of(out),
        channels=NOWHERE.union(*(_moved(kind, each.channels, each, out) for each in features)),
        inverse=is_inverse if kind in LINEAR else kind is Kind.INVERT and not is_inverse,
        product=_product(kind, operands, out),
        exponential=_exponential(kind, operands, out),
    )


def _origin(kind: Kind, operands: Sequence[Known], out: Tensor) -> Origin:
    """What a result is made of; a single number says it only of other such."""
    origins = [each.origin for each in operands if each.several]
    origins = origins or [min(each.origin, Origin.OTHER) for each in operands]
    origin = max(origins, default=Origin.CONSTANT)
    if origin is Origin.CONSTANT:
        return Origin.OTHER if kind is Kind.BLANK or out.dtype is torch.bool else origin
    if not spans.is_number(out) or (kind is Kind.LOGARITHM and origin is Origin.GATE):
        return Origin.OTHER
    if kind is Kind.DIVIDE and len(origins) == 2 and Origin.CONSTANT not in origins:
        return min(origin, Origin.SCALED)
    return min(origin, _ORIGINS.get(kind, origin))


def _made_of(kind: Kind, operands: Sequence[Known], out: Tensor) -> int:
    """How many elements a result is made of, at most. Of constants only where there is nothing
    else: of one image, what a matrix of weights meets may be a vector."""
    made_of = out.numel()
    if kind in (Kind.MOVE, Kind.JOIN):
        return min(made_of, sum(each.made_of for each in operands))
    if _adds_terms(kind, operands):
        return made_of
    if kind in _SUMS:  # of each step, as by cumsum
        operands = [each for each in operands if each.tensor.numel() == made_of]
    elif kind not in (*ELEMENTWISE, Kind.MULTIPLY, Kind.DIVIDE, Kind.SQUARE):
        return made_of
    several = [each for each in operands if each.several]
    others = [each for each in several if each.origin is not Origin.CONSTANT] or several
    return min(made_of, max((each.made_of for each in others), default=made_of))


def _exponential(kind: Kind, operands: Sequence[Known], out: Tensor) -> Known | None:
    """What is known of the exponential of a result: of a logarithm, of a sum or a difference of
    logarithms, or of features where it has more elements than these."""
    grows = kind in _ADDITIONS and all(each.tensor.numel() < out.numel() for each in operands)
    grows = grows and any(each.origin > Origin.GATE for each in operands)
    if kind in _LOGARITHMS:
        known = result(_LOGARITHMS[kind], operands, out)
    elif kind in _IN_EXPONENTIALS and (grows or any(each.exponential for each in operands)):
        known = result(_IN_EXPONENTIALS[kind], _exponentials(operands), out)
    else:
        return None
    if kind is Kind.SUM and known.product == Product():  # of gates
        return None
    if known.product.grown is not Grown.NO:  # it is not counted, and may not be added up
        terms = frozenset([(frozenset[int](), (storage_of(out),))])  # nor added to another
        known = known._replace(product=anywhere(out)._replace(terms=terms))
    return known._replace(inverse=known.inverse != (kind is Kind.NEGATE))


def _exponentials(operands: Sequence[Known]) -> Sequence[Known]:
    """The exponentials of operands, of which nothing is known where these are no logarithms."""
    blank = [each._replace(origin=Origin.OTHER, product=Product()) for each in operands]
    return [(each.exponential or each)._replace(tensor=each.tensor) for each in blank]


# --- products -------------------------------------------------------------------------------------


def _product(kind: Kind, operands: Sequence[Known], out: Tensor) -> Product:
    """What a result holds of products: that which is made, and those of its operands."""
    products = [_carried(kind, each, out) for each in operands]
    if kind in (Kind.MULTIPLY, Kind.DIVIDE) and len(operands) == 2:
        divides = kind is Kind.DIVIDE
        quotient_or_product = _multiplied(operands[0], operands[1], out, divides)
        products = [quotient_or_product, *(products[:1] if divides else products)]
    elif kind is Kind.SQUARE:
        products = [_squared(each) for each in operands]
    elif kind is Kind.PROD:
        products = [anywhere(out) for each in operands if each.origin > Origin.GATE]
    elif kind not in (*LINEAR, *_SUMS, Kind.FOREIGN):
        products = []
    product = join(products)
    if _adds_terms(kind, operands):
        product = product._replace(grown=Grown.COUNTED)
    if kind in ELEMENTWISE and sum(each.several for each in operands) > 1:
        product = product._replace(means=NOWHERE)  # as norms take means of what was scaled
    return product


def _adds_terms(kind: Kind, operands: Sequence[Known]) -> bool:
    """Whether an operator adds two products that grew: ``x[:, :1] * v + x[:, 1:] * w``."""
    return kind in _ADDITIONS and sum(each.is_term for each in operands) > 1


def _carried(kind: Kind, operand: Known, out: Tensor) -> Product:
    """What an operand holds, in the result."""
    grown, sums, means, _ = operand.product
    if kind is Kind.FOREIGN and grown < Grown.COUNTED:
        return anywhere(out)
    sums = _moved(kind, sums, operand, out)
    return Product(
        Grown.NO if kind in (*_SUMS, Kind.FOREIGN) else grown,
        spans.everywhere(out) if sums and kind is Kind.JOIN else sums,
        _moved(kind, means, operand, out),
        _terms(operand, kind in (Kind.MULTIPLY, Kind.DIVIDE)),
    )


def _terms(operand: Known, scaled: bool = False) -> frozenset[Term]:
    """Those of an operand, which may be a part of a product: one of ``(q * k).unbind(-1)``.

    Args:
        scaled: it is scaled. Parts of what a constant scaled before, as images by their deviations,
            are then no more than that.
    """
    _, sums, _, terms = operand.product
    place = spans.place(operand.tensor, sums)
    free = scaled and bool(spans.picked(operand.tensor, sums))
    return frozenset(
        (factors, (*parts, place) if place else parts)
        for factors, parts in terms
        if not free or len(parts) > 1
    )


def _moved(kind: Kind, known: Spans, operand: Known, out: Tensor) -> Spans:
    """Where dimensions of an operand are in the result."""
    reshaped = kind in REARRANGE and operand.tensor.dim() != out.dim()
    return spans.moved(known, operand.tensor, out, anywhere=reshaped or kind is Kind.FOREIGN)


def _grows(factors: Sequence[Known], out: Tensor) -> bool:
    """Whether a product has more elements than each of its factors is made of."""
    made_of = _made_of(Kind.MULTIPLY, factors, out)
    return all(each.several for each in factors) and made_of < out.numel()


def _squared(operand: Known) -> Product:
    """The square of what grew, as of ``a[:, None] - b``, or of a product that did."""
    grown = operand.product.grown
    grows = grown is Grown.WHOLE or _grows([operand], operand.tensor)
    return Product(min(grown, Grown.SQUARES) if grows else grown)


def _multiplied(left: Known, right: Known, out: Tensor, divides: bool) -> Product:
    """One that grew, or one of a constant and anything else, or of two features or two gates.

    Args:
        divides: it is a quotient; that of an inverse is a product.
    """
    if _grows([left, right], out):
        return Product(Grown.WHOLE)
    factors = frozenset([left.whole, right.whole])
    shared = spans.shared(left.tensor, right.tensor, out)
    one, two = sorted([left, right], key=lambda each: each.origin)
    if one.origin is Origin.CONSTANT and two.origin is not Origin.CONSTANT:
        if divides or two.tensor.numel() < out.numel():
            return Product()
        return Product(Grown.NO, shared, shared, frozenset([(factors, (spans.part(two.tensor),))]))
    alike = (one.origin is Origin.GATE) == (two.origin is Origin.GATE)
    alike = alike and divides == (one.inverse != two.inverse)
    if not alike or one.origin < Origin.GATE or spans.is_same(left.tensor, right.tensor):
        return Product()
    channels = _moved(Kind.MULTIPLY, one.channels, one, out)
    channels &= _moved(Kind.MULTIPLY, two.channels, two, out)
    parts = spans.part(left.tensor), spans.part(right.tensor)
    sums = shared if one.origin is Origin.FEATURE else channels
    return Product(Grown.NO, sums, channels, frozenset([(factors, parts)]))
