"""Counts the multiply-accumulates and activations of a vision model twice; both must agree exactly.

One MAC is one multiply-accumulate of a convolution (transposed too), a linear layer, a matrix
product or an attention product (QKᵀ and AV), for one image, however it is spelt. Taps that fall on
zero-padding count. Bias, norms, activation functions, softmax, elementwise operators, pooling and
resampling count as zero.

Both counters run on the meta device: they need shapes, not weights, and do no arithmetic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._dynamo import OptimizedModule
from torch.compiler import set_stance
from torch.jit import ScriptModule
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from cmx_bench.errors import CountError, first_line
from cmx_bench.measures import dispatched, traced
from cmx_bench.measures.dispatched import Dispatched
from cmx_bench.measures.traced import Trace
from cmx_bench.models.building import build_on_meta


@dataclass(frozen=True, slots=True)
class Counts:
    """What one image costs: exact, and the same on every machine.

    ``macs``: multiply-accumulates. ``activations``: output elements of every counted operator,
    for attention those of both its products. ``operators``: MACs per traced operator, such as
    ``aten::linear``; they add up to ``macs``.
    """

    macs: int
    activations: int
    operators: Mapping[str, int]


def count(build: Callable[[], nn.Module], image_size: int, in_channels: int = 3) -> Counts:
    """The counts of ``build()``'s model for one square image ``x: (1, in_channels, H, W)``.

    ``build`` returns a fresh model on the current default device.

    Raises:
        CountError: as `count_module` does.
    """
    image = torch.empty(1, in_channels, image_size, image_size, device="meta")
    return count_module(build_on_meta(build), image)


def count_module(model: nn.Module, *inputs: Tensor) -> Counts:
    """The counts of one forward pass of a model on the meta device; it is left in evaluation mode
    and frozen.

    The first count walks a trace with fvcore and a rule for each operator, the second adds up what
    torch's dispatcher runs.

    Raises:
        CountError: the model does not take such inputs, an operator is neither counted nor known to
            be free, or the two counts differ. The text names the operator and its module.
    """
    scripted = [name for name, one in model.named_modules() if isinstance(one, ScriptModule)]
    if scripted:
        raise CountError(
            f"{scripted[0] or 'the model'} is scripted, and a scripted model cannot be traced: "
            f"build it without torch.jit.script and torch.jit.trace"
        )
    model = _uncompiled(model).eval()
    for parameter in model.parameters():  # torch's tracker of modules fails where one is an input
        if not is_lazy(parameter):
            parameter.requires_grad_(False)
    with torch.no_grad(), set_stance("force_eager"):
        try:
            return _count(model, inputs)
        except _ForwardError:
            with suppress(_ForwardError), torch.device("meta"):  # for tensors made in forward
                return _count(model, inputs)
            raise


def _uncompiled(model: nn.Module) -> nn.Module:
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


def _count(model: nn.Module, inputs: tuple[Tensor, ...]) -> Counts:
    ran = _run(model, inputs)
    trace = _trace(_Outputs(model), inputs)
    if (trace.macs, trace.activations) != (ran.macs, ran.activations):
        raise CountError(_difference(model, inputs, trace, ran))
    return Counts(trace.macs, trace.activations, trace.operators)


def _run(model: nn.Module, inputs: tuple[Tensor, ...]) -> Dispatched:
    try:
        with dispatched.counting() as ran:
            model(*inputs)
    except CountError:
        raise
    except BaseException as error:  # a user's code raises anything
        shapes = " and ".join(str(tuple(one.shape)) for one in inputs)
        raise _ForwardError(
            f"forward fails on a batch of shape {shapes}: {_told(error)}"
        ) from error
    return ran


def _trace(model: _Outputs, inputs: tuple[Tensor, ...]) -> Trace:
    try:
        return traced.count(model, inputs)
    except CountError:
        raise
    except Exception as error:  # torch says in many ways what it cannot trace
        raise CountError(
            f"the model runs, but torch.jit cannot trace it: {_told(error)}"
        ) from error


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {first_line(error)}"


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
            outputs = [*_tensors(self.model(*inputs)), *results]
        if not outputs:
            raise CountError("the model returns no tensor")
        return tuple(outputs)


class _Results(TorchFunctionMode):
    """Gathers the tensors that functions give."""

    def __enter__(self) -> list[Tensor]:
        super().__enter__()  # type: ignore[no-untyped-call]
        self._results: list[Tensor] = []
        return self._results

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._results += _tensors(result)
        return result


def _tensors(output: Any) -> Iterator[Tensor]:
    """The tensors of an output: in tuples, lists, dicts, and attributes of a user's own class."""
    for leaf in tree_leaves(output):
        if isinstance(leaf, Tensor):
            yield leaf
        elif hasattr(leaf, "__dict__") and not isinstance(leaf, (type, nn.Module)):
            yield from _tensors(list(vars(leaf).values()))


def _difference(model: nn.Module, inputs: tuple[Tensor, ...], trace: Trace, ran: Dispatched) -> str:
    """Why two counts differ: the innermost module where they do, and what is not counted there."""
    root = type(model).__name__
    places = {name: name.replace("model", root, 1) for name in trace.modules if name}
    deepest = sorted(places, key=lambda name: -name.count("."))
    differs = (n for n in deepest if trace.modules[n] != _total(ran, places[n]))
    name = next(differs, "model")
    operators = ran.modules.get(places[name], Counter[str]())
    wholly = _trace(_Outputs(model, everything=True), inputs)
    if (wholly.macs, wholly.activations) == (ran.macs, ran.activations):
        return (
            f"{places[name]} computes what no output of the model depends on, "
            f"{ran.macs - trace.macs} MACs in all ({_listed(operators)}): "
            f"return it, or delete that code"
        )
    unknown = ", ".join(trace.unknown[name])
    return (
        f"two counts differ in {places[name]}: "
        f"{operators.total()} MACs ran ({_listed(operators)}), its trace has {trace.modules[name]}"
        + (f"; no rule counts what has a cost of {unknown}" if unknown else "")
    )


def _total(ran: Dispatched, place: str) -> int:
    return ran.modules.get(place, Counter[str]()).total()


def _listed(macs: Mapping[str, int]) -> str:
    return ", ".join(f"{operator} {count}" for operator, count in sorted(macs.items()))
