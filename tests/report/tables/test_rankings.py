"""The tables of accuracy: ranks with ties, pairs, pictures, what a setting costs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cmx_bench import report
from cmx_bench.errors import RecordsError
from cmx_bench.present.content import Table
from cmx_bench.report import entries, verify
from cmx_bench.report.formats import RENDERERS
from cmx_bench.report.tables import judgements, rankings, tables
from cmx_bench.results import agreement, loading, predictions, records, stats
from cmx_bench.results.nouns import Report
from cmx_bench.results.predictions import PREDICTED, ROW, Images
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record
from cmx_bench.spec.claims import Claim

from ...conftest import append_record
from .. import rendering
from ..synthetic import BF16, FP32, PAPER, make_records, make_run

pytestmark = pytest.mark.usefixtures("undrawn")

COUNT = 400
# Of 400 images the models have right: all but those from a number on; the last two differ by two.
RIGHT = {"convmixer_1536_20": 360, "resnet152": 240, "resmlp_12_224": 238}
MODELS = tuple(model for model in PAPER if model.name in RIGHT)


def rows(right: int, shift: int) -> np.ndarray:
    """Class 0 for the first `right` images and 1 for others; `shift` of the wrong say 2."""
    array = np.zeros(COUNT, ROW)
    array["state"] = PREDICTED
    array["top5"][:, 0] = np.where(np.arange(COUNT) < right, 0, 1)
    if shift:
        array["top5"][-shift:, 0] = 2
    return array


def details(right: int, broken: int = 0) -> dict[str, object]:
    return {
        "dataset": "imagenet-val", "images": COUNT, "correct": {"top1": right, "top5": COUNT},
        "broken": {f"{number}.jpg": "OSError: truncated" for number in range(broken)},
        "preprocessing": {
            "geometry": {"image_size": 224, "crop_pct": 0.875, "crop_mode": "center",
                         "interpolation": "bicubic"},
            "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
        },
        "weights_sha256": "0123456789abcdef" * 4,
    }  # fmt: skip


@pytest.fixture
def evaluated(tmp_path: Path) -> Report:
    run = make_run(MODELS, (FP32, BF16), ("params", "throughput", "accuracy"))
    run = dataclasses.replace(run, accuracy={"dataset": "imagenet-val"})
    records.write_run(tmp_path, run)
    predictions.folder_of(tmp_path).mkdir()
    keys = tuple(f"n01440764/{number}.jpg" for number in range(COUNT))
    predictions.write_images(tmp_path, Images(keys, tuple((0,) for _ in keys)))
    measured = dataclasses.replace(run, cells=tuple(c for c in run.cells if "/acc" not in c))
    for record in make_records(measured):
        append_record(tmp_path, record)
    for setting in run.settings:
        for model in MODELS:
            right = RIGHT[model.name] - (setting == BF16)
            array = rows(right, 3 if setting == BF16 else 0)
            predictions.finish(array, predictions.path(tmp_path, model.name, setting.key))
            cell = f"{model.name}/accuracy/{setting.key}"
            values = {"top1": [right / COUNT], "top5": [1.0]}
            append_record(tmp_path, Record(
                cell, model.name, "accuracy", setting.key, 0, "ok", values, "", "e1",
                "2026-01-01T00:00:00.000+00:00", 2.0, details=details(right),
            ))  # fmt: skip
    thumbnail = tmp_path / agreement.thumbnail(240)
    thumbnail.parent.mkdir()
    thumbnail.write_bytes(b"\xff\xd8\xff bytes")
    return report.read(tmp_path)


def table(report: Report, key: str) -> Table:
    return next(table for table in tables(report) if table.key == key)


def column(table: Table, key: str) -> list[str]:
    place = [heading.key for heading in table.columns].index(key)
    return [row[place].flat for row in table.rows]


def test_table_one_has_what_was_measured_beside_what_is_published(evaluated: Report) -> None:
    shown = table(evaluated, f"table1-{FP32.key}")
    assert column(shown, "top1")[0] == "90 (± 3.0, n = 400 images)"
    assert column(shown, "top1_paper")[0] == "81.37"
    assert column(shown, "throughput")[0].startswith("100 ")


def test_models_that_images_cannot_tell_apart_share_ranks(evaluated: Report) -> None:
    shown = table(evaluated, f"accuracy-{FP32.key}")
    assert column(shown, "rank") == ["1", "2–3", "2–3"]
    assert column(shown, "weights") == ["0123456789ab"] * 3
    assert column(shown, "broken") == ["0"] * 3
    assert (
        column(shown, "preprocessing")[0]
        == "224 px, crop 0.875 center, bicubic, mean 0.485/0.456/0.406"
    )


@pytest.mark.parametrize("kept", [0, 1])
def test_models_without_predictions_are_compared_by_their_intervals(
    evaluated: Report, kept: int
) -> None:
    """Of 90 %, 60 % and 59.5 %: the worst is no leader because nobody kept what it said."""
    classes = dict(list(evaluated.votes.classes.items())[:kept])
    few = dataclasses.replace(evaluated, votes=agreement.votes(evaluated.votes.images, classes))
    shown = table(few, f"accuracy-{FP32.key}")
    assert column(shown, "rank") == ["1", "2–3", "2–3"]
    assert shown.remarks[0].startswith("Models are compared by their intervals, because")
    place = [column.key for column in table(few, f"table1-{FP32.key}").columns].index("top1")
    bold = [row[place].best for row in table(few, f"table1-{FP32.key}").rows]
    assert bold == [True, False, False]


def test_pairs_on_the_same_images(evaluated: Report) -> None:
    shown = table(evaluated, f"pairs-{FP32.key}")
    assert column(shown, "lost") == ["120", "122", "2"]
    assert column(shown, "gained") == ["0", "0", "0"]
    assert column(shown, "verdict") == ["yes", "yes", "tie"]
    assert column(shown, "p") == ["< 0.0001", "< 0.0001", "0.5000"]
    assert column(shown, "difference")[2] == "-0.50 (-1.34 to +0.35)"


def test_agreement_counts_wrong_answers_too(evaluated: Report) -> None:
    shown = table(evaluated, f"agreement-{FP32.key}")
    assert [[entry.flat for entry in row[1:]] for row in shown.rows] == [
        ["–", "70.0", "69.5"], ["70.0", "–", "99.5"], ["69.5", "99.5", "–"],
    ]  # fmt: skip


def test_images_that_only_one_has_right_are_shown(evaluated: Report) -> None:
    shown = table(evaluated, f"divided-{FP32.key}")
    first, _, last = shown.rows
    assert [picture.file for picture in first[1].pictures] == ["predictions/thumbnails/240.jpg"]
    assert "n01440764/240.jpg: 0, not 1" in first[1].flat
    assert (last[1].text, last[2].flat) == ("n01440764/239.jpg, n01440764/238.jpg", "")
    page = RENDERERS["html"](evaluated)
    assert 'src="data:image/jpeg;base64,/9j/IGJ5dGVz"' in page
    assert "](predictions/thumbnails/240.jpg)" in RENDERERS["md"](evaluated)


def test_what_a_setting_costs_and_gains(evaluated: Report) -> None:
    shown = table(evaluated, "settings")
    assert shown.title.endswith(f"compared with fp32 ({FP32.key})")
    assert column(shown, "flips") == ["4 (1.0 %)"] * 3
    assert column(shown, "lost") == ["1"] * 3
    assert column(shown, "gained") == ["0"] * 3
    # Both settings have the same values in each round: nothing is between them.
    assert set(column(shown, "speed")) == {"1.0000 (1.00000 to 1.00000)"}


@pytest.mark.parametrize(
    ("throughputs", "speed"),
    [([200.0], "2.0 (no interval)"), ([0.0, 1.0], "0.0050 (no interval)"), ([0.0], "not measured")],
)
def test_a_speed_without_logarithms_has_no_interval(
    evaluated: Report, throughputs: list[float], speed: str
) -> None:
    """Of a single process, or with a zero, as no machine measures it."""
    cell = f"{MODELS[0].name}/throughput/{BF16.key}"
    values = dict(enumerate(throughputs))
    records = [
        dataclasses.replace(record, values={"throughput": [values[record.replicate]]})
        if record.cell == cell else record
        for record in evaluated.records
        if record.cell != cell or record.replicate in values
    ]  # fmt: skip
    changed = dataclasses.replace(summarise(evaluated.run, records), votes=evaluated.votes)
    assert column(table(changed, "settings"), "speed")[0] == speed


@pytest.mark.parametrize(
    "check",
    [
        "top1(resnet152) > top1(resmlp_12_224)",
        "top1(resnet152) > top1(resmlp_12_224) + 1%",
        "top1(resnet152) - 1% > top1(resmlp_12_224)",
        "-1% > top1(resmlp_12_224) - top1(resnet152)",
    ],
)
def test_claims_about_two_models_are_decided_on_the_same_images(
    evaluated: Report, check: str
) -> None:
    """Their own intervals overlap; that of the images which only one has right does not hold 0."""
    right = {"resnet152": 240, "resmlp_12_224": 225}
    said = {(name, FP32.key): rows(count, 0)["top5"][:, 0] for name, count in right.items()}
    results = dict(evaluated.results)
    for name, count in right.items():
        key = (name, FP32.key, "top1")
        results[key] = results[key]._replace(**dataclasses.asdict(stats.proportion(count, COUNT)))
    claim = Claim("one is better", check)
    run = dataclasses.replace(evaluated.run, claims=(claim,), settings=(FP32,))
    votes = agreement.votes(evaluated.votes.images, said)
    [judged] = judgements.judge(
        dataclasses.replace(evaluated, run=run, results=results, votes=votes)
    )
    assert judged.state == "HOLDS"
    [apart] = judgements.judge(
        dataclasses.replace(evaluated, run=run, results=results, votes=agreement.NO_VOTES)
    )
    assert apart.state == "UNDECIDED"


def test_verify_recomputes_what_rests_on_predictions(evaluated: Report, tmp_path: Path) -> None:
    page = rendering.write(tmp_path)
    assert verify.verify(tmp_path).differences == ()
    assert verify.verify(page).differences == ()
    page.write_text(page.read_text().replace("2–3", "1–3", 1))
    [difference] = verify.verify(page).differences
    assert (difference.shown, difference.recomputed) == ("1–3", "2–3")
    rendering.write(tmp_path)
    key = ("resnet152", FP32.key)
    changed = rows(239, 0)
    predictions.finish(changed, predictions.path(tmp_path, *key))
    named = {
        (difference.file, difference.shown, difference.recomputed)
        for difference in verify.verify(tmp_path).differences
    }
    assert (f"predictions/{'.'.join(key)}.npz", "240", "239") in named
    with pytest.raises(RecordsError, match=f"of {key[0]} in {key[1]}: right by top-1: the records"):
        report.read(tmp_path)


def test_swapped_predictions_are_rendered_by_no_command(evaluated: Report, tmp_path: Path) -> None:
    first, other = (predictions.path(tmp_path, name, FP32.key) for name in list(RIGHT)[:2])
    swapped = first.read_bytes(), other.read_bytes()
    for path, content in zip((other, first), swapped, strict=True):
        path.write_bytes(content)
    with pytest.raises(RecordsError, match=r"right by top-1: the records say 360, .* are 240; put"):
        report.read(tmp_path)
    page = report.save(loading.read_folder(tmp_path), tmp_path)
    with pytest.raises(RecordsError, match="right by top-1: the records say 360, and these are 24"):
        report.read(page)


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        (slice(5), 7, {("right by top-5", "400", "399")}),
        (0, -1, {("images", "400", "399"), ("right by top-5", "400", "399")}),
    ],
)
def test_verify_recomputes_top_5_and_the_images_that_count(
    evaluated: Report,
    tmp_path: Path,
    column: int | slice,
    value: int,
    expected: set[tuple[str, ...]],
) -> None:
    """Of an image that top-1 has wrong, which `report` does not show."""
    path = predictions.path(tmp_path, "resnet152", FP32.key)
    changed = rows(RIGHT["resnet152"], 0)
    changed["top5"][-1, column] = value
    predictions.finish(changed, path)
    report.save(loading.read_folder(tmp_path), tmp_path)
    differences = verify.verify(tmp_path).differences
    assert {
        (difference.place, difference.shown, difference.recomputed) for difference in differences
    } == expected
    assert {difference.file for difference in differences} == {f"predictions/{path.name}"}
    in_page = verify.verify(tmp_path / "report.html").differences
    top1 = {place for place in expected if "top-5" not in place[0]}  # a page has no more
    assert {
        (difference.place, difference.shown, difference.recomputed) for difference in in_page
    } == top1


def test_a_run_without_accuracy_has_none_of_these(tmp_path: Path) -> None:
    records.write_run(tmp_path, make_run(MODELS))
    keys = {table.key.partition("-")[0] for table in tables(report.read(tmp_path))}
    assert not keys & {"accuracy", "pairs", "agreement", "divided", "settings"}


@pytest.mark.parametrize(
    ("right", "expected"), [(0, "0 to 0.95, n"), (200, "± 4.9, n"), (400, "99 to 100, n")]
)
def test_an_interval_that_ends_at_all_or_nothing_is_shown_by_its_ends(
    evaluated: Report, right: int, expected: str
) -> None:
    result = evaluated.results["resnet152", FP32.key, "top1"]
    estimate = result._replace(**dataclasses.asdict(stats.proportion(right, COUNT)))
    assert entries.show(estimate, 0.01).detail.startswith(expected)


def test_of_a_file_of_weights_the_name_is_shown_and_no_folder() -> None:
    model = dataclasses.replace(MODELS[0], weights="/home/me/w/net.pth")
    assert entries.network(model).detail == f"{model.name}, weights net.pth"


def test_of_many_models_the_most_accurate_stand_beside_each_other(
    evaluated: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = table(evaluated, f"pairs-{FP32.key}")
    monkeypatch.setattr(rankings, "_MOST_MODELS", 2)
    pairs = table(evaluated, f"pairs-{FP32.key}")
    assert [row[0].text for row in pairs.rows] == ["ConvMixer-1536/20 → ResNet-152"]
    assert column(pairs, "adjusted") == column(whole, "adjusted")[:1]
    assert len(table(evaluated, f"agreement-{FP32.key}").columns) == 3
    assert column(table(evaluated, f"divided-{FP32.key}"), "pair") == column(pairs, "pair")
    assert pairs.remarks[0] == ("The 2 most accurate of 3 models; ranks and p are those of all.")
    assert len(table(evaluated, f"accuracy-{FP32.key}").rows) == 3
