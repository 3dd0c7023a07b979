"""Runs in a fresh process: evaluates the models of one setting, all on the same images."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch._dynamo
from numpy.typing import NDArray

from cmx_bench.accuracy import Evaluation, images, labels
from cmx_bench.accuracy.calibrating import calibration
from cmx_bench.accuracy.decoding import Chunk, chunks
from cmx_bench.accuracy.predicting import Predict, predictor
from cmx_bench.accuracy.preprocessing import Preprocessing, of
from cmx_bench.cell import Cell
from cmx_bench.datasets import Dataset
from cmx_bench.errors import CmxError, DataError, ModelError, first_line, is_of_surroundings
from cmx_bench.measures import jiffies
from cmx_bench.measures.calibration import giving
from cmx_bench.measures.forward import apply_flags, out_of_memory
from cmx_bench.models import weights
from cmx_bench.models.resampling import Resampling
from cmx_bench.results import predictions
from cmx_bench.results.predictions import BROKEN, PREDICTED, ROW, Images
from cmx_bench.results.records import Environment
from cmx_bench.spec import disk
from cmx_bench.worker import inventory, machine
from cmx_bench.worker.inventory import Inventory
from cmx_bench.worker.job import Evaluated, Outcome, Seen
from cmx_bench.worker.sampling import origins, print_error, print_to, reason_of

_CHUNK = inventory.CHUNK
_NAMED = 5  # broken images in a reason; more of them are counted

_CHANGED = (
    "changed since this run's evaluations began; begin another with --fresh, or another --out"
)

_Said: TypeAlias = Seen | Evaluated


@dataclass(frozen=True, slots=True)
class _Entrant:
    """A model that is evaluated: what it sees, how it predicts, and its rows of an earlier time."""

    cell: Cell
    preprocessing: Preprocessing
    predict: Predict
    part: Path
    before: NDArray[np.void]
    weights_sha256: str
    resampling: Resampling | None
    real: bool
    runtime: Mapping[str, object]


def evaluate(
    pipe: Connection, cells: Sequence[Cell], task: Evaluation, folder: Path, log: Path
) -> None:
    """Evaluates cells of one setting in this process; says how it goes on `pipe`.

    Args:
        folder: the run's, which keeps the predictions.
        log: the file for what is printed.
    """
    print_to(log, f"evaluating {' '.join(cell.key for cell in cells)}")
    apply_flags(cells[0].setting)
    environment = machine.capture(cells[0].setting.device, cells[0].setting)
    waiting = {cell.key: cell for cell in cells}
    try:
        for said in steps(cells, task, folder, environment):
            pipe.send(said)
            if isinstance(said, Evaluated):
                del waiting[said.key]
    except CmxError as error:  # the images are at fault: no model can be evaluated on them
        for key in waiting:
            outcome = Outcome({}, first_line(error), environment, lost=is_of_surroundings(error))
            pipe.send(Evaluated(key, outcome))
    # Anything else is a mistake of ours: it ends the process and stands in the log.


def steps(
    cells: Sequence[Cell], task: Evaluation, folder: Path, environment: Environment
) -> Iterator[_Said]:
    """The evaluation of cells of one setting, chunk by chunk; each cell's outcome as it comes.

    Raises:
        DataError: the images cannot be had, or are not those of an earlier time.
    """
    dataset = images(task, cells[0].model.num_classes)  # a suite's models have the same
    label, valid = labels.reader(task), labels.valid(task)
    size = cells[0].setting.batch_size * max(1, _CHUNK // cells[0].setting.batch_size)
    predictions.folder_of(folder).mkdir(exist_ok=True)
    # Models of one class share a limit, beyond which they would silently run uncompiled: each may
    # compile for its batches, and for a last one that is smaller.
    torch._dynamo.config.recompile_limit = 8 * len(cells)
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    entrants: dict[str, _Entrant] = {}
    for cell in cells:
        try:
            entrants[cell.key] = _enter(cell, task, valid, folder, size)
        except BaseException as error:  # whatever a model does fails its cell, never the others
            yield _fail(cell, error, environment, len(cells))
    if not entrants:
        return
    spent, listed = dict.fromkeys(entrants, 0.0), Inventory()
    for decoding, chunk in _time(_chunks(dataset, task, list(entrants.values()), size)):
        sums = listed.add(chunk, label)
        for key, entrant in list(entrants.items()):
            begin = time.monotonic()
            try:
                _go_on(entrant, chunk, sums)
            except DataError:
                raise
            except BaseException as error:
                del entrants[key]
                yield _fail(entrant.cell, error, environment, len(cells))
            spent[key] += decoding / len(spent) + time.monotonic() - begin
            yield Seen(len(listed.keys), dataset.size)  # a sign of life, however slow the model
    _refuse_other_count(dataset, listed, entrants.values())
    _keep(folder, listed.images(dataset, task))
    for key, entrant in entrants.items():
        outcome = _outcome(entrant, task, folder, listed, environment, spent[key])
        yield Evaluated(key, replace(outcome, details={"opened": dataset.about, **outcome.details}))


def _refuse_other_count(dataset: Dataset, listed: Inventory, entrants: Iterable[_Entrant]) -> None:
    count = len(listed.keys)
    if any(len(entrant.before) > count for entrant in entrants):
        raise DataError(f"the images of {dataset.name} {_CHANGED}")
    if dataset.size is not None and count != dataset.size:
        raise DataError(f"{dataset.name} gave {count:,} images of {dataset.size:,}")


def _time(chunks: Iterator[Chunk]) -> Iterator[tuple[float, Chunk]]:
    begin = time.monotonic()
    for chunk in chunks:
        yield time.monotonic() - begin, chunk
        begin = time.monotonic()


def _enter(
    cell: Cell, task: Evaluation, valid: Sequence[int] | None, folder: Path, size: int
) -> _Entrant:
    """A model ready to predict, and what it has predicted already."""
    model = cell.model
    if valid and max(valid) >= model.num_classes:
        raise DataError(
            f"valid_labels has a class {max(valid)}, and the model has {model.num_classes}"
        )
    preprocessing = of(model, cell.setting, task.asked)
    with giving(partial(calibration, model, cell.setting, task)):
        predict, resampling, runtime = predictor(model, cell.setting, preprocessing, valid)
    digest = weights.sha256(model)
    # Rows of another preprocessing, other labels or other weights are never continued.
    told = f"{task.asked!r} {task.path} {preprocessing!r} {digest} {resampling} {valid}"
    name = hashlib.blake2b(told.encode(), digest_size=6).hexdigest()
    target = predictions.path(folder, model.name, cell.setting_key)
    part = disk.within(target.parent, f"{target.stem}.{name}.rows")
    before, real = predictions.resume(part, size), task.asked.real_labels is not None
    return _Entrant(cell, preprocessing, predict, part, before, digest, resampling, real, runtime)


def _chunks(
    dataset: Dataset, task: Evaluation, entrants: Sequence[_Entrant], size: int
) -> Iterator[Chunk]:
    geometries = list(dict.fromkeys(entrant.preprocessing.geometry for entrant in entrants))
    start = min(len(entrant.before) for entrant in entrants)
    if task.cache is not None:
        try:
            task.cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{task.cache}: cannot be written: {error.strerror}") from error
    return chunks(dataset, geometries, size, start, jiffies.usable_cores(), task.cache)


def _go_on(entrant: _Entrant, chunk: Chunk, sums: NDArray[np.uint32]) -> None:
    """Predicts a chunk's images and keeps the rows; where they are there, they must be of these."""
    there = entrant.before["image"][chunk.first : chunk.first + len(sums)]
    if len(there):
        if (other := np.flatnonzero(there != sums)).size:
            raise DataError(f"{chunk.items[other[0]].key} {_CHANGED}")
        return
    rows = np.zeros(len(sums), ROW)
    rows["image"], rows["state"], rows["top5"] = sums, BROKEN, -1
    whole = [place for place in range(len(sums)) if place not in chunk.broken]
    highest = max(item.label for item in chunk.items)
    if highest >= entrant.cell.model.num_classes and not entrant.real:
        raise ModelError(
            f"{entrant.cell.model.name}: an image has the label {highest}, the model "
            f"{entrant.cell.model.num_classes} classes; set num_classes"
        )
    if whole:
        classes, scores = entrant.predict(chunk.pixels[entrant.preprocessing.geometry])
        rows["state"][whole] = PREDICTED
        rows["top5"][whole, : classes.shape[1]] = classes.numpy()
        rows["score"][whole, : scores.shape[1]] = scores.numpy()
    predictions.append(entrant.part, rows)


def _keep(folder: Path, images: Images) -> None:
    """Lists the images for all settings of a run, which must see the same."""
    if predictions.images_path(folder).exists():
        before = predictions.read_images(folder)
        if changed := before.changed(images):
            raise DataError(f"{changed} {_CHANGED}")
    predictions.write_images(folder, images)


def _outcome(
    entrant: _Entrant, task: Evaluation, folder: Path, listed: Inventory, environment: Environment,
    seconds: float,
) -> Outcome:  # fmt: skip
    rows = np.fromfile(entrant.part, ROW)
    lost = [listed.keys[place] for place in np.flatnonzero(rows["state"] == BROKEN)]
    if len(lost) > task.allow_missing:
        named = [f"{key} ({listed.broken.get(key, 'cannot be read')})" for key in lost[:_NAMED]]
        more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
        reason = (f"broken images: {', '.join(named)}{more}; mend them, or add "
                  f"--allow-missing {len(lost)}")  # fmt: skip
        return Outcome({}, reason, environment, elapsed=seconds)
    counted = rows["state"] == PREDICTED
    counted &= predictions.find_labelled(listed.labels)
    if not counted.any():
        return Outcome({}, "no image has a label to be right about", environment, elapsed=seconds)
    tops = (1, 5) if (rows["top5"][counted, 4] >= 0).all() else (1,)
    right = {k: predictions.correct(rows, listed.labels, k)[counted] for k in tops}
    target = predictions.path(folder, entrant.cell.model.name, entrant.cell.setting_key)
    predictions.finish(rows, target)
    details = {
        "dataset": task.asked.dataset,
        "images": int(counted.sum()),
        "correct": {f"top{k}": int(hits.sum()) for k, hits in right.items()},
        "unlabelled": int(len(rows) - len(lost) - counted.sum()),
        "broken": {key: listed.broken.get(key, "cannot be read") for key in lost},
        "preprocessing": asdict(entrant.preprocessing),
        "weights": entrant.cell.model.weights,
        "weights_sha256": entrant.weights_sha256,
        **({} if entrant.resampling is None else {"resampled": asdict(entrant.resampling)}),
        **entrant.runtime,
        **labels.tell(task),
        **origins(entrant.cell.model),
    }
    values = {f"top{k}": [float(hits.mean())] for k, hits in right.items()}
    return Outcome(values, "", environment, elapsed=seconds, details=details)


def _fail(cell: Cell, error: BaseException, environment: Environment, together: int) -> Evaluated:
    """A cell that failed; one for which there was no memory left may do better alone."""
    print_error(error)
    reason, lost = reason_of(error, cell.setting), is_of_surroundings(error)
    outcome = Outcome({}, reason, environment, lost=lost)
    return Evaluated(cell.key, outcome, again=together > 1 and out_of_memory(error))
