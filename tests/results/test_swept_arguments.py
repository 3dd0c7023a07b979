"""Arguments that were swept: which models differ in which, as columns of samples."""

from __future__ import annotations

import math
from typing import Any

from cmx_bench.cell import Argument, Model
from cmx_bench.report import exports
from cmx_bench.results import swept_arguments
from cmx_bench.results.reading import summarise
from cmx_bench.results.swept_arguments import find

from ..report.synthetic import make_records, make_run


def convmixer(name: str, **args: Argument) -> Model:
    return Model(name, name, "convmixer", "convmixer", "", {"dim": 8, "depth": 2} | args)


def columns(*models: Model) -> dict[Any, list[Any]]:
    return {name: column.tolist() for name, column in find(models).items()}


def test_models_that_differ_in_one_argument_have_it() -> None:
    models = [convmixer(f"k{size}", kernel_size=size) for size in (3, 5)]
    assert columns(*models) == {"arg_kernel_size": [3, 5]}


def test_what_they_differ_in_beside_it_is_there_too() -> None:
    models = [
        convmixer(f"{dim}-{size}", dim=dim, depth=depth, kernel_size=size)
        for dim, depth in ((8, 2), (16, 4))
        for size in (3, 5)
    ]
    assert columns(*models) == {
        "arg_dim": [8, 8, 16, 16],
        "arg_depth": [2, 2, 4, 4],
        "arg_kernel_size": [3, 5, 3, 5],
    }


def test_models_that_differ_in_more_are_no_sweep() -> None:
    assert not columns(convmixer("a", dim=8, depth=4), convmixer("b", dim=16, depth=2))
    assert not columns(convmixer("a"), convmixer("b"))


def test_other_models_have_none() -> None:
    other = Model("resnet18", "ResNet-18", "resnet", "timm", "resnet18")
    published = Model(
        "c", "C", "convmixer", "convmixer", "convmixer_768_32", {"dim": 8, "depth": 4}
    )
    first, last, missing = columns(convmixer("a"), published, other)["arg_depth"]
    assert (first, last) == (2, 4)
    assert math.isnan(missing)


def test_lists_are_text() -> None:
    models = [
        Model(name, name, "net", "python", "ours:net", args={"layers": layers})
        for name, layers in (("a", (2, 2)), ("b", (3, 4)))
    ]
    assert columns(*models) == {"arg_layers": ["2, 2", "3, 4"]}


def test_words_are_text() -> None:
    models = [convmixer(name, activation=name, norm=name == "relu") for name in ("relu", "gelu")]
    assert not columns(*models)
    models.append(convmixer("c", activation="relu", norm=False))
    swept = columns(*models)
    assert swept == {
        "arg_activation": ["relu", "gelu", "relu"],
        "arg_norm": ["true", "false", "false"],
    }


def test_samples_and_files_have_them_and_they_are_no_conditions() -> None:
    models = tuple(convmixer(f"d{depth}", depth=depth, norm="batch") for depth in (1, 2))
    run = make_run((*models, convmixer("c", depth=1, norm="layer")), measures=("params",))
    report = summarise(run, make_records(run))
    assert swept_arguments.columns_in(report.samples) == ["arg_depth", "arg_norm"]
    assert report.samples["arg_norm"].tolist()[-1] == "layer"
    assert '"covariates": {}' in exports.json_of(report)
