"""Watches in which numbers a model computes its products, whatever its setting says, and whether
its images have any part in that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from cmx_bench.cell import Setting
from cmx_bench.errors import ModelError
from cmx_bench.measures.counting.dispatched import rule_of, take_apart
from cmx_bench.measures.counting.free import is_blank
from cmx_bench.measures.forward import AUTOCAST, dtype_of
from cmx_bench.models.tensors import leaves, tensors_in


class Precisions(TorchDispatchMode):
    """Adds up, inside, the MACs of convolutions and matrix products by the type of their results.

    Code that a compiler made has no operators, and none of them is seen.

    Raises:
        ModelError: one is computed in a smaller type, which is faster.
    """

    supports_higher_order_operators = True

    def __init__(self, setting: Setting) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._setting, self._expected = setting, dtype_of(setting)
        if setting.precision == "autocast":
            self._expected = AUTOCAST[setting.kind]
        self._macs: Counter[torch.dtype] = Counter()
        self._followed: set[StorageWeakRef] = set()  # which keep no tensor, and their place taken

    def follow(self, tensors: Iterable[Tensor]) -> None:
        """Follows these tensors, and no others, into what is computed of them."""
        self._followed = _storages(tensors)

    def follows(self, tensors: Iterable[Tensor]) -> bool:
        """Whether one of them depends on tensors that are followed, by what torch shows."""
        return not self._followed.isdisjoint(_storages(tensors))

    def told(self) -> dict[str, dict[str, float]]:
        """What a record tells: the shares of the MACs in other types than the setting's, by their
        names. Complex numbers are pairs of fp32 in every setting."""
        others = {
            str(dtype).removeprefix("torch."): macs / self._macs.total()
            for dtype, macs in self._macs.items()
            if macs and dtype not in (self._expected, torch.complex64)
        }
        return {"precisions": others} if others else {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = self._run(func, args, kwargs or {})
        operands = leaves((args, kwargs))
        is_operator = not isinstance(func, torch._ops.HigherOrderOperator)
        if self.follows(operands) and not (is_operator and is_blank(func)):
            self._followed |= _storages(leaves(output) or operands)
        return output

    def _run(self, func: Any, args: Any, named: Any) -> Any:
        if isinstance(func, torch._ops.HigherOrderOperator):
            return func(*args, **named)
        rule = rule_of(func)
        if rule is None:
            output = take_apart(self, func, args, named)
            return func(*args, **named) if output is NotImplemented else output
        output = func(*args, **named)
        dtype = next(tensors_in(output)).dtype
        if dtype.itemsize < self._expected.itemsize:
            raise ModelError(
                f"computes {func._overloadpacket.__name__} in {str(dtype).removeprefix('torch.')} "
                f"by its own choice, and the setting asks for {self._setting.precision}; leave "
                f"that choice to precision: bf16, fp16 or autocast"
            )
        self._macs[dtype] += rule(args, named, output)
        return output


def _storages(tensors: Iterable[Tensor]) -> set[StorageWeakRef]:
    dense = (tensor for tensor in tensors if tensor.layout is torch.strided)
    return {StorageWeakRef(tensor.untyped_storage()) for tensor in dense}  # type: ignore[no-untyped-call]
