"""Refuses modules whose weights `parameters()` does not show as they are, each by name.

What cannot be seen cannot be counted, given a precision, or filled from a checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from threading import Thread, get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_pre_hook,
    register_module_parameter_registration_hook,
)
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode, is_traceable_wrapper_subclass
from torch.utils._pytree import tree_leaves

from cmx_bench.models.tensors import leaves, storage_of

# Types that hold weights a few bits each; those that index are wider.
_PACKED = (torch.int8, torch.uint8, torch.int16, torch.int32)
_PACKED_FLAT = (torch.int8, torch.uint8)
_FLAT = 1024  # elements; fewer are no weights
_SCALED = 16  # packed elements that share a scale at least, in all formats
THREADED = ("computes in threads of its own, where nobody sees what; leave that to threads in a "
            "setting")  # fmt: skip


def reason(module: nn.Module) -> str:
    """Why the weights of a built module are not visible, and what to do; empty if they are."""
    looks = (_find_compiled, _late, _find_wrapped, _outside, _find_packed, _find_frozen)
    return next(chain.from_iterable(look(module) for look in looks), "")


def lazy(module: nn.Module) -> str:
    """The name of a tensor whose shape a first pass decides; empty where all have one."""
    named = chain(module.named_parameters(), module.named_buffers())
    return next((name for name, tensor in named if is_lazy(tensor)), "")


def _late(module: nn.Module) -> Iterator[str]:
    if name := lazy(module):
        yield f"{name} has no shape yet after a pass, which does not use it; remove its layer"


def _find_compiled(module: nn.Module) -> Iterator[str]:
    for name, part in module.named_modules():
        if "_orig_mod" in part._modules or part._compiled_call_impl is not None:
            yield (f"{_name_part(name)} is compiled already; return the plain module, and set "
                   f"compile in a setting")  # fmt: skip


def _find_wrapped(module: nn.Module) -> Iterator[str]:
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        if is_traceable_wrapper_subclass(tensor):
            yield (f"the weight {name} is a {type(tensor).__name__}, which keeps its numbers in "
                   f"tensors of its own; return plain tensors")  # fmt: skip
        if tensor.layout is not torch.strided:
            layout = str(tensor.layout).removeprefix("torch.")
            yield f"the weight {name} has the layout {layout}; return dense tensors"


def _outside(module: nn.Module) -> Iterator[str]:
    """Weights that a checkpoint would hold and that are neither parameters nor buffers."""
    known = {id(tensor) for tensor in chain(module.parameters(), module.buffers())}
    for name, value in module.state_dict(keep_vars=True).items():
        if isinstance(value, Tensor) and (id(value) in known or value.dim() == 0):
            continue
        if any(isinstance(leaf, Tensor | torch.ScriptObject) for leaf in tree_leaves(value)):
            yield (f"{name} is neither a parameter nor a buffer, as where weights are quantised "
                   f"and packed; return the module as it was before")  # fmt: skip


def _find_packed(module: nn.Module) -> Iterator[str]:
    """Layers whose weights are of small integers or of floats of a byte, with scales at most."""
    for name, part in module.named_modules():
        own = [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
        floats = [
            value.numel() for _, value in own
            if value.dim() > 1 and value.is_floating_point() and isinstance(value, nn.Parameter)
        ]  # fmt: skip
        for key, value in own:
            if _may_be_packed(value) and _SCALED * max(floats, default=0) < value.numel():
                kind = str(value.dtype).removeprefix("torch.")
                yield (f"{_name_part(name)} has a matrix of {kind} ({key}) in place of "
                       f"floating-point weights, as where they are quantised and packed; return "
                       f"the module as it was before")  # fmt: skip


def _may_be_packed(tensor: Tensor) -> bool:
    if tensor.dim() < 2:
        return tensor.dtype in _PACKED_FLAT and tensor.numel() >= _FLAT
    byte = tensor.is_floating_point() and tensor.itemsize == 1
    return byte or tensor.is_quantized or tensor.dtype in _PACKED


def _find_frozen(module: nn.Module) -> Iterator[str]:
    for name, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule) and hasattr(part, "inlined_graph"):
            graph: Any = part.inlined_graph
            constants = [node for node in graph.findAllNodes("prim::Constant")
                         if node.hasAttribute("value") and node.kindOf("value") == "t"]  # fmt: skip
            if any(node.t("value").numel() > 1 for node in constants) or "quantized::" in str(
                graph
            ):
                yield (f"{_name_part(name)} is a TorchScript module with weights inside its code; "
                       f"return the module that it was made of")  # fmt: skip


def _name_part(name: str) -> str:
    return name or "the module"


@contextmanager
def watching(module: nn.Module) -> Iterator[Callable[[], str]]:
    """Watches a module for weights that it does not show; what it gives says which, and what to do,
    or is empty."""
    known = {id(parameter): parameter for parameter in module.parameters()}
    places = {storage_of(parameter) for parameter in known.values()}
    reasons: list[str] = []
    thread = get_ident()

    def note_new(part: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is not None:
            reasons.append(f"makes a parameter while it runs ({name} of a {type(part).__name__}), "
                           f"after parameters are counted; make it in __init__")  # fmt: skip

    def note_strange(part: nn.Module, inputs: object) -> None:
        if get_ident() != thread:
            reasons.append(THREADED)
        own = () if isinstance(part, torch.jit.ScriptModule) else part.parameters(recurse=False)
        # Those that functional_call puts in place of a module's are plain tensors.
        if any(isinstance(each, nn.Parameter) and id(each) not in known for each in own):
            reasons.append(f"runs a {type(part).__name__} that is none of its modules, whose "
                           f"parameters count as none; keep it in an attribute, or many of them "
                           f"in nn.ModuleList")  # fmt: skip

    def note_plain(tensor: Tensor) -> None:
        whole = tensor if tensor._base is None else tensor._base  # a view may call itself a leaf
        weight = isinstance(tensor, nn.Parameter) or (whole.requires_grad and whole.is_leaf)
        if weight and storage_of(tensor) not in places:
            reasons.append(f"computes with a weight {tuple(tensor.shape)} that is none of its "
                           f"parameters, and counts as none; keep it in an attribute as an "
                           f"nn.Parameter, or many of them in nn.ParameterList")  # fmt: skip

    hooks = (
        register_module_parameter_registration_hook(note_new),
        register_module_forward_pre_hook(note_strange),
    )
    try:
        with _Arguments(note_plain), threads(lambda: reasons.append(THREADED)):
            yield lambda: reasons[0] if reasons else ""
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def threads(note: Callable[[], object]) -> Iterator[None]:
    """Calls `note` where this thread starts another, or gives work to a pool of threads; others
    decode images meanwhile. torch shows the operators of each thread to that thread alone."""
    here = get_ident()

    def note_here() -> None:
        if get_ident() == here:
            note()

    before = {owner: vars(owner)[name] for owner, name in _THREADS}
    try:
        for owner, name in _THREADS:
            setattr(owner, name, _noting(before[owner], note_here))
        yield
    finally:
        for owner, name in _THREADS:
            setattr(owner, name, before[owner])


_THREADS: tuple[tuple[type, str], ...] = ((Thread, "start"), (ThreadPoolExecutor, "submit"))


def _noting(function: Callable[..., object], note: Callable[[], object]) -> Callable[..., object]:
    def noting(*args: object, **named: object) -> object:
        note()
        return function(*args, **named)

    return noting


class _Arguments(TorchDispatchMode):
    """Shows each tensor that an operator takes to `note`."""

    supports_higher_order_operators = True

    def __init__(self, note: Callable[[Tensor], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._note = note

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for tensor in leaves((args, kwargs)):
            self._note(tensor)
        return func(*args, **(kwargs or {}))
