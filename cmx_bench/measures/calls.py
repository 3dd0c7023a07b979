"""The calls of torch that a model makes, each with the kind of its work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cmx_bench.errors import CountError
from cmx_bench.measures.counting import given
from cmx_bench.measures.counting.dispatched import Source, total
from cmx_bench.measures.counting.twice import NO_WORDS, on_meta, on_shapes, running
from cmx_bench.measures.workload import OTHER
from cmx_bench.models.tensors import leaves, storage_of


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function by its name; `kind` is None where it does no work that counts as MACs.

    `run` makes the call, on the tensors `operands`.
    """

    name: str
    kind: str | None
    operands: Sequence[Tensor]
    run: Callable[[], Any]


class Calls(TorchFunctionMode):
    """Hands each call to `take`, whose result becomes the call's.

    It sees functions as models call them: a convolution or an attention is one call, whatever
    kernels it becomes.
    """

    def __init__(self, model: nn.Module, take: Callable[[Call], Any]) -> None:
        super().__init__()
        self._weights = frozenset(storage_of(parameter) for parameter in model.parameters())
        self._take = take

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        operands = leaves((args, named))
        rule = _KINDS.get(func.__name__)
        kind = rule(operands, self._weights) if rule else None
        return self._take(Call(func.__name__, kind, operands, partial(func, *args, **named)))


# --- kinds of work --------------------------------------------------------------------------------

_Rule: TypeAlias = Callable[[Sequence[Tensor], frozenset[int]], str]


def _convolution(operands: Sequence[Tensor], weights: frozenset[int]) -> str:
    """Depthwise where each filter `(out, in / groups, *kernel)` sees one of several channels."""
    image, filters = operands[:2]
    return "depthwise" if filters.shape[1] == 1 < image.shape[1] else "convolution"


def _product(operands: Sequence[Tensor], weights: frozenset[int]) -> str:
    """Linear where an operand is a weight, else a product of activations: attention."""
    return "linear" if any(storage_of(operand) in weights for operand in operands) else "attention"


_KINDS: Mapping[str, _Rule] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _convolution),
    **{f"conv_transpose{n}d": lambda operands, weights: "convolution" for n in (1, 2, 3)},
    "linear": lambda operands, weights: "linear",
    # A recurrent layer is one call, whose products are all of weights.
    **dict.fromkeys(
        """
        matmul __matmul__ __rmatmul__ mm bmm mv dot vdot inner tensordot addmm addmv addbmm baddbmm
        einsum chain_matmul multi_dot bilinear gru lstm rnn_tanh rnn_relu gru_cell lstm_cell
        rnn_tanh_cell rnn_relu_cell
        """.split(),  # noqa: SIM905
        _product,
    ),
    "scaled_dot_product_attention": lambda operands, weights: "attention",
    # Its projections too, which nn.MultiheadAttention does not show apart.
    "multi_head_attention_forward": lambda operands, weights: "attention",
}


# --- MACs -----------------------------------------------------------------------------------------


def macs_by_kind(
    build: Callable[[], nn.Module], image_size: int, counted_by: Mapping[str, str] = NO_WORDS
) -> Mapping[str, int]:
    """The MACs of one image by the kind of work, exact.

    The MACs of a call are those of the operators that the dispatcher runs for it on the meta
    device. MACs that rest on the user's word have no kind.

    Args:
        counted_by: see `cell.Model`.

    Raises:
        CountError: a call of no known kind has MACs; the text names it.
    """
    words = given.words(counted_by)
    image = torch.empty(1, 3, image_size, image_size, dtype=torch.float32, device="meta")

    def count(model: nn.Module) -> Mapping[str, int]:
        counts: Counter[str] = Counter()

        def take(call: Call) -> Any:
            before = len(ran.costs)
            output = call.run()
            costs = [cost for cost in ran.costs[before:] if cost.source is not Source.WORD]
            macs, _ = total(costs)
            if macs:
                if call.kind is None:
                    raise CountError(
                        f"{call.name} has {macs} MACs, and its kind of work is unknown: write them "
                        f"as a product, such as torch.einsum, or leave roofline out"
                    )
                counts[call.kind] += macs
            return output

        with running(model, (image,), words) as ran, Calls(model, take):
            model(image)
        return counts + Counter({OTHER: total(ran.of(Source.WORD))[0]})

    return on_shapes(on_meta(build), count)
