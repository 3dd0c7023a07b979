"""The user's word on operators: one for each, in a form that names one."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cmx_bench.cell import ZERO
from cmx_bench.spec.operators import Macs


def test_each_operator_has_its_word() -> None:
    macs = Macs(zero=["aten::asin"], rules={"mine::gram": "rules.of:gram"})
    assert macs.words == {"aten::asin": ZERO, "mine::gram": "rules.of:gram"}
    assert Macs().words == {}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"zero": ["asin"]}, "expected an operator such as aten::asin, got 'asin'"),
        ({"zero": ["aten::a b"]}, "expected an operator"),
        ({"rules": {"a::b": "gram"}}, "expected 'module:function', got 'gram'"),
        ({"rules": {"a::b": "of.rules:gram:more"}}, "expected 'module:function'"),
        ({"zero": ["a::b", "c::d", "a::b"]}, "a::b is given twice; keep one"),
        ({"zero": ["a::b"], "rules": {"a::b": "c:d"}}, "a::b is given twice; keep one"),
    ],
)
def test_what_names_no_operator_or_one_twice_is_refused(
    said: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        Macs.model_validate(said)
