"""The processes that train: alone and together, broken off and gone on, and what they leave."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import islice
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from cmx_bench import report
from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell, Setting
from cmx_bench.datasets import open_dataset
from cmx_bench.errors import RecordsError
from cmx_bench.execute import learners, opening
from cmx_bench.plan import making
from cmx_bench.plan.users import Asked
from cmx_bench.report import verify
from cmx_bench.results import records
from cmx_bench.spec import suite
from cmx_bench.spec.suite import Accuracy, SharedPreprocessing
from cmx_bench.training import files, schedule
from cmx_bench.training.batches import Batches, Part
from cmx_bench.worker import fitting, local
from cmx_bench.worker.job import Job, Outcome, Seen, TrainingJob
from cmx_bench.worker.targets import Target

from ..conftest import CPU, StandIn
from ..report import rendering
from ..training.test_batches import recipe
from ..training.test_loop import HARD, model
from . import pretended
from .conftest import measure

SETTING = Setting("cpu", "cpu", "fp32", "nchw", "none", 64, 16)
HALVES = SharedPreprocessing(crop_pct=1.0, mean=[0.5] * 3, std=[0.5] * 3)


def asked(**parts: object) -> Accuracy:
    """Training with a hard recipe, or with other parts."""
    train = recipe(**HARD | parts)
    return Accuracy(dataset="few", preprocessing="shared", shared=HALVES, train=train)


def cell(family: str) -> Cell:
    return Cell(model(family), "accuracy", SETTING)


def trained(
    folder: Path, few: Path, family: str = "mixer", processes: int = 1, stop: bool = False,
    **parts: object,
) -> Outcome | None:  # fmt: skip
    """How a training ends, in a process of its own; None where it is killed after an epoch."""
    task = Evaluation(asked(**parts), Path(), few, processes=processes)
    ours, theirs = Pipe()
    job = TrainingJob(cell(family), 0, task, files.of(folder, "m", 16, 0))
    process = local.start(Target.FIT, theirs, job, folder / "log.txt")
    theirs.close()
    try:
        while True:
            if stop and list(folder.glob("trained/*.state.pt")):
                return None
            if ours.poll(0.01):
                said: Seen | Outcome = ours.recv()
                if isinstance(said, Outcome):
                    return said
    finally:
        process.kill()
        process.join()


def last(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "trained" / "m.r16.seed0.safetensors")


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_killed_training_goes_on_and_ends_as_if_nothing_had_been(
    tmp_path: Path, few: Path, channels_last: bool
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    ended = trained(whole, few, "convmixer", channels_last=channels_last)
    assert ended is not None and not ended.reason
    assert trained(killed, few, "convmixer", stop=True, channels_last=channels_last) is None
    resumed = trained(killed, few, "convmixer", channels_last=channels_last)
    assert resumed is not None and not resumed.reason
    assert "going on" in (killed / "log.txt").read_text()
    for name, value in last(whole).items():
        assert torch.equal(value, last(killed)[name])
    curves = [[point["loss"] for point in outcome.details["curve"]] for outcome in (ended, resumed)]
    assert curves[0] == curves[1]
    assert not list(killed.glob("trained/*.state.pt"))


@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_training_leaves_no_process(tmp_path: Path, few: Path, processes: int) -> None:
    """Neither those that train with it nor those that prepare images."""
    task = Evaluation(asked(epochs=10**6), Path(), few, processes=processes)
    job = TrainingJob(cell("mixer"), 0, task, files.of(tmp_path, "m", 16, 0))
    ours, theirs = Pipe()
    process = local.start(Target.FIT, theirs, job, tmp_path / "log.txt")
    assert isinstance(ours.recv(), Seen)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == (1 if processes == 1 else 4)
    process.kill()
    process.join()
    _, alive = psutil.wait_procs(children, 60)
    assert not alive


def test_two_processes_train_as_one_does(tmp_path: Path, few: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    losses = []
    for folder, processes in ((alone, 1), (together, 2)):
        folder.mkdir()
        ended = trained(folder, few, processes=processes)
        assert ended is not None and not ended.reason, ended
        assert ended.details["processes"] == processes
        losses.append([point["loss"] for point in ended.details["curve"]])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for name, value in last(alone).items():
        assert torch.allclose(value, last(together)[name], atol=1e-4), name


@pytest.mark.parametrize(("processes", "rank"), [(1, 0), (2, 0), (2, 1)])
def test_a_broken_image_is_named_whichever_process_finds_it(
    tmp_path: Path, few: Path, processes: int, rank: int
) -> None:
    data = shutil.copytree(few, tmp_path / "data")
    images = open_dataset("few", data, "train")
    _, number = next(iter(Batches(48, recipe(**HARD), 0, Part(rank, processes))))[0]
    key = next(islice(images.items(), number, None)).key
    (data / "train" / key).write_bytes(b"broken")
    ended = trained(tmp_path, data, processes=processes)
    assert ended is not None
    reason = f"few: {key} cannot be read (not a kind of image that Pillow knows)"
    assert ended.reason == reason


def test_of_epochs_that_are_as_good_the_first_is_kept(tmp_path: Path, few: Path) -> None:
    """With a rate of almost nothing no epoch is better than the first; its weights are those told
    of."""
    ended = trained(tmp_path, few, optimizer={"lr": 1e-12}, mixup=0.0, cutmix=0.0)
    assert ended is not None and not ended.reason
    assert len({point["top1"] for point in ended.details["curve"]}) == 1
    assert ended.details["best"]["epoch"] == 1
    best = load_file(tmp_path / "trained" / "m.r16.seed0.best.safetensors")
    assert any(not torch.equal(value, last(tmp_path)[name]) for name, value in best.items())


def test_the_curve_counts_as_the_evaluation_does(tmp_path: Path, few: Path) -> None:
    """Where a model chooses among two classes, it has no image of another right."""
    (tmp_path / "two.txt").write_text("0\n1\n")
    items = list(open_dataset("few", few).items())
    two = asked().model_copy(update={"valid_labels": "two.txt"})
    task = Evaluation(two, tmp_path, few)
    job = TrainingJob(cell("mixer"), 0, task, files.of(tmp_path, "m", 16, 0))
    heard: list[None] = []
    top1 = fitting._top1(fitting._lesson(job, Part(), lambda: None), lambda: heard.append(None))
    assert 0 < top1 <= sum(item.label in (0, 1) for item in items) / len(items) < 0.5
    assert heard  # a sign of life


def test_batchnorm_is_not_shared_on_a_cpu(tmp_path: Path, few: Path) -> None:
    ended = trained(tmp_path, few, "convmixer", processes=2)
    assert ended is not None
    assert ended.reason.endswith("train it with --processes 1, or with batch_norm: own")


def test_batchnorm_may_be_each_processs_own(tmp_path: Path, few: Path) -> None:
    """As one process computes it that takes the halves of each batch one after the other."""
    plain: dict[str, Any] = {"mixup": 0.0, "cutmix": 0.0, "epochs": 1, "batch_norm": "own"}
    ended = trained(tmp_path, few, "convmixer", processes=2, **plain)
    assert ended is not None and not ended.reason, ended
    halves = [Part(rank, 2) for rank in range(2)]
    task = Evaluation(asked(**plain), Path(), few)
    job = TrainingJob(cell("convmixer"), 0, task, files.of(tmp_path, "m", 16, 0))
    training = fitting._lesson(job, Part(), lambda: None).training
    module, buffers = training.module, dict(training.module.named_buffers())
    drawn = zip(*(Batches(48, training.recipe, 0, half) for half in halves), strict=True)
    for step, places in enumerate(drawn, 1):
        before = {name: value.clone() for name, value in buffers.items()}
        after = []
        for half in places:
            for name, value in buffers.items():
                value.copy_(before[name])  # the first process's, in the beginning of a step
            images, labels = zip(*map(training.images.at, half), strict=True)
            logits = module(torch.stack(images))
            loss = cross_entropy(logits, torch.tensor(labels), label_smoothing=0.1)
            (loss / 2).backward()
            after.append({name: value.clone() for name, value in buffers.items()})
        clip_grad_norm_(module.parameters(), 1.0)
        for group in training._optimizer.param_groups:
            group["lr"] = 0.01 * schedule.share(training.recipe.schedule, step / 3)
        training._optimizer.step()
        training._optimizer.zero_grad()
        for name, value in buffers.items():
            value.copy_(after[0][name])
    for name, value in buffers.items():
        if "running" in name:
            value.copy_((after[0][name] + after[1][name]) / 2)
    for name, value in module.state_dict().items():
        assert torch.allclose(value, last(tmp_path)[name], atol=1e-4), name


# --- side by side ---------------------------------------------------------------------------------


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training only does what its model is called."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))  # where the stand-in is found
    local.call("os:getpid")  # waits until the server has loaded torch
    monkeypatch.setattr(learners, "_TARGET", f"{pretended.__name__}:pretend")


def jobs_of(folder: Path, *names: str) -> list[TrainingJob]:
    """Trainings of models that are called so, all at once."""
    cells = [replace(cell("mixer"), model=replace(model("mixer"), name=name)) for name in names]
    task, kept = Evaluation(asked(), Path()), files.of(folder, "m", 16, 0)
    return [TrainingJob(cell, 0, task, kept, len(cells)) for cell in cells]


@pytest.mark.usefixtures("stand_in")
def test_trainings_side_by_side(tmp_path: Path) -> None:
    """All three are under way at once: the one that dies and the one that hangs harm no other."""
    jobs = jobs_of(tmp_path, "hangs", "dies", "learns")
    heard = list(learners._train(jobs, tmp_path / "log.txt", 5.0))
    words = [said for said in heard if isinstance(said, Seen)]
    ended = {said[0].cell.model.name: said[1] for said in heard if not isinstance(said, Seen)}
    assert ended["learns"].details == {"at_once": 3}
    assert ended["dies"].reason == "the process was killed by SIGABRT"
    assert ended["hangs"].reason == "the process took longer than 5 s"
    assert list(ended)[-1] == "hangs"
    assert words[-1] == Seen(23, 30, "training hangs")  # two have ended


@pytest.mark.usefixtures("stand_in")
def test_a_training_says_how_far_it_is_before_it_ends(tmp_path: Path) -> None:
    [job] = jobs_of(tmp_path, "hangs")
    said, (hung, outcome) = learners._train([job], tmp_path / "log.txt", 1.0)  # type: ignore[misc]
    assert said == Seen(3, 10, "training hangs")
    assert (hung, outcome.reason) == (job, "the process took longer than 1 s")


# --- a whole run ----------------------------------------------------------------------------------

SUITE = """\
name: taught
num_classes: 10
models:
  - {name: mixer, mixer: {dim: 16, depth: 1, patch_size: 4}}
  - {name: wild, convmixer: {dim: 16, depth: 1, kernel_size: 3, patch_size: 4}}
measures: [accuracy]
accuracy:
  dataset: few
  preprocessing: shared
  shared: {crop_pct: 1.0}
  seeds: [0, 7]
  train: {name: short, epochs: 1, batch_size: 16, optimizer: {lr: 0.01}}
settings:
  cpu:
    - {name: one, batch_size: 64, image_size: 16}
    - {name: other, layout: nhwc, batch_size: 64, image_size: 16}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two models are trained with two seeds, and evaluated in two settings."""
    folder = tmp_path_factory.mktemp("taught")
    (folder / "suite.yaml").write_text(SUITE, encoding="utf-8")
    return folder


def run(folder: Path, few: Path, said: list[str]) -> Path:
    suite_file = suite.load(str(folder / "suite.yaml"))
    task = Evaluation(suite_file.suite.accuracy, folder, few)
    plan = making.make(suite_file, CPU, Asked(evaluation=task))
    out = folder / "run"
    opening.open_run(plan, folder, out, False, "command")

    def watch(job: Job, record: records.Record | None) -> None:
        if record is not None:
            said.append(f"{job.cell.key} {job.replicate} {record.status}")

    measure(plan, out, StandIn(), watch)
    return out


def test_a_run_trains_once_for_all_settings_and_once_for_each_seed(folder: Path, few: Path) -> None:
    said: list[str] = []
    out = run(folder, few, said)
    assert len(said) == 8 and all(line.endswith("ok") for line in said)
    assert len(list(out.glob("trained/*.best.safetensors"))) == 4
    lines = records.read(out)
    assert {record.replicate for record in lines} == {0, 1}
    details = lines[0].details
    assert details["weights"] == "trained/mixer.r16.seed0.safetensors"
    assert details["training"]["seed"] == 0 and details["training"]["epochs"] == 1
    curve = details["training"]["curve"]
    assert curve[-1]["top1"] == lines[0].values["top1"][0]
    again: list[str] = []
    run(folder, few, again)
    assert again == []


def test_its_report_has_the_mean_over_the_seeds(folder: Path, undrawn: None) -> None:
    rendered = report.read(folder / "run")
    for result in rendered.results.values():
        if result.metric == "top1":
            assert result.over == "seeds"
            processes = rendered.processes[result.model, result.setting, "top1"]
            shares = [share for process in processes for share in process.samples]
            assert len(shares) == 2 and result.value == pytest.approx(sum(shares) / 2)
    text = rendering.render(folder / "run", "md")
    assert "## Training" in text and "n = 2 seeds" in text and "Recipe short" in text
    rendering.write(folder / "run")
    assert not verify.verify(folder / "run").differences


def test_a_model_with_weights_stands_beside_rivals_that_are_trained(
    tmp_path: Path, folder: Path, few: Path, undrawn: None
) -> None:
    """It is evaluated once, whatever seeds the others are trained with, and the report says so."""
    given = run(folder, few, []) / "trained" / "mixer.r16.seed7.safetensors"
    (tmp_path / "w.safetensors").write_bytes(given.read_bytes())
    text = SUITE.replace(
        "depth: 1, patch_size: 4}}", "depth: 1, patch_size: 4}, weights: w.safetensors}", 1
    )
    (tmp_path / "suite.yaml").write_text(text)
    said: list[str] = []
    out = run(tmp_path, few, said)
    lines = records.read(out)
    mine = [record for record in lines if record.model == "mixer"]
    others = [record for record in lines if record.model != "mixer"]
    assert lines[: len(mine)] == mine and {record.replicate for record in mine} == {0}
    assert {record.replicate for record in others} == {0, 1}
    assert all("training" not in record.details for record in mine)
    assert all("training" in record.details for record in others)
    before = {record.setting: record.values for record in records.read(folder / "run")
              if (record.model, record.replicate) == ("mixer", 1)}  # fmt: skip
    assert {record.setting: record.values for record in mine} == before
    rendered = report.read(out)
    results = [result for result in rendered.results.values() if result.metric == "top1"]
    over = {result.model: (result.over, result.n, result.status) for result in results}
    assert over["mixer"] == ("images", 24, "ok") and over["wild"] == ("seeds", 2, "ok")
    text = rendering.render(out, "md")
    assert "mixer came with weights and was not trained here." in text
    assert "came with the model" in text and "trained here" in text
    rendering.write(out)
    assert not verify.verify(out).differences
    again: list[str] = []
    run(tmp_path, few, again)
    assert again == []
    (tmp_path / "suite.yaml").write_text(SUITE)
    with pytest.raises(RecordsError, match="holds another run"):
        run(tmp_path, few, again)


def test_weights_given_to_a_run_that_trained_are_for_another_run(folder: Path, few: Path) -> None:
    run(folder, few, [])
    suite_file = suite.load(str(folder / "suite.yaml"))
    task = Evaluation(suite_file.suite.accuracy, folder, few)
    weights = {"mixer": folder / "run" / "trained" / "mixer.r16.seed7.safetensors"}
    plan = making.make(suite_file, CPU, Asked(evaluation=task, given=weights))
    differences = opening._differences(plan, records.read_run(folder / "run"), folder / "run")
    assert next(differences) == "mixer did not come with weights, and does now"


def test_a_training_that_fails_fails_its_cells_alone(tmp_path: Path, few: Path) -> None:
    text = SUITE.replace("optimizer: {lr: 0.01}", "optimizer: {name: sgd, lr: 1.0e+6}")
    (tmp_path / "suite.yaml").write_text(text.replace("seeds: [0, 7]", "seeds: [3]"))
    said: list[str] = []
    out = run(tmp_path, few, said)
    by_model = {record.model: record for record in records.read(out)}
    assert "the loss became" in by_model["mixer"].reason and by_model["mixer"].status == "failed"


def test_estimates_count_the_training(folder: Path, few: Path) -> None:
    suite_file = suite.load(str(folder / "suite.yaml"))
    task = Evaluation(suite_file.suite.accuracy, folder, few)
    short = making.make(suite_file, CPU, Asked(evaluation=task))
    assert suite_file.suite.accuracy.train is not None
    longer = suite_file.suite.accuracy.train.model_copy(update={"epochs": 10_000})
    asked = task.asked.model_copy(update={"train": longer})
    long = making.make(suite_file, CPU, Asked(evaluation=replace(task, asked=asked)))
    assert sum(long.estimates.values()) > 2 * sum(short.estimates.values())
