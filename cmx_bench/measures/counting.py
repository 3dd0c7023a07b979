"""Counts the multiply-accumulates and activations of a vision model twice; both must agree exactly.

One MAC is one multiply-accumulate of a convolution (transposed too), a linear layer, a matrix
product or an attention product (QKᵀ and AV), for one image, however it is spelt. Taps that fall on
zero-padding count. Bias, norms, activation functions, softmax, elementwise operators, pooling and
resampling count as zero.

Both counters run on the meta device: they need shapes, not weights, and do no arithmetic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch._dynamo import OptimizedModule
from torch.compiler import set_stance
from torch.jit import ScriptModule
from torch.overrides import TorchFunctionMode

from cmx_bench.errors import CountError, in_a_line, nearest
from cmx_bench.measures import dispatched, free, given, traced
from cmx_bench.measures.dispatched import Dispatched
from cmx_bench.measures.given import NONE, Word
from cmx_bench.measures.traced import IN_PARTS, RULES, Trace
from cmx_bench.measures.tracing import in_words, inlining
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
) -> Counts:
    """The counts of ``build()``'s model for one square image ``x: (1, in_channels, H, W)``.

    ``build`` returns a fresh model on the current default device; its floating-point tensors, of
    whatever precision, are taken as fp32, as the image is.

    Args:
        counted_by: see `cell.Model`.

    Raises:
        CountError: as `count_module` does.
    """
    image = torch.empty(1, in_channels, image_size, image_size, dtype=torch.float32, device="meta")
    return count_module(on_meta(build), image, words=given.words(counted_by))


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """``build()``'s model on the meta device, its floating-point tensors fp32."""
    return convert(build_on_meta(build), "meta", torch.float32, torch.preserve_format)


def count_module(model: nn.Module, *inputs: Tensor, words: Mapping[str, Word] = NONE) -> Counts:
    """The counts of one forward pass of a model on the meta device; it is left in evaluation mode
    and frozen.

    The first count walks a trace with fvcore and a rule for each operator, the second adds up what
    torch's dispatcher runs. Products that are spelt elementwise, and what has the user's word, are
    left out of the comparison, and added.

    Args:
        words: the user's, by operators.

    Raises:
        CountError: the model does not take such inputs, an operator is neither counted nor known to
            be free, or the two counts differ. The text names the operator and its module.
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
    if name in RULES or name in IN_PARTS or any(map(dispatched.rule_of, overloads)):
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
        outputs = model(*inputs)
    trace = _trace(_Outputs(model), inputs, words)
    unknown = {kind for kinds in trace.unknown.values() for kind in kinds} & traced.composite()
    if not _equal(trace, ran) and unknown:
        with suppress(Exception):  # one that cannot be called by itself stays as it is
            trace = _trace(_Outputs(model), inputs, words, unknown)
    if not _equal(trace, ran):
        raise CountError(_difference(model, inputs, words, trace, ran))
    if unused := ran.products.unused(tensors_in(outputs)):
        raise CountError(_waste(f"{type(model).__name__} ({_list(unused)})", unused.total()))
    macs = trace.macs + ran.spelt.total() + ran.given.total()
    return Counts(macs, trace.activations + ran.more_activations, ran.given)


def _equal(trace: Trace, ran: Dispatched) -> bool:
    return (trace.macs, trace.activations) == (ran.operators.total(), ran.activations)


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
    model: _Outputs,
    inputs: tuple[Tensor, ...],
    words: Mapping[str, Word],
    by_parts: Iterable[str] = (),
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


class _Outputs(nn.Module):
    """A model whose output is a plain tuple of tensors, as a trace wants it.

    Args:
        everything: all that its functions give is output too, so that nothing is dead code.
    """

    def __init__(self, model: nn.Module, everything: bool = False) -> None:
        super().__init__()
        self.model = model
        self._everything = everything
        self.eval()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        with _Results() if self._everything else nullcontext([]) as results:
            # A buffer that no checkpoint holds is no output of a trace as it is.
            outputs = [*(output.clone() for output in tensors_in(self.model(*inputs))), *results]
        if not outputs:
            raise CountError("the model returns no tensor")
        return tuple(outputs)


class _Results(TorchFunctionMode):
    def __enter__(self) -> list[Tensor]:
        super().__enter__()  # type: ignore[no-untyped-call]
        self._results: list[Tensor] = []
        return self._results

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._results += tensors_in(result)
        return result


def _difference(
    model: nn.Module, inputs: tuple[Tensor, ...], words: Mapping[str, Word], trace: Trace,
    ran: Dispatched,
) -> str:  # fmt: skip
    """Why two counts differ: the modules where they do, and what is not counted there."""
    root = type(model).__name__
    places = {name: name.replace("model", root, 1) for name in trace.modules if name}
    # What a list of modules holds is called, and the list is not.
    called = [name for name in places if name == "model" or places[name] in ran.modules]
    ours = _own({name: ran.modules.get(places[name], Counter()) for name in called})
    theirs = _own({name: Counter({"": trace.modules[name]}) for name in called})
    names = [name for name in called if ours[name].total() != theirs[name].total()] or ["model"]
    if _equal(_trace(_Outputs(model, everything=True), inputs, words), ran):
        modules = [f"{places[name]} ({_list(ours[name])})" for name in names]
        rest = f" and {len(modules) - _MOST} more modules" if len(modules) > _MOST else ""
        return _waste(", ".join(modules[:_MOST]) + rest, ran.operators.total() - trace.macs)
    [name, *_] = names
    unknown = ", ".join(trace.unknown[name])
    return (
        f"two counts differ in {places[name]}: {ours[name].total()} MACs ran "
        f"({_list(ours[name]) or 'none'}), and its trace has {theirs[name].total()}"
        + (f"; no rule counts what has a cost of {unknown}" if unknown else "")
    )


def _waste(places: str, macs: int) -> str:
    return (
        f"no output of the model depends on what is computed in {places}, {macs} MACs in all: "
        f"return it, or delete that code"
    )


def _own(modules: Mapping[str, Counter[str]]) -> dict[str, Counter[str]]:
    """What modules have beside those inside them, the innermost first."""
    own: dict[str, Counter[str]] = {}
    for name in sorted(modules, key=lambda name: -name.count(".")):
        own[name] = Counter(modules[name])
        for other, counts in own.items():
            if other.startswith(f"{name}."):
                own[name].subtract(counts)
    return own


def _list(macs: Mapping[str, int]) -> str:
    return ", ".join(f"{operator} {count}" for operator, count in sorted(macs.items()) if count)
