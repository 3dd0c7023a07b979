"""The tables of evaluation accuracy: ranks with ties, pairs of models, agreement, what a setting
costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from cmx_bench import units
from cmx_bench.cell import Model, Setting
from cmx_bench.present.content import Column, Entry, Picture, Table
from cmx_bench.report import entries
from cmx_bench.report.tables import best, caveats
from cmx_bench.results import agreement, stats
from cmx_bench.results.agreement import Pair, Voter
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result
from cmx_bench.units import plain

_MANY_PAIRS = 15
_OF_THE_FIRST_SEED = "Pairs of models on the same images are those of the first seed"
_INTERVAL = (
    "With its 95 % interval over the images (Wilson's); of several seeds their mean, and what they "
    "leave open (Student's t) where that is more"
)


def tables(report: Report) -> Iterator[Table]:
    """Those of each setting, then what the settings cost against the first of them."""
    for setting in report.run.settings:
        pairs = agreement.pairs(report.votes, setting.key)
        yield ranks(report, setting, pairs)
        if pairs:
            yield compared(report, setting, pairs)
            yield divided(report, setting, pairs)
            yield agreeing(report, setting, pairs)
    yield costs(report)


def ranks(report: Report, setting: Setting, pairs: Sequence[Pair]) -> Table:
    """Top-1 and top-5 with what they rest on; ranks that the images cannot tell apart are ties."""
    found = {
        model.name: result
        for model in report.run.models
        if (result := report.results.get((model.name, setting.key, "top1"))) is not None
        and result.estimate is not None
    }
    places = best.ranks(report, setting, list(found.values()), pairs)
    placed = {
        name: Entry(str(first) if first == last else f"{first}–{last}", sort=first)
        for name, (first, last) in places.items()
    }
    columns = (
        Column("network", "Network"),
        Column("top1", "Top-1 (%)", "right", _INTERVAL),
        Column("top5", "Top-5 (%)", "right", _INTERVAL),
        Column("rank", "Rank by top-1", "right",
               "From the best to the worst place that the images do not rule out"),
        Column("images", "Images", "right", "Evaluated, with a label"),
        Column("broken", "Broken", "right", "Images left out because they could not be decoded"),
        Column("preprocessing", "Preprocessing"),
        Column("weights", "Weights", title="SHA-256 of their file, its first digits"),
    )  # fmt: skip
    rows = tuple(
        (
            entries.network(report.models[result.model]),
            entries.measured(result, 0.01),
            entries.measured(report.results.get((name, setting.key, "top5")), 0.01),
            placed[name],
            entries.number(result.details["images"]),
            Entry(str(len(result.details["broken"])), title=_listed(result.details["broken"])),
            Entry(_preprocessing(result)),
            Entry(result.details["weights_sha256"][:12] or "no file",
                  title=result.details["weights_sha256"]),
        )
        for name, result in found.items()
    )  # fmt: skip
    remarks = [
        "Models are told apart by their intervals over the seeds; where these overlap they share "
        f"ranks. {_OF_THE_FIRST_SEED}, and so are the weights."
        if report.over_seeds
        else "Models are told apart by McNemar's exact test on the same images, p adjusted for all "
        f"pairs by Holm's method, at {units.percent(agreement.LEVEL, 1)}; what is not told apart "
        "shares its ranks."
    ]
    if len({_preprocessing(result) for result in found.values()}) > 1:
        remarks.append("Preprocessing differs between rows: each model has its own.")
    title = f"Accuracy on {_dataset(report)} · {setting.name} ({setting.key})"
    return Table(f"accuracy-{setting.key}", plain(title), columns, rows, tuple(remarks))


def compared(report: Report, setting: Setting, pairs: Sequence[Pair]) -> Table:
    """Every pair of models on the same images."""
    columns = (
        Column("pair", "Models"),
        Column("difference", "Top-1, second less first (points)", "right",
               "With its 95 % interval over the images"),
        Column("lost", "Only the first right", "right"),
        Column("gained", "Only the second right", "right"),
        Column("p", "p", "right", "McNemar's exact test, two-sided"),
        Column("adjusted", "p, adjusted", "right", "Holm's method, for all pairs of the setting"),
        Column("verdict", "Told apart"),
    )  # fmt: skip
    labels = _labels(report)
    rows = tuple(
        (
            Entry(f"{labels[pair.first]} → {labels[pair.second]}"),
            _points(pair),
            entries.number(pair.difference.lost),
            entries.number(pair.difference.gained),
            _p(pair.difference.p),
            _p(p),
            Entry("yes" if p < agreement.LEVEL else "tie"),
        )
        for pair, p in agreement.adjusted(pairs)
    )
    title = f"Pairs of models on the same images · {setting.name}"
    remarks = (f"{_OF_THE_FIRST_SEED}.",) if report.over_seeds else ()
    return Table(
        f"pairs-{setting.key}", title, columns, rows, remarks, folded=len(rows) > _MANY_PAIRS
    )


def divided(report: Report, setting: Setting, pairs: Sequence[Pair]) -> Table:
    """A few of the images that only one of two models has right."""
    columns = (
        Column("pair", "Models"),
        Column("first", "Only the first is right"),
        Column("second", "Only the second is right"),
    )
    labels = _labels(report)
    rows = tuple(
        (
            Entry(f"{labels[pair.first]} → {labels[pair.second]}"),
            _pictures(report, pair.first, pair.second),
            _pictures(report, pair.second, pair.first),
        )
        for pair in pairs
        if pair.difference.lost + pair.difference.gained
    )
    title = f"Images that only one of two models has right · {setting.name}"
    return Table(f"divided-{setting.key}", title, columns, rows, folded=len(rows) > _MANY_PAIRS)


def _pictures(report: Report, winner: Voter, loser: Voter) -> Entry:
    votes, pictures, names = report.votes, [], []
    for place in agreement.only(votes, winner, loser):
        key = plain(votes.images.keys[place])
        said = f"{key}: {votes.classes[winner][place]}, not {votes.classes[loser][place]}"
        if place in report.thumbnails:
            file = agreement.thumbnail(Path(), place).as_posix()
            pictures.append(Picture(file, report.thumbnails[place], said))
        else:
            names.append(PurePosixPath(key).name)
    return Entry(", ".join(names), pictures=tuple(pictures))


def agreeing(report: Report, setting: Setting, pairs: Sequence[Pair]) -> Table:
    """The share of images for which two models name the same class, right or wrong."""
    voters = [one for one in report.votes.classes if one[1] == setting.key]
    labels = _labels(report)
    same = {(pair.first, pair.second): pair.same for pair in pairs}
    columns = (
        Column("network", "Network"),
        *(Column(one[0], labels[one], "right") for one in voters),
    )
    rows = tuple(
        (
            Entry(labels[one]),
            *(
                _share(same.get((one, other), same.get((other, one)))) if one != other
                else entries.DASH
                for other in voters
            ),
        )
        for one in voters
    )  # fmt: skip
    title = f"Agreement: same class named, % of images · {setting.name}"
    return Table(f"agreement-{setting.key}", title, columns, rows, folded=len(rows) > _MANY_PAIRS)


def costs(report: Report) -> Table:
    """What each setting changes against the first one: predictions that flip, and speed."""
    columns = (
        Column("network", "Network"),
        Column("setting", "Setting"),
        Column("flips", "Predictions that flip", "right", "Another class named than in the first"),
        Column("lost", "Right there, wrong here", "right"),
        Column("gained", "Wrong there, right here", "right"),
        Column("difference", "Top-1, change (points)", "right",
               "With its 95 % interval over the images"),
        Column("p", "p", "right", "McNemar's exact test, two-sided"),
        Column("speed", "Speed, times that of the first", "right"),
    )  # fmt: skip
    first = _first(report)
    rows = tuple(
        row
        for model in report.run.models
        for setting in report.run.settings
        if (row := _cost(report, model, first, setting)) is not None
    )
    name = "" if first is None else f" against {first.name} ({first.key})"
    made = Table("settings", f"What a setting costs and gains{name}", columns, rows, naming=2)
    return caveats.by_setting(report, made)


def _first(report: Report) -> Setting | None:
    """The plain setting, or else the first: what the others are held against."""
    plain_ones = [
        one
        for one in report.run.settings
        if (one.precision, one.layout, one.compile) == ("fp32", "nchw", "none")
    ]
    return next(iter([*plain_ones, *report.run.settings]), None)


def _cost(
    report: Report, model: Model, first: Setting | None, setting: Setting
) -> tuple[Entry, ...] | None:
    if first is None or setting == first:
        return None
    one, other = (model.name, first.key), (model.name, setting.key)
    if one not in report.votes.classes or other not in report.votes.classes:
        return None
    pair = agreement.pair(report.votes, one, other)
    flips = round((1 - pair.same) * pair.difference.n)
    return (
        entries.network(model),
        Entry(setting.name, setting.key),
        Entry(f"{flips:,}", units.percent(1 - pair.same), flips),
        entries.number(pair.difference.lost),
        entries.number(pair.difference.gained),
        _points(pair),
        _p(pair.difference.p),
        _speed(report, one, other),
    )


def _speed(report: Report, one: Voter, other: Voter) -> Entry:
    """How many times as fast the other setting is, where both throughputs are there."""
    pair = [report.results.get((*voter, "throughput")) for voter in (one, other)]
    sides = [
        [[median] for median in found.medians.values()]
        for found in pair
        if found is not None and found.estimate is not None
    ]
    if len(sides) < 2:
        return entries.NOT_MEASURED
    ratio = stats.ratio(*sides)
    digits = units.digits_for(ratio.value, ratio.half_width)
    spread = ratio.relative_half_width
    detail = "" if spread is None else f"± {units.percent(spread)}"
    return Entry(f"{units.significant(ratio.value, digits)} ×", detail, ratio.value)


def _points(pair: Pair) -> Entry:
    found = pair.difference
    value, low, high = (100 * one for one in (found.value, found.low, found.high))
    return Entry(f"{value:+.2f}", f"{low:+.2f} to {high:+.2f}", found.value)


def _p(value: float) -> Entry:
    return Entry("< 0.0001" if value < 1e-4 else f"{value:.4f}", sort=value)


def _share(value: float | None) -> Entry:
    return entries.NOT_MEASURED if value is None else Entry(f"{100 * value:.1f}", sort=value)


def _labels(report: Report) -> Mapping[Voter, str]:
    labels = {model.name: plain(model.label) for model in report.run.models}
    return {voter: labels[voter[0]] for voter in report.votes.classes}


def _dataset(report: Report) -> str:
    return str(report.run.accuracy.get("dataset", "an unknown data set"))


def _preprocessing(result: Result) -> str:
    return ", ".join(caveats.preprocessing(result.details).values())


def _listed(broken: Mapping[str, str]) -> str:
    return plain("; ".join(f"{key} ({why})" for key, why in list(broken.items())[:5]))
