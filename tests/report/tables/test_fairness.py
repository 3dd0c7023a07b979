"""One setting for all beside each network's best: which pairs flip, and which only seem to."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Mapping, Sequence

import pytest
from pandas import DataFrame

from cmx_bench.cell import Setting
from cmx_bench.metrics import METRICS
from cmx_bench.present.content import Table
from cmx_bench.report import overview
from cmx_bench.report.formats import RENDERERS
from cmx_bench.report.tables import fairness, tables
from cmx_bench.report.tables.fairness import Standings
from cmx_bench.results import stats
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.summary import Result

from ..synthetic import ENVIRONMENT, FP16, PAPER, failed, make_records, make_run, values

pytestmark = pytest.mark.usefixtures("undrawn")

EAGER = dataclasses.replace(FP16, name="eager")
NHWC = dataclasses.replace(FP16, name="nhwc", layout="nhwc")
COMPILED = dataclasses.replace(FP16, name="compiled", compile="default")
MODELS = PAPER[:3]
A, B, C = (model.name for model in MODELS)
# Images a second of A, B and C: A overtakes B in the second setting, B is the slowest compiled.
SPEEDS = {EAGER: (100, 200, 400), NHWC: (300, 200, 400), COMPILED: (100, 90, 500)}
# Processes of a network one to two per cent apart; of the networks, in other rounds.
STEADY = {A: (0, 1, 2, 1, 0), B: (1, 0, 1, 2, 0), C: (2, 1, 0, 0, 1)}


def make_report(
    speeds: Mapping[Setting, Sequence[float]] = SPEEDS,
    spread: Mapping[str, Sequence[float]] = STEADY,
    measure: str = "throughput",
) -> Report:
    run = make_run(MODELS, tuple(speeds), ("params", measure))
    by_key = {setting.key: dict(zip((A, B, C), all_of, strict=True))
              for setting, all_of in speeds.items()}  # fmt: skip
    lines = [
        dataclasses.replace(
            record, values=values(measure, 0, 0, 2) | {first: [
                by_key[record.setting][record.model]
                * (1 + 0.01 * spread[record.model][record.replicate])
            ]}
        )
        if record.measure == measure
        else record
        for first in [next(iter(values(measure, 0, 0, 2)))]
        for record in make_records(run)
    ]  # fmt: skip
    return summarise(run, lines)


def find_table(report: Report, start: str) -> Table:
    [table] = [table for table in fairness.tables(report) if table.key.startswith(start)]
    return table


def texts(table: Table) -> list[list[str]]:
    return [[entry.text for entry in row] for row in table.rows]


def test_times_of_one_batch_size_are_compared_and_rates_of_all() -> None:
    large = dataclasses.replace(EAGER, name="large", batch_size=256)
    run = make_run(MODELS, (EAGER, NHWC, large), ("latency", "throughput"))
    report = summarise(run, make_records(run))
    groups = {
        name: [[setting.name for setting in group]
               for group in fairness.comparable(report, METRICS[name])]
        for name in ("latency_p50", "throughput")
    }  # fmt: skip
    assert groups["latency_p50"] == [["eager", "nhwc"], ["large"]]
    assert groups["throughput"] == [["eager", "nhwc", "large"]]


# --- tables ---------------------------------------------------------------------------------------


def test_values_stand_in_every_setting_and_at_their_best() -> None:
    table = find_table(make_report(), "fairness-")
    assert [column.full_heading for column in table.columns] == [
        "Network",
        *(f"Throughput (images/s), one setting for all: {name}"
          for name in ("eager", "nhwc", "compiled")),
        "Each at its best: value", "Each at its best: setting",
    ]  # fmt: skip
    assert [[entry.text for entry in row][-2:] for row in table.rows] == [
        ["302", "nhwc"], ["202", "eager"], ["504", "compiled"],
    ]  # fmt: skip
    # B has the same two values in eager and nhwc: the data cannot say which is its best.
    assert [row[-1].detail for row in table.rows] == ["", "or nhwc", ""]


def test_the_best_value_has_an_interval_for_one_chosen_among_three() -> None:
    report = make_report()
    shown = find_table(report, "fairness-").rows[0][-2]
    medians = report.results[A, NHWC.key, "throughput"].medians.values()
    wider = stats.of_medians([*medians], 1 - 0.05 / 3)
    assert shown.title == (
        f"95 % interval {wider.low:.2f} images/s to {wider.high:.2f} images/s over 5 processes"
    )
    plain = find_table(report, "fairness-").rows[0][2]
    assert plain.text == shown.text and plain.detail != shown.detail


def test_the_best_of_a_column_is_bold() -> None:
    rows = find_table(make_report(), "fairness-").rows
    assert [[entry.best for entry in row] for row in rows] == [
        [False] * 6, [False] * 6, [False, True, True, True, True, False],
    ]  # fmt: skip


def test_settings_are_correlated_by_rank() -> None:
    """1, 2, 3 against 2, 1, 3: ρ is 1 − 6 · 2 / (3 · 8)."""
    table = find_table(make_report(), "rank-correlation-")
    assert texts(table) == [
        ["eager", "–", "0.50", "0.50", "0.50"],
        ["nhwc", "0.50", "–", "1.00", "1.00"],
        ["compiled", "0.50", "1.00", "–", "1.00"],
        ["each at its best", "0.50", "1.00", "1.00", "–"],
    ]


@pytest.mark.parametrize(
    ("speeds", "rho"),
    [
        ((300, 200, 100), "-1.00"),
        ((100, 200, 200), "0.87"),  # ties share the mean of their ranks: 1, 2.5, 2.5
        ((100, 100, 100), "–"),  # no order at all
    ],
)
def test_ties_share_their_ranks(speeds: Sequence[float], rho: str) -> None:
    same = dict.fromkeys(STEADY, (0.0,) * 5)
    table = find_table(
        make_report({EAGER: (100, 200, 300), NHWC: speeds}, same), "rank-correlation-"
    )
    assert texts(table)[0][:3] == ["eager", "–", rho]


def test_two_networks_have_no_rank_correlation() -> None:
    report = make_report()
    some = [record for record in report.records if record.model != C]
    assert find_table(summarise(report.run, some), "rank-correlation-").rows == ()


def test_a_pair_that_flips_shows_both_leads() -> None:
    table = find_table(make_report(), "flips-")
    [[first, second, ahead_by, ahead_in, behind_by, behind_in]] = table.rows
    assert (first.text, second.text) == ("ConvMixer-1536/20", "ConvMixer-768/32")
    assert (ahead_in.text, behind_in.text) == ("nhwc", "eager")
    assert ahead_by.sort == pytest.approx(1.5, rel=0.01)
    assert behind_by.sort == pytest.approx(0.5, rel=0.01)


def test_its_intervals_hold_for_all_settings_together() -> None:
    """Paired by round: log-ratios differ from log 1.5 by hundredths; t(4) at 1 − 0.05 / 3 / 2."""
    ahead = find_table(make_report(), "flips-").rows[0][2]
    logs = [
        math.log(1.5) + math.log1p(0.01 * step) - math.log1p(0.01 * other)
        for step, other in zip(STEADY[A], STEADY[B], strict=True)
    ]
    change = stats.compare_pairs(logs)
    low, high = (math.exp(change.bound(level)) for level in (0.05 / 6, 1 - 0.05 / 6))
    assert ahead.detail == f"{low:.3f} to {high:.3f}"


def test_what_noise_may_have_turned_is_undecided() -> None:
    noisy = {A: (0, 90, 10, 50, 30), B: (80, 0, 60, 5, 40), C: (0, 0, 0, 0, 0)}
    report = make_report({EAGER: (100, 110, 900), NHWC: (110, 100, 900)}, noisy)
    remark = find_table(report, "fairness-").remarks[0]
    assert remark.startswith(
        "Pairs of networks: 3. Same order in every setting: 2. Order flips: 0. Undecided"
    )
    assert remark.endswith(": 1.")
    assert find_table(report, "flips-").rows == ()


def test_an_order_that_is_proven_in_one_setting_alone_is_no_flip() -> None:
    noisy = {A: (0, 90, 10, 50, 30), B: (80, 0, 60, 5, 40), C: (0, 0, 0, 0, 0)}
    report = make_report({EAGER: (100, 1000, 9000), NHWC: (110, 100, 9000)}, noisy)
    remark = find_table(report, "fairness-").remarks[0]
    assert "Order flips: 0. Undecided" in remark and remark.endswith(": 1.")


def test_one_process_each_decides_nothing() -> None:
    report = make_report()
    some = [record for record in report.records if record.replicate == 0]
    remark = find_table(summarise(report.run, some), "fairness-").remarks[0]
    assert "in every setting: 2. Order flips: 0." in remark


def test_of_times_the_shorter_is_ahead() -> None:
    report = make_report(measure="latency")
    [[first, second, ahead_by, ahead_in, behind_by, behind_in]] = find_table(report, "flips-").rows
    assert (first.text, second.text) == ("ConvMixer-1536/20", "ConvMixer-768/32")
    assert (ahead_in.text, behind_in.text) == ("eager", "nhwc")
    assert ahead_by.sort == pytest.approx(2, rel=0.01)
    assert behind_by.sort == pytest.approx(2 / 3, rel=0.01)
    assert [row[-1].text for row in find_table(report, "fairness-").rows] == [
        "eager",
        "compiled",
        "eager",
    ]


def test_what_failed_in_a_setting_stands_in_no_order_there() -> None:
    report = make_report()
    cell = f"{A}/throughput/{NHWC.key}"
    some = [failed(record, "boom") if record.cell == cell else record for record in report.records]
    lacking = summarise(report.run, some)
    row = find_table(lacking, "fairness-").rows[0]
    assert (row[2].text, row[-1].text) == ("failed", "eager")
    assert texts(find_table(lacking, "flips-")) == [
        ["ConvMixer-1536/20", "ConvMixer-768/32", "1.11", "compiled", "0.500", "eager"],
    ]  # fmt: skip


def test_values_of_nothing_stand_in_no_order() -> None:
    report = make_report()
    metric, key = METRICS["throughput"], NHWC.key
    for value, is_left_out in ((0.0, True), (0.5, False)):
        result = report.results[A, key, metric.name]._replace(value=value)
        changed = dataclasses.replace(
            report, results={**report.results, (A, key, metric.name): result}
        )
        standings = fairness.in_settings(changed, [EAGER, NHWC], metric)
        assert (A not in standings.results[key]) is is_left_out


# --- where it is shown ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        (EAGER,),
        (EAGER, dataclasses.replace(NHWC, image_size=288)),  # smaller images are no better setting
    ],
)
def test_nothing_is_shown_where_settings_cannot_be_compared(settings: Sequence[Setting]) -> None:
    run = make_run(MODELS, tuple(settings))
    assert list(fairness.tables(summarise(run, make_records(run)))) == []


def test_nothing_is_shown_of_what_only_one_setting_has() -> None:
    report = make_report()
    some = [record for record in report.records if record.setting in (EAGER.key, "r224")]
    assert list(fairness.tables(summarise(report.run, some))) == []


def test_nothing_is_shown_across_devices() -> None:
    """As where a run was begun on one machine and went on on another."""
    report = make_report({EAGER: (100, 200, 400), NHWC: (300, 200, 400)})
    moved = [
        dataclasses.replace(record, environment="e2") if record.setting == NHWC.key else record
        for record in report.records
    ]
    elsewhere = {"e1": ENVIRONMENT, "e2": ENVIRONMENT | {"device_name": "Another GPU"}}
    run = dataclasses.replace(report.run, environments=elsewhere)
    assert list(fairness.tables(summarise(run, moved))) == []


def test_every_format_shows_it() -> None:
    report = make_report()
    keys = [
        f"{table}-throughput-{EAGER.key}" for table in ("fairness", "rank-correlation", "flips")
    ]
    assert [table.key for table in tables(report) if table.key in keys] == keys
    for format in ("md", "latex"):  # test_formats has the page
        text = RENDERERS[format](report)
        assert "Pairs whose order flips with the setting" in text
        assert "each at its best" in text
    shown = overview.overview(report, 160)
    assert "Each at its best" in shown
    assert "Where it is behind" in shown
    widest = max(len(line) for line in overview.text(find_table(report, "flips-"), 80).splitlines())
    assert widest <= 80


# --- statistics -----------------------------------------------------------------------------------


_WHOLE = make_report().results[A, NHWC.key, "throughput"]


def result(name: str, setting: str, medians: Sequence[float]) -> Result:
    estimate = stats.of_medians(medians)
    return _WHOLE._replace(
        model=name, setting=setting, value=estimate.value, low=estimate.low, high=estimate.high,
        medians=dict(enumerate(medians)),
    )  # fmt: skip


def drawn(truths: Mapping[str, Sequence[float]], rng: random.Random) -> Standings:
    """Five processes each, five per cent apart, of networks in settings with these true values."""
    results: dict[str, dict[str, Result]] = {}
    for name, truth in truths.items():
        for place, seconds in enumerate(truth):
            medians = [seconds * math.exp(rng.gauss(0, 0.05)) for _ in range(5)]
            results.setdefault(str(place), {})[name] = result(name, str(place), medians)
    speeds = DataFrame({key: {name: estimate.value for name, estimate in known.items()}
                        for key, known in results.items()})  # fmt: skip
    return Standings(METRICS["throughput"], {key: key for key in results}, results, speeds)


def test_the_interval_of_the_best_covers_although_it_was_chosen() -> None:
    """Eight settings that are all alike: the plain interval of the largest misses too often."""
    rng, trials, held, plain = random.Random(7), 100, 0, 0
    for _ in range(trials):
        standings = drawn({A: [1] * 8}, rng)
        best = fairness.at_best(standings)[A]
        assert best.low is not None and best.high is not None
        held += best.low <= 1 <= best.high
        as_it_was = standings.results[best.setting][A].low
        assert as_it_was is not None
        plain += as_it_was <= 1
    assert held / trials >= 0.94
    assert plain / trials < 0.9


def flips(truths: Mapping[str, Sequence[float]], rng: random.Random) -> int:
    standings = drawn(truths, rng)
    changing, pairs = fairness.contests(standings)
    assert pairs == 1
    return sum(change.ahead is not None and change.behind is not None for change in changing)


def test_pairs_that_keep_their_order_hardly_ever_seem_to_flip() -> None:
    """Ahead in seven settings of eight and alike in the other, where chance decides."""
    rng, trials = random.Random(3), 100
    seeming = sum(flips({A: [2] * 7 + [1], B: [1] * 8}, rng) for _ in range(trials))
    assert seeming / trials <= 0.05
    assert flips({A: [2] * 7 + [0.5], B: [1] * 8}, rng) == 1


def test_equal_speeds_in_one_setting_change_no_order() -> None:
    speeds = {EAGER: (100, 100, 400), NHWC: (100, 200, 400)}
    report = make_report(speeds, dict.fromkeys((A, B, C), [0] * 5))
    standings = fairness.in_settings(report, tuple(speeds), METRICS["throughput"])
    changing, number = fairness.contests(standings)
    assert (changing, number) == ([], 3)


@pytest.mark.parametrize(("networks", "pairs", "folded"), [(11, 30, False), (12, 35, True)])
def test_many_pairs_that_flip_are_folded(networks: int, pairs: int, folded: bool) -> None:
    """The first five overtake all others; among the ones and the others the order stays."""
    models = tuple(
        dataclasses.replace(PAPER[0], name=f"m{place}", label=f"M{place}")
        for place in range(networks)
    )
    run = make_run(models, (EAGER, NHWC), ("throughput",))
    places = {model.name: place for place, model in enumerate(models)}
    records = [
        dataclasses.replace(record, values={"throughput": [
            (1 + places[record.model]) * (1 + 0.001 * record.replicate)
            * (100 if (record.setting == NHWC.key) == (places[record.model] < 5) else 1)
        ]})
        for record in make_records(run)
    ]  # fmt: skip
    table = find_table(summarise(run, records), "flips-")
    assert (len(table.rows), table.folded) == (pairs, folded)
