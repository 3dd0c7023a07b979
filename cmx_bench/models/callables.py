"""Finds the callable that a `python:` model names, and holds the suite's `args` against it."""

from __future__ import annotations

import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cmx_bench.errors import RefusedModelError, nearest, quote
from cmx_bench.models import importing
from cmx_bench.units import first_few

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_MOST_LISTED = 12


def find(target: str, arguments: Mapping[str, object]) -> Callable[..., object]:
    """The callable of a `module:callable`, which takes these arguments.

    Raises:
        RefusedModelError: there is no such module or callable, or it takes others; with the key of
            the model's entry that is wrong.
        BaseException: whatever the user's module raises while it is imported.
    """
    module_name, _, name = target.partition(":")
    try:
        module = importing.module_of(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # another module, which this one imports
        raise RefusedModelError(_lost(error.name), ("python",)) from None
    function: object = getattr(module, name, None)
    if not callable(function):
        known = [
            key for key, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == module.__name__
        ]  # fmt: skip
        raise RefusedModelError(
            f"{module_name} has no callable {quote(name)}{nearest(name, known)} {_list(known)}",
            ("python",),
        )
    _refuse_others(target, function, arguments)
    return function


def _refuse_others(
    target: str, function: Callable[..., object], arguments: Mapping[str, object]
) -> None:
    try:
        signature = inspect.signature(function).parameters
    except (TypeError, ValueError):  # of a callable that is written in C
        return
    refuse_texts(signature, arguments)
    parameters = signature.values()
    known = [parameter.name for parameter in parameters if parameter.kind in _NAMED]
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    for name in arguments if not takes_any else ():
        if name not in known:
            raise RefusedModelError(
                f"{target} takes no argument {quote(name)}{nearest(name, known)} {_list(known)}",
                ("args", name, "<key>"),
            )
    lacking = [
        parameter.name for parameter in parameters
        if parameter.kind in _NAMED and parameter.default is parameter.empty
        and parameter.name not in arguments
    ]  # fmt: skip
    if lacking:
        raise RefusedModelError(
            f"{target} needs {', '.join(lacking)}: give a value under args", ("args",)
        )


def refuse_texts(
    parameters: Mapping[str, inspect.Parameter], arguments: Mapping[str, object]
) -> None:
    """Refuses a text for what is true or false: YAML's `off` is one, and all but "" are true."""
    for name, value in arguments.items():
        known = parameters.get(name)
        if isinstance(value, str) and known and isinstance(known.default, bool):
            raise RefusedModelError(
                f"{name}: expected true or false, got text {quote(value)}", ("args", name)
            )


def _list(known: Iterable[str]) -> str:
    return f"(known: {first_few(list(known), _MOST_LISTED) or 'none'})"


def _lost(name: str) -> str:
    """What is said of a module that is in none of the folders that are searched."""
    package = name.rpartition(".")[0]
    if package:
        places = list(sys.modules[package].__path__) if package in sys.modules else []
        where = " and ".join(places) or f"the package {package}"
    else:
        places = [str(Path.cwd())]
        where = f"the working folder {places[0]} and where this Python finds its own modules"
    known = [module.name for module in pkgutil.iter_modules(places, f"{package}." * bool(package))]
    return (
        f"there is no module {quote(name)}{nearest(name, known)}; it was looked for in {where}. "
        f"Start the command in its folder, or name that folder: PYTHONPATH=FOLDER"
    )
