"""What a job array refuses; what its scripts hold stands in tests/execute/test_slurm.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cmx_bench.cli import arrays
from cmx_bench.cli.requests import Request
from cmx_bench.errors import CmxError

REQUEST = Request("tiny.yaml", (), "auto", (), False)


@pytest.mark.parametrize(
    ("asked", "options", "line"),
    [
        (replace(REQUEST, quick=True), {}, "leave --quick out"),
        (replace(REQUEST, replicate=0), {}, "leave --replicate out"),
        (REQUEST, {"spread": "2m"}, "leave --spread out"),
        (replace(REQUEST, device="cuda:0,1"), {}, "--device cuda:0,1: each job has a GPU of its"),
        (replace(REQUEST, device="cuda:all"), {}, "give --device cuda with --slurm"),
    ],
)
def test_options_of_a_run_in_one_piece_are_refused(
    asked: Request, options: dict[str, str | None], line: str
) -> None:
    with pytest.raises(CmxError, match=line):
        arrays.refuse_other(asked, **options)


def test_a_requestof_the_whole_suite_is_none_of_these() -> None:
    arrays.refuse_other(REQUEST, spread=None, executor=None)
