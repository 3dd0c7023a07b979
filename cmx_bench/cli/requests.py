"""From the options of a command to a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cmx_bench.plan import Plan
    from cmx_bench.worker.local import Call


def plan_of(
    suite: str,
    device: str,
    only: list[str] | None,
    allow_import: bool,
    data: list[str] | None = None,
    weights: list[str] | None = None,
    allow_missing: int = 0,
    cache: bool = False,
    processes: int = 1,
    thumbnails: bool = False,
    call: Call | None = None,
) -> Plan:
    """The plan of a suite for this machine, made by another process.

    The suite is read first, without torch: a typo is answered at once.

    Args:
        call: runs the functions that make it; without one a process of this Python does.
    """
    from cmx_bench import accuracy, datasets
    from cmx_bench.cli.telling import note
    from cmx_bench.errors import DataError
    from cmx_bench.plan import users
    from cmx_bench.spec import suite as suites
    from cmx_bench.worker import local
    from cmx_bench.worker.targets import Target

    suite_file = suites.load(suite, trusted=allow_import)
    asked = suite_file.suite
    dataset = asked.accuracy.dataset if "accuracy" in asked.measures else None
    paths = datasets.parse(data or [], dataset)
    if thumbnails and dataset is None:
        raise DataError("--thumbnails: the suite evaluates on no images; leave it out")
    evaluation = accuracy.Evaluation(
        asked.accuracy,
        suite_file.document.path.parent.resolve(),
        paths.get(asked.accuracy.dataset),
        allow_missing,
        accuracy.cache_folder() if cache else None,
        processes,
        thumbnails,
    )
    given = accuracy.weights_given(
        weights or [], asked.named if len(asked.named) == len(asked.models) else ()
    )
    call = call or local.call
    call(Target.CHECK_INSTALLATION)
    tried = users.tried(suite_file, device, call) if allow_import else users.Tried()
    made: Plan = call(
        Target.MAKE_PLAN,
        suite_file,
        device,
        tuple(only or ()),
        allow_import,
        evaluation,
        given,
        tried,
    )
    if why := made.machine.get("unused_gpu"):
        note(f"a GPU is there and not used: {why}")
    for split, about in made.opened.items():
        note(f"{asked.accuracy.dataset}, {split}: {about}")
    for model in made.models if evaluation.asked.train is not None else ():
        if model.weights is not None:
            note(f"{model.name} comes with weights: it is evaluated, and not trained")
    for trouble in made.troubles:
        note(f"{trouble}; its cells fail, the others are measured")
    return made
