"""What a suite says of operators that no rule counts: they cost nothing, or a function counts."""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from cmx_bench.cell import ZERO
from cmx_bench.errors import quote
from cmx_bench.spec.schema import Label, Strict


def _operator(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*::[A-Za-z_]\w*", name):
        raise ValueError(f"expected an operator such as aten::asin, got {quote(name)}")
    return name


def _function(target: str) -> str:
    if not re.fullmatch(r"[\w.]+:\w+", target):
        raise ValueError(f"expected 'module:function', got {quote(target)}")
    return target


Operator = Annotated[str, Field(max_length=200), AfterValidator(_operator)]
Function = Annotated[Label, AfterValidator(_function)]


class Macs(Strict):
    """The user's word on operators, by their names in torch: those of `zero` multiply and add up
    nothing; `rules` name the functions that count the others (see docs/suites.md)."""

    zero: Annotated[list[Operator], Field(max_length=1000)] = []
    rules: Annotated[dict[Operator, Function], Field(max_length=1000)] = {}

    @model_validator(mode="after")
    def _one_word_each(self) -> Macs:
        for name, count in Counter([*self.zero, *self.rules]).items():
            if count > 1:
                raise ValueError(f"{name} is given twice; keep one")
        return self

    @property
    def words(self) -> dict[str, str]:
        """`ZERO`, or the function's `module:function`, by the operator's name."""
        return dict.fromkeys(self.zero, ZERO) | self.rules
