"""From the options of a command to a plan."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial, wraps
from inspect import Parameter, Signature, signature
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmx_bench.cli import options
from cmx_bench.cli.options import seconds_of
from cmx_bench.errors import CmxError, PlanError

if TYPE_CHECKING:
    from cmx_bench.accuracy import Evaluation
    from cmx_bench.plan import Plan
    from cmx_bench.spec.suite import Suite, SuiteFile
    from cmx_bench.worker.job import Place
    from cmx_bench.worker.local import Call


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be measured, as the options of a command say; `suite` is None where the models are
    all that is given."""

    suite: options.SuiteOrModels = None
    model: options.Models = None
    device: options.Devices = "auto"
    executor: options.Executor = "local"
    address: options.Address = None
    only: options.Only = None
    replicate: options.Replicate = None
    budget: options.Budget = None
    spread: options.Spread = None
    data: options.Data = None
    weights: options.Weights = None
    allow_missing: options.AllowMissing = 0
    cache: options.Cache = False
    processes: options.Processes = 1
    thumbnails: options.Thumbnails = False
    quick: options.Quick = False
    allow_import: options.AllowImport = False

    @property
    def trusted(self) -> bool:
        """Whether this request may import code. Without a suite it may, because the user named
        everything in it."""
        return self.allow_import or self.suite is None

    def words(self, device: str) -> list[str]:
        """The command line that measures the same on such a device, whichever cells it chooses."""
        lists = {"--model": self.model, "--data": self.data, "--weights": self.weights}
        return [
            *([] if self.suite is None else [self.suite]),
            *(f"{name}={value}" for name, values in lists.items() for value in values or ()),
            f"--device={device}",
            *([f"--allow-missing={self.allow_missing}"] if self.allow_missing else []),
            *([f"--processes={self.processes}"] if self.processes > 1 else []),
            *["--cache"] * self.cache,
            *["--thumbnails"] * self.thumbnails,
            *["--allow-import"] * self.allow_import,
        ]

    @property
    def several(self) -> bool:
        """Whether several devices of this machine may be asked for.

        Raises:
            PlanError: `device` is no word for devices.
        """
        from cmx_bench.worker import several

        names = several.parse(self.device)
        return len(names) > 1 or names == ("cuda:all",)


def with_request(command: Callable[..., None]) -> Callable[..., None]:
    """A command that has the options of a request, and gets it as its first argument. The command's
    own positional parameters stand behind the models, the others at the end."""

    @wraps(command)
    def run(**given: Any) -> None:
        command(Request(**{each.name: given.pop(each.name) for each in fields(Request)}), **given)

    what, models, *how = signature(Request, eval_str=True).parameters.values()
    _, *own = signature(command, eval_str=True).parameters.values()
    first = [each for each in own if each.kind is not Parameter.KEYWORD_ONLY]
    every = [what, models, *first, *how, *own[len(first) :]]
    run.__signature__ = Signature(  # type: ignore[attr-defined]
        [each.replace(kind=Parameter.KEYWORD_ONLY) for each in every]
    )
    return run


def plan_of(
    request: Request, suite_file: SuiteFile | None = None, call: Call | None = None,
    elsewhere: bool = False,
) -> Plan:  # fmt: skip
    """The plan of a suite for this machine, made by another process.

    Args:
        suite_file: the request's suite; without it the suite is read first.
        call: runs the functions that make it; without one a process of this Python does.
        elsewhere: it runs them on another machine, where images and weights are looked for.
    """
    from cmx_bench.plan import joining, on_several, users
    from cmx_bench.worker import local
    from cmx_bench.worker.targets import Target

    suite_file, call = suite_file or suite_of(request), call or local.call
    evaluation, given = _evaluation(request, suite_file, call, elsewhere)
    call(Target.CHECK_INSTALLATION)
    places: tuple[Place, ...] = call(Target.FIND_PLACES, request.device) if request.several else ()
    kinds: dict[str, str] = {}  # one device of each kind
    for place in places:
        kinds.setdefault(place.hardware, place.device)
    devices = list(kinds.values()) or [request.device]
    tried = users.try_models(suite_file, devices[0], call) if request.trusted else users.Tried()
    only = tuple(request.only or ())
    asked = users.Asked(only, request.trusted, evaluation, given, tried, request.replicate)
    plans = [call(Target.MAKE_PLAN, suite_file, device, asked) for device in devices]
    plan: Plan = joining.join(plans, devices)
    _note_beforehand(plan)
    return on_several(plan, places) if len(places) > 1 else plan


def _evaluation(
    request: Request, suite_file: SuiteFile, call: Call, elsewhere: bool
) -> tuple[Evaluation, Mapping[str, Path]]:
    from cmx_bench import accuracy, datasets
    from cmx_bench.errors import DataError
    from cmx_bench.worker.targets import Target

    asked = suite_file.suite
    dataset = asked.accuracy.dataset if "accuracy" in asked.measures else None
    parse, find = (
        (partial(call, Target.PARSE_DATA), partial(call, Target.FIND_WEIGHTS))
        if elsewhere and (request.data or request.weights)
        else (datasets.parse, accuracy.find_weights)
    )
    paths = parse(request.data or (), dataset)
    if request.thumbnails and dataset is None:
        raise DataError("--thumbnails: the suite evaluates on no images; leave it out")
    evaluation = accuracy.Evaluation(
        asked.accuracy,
        suite_file.document.path.parent.resolve(),
        paths.get(asked.accuracy.dataset),
        request.allow_missing,
        accuracy.cache_folder() if request.cache else None,
        request.processes,
        request.thumbnails,
    )
    names = asked.named if len(asked.named) == len(asked.models) else ()
    return evaluation, find(request.weights or (), names)


def _note_beforehand(plan: Plan) -> None:
    from cmx_bench.cli.telling import note

    if why := plan.machine.get("unused_gpu"):
        note(f"a GPU is there and not used: {why}")
    evaluation = plan.evaluation
    if evaluation is not None:
        for split, about in plan.opened.items():
            note(f"{evaluation.asked.dataset}, {split}: {about}")
        for model in plan.models if evaluation.asked.train is not None else ():
            if model.weights is not None:
                note(f"{model.name} comes with weights: it is evaluated, and not trained")
    for caution in plan.cautions:
        note(caution, beware=True)
    for trouble in plan.troubles:
        note(f"{trouble}; its cells fail, the others are measured")


def suite_of(request: Request) -> SuiteFile:
    """The suite of a request, read without torch: a typo is answered at once.

    Raises:
        CmxError: there is none, or its options do not fit together.
        SuiteError: it cannot be accepted.
    """
    from cmx_bench.spec import suite

    if request.suite is None and not request.model:
        raise CmxError("nothing to measure: give a suite, such as `run paper` (see: cmx-bench list "
                       "suites), or models, such as `run --model resnet50`")  # fmt: skip
    if request.quick and request.processes > 1:
        raise CmxError("--quick: a quick run trains no models; leave --processes out")
    if request.several and request.processes > 1:
        raise CmxError(f"--device {request.device}: each device trains models of its own; leave "
                       f"--processes out, or name one device")  # fmt: skip
    asked = suite.load(request.suite, request.trusted, request.model or (), request.quick)
    _refuse_unmatched(request, asked.suite)
    return asked


def _refuse_unmatched(request: Request, asked: Suite) -> None:
    """Refuses what is of no cell on any machine; of which it is, a plan says."""
    most = max(asked.replicates, len(asked.accuracy.seeds))
    if request.replicate is not None and request.replicate >= most:
        raise PlanError(f"--replicate {request.replicate}: no cell has it; the suite's cells have "
                        f"{most} at most")  # fmt: skip
    wanted = [glob for glob in request.only or () if not glob.startswith("!")]
    if not wanted or len(asked.named) < len(asked.models):  # or members of families get names later
        return
    keys = [f"{model}/{measure}/" for measure, model in product(asked.measures, asked.named)]
    for begin in (re.split(r"[*?[]", glob, maxsplit=1)[0] for glob in wanted):
        if any(key.startswith(begin) or begin.startswith(key) for key in keys):
            return
    raise PlanError(f"--only {' '.join(wanted)}: no cell matches; cells look like {keys[0]}…")


def times_of(request: Request) -> tuple[float | None, float]:
    """The seconds of `--budget` (None to use the suite's) and of `--spread`.

    Raises:
        CmxError: one is no time, or stands beside `--quick`, which has its own, or beside
            `--replicate`, which repeats nothing.
    """
    quick, replicate = request.quick, request.replicate
    if replicate is not None and quick:
        raise CmxError("--replicate: measures a part of a full run; leave --quick out")
    for option in ("budget", "spread"):
        given = getattr(request, option) is not None
        if quick and given:
            raise CmxError(f"--quick: repeats within one minute; leave --{option} out")
        if replicate is not None and given:
            raise CmxError(f"--replicate: measures each cell once; leave --{option} out")
    spread = seconds_of("--spread", request.spread)
    return seconds_of("--budget", request.budget), spread or 0.0


def budget_of(plan: Plan, seconds: float | None) -> float | None:
    """The seconds for repeating cells: `--budget`, else the suite's budget. None for a single
    replicate."""
    return plan.suite_file.suite.budget if seconds is None and plan.replicate is None else seconds
