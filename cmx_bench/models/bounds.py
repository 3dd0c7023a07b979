"""Limits for a suite's models, so that a plan neither takes for ever nor fills the memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from cmx_bench.errors import RefusedModelError

# Of timm's models none has half as many of either; so many modules are built in some seconds.
MOST_PARAMETERS = 10**11
MOST_MODULES = 5_000


@contextmanager
def keeping() -> Iterator[None]:
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
