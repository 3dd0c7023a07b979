"""The paper's figure 1."""

from __future__ import annotations

import dataclasses

import pytest

from cmx_bench.cell import Setting
from cmx_bench.present.drawing import Plot, draw
from cmx_bench.report.figures import plots
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import BF16, FP16, PAPER, make_records, make_run


@pytest.fixture
def figure_one(run: Run, run_records: list[Record]) -> Plot:
    return plots(summarise(run, run_records)).drawn[0]


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
    lines = [
        dataclasses.replace(record, values={"top1": [0.8]},
                            details={"images": 1000, "correct": {"top1": 800}})
        if record.measure == "accuracy" else record
        for record in make_records(make_run(PAPER[:2], measures=("params",)))
        + [dataclasses.replace(record, cell=record.cell.replace("throughput", "accuracy"),
                               measure="accuracy", replicate=0)
           for record in make_records(make_run(PAPER[1:2], measures=("throughput",), replicates=1))]
    ]  # fmt: skip
    points = plots(summarise(run, lines)).drawn[0].data
    assert points[["label", "published", "y"]].to_numpy().tolist() == [
        ["ConvMixer-1536/20", True, pytest.approx(81.37)],
        ["ConvMixer-768/32", False, pytest.approx(80)],
        ["ConvMixer-768/32", True, pytest.approx(80.16)],
    ]
    assert points["low"].notna().tolist() == [False, True, False]


def test_figure_one_of_another_data_set_has_no_published_points() -> None:
    run = make_run(PAPER[:2], measures=("params", "accuracy"))
    run = dataclasses.replace(run, accuracy={"dataset": "digits"})
    lines = make_records(dataclasses.replace(run, cells=run.cells[:2]))
    cell = f"{PAPER[1].name}/accuracy/{FP16.key}"
    lines.append(
        dataclasses.replace(lines[0], cell=cell, model=PAPER[1].name, measure="accuracy",
                            setting=FP16.key, values={"top1": [0.8]},
                            details={"images": 100, "correct": {"top1": 80}})
    )  # fmt: skip
    plot = plots(summarise(run, lines)).drawn[0]
    assert plot.data["label"].tolist() == ["ConvMixer-768/32"]
    assert "Top-1 on digits" in plot.caption and "Wilson" in plot.caption
    assert "Only ConvMixer-768/32 is shown" in plot.caption
    assert ">digits top-1 (%)<" in draw([plot])[0].svg


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([(FP16,), (FP16,)], ""),
        ([(FP16, BF16), (FP16, BF16)], "Measured top-1 is that of the setting paper."),
        (
            [(FP16,), (FP16,), (BF16,)],
            "that of the setting paper, except that of ResNet-152 (bf16).",
        ),
    ],
)
def test_of_several_settings_the_caption_names_the_one(
    settings: list[tuple[Setting, ...]], said: str
) -> None:
    models = PAPER[: len(settings)]
    run = make_run(models, (FP16, BF16), measures=("params", "accuracy"))
    run = dataclasses.replace(run, accuracy={"dataset": "digits"})
    lines = make_records(make_run(models, measures=("params",)))
    lines += [
        dataclasses.replace(
            lines[0], cell=f"{model.name}/accuracy/{setting.key}", model=model.name,
            measure="accuracy", setting=setting.key, values={"top1": [0.8]},
            details={"images": 100, "correct": {"top1": 80}},
        )
        for model, of_model in zip(models, settings, strict=True)
        for setting in of_model
    ]  # fmt: skip
    caption = plots(summarise(run, lines)).drawn[0].caption
    assert said in caption and bool(said) == ("of the setting" in caption)


def test_models_of_other_sizes_have_axes_of_their_own() -> None:
    lines = make_records(run := make_run(PAPER[1:2], measures=("params",)))
    [alone] = plots(summarise(run, lines)).drawn
    assert ">120<" not in draw([alone])[0].svg
    run = make_run(measures=("params", "throughput"))
    params = {model.name: 1e9 if model == PAPER[0] else 1e4 for model in run.models}
    far = [
        dataclasses.replace(record, values={"params": [params[record.model]]})
        if record.measure == "params" else record
        for record in make_records(run)
    ]  # fmt: skip
    shown = {plot.name.partition("-cuda")[0]: plot for plot in plots(summarise(run, far)).drawn}
    for name in ("figure1", "throughput"):
        assert ">0.1<" in draw([shown[name]])[0].svg  # and 1, 10, …
