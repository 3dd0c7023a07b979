"""Counts the multiply-accumulates and activations of a vision model twice; both must agree exactly.

One MAC is one multiply-accumulate of a convolution (transposed too), a linear layer, a matrix
product or an attention product (QKᵀ and AV), for one image, however it is spelt. Taps that fall on
zero-padding count. Bias, norms, activation functions, softmax, elementwise operators, pooling and
resampling count as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch._dynamo import OptimizedModule
from torch.compiler import set_stance
from torch.jit import ScriptModule

from cmx_bench.errors import CountError, in_a_line, nearest
from cmx_bench.measures.counting import dispatched, free, given, traced
from cmx_bench.measures.counting.dispatched import Cost, Dispatched, Source, by_operator, total
from cmx_bench.measures.counting.given import NONE, Word
from cmx_bench.measures.counting.traced import EINSUM, RULES, Trace
from cmx_bench.measures.counting.tracing import in_words, inlining
from cmx_bench.models import unseen
from cmx_bench.models.building import build_on_meta
from cmx_bench.models.tensors import convert, tensors_in

_Counted = TypeVar("_Counted")
NO_WORDS: Mapping[str, str] = {}
_MOST = 3  # modules that a text names


@dataclass(frozen=True, slots=True)
class Counts:
    """What one image costs: exact, and the same on every machine.

    ``macs``: multiply-accumulates. ``activations``: output elements of every counted operator,
    for attention those of both its products. ``given``: the MACs among them that are the user's
    word, by operator.
    """

    macs: int
    activations: int
    given: Mapping[str, int]


def count(
    build: Callable[[], nn.Module],
    image_size: int,
    in_channels: int = 3,
    counted_by: Mapping[str, str] = NO_WORDS,
    batch_size: int = 1,
) -> Counts:
    """The counts of ``build()``'s model for one square image ``x: (1, in_channels, H, W)``.

    ``build`` returns a fresh model on the current default device; its floating-point tensors, of
    whatever precision, are taken as fp32, as the image is.

    Args:
        counted_by: see `cell.Model`.
        batch_size: of batches that one image stands for, where it is more than 1.

    Raises:
        CountError: as `count_module` does, or an image costs something else in such a batch.
    """
    image = torch.empty(1, in_channels, image_size, image_size, dtype=torch.float32, device="meta")
    model, words = on_meta(build), given.words(counted_by)
    counts = count_module(model, image, words=words)
    if batch_size > 1:
        _refuse_others(model, image, batch_size, words)
    return counts


def _refuse_others(
    model: nn.Module, image: Tensor, batch_size: int, words: Mapping[str, Word]
) -> None:
    """Refuses a model whose MACs do not grow evenly with the batch, from one image on. Products
    that are spelt elementwise do not all: whether one grows depends on the size of its factors."""

    def macs_of(size: int) -> int:
        images = image.new_empty(size, *image.shape[1:])
        return on_shapes(model, lambda model: _macs(model, images, words))

    with suppress(_ForwardError):  # it takes no such batches, or one image alone
        alone, batch, double = macs_of(1), macs_of(batch_size), macs_of(2 * batch_size)
        if (batch - alone) * batch_size != (double - batch) * (batch_size - 1):
            raise CountError(
                f"the model takes {alone} MACs for one image, {batch} for {batch_size} and "
                f"{double} for {2 * batch_size}: what an image costs depends on its batch"
            )


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """``build()``'s model on the meta device, its floating-point tensors fp32."""
    return convert(build_on_meta(build), "meta", torch.float32, torch.preserve_format)


def count_module(model: nn.Module, *inputs: Tensor, words: Mapping[str, Word] = NONE) -> Counts:
    """The counts of one forward pass of a model on the meta device; it is left in evaluation mode
    and frozen.

    Args:
        words: the user's, by operators.

    Raises:
        CountError: the model does not take such inputs, an operator is neither counted nor known to
            be free, no output depends on some MACs or on the inputs, or the two counts differ.
    """
    return on_shapes(model, lambda model: _count(model, inputs, words))


def on_shapes(model: nn.Module, count: Callable[[nn.Module], _Counted]) -> _Counted:
    """What `count` gives of a model on the meta device. It is left in evaluation mode and frozen.

    `count` is called twice where tensors that the model makes while it runs are not there too.

    Raises:
        CountError: `count` does, or the model is scripted.
    """
    _refuse_scripted(model)
    # torch's tracker of modules fails where a parameter that is trained is an input.
    model = _strip_compiled(model).requires_grad_(False)
    model.eval()
    with torch.no_grad(), set_stance("force_eager"), inlining():
        try:
            return count(model)
        except _ForwardError:
            with suppress(_ForwardError), torch.device("meta"):
                return count(model)
            raise


def _refuse_scripted(model: nn.Module) -> None:
    """Its operators are seen by nobody one by one."""
    for name, module in model.named_modules():
        if isinstance(module, ScriptModule):
            raise CountError(
                f"{name or 'the model'} is scripted, and a scripted model cannot be traced: "
                f"build it without torch.jit.script and torch.jit.trace"
            )


def objection(name: str) -> str:
    """Why no word on an operator can be taken; empty where it can, or where nobody knows the
    operator before a model is imported."""
    namespace = name.partition("::")[0]
    operators = {full.partition(".")[0] for full in torch._C._dispatch_get_all_op_names()}
    if name not in operators:
        known = any(operator.startswith(f"{namespace}::") for operator in operators)
        return f"torch has no operator {name}{nearest(name, operators)}" if known else ""
    overloads = list(free.overloads(name))
    if name in {EINSUM, *RULES, *dispatched.operators()}:
        return f"{name} is counted by a rule of its own; leave it out"
    if name in traced.composite():
        return f"{name} is made of other operators, which are counted one by one; name those"
    if any(map(free.reads, overloads)):
        return f"{name} reads what a tensor holds, and models are counted by shapes alone"
    return ""


def _strip_compiled(model: nn.Module) -> nn.Module:
    """The model without torch.compile: compiled code has no operators one by one."""
    if isinstance(model, OptimizedModule):
        model = model._orig_mod
    for module in model.modules():
        module._compiled_call_impl = None
        for name, child in module.named_children():
            if isinstance(child, OptimizedModule):
                setattr(module, name, child._orig_mod)
    return model


class _ForwardError(CountError):
    """The model's own code raised."""


def _count(model: nn.Module, inputs: tuple[Tensor, ...], words: Mapping[str, Word]) -> Counts:
    with running(model, inputs, words) as ran:
        outputs = list(tensors_in(model(*inputs)))
    if not outputs:
        raise CountError("the model returns no tensor")
    if unused := ran.unused(outputs):
        raise CountError(_waste(unused))
    if not ran.sees(outputs):
        raise CountError("no output of the model depends on its images, one here, by what torch "
                         "shows; leave processes of its own out")  # fmt: skip
    ours = ran.of(Source.RULE)
    for by_parts in (False, True):
        trace = _trace(model, inputs, words, by_parts)
        if (sum(trace.operators.values()), trace.activations) == total(ours):
            return Counts(*total(ran.costs), by_operator(ran.of(Source.WORD)))
    raise CountError(
        f"two counts differ: {_list(by_operator(ours)) or 'nothing'} ran, and its trace has "
        f"{_list(trace.operators) or 'nothing, as where a model keeps what it gave before'}"
    )


def _macs(model: nn.Module, images: Tensor, words: Mapping[str, Word]) -> int:
    """Those of layers and of the user's words."""
    with running(model, (images,), words) as ran:
        model(images)
    return sum(cost.macs for cost in ran.costs if cost.source is not Source.SPELT)


@contextmanager
def running(
    model: nn.Module, inputs: tuple[Tensor, ...], words: Mapping[str, Word]
) -> Iterator[Dispatched]:
    """Counts the operators of a model that runs inside, as `dispatched.counting` does.

    Raises:
        CountError: an operator is not counted, the model fails, or it has weights that it does not
            show.
    """
    with unseen.watching(model) as hidden:
        try:
            with dispatched.counting(words, inputs) as ran:
                yield ran
        except CountError:
            raise
        except BaseException as error:  # a user's code raises anything
            if not hidden():
                shapes = " and ".join(str(tuple(tensor.shape)) for tensor in inputs)
                why = in_words(error) or f"{in_a_line(error)}{_remedy(error)}"
                raise _ForwardError(f"forward fails on a batch of shape {shapes}: {why}") from error
    if hidden():
        raise CountError(hidden())


def _trace(
    model: nn.Module, inputs: tuple[Tensor, ...], words: Mapping[str, Word], by_parts: bool
) -> Trace:
    try:
        return traced.count(model, inputs, words, by_parts)
    except CountError:
        raise
    except Exception as error:  # torch says in many ways what it cannot trace
        reason = f"the model runs, but torch.jit cannot trace it: {in_a_line(error)}"
        if "dynamo-optimized" in reason:
            reason = (
                "the model calls what torch.compile has compiled, which cannot be traced: "
                "leave that out, and set compile in a setting"
            )
        raise CountError(reason) from error


def _remedy(error: BaseException) -> str:
    if "fake impl" in str(error):
        return ""  # torch says what to do
    return "; wrap a model that takes anything else than such a batch"


def _waste(unused: Sequence[Cost]) -> str:
    modules: dict[str, list[Cost]] = {}
    for cost in unused:
        modules.setdefault(cost.module, []).append(cost)
    places = [f"{name} ({_list(by_operator(costs))})" for name, costs in modules.items()]
    rest = f" and {len(places) - _MOST} more modules" if len(places) > _MOST else ""
    return (
        f"no output of the model depends on what is computed in {', '.join(places[:_MOST])}{rest}, "
        f"{total(unused)[0]} MACs in all: return it, or delete that code"
    )


def _list(macs: Mapping[str, int]) -> str:
    return ", ".join(f"{operator} {count}" for operator, count in sorted(macs.items()) if count)
