"""The first count: operators that an output depends on, by module, with those that have no rule."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmx_bench.measures import traced
from cmx_bench.models.building import build_on_meta

from .test_counting import Function


class Net(nn.Module):
    """A convolution, a cosine, which is made of products and has no rule, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 10)

    def forward(self, image: Tensor) -> Tensor:
        features = self.stem(image).flatten(2)
        similar = functional.cosine_similarity(features, features, dim=1)
        out: Tensor = self.head((features * similar[:, None]).mean(2))
        return out


def counted(model: nn.Module, *by_parts: str) -> traced.Trace:
    return traced.count(model, (torch.empty(1, 3, 8, 8, device="meta"),), by_parts)


def test_costs_stand_by_operator_and_by_module() -> None:
    trace = counted(build_on_meta(Net))
    convolution, linear = 36 * 4 * 27, 40
    assert trace.operators == {"aten::_convolution": convolution, "aten::linear": linear}
    assert trace.macs == trace.modules[""] == convolution + linear
    assert (trace.modules["stem"], trace.modules["head"]) == (convolution, linear)
    assert trace.activations == 36 * 4 + 10


def test_an_operator_that_is_made_of_others_and_has_no_rule_is_named_where_it_is_called() -> None:
    trace = counted(build_on_meta(Net))
    assert "aten::cosine_similarity" in traced.composite()
    assert trace.unknown[""] == ["aten::cosine_similarity"]
    assert trace.unknown["stem"] == []


def test_such_an_operator_can_be_counted_by_its_parts() -> None:
    """A power of a matrix is made of products, and has no rule of its own."""
    model = build_on_meta(lambda: Function(lambda image: torch.linalg.matrix_power(image, 2)))
    assert counted(model).macs == 0
    [kind] = counted(model).unknown[""]
    assert counted(model, kind).operators == {kind: 3 * 8 * 8 * 8}


def test_what_no_output_depends_on_is_not_there() -> None:
    def waste(image: Tensor) -> Tensor:
        image @ image
        return image.relu()

    assert counted(build_on_meta(lambda: Function(waste))).operators == {}
