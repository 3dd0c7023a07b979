"""Finds matrix products that are spelt row by row, with a row of a weight at a time.

``(x * w[o]).sum(1)`` is a row of ``w @ x``, and the sum of ``x[..., i:i + n] * w[i]`` over i is a
convolution. No product is larger than its factors there, so that `spelt` takes each for a gate. The
weight tells them from one: nobody adds up along the dimensions of a weight that only scales, nor
what one weight made of several parts of a tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from cmx_bench.models.tensors import storage_of

_ADD_UP = frozenset(["sum", "nansum", "mean", "nanmean"])


_MOVE = frozenset(["roll", "constant_pad_nd", "pad", "flip"])


class _Row(NamedTuple):
    """A product: the storage of the weight and the one that the other factor is a part of, which
    part that is, and the dimensions of the weight, from the last one."""

    weight: int
    whole: int
    part: tuple[int, int]
    dims: frozenset[int]


class Rows:
    """Follows products with weights from the multiplication to the addition behind it.

    Args:
        is_weight: whether a tensor is made of weights alone.
    """

    def __init__(self, is_weight: Callable[[Tensor], bool]) -> None:
        self._is_weight = is_weight
        # By storages, with tensors that keep their places taken.
        self._known: dict[int, tuple[_Row, Tensor]] = {}
        self._moved: dict[int, tuple[int, Tensor]] = {}

    def are_added(self, name: str, args: Sequence[Any], out: Tensor) -> bool:
        """Whether an operator adds up such products; follows it where it does not.

        Args:
            name: without namespace, overload and the ``_`` of an operator that works in place.
        """
        tensors = [value for value in args if isinstance(value, Tensor)]
        rows = [row for row in map(self._row, tensors) if row]
        self._known.pop(storage_of(out), None)
        if name in _ADD_UP and rows:
            return bool(rows[0].dims & reduced(args))
        row = None
        if name in _MOVE and tensors:
            self._moved[storage_of(out)] = self._whole(tensors[0]), out
        if name in {"mul", "multiply"} and len(tensors) == 2:
            row = self._made(tensors[0], tensors[1], out)
        elif name in {"add", "sub"} and rows:
            if len(rows) == 2 and rows[0][:2] == rows[1][:2] and rows[0].part != rows[1].part:
                return True
            row = rows[-1]._replace(dims=frozenset())
        if row:
            self._known[storage_of(out)] = row, out
        return False

    def _row(self, tensor: Tensor) -> _Row | None:
        row, made = self._known.get(storage_of(tensor), (None, tensor))
        return row if tensor.shape == made.shape else None

    def _made(self, left: Tensor, right: Tensor, out: Tensor) -> _Row | None:
        weight, other = (left, right) if self._is_weight(left) else (right, left)
        dims = frozenset(dim for dim in range(-weight.dim(), 0) if weight.shape[dim] > 1)
        grows = other.numel() < out.numel()
        if not dims or grows or not self._is_weight(weight) or self._is_weight(other):
            return None
        part = storage_of(other), int(other.storage_offset())
        return _Row(storage_of(weight), self._whole(other), part, dims)

    def _whole(self, tensor: Tensor) -> int:
        return self._moved.get(storage_of(tensor), (storage_of(tensor), tensor))[0]


def reduced(args: Sequence[Any]) -> frozenset[int]:
    """The dimensions that a sum adds up, from the last one."""
    size = args[0].dim()
    dims = args[1] if len(args) > 1 and args[1] is not None else []
    every = [dims] if isinstance(dims, int) else dims or range(size)
    return frozenset(dim if dim < 0 else dim - size for dim in every)
