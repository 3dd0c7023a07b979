"""What a measure gives that no record can hold is refused in one line."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from cmx_bench import measures
from cmx_bench.cell import Model, Setting
from cmx_bench.errors import SamplesError
from cmx_bench.measures import Watched, taking

MODEL = Model("m", "M", "f", "timm", "resnet10t")
CPU = Setting("s", "cpu", "fp32", "nchw", "none", 1, 32)


NOTHING: Any = None
UNUSABLE: list[tuple[Any, str]] = [
    (3.0, "3.0; expected lists of numbers by the metric's name"),
    (None, "None; expected lists"),
    ({}, "no samples"),
    ({"throughputs": [1.0]}, "'throughputs', which is none of its metrics, did you mean "),
    ({"params": [1.0]}, "'params', which is none of its metrics (known: throughput, "),
    ({"throughput": []}, "[] for throughput; expected a list of numbers"),
    ({"throughput": 1.0}, "1.0 for throughput; expected a list of numbers"),
    ({"throughput": [math.nan]}, "nan for throughput; expected finite numbers"),
    ({"throughput": ["1"]}, "'1' for throughput; expected finite numbers"),
    ({"throughput": [torch.tensor(1.0)]}, "tensor(1.) (Tensor) for throughput; expected fin"),
    ({"throughput": [True]}, "True for throughput; expected finite numbers"),
    ({"compile_time": [1.0]}, "no samples of throughput, its first metric"),
    (Watched({"throughput": [1.0]}, {"steal": [NOTHING]}), "None for steal; expected finite"),
    (Watched({"throughput": [1.0]}, details={"x": torch.ones(1)}), "no plain data: Object of"),
]  # fmt: skip


@pytest.mark.parametrize(("taken", "said"), UNUSABLE)
def test_what_no_record_can_hold(taken: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "function", lambda name: lambda model, setting: taken)
    with pytest.raises(SamplesError) as error:
        taking.take("throughput", MODEL, CPU)
    assert str(error.value).startswith("the measure throughput gave ")
    assert said in str(error.value) and "\n" not in str(error.value)


def test_what_a_record_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "function", lambda name: lambda model, setting: {"params": [3]})
    assert taking.take("params", MODEL, CPU) == Watched({"params": [3]})
    watched = Watched({"throughput": [1.0]}, {"steal": [0.0, 0.5]}, {"throughput": []}, {"a": 1})
    monkeypatch.setattr(measures, "function", lambda name: lambda model, setting: watched)
    assert taking.take("throughput", MODEL, CPU) is watched
