"""The user's entries for operators: zero MACs, or a function that gives them.

The function is called as those of `torch.utils.flop_counter.register_flop_formula` are: with the
arguments of the operator in the order of its schema, each tensor as its shape, and with the shape
of the output as ``out_shape``. It gives the MACs of that call, for one image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_map_only

from cmx_bench.cell import ZERO
from cmx_bench.errors import CountError, in_a_line, nearest
from cmx_bench.models import importing


@dataclass(frozen=True, slots=True)
class Word:
    """What the user says of one operator; `target` is ``ZERO``, or the `module:function` that
    `function` is."""

    operator: str
    target: str
    function: Callable[..., object]

    def macs(self, func: Any, args: Any, named: Any, output: Any) -> int:
        """The MACs of one call of the overload `func`, by its arguments and its output.

        Raises:
            CountError: the function fails, or gives none.
        """
        positional, keywords = bind(func._schema, args, named)
        shaped = partial(tree_map_only, Tensor, lambda tensor: tensor.shape)
        try:
            count = self.function(*shaped(positional), **shaped(keywords), out_shape=shaped(output))
        except Exception as error:  # a user's code raises anything
            raise CountError(
                f"{self.target} fails to count {self.operator}: {in_a_line(error)}"
            ) from error
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise CountError(
                f"{self.target} counts {self.operator}: expected MACs, a whole number from 0 on, "
                f"got {count!r:.40}"
            )
        return count


NONE: Mapping[str, Word] = {}


def words(counted_by: Mapping[str, str]) -> dict[str, Word]:
    """The user's words by their operators, the functions imported.

    Raises:
        CountError: a function cannot be imported, or is none.
    """
    return {
        name: Word(name, target, _function(name, target)) for name, target in counted_by.items()
    }


def _function(name: str, target: str) -> Callable[..., object]:
    if target == ZERO:
        return lambda *args, **named: 0
    module_name, _, function_name = target.partition(":")
    try:
        module = importing.module_of(module_name)
        function: object = getattr(module, function_name, None)
    except BaseException as error:  # a user's module raises anything
        raise CountError(
            f"{target}, which is to count {name}, cannot be imported: {in_a_line(error)}"
        ) from error
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value)]
        raise CountError(
            f"{target}, which is to count {name}, is no function{nearest(function_name, known)}"
        )
    return function


def bind(schema: Any, args: Any, named: Any) -> tuple[list[Any], dict[str, Any]]:
    """The arguments in the order of the schema, with those that the call leaves at a default."""
    positional, keywords = list(args), {}
    for place, argument in enumerate(schema.arguments):
        value = named.get(argument.name, argument.default_value)
        if argument.kwarg_only:
            keywords[argument.name] = value
        elif place >= len(args):
            positional.append(value)
    return positional, keywords


def details(counted_by: Mapping[str, str], macs: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """What a record says of the words that a count rests on, by their operators: `by` what they are
    counted, their MACs for one image and the `origin` of a function.

    Args:
        counted_by: see `cell.Model`.
        macs: of each operator that was met.
    """
    told: dict[str, dict[str, Any]] = {}
    for name, count in macs.items():
        target = counted_by[name]
        told[name] = {"by": target, "macs": count}
        if target != ZERO and (origin := importing.origin(target)):
            told[name]["origin"] = origin
    return told
