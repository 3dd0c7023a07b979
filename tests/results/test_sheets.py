"""samples.csv.gz, as pandas reads it and as it is read back."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import cmx_bench
from cmx_bench.errors import RecordsError
from cmx_bench.results import sheets
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise

from ..report.synthetic import PAPER, make_records, make_run, write_folder
from ..report.test_formats import awkward, mixed


def write_samples(report: Report, folder: Path) -> Path:
    path = folder / "samples.csv.gz"
    path.write_bytes(sheets.pack(report.samples))
    return path


def test_other_programs_read_every_value() -> None:
    report = mixed()
    packed = sheets.pack(report.samples)
    assert packed == sheets.pack(mixed().samples)
    assert packed[3:8] == bytes(5)  # neither a file's name nor a time
    table = pd.read_csv(io.BytesIO(packed), compression="gzip", keep_default_na=False)
    assert list(table.columns) == list(report.samples.columns)
    assert list(table["label"]) == list(report.samples["label"])
    for name in ("value", "elapsed", "gpu_clock_reasons"):
        given = report.samples[name].tolist()
        assert [float(text or "nan") for text in table[name]] == pytest.approx(
            given, nan_ok=True, rel=0
        )
    assert list(map(json.loads, table["details"])) == list(report.samples["details"])


def test_the_frame_can_be_written_by_pandas(tmp_path: Path) -> None:
    """What had no details, or empty ones, could not be: Arrow has no structure without a field."""
    for report in (mixed(), swept()):
        samples = cmx_bench.load(write_samples(report, tmp_path))
        assert all(map(pd.api.types.is_scalar, samples["details"]))
        assert not samples.duplicated().any()
        samples.to_csv(tmp_path / "mine.csv", index=False)
        back = cmx_bench.load(tmp_path / "mine.csv")
        assert_frame_equal(cmx_bench.summary(back), cmx_bench.summary(samples))


def test_parquet_keeps_the_frame(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for report in (mixed(), swept()):
        samples = cmx_bench.load(write_samples(report, tmp_path))
        samples.to_parquet(tmp_path / "mine.parquet")
        back = pd.read_parquet(tmp_path / "mine.parquet")
        assert_frame_equal(
            cmx_bench.summary(back), cmx_bench.summary(samples), check_categorical=False
        )


def test_the_file_alone_is_read_back_as_the_frame(tmp_path: Path) -> None:
    for report in (mixed(), swept(), awkward()):
        samples = sheets.spell_details(report.samples)
        back = cmx_bench.load(write_samples(report, tmp_path))
        if report is awkward():
            back["label"] = back["label"].astype(str)
            samples = samples.assign(label=samples["label"].astype(str))
        assert_frame_equal(back, samples, check_exact=True)
        assert cmx_bench.summary(back).equals(cmx_bench.summary(report.samples))


def swept() -> Report:
    models = tuple(
        replace(PAPER[0], name=f"m{size}{norm}", label=f"NA {size}", source="convmixer", target="",
                args={"kernel_size": size, "norm": norm})
        for size, norm in ((3, "batch"), (5, "batch"), (5, "none"))
    )  # fmt: skip
    run = make_run(models)
    return summarise(run, make_records(run))


def test_text_that_a_spreadsheet_would_compute_comes_back(tmp_path: Path) -> None:
    labels = ("=1+2", "'=1+2", "''=1", "'quoted'", "-x", "-1", "NA", "null", "")
    models = tuple(replace(PAPER[0], name=f"m{n}", label=text) for n, text in enumerate(labels))
    run = make_run(models, measures=("params",))
    back = cmx_bench.load(write_samples(summarise(run, make_records(run)), tmp_path))
    assert list(back["label"].unique()) == list(labels)


@pytest.mark.parametrize("sign", "=@＝＠＋－")
def test_no_text_begins_a_formula(sign: str) -> None:
    assert sheets.harmless(f"{sign}A1") == f"'{sign}A1"


def test_a_file_beside_other_runs_is_one_of_them(tmp_path: Path) -> None:
    run = make_run(PAPER[:2])
    report = summarise(run, make_records(run))
    file = write_samples(report, tmp_path)
    folder = write_folder(tmp_path / "run", run, make_records(run))
    both = cmx_bench.load([file, folder])
    assert list(both["run"].cat.categories) == [str(folder), str(file)]
    assert len(both) == 2 * len(report.samples)
    beside = folder / "samples.csv.gz"
    beside.write_bytes(b"is not read, for the folder has the records")
    assert_frame_equal(cmx_bench.load(beside), cmx_bench.load(folder))


def test_what_pandas_alone_has_read_is_refused(tmp_path: Path) -> None:
    file = write_samples(mixed(), tmp_path)
    for table in (pd.read_csv(file), pd.read_csv(file, keep_default_na=False)):
        for function in (cmx_bench.summary, cmx_bench.plot.memory):
            with pytest.raises(ValueError, match="in some rows; .* by cmx_bench.load|number .* cm"):
                function(table)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("value,discarded", "values,discarded", "it lacks value; give the folder"),
        (",True,", ",yes,", "the column counts: expected True or False, not 'yes'"),
        (",64,224,", ",64,large,", "the column image_size: invalid literal for int"),
        ("{", "[{", "the column details: "),
    ],
)
def test_a_damaged_file_is_refused_in_a_line(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    text = gzip.decompress(sheets.pack(mixed().samples)).decode()
    path = tmp_path / "mine.csv"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(RecordsError, match=f"mine.csv: holds no samples: ({reason})") as error:
        cmx_bench.load(path)
    assert "\n" not in str(error.value)


def test_a_file_that_is_cut_off_or_goes_on_is_refused(tmp_path: Path) -> None:
    """Rows that were lost, or those of a second file, were missing without a word."""
    file = write_samples(mixed(), tmp_path)
    whole = file.read_bytes()
    for content in (whole[:-4], whole[:-40], whole + whole):
        file.write_bytes(content)
        with pytest.raises(RecordsError, match="samples.csv.gz: holds no samples: it is cut off,"):
            cmx_bench.load(file)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"\x1f\x8b cut off", b"a,b\n1\n"])
def test_a_file_that_is_none_is_refused_in_a_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "samples.csv.gz"
    path.write_bytes(content)
    with pytest.raises(RecordsError, match="samples.csv.gz: holds no samples: "):
        cmx_bench.load(path)
