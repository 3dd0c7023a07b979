"""What a job array refuses; what its scripts hold stands in tests/execute/test_slurm.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cmx_bench.cli import arrays
from cmx_bench.cli.requests import Request
from cmx_bench.errors import CmxError

REQUEST = Request("tiny.yaml")


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"quick": True}, "leave --quick out"),
        ({"replicate": 0}, "leave --replicate out"),
        ({"spread": "2m"}, "leave --spread out"),
        ({"executor": "ray"}, "leave --executor out"),
        ({"device": "cuda:0,1"}, "--device cuda:0,1: each job has a GPU of its"),
        ({"device": "cuda:all"}, "give --device cuda with --slurm"),
    ],
)
def test_options_of_a_run_in_one_piece_are_refused(asked: dict[str, Any], line: str) -> None:
    with pytest.raises(CmxError, match=line):
        arrays.refuse_other(replace(REQUEST, **asked))


def test_a_request_of_the_whole_suite_is_none_of_these() -> None:
    arrays.refuse_other(REQUEST)
