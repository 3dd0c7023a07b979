"""Runs in a fresh process: trains a model epoch by epoch, evaluates each epoch, and continues an
interrupted training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
import torch.distributed

from cmx_bench.accuracy import images, labels
from cmx_bench.accuracy.decoding import Chunk, chunks
from cmx_bench.accuracy.labels import Labels
from cmx_bench.accuracy.predicting import predict_with
from cmx_bench.accuracy.preprocessing import Preprocessing, of
from cmx_bench.cell import Setting
from cmx_bench.datasets import is_small
from cmx_bench.errors import DataError, is_of_surroundings
from cmx_bench.measures import jiffies
from cmx_bench.measures.forward import apply_flags
from cmx_bench.training import checkpoints
from cmx_bench.training import files as trained_files
from cmx_bench.training.batches import Images, Part, augment, workers_that_fit
from cmx_bench.training.files import Files
from cmx_bench.training.loop import Training
from cmx_bench.worker import machine, ranks
from cmx_bench.worker.job import Outcome, Seen, TrainingJob
from cmx_bench.worker.sampling import print_error, print_to, reason_of

_CHUNK = 64  # images that are decoded at a time to evaluate
_SIGN_OF_LIFE = 1.0  # seconds


def train(pipe: Connection, job: TrainingJob, log: Path) -> None:
    """Trains a model; says how it goes on `pipe`, at last its outcome.

    Args:
        log: the file for what is printed.
    """
    print_to(log, f"training {job.cell.model.name} with seed {job.seed}")
    job.files.last.parent.mkdir(exist_ok=True)
    if job.task.processes == 1:
        pipe.send(_train(job, pipe, Part(), lambda: None))
        return
    job.files.meeting.unlink(missing_ok=True)
    trained = ranks.lead(pipe, job.task.processes, partial(_train, job))
    job.files.meeting.unlink(missing_ok=True)
    pipe.send(trained)


def _train(job: TrainingJob, pipe: Connection, part: Part, advance: Callable[[], None]) -> Outcome:
    """The training by this process, or its part of it; see `ranks.RankWork`."""
    setting = _setting(job, part.rank)
    try:
        if setting.kind == "cuda":
            torch.cuda.set_device(setting.device)  # or some of torch's threads take the first GPU
        apply_flags(setting)
        environment = machine.capture(setting.device)
        advance()
        _join(part, job.files.meeting, setting)
        lesson = _lesson(job, part, advance)
        if part.rank == 0:
            return Outcome({}, "", environment, details=_lead(pipe, job, lesson))
        _resume(lesson.training, job.files)
        for _ in lesson.training.epochs(lambda images: None):  # which keeps nothing
            pass
        return Outcome({}, "", environment)
    except BaseException as error:  # whatever a model or an image does fails this training alone
        print_error(error)
        return Outcome({}, reason_of(error, setting), {}, lost=is_of_surroundings(error))


def _setting(job: TrainingJob, rank: int = 0) -> Setting:
    """How the recipe trains, whatever the settings are that models are evaluated in afterwards."""
    asked, device, threads = job.task.asked, job.cell.setting.device, None
    if device != "cpu":
        device = f"cuda:{int(device.rpartition(':')[2]) + rank}"
    else:
        mine = jiffies.usable_cores() // (job.at_once * job.task.processes)
        threads = max(1, mine - 1)  # one prepares images
    size = asked.shared_size(job.cell.setting)
    return Setting(
        "training",
        device,
        "fp32",
        # To evaluate in another layout would move the weights from beside AdamW's moments, and its
        # fused step goes through the memory of both in order.
        "nhwc" if job.recipe.channels_last else "nchw",
        "none",
        job.recipe.batch_size,
        size,
        threads,
    )


@dataclass(frozen=True, slots=True)
class _Lesson:
    """A training in its surroundings."""

    training: Training
    preprocessing: Preprocessing
    setting: Setting
    decoded: Callable[[], Iterator[Chunk]]  # the images to evaluate on; kept where they are small
    label: Labels
    valid: Sequence[int] | None


def _lesson(job: TrainingJob, part: Part, advance: Callable[[], None]) -> _Lesson:
    model, asked, recipe = job.cell.model, job.task.asked, job.recipe
    setting = _setting(job, part.rank)
    preprocessing = of(model, setting, asked)
    classes = model.num_classes
    dataset, validation = images(job.task, classes, "train"), images(job.task, classes)
    change = augment(recipe.augmentation, preprocessing)
    learned = Images(dataset, change, classes, job.seed)
    wanted = 1 if setting.kind == "cpu" else jiffies.usable_cores() // part.count
    batch_bytes = recipe.batch_size // part.count * 3 * setting.image_size**2 * 4
    workers = workers_that_fit(wanted, batch_bytes, job.at_once * part.count)
    training = Training(
        model, recipe, learned, setting.image_size, job.seed, setting.device, workers, part, advance
    )
    decoded = partial(
        chunks, validation, [preprocessing.geometry], _CHUNK, 0, jiffies.usable_cores(), None
    )
    if is_small(asked.dataset) and part.rank == 0:  # the one that evaluates
        decoded = partial(iter, tuple(decoded()))
    label, valid = labels.reader(job.task), labels.valid(job.task)
    return _Lesson(training, preprocessing, setting, decoded, label, valid)


def _lead(pipe: Connection, job: TrainingJob, lesson: _Lesson) -> dict[str, Any]:
    """What is told of the training, by the process that evaluates it and keeps its files."""
    training, files = lesson.training, job.files
    curve = _resume(training, files)
    size = len(training.images) // training.recipe.batch_size * training.recipe.batch_size
    tell = _sometimes(pipe, size * training.recipe.epochs)
    for epoch in training.epochs(tell):
        top1 = _top1(lesson, partial(tell, epoch.number * size))
        if top1 > max((point["top1"] for point in curve), default=-1.0):
            checkpoints.write_weights(files.best, training.module.state_dict())
        curve.append({**asdict(epoch), "top1": top1})
        checkpoints.write_state(files.state, {"curve": curve, **training.state_dict()})
    checkpoints.write_weights(files.last, training.module.state_dict())
    told = _tell(lesson, curve, job)
    trained_files.write_told(files.told, told)
    files.state.unlink()
    return told


def _resume(training: Training, files: Files) -> list[dict[str, Any]]:
    state = checkpoints.read_state(files.state)
    if state is None:
        return []
    training.load_state_dict(state)
    print(f"going on after epoch {training.done}", flush=True)
    return list(state["curve"])


def _tell(lesson: _Lesson, curve: list[dict[str, Any]], job: TrainingJob) -> dict[str, Any]:
    """What the records keep of a training: `seconds` are those of the steps, without evaluation."""
    seconds = sum(point["seconds"] for point in curve)
    best = max(curve, key=lambda point: point["top1"])
    return {
        "recipe": lesson.training.recipe.name,
        "seed": job.seed,
        "epochs": len(curve),
        "images": len(lesson.training.images),
        "opened": lesson.training.images.about,
        "processes": lesson.training.part.count,
        "at_once": job.at_once,
        "seconds": seconds,
        "images_per_second": sum(point["images"] for point in curve) / seconds,
        "best": {"epoch": best["number"], "top1": best["top1"]},
        "curve": curve,
    }


def _sometimes(pipe: Connection, total: int) -> Callable[[int], None]:
    last = time.monotonic()

    def tell(images: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= _SIGN_OF_LIFE:
            last = now
            pipe.send(Seen(images, total))

    return tell


def _top1(lesson: _Lesson, alive: Callable[[], None]) -> float:
    """The share of the images to evaluate on that the model, as it is now, has right.

    Args:
        alive: called now and then.
    """
    module, geometry = lesson.training.module, lesson.preprocessing.geometry
    module.eval()
    predict = predict_with(
        module, lesson.training.model, lesson.setting, lesson.preprocessing, lesson.valid
    )
    right = count = 0
    for chunk in lesson.decoded():
        alive()
        whole = [item for place, item in enumerate(chunk.items) if place not in chunk.broken]
        if not whole:
            continue
        classes, _ = predict(chunk.pixels[geometry])
        for item, predicted in zip(whole, classes[:, 0].tolist(), strict=True):
            of_it = lesson.label(item.key, item.label)
            right += predicted in of_it
            count += len(of_it) > 0
    module.train()
    if count == 0:
        raise DataError("no image to evaluate on can be read")
    return right / count


def _join(part: Part, meeting: Path, setting: Setting) -> None:
    if part.count > 1:
        cuda = setting.kind == "cuda"
        torch.distributed.init_process_group(
            "nccl" if cuda else "gloo", f"file://{meeting.absolute()}", timedelta(hours=1),
            world_size=part.count, rank=part.rank,
            device_id=torch.device(setting.device) if cuda else None,
        )  # fmt: skip
