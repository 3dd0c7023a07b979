"""Which figures there are, and what the figures of the paper's quantities show."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter

import pytest

from cmx_bench.present.drawing import Plot, draw
from cmx_bench.report.figures import plots
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import BF16, FP16, FP32, PAPER, make_records, make_run, watched


@pytest.fixture
def figure_one(run: Run, found: list[Record]) -> Plot:
    return plots(summarise(run, found)).drawn[0]


def named(run: Run, found: list[Record], name: str) -> Plot:
    return next(one for one in plots(summarise(run, found)).drawn if one.name == name)


def test_figure_one_has_the_papers_axes(figure_one: Plot) -> None:
    point = figure_one.data.iloc[0]
    assert (point["label"], point["x"], point["y"]) == ("ConvMixer-1536/20", 51.62596, 81.37)
    within = dataclasses.replace(figure_one, data=figure_one.data[figure_one.data["x"] < 120])
    ticks = draw([within])[0].svg
    assert ">72<" in ticks and ">82<" in ticks and ">120<" in ticks


def test_figure_one_joins_the_points_of_a_family(figure_one: Plot) -> None:
    assert figure_one.data["line"].tolist() == figure_one.data["family"].tolist()


def test_figure_one_marks_what_is_published(figure_one: Plot) -> None:
    assert figure_one.data["published"].all()
    doubted = set(figure_one.data["label"][figure_one.data["label"].str.endswith("†")])
    assert "ResNet-152†" in doubted and "ConvMixer-768/32" not in doubted
    assert "†" in figure_one.caption


def test_a_model_without_any_accuracy_is_not_in_figure_one(figure_one: Plot) -> None:
    assert not figure_one.data["label"].str.startswith("Mixer-S").any()
    assert figure_one.caption.endswith(
        "Not shown because they have no top-1 or parameters: Mixer-S/16."
    )


def test_a_model_is_measured_and_published() -> None:
    run = make_run(PAPER[:2], measures=("params", "accuracy"))
    run = dataclasses.replace(run, accuracy={"dataset": "imagenet-val"})
    found = [
        dataclasses.replace(one, values={"top1": [0.8]},
                            details={"images": 1000, "correct": {"top1": 800}})
        if one.measure == "accuracy" else one
        for one in make_records(make_run(PAPER[:2], measures=("params",)))
        + [dataclasses.replace(one, cell=one.cell.replace("throughput", "accuracy"),
                               measure="accuracy", replicate=0)
           for one in make_records(make_run(PAPER[1:2], measures=("throughput",), replicates=1))]
    ]  # fmt: skip
    points = plots(summarise(run, found)).drawn[0].data
    assert points[["label", "published", "y"]].to_numpy().tolist() == [
        ["ConvMixer-1536/20", True, pytest.approx(81.37)],
        ["ConvMixer-768/32", False, pytest.approx(80)],
        ["ConvMixer-768/32", True, pytest.approx(80.16)],
    ]
    assert points["low"].notna().tolist() == [False, True, False]


def test_figure_one_of_another_data_set_has_no_published_points() -> None:
    run = make_run(PAPER[:2], measures=("params", "accuracy"))
    run = dataclasses.replace(run, accuracy={"dataset": "digits"})
    found = make_records(dataclasses.replace(run, cells=run.cells[:2]))
    cell = f"{PAPER[1].name}/accuracy/{FP16.key}"
    found.append(
        dataclasses.replace(found[0], cell=cell, model=PAPER[1].name, measure="accuracy",
                            setting=FP16.key, values={"top1": [0.8]},
                            details={"images": 100, "correct": {"top1": 80}})
    )  # fmt: skip
    plot = plots(summarise(run, found)).drawn[0]
    assert plot.data["label"].tolist() == ["ConvMixer-768/32"]
    assert "Top-1 on digits" in plot.caption and "Wilson" in plot.caption
    assert "Only ConvMixer-768/32 is shown" in plot.caption
    assert ">digits top-1 (%)<" in draw([plot])[0].svg


@pytest.mark.parametrize("what", ["throughput", "throughput-macs", "peak-memory"])
def test_a_figure_names_the_models_that_it_has_no_value_of(
    run: Run, found: list[Record], what: str
) -> None:
    whole = named(run, found, f"{what}-{FP16.key}")
    assert "Not shown" not in whole.caption
    rest = [one for one in found if one.model != "convmixer_1536_20"]
    plot = named(run, rest, f"{what}-{FP16.key}")
    assert len(plot.data) == len(whole.data) - 1
    assert "Not shown because they have no " in plot.caption
    assert plot.caption.endswith(": ConvMixer-1536/20.")


def test_of_many_that_are_left_out_some_are_named() -> None:
    models = tuple(
        dataclasses.replace(PAPER[0], name=f"m{place}", label=f"M {place}") for place in range(9)
    )
    run = make_run(models=models, measures=("params", "throughput"))
    some = [one for one in make_records(run) if one.model in ("m0", "m8")]
    plot = named(run, some, f"throughput-{FP16.key}")
    assert plot.caption.endswith(": M 1, M 2, M 3, M 4, M 5 and 2 more.")


def test_throughput_has_the_interval(run: Run, found: list[Record]) -> None:
    plot = named(run, found, f"throughput-{FP16.key}")
    estimate = summarise(run, found).results["convmixer_1536_20", FP16.key, "throughput"].estimate
    assert estimate is not None
    point = plot.data.iloc[0]
    assert (point["low"], point["high"]) == (estimate.low, estimate.high)


def test_throughput_against_macs(run: Run, found: list[Record]) -> None:
    plot = named(run, found, f"throughput-macs-{FP16.key}")
    point = plot.data.iloc[0]
    assert (point["label"], point["x"]) == ("ConvMixer-1536/20", pytest.approx(5.162596))
    assert point["y"] == pytest.approx(100, rel=0.01)
    assert "MACs" in plot.title and ">MACs (billions)<" in draw([plot])[0].svg


def test_memory_is_in_mebibytes(run: Run, found: list[Record]) -> None:
    point = named(run, found, f"peak-memory-{FP16.key}").data.iloc[0]
    assert point["y"] == pytest.approx(100 + 51_625_960 * 4 / 2**20)


def test_samples_are_relative_to_the_models_median(run: Run, found: list[Record]) -> None:
    """Process 2 lies in the middle: its third sample is the median of all."""
    strips = named(run, found, f"samples-throughput-{FP16.key}").data
    first = strips[strips["model"] == 0]
    middle, last = (first[first["process"] == place]["deviation"].tolist() for place in (2, 4))
    assert middle == pytest.approx([-0.2, -0.1, 0, 0.1, 0.2])
    assert last[2] == pytest.approx(2)
    assert first["row"].unique().tolist() == pytest.approx([-0.32, -0.16, 0, 0.16, 0.32])


def test_each_sample_says_of_which_process_it_is(run: Run, found: list[Record]) -> None:
    svg = draw([named(run, found, f"samples-throughput-{FP16.key}")])[0].svg
    titles = re.findall("<title>(.*?)</title>", svg)
    assert len(titles) == len(PAPER) * 5 * 5
    assert titles[12] == "ConvMixer-1536/20, process 3 of 5: +0.00 %"


def test_disturbed_processes_are_hollow_and_count_for_nothing(
    run: Run, found: list[Record]
) -> None:
    disturbed = [
        watched(one, "d.d.." if one.replicate == 4 else ".....")
        if one.measure == "throughput" else one
        for one in found
    ]  # fmt: skip
    plot = named(run, disturbed, f"samples-throughput-{FP16.key}")
    assert "Hollow points are of disturbed processes" in plot.caption
    assert set(plot.data.loc[~plot.data["counts"], "process"]) == {4}
    assert 'style="fill: #ffffff; stroke: #56b4e9' in draw([plot])[0].svg


def test_a_figure_says_where_there_is_little_to_see(run: Run, found: list[Record]) -> None:
    alone = [one for one in found if one.model == PAPER[0].name and not one.replicate]
    caption = named(run, alone, f"throughput-{FP16.key}").caption
    assert "There is no interval: each value is from a single process." in caption
    assert "Only ConvMixer-1536/20 is shown: no other model has the values." in caption
    equal = [
        dataclasses.replace(one, values={"throughput": [7.0]})
        if one.measure == "throughput"
        else one
        for one in found
    ]
    assert "All have the same throughput." in named(run, equal, f"throughput-{FP16.key}").caption
    strips = named(run, equal, f"samples-throughput-{FP16.key}")
    assert "All samples of each model are equal." in strips.caption
    for plot in plots(summarise(run, equal)).drawn:
        assert draw([plot])[0].svg


def test_each_setting_has_its_figures() -> None:
    run = make_run(settings=(FP32, BF16), measures=("params", "throughput"))
    names = [plot.name for plot in plots(summarise(run, make_records(run))).drawn]
    assert names == [
        "figure1",
        *(f"{what}-{setting.key}"
          for setting in (FP32, BF16)
          for what in ("front", "throughput", "samples-throughput")),
    ]  # fmt: skip


def test_of_many_settings_the_first_have_figures_and_the_others_are_named() -> None:
    settings = tuple(
        dataclasses.replace(FP16, name=f"b{size}", batch_size=size) for size in range(1, 61)
    )
    run = make_run(PAPER[:1], settings, ("params", "throughput"), replicates=1)
    shown = plots(summarise(run, make_records(run)))
    kinds = Counter(plot.name.partition("-cuda")[0] for plot in shown.drawn)
    # Beside these the whole run and the curve over the batch sizes have a figure each.
    assert set(kinds.values()) == {1, 26} and kinds["throughput"] == kinds["front"] == 26
    assert sum(kinds.values()) == 80
    assert shown.omitted == (
        f"Figures of {', '.join(each.key for each in settings[26:29])} and 31 more are left out, "
        "because a page of more than 80 is too long: cmx_bench.plot draws them, the explorer "
        "shows their points",
    )


def test_figures_without_points_are_left_out_and_said_so(run: Run) -> None:
    found = plots(summarise(run, []))
    assert [plot.name for plot in found.drawn] == ["figure1"]  # it stands on published figures
    assert len(found.omitted) == 5
    assert all("left out" in sentence for sentence in found.omitted)


def test_only_the_first_models_are_stripped() -> None:
    models = tuple(
        dataclasses.replace(PAPER[0], name=f"m{place}", label=f"M {place}") for place in range(30)
    )
    run = make_run(models=models, measures=("throughput",))
    plot = plots(summarise(run, make_records(run))).drawn[-1]
    assert plot.data["model"].nunique() == 16
    assert "first 16 of 30" in plot.caption


def test_every_figure_is_told_in_words(run: Run, found: list[Record]) -> None:
    for plot in plots(summarise(run, found)).drawn:
        assert plot.title and plot.caption.endswith(".") and len(plot.alt) > 40
