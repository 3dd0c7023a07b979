"""What a figure is made of: the samples of a setting or of a whole run, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pandas import DataFrame, Series

from cmx_bench import units
from cmx_bench.metrics import METRICS
from cmx_bench.present.content import DISTURBED
from cmx_bench.present.drawing import short_label
from cmx_bench.results import frame, summary, swept_arguments
from cmx_bench.results.agreement import NO_VOTES, Votes
from cmx_bench.results.disturbance import FEWEST_UNDISTURBED
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result
from cmx_bench.results.users_frames import refuse_several, require

# The keys of settings whose rows make a figure, by the name of what it shows.
Choices: TypeAlias = Callable[[DataFrame], Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Selection:
    """The part of a run that a figure shows.

    `key` names it, `name` is that of its setting. `models` has the columns of the samples that
    tell of a model, with a row for each by its name. `votes` are what models said of each image.
    """

    key: str
    name: str
    samples: DataFrame
    results: Sequence[Result]
    models: DataFrame
    votes: Votes = field(default=NO_VOTES, repr=False)

    def every(self, metric: str) -> DataFrame:
        """`value`, `low`, `high`, `n`, `status` and whether it is `disturbed` of each `model` in
        each `setting` that has the metric, in base units. Beside an accuracy stand the `image_size`
        and the given `weights` that it is of."""
        rows = [
            [getattr(row, name) for name in _COLUMNS]
            for row in self.results
            if row.metric == metric and row.value is not None
        ]
        numbers = ("value", "low", "high", "image_size")
        known = DataFrame(rows, columns=_COLUMNS)
        return known.astype(dict.fromkeys(numbers, float) | {"disturbed": bool})

    def values(self, metric: str) -> DataFrame:
        """The same by model: of several settings the first that has the metric."""
        return self.every(metric).drop_duplicates("model").set_index("model")

    @property
    def image_size(self) -> int:
        """Side in pixels of the images whose speed is measured, of a single setting."""
        return int(self.samples.loc[self.samples["setting"] == self.key, "image_size"].iloc[0])

    @property
    def dataset(self) -> str:
        return next(iter(self.samples["dataset"]), "")

    @property
    def imagenet(self) -> bool:
        """Whether accuracy is of what published figures are of."""
        return bool(self.samples["imagenet"].any())

    @property
    def over_seeds(self) -> bool:
        """Whether accuracies are means over several trainings."""
        return any(row.over == "seeds" for row in self.results if row.metric == "top1")

    def left_out(self, shown: Iterable[str], lack: str) -> list[str]:
        """What a caption says of models that are not `shown`, because they `lack` something."""
        labels = list(self.models["label"][~self.models.index.isin(list(shown))])
        if not labels:
            return []
        return [f"Not shown because they have no {lack}: {units.first_few(labels)}."]

    def doubts(self, points: DataFrame, metric: str) -> Iterator[str]:
        """What a caption says where processes failed, and where points rest on disturbed ones."""
        values = self.every(metric)
        if failed := list(values.loc[values["status"] == "failed", "model"]):
            labels = list(dict.fromkeys(self.models.loc[failed, "label"]))
            yield f"Some processes failed of {units.first_few(labels)}."
        if points["disturbed"].any():
            yield (
                f"Faded points marked {DISTURBED} are disturbed: fewer than {FEWEST_UNDISTURBED} "
                "of their processes were calm, and they may be off by more than their bars."
            )

    def above_zero(self, metric: str) -> str:
        """What models lack that a logarithmic axis does not show: the metric, or one above zero."""
        title = METRICS[metric].title
        words = title if metric == "macs" else title.lower()
        return f"{words} above zero" if (self.every(metric)["value"] <= 0).any() else words


_COLUMNS = [
    "model", "setting", "value", "low", "high", "n", "status", "disturbed", "image_size", "weights",
]  # fmt: skip


def name_setting(key: str, samples: DataFrame) -> str:
    """What headings call the setting of a key: see `Setting.title`; nothing for other keys."""
    own = samples[samples["setting"] == key][:1]
    for name, hardware in zip(own["setting_name"], own["hardware"], strict=True):
        return f"{name} on {hardware}" if hardware else str(name)
    return ""


# --- what captions and alternative texts say of points --------------------------------------------

_SPOKEN = 12  # points in words


def speak(what: str, points: DataFrame) -> str:
    """Words for points: what they show, and the first of them."""
    first = zip(*(points[name][:_SPOKEN] for name in ("label", "x", "y")), strict=True)
    sentence = (
        f"{label} {units.significant(x, 3)}, {units.significant(y, 4)}" for label, x, y in first
    )
    return f"{what}: {'; '.join(sentence)}."


def explain_bars(points: DataFrame) -> str:
    """What a caption says of intervals."""
    alone = points["low"].isna()
    if alone.all():
        return "There is no interval: each value is from a single process."
    return (
        "Bars are 95 % intervals over fresh processes; where none shows, it is narrower than the "
        f"marker{', or the value is from a single process' * bool(alone.any())}."
    )


def note_sparse(points: DataFrame, y: str) -> Iterator[str]:
    """What a caption says where there is little to see: one point, or the same y everywhere."""
    if len(points) == 1:
        yield f"Only {points['label'].iloc[0]} is shown: no other model has the values."
    elif points["y"].nunique() == 1:
        yield f"All have the same {y}."


# --- what there is to choose from -----------------------------------------------------------------


def each_setting(samples: DataFrame) -> dict[str, list[str]]:
    """The settings, each with what all settings of its image size share."""
    own = samples[samples["setting_name"] != ""].drop_duplicates("setting")
    return {
        str(key): [str(key), f"r{size}"]
        for key, size in zip(own["setting"], own["image_size"], strict=True)
    }


def whole_run(samples: DataFrame) -> dict[str, list[str]]:
    """All settings together."""
    return {"": list(samples["setting"].unique())}


def select(samples: DataFrame, choices: Choices, setting: str | None = None) -> Selection:
    """The part of the samples that `setting` names, or else the only one.

    Raises:
        ValueError: columns are missing, there are several runs, or several settings of which none
            is named, or the one that is named is not there.
    """
    samples = require(samples, frame.COLUMNS, frame.ONCE, "load")
    known = choices(samples)
    refuse_several(samples)
    if samples.empty:
        raise ValueError("the frame has no rows; give what cmx_bench.load gives, or some of it")
    if not known:
        raise ValueError("too few settings for this figure: it shows rows of one, or compares some")
    if setting is None and len(known) > 1:
        raise ValueError(f"samples of several settings; give one as setting=…: {', '.join(known)}")
    key = next(iter(known)) if setting is None else setting
    if key not in known:
        raise ValueError(f"no setting {key!r}; there are {', '.join(known)}")
    part = samples[samples["setting"].isin(list(known[key]))]
    columns = ["model", *frame.OF_MODEL, *swept_arguments.columns_in(samples)]
    models = samples.drop_duplicates("model").sort_values("model")[columns]
    return _selection(key, part, summary.results(part), models, NO_VOTES)


def selections(report: Report, parts: Mapping[str, Sequence[str]]) -> Iterator[Selection]:
    """Each part of a report's samples that makes a figure: the keys of its settings by its name."""
    models = frame.models(report.run.models)
    for key, settings in parts.items():
        part = report.samples[report.samples["setting"].isin(list(settings))]
        results = [row for row in report.results.values() if row.setting in settings]
        yield _selection(key, part, results, models, report.votes)


def _selection(
    key: str, part: DataFrame, results: Sequence[Result], models: DataFrame, votes: Votes
) -> Selection:
    short = list(map(short_label, models["label"].astype(str)))
    numbers = [short[: place + 1].count(label) for place, label in enumerate(short)]
    labels = [  # once short, several may be alike
        f"{label} ({number})" if short.count(label) > 1 else label
        for label, number in zip(short, numbers, strict=True)
    ]
    models = models.assign(label=Series(labels, models.index, str))
    models["family"] = models["family"].astype(str)
    return Selection(key, name_setting(key, part), part, results, models.set_index("model"), votes)
