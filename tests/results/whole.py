"""A run and records in which every field holds something, and ways to damage them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import RecordsError
from cmx_bench.results import lines, records
from cmx_bench.results.neighbours import Neighbours
from cmx_bench.results.records import Record, Run
from cmx_bench.spec.claims import Claim

SETTING = Setting("cpu", "cpu", "fp32", "nchw", "none", 2, 224, 4, cudnn_benchmark=False,
                  hardware="Chip 2")  # fmt: skip
ENVIRONMENT = {"torch": "2", "cores": 8, "share": 0.5, "fused": True, "cuda": None}
MATCHED: dict[str, str | float] = {
    "target": "21M",
    "amounts": "21.1 M",
    "residual": 0.01,
    "departure": "width 60",
    "nearest": "resnet50",
    "nearest_residual": 0.2,
}
# Every field holds something.
RUN = Run(
    suite="s", title="S", suite_hash="h", suite_path="s.yaml", device="cpu",
    models=(
        Model("a", "A", "mine", "timm", "resnet18", {"k": 1, "rate": 0.5, "act": "gelu", "b": True},
              "in1k", 1000, 16, 7, "GELU", "in1k", MATCHED,
              counted_by={"ours::gram": "zero"}),
        Model("b", "B", "other", "convmixer", "b"),
    ),
    settings=(SETTING,), measures=("throughput", "accuracy", "roofline"),
    cells=tuple(f"a/{measure}/{SETTING.key}" for measure in ("throughput", "accuracy", "roofline")),
    replicates=5, only=("a/*",), unavailable={"cuda/x": "why"}, command="run s.yaml",
    created="2026-01-01T00:00:00+00:00", finished="2026-01-01T01:00:00+00:00", precision=0.02,
    accuracy={"dataset": "digits", "real_labels": None, "valid_labels": None,
              "train": {"name": "short", "about": "a try"}, "seeds": [0, 5], "path": "/images"},
    machine=ENVIRONMENT, environments={"e": ENVIRONMENT}, claims=(Claim("small", "params(a) < 1"),),
    budget=40.5, cut_off={f"a/throughput/{SETTING.key}": 2},
    neighbours=Neighbours(5.5, 4, 2, 1.5, 0.25), parts=("run s.yaml --only a",),
    added=("resnet18",), replicate=0, machines={"Chip 2": ENVIRONMENT},
)  # fmt: skip
TIMED = Record(
    RUN.cells[0], "a", "throughput", SETTING.key, 0, "ok", {"throughput": [9.5, 10, 10.5]}, "", "e",
    "2026-01-01T00:00:00.000+00:00", 1.5,
    {"probe": [0.1] * 4, "disturbed": [0.0, 0.0, 0.0, 1.0], "discarded": [0.0, 0.0, 0.0, 1.0]},
    {"throughput": [7.5]},
)  # fmt: skip
EPOCH = {"number": 1, "loss": 0.5, "lr": 0.1, "seconds": 2.5, "images": 100, "top1": 0.9}
EVALUATED = replace(
    TIMED, cell=RUN.cells[1], measure="accuracy", values={"top1": [0.9]}, covariates={},
    discarded={},
    details={
        "dataset": "digits", "images": 10, "correct": {"top1": 9}, "unlabelled": 1,
        "broken": {"a.png": "cut off"}, "weights": "a.safetensors", "weights_sha256": "ab",
        "preprocessing": {
            "geometry": {"image_size": 8, "crop_pct": 0.875, "crop_mode": "center",
                         "interpolation": "bicubic", "fill": [0.5]},
            "mean": [0.5], "std": [0.25],
        },
        "training": {
            "recipe": "short", "seed": 0, "epochs": 1, "images": 100, "processes": 1, "at_once": 1,
            "seconds": 2.5, "images_per_second": 40.5, "best": {"epoch": 1, "top1": 0.9},
            "curve": [EPOCH],
        },
    },
)  # fmt: skip
PASSED = replace(
    EVALUATED, cell=RUN.cells[2], measure="roofline", values={"mac_rate": [5.5]},
    details={"work": {"linear": {"macs": 100, "bytes": 50, "seconds": [0.5, 0.25]},
                      "other": {"macs": 0, "bytes": 0, "seconds": [0.125]}}},
)  # fmt: skip
FILES: Mapping[str, Run | Record] = {
    "run": RUN, "timed": TIMED, "evaluated": EVALUATED, "passed": PASSED,
}  # fmt: skip

Where = tuple[str, tuple[str | int, ...]]


@cache
def text_of(name: str) -> str:
    return json.dumps(asdict(FILES[name]))


def plain(name: str) -> Any:
    return json.loads(text_of(name))


def everywhere(value: Any, location: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Every value inside a value, with its place."""
    items = enumerate(value) if isinstance(value, list) else ()
    for key, inner in value.items() if isinstance(value, dict) else items:
        yield (*location, key), inner
        yield from everywhere(inner, (*location, key))


PLACES: list[tuple[Where, Any]] = [
    ((name, location), value) for name in FILES for location, value in everywhere(plain(name))
]
# Texts, numbers and booleans are alike there.
MIXED = re.compile(r"models\.\d\.args\.|(machine|machines\.Chip 2|environments\.e)\.")
NULLABLE = re.compile(
    r"models\.\d\.(weights|patch_size|kernel_size|activation)|settings\.0\.threads"
    r"|precision|budget|neighbours|replicate"
    r"|(machine|machines\.Chip 2|environments\.e)\.\w+"
    r"|accuracy\.(real_labels|valid_labels|train|path|train\.about)"
    r"|details\.(weights|preprocessing\.geometry\.fill)"
)


def path_of(where: Where) -> str:
    return ".".join(map(str, where[1]))


def name_of(where: Where) -> str:
    return f"{where[0]} {path_of(where)}"


NUMBERS = [
    where
    for where, value in PLACES
    if isinstance(value, int | float) and not isinstance(value, bool)
]


def refusals(tmp_path: Path) -> Callable[[str, str], str]:
    """Says why a folder with a damaged file is refused.

    The line of run.json is not looked for, for that takes most of the time: test_lines does.
    """

    def say(name: str, text: str) -> str:
        texts = {file: text_of(file) for file in FILES} | {name: text}
        (tmp_path / "run.json").write_text(texts.pop("run"))
        (tmp_path / "records.jsonl").write_text("".join(f"{text}\n" for text in texts.values()))
        with pytest.MonkeyPatch.context() as patch, pytest.raises(RecordsError) as error:
            patch.setattr(lines, "place_of", lambda path, location: ":1")
            records.read_run(tmp_path)
            records.read(tmp_path)
        message = str(error.value)
        places = {"run": r"run\.json:1: "}
        places |= {file: rf"records\.jsonl:{n}: " for n, file in enumerate(texts, 1)}
        match = re.fullmatch(re.escape(f"{tmp_path}/") + places[name] + "(?P<rest>.*)", message)
        assert match, message
        return match["rest"]

    return say


def damage(where: Where, replacement: Any) -> str:
    value = plain(where[0])
    reduce(getitem, where[1][:-1], value)[where[1][-1]] = replacement
    return json.dumps(value).replace('"1e999"', "1e999")
