"""What rows differ in and do not show is told in footnotes, in every format."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

import pytest

from cmx_bench.present import latex
from cmx_bench.present.content import Column, Entry, Note, Table, in_order
from cmx_bench.present.drawing import Plot, draw
from cmx_bench.report import exports, overview
from cmx_bench.report.figures import plots
from cmx_bench.report.findings import findings
from cmx_bench.report.formats import RENDERERS
from cmx_bench.report.tables import caveats, tables
from cmx_bench.report.tables.table_one import table_one
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run
from cmx_bench.spec.claims import Claim

from ..synthetic import BF16, ENVIRONMENT, FP16, FP32, PAPER, make_records, make_run

COLUMNS = (Column("name", "Name"), Column("value", "Value"))


def small(*hidden: caveats.Hidden) -> Table:
    rows = tuple((Entry(str(place)), Entry("1")) for place in range(len(hidden)))
    return caveats.tell_apart(Table("t", "T", COLUMNS, rows), "made", {"value": hidden})


def marks(table: Table, key: str = "value") -> list[str]:
    place = [column.key for column in table.columns].index(key)
    return [row[place].marks for row in table.rows]


def notes(table: Table) -> dict[str, str]:
    return {note.mark: note.text for note in table.notes}


def test_rows_that_differ_have_a_letter_for_what_they_differ_in() -> None:
    table = small(
        {"crop": "crop 0.9", "size": "224 px"},
        {"crop": "crop 1.0", "size": "224 px"},
        {"crop": "crop 0.9", "size": "224 px"},
        {},
    )
    assert marks(table) == ["a", "b", "a", ""]
    assert notes(table) == {"a": "made with crop 0.9", "b": "made with crop 1.0"}


@pytest.mark.parametrize("hidden", [[], [{}], [{"crop": "0.9"}] * 3, [{"crop": "0.9"}, {}]])
def test_rows_that_do_not_differ_have_none(hidden: list[caveats.Hidden]) -> None:
    assert small(*hidden).notes == ()


@pytest.mark.parametrize(
    ("measure", "details", "column", "note"),
    [
        ("memory", {"peak_since": "the start of the process"}, "memory",
         "the peak since the start of the process, building the model included"),
        ("throughput", {"graph_breaks": 2}, "throughput",
         "partly eager: 2 graph breaks in what was compiled"),
        ("throughput", {"precisions": {"float64": 0.25}}, "throughput",
         "computes 25 % of its MACs in float64 by its own choice"),
    ],
)  # fmt: skip
def test_what_only_a_record_tells_has_a_letter(
    measure: str, details: Mapping[str, object], column: str, note: str
) -> None:
    run = make_run(PAPER[:2])
    read = [
        dataclasses.replace(record, details=details)
        if record.measure == measure and record.model == PAPER[0].name
        else record
        for record in make_records(run)
    ]
    table = table_one(summarise(run, read), FP16)
    assert [mark.strip("≈*") for mark in marks(table, column)] == ["a", ""]
    assert notes(table)["a"] == note


def test_what_only_some_rows_rest_on_is_a_difference() -> None:
    assert marks(small({"a": "x"}, {"a": "x", "b": "y"})) == ["", "a"]


def test_letters_go_on_after_z() -> None:
    table = small(*({"number": f"no. {number}"} for number in range(30)))
    assert marks(table)[24:29] == ["y", "z", "aa", "ab", "ac"]
    assert [note.mark for note in table.notes][-5:] == ["z", "aa", "ab", "ac", "ad"]


def test_letters_stand_before_other_marks() -> None:
    ordered = in_order(Note(mark, "") for mark in ("‡", "aa", "†C", "b", "†C"))
    assert [note.mark for note in ordered] == ["b", "aa", "†C", "‡"]


def test_published_top1_of_differing_crops_are_told_apart(
    run: Run, run_records: list[Record]
) -> None:
    table = table_one(summarise(run, run_records), FP16)
    assert marks(table, "top1_timm")[:3] == ["a", "a", "b"]
    assert notes(table)["a"] == "evaluated with crop 0.960, bicubic"


def evaluated(*crops: float) -> Report:
    """Models evaluated with these crops; the second one's weights were distilled."""
    models = tuple(
        dataclasses.replace(model, recipe="fb_distilled_in1k" * place)
        for place, model in enumerate(PAPER[: len(crops)])
    )
    run = make_run(models, (FP32,), ("params",))
    cells = {model.name: f"{model.name}/accuracy/{FP32.key}" for model in models}
    run = dataclasses.replace(run, measures=("params", "accuracy"), cells=tuple(cells.values()))
    run = dataclasses.replace(run, accuracy={"dataset": "imagenet-val"})
    return summarise(run, [_accuracy(cells[model.name], model.name, crop)
                           for model, crop in zip(models, crops, strict=True)])  # fmt: skip


def _accuracy(cell: str, name: str, crop: float) -> Record:
    geometry = {"image_size": 224, "crop_pct": crop, "crop_mode": "center",
                "interpolation": "bicubic"}  # fmt: skip
    details = {
        "images": 1000, "broken": {}, "weights_sha256": "ab" * 32,
        "correct": {"top1": 800, "top5": 900},
        "preprocessing": {"geometry": geometry, "mean": [0.5] * 3, "std": [0.5] * 3},
    }  # fmt: skip
    return Record(cell, name, "accuracy", FP32.key, 0, "ok", {"top1": [0.8], "top5": [0.9]}, "",
                  "e1", "2026-01-01T00:00:00.000+00:00", 2.0, details=details)  # fmt: skip


def test_measured_top1_of_differing_crops_are_told_apart() -> None:
    table = table_one(evaluated(0.875, 0.96), FP32)
    assert marks(table, "top1") == ["a", "b, §"]
    assert notes(table)["a"] == "evaluated with crop 0.875 center"
    assert notes(table)["§"] == "weights distilled from a teacher, according to their name"
    assert marks(table_one(evaluated(0.96, 0.96), FP32), "top1") == ["", "§"]


def test_every_table_with_measured_accuracies_tells_them_apart() -> None:
    metrics = next(table for table in tables(evaluated(0.875, 0.96)) if table.key == "metrics")
    assert [marks(metrics, key) for key in ("top1", "top5")] == [["a", "b, §"]] * 2


def test_letters_of_several_kinds_differ() -> None:
    table = caveats.tell_apart(small({"x": "1"}, {"x": "2"}), "told", {"name": [{"y": "3"}, {}]})
    assert notes(caveats.tell_apart(table, "told", {"name": [{"y": "3"}, {"y": "4"}]})) == {
        "a": "made with 1", "b": "made with 2", "c": "told with 3", "d": "told with 4",
    }  # fmt: skip


def test_fidelity_names_images_that_were_prepared_in_another_way() -> None:
    report = evaluated(0.96, 0.875)
    table = next(table for table in tables(report) if table.key == "fidelity")
    first = [row[-1].text for row in table.rows if row[0].text == PAPER[0].label]
    assert first == ["within the 95 % interval"] * 2  # the paper's, and timm's, with that crop
    other = table_rows(evaluated(0.875, 0.96), PAPER[0].label)
    assert other[1].endswith("; measured with 224 px, crop 0.875, bicubic, "
                             "published with 224 px, crop 0.960, bicubic")  # fmt: skip


def table_rows(report: Report, label: str) -> list[str]:
    table = next(table for table in tables(report) if table.key == "fidelity")
    return [row[-1].text for row in table.rows if row[0].text == label]


def settings(**differing: object) -> Report:
    """Two settings, the second with another environment."""
    claim = Claim("Fast", "throughput(resnet50) > 1")
    run = dataclasses.replace(
        make_run(settings=(FP32, BF16)), claims=(claim,),
        environments={"e1": ENVIRONMENT, "e2": ENVIRONMENT | differing},
    )  # fmt: skip
    lines = [
        dataclasses.replace(record, environment="e2") if record.setting == BF16.key else record
        for record in make_records(run)
    ]
    return summarise(run, lines)


@pytest.fixture
def table_of() -> Mapping[str, Table]:
    report = settings(fp32_precision_matmul="tf32", fused_attention=False)
    return {table.key: table for table in tables(report)}


def test_settings_tell_what_their_keys_do_not(table_of: Mapping[str, Table]) -> None:
    assert set(marks(table_of["metrics"], "setting")) == {"a", "b"}
    assert notes(table_of["metrics"]) == {
        "a": "measured with fp32_precision_matmul ieee, fused_attention True",
        "b": "measured with fp32_precision_matmul tf32, fused_attention False",
    }


@pytest.mark.parametrize("key", ["claims", "fidelity"])
def test_where_only_a_name_stands_the_key_is_told(table_of: Mapping[str, Table], key: str) -> None:
    assert notes(table_of[key])["a"].startswith(
        f"measured with {FP32.key}, fp32_precision_matmul ieee"
    )
    assert notes(table_of[key])["b"].startswith(
        f"measured with {BF16.key}, fp32_precision_matmul tf32"
    )


def test_like_settings_have_no_footnotes() -> None:
    table = next(table for table in tables(settings()) if table.key == "metrics")
    assert set(marks(table, "setting")) == {""}


@pytest.mark.usefixtures("undrawn")
def test_every_format_has_the_footnotes() -> None:
    report = settings(fused_attention=False)
    for format in ("html", "md", "latex"):
        text = RENDERERS[format](report).replace("\\", "")
        assert text.count("fused_attention True") >= 2
    table = next(table for table in tables(report) if table.key == "claims")
    assert "b  measured with cuda-bf16" in overview.text(table, 200)
    assert "a: measured with cuda-fp32" in exports.table(
        table
    ) and r"\textsuperscript{a}" in latex.table(table)


# --- accuracy beside speed ------------------------------------------------------------------------

SMALL = dataclasses.replace(FP32, image_size=64)


def small_beside(
    size: int = 224, weights: str | None = None, timed: bool = True, measured: bool = True
) -> Report:
    """Two models timed with 64 px; the first was evaluated with images of `size`."""
    models = (dataclasses.replace(PAPER[0], weights="in1k"), PAPER[2])
    run = make_run(models, (SMALL,), ("params", "throughput") if timed else ("params",))
    lines = make_records(run)
    if measured:
        cells = (*run.cells, *(f"{model.name}/accuracy/{SMALL.key}" for model in models))
        run = dataclasses.replace(
            run, cells=cells, measures=(*run.measures, "accuracy"),
            accuracy={"dataset": "imagenet-val"},
        )  # fmt: skip
        for model, side, tag in ((models[0], size, weights), (models[1], 64, None)):
            record = _accuracy(f"{model.name}/accuracy/{SMALL.key}", model.name, 0.9)
            details = json.loads(json.dumps(record.details))
            details["preprocessing"]["geometry"]["image_size"] = side
            details["weights"] = tag or model.weights
            lines.append(dataclasses.replace(record, setting=SMALL.key, details=details))
    return summarise(run, lines)


SIZES = "accuracy is of images of 224 px, speed of 64 px"


def test_accuracy_of_another_size_than_the_speed_beside_it_is_marked() -> None:
    table = table_one(small_beside(), SMALL)
    text_of = notes(table)
    [mark] = [mark for mark, text in text_of.items() if text == SIZES]
    assert [mark in cell.split(", ") for cell in marks(table, "top1")] == [True, False]
    metrics = next(table for table in tables(small_beside()) if table.key == "metrics")
    assert SIZES in notes(metrics).values()
    assert marks(metrics, "top1")[1] != marks(metrics, "top1")[0]


def test_it_is_marked_though_all_rows_have_it_and_in_every_format() -> None:
    """Of published accuracies all are of 224 px."""
    report = small_beside(measured=False)
    table = table_one(report, SMALL)
    [mark] = [mark for mark, text in notes(table).items() if text == SIZES]
    for key in ("top1_paper", "top1_timm"):
        assert all(mark in cell.split(", ") for cell in marks(table, key))
    for text in (*(RENDERERS[name](report) for name in ("html", "md", "latex")),
                 exports.table(table), overview.text(table, 250)):  # fmt: skip
        assert SIZES in text


def test_nothing_is_marked_where_sizes_agree_or_nothing_was_timed() -> None:
    agreeing = table_one(small_beside(size=64), SMALL)
    assert marks(agreeing, "top1") == ["", ""]
    assert SIZES not in notes(table_one(small_beside(timed=False), SMALL)).values()


def test_accuracy_of_weights_that_the_row_does_not_name_is_marked() -> None:
    texts = notes(table_one(small_beside(64, "models/other_in22k.safetensors"), SMALL)).values()
    assert any(
        text.endswith("accuracy is of the weights other_in22k.safetensors, which are not those "
                      "named here") for text in texts)  # fmt: skip
    same = notes(table_one(small_beside(64), SMALL)).values()
    assert not any("weights" in text for text in same)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("size", "before"), [(224, "224 px"), (None, "another size")])
def test_resampled_weights_are_marked_wherever_their_accuracy_stands(
    size: int | None, before: str
) -> None:
    report = small_beside(64)
    read = [
        dataclasses.replace(record, details={**record.details, "resampled": {"image_size": size}})
        if record.measure == "accuracy" and record.model == PAPER[0].name
        else record
        for record in report.records
    ]
    report = summarise(report.run, read)
    said = f"its weights are of images of {before}, and were resampled to 64 px as timm does"
    table_1, accuracies, metrics = (
        next(table for table in tables(report) if table.key.startswith(key))
        for key in ("table1-", "accuracy-", "metrics")
    )
    for table in (table_1, accuracies, metrics):
        assert said in notes(table).values()
        assert marks(table, "top1")[0] and not marks(table, "top1")[1]
    for text in (RENDERERS["html"](report), RENDERERS["md"](report), RENDERERS["latex"](report)):
        assert said in text


def test_the_front_says_of_which_size_a_top1_is() -> None:
    def front(report: Report) -> Plot:
        return next(plot for plot in plots(report).drawn if plot.name.startswith("front"))

    plot = front(small_beside())
    assert "(224 px)" in plot.data["label"].iloc[0] and "px" not in plot.data["label"].iloc[1]
    assert "images of 64 px" in plot.caption
    assert "Brackets" not in front(small_beside(64)).caption
    published = front(small_beside(measured=False))
    assert ">ImageNet top-1 (%) (224 px)<" in draw([published])[0].svg
    assert not published.data["label"].str.contains("px").any()
    assert "images of 64 px" in published.caption
    assert "other weights" in front(small_beside(64, "other")).data["label"].iloc[0]


def test_figure_one_says_whose_images_have_another_size() -> None:
    [plot] = [plot for plot in plots(small_beside(224)).drawn if plot.name == "figure1"]
    labels = list(plot.data["label"])
    assert sum(label.endswith("(64 px)") for label in labels) == 1
    assert "where it is not 224 px" in plot.caption


def test_findings_that_compare_with_figures_of_another_size_say_so() -> None:
    report = small_beside(measured=False)
    texts = {table.topic: table.text for table in findings(report, tables(report)).items}
    assert texts["Speed"].endswith("on an RTX 8000 with images of 224 px.")
    assert texts["Paper"].endswith("with images of 224 px).")
    fidelity = next(table for table in tables(report) if table.key == "fidelity")
    assert fidelity.rows[-1][-1].text.endswith("; measured with 64 px, published with 224 px")


@pytest.mark.usefixtures("undrawn")
def test_the_explorer_says_it_beside_the_value() -> None:
    assert SIZES in RENDERERS["html"](small_beside())
