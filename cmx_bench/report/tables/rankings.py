"""The tables of evaluation accuracy: ranks with ties, pairs of models, agreement, what a setting
costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from cmx_bench import units
from cmx_bench.cell import Setting
from cmx_bench.present.content import Column, Entry, Picture, Table
from cmx_bench.report import entries
from cmx_bench.report.tables import best, caveats, quantities
from cmx_bench.results import agreement
from cmx_bench.results.agreement import Pair, Voter
from cmx_bench.results.nouns import Report

_MANY_PAIRS = 15
_MOST_MODELS = 20  # in one table: they make 190 pairs
_P = "McNemar's exact test, two-sided"
_POINTS = "With its 95 % interval over the images"
_INTERVAL = (
    "With its 95 % interval over the images (Wilson's). With several seeds: their mean, and an "
    "interval that also covers Student's t over the seeds"
)
_ONE_SEED = (
    "Models are compared by McNemar's exact test on the same images. p is adjusted for all pairs "
    "by Holm's method. Models share ranks where the adjusted p is "
    f"{units.percent(agreement.LEVEL, 1)} or more."
)
_NO_PREDICTIONS = (
    "Models are compared by their intervals, because predictions of some are not at hand. Models "
    "whose intervals overlap share ranks."
)
_SEVERAL_SEEDS = (
    "Models are compared by their intervals over the seeds. Models whose intervals overlap share "
    "ranks. The weights, and the pairs of models on the same images, are those of the first seed."
)


_NO_COPIES = (
    "Images are named and not shown. With --thumbnails a run keeps small copies of them, which "
    "then are part of the page."
)


def tables(report: Report) -> Iterator[Table]:
    """Those of each setting, then what the settings cost against the first of them."""
    for setting in report.run.settings:
        pairs = agreement.pairs(report.votes, setting.key)
        yield ranks(report, setting, pairs)
        if pairs:
            yield from _of_pairs(report, setting, pairs)
    for hardware in report.run.kinds:
        alike = [each for each in report.run.settings if each.hardware == hardware]
        yield entries.on(hardware, costs(report, alike))


def ranks(report: Report, setting: Setting, pairs: Sequence[Pair]) -> Table:
    """Top-1 and top-5 with what they rest on; ranks that the images cannot tell apart are ties."""
    columns = (
        Column("network", "Network"),
        Column("top1", "Top-1 (%)", "right", _INTERVAL),
        Column("top5", "Top-5 (%)", "right", _INTERVAL),
        Column("rank", "Rank by top-1", "right",
               "From the best to the worst rank that the images do not rule out"),
        Column("images", "Images", "right", "Evaluated images that have a label"),
        Column("broken", "Broken", "right", "Images left out because they could not be decoded"),
        Column("preprocessing", "Preprocessing"),
        Column("weights", "Weights", title="First digits of the SHA-256 of their file"),
    )  # fmt: skip
    results = best.list_valued(report, setting, "top1")
    places = best.ranks(report, setting, results, pairs)
    rows = []
    for result in results:
        first, last = places[result.model]
        broken, digest = result.details["broken"], result.details["weights_sha256"]
        # Whether a model was trained here or came with weights; nothing where none was trained.
        whence = "came with the model" if result.weights else "trained here"
        whence *= report.run.trains
        listed = "; ".join(f"{key} ({why})" for key, why in list(broken.items())[:5])
        rows.append((
            report.models[result.model],
            entries.show(result, 0.01),
            entries.show(report.results.get((result.model, setting.key, "top5")), 0.01),
            Entry(str(first) if first == last else f"{first}–{last}", sort=first),
            result.details["images"],
            Entry(str(len(broken)), title=listed),
            ", ".join(caveats.preprocessing(result).values()),
            Entry(digest[:12] or "no file", whence, title=digest),
        ))  # fmt: skip
    by_images = _ONE_SEED if best.on_same_images(report, setting, results) else _NO_PREDICTIONS
    remarks = [_SEVERAL_SEEDS if report.over_seeds else by_images]
    if len({row[6] for row in rows}) > 1:
        remarks.append("Preprocessing differs between rows: each model uses its own.")
    dataset = report.run.accuracy.get("dataset", "an unknown data set")
    title = f"Accuracy on {dataset} · {setting.title} ({setting.key})"
    table = entries.table(f"accuracy-{setting.key}", title, columns, rows, remarks)
    return caveats.letter(table, {"top1": [caveats.tell_resampled(result) for result in results]})


def _of_pairs(report: Report, setting: Setting, pairs: Sequence[Pair]) -> Iterator[Table]:
    """Models to compare with each other, of many the most accurate."""
    voters = [voter for voter in report.votes.classes if voter[1] == setting.key]
    values = {voter: report.results[(*voter, "top1")].value or 0.0 for voter in voters}
    best = sorted(voters, key=values.__getitem__, reverse=True)[:_MOST_MODELS]
    labels = {voter: report.models[voter[0]].label for voter in voters if voter in best}
    beside = {pair: adjusted for pair, adjusted in agreement.adjust(pairs)
              if {pair.first, pair.second} <= labels.keys()}  # fmt: skip
    few = (f"The {_MOST_MODELS} most accurate of {len(voters)} models; ranks and p are those of "
           "all.")  # fmt: skip
    for table in (
        _compare(report, setting, beside),
        _show_divided(report, setting, beside),
        _show_agreement(setting, labels, beside),
    ):
        remarks = (few,) * (len(voters) > _MOST_MODELS) + table.remarks
        yield replace(table, remarks=remarks, folded=len(table.rows) > _MANY_PAIRS)


def _compare(report: Report, setting: Setting, pairs: Mapping[Pair, float]) -> Table:
    """Every pair of models on the same images."""
    columns = (
        Column("pair", "Models"),
        Column("difference", "Top-1, second minus first (points)", "right", _POINTS),
        Column("lost", "Only the first right", "right"),
        Column("gained", "Only the second right", "right"),
        Column("p", "p", "right", _P),
        Column("adjusted", "p, adjusted", "right", "Holm's method, for all pairs of the setting"),
        Column("verdict", "Told apart"),
    )
    rows = [
        (_names(report, pair), _points(pair), pair.difference.lost, pair.difference.gained,
         _p(pair.difference.p), _p(adjusted), "yes" if adjusted < agreement.LEVEL else "tie")
        for pair, adjusted in pairs.items()
    ]  # fmt: skip
    title = f"Pairs of models on the same images · {setting.title}"
    remarks = ["The pairs are those of the first seed."] * report.over_seeds
    return entries.table(f"pairs-{setting.key}", title, columns, rows, remarks)


def _show_divided(report: Report, setting: Setting, pairs: Iterable[Pair]) -> Table:
    """A few of the images that only one of two models has right."""
    columns = (
        Column("pair", "Models"),
        Column("first", "Only the first is right"),
        Column("second", "Only the second is right"),
    )
    rows = [
        (_names(report, pair), _pictures(report, pair.first, pair.second),
         _pictures(report, pair.second, pair.first))
        for pair in pairs
        if pair.difference.lost + pair.difference.gained
    ]  # fmt: skip
    title = f"Images that only one of two models has right · {setting.title}"
    remarks = [] if report.thumbnails else [_NO_COPIES]
    return entries.table(f"divided-{setting.key}", title, columns, rows, remarks)


def _pictures(report: Report, winner: Voter, loser: Voter) -> Entry:
    votes, pictures, names = report.votes, [], []
    for place in agreement.only(votes, winner, loser):
        key = votes.images.keys[place]
        if place in report.thumbnails:
            file = agreement.thumbnail(place)
            title = f"{key}: {votes.classes[winner][place]}, not {votes.classes[loser][place]}"
            pictures.append(Picture(file, report.thumbnails[place], title))
        else:
            names.append(key)
    return Entry(", ".join(names), pictures=tuple(pictures))


def _show_agreement(setting: Setting, labels: Mapping[Voter, str], pairs: Iterable[Pair]) -> Table:
    """The share of images for which two models name the same class, right or wrong."""
    columns = (
        Column("network", "Network"),
        *(Column(f"same-{name}", label, "right") for (name, _), label in labels.items()),
    )
    shares = {
        frozenset((pair.first, pair.second)):
            Entry(units.fix(100 * pair.same, 1, 0, 100), sort=pair.same)
        for pair in pairs
    }  # fmt: skip
    rows = [  # a voter and itself are no pair
        (label, *(shares.get(frozenset((first, second))) for second in labels))
        for first, label in labels.items()
    ]
    title = f"Agreement: same class predicted, % of images · {setting.title}"
    return entries.table(f"agreement-{setting.key}", title, columns, rows)


def costs(report: Report, settings: Sequence[Setting]) -> Table:
    """What each of the settings of one kind of device changes against the first one: predictions
    that flip, and speed."""
    columns = (
        Column("network", "Network"),
        Column("setting", "Setting"),
        Column(
            "flips", "Predictions that flip", "right", "Other class predicted than in the first"
        ),
        Column("lost", "Right in the first, wrong here", "right"),
        Column("gained", "Wrong in the first, right here", "right"),
        Column("difference", "Top-1, change (points)", "right", _POINTS),
        Column("p", "p", "right", _P),
        Column("speed", "Speed relative to the first", "right"),
    )
    first, votes = _first(settings), report.votes
    rows = [
        (model, setting, Entry(f"{flips:,}", units.percent(1 - pair.same), flips),
         pair.difference.lost, pair.difference.gained, _points(pair),
         _p(pair.difference.p), _speed(report, pair))
        for model in report.run.models
        for setting in settings
        if first is not None and setting != first
        if {(model.name, first.key), (model.name, setting.key)} <= votes.classes.keys()
        for pair in [agreement.pair(votes, (model.name, first.key), (model.name, setting.key))]
        for flips in [round((1 - pair.same) * pair.difference.n)]
    ]  # fmt: skip
    name = "" if first is None else f" compared with {first.name} ({first.key})"
    title = f"What a setting costs and gains{name}"
    remarks = ("The predictions are those of the first seed.",) if report.over_seeds else ()
    table = entries.table("settings", title, columns, rows, remarks, naming=2)
    unlike = [
        caveats.of_accuracy(
            report, model, setting, report.results.get((model.name, setting.key, "top1"))
        )
        for model, setting, *_ in rows
    ]
    return caveats.letter(caveats.by_setting(report, table), {"difference": unlike})


def _first(settings: Sequence[Setting]) -> Setting | None:
    """The plain setting, or else the first: what the others are compared with."""
    usual = ("fp32", "nchw", "none", "torch")
    every = (
        setting
        for setting in settings
        if (setting.precision, setting.layout, setting.compile, setting.runtime) == usual
    )
    return next(every, settings[0] if settings else None)


def _speed(report: Report, pair: Pair) -> Entry:
    results = [report.results.get((*voter, "throughput")) for voter in (pair.first, pair.second)]
    sides = [result for result in results if result is not None and result.value]
    if len(sides) < 2:
        return entries.NOT_MEASURED
    first, second = sides
    return entries.quotient(quantities.quotient(second, first), second, first)


def _points(pair: Pair) -> Entry:
    difference = pair.difference
    value, low, high = (
        100 * share for share in (difference.value, difference.low, difference.high)
    )
    return Entry(_sign(value), f"{_sign(low)} to {_sign(high)}", difference.value)


def _sign(points: float) -> str:
    """`+0.12`, `-0.002`: a difference of one image in many reads as one."""
    return f"{'+' if points >= 0 else ''}{units.fix(points, 2, 0)}"


def _p(value: float) -> Entry:
    text = "< 0.0001" if value < 1e-4 else units.fix(value, 4, agreement.LEVEL)
    return Entry(text, sort=value)


def _names(report: Report, pair: Pair) -> str:
    first, second = (report.models[name].label for name, _ in (pair.first, pair.second))
    return f"{first} → {second}"
