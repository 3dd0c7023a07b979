"""A stand-in for CUDA events, which writes down what is asked of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch


def note_events(monkeypatch: pytest.MonkeyPatch, asked: list[Any], milliseconds: float) -> None:
    """Events say "record" and "wait" in `asked`, and lie so far apart."""

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            asked.append("record")

        def synchronize(self) -> None:
            asked.append("wait")

        def elapsed_time(self, end: Event) -> float:
            return milliseconds

    monkeypatch.setattr(torch.cuda, "Event", Event)
