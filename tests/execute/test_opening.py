"""Runs that are found again, and those that are left alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.accuracy import Evaluation, labels
from cmx_bench.errors import RecordsError
from cmx_bench.execute import opening
from cmx_bench.plan import Plan, making, on_several
from cmx_bench.plan.joining import join
from cmx_bench.plan.users import Asked
from cmx_bench.results import predictions, records, runfolder
from cmx_bench.results.records import Record
from cmx_bench.spec import disk, suite
from cmx_bench.spec.suite import Accuracy, SuiteFile
from cmx_bench.training import files
from cmx_bench.worker import inventory
from cmx_bench.worker.job import Job, Outcome, Place

from ..conftest import CPU, TINY, StandIn, append_record, samples
from ..photographs import swap
from .conftest import measure, open_folder

INT8 = TINY.replace("throughput]", "throughput, accuracy]").replace(
    "batch_size: 2", "batch_size: 2, runtime: onnxruntime, precision: int8"
)
ONNX = {"onnx": "1.23.2", "onnxscript": "0.7.2", "onnxruntime": "1.32.0"}


def test_an_unfinished_run_is_found_again(tiny_plan: Plan, tmp_path: Path) -> None:
    folder = open_folder(tiny_plan, tmp_path)
    assert folder.parent == tmp_path / "reports" / "tiny"
    assert folder.name.endswith("Z-a-cpu")
    assert open_folder(tiny_plan, tmp_path) == folder
    records.write_run(
        folder, replace(records.read_run(folder), finished="2026-01-02", created="2026-01-01")
    )
    (folder / "run.json").rename(tmp_path / "kept.json")
    folder.rename(folder.with_name("20200101T000000Z-a-cpu"))
    assert open_folder(tiny_plan, tmp_path) != folder.with_name("20200101T000000Z-a-cpu")


def test_commands_that_begin_at_once_have_a_folder_each(
    tiny_plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runfolder, "name_of_new", lambda device, now: "a")
    names = [open_folder(tiny_plan, tmp_path, fresh=True).name for _ in range(3)]
    assert names == ["a", "a-2", "a-3"]
    with pytest.raises(RecordsError, match="a: another command has begun a run in it; give anothe"):
        opening._new_run(tiny_plan, tmp_path / "reports/tiny/a", "run", datetime.now(UTC), None)
    (tmp_path / "lost").symlink_to("nowhere")
    with pytest.raises(RecordsError, match="cannot be written"):
        opening.open_run(tiny_plan, tmp_path / "lost", None, False, "run")


@pytest.mark.parametrize(
    "part",
    ["records.jsonl", "predictions", "replicate-1", "trained", "report.md", "results.csv"],
)
def test_parts_of_a_run_without_its_run_json_belong_to_nobody(
    tiny_plan: Plan, tmp_path: Path, part: str
) -> None:
    """Or to the user, whose own results.csv would be replaced."""
    out = tmp_path / "out"
    (out / part).mkdir(parents=True)
    with pytest.raises(RecordsError, match=rf"{part}: .* run\.json is missing; give another --out"):
        open_folder(tiny_plan, tmp_path, out)
    assert [path.name for path in out.iterdir()] == [part]


def test_what_parts_lack_is_measured_into_their_merge(
    tiny: SuiteFile, tiny_plan: Plan, tmp_path: Path
) -> None:
    """Of a run that was measured as one, other cells are another run."""
    some = making.make(tiny, machine=CPU, asked=Asked(only=["net"]))
    out = open_folder(some, tmp_path, tmp_path / "out")
    begun = records.read_run(out)
    records.rewrite_run(out, replace(begun, parts=("run tiny.yaml --only net",)))
    assert open_folder(tiny_plan, tmp_path, out) == out
    whole = opening.continue_run(tiny_plan, replace(begun, finished="2026-01-02"), None)
    assert whole.cells == tuple(cell.key for cell in tiny_plan.cells) != begun.cells
    assert (whole.only, begun.only, whole.finished) == ((), ("net",), "")
    mixer = making.make(tiny, machine=CPU, asked=Asked(only=["mixer"]))
    with pytest.raises(RecordsError, match="of other cells"):
        open_folder(mixer, tmp_path, out)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"asked": Asked(only=["net"])}, "of other cells"),
        ({"machine": CPU | {"torch": "2.11"}}, "torch was 2.15, is 2.11"),
        ({"machine": CPU | {"device_uuid": "2"}}, "device_uuid was None, is 2"),
    ],
)
def test_another_run_in_the_folder_is_left_alone(
    tiny: SuiteFile, tiny_plan: Plan, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    out = open_folder(tiny_plan, tmp_path, tmp_path / "out")
    before = (out / "run.json").read_bytes()
    other = making.make(tiny, **{"machine": CPU, **change})
    with pytest.raises(RecordsError, match="holds another run") as error:
        open_folder(other, tmp_path, out)
    assert message in str(error.value)
    with pytest.raises(RecordsError, match="already holds a run"):
        open_folder(tiny_plan, tmp_path, out, fresh=True)
    assert (out / "run.json").read_bytes() == before


def test_a_run_goes_on_with_the_same_devices_alone(
    write_suite: Callable[[str], Path], tmp_path: Path, gpu: dict[str, Any]
) -> None:
    """However they are numbered: with one device more or less its values would be of others."""
    text = TINY.replace("cpu: [{name: cpu,", "cuda: [{name: gpu,")
    alone = making.make(suite.load(str(write_suite(text))), gpu | {"device_uuid": "GPU-a"})

    def shared(**uuids: str) -> Plan:
        places = [Place(f"cuda:{name[-1]}", uuid, (0,)) for name, uuid in uuids.items()]
        return on_several(alone, tuple(places))

    two = shared(gpu0="GPU-a", gpu1="GPU-b")
    out = open_folder(two, tmp_path, tmp_path / "out")
    run = records.read_run(out)
    assert (run.device, run.machine["device_uuid"]) == ("cuda:0,1", "GPU-a, GPU-b")
    assert open_folder(shared(gpu0="GPU-b", gpu3="GPU-a"), tmp_path, out) == out
    for other, uuids in (
        (alone, "GPU-a"),
        (shared(gpu0="GPU-a", gpu1="GPU-b", gpu2="GPU-c"), "GPU-a, GPU-b, GPU-c"),
    ):
        with pytest.raises(RecordsError, match=f"device_uuid was GPU-a, GPU-b, is {uuids}\\)"):
            open_folder(other, tmp_path, out)


def test_a_file_of_a_model_that_changed_is_another_run(tiny_plan: Plan, tmp_path: Path) -> None:
    def built_from(digest: str) -> Plan:
        return replace(tiny_plan, origins={"net": {"file": "net.py", "sha256": digest * 64}})

    def answer(job: Job) -> Outcome:
        mine = {"origin": first.origins["net"]} if job.cell.model.name == "net" else {}
        return replace(samples(job, 9.0), details=mine)

    first, other = built_from("1"), built_from("2")
    folder = open_folder(first, tmp_path)
    measure(first, folder, StandIn(answer))
    records.write_run(folder, replace(records.read_run(folder), finished=""))
    assert open_folder(first, tmp_path) == folder
    message = f"net was built from net.py ({'1' * 12}), now from net.py ({'2' * 12})"
    with pytest.raises(RecordsError, match="holds another run") as error:
        open_folder(other, tmp_path, folder)
    assert message in str(error.value)
    assert open_folder(other, tmp_path) != folder


def test_a_file_that_changes_while_it_is_measured_fails_the_cell(
    tiny_plan: Plan, tmp_path: Path
) -> None:
    plan = replace(tiny_plan, origins={"net": {"file": "net.py", "sha256": "1" * 64}})

    def answer(job: Job) -> Outcome:
        digest = "2" if (job.cell.measure, job.replicate) == ("throughput", 1) else "1"
        return replace(
            samples(job, 9.0), details={"origin": {"file": "n.py", "sha256": digest * 64}}
        )

    lines = measure(plan, open_folder(plan, tmp_path), StandIn(answer))
    failed = [record for record in lines if record.status == "failed" and record.model == "net"]
    assert [(record.measure, record.replicate, record.values) for record in failed] == [
        ("throughput", 1, {})
    ]
    assert failed[0].reason.startswith(f"built from n.py ({'2' * 12}), the run's other cells of it")


def test_another_suite_in_the_folder(
    tiny_plan: Plan, tmp_path: Path, write_suite: Callable[[str], Path], cpu: dict[str, Any]
) -> None:
    out = open_folder(tiny_plan, tmp_path, tmp_path / "out")
    other = making.make(suite.load(str(write_suite(TINY.replace("depth: 2", "depth: 1")))), cpu)
    with pytest.raises(RecordsError, match="holds another run \\(of the suite tiny with other"):
        open_folder(other, tmp_path, out)


def test_int8_of_other_weights_or_images_is_another_run(
    tiny_plan: Plan, tmp_path: Path, write_suite: Callable[..., Path], cpu: dict[str, Any]
) -> None:
    """Weights that are given later make no other run of what is not quantised."""
    quantised = making.make(suite.load(str(write_suite(INT8))), cpu | ONNX)
    for plan, name in ((tiny_plan, "fp32"), (quantised, "int8")):
        open_folder(plan, tmp_path, tmp_path / name)
    weighted = tuple(replace(model, weights="w.pth") for model in tiny_plan.models)
    assert open_folder(replace(tiny_plan, models=weighted), tmp_path, tmp_path / "fp32").is_dir()
    with pytest.raises(RecordsError, match="int8 of mixer was made of other weights"):
        open_folder(replace(quantised, models=weighted), tmp_path, tmp_path / "int8")
    task = Evaluation(quantised.suite_file.suite.accuracy, tmp_path, tmp_path / "images")
    with pytest.raises(RecordsError, match="int8 was calibrated with images of None, not of /"):
        open_folder(replace(quantised, evaluation=task), tmp_path, tmp_path / "int8")


def test_images_that_changed_make_another_run(tiny_plan: Plan, few: Path, tmp_path: Path) -> None:
    """By their content: sizes and times may be as they were."""
    images = tmp_path / "images"
    shutil.copytree(few, images)
    task = Evaluation(Accuracy(dataset="few"), tmp_path, images)
    plan = replace(tiny_plan, evaluation=task)
    folder = open_folder(plan, tmp_path)
    for home in (folder, predictions.home(folder, 1)):
        predictions.folder_of(home).mkdir(parents=True)
        predictions.write_images(home, inventory.list_evaluated(task, 10))
    files.learned(folder).parent.mkdir()
    disk.write(files.learned(folder), inventory.digest_learned(task, 10))
    assert open_folder(plan, tmp_path) == folder
    for part, message in (
        ("train", "learn from"),
        ("val", r"\d/digit-\d+.png and what follows is not"),
    ):
        swap(min((images / part).rglob("*.png")))
        with pytest.raises(RecordsError, match=rf"holds another run \(.*{message}"):
            open_folder(plan, tmp_path, folder)
    assert open_folder(plan, tmp_path) != folder
    assert open_folder(tiny_plan, tmp_path, folder) == folder  # nobody says where the images are


def test_other_classes_to_choose_among_make_another_run(
    write_suite: Callable[[str], Path], tmp_path: Path
) -> None:
    text = TINY.replace("throughput]", "accuracy]\naccuracy: {valid_labels: valid.txt}")
    file, valid = suite.load(str(write_suite(text))), tmp_path / "valid.txt"
    valid.write_text("1\n2\n")
    task = Evaluation(file.suite.accuracy, tmp_path)
    plan = replace(making.make(file, CPU), evaluation=task)
    folder = open_folder(plan, tmp_path)
    images = {"images": 2, "correct": {"top1": 1}, "broken": {}, "weights_sha256": "0" * 64}
    records.write_run(folder, replace(records.read_run(folder), environments={"a": CPU}))
    cell = next(cell for cell in plan.cells if cell.measure == "accuracy")
    evaluated = Record(
        cell.key, cell.model.name, "accuracy", cell.setting_key, 0, "ok", {"top1": [0.5]}, "", "a",
        "2026-01-01T00:00:00.000+00:00", 1.0, {}, {}, images | labels.tell(task),
    )  # fmt: skip
    append_record(folder, evaluated)
    assert open_folder(plan, tmp_path, folder) == folder
    valid.write_text("1\n3\n")
    with pytest.raises(RecordsError, match="mixer chose among other classes than valid_labels has"):
        open_folder(plan, tmp_path, folder)


def test_images_of_a_calibration_that_change_fail_the_cell(tiny_plan: Plan, tmp_path: Path) -> None:
    def answer(job: Job) -> Outcome:
        digest = "2" if job.replicate == 1 else "1"
        calibration = {"source": "few, train", "images": 9, "sha256": digest * 16}
        runtime = {"version": "1", "difference": 0.0, "tolerance": 0.5, "options": {}}
        return replace(
            samples(job, 9.0), details={"runtime": runtime | {"calibration": calibration}}
        )

    lines = measure(tiny_plan, open_folder(tiny_plan, tmp_path), StandIn(answer))
    assert {record.replicate for record in lines if record.status == "failed"} == {1}
    failed = next(record for record in lines if record.status == "failed")
    assert failed.reason.startswith(f"built from few, train ({'2' * 12}), the run's other cells")


def test_a_quick_run_and_a_whole_one_are_not_continued_as_each_other(
    write_suite: Callable[..., Path], cpu: dict[str, Any], tmp_path: Path
) -> None:
    path = str(write_suite())
    whole, quick = (making.make(suite.load(path, quick=quick), cpu) for quick in (False, True))
    folder = open_folder(quick, tmp_path)
    run = records.read_run(folder)
    assert (run.quick, run.title, run.replicates) == (True, "tiny (quick)", 2)
    assert run.name.endswith(" quick")
    assert open_folder(whole, tmp_path) != folder == open_folder(quick, tmp_path)
    with pytest.raises(RecordsError, match=r"holds another run \(a quick one\); give another"):
        open_folder(whole, tmp_path, folder)
    with pytest.raises(RecordsError, match=r"holds another run \(not a quick one\); give"):
        open_folder(quick, tmp_path, open_folder(whole, tmp_path, tmp_path / "out"))


def test_a_run_of_another_version_is_passed_over(tiny_plan: Plan, tmp_path: Path) -> None:
    folder = open_folder(tiny_plan, tmp_path)
    path = folder / "run.json"
    path.write_text(path.read_text().replace('"schema": 3', '"schema": 2'))
    folder.rename(folder.with_name("20200101T000000Z-a-cpu"))
    assert open_folder(tiny_plan, tmp_path) == folder


def test_a_folder_that_cannot_be_written(tiny_plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordsError, match="cannot be written"):
        open_folder(tiny_plan, tmp_path, tmp_path / "file")


def test_a_folder_that_is_measured_into_is_not_continued(tiny_plan: Plan, tmp_path: Path) -> None:
    folder = open_folder(tiny_plan, tmp_path)
    folder.rename(folder.with_name("20200101T000000Z-a-cpu"))
    folder = folder.with_name("20200101T000000Z-a-cpu")
    with runfolder.locking(folder):
        assert open_folder(tiny_plan, tmp_path) != folder


def test_a_part_goes_on_anywhere_on_its_kind_of_machine(tiny: SuiteFile, tmp_path: Path) -> None:
    """A job array runs a part again on whatever node is free; two nodes have two GPUs."""

    def part(replicate: int | None, **facts: Any) -> Plan:
        return making.make(tiny, CPU | facts, Asked(only=["*/throughput/*"], replicate=replicate))

    out = open_folder(part(1, device_uuid="1"), tmp_path, tmp_path / "out")
    assert open_folder(part(1, device_uuid="2"), tmp_path, out) == out
    for other, reason in (
        (part(2), r"of replicate 1\)"),
        (part(None), r"of replicate 1\)"),
        (
            part(1, device_name="B"),
            r"device_name was A CPU, is B: a job array needs one kind of",
        ),
    ):
        with pytest.raises(RecordsError, match=f"holds another run \\({reason}"):
            open_folder(other, tmp_path, out)
    whole = open_folder(part(None), tmp_path, tmp_path / "whole")
    with pytest.raises(RecordsError, match=r"holds another run \(of all replicates\)"):
        open_folder(part(0), tmp_path, whole)


def kinds(plan: Plan, *machines: dict[str, Any]) -> Plan:
    """The plan for several kinds of device."""
    return join([replace(plan, machine=CPU | machine) for machine in machines])


def test_a_run_of_several_kinds_goes_on_with_other_devices_of_these_kinds(
    tiny_plan: Plan, tmp_path: Path
) -> None:
    fast, slow = {"device_name": "Fast"}, {"device_name": "Slow"}
    folder = open_folder(kinds(tiny_plan, fast, slow), tmp_path)
    run = records.read_run(folder)
    assert list(run.machines) == ["Fast", "Slow"]
    assert run.device_name == "Fast and Slow"
    assert folder.name.endswith("Z-fast-and-slow")
    assert open_folder(kinds(tiny_plan, slow | {"device_uuid": "other"}, fast), tmp_path) == folder
    for other, message in [
        (tiny_plan, "hardware was Fast and Slow, is one kind"),
        (kinds(tiny_plan, fast, {"device_name": "slow"}), "was Fast and Slow, is Fast and slow"),
        (kinds(tiny_plan, fast | {"cpu": "x"}, slow), "cpu on Fast was None, is x"),
        (kinds(tiny_plan, fast | {"cmx_bench": "9"}, slow | {"cmx_bench": "9"}),
         "cmx_bench on Fast was None, is 9"),
    ]:  # fmt: skip
        with pytest.raises(RecordsError, match=message):
            open_folder(other, tmp_path, folder)
