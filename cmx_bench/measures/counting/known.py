"""What is known of the tensors of a running model, as far as products spelt elementwise go.

A product grows where it has more elements than each of its factors is made of, constants left out:
``x[:, None] * w``. Whoever adds it up, in ``(x[:, None] * w).sum(2)``, spells a matrix product, and
its elements are as many multiply-accumulates. A factor that was expanded or unfolded is made of
what it was before, and so is ``a[:, None] - b``, whose square is a product: a distance.

A product that does not grow may be a gate, as in ``(x * g.sigmoid()).sum(1)``, or spell a dot
product, as in ``(q * k).sum(-1)``. What the factors are made of tells, and along which dimensions
they are added up. Nobody adds up two features, or two gates, along a dimension that both have, nor
along the dimensions of a weight that only scales. A mean is pooling, unless it is along channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from sys import maxsize
from typing import NamedTuple, TypeAlias

from torch import Tensor

from cmx_bench.measures.counting import spans
from cmx_bench.measures.counting.spans import NOWHERE, Spans
from cmx_bench.models.tensors import storage_of


class Origin(IntEnum):
    """What a tensor is made of. Where operands differ, the result has the last of theirs."""

    CONSTANT = 0  # weights, buffers, and what is made of them alone
    OTHER = 1  # indices, masks, logarithms of gates
    GATE = 2  # x.sigmoid(), x.softmax(-1), x.exp()
    SCALED = 3  # x / x.norm(): features that a quotient scales
    FEATURE = 4  # images, what layers give, and any function of them


class Grown(IntEnum):
    """Whether a tensor holds a product that grew. Where operands differ, the first of theirs."""

    PARTLY = 0  # only a part of its storage does
    SQUARES = 1  # nobody takes the sum of two for a dot product: positions are made so
    WHOLE = 2
    COUNTED = 3  # sum(x[:, None, i] * w[i] for i ...), whose products count where they are added
    NO = 4


# The storages of two factors, and which parts are multiplied of both, or of one by a constant.
Term: TypeAlias = tuple[frozenset[int], tuple[object, ...]]


class Product(NamedTuple):
    """What a tensor holds of products.

    ``sums``, ``means``: the dimensions along which a sum, or a mean, of it is a dot product.
    ``terms``: ``q[..., 0] * k[..., 0]``, to which one of other parts may be added.
    """

    grown: Grown = Grown.NO
    sums: Spans = NOWHERE
    means: Spans = NOWHERE
    terms: frozenset[Term] = frozenset()


def anywhere(tensor: Tensor) -> Product:
    """One that is a dot product along whatever dimension it is added up."""
    return Product(Grown.NO, spans.everywhere(tensor), spans.everywhere(tensor))


def join(products: Sequence[Product]) -> Product:
    """What a tensor holds that has elements of several, or sums of them."""
    return Product(
        min((product.grown for product in products), default=Grown.NO),
        NOWHERE.union(*(product.sums for product in products)),
        NOWHERE.union(*(product.means for product in products)),
        Product().terms.union(*(product.terms for product in products)),
    )


class Known(NamedTuple):
    """A tensor, and what is known of it and of its whole storage.

    ``made_of``: the number of elements that it is made of.
    ``whole``: its storage, or that from which an operator like `roll` moved its elements.
    ``channels``: where features and gates have theirs. ``inverse``: it is a reciprocal.
    ``exponential``: what is known of its exponential, where it is a logarithm, or a sum of such.
    """

    tensor: Tensor
    origin: Origin
    made_of: int
    whole: int
    channels: Spans = NOWHERE
    inverse: bool = False
    product: Product = Product()
    exponential: Known | None = None

    @property
    def several(self) -> bool:
        """Whether it has several elements: one number only scales."""
        return self.tensor.numel() > 1

    @property
    def is_term(self) -> bool:
        """Whether it is a product that grew, and may be added to another."""
        return self.product.grown not in (Grown.NO, Grown.SQUARES)


def constant(tensor: Tensor) -> Known:
    """A tensor that was there before the model ran."""
    return Known(tensor, Origin.CONSTANT, maxsize, storage_of(tensor))


def features(tensor: Tensor, channels: Spans) -> Known:
    """An image, or what a layer gives."""
    return Known(tensor, Origin.FEATURE, tensor.numel(), storage_of(tensor), channels)
