"""Builds a module from a model's description: one function for each kind of source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, nullcontext
from typing import Any, TypeAlias

import timm
import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from cmx_bench.cell import Model, Source
from cmx_bench.errors import ModelError, RefusedModelError, first_line, in_a_line
from cmx_bench.models import callables, importing, members, unseen
from cmx_bench.models.convmixer import ConvMixer
from cmx_bench.models.importing import Origin
from cmx_bench.models.tensors import strip

# What Python says of a number, a text or a boolean that is used as a list.
_NO_LIST = re.compile(
    r"'(int|float|str|bool)' object is not (iterable|subscriptable)"
    r"|object of type '(int|float|bool)' has no len"
)
# So that a plan neither takes for ever nor fills the memory. Of timm's models none has half as many
# of either; so many modules are built in some seconds.
MOST_PARAMETERS = 10**11
MOST_MODULES = 5_000
Builder: TypeAlias = Callable[[Model, int], nn.Module]


def build_convmixer(model: Model, image_size: int) -> nn.Module:
    """A ConvMixer of the project's own; it takes images of every size."""
    return ConvMixer(num_classes=model.num_classes, **model.args)  # type: ignore[arg-type]


def build_timm(model: Model, image_size: int) -> nn.Module:
    """A timm model without weights; token models are built for `image_size`."""
    arguments = _arguments(model)
    config = timm.get_pretrained_cfg(model.target)
    if config and config.fixed_input_size and config.input_size[-1] != image_size:
        arguments.setdefault("img_size", image_size)
    module: nn.Module = timm.create_model(
        model.target, pretrained=False, num_classes=model.num_classes, **arguments
    )
    return module


def _arguments(model: Model) -> dict[str, Any]:
    """A model's own arguments; those that are lists as lists."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in model.args.items()
    }


def build_python(model: Model, image_size: int) -> nn.Module:
    """What the user's `module:callable` returns."""
    arguments = _arguments(model)
    with torch.device("cpu"):  # a module's own tensors have values, wherever it builds models
        make = callables.find(model.target, arguments)
    with importing.noting_reads():
        built = make(**arguments)
    if not isinstance(built, nn.Module):
        raise TypeError(f"{model.target} returned {type(built).__name__}, expected an nn.Module")
    # What it spreads over all GPUs would stand in a report as the speed of one.
    return built.module if isinstance(built, nn.DataParallel) else built


BUILDERS: dict[Source, Builder] = {
    "convmixer": build_convmixer,
    "resnet": members.build_resnet,
    "deit": members.build_deit,
    "resmlp": members.build_resmlp,
    "mixer": members.build_mixer,
    "timm": build_timm,
    "python": build_python,
}


@contextmanager
def limiting() -> Iterator[None]:
    """Stops a model that grows too large inside the context, before its weights are drawn.

    Raises:
        RefusedModelError: it has too many parameters or modules.
    """
    modules = parameters = 0

    def count_module(parent: nn.Module, name: str, child: nn.Module | None) -> None:
        nonlocal modules
        modules += 1
        if modules > MOST_MODULES:
            raise RefusedModelError(f"has over {MOST_MODULES:,} modules; give it less depth")

    def count_parameter(parent: nn.Module, name: str, child: nn.Parameter | None) -> None:
        nonlocal parameters
        parameters += 0 if child is None else child.numel()
        if parameters > MOST_PARAMETERS:
            raise RefusedModelError(f"has over {MOST_PARAMETERS:,} parameters; make it smaller")

    hooks = (
        register_module_module_registration_hook(count_module),
        register_module_parameter_registration_hook(count_parameter),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def build(model: Model, image_size: int) -> nn.Module:
    """The module on the current default device, in evaluation mode, with initial weights.

    It takes images `(N, 3, image_size, image_size)`. Lazy layers are made by running it once.

    Raises:
        ModelError: its arguments do not fit, its code cannot be imported, or its weights cannot
            be seen.
    """
    limits = nullcontext() if model.source == "python" else limiting()
    try:
        with limits, chdir("."):  # a user's code may leave this process in another folder
            module = BUILDERS[model.source](model, image_size)
            module.eval()  # a user's own may give nothing, as many that overwrite train
        if unseen.lazy(module):
            with torch.no_grad():
                module(torch.zeros(1, 3, image_size, image_size))
        reason = unseen.reason(module)
    except RefusedModelError as error:
        raise RefusedModelError(f"{model.name}: {error}", error.key) from None
    except BaseException as error:  # of a user's code, or of timm's with his arguments
        problem = f"{in_a_line(error)}{_remedy(model, error)}"
        kind = ModelError if may_want_values(model, error) else RefusedModelError
        raise kind(f"{model.name}: cannot be built: {problem}") from error
    if reason:
        raise ModelError(f"{model.name}: {reason}")
    torch.set_default_dtype(torch.float32)  # as what runs it does: see `forward.apply_flags`
    return module


def _remedy(model: Model, error: BaseException) -> str:
    """What to return for a program of torch.export, which has no evaluation mode, and what to write
    where a value of a sweep was given for a list that was meant."""
    if "eval() is not supported" in str(error):
        return "; return the module that was exported"
    swept = model.args and model.source in ("timm", "python") and isinstance(error, TypeError)
    if not swept or not _NO_LIST.search(first_line(error)):
        return ""
    return "; a list is a sweep: where an argument takes one, write x: [[1, 2]] for x: [1, 2]"


def may_want_values(model: Model, error: BaseException) -> bool:
    """Whether a model may fail on the meta device alone: a user's code raises what it likes; timm's
    lets torch speak, which then names the device."""
    return model.source == "python" or "meta" in str(error).lower()


def build_on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """`build()`'s model with shapes and no weights, on the meta device.

    Some models read a tensor's value while they are built (timm 1.0.20 its drop-path rates), which
    the meta device cannot: those are built on the CPU, weights and all, and then stripped.
    """
    try:
        with torch.device("meta"):
            return strip(build())
    except RefusedModelError:
        raise
    except Exception:  # whatever a user's code raises where there are no values
        with torch.device("cpu"):
            return strip(build())


def origin(model: Model) -> Origin:
    """The file that a user's model was built from in this process; nothing for other models."""
    return importing.origin(model.target) if model.source == "python" else {}
