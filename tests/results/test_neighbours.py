"""What others did to a machine, in words."""

from __future__ import annotations

import pytest

from cmx_bench.results.neighbours import Neighbours


@pytest.mark.parametrize(
    ("neighbours", "disturbs", "says"),
    [
        (Neighbours(5.0, 2, 2, 0.04, 0.0), False,
         "the machine is calm: other processes keep 0.0 of 2 cores busy"),
        (Neighbours(5.0, 2, 2, 1.3, 0.0), True,
         "other processes keep 1.3 of 2 cores busy: values will be disturbed; stop them, or wait"),
        (Neighbours(5.0, 64, 2, 30.0, 0.0), False,
         "the machine is calm: other processes keep 30.0 of 64 cores busy"),
        (Neighbours(5.0, 2, 2, 0.0, 0.12), True,
         "other processes keep 0.0 of 2 cores busy, and the hypervisor gives 12 % of the time to "
         "others: values will be disturbed; stop them, or wait"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_load(neighbours: Neighbours, disturbs: bool, says: str) -> None:
    assert (neighbours.disturbs, str(neighbours)) == (disturbs, says)
