"""Work by kind: per image, by medians over the passes."""

from __future__ import annotations

import pytest

from cmx_bench.measures import workload
from cmx_bench.measures.workload import KINDS, Work

DETAILS = {
    "work": {
        "other": {"macs": 0, "bytes": 0, "seconds": [3.0, 1.0, 2.0]},
        "linear": {"macs": 80, "bytes": 40, "seconds": [0.4, 0.8]},
    }
}


def test_work_is_of_one_image_and_kinds_stand_in_their_order() -> None:
    linear, other = workload.read(DETAILS, 4)
    assert (linear.kind, linear.macs, linear.bytes) == ("linear", 20, 10)
    assert linear.seconds == pytest.approx(0.15)
    assert other == Work("other", 0, 0, 0.5)
    assert list(KINDS)[-1] == workload.OTHER


def test_rates_are_quotients_and_there_is_no_intensity_without_bytes() -> None:
    linear, other = workload.read(DETAILS, 1)
    assert (linear.intensity, linear.rate) == (2.0, pytest.approx(80 / 0.6))
    assert (other.intensity, other.rate) == (None, 0)
