"""Finds dot products of features that are spelt elementwise: ``(q * k).sum(-1)``.

With one query that is ``k @ q``. It is no larger than ``k``, so that `spelt` takes it for a gate.
Where the factors come from tells them apart. A gate is made by a sigmoid, a softmax, a comparison
or a quotient. Features are what layers, norms and activation functions give, and what is linear in
features. A product of two features that is summed along a dimension which both have is a dot
product; its mean is pooling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from cmx_bench.measures import spelt
from cmx_bench.measures.rowwise import reduced
from cmx_bench.models.tensors import storage_of

_SUM = frozenset(["sum", "nansum"])
_MULTIPLY = frozenset(["mul", "multiply"])
_DIVIDE = frozenset(["div", "divide", "true_divide"])
# They make features of features, beside what is linear.
_LAYERS = frozenset(
    """
    native_layer_norm native_group_norm _fused_rms_norm relu gelu silu elu leaky_relu hardswish
    """.split()  # noqa: SIM905
)


class Dots:
    """Follows products of features to the sum behind them.

    Args:
        is_weight: whether a tensor is made of weights alone.
    """

    def __init__(self, is_weight: Callable[[Tensor], bool]) -> None:
        self._is_weight = is_weight
        # By storages, with tensors that keep their places taken: features; and the strides in a
        # product of two of the dimensions that both have.
        self._features: dict[int, Tensor] = {}
        self._products: dict[int, tuple[frozenset[int], Tensor]] = {}

    def are_added(
        self, name: str, args: Sequence[Any], tensors: Sequence[Tensor], out: Tensor, layer: bool
    ) -> bool:
        """Whether an operator, no view, adds up such products; follows it where it does not.

        Args:
            name: without namespace, overload and the ``_`` of an operator that works in place.
            tensors: its operands, those in lists too.
            layer: the operator has MACs itself.
        """
        if name in _SUM and self._shared(args[0]) & {args[0].stride(dim) for dim in reduced(args)}:
            return True
        factors = [
            tensor for tensor in tensors
            if tensor.is_floating_point() and tensor.numel() > 1 and not self._is_weight(tensor)
        ]  # fmt: skip
        is_feature = layer or self._gives_a_feature(name, factors)
        shared = self._multiplied(name, factors, out)
        self._features.pop(place := storage_of(out), None)
        self._products.pop(place, None)
        if is_feature:
            self._features[place] = out
        if shared:
            self._products[place] = shared, out
        return False

    def _gives_a_feature(self, name: str, factors: Sequence[Tensor]) -> bool:
        features = list(map(self._is_feature, factors))
        if name in _DIVIDE:
            return features == [True]
        if name in _MULTIPLY:
            return any(features)
        return (name in spelt.LINEAR or name in _LAYERS) and bool(features) and all(features)

    def _multiplied(self, name: str, factors: Sequence[Tensor], out: Tensor) -> frozenset[int]:
        """What is known of a product, or of one that is scaled, masked or converted."""
        if name in _MULTIPLY and len(factors) == 2:
            left, right = factors
            if _place(left) == _place(right) or not all(map(self._is_feature, factors)):
                return frozenset()
            both = (dim for dim in range(-out.dim(), 0) if _has(left, dim) and _has(right, dim))
            return frozenset(map(out.stride, both))
        passes = name in _MULTIPLY | _DIVIDE | spelt.ADD and len(factors) == 1
        return self._shared(factors[0]) if passes else frozenset()

    def _is_feature(self, tensor: Tensor) -> bool:
        return storage_of(tensor) in self._features

    def _shared(self, tensor: Tensor) -> frozenset[int]:
        strides, _ = self._products.get(storage_of(tensor), (frozenset[int](), tensor))
        return strides


def _place(tensor: Tensor) -> tuple[object, ...]:
    return storage_of(tensor), tensor.storage_offset(), tensor.stride()


def _has(tensor: Tensor, dim: int) -> bool:
    """Whether a tensor has several elements along a dimension, counted from the last."""
    return -dim <= tensor.dim() and tensor.shape[dim] > 1 and tensor.stride(dim) != 0
