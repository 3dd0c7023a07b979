"""Makes weights of another image size fit a model, as timm does.

What depends on the image size are tables of positions: `pos_embed`, relative position biases. timm
has a function for each family that resamples them, which it calls for its own weights.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor, nn

State: TypeAlias = dict[str, Tensor]
Shape: TypeAlias = tuple[int, ...]
_Filter: TypeAlias = Callable[[State, nn.Module], Mapping[str, Tensor]]

# A layer of torch's own has the same parameters for images of every size.
_LAYERS = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.LayerNorm, nn.modules.batchnorm._BatchNorm,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Resampling:
    """What was done to weights before they were loaded: they are of images with sides of
    `image_size` pixels; None where their tables do not say so."""

    image_size: int | None


def resample(state: State, module: nn.Module) -> State | None:
    """A state dict with the module's names whose tables of positions are resampled to its image
    size; None where that does not make it fit.

    By the `checkpoint_filter_fn` of the family, for a timm model or for each inside the module;
    only tensors that do not fit are taken from it.
    """
    if not is_of_other_size(state, module):
        return None
    others = unlike(state, module)
    fitting = dict(state)
    for prefix, part, convert in _parts(module):
        mine = {key.removeprefix(prefix): value
                for key, value in state.items() if key.startswith(prefix)}  # fmt: skip
        try:
            converted = convert(mine, part)
        except Exception:  # whatever timm does with tables that it has no way for
            return None
        fitting |= {prefix + key: value for key, value in converted.items()
                    if prefix + key in others}  # fmt: skip
    return None if unlike(fitting, module) else fitting


def is_of_other_size(state: State, module: nn.Module) -> bool:
    """Whether a state dict with the module's names differs in tables of positions, and in them
    alone: of the layers of a mixer of tokens nobody can say that."""
    owners = [module.get_submodule(key.rpartition(".")[0]) for key in unlike(state, module)]
    return bool(owners) and not any(isinstance(owner, _LAYERS) for owner in owners)


def unlike(state: State, module: nn.Module) -> dict[str, tuple[Shape, Shape]]:
    """The shapes in a state dict with the module's names, and in the module, where they differ."""
    own = module.state_dict().items()
    shapes = {key: (tuple(state[key].shape), tuple(value.shape)) for key, value in own}
    return {key: pair for key, pair in shapes.items() if pair[0] != pair[1]}


def _parts(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module, _Filter]]:
    """The outermost timm models in a module that have such a function, with their prefixes."""
    convert = _filter_of(module)
    if convert is not None:
        yield prefix, module, convert
        return
    for name, child in module.named_children():
        yield from _parts(child, f"{prefix}{name}.")


def _filter_of(module: nn.Module) -> _Filter | None:
    if not hasattr(module, "forward_features"):  # a block of a timm model
        return None
    for base in type(module).__mro__:
        if base.__module__.startswith("timm.models."):
            file = sys.modules[base.__module__]
            convert: _Filter | None = getattr(file, "checkpoint_filter_fn", None)
            if convert is not None:
                return convert
    return None


def image_sizes(state: State, module: nn.Module) -> tuple[int, int] | None:
    """The sides of the images of the weights and of the module, in pixels; None where it is no
    model of tokens, or anything else differs than their number.

    Args:
        state: has the module's names.
    """
    sides = {_sides(module, *pair) for pair in unlike(state, module).values()}
    return sides.pop() if len(sides) == 1 else None


def _sides(module: nn.Module, theirs: Shape, ours: Shape) -> tuple[int, int] | None:
    grid, patch = _grid(module)
    if not grid or len(theirs) != len(ours):
        return None
    for their, our in zip(theirs, ours, strict=True):
        others = our - grid**2  # tokens that are of no patch, such as that for the class
        side = math.isqrt(max(0, their - others))
        if their != our and 0 <= others <= 8 and side**2 == their - others:
            return side * patch, grid * patch
    return None


def _grid(module: nn.Module) -> tuple[int, int]:
    """How many patches stand side by side, and how many pixels each is wide; 0 without patches."""
    for part in module.modules():
        patches = getattr(part, "patch_embed", getattr(part, "stem", None))
        grid, patch = getattr(patches, "grid_size", None), getattr(patches, "patch_size", None)
        if grid and patch:
            return int(grid[0]), int(patch[0])
    return 0, 0
