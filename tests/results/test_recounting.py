"""What records say of predictions, held against these in a folder and in a page."""

from __future__ import annotations

from pathlib import Path

from cmx_bench import report
from cmx_bench.results import embedded, loading, predictions, recounting
from cmx_bench.results.recounting import Miscount

from ..gate import accuracies
from ..gate.accuracies import COUNT, KEY


def test_of_their_own_predictions_all_is_counted_alike(tmp_path: Path) -> None:
    folder = accuracies.write(tmp_path / "run", range(40), second=range(10))
    assert list(recounting.in_folder(folder, report.read(folder))) == []


def test_those_of_another_run_are_told_from_them(tmp_path: Path) -> None:
    folder = accuracies.write(tmp_path / "run", range(40), second=range(10))
    other = accuracies.write(tmp_path / "other", range(50), second=range(5))
    ours, theirs = (predictions.path(each, *KEY[:2]) for each in (folder, other))
    ours.write_bytes(theirs.read_bytes())
    read = loading.read_folder(folder)
    where = f"predictions/{ours.name}"
    top1 = "right by top-1", COUNT - 40, COUNT - 50
    top5 = "right by top-5", COUNT - 30, COUNT - 45
    assert list(recounting.in_folder(folder, read)) == [
        Miscount(where, *top1), Miscount(where, *top5),
    ]  # fmt: skip
    where = f"predictions of {' in '.join(KEY[:2])}"
    assert list(recounting.of_votes(read)) == [Miscount(where, *top1)]
    page = report.save(read, folder)
    assert list(recounting.of_votes(embedded.read(page).report)) == [Miscount(where, *top1)]
