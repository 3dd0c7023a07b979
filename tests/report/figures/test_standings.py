"""The order of networks in every setting: a row each, and only of settings that are alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cmx_bench.present.drawing import NothingToDrawError, Plot, draw
from cmx_bench.report.figures import standings
from cmx_bench.report.figures.selection import selections
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise

from ..synthetic import failed
from ..tables.test_fairness import COMPILED, EAGER, MODELS, NHWC, SPEEDS, A, B, make_report


def plots(report: Report) -> list[Plot]:
    return [
        standings.plot(chosen)
        for chosen in selections(report, standings.each_alike(report.samples))
    ]


def test_a_line_goes_through_every_setting() -> None:
    [plot] = plots(make_report())
    assert plot.name == "standings-cuda-b64-r224"
    line = plot.data[plot.data.index == A]
    assert list(line["y"]) == [0, 1, 2]
    assert list(line["x"]) == pytest.approx([100, 300, 100], rel=0.02)
    assert plot.alt.startswith("Images a second of the fastest network in each setting: eager Res")
    [drawing] = draw([plot])
    assert all(f">{name}<" in drawing.svg for name in ("eager", "nhwc", "compiled"))


def test_models_whose_short_labels_are_alike_have_lines_of_their_own() -> None:
    report = make_report()
    models = [replace(model, label=f"Variant {'x' * 40} of a model") for model in MODELS]
    [plot] = plots(summarise(replace(report.run, models=tuple(models)), report.records))
    assert plot.data["line"].nunique() == 3
    labels = plot.data.groupby("line")["label"].first()
    short = "Variant xxxxxx…xx of a model"
    assert sorted(labels) == [f"{short} ({number})" for number in (1, 2, 3)]
    assert list(plot.data.loc[plot.data["line"] == A, "y"]) == [0, 1, 2]


def test_a_cell_that_failed_has_no_point() -> None:
    report = make_report()
    cell = f"{B}/throughput/{NHWC.key}"
    records = [failed(record, "no") if record.cell == cell else record for record in report.records]
    [plot] = plots(summarise(report.run, records))
    assert list(plot.data[plot.data.index == B]["y"]) == [0, 2]


def test_other_batches_are_other_figures() -> None:
    large = replace(COMPILED, name="large", batch_size=128)
    [plot] = plots(make_report({**SPEEDS, large: (100, 200, 300)}))
    assert set(plot.data["y"]) == {0, 1, 2}
    assert plots(make_report({EAGER: (100, 200, 300), large: (100, 200, 300)})) == []


def test_nothing_is_drawn_where_one_setting_has_values() -> None:
    report = make_report({EAGER: (100, 200, 300), NHWC: (100, 200, 300)})
    records = [record for record in report.records if record.setting != NHWC.key]
    with pytest.raises(
        NothingToDrawError, match="Throughput in every setting · .*: left out, because"
    ):
        plots(summarise(report.run, records))


def test_of_too_many_settings_that_is_said() -> None:
    settings = {replace(EAGER, name=f"t{n}", threads=n): (100, 200, 300) for n in range(1, 26)}
    with pytest.raises(NothingToDrawError, match="because lines through 25 settings, more than 24"):
        plots(make_report(settings))
