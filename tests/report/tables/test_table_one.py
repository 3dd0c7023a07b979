"""The paper's Table 1."""

from __future__ import annotations

import dataclasses

from cmx_bench.cell import Model
from cmx_bench.report.tables.table_one import table_one
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import FP16, PAPER, failed, make_records, make_run, model, watched
from .test_tables import column


def test_table_one_has_the_papers_columns(run: Run, run_records: list[Record]) -> None:
    table = table_one(summarise(run, run_records), FP16)
    assert [column.full_heading for column in table.columns] == [
        "Network", "Patch", "Kernel", "# Params (×10⁶): measured", "# Params (×10⁶): paper",
        "MACs (×10⁹)", "Throughput (images/s): measured", "Throughput (images/s): paper, RTX 8000",
        "Peak memory (MiB)", "Activation", "Epochs, paper",
        "ImageNet-1k top-1 (%), published: paper",
        "ImageNet-1k top-1 (%), published: timm",
    ]  # fmt: skip
    assert [entry.flat for entry in table.rows[0]] == [
        "ConvMixer-1536/20 (convmixer_1536_20.in1k)", "7", "9", "51.6", "51.6 †C", "5.16",
        "100 (± 2.0 %, n = 5)", "134 †C", "296.94 (± 0 %, n = 5)", "GELU", "150 †C", "81.37",
        "81.382 a",
    ]  # fmt: skip


def test_tiny_models_are_counted_in_thousands() -> None:
    """Beside a published figure in millions they are not: both stand below one heading."""
    tiny = (model("a", "A", "mine"), model("b", "B", "mine"))
    sizes = {"a": 314.0, "b": 2_500.0, PAPER[0].name: 51_625_960.0}

    def table(*models: Model) -> list[tuple[str, list[str]]]:
        run = make_run(models, measures=("params", "macs"))
        records = [
            dataclasses.replace(record, values={record.measure: [sizes[record.model]]})
            for record in make_records(run)
        ]
        shown = table_one(summarise(run, records), FP16)
        return [
            (heading.full_heading, [entry.text for entry in column(shown, heading.key)])
            for heading in shown.columns
            if heading.key in ("params", "macs")
        ]

    assert table(*tiny) == [
        ("# Params (×10³)", ["0.314", "2.50"]), ("MACs (×10³)", ["0.314", "2.50"]),
    ]  # fmt: skip
    assert table(tiny[0], PAPER[0])[0] == (
        "# Params (×10⁶): measured", ["0.000314", "51.6"],
    )  # fmt: skip


def test_models_stand_in_the_order_of_the_suite(run: Run, run_records: list[Record]) -> None:
    table = table_one(summarise(run, run_records[::-1]), FP16)
    assert [entry.text for entry in column(table, "network")] == [
        model.label for model in run.models
    ]


def test_doubtful_figures_are_marked_with_their_grade(run: Run, run_records: list[Record]) -> None:
    table = table_one(summarise(run, run_records), FP16)
    marks = {entry.marks for key in ("params_paper", "top1_paper") for entry in column(table, key)}
    assert marks == {"†C", "†F", "†M", ""}
    assert [note.mark for note in table.notes] == ["a", "b", "c", "†C", "†F", "†M", "‡"]
    assert "from memory" in table.notes[5].text


def test_extra_training_is_marked(run: Run, run_records: list[Record]) -> None:
    timm = column(table_one(summarise(run, run_records), FP16), "top1_timm")
    assert timm[9].flat == "76.616 b, ‡ (goog_in21k_ft_in1k)"
    assert timm[10].flat == ""  # timm has no weights for mixer_s16_224


def test_what_is_not_there_says_so(run: Run, run_records: list[Record]) -> None:
    key = f"throughput/{FP16.key}"
    some = [record for record in run_records if record.cell != f"resnet50/{key}"]
    some = [
        failed(record, "boom") if record.cell == f"resnet152/{key}" else record for record in some
    ]
    measured = column(table_one(summarise(run, some), FP16), "throughput")
    assert (measured[8].text, measured[8].quiet) == ("not measured", True)
    assert (measured[2].text, measured[2].title) == ("failed", "boom")


def test_fewer_processes_than_asked_for_are_counted(run: Run, run_records: list[Record]) -> None:
    """As after a budget ran out."""
    few = [record for record in run_records if record.replicate < 3]
    measured = column(table_one(summarise(run, few), FP16), "throughput")
    assert measured[0].detail.endswith("n = 3 of 5")


def test_more_processes_than_asked_for_are_counted(run: Run, run_records: list[Record]) -> None:
    """One was asked for, and a precision."""
    run = dataclasses.replace(run, replicates=1, precision=0.03)
    measured = column(table_one(summarise(run, run_records), FP16), "throughput")
    assert measured[0].detail == "± 2.0 %, n = 5"
    few = [record for record in run_records if record.replicate == 0]
    assert column(table_one(summarise(run, few), FP16), "throughput")[0].detail == ""


def test_a_partly_failed_cell_is_marked(run: Run, run_records: list[Record]) -> None:
    some = [failed(record, "boom") if record.replicate == 4 else record for record in run_records]
    measured = column(table_one(summarise(run, some), FP16), "throughput")
    assert measured[0].flat == "99 ✗ (± 2.1 %, n = 4 of 5)"


def test_digits_follow_the_interval(run: Run, run_records: list[Record]) -> None:
    """Half widths of about 2 %: 1100 becomes 1,100 ± 22, so that four digits stand."""
    measured = column(table_one(summarise(run, run_records), FP16), "throughput")
    assert measured[10].text == "1,100"
    steady = [
        dataclasses.replace(record, values={"throughput": [1234.567 + record.replicate / 1000]})
        if record.measure == "throughput"
        else record
        for record in run_records
    ]
    assert column(table_one(summarise(run, steady), FP16), "throughput")[0].text == "1,234.6"


def test_a_value_that_stayed_wide_is_marked(run: Run, run_records: list[Record]) -> None:
    """Its ± stands beside it, the ± that was wanted in the note."""
    run = dataclasses.replace(run, precision=0.01, replicates=3)
    table = table_one(summarise(run, run_records), FP16)
    assert column(table, "throughput")[0].flat == "100 ↔ (± 2.0 %, n = 5)"
    assert "the interval stayed wider than the wanted ± 1.0 %" in [
        note.text for note in table.notes
    ]
    assert column(table, "params")[0].marks == column(table, "memory")[0].marks == ""
    assert any(
        "than 1.0 %, processes beyond the first 3 were" in remark for remark in table.remarks
    )
    easy = dataclasses.replace(run, precision=0.03)
    assert column(table_one(summarise(easy, run_records), FP16), "throughput")[0].marks == ""


def test_a_value_that_measures_launching_is_marked(run: Run, run_records: list[Record]) -> None:
    shares = {"convmixer_1536_20": 0.95, "convmixer_768_32": 0.6}
    some = []
    for record in run_records:
        if record.measure == "throughput" and record.model in shares:
            timed = watched(record, ".....")
            launching = {"launching": [shares[record.model]] * 5}
            some.append(dataclasses.replace(timed, covariates={**timed.covariates, **launching}))
        else:
            some.append(record)
    table = table_one(summarise(run, some), FP16)
    first, second, *others = column(table, "throughput")
    assert [note.mark for note in first.notes] == ["¶"]
    assert first.notes[0].text.startswith("launch-bound: measures the host")
    assert not any(entry.notes for entry in (second, *others))
    assert not any(entry.notes for entry in column(table, "memory"))


def test_columns_without_a_figure_are_left_out_with_their_notes() -> None:
    """Of a network with other classes nobody published anything, and it has no patches."""
    small = dataclasses.replace(model("resnet50", "ResNet-50", "resnet"), kernel_size=7,
                                num_classes=10, weights=None, recipe="")  # fmt: skip
    run = make_run(models=(small,), measures=("params", "throughput"))
    table = table_one(summarise(run, make_records(run)), FP16)
    assert [column.full_heading for column in table.columns] == [
        "Network", "Kernel", "# Params (×10⁶)", "Throughput (images/s)",
    ]  # fmt: skip
    remarks = " ".join(table.remarks)
    assert "Below a network stands its name. Speed and memory are" in remarks
    for word in ("paper", "timm", "published", "Top-1"):
        assert word not in remarks


def test_a_single_column_of_published_figures_is_told_as_one() -> None:
    """timm publishes nothing of weights that are not its own."""
    run = make_run(models=(dataclasses.replace(PAPER[0], weights="mine", recipe="mine"),))
    table = table_one(summarise(run, make_records(run)), FP16)
    assert (
        "Top-1 was not measured in this run. Its column shows published figures." in table.remarks
    )
    assert table.columns[-1].full_heading == "ImageNet-1k top-1 (%), published: paper"
