"""Which figures there are, and what the figures of the paper's quantities show."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from cmx_bench.measures import MEASURES
from cmx_bench.present.drawing import Plot, draw
from cmx_bench.report.figures import FIGURES, plots
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import BF16, FP16, FP32, PAPER, make_records, make_run


def find_plot(run: Run, lines: list[Record], name: str) -> Plot:
    return next(plot for plot in plots(summarise(run, lines)).drawn if plot.name == name)


@pytest.mark.parametrize("what", ["throughput", "throughput-macs", "peak-memory"])
def test_a_figure_names_the_models_that_it_has_no_value_of(
    run: Run, run_records: list[Record], what: str
) -> None:
    whole = find_plot(run, run_records, f"{what}-{FP16.key}")
    assert "Not shown" not in whole.caption
    rest = [record for record in run_records if record.model != "convmixer_1536_20"]
    plot = find_plot(run, rest, f"{what}-{FP16.key}")
    assert len(plot.data) == len(whole.data) - 1
    assert "Not shown because they have no " in plot.caption
    assert plot.caption.endswith(": ConvMixer-1536/20.")


def test_of_many_that_are_left_out_some_are_named() -> None:
    models = tuple(
        dataclasses.replace(PAPER[0], name=f"m{place}", label=f"M {place}") for place in range(9)
    )
    run = make_run(models=models, measures=("params", "throughput"))
    some = [record for record in make_records(run) if record.model in ("m0", "m8")]
    plot = find_plot(run, some, f"throughput-{FP16.key}")
    assert plot.caption.endswith(": M 1, M 2, M 3, M 4, M 5 and 2 more.")


def test_a_figure_says_where_there_is_little_to_see(run: Run, run_records: list[Record]) -> None:
    alone = [
        record for record in run_records if record.model == PAPER[0].name and not record.replicate
    ]
    caption = find_plot(run, alone, f"throughput-{FP16.key}").caption
    assert "There is no interval: each value is from a single process." in caption
    assert "Only ConvMixer-1536/20 is shown: no other model has the values." in caption
    equal = [
        dataclasses.replace(record, values={"throughput": [7.0]})
        if record.measure == "throughput"
        else record
        for record in run_records
    ]
    assert (
        "All have the same throughput." in find_plot(run, equal, f"throughput-{FP16.key}").caption
    )
    strips = find_plot(run, equal, f"samples-throughput-{FP16.key}")
    assert "All samples of each model are equal." in strips.caption
    for plot in plots(summarise(run, equal)).drawn:
        assert draw([plot])[0].svg


def test_each_setting_has_its_figures() -> None:
    run = make_run(settings=(FP32, BF16), measures=("params", "throughput"))
    names = [plot.name for plot in plots(summarise(run, make_records(run))).drawn]
    assert names[:2] == ["figure1", "standings-cuda-b8-r224"]
    first, second = (
        [name.removesuffix(f"-{setting.key}") for name in names if name.endswith(setting.key)]
        for setting in (FP32, BF16)
    )
    assert first == second and {"front", "throughput", "samples-throughput"} <= set(first)
    place = names.index(f"{first[0]}-{FP32.key}")  # those of a setting stand together
    stretch = names[place : place + 2 * len(first)]
    assert stretch == [f"{what}-{setting.key}" for setting in (FP32, BF16) for what in first]


def test_of_many_settings_the_first_have_figures_and_the_others_are_named() -> None:
    settings = tuple(
        dataclasses.replace(FP16, name=f"b{size}", batch_size=size) for size in range(1, 61)
    )
    run = make_run(PAPER[:1], settings, ("params", "throughput"), replicates=1)
    shown = plots(summarise(run, make_records(run)))
    kinds = Counter(plot.name.partition("-cuda")[0] for plot in shown.drawn)
    # Beside these the whole run and the curve over the batch sizes have a figure each.
    most = kinds["throughput"]
    assert set(kinds.values()) == {1, most} and kinds["front"] == most
    of_setting = sum(count == most for count in kinds.values())
    assert 80 - of_setting < sum(kinds.values()) <= 80
    named = ", ".join(each.key for each in settings[most : most + 3])
    assert shown.omitted == (
        f"Figures of {named} and {60 - most - 3} more are left out, "
        "because a page of more than 80 is too long: cmx_bench.plot draws them, the explorer "
        "shows their points",
    )


def test_figures_without_points_are_left_out_and_said_so(run: Run) -> None:
    shown = plots(summarise(run, []))
    assert shown.drawn[0].name == "figure1"  # it stands on published figures
    asked = [figure for figure in FIGURES if {*run.measures} >= {*figure.measures}]
    parts = [part for figure in asked for part in figure.choose(summarise(run, []).samples)]
    lost = len(parts) - len(shown.drawn)
    [sentence] = shown.omitted  # one for all that have the same reason
    assert sentence.endswith(": left out, because no model has all values that it shows")
    assert sentence.count(" · ") == lost <= 12


def test_every_figure_is_told_in_words(run: Run, run_records: list[Record]) -> None:
    for plot in plots(summarise(run, run_records)).drawn:
        assert plot.title and plot.caption.endswith(".") and len(plot.alt) > 40


def test_a_figure_needs_measures_that_there_are() -> None:
    """Another word, such as that of a metric, would draw nothing and say nothing."""
    known = MEASURES.keys() | {"predictions", "training"}
    assert {name for figure in FIGURES for name in figure.measures} <= known
