"""How models run to be counted: nothing is printed, and nothing of it stays."""

from __future__ import annotations

import logging
import warnings

import pytest
import torch
from torch import nn

from cmx_bench.measures.counting import count


def test_nothing_is_printed_or_left_behind(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    filters, level = list(warnings.filters), logging.getLogger("fvcore").level
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        count(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), 8)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert (warnings.filters, logging.getLogger("fvcore").level) == (filters, level)
    assert torch._C._get_tracing_state() is None


def test_a_model_that_reads_values_while_it_is_built() -> None:
    """timm 1.0.20 does, for its drop-path rates."""

    def build() -> nn.Module:
        rate = torch.linspace(0, 0.1, 2)[1].item()
        return nn.Sequential(nn.Dropout(rate), nn.Conv2d(3, 4, 1))

    assert count(build, 8).macs == 8 * 8 * 3 * 4
