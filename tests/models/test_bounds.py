"""Models that grow beyond reason are stopped while they are built."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cmx_bench.errors import RefusedModelError
from cmx_bench.models import bounds


def test_one_module_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_MODULES", 3)
    with bounds.keeping():
        nn.Sequential(nn.ReLU(), nn.ReLU(), nn.ReLU())
    with (
        pytest.raises(RefusedModelError, match="has over 3 modules; give it less depth"),
        bounds.keeping(),
    ):
        nn.Sequential(nn.ReLU(), nn.ReLU(), nn.ReLU(), nn.ReLU())


def test_one_parameter_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_PARAMETERS", 12)
    with torch.device("meta"):
        with bounds.keeping():
            nn.Linear(3, 3)  # 9 weights, 3 biases
        with pytest.raises(RefusedModelError, match="has over 12 parameters"), bounds.keeping():
            nn.Linear(3, 4)
        with bounds.keeping():
            nn.Linear(4, 3, bias=False)  # a bias that is not there counts nothing


def test_nothing_is_counted_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_MODULES", 0)
    with pytest.raises(RefusedModelError), bounds.keeping():
        nn.Sequential(nn.ReLU())
    assert len(nn.Sequential(nn.ReLU())) == 1
