"""The counters of cores in the text of a system."""

from __future__ import annotations

import pytest

from cmx_bench.measures import jiffies


def test_cores_by_jiffies() -> None:
    text = "cpu  100 20 30 1000 50 4 6 7 99 99\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5\n"
    assert jiffies.passed(text) == {
        "jiffies": 1217, "busy_jiffies": 160, "idle_jiffies": 1050, "stolen_jiffies": 7,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "\n", "intr 5\n", "cpu  1 2 3\n"])
def test_what_cannot_be_read_is_left_out(text: str) -> None:
    assert jiffies.passed(text) == {}
