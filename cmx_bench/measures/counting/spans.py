"""Dimensions of tensors by their places in a storage, where all views of it find them again.

The columns of a tensor (4, 6) are the dimension of stride 1 that reaches to 6, in its transpose
too. Where it is viewed as (4, 2, 3), both of the last dimensions are parts of that.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import TypeAlias

from torch import Tensor

from cmx_bench.models.tensors import storage_of

# Dimensions in a storage, each by its stride and how far it reaches.
Spans: TypeAlias = frozenset[tuple[int, int]]
NOWHERE: Spans = frozenset()


def of(tensor: Tensor, dims: Iterable[int]) -> Spans:
    """Those dimensions of a tensor along which it has several elements."""
    return frozenset(
        (tensor.stride(dim), tensor.stride(dim) * tensor.shape[dim])
        for dim in dims
        if _has(tensor, dim)
    )


def everywhere(tensor: Tensor) -> Spans:
    return of(tensor, range(tensor.dim()))


def _has(tensor: Tensor, dim: int) -> bool:
    """Whether a tensor has several elements along a dimension."""
    return -dim <= tensor.dim() and tensor.shape[dim] > 1 and tensor.stride(dim) != 0


def shared(left: Tensor, right: Tensor, out: Tensor) -> Spans:
    """Those of a result along which both operands have several elements: not the rows of
    ``(4, 6) * (6,)``."""
    return of(out, (dim for dim in range(-out.dim(), 0) if _has(left, dim) and _has(right, dim)))


def meet(left: Spans, right: Spans) -> bool:
    """Whether a dimension is the same, a part of the other, or holds it."""
    return any(a < end and b < reach for a, reach in left for b, end in right)


def moved(known: Spans, source: Tensor, out: Tensor, anywhere: bool = False) -> Spans:
    """Where dimensions of an operand are in the result, which may be broadcast.

    Args:
        anywhere: nothing tells; they may be everywhere.
    """
    more = out.dim() - source.dim()
    if known and (anywhere or more < 0):
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


def part(tensor: Tensor) -> tuple[int, int]:
    """Which part of its storage a tensor is, however it is viewed."""
    return storage_of(tensor), int(tensor.storage_offset())


def picked(tensor: Tensor, known: Spans) -> Spans:
    """Which of the dimensions of its storage a tensor has but one element along."""
    own = everywhere(tensor)
    return frozenset(dim for dim in known if not meet(frozenset([dim]), own))


def place(tensor: Tensor, known: Spans) -> frozenset[tuple[int, int]]:
    """Which elements along dimensions of its storage those are that a tensor has there alone, but
    for the first."""
    begin = int(tensor.storage_offset())
    places = [(stride, begin % reach // stride) for stride, reach in picked(tensor, known)]
    return frozenset((stride, place) for stride, place in places if place)


def is_same(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors are the same elements in the same order."""
    return part(left) == part(right) and left.stride() == right.stride()


def is_number(tensor: Tensor) -> bool:
    """Whether its elements are real or complex numbers, and no indices or truth values."""
    return tensor.is_floating_point() or tensor.is_complex()
