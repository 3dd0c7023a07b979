"""How models run to be counted: on the meta device, by operators that both counts can see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException
from torch.autograd import Function
from torch.autograd.function import FunctionCtx
from torch.jit import ScriptFunction
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from cmx_bench.models.tensors import leaves


class Whole(TorchFunctionMode):
    """Makes one operator of what torch makes several of: of a dot product along a dimension, and of
    a convolution of complex numbers, in whose place one of real numbers gives the shape."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if func is torch.linalg.vecdot:
            return _dot(*args, **named)
        if func not in _CONVOLUTIONS or not any(map(torch.is_complex, leaves((args, named)))):
            return func(*args, **named)
        args, named = tree_map_only(Tensor, lambda tensor: tensor.real, (args, named))
        return func(*args, **named).to(torch.complex64)


_CONVOLUTIONS = [
    getattr(torch, f"conv{kind}{dims}d") for kind, dims in product(("", "_transpose"), "123")
]


def _dot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    return torch.einsum("...i,...i->...", x.conj().movedim(dim, -1), y.movedim(dim, -1))


class KeepSizes(Whole):
    """Leaves every size the number that it is: a traced one is a tensor, which code that asks for
    its type or hashes it takes for something else."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with _untraced() if func in _SIZES else nullcontext():
            return super().__torch_function__(func, types, args, kwargs)


_SHAPE: Any = Tensor.shape
_SIZES = (Tensor.size, _SHAPE.__get__, Tensor.numel, Tensor.nelement, Tensor.stride)


@contextmanager
def _untraced() -> Iterator[None]:
    state = torch._C._get_tracing_state()
    torch._C._set_tracing_state(None)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch._C._set_tracing_state(state)  # type: ignore[attr-defined]


class StayOnMeta(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps on the meta device what a model moves to one that it names, and moves constants there
    that its code has made on import.

    A trace gets every convolution as ``aten::_convolution``, the only form that the tracer records:
    elsewhere a device's kernel makes that call, and the meta device's does not.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if len({tensor.is_meta for tensor in leaves((args, named))}) > 1:
            args, named = tree_map_only(Tensor, _on_meta, (args, named))
        if func is torch.ops.aten.convolution.default and torch._C._get_tracing_state():
            with _recording(), self:
                return torch.ops.aten._convolution.default(*args, False, False, False, False)
        if func is torch.ops.aten._convolution.default:
            return torch.ops.aten.convolution.default(*args[:9])
        if func is torch.ops.aten._to_copy.default and args[0].is_meta:
            named = {**named, "device": None}
        return func(*args, **named)


def _recording() -> AbstractContextManager[None]:
    """Lets the tracer see what is called inside: what a mode calls it does not."""
    core: Any = torch._C  # whose stubs lack these
    included, excluded = core._dispatch_tls_local_include_set, core._dispatch_tls_local_exclude_set
    tracer = core._parse_dispatch_key("Tracer")
    guard: AbstractContextManager[None] = core._ForceDispatchKeyGuard(
        included(), excluded().remove(tracer)
    )
    return guard


def _on_meta(tensor: Tensor) -> Tensor:
    """A constant there; lengths of sequences, which are whole numbers, torch wants on the CPU."""
    return tensor.to("meta") if tensor.is_floating_point() or tensor.is_complex() else tensor


# --- code without parts ---------------------------------------------------------------------------

_CALL = ScriptFunction.__call__


def _inline(function: Any, *args: Any, **named: Any) -> Any:
    """What the code gives that a scripted function was made of; of a traced one it is lost."""
    code = getattr(function, "_torchdynamo_inline", None)
    return _CALL(function, *args, **named) if code is None else code(*args, **named)


def _apply(function: Any, *args: Any, **named: Any) -> Any:
    """What `apply` of a function of autograd gives where no gradient is wanted."""
    if function.setup_context is not Function.setup_context:
        return function.forward(*args, **named)
    context: Any = FunctionCtx()
    context.needs_input_grad = (False,) * len(args)
    return function.forward(context, *args, **named)


_CAST = torch.autocast.__init__


def _cast(region: torch.autocast, device: str, *args: Any, **named: Any) -> None:
    """A region of mixed precision, which the meta device has none of: on it nothing is cast."""
    _CAST(region, "cpu" if device == "meta" else device, *args, **named)


_CHECK = torch._check_with


def _check(error: type[BaseException], condition: object, message: Any) -> None:
    """A check of torch's own code, of sizes too, which are traced where no mode sees them read."""
    _CHECK(error, bool(condition), message)


_REPLACED: Sequence[tuple[Any, str, Any]] = (
    (ScriptFunction, "__call__", _inline),
    (Function, "apply", classmethod(_apply)),
    (torch.autocast, "__init__", _cast),
    (torch.jit, "is_tracing", lambda: False),
    (torch, "_check_with", _check),
)


@contextmanager
def inlining() -> Iterator[None]:
    """Lets scripted functions, and `forward` of autograd's functions, run as code of the model, and
    code that asks whether it is traced, or for the device's mixed precision, as it does elsewhere.
    """
    before = [(owner, name, vars(owner)[name]) for owner, name, _ in _REPLACED]
    try:
        for replaced in _REPLACED:
            setattr(*replaced)
        yield
    finally:
        for replaced in before:
            setattr(*replaced)


# --- why a model cannot be counted ----------------------------------------------------------------

# In a user's words, what torch says of tensors without values, whichever kind these are.
_WORDS: Mapping[str, Sequence[str]] = {
    "it hands a tensor to numpy while it runs, and it is counted by shapes, which have no values; "
    "compute that with torch": ("to numpy", ".numpy()"),
    "it calls flex_attention or other compiled code, which is not counted; use "
    "scaled_dot_product_attention, or leave torch.compile out": ("FlexAttention", "fullgraph=True"),
    "it computes with nested tensors, which have no shape to count by; pad them": (
        "NestedInt", "shape_env must not be None", "aten::dim does not exist"
    ),
    "it reads a value while it runs, and it is counted by shapes, which have none": (
        "meta tensor",
    ),
    "it computes gradients while it runs, which are not counted": (
        "_will_engine_execute_node", "does not require grad"
    ),
    "it is a TorchScript module; return the module that it was made of": (
        "ScriptModules", "Jitted modules"
    ),
}  # fmt: skip


def in_words(error: BaseException) -> str:
    """Why a model cannot run on shapes alone; empty where torch's own words say it."""
    text = str(error)
    if isinstance(error, DataDependentOutputException | DynamicOutputShapeException):
        text = "meta tensor"
    return next((words for words, said in _WORDS.items() if any(map(text.__contains__, said))), "")
