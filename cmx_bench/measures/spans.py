"""Parts and dimensions of tensors by their places in a storage, and the products added up there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import NamedTuple, TypeAlias

from torch import Tensor

from cmx_bench.measures import spelt
from cmx_bench.models.tensors import storage_of

# Of a dimension in a storage: its stride, and how far it reaches.
Span: TypeAlias = tuple[int, int]
NOWHERE: frozenset[Span] = frozenset()
# What a product is made of: two tensors, and which parts of them.
Term: TypeAlias = tuple[frozenset[int], object]
JOIN = frozenset(["cat", "stack", "block_diag", "_chunk_cat"])


class Product(NamedTuple):
    """The dimensions along which a sum, or a mean, adds up a dot product; and its terms."""

    sums: frozenset[Span] = NOWHERE
    means: frozenset[Span] = NOWHERE
    terms: frozenset[Term] = frozenset()


NONE = Product()


def of(tensor: Tensor, dims: Iterable[int]) -> frozenset[Span]:
    """Those dimensions of a tensor along which it has several elements."""
    return frozenset(
        (tensor.stride(dim), tensor.stride(dim) * tensor.shape[dim])
        for dim in dims
        if has(tensor, dim)
    )


def everywhere(tensor: Tensor) -> frozenset[Span]:
    return of(tensor, range(tensor.dim()))


def has(tensor: Tensor, dim: int) -> bool:
    """Whether a tensor has several elements along a dimension."""
    return -dim <= tensor.dim() and tensor.shape[dim] > 1 and tensor.stride(dim) != 0


def shared(left: Tensor, right: Tensor, out: Tensor) -> frozenset[Span]:
    """Those of a result along which both operands have several elements."""
    dims = range(-out.dim(), 0)
    return of(out, (dim for dim in dims if has(left, dim) and has(right, dim)))


def meet(left: Iterable[Span], right: Iterable[Span]) -> bool:
    """Whether a dimension is the same, a part of the other, or holds it."""
    return any(a < end and b < reach for a, reach in left for b, end in right)


def moved(
    known: frozenset[Span], source: Tensor, out: Tensor, name: str = "mul"
) -> frozenset[Span]:
    """Where dimensions of an operand are in the result; everywhere where nothing tells."""
    more = out.dim() - source.dim()
    if known and (more < 0 or not name or (more and name in spelt.MOVED)):
        return everywhere(out)
    dims = (dim for dim in range(source.dim()) if meet(known, of(source, [dim])))
    return of(out, [dim + more for dim in dims])


def distinct(tensor: Tensor) -> int:
    """How many elements a tensor is made of: fewer than it has where it is expanded or unfolded."""
    sizes = [
        (size, stride)
        for size, stride in zip(tensor.shape, tensor.stride(), strict=True)
        if stride and size > 1
    ]
    reach = 1 + sum((size - 1) * stride for size, stride in sizes)
    return min(prod(size for size, _ in sizes), reach)


def joined(products: Sequence[Product]) -> Product:
    return Product(
        NOWHERE.union(*(product.sums for product in products)),
        NOWHERE.union(*(product.means for product in products)),
        NONE.terms.union(*(product.terms for product in products)),
    )


def anywhere(out: Tensor) -> Product:
    """One that nobody adds up, along whatever dimension."""
    return Product(everywhere(out), everywhere(out))


def carried(product: Product, source: Tensor, out: Tensor, name: str = "mul") -> Product:
    """A product that an operand holds, in the result."""
    sums = moved(product.sums, source, out, name)
    if product.sums and name in JOIN:
        sums = everywhere(out)
    return product._replace(sums=sums, means=moved(product.means, source, out, name))


def are_parts(one: Term, two: Term) -> bool:
    """Whether two products are of the same tensors, and of other parts of them."""
    return one[0] == two[0] and one[1] != two[1]


def is_number(tensor: Tensor) -> bool:
    """Whether its elements are real or complex numbers, and no indices or truth values."""
    return tensor.is_floating_point() or tensor.is_complex()


def part(tensor: Tensor) -> tuple[int, int]:
    """Which part of its storage a tensor is, however it is viewed."""
    return storage_of(tensor), int(tensor.storage_offset())


def is_same(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors are the same elements in the same order."""
    return part(left) == part(right) and left.stride() == right.stride()
