"""The table of operators gives each call its kind, and lists every linear function of torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from cmx_bench.measures.counting import aten
from cmx_bench.measures.counting.aten import KINDS, LINEAR, Kind
from cmx_bench.measures.counting.free import plain

X = torch.empty(2, 3, 4)


@pytest.mark.parametrize(
    ("name", "args", "named", "kind"),
    [
        ("mul", (X, 2), {}, Kind.MULTIPLY),
        ("relu", (X,), {}, Kind.NONLINEAR),
        ("pow", (X, 2), {}, Kind.SQUARE),
        ("pow", (X, 1.0), {}, Kind.MOVE),
        ("pow", (X, 3), {}, Kind.NONLINEAR),
        ("pow", (X, X), {}, Kind.NONLINEAR),
        ("pow", (2, X), {}, Kind.EXPONENTIAL),
        ("rsub", (X, 1), {}, Kind.NEGATE),
        ("rsub", (X, X), {}, Kind.SUBTRACT),
        ("lerp", (X, X, 0.5), {}, Kind.KEEP),
        ("lerp", (X, X, X), {}, Kind.ADD_PRODUCT),
        ("index_put", (X, [X], X), {}, Kind.PICK),
        ("index_put", (X, [X], X, True), {}, Kind.SUM),
        ("scatter", (X, 0, X, X), {"reduce": "add"}, Kind.SUM),
        ("topk", (X, 3, -1, True, False), {}, Kind.PICK),
        ("linalg_vector_norm", (X, 2, [-1]), {}, Kind.NORM),
        ("linalg_vector_norm", (X, 1, [-1]), {}, Kind.SPREAD),
    ],
)
def test_a_call_has_a_kind(
    name: str, args: Sequence[Any], named: Mapping[str, Any], kind: Kind
) -> None:
    assert aten.of(name, args, named) is kind


def test_no_name_is_there_twice() -> None:
    names = [name for kind in Kind for name in kind.value.split()]
    assert len(names) == len(set(names)) == len(KINDS)


def test_a_sum_says_along_which_dimensions_and_a_pooling_does_not() -> None:
    assert aten.added_up("sum", (X, [-1], True)) == [-1]
    assert aten.added_up("cumsum", (X, 1)) == [1]
    assert list(aten.added_up("mean", (X,)) or ()) == [0, 1, 2]
    assert list(aten.added_up("avg_pool2d", (X, 2)) or ()) == [1, 2]
    assert aten.added_up("index_add", (X, 0, X, X)) is None


def unary() -> Iterator[Any]:
    """The elementwise functions of one number that torch has."""
    for name in torch._C._dispatch_get_all_op_names():
        namespace, _, overload = name.partition("::")
        short, _, kind = overload.partition(".")
        if namespace != "aten" or short.endswith("_") or "out" in kind:
            continue
        func = getattr(getattr(torch.ops.aten, short), kind or "default", None)
        if func is not None and torch.Tag.pointwise in func.tags:
            yield func


def test_every_linear_function_of_torch_is_known_as_one() -> None:
    numbers = torch.linspace(-2, 2, 9, dtype=torch.float64)
    additive = []
    for func in unary():
        try:
            first, other, both = func(numbers), func(3 - numbers), func(torch.full_like(numbers, 3))
        except Exception:  # of more operands
            continue
        if not isinstance(first, Tensor) or not first.is_floating_point():
            continue
        if torch.allclose(first + other, both):
            additive.append(plain(func))
    linear = {name for name, kind in KINDS.items() if kind in LINEAR}
    assert {"neg", "deg2rad", "positive"} <= set(additive) <= linear | {"alias", "detach"}
