"""Counts anew what records say of predictions: those of another model give other numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cmx_bench.results import predictions
from cmx_bench.results.nouns import Report


class Miscount(NamedTuple):
    """A number of images that a record has, and what the predictions of a place give."""

    where: str
    what: str
    recorded: int
    counted: int


def in_folder(folder: Path, report: Report) -> Iterator[Miscount]:
    """What the predictions in a run's folder, of every training, give otherwise.

    Raises:
        RecordsError: they cannot be read.
    """
    images = report.votes.images
    for voter in report.votes.counted:
        for process in report.processes[(*voter, "top1")]:
            details = process.details
            path = predictions.path(predictions.home(folder, process.replicate), *voter)
            where = path.relative_to(folder).as_posix()
            rows = predictions.read(path, len(images.keys))
            counted = rows["top5"][:, 0] >= 0  # all but broken images
            counted &= predictions.find_labelled(images.labels)
            yield from _count(where, "images", details["images"], counted)
            for metric, right in details["correct"].items():
                k = int(metric.removeprefix("top"))
                hits = counted & predictions.correct(rows, images.labels, k)
                yield from _count(where, f"right by top-{k}", right, hits)


def of_votes(report: Report) -> Iterator[Miscount]:
    """The same of what a report shows and a page holds: the likeliest class of each image, of
    several trainings of the first."""
    for voter, counted in report.votes.counted.items():
        processes = report.processes[(*voter, "top1")]
        for recorded in [each.details for each in processes if each.replicate == 0][:1]:
            where = f"predictions of {' in '.join(voter)}"
            yield from _count(where, "images", recorded["images"], counted)
            right = counted & report.votes.right[voter]
            yield from _count(where, "right by top-1", recorded["correct"]["top1"], right)


def _count(where: str, what: str, recorded: int, those: NDArray[np.bool_]) -> Iterator[Miscount]:
    if recorded != (count := int(those.sum())):
        yield Miscount(where, what, recorded, count)
