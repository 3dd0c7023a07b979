"""Follows products that are spelt elementwise through the operators of a running model.

`known` says what these are and what is known of a tensor, `aten` what each operator does, `effects`
what follows for its result. Products that grew have MACs where they are added up, and are refused
where they are reduced otherwise. Others are refused where adding them up spells a dot product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from cmx_bench.measures.counting import aten, effects, known, spans
from cmx_bench.measures.counting.aten import Kind
from cmx_bench.measures.counting.free import is_view, operands_of, plain
from cmx_bench.measures.counting.known import Grown, Known, Origin
from cmx_bench.measures.counting.spans import Spans
from cmx_bench.models.tensors import is_part, storage_of


class Products:
    """What is known of tensors, by storage: views know it, and so does what is written into."""

    def __init__(self, images: Iterable[Tensor] = ()) -> None:
        self._known: dict[int, Known] = {}  # with a tensor, which keeps its place taken
        for image in images:
            channels = spans.of(image, range(image.dim())[1:2])
            self._known[storage_of(image)] = known.features(image, channels)

    def follow(
        self, func: Any, args: Any, named: Any, outputs: Sequence[Tensor], layer: bool | None = None
    ) -> int:
        """The MACs that an operator adds up of a product that grew.

        Args:
            layer: whether it has MACs itself, by a rule or by the user's word; None where it has
                neither. Behind one that has either no product has grown.

        Raises:
            SpeltError: `effects.check` or `effects.macs` does.
        """
        kind, operands = self._read(func, args, named)
        if not outputs or is_view(func):
            return 0
        constant = all(each.origin is Origin.CONSTANT for each in operands)
        if constant and not any(map(spans.is_number, outputs)):
            operands = []  # places and other indices are as good as new: none is a product
        kind, operands = effects.simplify(kind, operands, outputs[0])
        if layer is None:
            effects.check(kind, operands, aten.added_up(plain(func), args))
        for output in outputs:
            result = effects.result(kind, operands, output)
            if layer:
                result = known.features(output, _channels(plain(func), operands, output))
            self._learn(result if layer is None else _without_grown(result))
        return 0 if layer is not None else effects.macs(kind, operands)

    def _read(self, func: Any, args: Any, named: Any) -> tuple[Kind, Sequence[Known]]:
        """The kind of a call, and its operands."""
        name, tensors = plain(func), operands_of(func, args, named)
        operands = [self._of(tensor) for tensor in aten.followed(name, tensors)]
        if func._schema.name.endswith("_") and is_part(args[0]):
            # Known is what the whole holds: nothing says that this part is a product.
            operands = [
                _without_grown(each) if each.tensor is args[0] else each for each in operands
            ]
        is_torch = func.namespace == "aten"
        return aten.of(name, args, named) if is_torch else Kind.FOREIGN, operands

    def _of(self, tensor: Tensor) -> Known:
        """What is known of a tensor; one that was there before is a weight, or another constant."""
        stored = self._known.get(storage_of(tensor)) or known.constant(tensor)
        made_of = min(spans.distinct(tensor), stored.made_of)  # of a nested tensor it fails
        return stored._replace(tensor=tensor, made_of=made_of)

    def _learn(self, result: Known) -> None:
        place = storage_of(result.tensor)
        if is_part(result.tensor):  # the rest holds what it held
            before = self._known.get(place) or known.constant(result.tensor)
            product = known.join([before.product, result.product])
            if result.product.grown < Grown.COUNTED and before.product.grown is Grown.NO:
                product = product._replace(grown=Grown.PARTLY)
            result = result._replace(
                origin=max(before.origin, result.origin),
                made_of=max(before.made_of, result.made_of),
                channels=before.channels | result.channels,
                product=product,
            )
        self._known[place] = result


def _without_grown(each: Known) -> Known:
    return each._replace(product=each.product._replace(grown=Grown.NO))


def _channels(name: str, operands: Sequence[Known], out: Tensor) -> Spans:
    """Where a layer puts its channels: where its weight has them."""
    if "conv" in name:
        return spans.of(out, [1])
    if len(operands) < 2:  # nobody knows it
        return spans.everywhere(out)
    left, right = (each.origin is Origin.CONSTANT for each in operands[-2:])
    return spans.of(out, [-2 if left and not right and out.dim() > 1 else -1])
