"""What a suite may give a timm model: the arguments of its constructor, and nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import timm

from cmx_bench.cell import Argument
from cmx_bench.errors import RefusedModelError, nearest, quote
from cmx_bench.models.building import build_on_meta
from cmx_bench.models.callables import refuse_texts

# What the suite or the product says itself, and timm's tables, which no plain value stands for.
_NOT_ARGUMENTS = frozenset({"num_classes", "device", "dtype", "cfg", "cfgs"})
_MOST_OF_AN_ARGUMENT = 2**16


def refuse(architecture: str, arguments: Mapping[str, Argument]) -> None:
    """Refuses all arguments of a timm model except those that its constructor names.

    `timm.create_model` takes more: files to load, folders to write to, other kinds of model.

    Raises:
        RefusedModelError: there is another, or a number beyond reason.
    """
    if not arguments:
        return
    module = build_on_meta(lambda: timm.create_model(architecture, pretrained=False))
    parameters = inspect.signature(type(module)).parameters
    refuse_texts(parameters, arguments)
    known = [
        name for name, parameter in parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD and name not in _NOT_ARGUMENTS
    ]  # fmt: skip
    for name, value in arguments.items():
        if name == "num_classes":
            raise RefusedModelError(
                "num_classes is a suite's own key, for all models; give it there",
                ("args", name, "<key>"),
            )
        if name not in known:
            raise RefusedModelError(
                f"{architecture} takes no argument {quote(name)}{nearest(name, known)} "
                f"(known: {', '.join(known)})",
                ("args", name, "<key>"),
            )
        items = value if isinstance(value, tuple) else (value,)
        if any(not isinstance(item, str) and abs(item) > _MOST_OF_AN_ARGUMENT for item in items):
            raise RefusedModelError(
                f"{name}: a number of an architecture is at most {_MOST_OF_AN_ARGUMENT:,}",
                ("args", name),
            )
