"""Changes the tensors of a module in place, each once, so that shared tensors stay shared.

`module.to` makes a tensor anew for each use of a shared buffer and, between devices whose tensors
differ in kind, for each use of a shared parameter. And `module.to(dtype)` drops the imaginary half
of complex ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

_Change: TypeAlias = Callable[[Tensor], Tensor]


def convert(
    module: nn.Module, device: str, dtype: torch.dtype | None, memory_format: torch.memory_format
) -> nn.Module:
    """`module` on a device, in a precision and a layout.

    Args:
        dtype: of its floating-point tensors; None for their own. See `precise` for the others.
    """

    def change(tensor: Tensor) -> Tensor:
        own = tensor.dtype if dtype is None else precise(tensor.dtype, dtype)
        if tensor.dim() == 4:  # as `module.to`, which knows of channels in images and volumes
            return tensor.to(device, own, memory_format=memory_format)
        return tensor.to(device, own)

    converted: nn.Module = module._apply(once(change))  # type: ignore[no-untyped-call]
    return converted


def precise(own: torch.dtype, wanted: torch.dtype) -> torch.dtype:
    """The type of tensors of type `own` in a model whose precision is `wanted`.

    Complex numbers become pairs of fp32, whatever the precision: torch has no pairs of bf16, and
    computes next to nothing with pairs of fp16. Integers, and floats of a byte, which are packed
    or quantised, stay as they are.
    """
    if own.is_complex:
        return torch.complex64
    return wanted if own.is_floating_point and own.itemsize > 1 else own


def strip(module: nn.Module) -> nn.Module:
    """`module` on the meta device: shapes and no weights; its plain attributes too, and what they
    hold."""
    shaped = once(_strip)
    for part in module.modules():
        for name, tensor in (*part._parameters.items(), *part._buffers.items()):
            if tensor is not None and not tensor.is_meta:
                setattr(part, name, shaped(tensor))
    change_plain(module, shaped)
    return module


def change_plain(module: nn.Module, change: _Change) -> None:
    """Changes the tensors that lie in plain attributes of a module, in lists and dicts too."""
    for part in module.modules():
        for name, value in vars(part).items():
            plain = name not in ("_parameters", "_buffers", "_modules")
            if plain and leaves(value):
                vars(part)[name] = tree_map_only(Tensor, change, value)


def _strip(tensor: Tensor) -> Tensor:
    bare = tensor.detach().to("meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(bare, tensor.requires_grad)
    return bare.requires_grad_(tensor.requires_grad and tensor.is_leaf)


def tensors_in(output: object) -> Iterator[Tensor]:
    """Those in tuples, lists, dicts, and attributes of a user's own class."""
    for leaf in tree_leaves(output):
        if isinstance(leaf, Tensor):
            yield leaf
        else:
            yield from tensors_in(list(attributes_of(leaf).values()))


def attributes_of(value: object) -> Mapping[str, object]:
    """What an object of a user's own class holds by names: as a mapping, or as attributes, those in
    slots and the fields of a tuple too."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, type | nn.Module):
        return {}
    slots = [name for base in type(value).__mro__ for name in getattr(base, "__slots__", ())]
    named = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    fields: dict[str, object] = (
        getattr(value, "_asdict", dict)() if isinstance(value, tuple) else {}
    )
    return fields | named | getattr(value, "__dict__", {})


def leaves(value: object) -> list[Tensor]:
    """Those in tuples, lists and dicts, as torch passes them to an operator."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def storage_of(tensor: Tensor) -> int:
    """The same for all views of one storage, on the meta device too, where nothing has a place."""
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):  # by vmap, which hides it
        tensor = torch._C._functorch.get_unwrapped(tensor)
    place: int = tensor.untyped_storage()._cdata
    return place


def is_part(tensor: Tensor) -> bool:
    """Whether its storage holds more than it."""
    return tensor.numel() * tensor.element_size() < tensor.untyped_storage().nbytes()


def once(change: _Change) -> _Change:
    """`change`, which gives the same tensor the same result."""
    made: dict[int, tuple[Tensor, Tensor]] = {}  # with the key's tensor, whose id is not used again

    def changed(tensor: Tensor) -> Tensor:
        if id(tensor) not in made:
            made[id(tensor)] = (tensor, change(tensor))
        return made[id(tensor)][1]

    return changed
