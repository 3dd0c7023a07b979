"""Runs of one model whose accuracy is known image by image, and the verdict on two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cmx_bench.gate import check
from cmx_bench.gate.verdict import Verdict
from cmx_bench.results import predictions
from cmx_bench.results.predictions import PREDICTED, ROW, Images
from cmx_bench.results.records import Record

from ..report.synthetic import FP16, PAPER, make_run, write_folder

NAME, COUNT = PAPER[0].name, 400
RUN = make_run(PAPER[:1], measures=("accuracy",), replicates=1)
KEYS = tuple(f"{place}.png" for place in range(COUNT))
KEY = (NAME, FP16.key, "top1")
PREPROCESSING = {
    "geometry": {"image_size": 224, "crop_pct": 1.0, "crop_mode": "center",
                 "interpolation": "bicubic"},
    "mean": [0.5], "std": [0.5],
}  # fmt: skip


def evaluated(wrong: Sequence[int], second: Sequence[int] | None = None, **details: Any) -> Record:
    """A record of an evaluation in which the images with these numbers are wrong; with top-5, if
    the images are named whose second likeliest class is right."""
    right = {"top1": COUNT - len(wrong)}
    if second is not None:
        right["top5"] = right["top1"] + len(second)
    facts = {
        "dataset": "digits", "images": COUNT, "correct": right, "unlabelled": 0,
        "broken": {}, "preprocessing": PREPROCESSING, "weights": "in1k", "weights_sha256": "ab",
        **details,
    }  # fmt: skip
    return Record(
        RUN.cells[0], NAME, "accuracy", FP16.key, 0, "ok",
        {metric: [number / COUNT] for metric, number in right.items()}, "", "e1",
        "2026-01-01T00:00:00+00:00", 2.0, details=facts,
    )  # fmt: skip


def write(
    folder: Path, wrong: Sequence[int], keys: Sequence[str] = KEYS, label: int = 0,
    second: Sequence[int] | None = None, **details: Any,
) -> Path:  # fmt: skip
    """A run whose model says class 0, and class 1 of the images that are `wrong`; of the images
    `second` class 0 is the second likeliest."""
    folder.mkdir()
    run = replace(RUN, title=folder.name)  # no two are the same run
    write_folder(folder, run, [evaluated(wrong, second, **details)])
    predictions.folder_of(folder).mkdir()
    predictions.write_images(folder, Images(tuple(keys), ((label,),) * len(keys)))
    rows = np.zeros(len(keys), ROW)
    rows["top5"][:, 0] = label
    rows["top5"][list(wrong), 0] = 1 - label
    rows["top5"][:, 1:] = -1
    rows["top5"][list(second or ()), 1] = label
    rows["state"] = PREDICTED
    predictions.finish(rows, predictions.path(folder, NAME, FP16.key))
    return folder


def judge(folder: Path, base: Sequence[int], head: Sequence[int], **of_head: Any) -> Verdict:
    """The verdict on the images that are wrong in the head, against those in the base."""
    of_base = write(folder / "base", base)
    return check.verdict(write(folder / "head", head, **of_head), {"baseline": of_base}, 0.05)[1]
