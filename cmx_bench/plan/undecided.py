"""Foretells the claims of a suite that its plan cannot decide."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from cmx_bench.metrics import METRICS
from cmx_bench.spec import claims
from cmx_bench.spec.suite import SuiteFile
from cmx_bench.units import tally


def foretell(suite_file: SuiteFile, executed: Collection[tuple[str, str]]) -> Iterator[str]:
    """A sentence on each claim on what the suite does not measure, with its place in the file; then
    one on all claims on what is skipped or left out of this plan.

    Args:
        executed: the model and the measure of each cell that is to be executed.
    """
    suite, without = suite_file.suite, 0
    for index, claim in enumerate(suite.claims):
        values = list(claims.values(claims.parse(claim.check, suite.named)))
        lacking = next(
            (METRICS[value.metric] for value in values
             if METRICS[value.metric].measure not in suite.measures), None
        )  # fmt: skip
        if lacking is not None:
            yield str(suite_file.document.error(
                ("claims", index, "check"),
                f"this claim will stay undecided: {lacking.name} is not measured; add "
                f"{lacking.measure} to measures, or leave the claim out",
            ))  # fmt: skip
        elif any((value.model, METRICS[value.metric].measure) not in executed for value in values):
            without += 1
    if without:
        yield (f"{without} of {tally(len(suite.claims), 'claim')} will stay undecided: what they "
               f"compare is skipped, or left out by --only")  # fmt: skip
