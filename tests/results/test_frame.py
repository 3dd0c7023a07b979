"""Samples as a DataFrame: a row for each, in the order in which they were taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from pandas import DataFrame

from cmx_bench.results import frame, summary
from cmx_bench.results.executions import Execution, executions
from cmx_bench.results.records import Record, Run

from ..report.synthetic import ENVIRONMENT, FP16, PAPER, failed, make_records, make_run, watched

NAME, KEY = PAPER[0].name, FP16.key


def of(run: Run, records: Sequence[Record]) -> DataFrame:
    return frame.samples({"mine": (run, executions(run, records))})


@pytest.fixture
def run() -> Run:
    return make_run(PAPER[:3])


def test_a_row_for_each_sample(run: Run) -> None:
    records = make_records(run)
    samples = of(run, records)
    assert len(samples) == sum(len(taken) for record in records for taken in record.values.values())
    rate = samples[(samples["metric"] == "throughput") & (samples["model"] == NAME)]
    assert rate["value"].tolist()[:5] == pytest.approx([97.804, 97.902, 98.0, 98.098, 98.196])
    assert rate["replicate"].tolist() == [place for place in range(5) for _ in range(5)]
    assert rate["sample"].tolist() == list(range(5)) * 5
    assert rate["counts"].all()
    first = rate.iloc[0]
    assert (first["label"], first["setting_name"], first["precision"], first["batch_size"]) == (
        PAPER[0].label, FP16.name, "fp16", 64,
    )  # fmt: skip
    assert (first["unit"], first["environment"], first["published_as"]) == ("images/s", "e1", NAME)


def test_the_columns_are_those_that_are_described(run: Run) -> None:
    assert list(of(run, make_records(run)).columns) == list(frame.COLUMNS)


def test_texts_have_the_order_of_the_suite(run: Run) -> None:
    backwards = list(reversed(make_records(run)))
    assert list(of(run, backwards)["model"].cat.categories) == [model.name for model in PAPER[:3]]


def test_discarded_samples_stand_where_they_were_taken(run: Run) -> None:
    records = [
        watched(record, "x..x...") if record.measure == "throughput" else record
        for record in make_records(run)
    ]
    samples = of(run, records)
    process = samples[(samples["model"] == NAME) & (samples["replicate"] == 0)]
    rate = process[process["metric"] == "throughput"]
    assert rate["discarded"].tolist() == [letter == "x" for letter in "x..x..."]
    assert rate.loc[rate["discarded"], "value"].tolist() == [50, 50]
    assert set(rate["why"]) == {"", "disturbed block"}
    assert rate["counts"].tolist() == [letter != "x" for letter in "x..x..."]
    assert rate["gpu_clock_reasons"].tolist() == [68, 4, 4, 68, 4, 4, 4]


def test_disturbed_processes_count_only_where_too_few_are_not(run: Run) -> None:
    def frame_of(numbers: set[int]) -> DataFrame:
        records = [
            watched(record, "d.d.." if record.replicate in numbers else ".....")
            if record.measure == "throughput"
            else record
            for record in make_records(run)
        ]
        samples = of(run, records)
        return samples[(samples["metric"] == "throughput") & (samples["model"] == NAME)]

    calm = frame_of({0, 4})
    assert set(calm.loc[calm["counts"], "replicate"]) == {1, 2, 3}
    assert set(calm.loc[~calm["counts"], "why"]) == {"disturbed process"}
    assert set(calm.loc[calm["disturbed"], "replicate"]) == {0, 4}
    assert frame_of({0, 3, 4})["counts"].all()


def test_what_has_no_value_has_a_row(run: Run) -> None:
    records = make_records(run)
    kept = [record for record in records if (record.model, record.measure) != (NAME, "throughput")]
    lost = failed(next(record for record in kept if record.measure == "macs"), "out of memory")
    samples = of(run, [lost if record.cell == lost.cell else record for record in kept])
    absent = samples[samples["value"].isna()]
    rows = absent[["model", "metric", "status", "why", "reason"]].itertuples(index=False, name=None)
    assert list(rows) == [
        (lost.model, "macs", "failed", "failed", "out of memory"),
        (lost.model, "activations", "failed", "failed", "out of memory"),
        (NAME, "throughput", "not measured", "not measured", ""),
    ]


def test_other_environments_and_earlier_tries_count_for_nothing(run: Run) -> None:
    run = replace(run, environments={"e1": ENVIRONMENT, "e2": ENVIRONMENT | {"threads": 4}})
    records = make_records(run)
    place = next(i for i, record in enumerate(records) if record.cell == f"{NAME}/throughput/{KEY}")
    records[place] = replace(records[place], environment="e2")
    samples = of(run, [failed(records[0], "boom"), *records])
    aside = samples[samples["why"].isin(summary.ASIDE)]
    reasons = aside.drop_duplicates("why").set_index("why")["replicate"].to_dict()
    assert reasons == {"tried again": 0, "other environment": 0}
    assert not aside["counts"].any()


def test_what_was_swept_is_a_matter_of_each_run() -> None:
    """Two runs whose one model differs in an argument swept nothing; one of two models did."""

    def run_of(name: str, *sizes: int) -> tuple[Run, list[Execution]]:
        models = tuple(replace(PAPER[0], name=f"k{size}", args={"kernel_size": size})
                       for size in sizes)  # fmt: skip
        run = make_run(models, measures=("params",))
        return run, executions(run, make_records(run))

    apart = frame.samples({"a": run_of("a", 3), "b": run_of("b", 5)})
    assert "arg_kernel_size" not in apart
    both = frame.samples({"a": run_of("a", 3), "b": run_of("b", 5, 7)})
    swept = both.drop_duplicates(["run", "model"]).set_index("model")["arg_kernel_size"]
    assert swept.fillna(0).to_dict() == {"k3": 0, "k5": 5, "k7": 7}
