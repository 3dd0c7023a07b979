"""Figures against what was swept: which models make a line, how it is called, how it is drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from cmx_bench import plot
from cmx_bench.cell import Argument, Model, Setting
from cmx_bench.present.drawing import Plot, draw
from cmx_bench.report.figures import plots
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise

from ..synthetic import BF16, FP16, PAPER, failed, make_records, make_run

MEASURES = ("params", "macs", "throughput")


def convmixer(name: str, label: str = "", **args: Argument) -> Model:
    described = {"dim": 8, "depth": 2, "kernel_size": 9, "patch_size": 7} | args
    return Model(name, label or name, "convmixer", "convmixer", "", described)


GRID = tuple(
    convmixer(f"small-k{k}-p{p}", f"Small k{k} p{p}", kernel_size=k, patch_size=p)
    for k in (5, 3, 9)
    for p in (7, 14)
)
ONE = GRID[::2]


def report(
    models: Sequence[Model],
    settings: Sequence[Setting] = (FP16,),
    measures: tuple[str, ...] = MEASURES,
) -> Report:
    run = make_run(tuple(models), tuple(settings), measures, replicates=2)
    return summarise(run, make_records(run))


def swept(shown: Report) -> dict[str, Plot]:
    return {plot.name: plot for plot in plots(shown).drawn if plot.name.startswith("sweep-")}


def lines(drawn: Plot) -> dict[str, list[float]]:
    """The values on each line, by its label."""
    return {
        line["label"].iloc[-1]: line["x"].tolist()
        for _, line in drawn.data.groupby("line", sort=False)
    }


def test_a_line_joins_models_that_differ_in_one_number_in_its_order() -> None:
    drawn = swept(report([*ONE, *PAPER[:3]]))
    assert list(drawn) == [
        f"sweep-throughput-kernel-size-{FP16.key}",
        "sweep-macs-kernel-size-r224",
        "sweep-params-kernel-size",
    ]
    [first, *_] = drawn.values()
    assert first.title == "Throughput against kernel size · paper"
    assert lines(first) == {"Small": [3, 5, 9]}
    assert first.data["y"].tolist() == pytest.approx([200, 100, 300], rel=0.02)
    assert first.data["low"].notna().all()
    assert "Not shown" not in first.caption
    assert first.alt.startswith("Throughput by kernel size: Small from 197.0 at 3 to")


def test_models_of_one_value_have_a_point_each_by_their_names() -> None:
    [first, *_] = swept(report([*ONE, convmixer("again", "Small k9 again")])).values()
    assert lines(first) == {"Small": [3, 5, 9, 9]}
    assert first.data["y"].tolist() == pytest.approx([200, 100, 300, 400], rel=0.02)
    assert first.data["label"].tolist() == ["", "", "Small k9 p7", "Small"]
    assert "Not shown" not in first.caption
    assert not swept(report([*ONE[:2], convmixer("again", "Again", kernel_size=3)]))


def test_only_the_first_of_many_lines_are_drawn() -> None:
    wide = [
        convmixer(f"w{dim}-k{k}", f"Wide {dim} k{k}", dim=dim, kernel_size=k)
        for dim in range(8, 38)
        for k in (3, 5, 9)
    ]
    drawn = swept(report(wide))[f"sweep-throughput-kernel-size-{FP16.key}"]
    assert list(lines(drawn)) == [f"Wide {dim}" for dim in range(8, 32)]
    assert "The first 24 of 30 lines are shown." in drawn.caption
    assert "Not shown" not in drawn.caption


def test_a_second_swept_key_tells_lines_apart() -> None:
    [first, *_] = swept(report(GRID)).values()
    assert lines(first) == {"Small, patch 7": [3, 5, 9], "Small, patch 14": [3, 5, 9]}


def test_lines_are_called_as_labels_begin_and_else_as_the_family() -> None:
    named = [
        convmixer(f"{word}-{depth}", f"{word} {depth}", dim=dim, depth=depth)
        for word, dim in (("Thin", 8), ("Thick", 16))
        for depth in (1, 2, 4)
    ]
    [first, *_] = swept(report(named)).values()
    assert lines(first) == {"Thin": [1, 2, 4], "Thick": [1, 2, 4]}
    unlike = [convmixer(name, depth=depth) for depth, name in enumerate("abc", 1)]
    [first, *_] = swept(report(unlike)).values()
    assert lines(first) == {"ConvMixer": [1, 2, 3]}


def test_a_model_written_by_hand_is_on_the_line_too() -> None:
    args = {**ONE[0].args, "kernel_size": 7}
    published = Model("convmixer_9", "C", "convmixer", "convmixer", "convmixer_9", args)
    [first, *_] = swept(report([*ONE, published])).values()
    assert lines(first) == {"ConvMixer": [3, 5, 7, 9]}


def test_arguments_of_timm_and_of_code_are_swept() -> None:
    vits = [Model(f"v-{d}", f"v-{d}", "vit", "timm", "vit_tiny", {"depth": d}) for d in (1, 2, 3)]
    code = [Model(f"c-{d}", f"c-{d}", "c", "python", "m:build", {"depth": d}) for d in (1, 2, 3)]
    [first, *_] = swept(report([*vits, *code])).values()
    assert lines(first) == {"v": [1, 2, 3], "c": [1, 2, 3]}


def test_an_argument_may_be_called_as_settings_call_theirs() -> None:
    code = [Model(f"c-{d}", f"c-{d}", "c", "python", "m:b", {"image_size": d}) for d in (1, 2, 3)]
    drawn = swept(report(code, sizes((56, 8), (112, 8), (224, 8)), ("throughput",)))
    assert [(plot.title, lines(plot)) for plot in drawn.values()] == [
        *((f"Throughput against image size · r{r}", {"c": [1, 2, 3]}) for r in (56, 112, 224)),
        ("Throughput against image size", {f"c-{d}": [56, 112, 224] for d in (1, 2, 3)}),
    ]
    assert len(drawn) == 4


@pytest.mark.parametrize("models", [ONE[:2], PAPER, [convmixer(a, activation=a) for a in "abc"]])
def test_two_values_or_words_make_no_line(models: Sequence[Model]) -> None:
    assert not swept(report(models))


def test_a_variant_that_failed_is_named() -> None:
    run = make_run(
        (*GRID[::2], convmixer("small-k11", "Small k11", kernel_size=11), PAPER[2]),
        (FP16,),
        MEASURES,
    )
    lines_of_run = [
        failed(record, "out of memory")
        if record.model == "small-k11" and record.measure == "throughput"
        else record
        for record in make_records(run)
    ]
    [first, *_] = swept(summarise(run, lines_of_run)).values()
    assert lines(first) == {"Small": [3, 5, 9]}
    assert first.caption.endswith("Not shown because they have no throughput there: Small k11.")


def sizes(*pairs: tuple[int, int]) -> list[Setting]:
    return [
        dataclasses.replace(FP16, name=f"r{size}", image_size=size, batch_size=batch)
        for size, batch in pairs
    ]


@pytest.mark.parametrize("batches", [(64, 64, 64), (64, 16, 4)])
def test_settings_that_differ_in_their_images_make_a_line(batches: tuple[int, ...]) -> None:
    pairs = list(zip((56, 112, 224), batches, strict=True))
    drawn = swept(report(PAPER[:2], sizes(*pairs)))
    shared = f"cuda-fp16-nchw-eager{'-b64' if len(set(batches)) == 1 else ''}"
    assert list(drawn) == [f"sweep-throughput-image-size-{shared}", "sweep-macs-image-size"]
    for sweep in drawn.values():
        assert lines(sweep) == {model.label: [56, 112, 224] for model in PAPER[:2]}


def test_two_batches_at_each_size_make_two_figures() -> None:
    pairs = [(size, batch) for size in (56, 112, 224) for batch in (1, 8)]
    names = [name for name in swept(report(PAPER[:2], sizes(*pairs))) if "throughput" in name]
    assert names == [f"sweep-throughput-image-size-cuda-fp16-nchw-eager-b{b}" for b in (1, 8)]


def test_batches_make_lines_of_each_timing() -> None:
    drawn = swept(
        report(PAPER[:2], sizes((224, 1), (224, 8), (224, 64)), ("throughput", "latency"))
    )
    shared = "batch-size-cuda-fp16-nchw-eager-r224"
    assert list(drawn) == [f"sweep-throughput-{shared}", f"sweep-latency-p50-{shared}"]


def test_values_that_double_stand_as_far_apart_and_are_its_ticks() -> None:
    depths = [convmixer(f"net-{depth}", depth=depth) for depth in (4, 8, 16)]
    [first, *_] = swept(report(depths)).values()
    svg = draw([first])[0].svg
    for text in (">4<", ">8<", ">16<", ">Depth<", ">net<", "net-8: Depth 8, Throughput"):
        assert text in svg
    ax = plot.sweep(report(depths).samples)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert plot.sweep(report(ONE).samples).get_xscale() == "linear"


def test_a_user_says_what_to_draw() -> None:
    from matplotlib import pyplot

    samples = report(GRID, sizes((56, 8), (112, 8), (224, 8))).samples
    with pytest.raises(ValueError, match="over: expected what was swept: kernel_size, im"):
        plot.sweep(samples)
    with pytest.raises(ValueError, match="give one as setting=…: cuda-") as refused:
        plot.sweep(samples, over="kernel_size")
    key = str(refused.value).rpartition(", ")[2]
    assert plot.sweep(samples, over="kernel_size", setting=key).get_xlabel() == "Kernel size"
    assert plot.sweep(samples, over="image_size").get_xlabel() == "Image size (pixels)"
    assert plot.sweep(samples, over="image_size", metric="macs").get_ylabel() == "MACs (billions)"
    with pytest.raises(ValueError, match="no curves of 'flops'; there are params, macs"):
        plot.sweep(samples, metric="flops")
    with pytest.raises(ValueError, match="nothing was swept: .* in 3 values"):
        plot.sweep(report(PAPER[:1]).samples)
    pyplot.close("all")


RATES = {1: 100.0, 8: 700.0, 64: 980.0, 256: 1000.0}


def over_batches(rates: dict[int, float], fails: int = 0) -> Plot:
    """Throughput against the batch size, of two models in settings whose order is another; the
    first model fails in one."""
    by_size = {
        size: dataclasses.replace(FP16, name=f"b{size}", batch_size=size)
        for size in sorted(rates, reverse=True)
    }
    run = make_run(PAPER[:2], (BF16, *by_size.values()), ("throughput",), replicates=2)
    throughputs = {by_size[size].key: [rate] for size, rate in rates.items()}
    failing = f"{PAPER[0].name}/throughput/{by_size[fails].key}" if fails else ""
    records = [
        failed(record, "out of memory") if record.cell == failing
        else dataclasses.replace(
            record, values={"throughput": throughputs.get(record.setting, [1.0])}
        )
        for record in make_records(run)
    ]  # fmt: skip
    [drawn] = swept(summarise(run, records)).values()
    return drawn


def test_throughput_by_batch_size_has_its_knee() -> None:
    drawn = over_batches(RATES)
    assert drawn.name == "sweep-throughput-batch-size-cuda-fp16-nchw-eager-r224"
    first = drawn.data[:4]
    assert first[["x", "y"]].to_numpy().tolist() == [
        [size, pytest.approx(rate)] for size, rate in RATES.items()
    ]
    assert set(first["line"]) == {PAPER[0].name}
    assert first["label"].tolist() == ["", "", "", PAPER[0].label]
    assert drawn.data.loc[drawn.data["ring"], "x"].tolist() == [64, 64]
    assert f"{PAPER[0].label} from 100.0 at 1 to 1,000 at 256, knee at 64" in drawn.alt
    assert "reaches 95 %" in drawn.caption
    [svg] = [each.svg for each in draw([drawn])]
    for text in (">1<", ">8<", ">64<", ">256<", ">Batch size<", ">ConvMixer-768/32<"):
        assert text in svg


def test_a_batch_size_that_failed_is_left_out() -> None:
    data = over_batches(RATES, fails=256).data
    mine = data[data["line"] == PAPER[0].name]
    assert mine["x"].tolist() == [1, 8, 64] and mine["label"].iloc[-1] == PAPER[0].label
    assert not mine["ring"].any()


@pytest.mark.parametrize(
    ("rates", "knee"),
    [
        ({1: 100.0, 2: 200.0, 4: 400.0}, []),  # still doubling
        ({1: 100.0, 2: 190.0, 4: 200.0}, [2]),  # 95 % of 200
        ({1: 100.0, 2: 189.0, 4: 200.0}, []),
        ({1: 200.0, 2: 150.0, 4: 120.0}, [1]),  # a batch only makes it slower
    ],
)
def test_the_knee(rates: dict[int, float], knee: list[int]) -> None:
    data = over_batches(rates).data[: len(rates)]
    assert data.loc[data["ring"], "x"].tolist() == knee
