"""The explorer's data: its values are those of the tables, and no name leaves its block."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

import cmx_bench
from cmx_bench.present import page
from cmx_bench.present.drawing import theme
from cmx_bench.report import explorer
from cmx_bench.report.formats import RENDERERS
from cmx_bench.report.tables import tables
from cmx_bench.report.verify import verify
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise

from .synthetic import BF16, FP16, PAPER, make_records, make_run, model
from .test_formats import awkward, mixed

pytestmark = pytest.mark.usefixtures("undrawn")

VENDOR = Path(page.__file__).parent / "templates" / "vendor"


def rows(report: Report, *settings: str) -> dict[str, list[str]]:
    return {key: [f"row-{model.name}" for model in report.run.models] for key in settings}


def points(report: Report, *settings: str) -> dict[str, Any]:
    return dict(explorer.points(report, rows(report, *settings)))


def values(content: dict[str, Any], model: str, setting: str = FP16.key) -> dict[str, Any]:
    """The values of one point, by axis."""
    [point] = [
        point
        for point in content["points"]
        if (point["model"], point["setting"]) == (model, setting)
    ]
    return dict(point["values"])


def test_a_point_has_every_value_of_its_model_as_the_tables_show_it() -> None:
    content = points(mixed(), FP16.key, BF16.key)
    [table] = [table for table in tables(mixed()) if table.key == "metrics"]
    metrics = [column.key for column in table.columns[2:]]
    assert metrics == [axis["key"] for axis in content["axes"] if not axis["published"]]
    place = [model.name for model in PAPER].index("resnet152")
    entries = dict(zip(metrics, table.rows[place][2:], strict=True))
    shown = values(content, "resnet152")
    assert {key: shown[key][3] for key in metrics} == {k: e.flat for k, e in entries.items()}


def test_values_are_in_the_unit_of_their_axis_to_six_digits() -> None:
    report = mixed()
    content = points(report, FP16.key)
    units = {axis["key"]: axis["unit"] for axis in content["axes"]}
    assert (units["params"], units["macs"], units["throughput"]) == ("M", "GMAC", "images/s")
    assert (units["peak_memory"], units["top1_paper"]) == ("MiB", "%")
    shown = values(content, "convmixer_768_32")
    assert shown["params"][:3] == (21.1102, None, None)
    assert shown["macs"][0] == 2.11102
    assert shown["top1_paper"] == (80.16, None, None, "80.16 %")
    estimate = report.results["convmixer_768_32", FP16.key, "throughput"].estimate
    assert estimate is not None
    assert shown["throughput"][:3] == pytest.approx(
        (estimate.value, estimate.low, estimate.high), rel=5e-6
    )


def test_published_values_are_marked_and_apart() -> None:
    content = points(mixed(), FP16.key)
    published = {axis["key"]: axis for axis in content["axes"] if axis["published"]}
    assert set(published) == {"top1_paper", "top1_timm"}
    assert "on ImageNet-1k, not measured here" in published["top1_paper"]["about"]
    assert values(content, "resnet152")["top1_paper"][3] == "79.64 % †C"
    assert "top1_paper" not in values(content, "mixer_s16_224")


def test_what_models_were_swept_over_is_an_axis() -> None:
    vit = model("vit", "ViT", "vit")
    swept = [dataclasses.replace(vit, name=f"d{depth}", args={"depth": depth}) for depth in (2, 4)]
    run = make_run((*swept, PAPER[1]), measures=("throughput",))
    content = points(summarise(run, make_records(run)), FP16.key)
    assert content["axes"][-1] == {
        "key": "arg_depth", "title": "Depth", "unit": "", "published": False,
        "about": "depth: an argument of the models, in which they differ.",
    }  # fmt: skip
    assert values(content, "d4")["arg_depth"] == (4.0, None, None, "4")
    assert "arg_depth" not in values(content, PAPER[1].name)
    unmeasured = summarise(make_run(tuple(swept)), [])
    assert not points(unmeasured, FP16.key)["points"]


def test_what_was_not_measured_is_no_value() -> None:
    content = points(mixed(), FP16.key, BF16.key)
    assert "throughput" in values(content, "mixer_s16_224")
    assert "throughput" not in values(content, "mixer_s16_224", BF16.key)


def test_points_are_of_the_settings_that_table_1_has() -> None:
    content = points(mixed(), BF16.key)
    assert content["settings"] == [{"key": BF16.key, "label": "bf16"}]
    assert {point["setting"] for point in content["points"]} == {BF16.key}


def test_axes_begin_with_what_the_run_has() -> None:
    assert points(mixed(), FP16.key)["begin"] == ["throughput", "top1_paper"]
    run = make_run(models=(model("mine", "Mine", "own"),), measures=("params",))
    content = points(summarise(run, make_records(run)), FP16.key)
    assert content["begin"] == ["params", "trainable_params"]


def test_families_look_as_in_the_figures() -> None:
    assert points(mixed(), FP16.key)["families"][0] == {
        "key": "convmixer", "label": "ConvMixer", "colour": "var(--hue-d55e00)", "marker": "*",
    }  # fmt: skip
    families = points(awkward(), FP16.key)["families"]
    assert len(families) == 11
    assert all(family["colour"].startswith("var(--hue-") for family in families)


def test_the_page_can_draw_every_marker() -> None:
    script = (Path(cmx_bench.__file__).parent / "report/templates/explorer.js").read_text()
    shapes = script.partition("const SHAPES = {")[2].partition("};")[0]
    markers = {style.marker for style in theme.styles_of((*theme.STYLES, *"abcde")).values()}
    assert len(markers) == len(theme.STYLES) + 5
    assert markers == set(re.findall(r'"(.)":', shapes))


def test_each_point_leads_to_its_row_in_table_1() -> None:
    page = RENDERERS["html"](mixed())
    [block] = re.findall(
        r'<script type="application/json" id="explorer-data">\n(.*?)\n</script>', page, re.DOTALL
    )
    content = json.loads(block)
    assert len(content["points"]) == 22
    for point in content["points"]:
        row = re.search(f'<tr id="{re.escape(point["row"])}">\n<th[^\n]*', page)
        assert row is not None and f">{point['label']}</a>" in row[0]
        assert point["row"].startswith(f"table1-{point['setting']}.")


def test_names_cannot_leave_the_block() -> None:
    block = explorer.block(awkward(), rows(awkward(), FP16.key))
    assert "<" not in block
    labels = [point["label"] for point in json.loads(block)["points"]]
    assert labels[0] == "<script>alert(1)</script>"
    assert labels[6:8] == ["two lines", "bell� and lone surrogate �"]


def test_without_a_value_there_is_no_explorer() -> None:
    run = make_run(models=(model("mine", "Mine", "own"),))
    page = RENDERERS["html"](summarise(run, []))
    assert "explorer-data" not in page and "d3js.org" not in page
    assert len(re.findall("<script>", page)) == 2


def test_a_changed_number_of_the_explorer_is_named(tmp_path: Path) -> None:
    run = make_run(models=PAPER[:3])
    page = RENDERERS["html"](summarise(run, make_records(run)))
    path = tmp_path / "report.html"
    path.write_text(page.replace('"params": [51.626, ', '"params": [50.626, '), encoding="utf-8")
    [difference] = verify(path).differences
    assert difference.place.startswith("line ")
    assert "[50.626, " in difference.shown and "[51.626, " in difference.recomputed


def test_vendored_files_are_those_that_their_readme_names() -> None:
    named = dict(
        re.findall(r"^\| `([\w.]+\.js)` .*`(\w{64})` \|$", (VENDOR / "README.md").read_text(), re.M)
    )
    scripts = {path.name: path.read_bytes() for path in VENDOR.glob("*.js")}
    assert {name: hashlib.sha256(text).hexdigest() for name, text in scripts.items()} == named
    assert all(b"</script" not in text.lower() for text in scripts.values())
