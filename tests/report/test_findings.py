"""What a run found, rule by rule: the right direction, the digits that the data deserve, ties said
as ties, and nothing where nothing was measured."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import escape

from cmx_bench import report as reports
from cmx_bench.cell import Model
from cmx_bench.present import page
from cmx_bench.present.content import Finding, Findings
from cmx_bench.report import RENDERERS, verify
from cmx_bench.report.findings import findings
from cmx_bench.report.findings.contrasts import contrasts
from cmx_bench.report.findings.wording import more_or_fewer
from cmx_bench.report.formats import content
from cmx_bench.report.overview import overview
from cmx_bench.report.tables import tables
from cmx_bench.results import agreement
from cmx_bench.results.nouns import Report
from cmx_bench.results.predictions import Images
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record
from cmx_bench.spec.claims import Claim

from .synthetic import FP16, PAPER, failed, make_records, make_run, watched, write_folder
from .tables.test_fairness import made as in_three_settings
from .tables.test_rankings import details
from .tables.test_side_by_side import CPU, NEWER, beside
from .tables.test_side_by_side import made as a_run
from .test_formats import awkward, mixed

MODELS = {model.name: model for model in PAPER}
MIXER, RESNET = "convmixer_1536_20", "resnet152"
DEIT, RESMLP = "deit_base_patch16_224", "resmlp_24_224"
# Half a 95 % interval over three rounds whose logarithms are -1, 0 and 1: Student's t / √3.
HALF = 4.302652729696142 / math.sqrt(3)


def rounds(value: float, spread: float = 0.0) -> list[float]:
    """Three processes whose logarithms are `spread` apart, in one order: with others that have no
    spread the interval of a quotient is exp(± HALF · spread) wide."""
    return [value * math.exp(step * spread) for step in (-1, 0, 1)]


def measured(
    speeds: Mapping[str, Sequence[float]],
    measure: str = "throughput",
    models: Mapping[str, Model] = MODELS,
    **changes: Any,
) -> Report:
    """A run with these speeds, one value a process, and the parameters of the paper's models."""
    metric = {"latency": "latency_p50"}.get(measure, measure)
    replicates = max(map(len, speeds.values()))
    run = make_run(tuple(map(models.__getitem__, speeds)), (FP16,), ("params", measure), replicates)
    records = [one for one in make_records(run) if one.measure == "params"]
    records += [
        Record(f"{model}/{measure}/{FP16.key}", model, measure, FP16.key, place, "ok",
               {metric: [value]}, "", "e1", "2026-01-01T00:00:00.000+00:00", 1.0)
        for model, values in speeds.items()
        for place, value in enumerate(values)
    ]  # fmt: skip
    return summarise(dataclasses.replace(run, **changes), records)


def found(report: Report) -> Findings:
    return findings(report, tables(report))


def say(report: Report, topic: str) -> str:
    """What is found about a topic; empty where nothing is."""
    return next((one.text for one in found(report).items if one.topic == topic), "")


# --- speed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "spread", "text"),
    [
        # exp(± 0.05 HALF) is 1.132; exp(0.5 HALF) is 3.46.
        (1 / 4, 0.05, "is 4.0 times slower than ResNet-152 here (3.5 to 4.5)"),
        (4, 0.05, "is 4.0 times as fast as ResNet-152 here (3.5 to 4.5)"),
        (1, 0.05, "cannot be told from ResNet-152 in speed here (equal within ± 13 %)"),
        (0.95, 0.05, "cannot be told from ResNet-152 in speed here (equal within ± 19 %)"),
        (1, 0.5, "cannot be told from ResNet-152 in speed here (equal within a factor of 3.5)"),
        # The lower end shows that it is no 1.
        (1.02, 0.007, "is 1.020 times as fast as ResNet-152 here (1.002 to 1.038)"),
        (1 / 1.02, 0.007, "is 1.020 times slower than ResNet-152 here (1.002 to 1.038)"),
        (3, 0, "is 3.00 times as fast as ResNet-152 here (to all digits shown)"),
    ],
)
def test_the_first_convmixer_against_its_rival(ratio: float, spread: float, text: str) -> None:
    report = measured({RESNET: rounds(100), MIXER: rounds(100 * ratio, spread)})
    assert say(report, "Speed").startswith(f"ConvMixer-1536/20 {text}, with 14 % fewer parameters.")


@pytest.mark.parametrize("ratio", [0.5, 0.8, 0.9, 0.97, 1.03, 1.1, 1.3, 2])
@pytest.mark.parametrize("spread", [0.001, 0.02, 0.1, 0.4])
def test_a_direction_is_said_only_where_the_interval_has_one(ratio: float, spread: float) -> None:
    text = say(measured({MIXER: rounds(100 * ratio, spread), RESNET: rounds(100)}), "Speed")
    least, most = (ratio * math.exp(side * HALF * spread) for side in (-1, 1))
    assert ("times slower than" in text) is (most < 1)
    assert ("times as fast as" in text) is (least > 1)
    assert ("cannot be told" in text) is (least <= 1 <= most)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.86, "14 % fewer parameters"),
        (4.4, "4.4 times the parameters"),
        (0.0114, "99 % fewer parameters"),
        (0.0011, "less than 1 % of the parameters"),
        (1.0, "as many parameters"),
        (1.0000013, "nearly as many parameters"),
        (0.997, "nearly as many parameters"),
    ],
)
def test_sizes_are_equal_only_where_they_are(ratio: float, text: str) -> None:
    assert more_or_fewer(ratio, "parameters") == text


def test_the_paper_has_its_say() -> None:
    report = measured({MIXER: rounds(400, 0.01), RESNET: rounds(100)})
    assert say(report, "Speed").endswith(
        " In the paper it is 6.2† times slower, on an RTX 8000."  # 828 / 134
    )
    assert "† rests on published figures" in found(report).note
    mine = dataclasses.replace(MODELS[RESNET], target="resnet99", name="mine", label="Mine")
    speeds = {MIXER: rounds(400, 0.01), "mine": rounds(100)}
    text = say(measured(speeds, models=MODELS | {"mine": mine}), "Speed")
    assert "times as fast as Mine" in text and "paper" not in text


def test_a_latency_is_the_other_way_round() -> None:
    report = measured({MIXER: rounds(0.4, 0.05), RESNET: rounds(0.1)}, "latency")
    assert say(report, "Speed") == (
        "ConvMixer-1536/20 is 4.0 times slower than ResNet-152 here by median latency (3.5 to 4.5),"
        " with 14 % fewer parameters."
    )
    assert say(report, "Best").startswith("The fastest is ResNet-152 (100.00 ms), ahead of")
    single = measured({MIXER: [0.4], RESNET: [0.1]}, "latency")
    assert "is 4.0 times slower than ResNet-152 here by median latency" in say(single, "Speed")


def test_single_processes_have_no_interval_and_are_no_ground_to_stand_on() -> None:
    report = measured({MIXER: [25.0], RESNET: [100.0], DEIT: [50.0]})
    assert (
        "is 4.0 times slower than ResNet-152 here (of single processes, without an interval)"
        in (say(report, "Speed"))
    )
    assert say(report, "Trust").startswith("Each speed is of a single process")
    assert say(report, "Other families") == say(report, "Best") == say(report, "Paper") == ""


@pytest.mark.parametrize(
    ("check", "rival"),
    [
        ("params(convmixer_1536_20) < params(resmlp_24_224)", "ResNet-152"),  # nearest in size
        ("throughput(resnet152) < throughput(resmlp_24_224)", "ResNet-152"),  # not of ConvMixer
        ("train_throughput(convmixer_1536_20) < throughput(resmlp_24_224)", "ResNet-152"),
        ("throughput(convmixer_1536_20) < throughput( resmlp_24_224 )", "ResMLP-S24"),
        ("throughput(convmixer_1536_20) / throughput(deit_base_patch16_224) > 2", "DeiT-B"),
    ],
)
def test_the_rival_is_whom_a_claim_names_or_who_is_nearest_in_size(check: str, rival: str) -> None:
    speeds = {RESMLP: rounds(300), DEIT: rounds(200), RESNET: rounds(100), MIXER: rounds(50, 0.01)}
    report = measured(speeds, claims=(Claim("So it is", check),))
    assert f"slower than {rival} here" in say(report, "Speed")


def test_without_another_family_the_rival_is_of_the_same() -> None:
    text = say(measured({MIXER: rounds(50, 0.01), PAPER[1].name: rounds(100)}), "Speed")
    assert "slower than ConvMixer-768/32 here" in text and "2.4 times the parameters" in text


def test_without_a_convmixer_the_first_model_is_looked_at() -> None:
    text = say(measured({DEIT: rounds(50, 0.01), RESNET: rounds(100)}), "Speed")
    assert text.startswith("DeiT-B is 2.00 times slower than ResNet-152 here (1.95 to 2.05), with")


def test_the_other_families_are_told_in_a_sentence() -> None:
    speeds = {MIXER: rounds(100, 0.05), RESNET: rounds(100), DEIT: rounds(400), RESMLP: rounds(25)}
    report = measured(speeds | {PAPER[9].name: rounds(100)})
    assert say(report, "Speed").startswith("ConvMixer-1536/20 cannot be told from Mixer-B/16")
    assert say(report, "Other families") == (
        "ConvMixer-1536/20 is slower than DeiT-B (4.0 times, 3.5 to 4.5), is faster than "
        "ResMLP-S24 (4.0 times, 3.5 to 4.5) and cannot be told from ResNet-152 (within ± 13 %)."
    )
    assert "DeiT-S" not in say(measured(speeds | {PAPER[7].name: rounds(90)}), "Other families")


def test_a_model_of_which_a_process_failed_is_no_rival() -> None:
    report = measured({MIXER: rounds(50, 0.01), RESNET: rounds(100), RESMLP: rounds(25)})
    records = [
        failed(one, "out of memory") if one.model == RESNET and one.replicate == 1 else one
        for one in report.records
    ]
    assert "as fast as ResMLP-S24" in say(summarise(report.run, records), "Speed")


# --- runs that measured little --------------------------------------------------------------------


def test_one_model_has_nobody_to_be_held_against() -> None:
    report = measured({MIXER: rounds(100, 0.01)})
    assert [one.topic for one in found(report).items] == ["Speed"]
    assert say(report, "Speed") == (
        "Throughput of ConvMixer-1536/20 is 100 images/s (± 2.5 %, n = 3); no other was measured."
    )


def test_without_a_speed_sizes_are_compared() -> None:
    run = make_run((MODELS[MIXER], MODELS[RESNET]), measures=("params", "macs"))
    report = summarise(run, make_records(run))
    [only] = found(report).items
    assert (only.topic, only.text) == (
        "Size", "Against ResNet-152, ConvMixer-1536/20 has 14 % fewer parameters and 14 % fewer "
        "MACs. No speed was measured.",
    )  # fmt: skip


@pytest.mark.parametrize("measure", ["roofline", "load_time"])
def test_what_no_rule_is_about_gives_no_finding(measure: str) -> None:
    run = make_run(measures=(measure,))
    assert found(summarise(run, make_records(run))) == Findings(())


def test_a_run_that_measured_nothing_says_why() -> None:
    run = make_run(PAPER[:2])
    assert [one.text for one in found(summarise(run, [])).items] == [
        "Nothing was measured: 8 missing, of 8 cells. The first reason: planned, but not measured "
        "yet."
    ]
    every = [failed(one, "out of\nmemory") for one in make_records(run)]
    [only] = found(summarise(run, every)).items
    assert only == Finding(
        "Result",
        "Nothing was measured: 8 failed, of 8 cells. The first reason: out of memory.",
        "failures",
    )
    assert found(summarise(make_run(models=()), [])) == Findings(())
    assert found(summarise(make_run(settings=()), [])) == Findings(())


# --- the best -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speeds", "text"),
    [
        ((100, 200, 300), "The fastest is DeiT-B (300 images/s), ahead of ResNet-152 (200 images"),
        ((100, 299, 300), "The fastest are DeiT-B (300 images/s) and ResNet-152 (299 images/s), "
                          "which cannot be told apart."),
        ((299, 300, 300), "No model is the fastest beyond doubt: all 3 may be as fast."),
    ],
)  # fmt: skip
def test_the_fastest_are_named_ties_as_ties(speeds: tuple[float, ...], text: str) -> None:
    models = (MIXER, RESNET, DEIT)
    report = measured(
        {one: rounds(speed, 0.003) for one, speed in zip(models, speeds, strict=True)}
    )
    assert say(report, "Best").startswith(text)


def test_a_model_that_may_be_faster_is_not_passed_over_for_a_failure() -> None:
    report = measured({MIXER: rounds(100, 0.01), RESNET: rounds(200, 0.01), DEIT: rounds(90, 0.01)})
    records = [
        failed(one, "out of memory") if one.model == RESNET and one.replicate == 1 else one
        for one in report.records
    ]
    assert "The fastest is ConvMixer" not in say(summarise(report.run, records), "Best")


def test_the_least_memory_is_planned_where_one_process_measured_it() -> None:
    run = make_run((MODELS[MIXER], MODELS[RESNET]), measures=("memory",))
    first = [one for one in make_records(run) if one.replicate == 0]
    assert say(summarise(run, first), "Best") == (
        "ConvMixer-1536/20 (197 MiB) needs the least memory by plan."
    )


def test_who_is_fastest_at_the_published_accuracy() -> None:
    speeds = {MIXER: rounds(100, 0.01), RESNET: rounds(900, 0.01), DEIT: rounds(200, 0.01)}
    assert say(measured(speeds), "Best").endswith(
        "Of the models with the published top-1 of ConvMixer-1536/20 (81.37 %) or more, DeiT-B† is "
        "the fastest."
    )
    alone = {MIXER: rounds(100, 0.01), RESNET: rounds(900, 0.01)}
    assert say(measured(alone), "Best").endswith(
        "No other model has a published top-1 as high as ConvMixer-1536/20 (81.37 %)."
    )
    tied = {MIXER: rounds(100, 0.01), DEIT: rounds(101, 0.01), RESNET: rounds(900, 0.01)}
    assert say(measured(tied), "Best").endswith("DeiT-B† and ConvMixer-1536/20 are the fastest.")


# --- accuracy -------------------------------------------------------------------------------------

COUNT = 400


def evaluated(right: Mapping[str, Sequence[int]], **asked: Any) -> Report:
    """Of 400 images so many right, the first ones; several numbers are of several seeds."""
    run = make_run(tuple(map(MODELS.__getitem__, right)), measures=("accuracy",))
    run = dataclasses.replace(run, accuracy={"dataset": "digits"} | asked)
    records = [
        Record(f"{model}/accuracy/{FP16.key}", model, "accuracy", FP16.key, seed, "ok",
               {"top1": [count / COUNT], "top5": [1.0]}, "", "e1",
               "2026-01-01T00:00:00.000+00:00", 1.0, details=details(count))
        for model, counts in right.items()
        for seed, count in enumerate(counts)
    ]  # fmt: skip
    classes = {
        (model, FP16.key): (np.arange(COUNT) >= counts[0]).astype(np.int32)
        for model, counts in right.items()
    }
    images = Images(tuple(map(str, range(COUNT))), ((0,),) * COUNT)
    return dataclasses.replace(summarise(run, records), votes=agreement.votes(images, classes))


def test_the_most_accurate_is_named_with_its_lead_on_the_same_images() -> None:
    report = evaluated({MIXER: [300], RESNET: [360], DEIT: [320]})
    assert say(report, "Accuracy") == (
        "Most accurate by top-1 on 400 images of digits is ResNet-152 (90 %), 10 points "
        "(7.0 to 13) ahead of DeiT-B. ConvMixer-1536/20 is 15 points (11 to 18) behind ResNet-152."
    )
    assert "behind" not in say(evaluated({MIXER: [300], RESNET: [360]}), "Accuracy")


def test_accuracies_that_the_images_cannot_tell_apart_are_ties() -> None:
    assert say(evaluated({MIXER: [300], RESNET: [360], DEIT: [359]}), "Accuracy") == (
        "Most accurate are ResNet-152 (90 %) and DeiT-B (90 %), which top-1 on 400 images of "
        "digits cannot tell apart. ConvMixer-1536/20 is 15 points (11 to 18) behind ResNet-152."
    )
    assert say(evaluated({MIXER: [360], RESNET: [359]}), "Accuracy") == (
        "The 2 models cannot be told apart by top-1 on 400 images of digits: 90 % to 90 %."
    )
    assert say(evaluated({MIXER: [360]}), "Accuracy") == (
        "ConvMixer-1536/20 has a top-1 of 90 % on 400 images of digits."
    )


def test_several_trainings_have_a_mean() -> None:
    trained = {"train": {"name": "short"}, "seeds": [0, 1, 2]}
    report = evaluated({MIXER: [200, 202, 201], RESNET: [360, 361, 362]}, **trained)
    text = say(report, "Accuracy")
    assert text.startswith("Most accurate by top-1 on 400 images of digits (mean of 3 trainings) is"
                           " ResNet-152 (90 %), 40 points (")  # fmt: skip


def test_published_accuracies_are_counted_where_they_are_of_these_images() -> None:
    # Of 400 images 81.5 and 50 %; published are 81.37 and 79.64 %.
    right = {MIXER: [326], RESNET: [200]}
    assert say(evaluated(right, dataset="imagenet-val"), "Paper") == (
        "1 of 2 published top-1† is within the 95 % interval of the measured one."
    )
    assert say(evaluated(right), "Paper") == ""


# --- settings -------------------------------------------------------------------------------------


def test_what_another_setting_changes() -> None:
    report = in_three_settings()
    assert say(report, "Settings") == (
        "ConvMixer-1536/20 is 3.00 times as fast in nhwc as in eager (to all digits shown). "
        "1 pair changes its order with the setting: ConvMixer-1536/20 is ahead of ConvMixer-768/32 "
        "in nhwc and behind it in eager."
    )
    assert found(report).note.startswith("Speeds are those of the setting eager (cuda-fp16-nchw")
    alike = in_three_settings(dict.fromkeys(report.run.settings, (100, 200, 400)))
    assert say(alike, "Settings") == (
        "No other setting makes ConvMixer-1536/20 faster beyond doubt than eager does. "
        "No two models change their order beyond doubt."
    )


# --- trust ----------------------------------------------------------------------------------------


def test_the_paper_is_compared_by_order_and_ratios() -> None:
    # In the paper 134, 828 and 792: the last two stand the other way round here.
    report = measured({MIXER: rounds(134, 0.01), RESNET: rounds(820), DEIT: rounds(900)})
    [finding] = [one for one in found(report).items if one.topic == "Paper"]
    assert finding.text == (
        "2 of 3 pairs of models stand in the paper's order by throughput, 1 in the other "
        "(Spearman's ρ 0.50). 1 of 2 throughput ratios to ConvMixer-1536/20 agrees with the "
        "paper's† within the interval (RTX 8000)."
    )
    assert finding.table == "order"
    two = measured({MIXER: rounds(134, 0.01), RESNET: rounds(400)})
    assert say(two, "Paper").startswith("0 of 1 throughput ratio to ConvMixer-1536/20 agrees with")


CLAIMS = (
    Claim("ConvMixer is smaller", "params(convmixer_1536_20) < params(resnet152)"),
    Claim("ConvMixer\nis faster", "throughput(convmixer_1536_20) > throughput(resnet152)"),
    Claim("It is better", "top1(convmixer_1536_20) > top1(resnet152)"),
)


def test_claims_are_counted_and_the_first_that_fails_is_named() -> None:
    speeds = {MIXER: rounds(50, 0.01), RESNET: rounds(100)}
    [finding] = [one for one in found(measured(speeds, claims=CLAIMS)).items
                 if one.topic == "Claims"]  # fmt: skip
    assert finding.text == (
        "Of 3 claims 1 holds, 1 fails and 1 is undecided. What fails: “ConvMixer is faster”."
    )
    assert finding.row == ("ConvMixer\nis faster", "paper")
    assert say(measured(speeds, claims=CLAIMS[:1]), "Claims") == "Of 1 claim 1 holds."
    assert say(measured(speeds), "Claims") == ""


def test_claims_in_several_settings_are_so_many_verdicts() -> None:
    report = in_three_settings()
    report = summarise(dataclasses.replace(report.run, claims=CLAIMS[:2]), report.records)
    assert say(report, "Claims") == (
        "Of 6 verdicts (2 claims in 3 settings) 3 hold and 3 fail. The first that fails: "
        "“ConvMixer is faster” (in eager)."
    )


def test_wide_intervals_are_a_finding_where_no_warning_tells_of_them() -> None:
    speeds = {MIXER: rounds(50, 0.08), RESNET: rounds(100, 0.01), DEIT: rounds(90, 0.05)}
    assert say(measured(speeds), "Trust") == (
        "Speed is uncertain by more than ± 10 % for 2 of 3 models: ConvMixer-1536/20 (± 22 %) and "
        "DeiT-B (± 13 %)."
    )
    assert say(measured(speeds, precision=0.03), "Trust") == ""
    assert say(measured({MIXER: rounds(50, 0.01), RESNET: rounds(100)}), "Trust") == ""


@pytest.mark.parametrize(("many", "count"), [(0, 0), (5, 0), (6, 6), (55, 55)])
def test_a_machine_that_was_never_quiet_is_a_finding(many: int, count: int) -> None:
    run = make_run()
    timed = [one for one in make_records(run) if one.measure == "throughput"]
    others = [one for one in make_records(run) if one.measure != "throughput"]
    some = [watched(one, "xd.dd." if place < many else "......") for place, one in enumerate(timed)]
    text = say(summarise(run, [*others, *some]), "Trust")
    assert text.startswith(f"{count} of 55 processes were disturbed to the end" if count else "")
    assert bool(text) is bool(count)


# --- all together ---------------------------------------------------------------------------------


def test_there_are_six_at_most_and_the_dispensable_go_first() -> None:
    speeds = {MIXER: rounds(50, 0.08), RESNET: rounds(100), DEIT: rounds(90), RESMLP: rounds(60)}
    report = measured(speeds, claims=CLAIMS)
    topics = ["Speed", "Other families", "Best", "Paper", "Claims", "Trust"]
    assert [one.topic for one in found(report).items] == topics
    more = evaluated({model: [300 + place] for place, model in enumerate(speeds)})
    run = dataclasses.replace(report.run, cells=(*report.run.cells, *more.run.cells))
    both = dataclasses.replace(summarise(run, [*report.records, *more.records]), votes=more.votes)
    assert [one.topic for one in found(both).items] == [
        "Speed", "Other families", "Accuracy", "Paper", "Claims", "Trust",
    ]  # fmt: skip


@pytest.mark.parametrize("make", [mixed, awkward, in_three_settings])
def test_each_finding_links_to_what_proves_it(make: Any) -> None:
    report = make()
    linked = page.linked(found(report), tables(report))
    assert linked
    text = RENDERERS["html"](report)
    for finding, target, table in linked:
        assert table and f'id="{target}"' in text
        assert f'href="#{target}">{escape(table)}</a>' in text
        assert (target == finding.table) is (not finding.row)


def test_findings_stand_above_everything_else() -> None:
    report = mixed()
    html, markdown = RENDERERS["html"](report), RENDERERS["md"](report)
    terminal = overview(report, 80)
    body = html[html.index("<body>") :]
    for text, order in (
        (body, ["</h1>", "cells measured", "10.0 times slower", "left out, with",
                'id="figure-figure1"',
                'id="run"', 'id="table1', 'id="front-cuda', 'id="table1-cuda-bf16']),
        (markdown, ["# ", "cells measured", "10.0 times slower", "left out, with", "## Table 1",
                    "### Figure 1", "### Accuracy against", "bf16 (", "## How this was measured"]),
        (terminal, ["Speed: ConvMixer-1536/20 is 10.0", "\nTable 1"]),
    ):  # fmt: skip
        places = [text.index(one) for one in order]
        assert places == sorted(places)
    assert all(len(line) <= 80 for line in terminal.split("\nTable 1")[0].splitlines())
    assert not re.search(r"<details[^>]* open", html)


@pytest.mark.parametrize(("name", "old"), [("report.html", "14\xa0%"), ("report.md", "14 %")])
def test_a_number_changed_in_a_finding_is_named(tmp_path: Path, name: str, old: str) -> None:
    run = make_run((MODELS[MIXER], MODELS[RESNET]))
    folder = write_folder(tmp_path / "run", run, make_records(run))
    reports.write(folder)
    text = (folder / name).read_text(encoding="utf-8")
    (folder / name).write_text(text.replace(old, old.replace("4", "5"), 1), encoding="utf-8")
    [difference] = verify.verify(folder).differences
    assert difference.file == name and difference.place.startswith("line ")
    assert old.replace("4", "5") in difference.shown and old in difference.recomputed


def test_the_example_reads_like_an_answer() -> None:
    run = next((Path(__file__).parents[2] / "reports/paper").glob("*/run.json"))
    shown = content(reports.read(run.parent))
    texts = [one.text for one in shown.findings.items]
    assert 3 <= len(texts) <= 6 and len({one.topic for one in shown.findings.items}) == len(texts)
    assert texts[0].startswith("ConvMixer-1536/20 ") and "ResNet-152" in texts[0]
    assert all(text.endswith(".") and not re.search(r"\b(nan|inf|None)\b", text) for text in texts)


# --- runs side by side ----------------------------------------------------------------------------


def test_runs_side_by_side_are_held_against_the_first() -> None:
    sides = beside(a_run(), a_run(NEWER, times=2)).sides
    assert contrasts(sides) == Findings(
        (
            Finding(
                "Speed",
                "Against Synthetic GPU 1, ConvMixer-1536/20 is 2.00 times as fast (1.95 to 2.05) "
                "on Synthetic GPU 2; of 3 models 3 are faster there.",
                "runs-throughput",
                ("ConvMixer-1536/20",),
            ),
        ),
        "Ranges in brackets are 95 % intervals.",
    )
    [slower] = contrasts(sides[::-1]).items
    assert "is 2.00 times slower (1.95 to 2.05) on Synthetic GPU 1; of 3 models 3 are slower" in (
        slower.text
    )
    [alike] = contrasts(beside(a_run(), a_run(created="2026-02-01T00:00:00")).sides).items
    assert "is equally fast, as far as these runs can tell (within ± 2.3 %)," in alike.text


def test_runs_of_other_settings_or_models_are_not_held_against_each_other() -> None:
    assert contrasts(beside(a_run(), a_run(NEWER, settings=(CPU,))).sides) == Findings(())
    other = dataclasses.replace(PAPER[0], args={"depth": 3})
    [only] = contrasts(beside(a_run(), a_run(NEWER, models=(other, *PAPER[1:3]))).sides).items
    assert only.text.startswith("Against Synthetic GPU 1, ConvMixer-768/32 is")
