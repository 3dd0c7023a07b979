"""Compares the predictions of models on the same images: who is right where another is wrong."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import FailFast, Field, with_config
from typing_extensions import TypedDict

from cmx_bench.errors import RecordsError
from cmx_bench.results import predictions, stats
from cmx_bench.results.predictions import Images
from cmx_bench.results.stats import Difference
from cmx_bench.results.validation import STRICT
from cmx_bench.spec import disk

# A model in a setting, by their names in cell keys.
Voter: TypeAlias = tuple[str, str]

# Images shown for each side of a pair of models.
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Votes:
    """The likeliest class that each voter names for each image, and whether it is right.

    `counted` are the images that count: it could be decoded and has a label. `among_five` says
    whether a right class is among the five likeliest; a page does not know that.
    """

    images: Images
    classes: Mapping[Voter, NDArray[np.int32]]
    right: Mapping[Voter, NDArray[np.bool_]]
    counted: Mapping[Voter, NDArray[np.bool_]]
    among_five: Mapping[Voter, NDArray[np.bool_]] = field(default_factory=dict)


NO_VOTES = Votes(Images((), ()), {}, {}, {})


@dataclass(frozen=True, slots=True)
class Pair:
    """Two voters on the images that count for both; `same` is the share of these for which they
    name the same class, `difference` that of the second from the first."""

    first: Voter
    second: Voter
    same: float
    difference: Difference


def read(folder: Path, voters: Iterable[Voter]) -> Votes:
    """The votes kept in a run's folder; a voter without any is left out.

    Raises:
        RecordsError: they cannot be read.
    """
    paths = {voter: predictions.path(folder, *voter) for voter in voters}
    there = {voter: path for voter, path in paths.items() if path.exists()}
    if not there:
        return NO_VOTES
    images = predictions.read_images(folder)
    count = len(images.keys)
    classes, among_five = dict[Voter, NDArray[np.int32]](), dict[Voter, NDArray[np.bool_]]()
    for voter, path in there.items():
        likeliest = predictions.read(path, count)["top5"]
        # Copied, or each would keep the other four classes and the scores.
        classes[voter] = likeliest[:, 0].copy()
        among_five[voter] = predictions.among(likeliest, images.labels)
    try:
        return replace(votes(images, classes), among_five=among_five)
    except ValueError as error:
        where = predictions.folder_of(folder)
        raise RecordsError(f"{where}: {error}; evaluate all again") from None


def votes(images: Images, classes: Mapping[Voter, NDArray[np.int32]]) -> Votes:
    """The votes for these classes. -1 marks a broken image.

    Raises:
        ValueError: no image counts for all voters, so that they cannot be compared.
    """
    labelled = predictions.find_labelled(images.labels)
    right = {
        one: predictions.among(found[:, None], images.labels) for one, found in classes.items()
    }
    counted = {one: labelled & (said >= 0) for one, said in classes.items()}
    if classes and not np.logical_and.reduce(list(counted.values())).any():
        raise ValueError("no image counts for all models")
    return Votes(images, classes, right, counted)


_Class = Annotated[int, Field(ge=-(2**31), lt=2**31)]
_Label = Annotated[int, Field(ge=0, lt=2**31)]


@with_config(STRICT)
class Packed(TypedDict):
    """Votes as plain data. `beside_own` has the classes of each voter, less each image's own;
    `names` has those of classes, by number, where there are any."""

    keys: Annotated[list[str], FailFast()]
    labels: Annotated[list[Annotated[list[_Label], FailFast()]], FailFast()]
    voters: list[tuple[str, str]]
    beside_own: Annotated[list[Annotated[list[_Class], FailFast()]], FailFast()]
    names: NotRequired[Annotated[list[tuple[_Label, str]], FailFast()]]


def pack(votes: Votes) -> dict[str, Any]:
    """A `Packed`; it compresses well: most classes are the image's own."""
    own = _own(votes.images)
    return {
        "keys": votes.images.keys,
        "labels": votes.images.labels,
        "voters": list(votes.classes),
        "beside_own": [(said - own).tolist() for said in votes.classes.values()],
        **({"names": sorted(votes.images.names.items())} if votes.images.names else {}),
    }


def unpack(raw: Packed) -> Votes:
    """The votes that `pack` packed.

    Raises:
        ValueError: they are not of the same images.
    """
    names = dict(raw.get("names", ()))
    images = Images(tuple(raw["keys"]), tuple(map(tuple, raw["labels"])), names)
    if any(len(column) != len(images.keys) for column in (images.labels, *raw["beside_own"])):
        raise ValueError("votes are of other images than are listed")
    own = _own(images)
    said = {
        (model, setting): own + np.array(beside, np.int32)
        for (model, setting), beside in zip(raw["voters"], raw["beside_own"], strict=True)
    }
    return votes(images, said)


def _own(images: Images) -> NDArray[np.int32]:
    """Each image's first label, 0 where it has none."""
    return np.array([(*classes, 0)[0] for classes in images.labels], np.int32)


def pair(votes: Votes, first: Voter, second: Voter) -> Pair:
    both = votes.counted[first] & votes.counted[second]
    one, other = votes.right[first][both], votes.right[second][both]
    same = votes.classes[first][both] == votes.classes[second][both]
    difference = stats.difference(len(one), int((other & ~one).sum()), int((one & ~other).sum()))
    return Pair(first, second, float(same.mean()), difference)


def pairs(votes: Votes, setting: str) -> list[Pair]:
    """Every two models of one setting."""
    voters = [voter for voter in votes.classes if voter[1] == setting]
    return [pair(votes, first, second) for first, second in combinations(voters, 2)]


# Two models are told apart where Holm's adjusted p of their setting's pairs is below.
LEVEL = 0.05


def adjust(pairs: Sequence[Pair]) -> list[tuple[Pair, float]]:
    """Pairs, each with its p adjusted for all of them by Holm's method."""
    return list(zip(pairs, stats.holm([pair.difference.p for pair in pairs]), strict=True))


def ranks(voters: Collection[Voter], pairs: Sequence[Pair]) -> dict[Voter, tuple[int, int]]:
    """The best and the worst place of each voter that the images do not rule out."""
    better, worse = dict.fromkeys(voters, 0), dict.fromkeys(voters, 0)
    for found, p in adjust(pairs):
        gained = found.difference.gained > found.difference.lost
        winner, loser = (found.second, found.first) if gained else (found.first, found.second)
        if p < LEVEL and {winner, loser} <= better.keys():
            better[loser] += 1
            worse[winner] += 1
    return {voter: (1 + better[voter], len(better) - worse[voter]) for voter in voters}


def only(votes: Votes, winner: Voter, loser: Voter) -> list[int]:
    """The numbers of a few images that only `winner` gets right.

    Those come first about which most voters are divided, so that pairs show the same ones.
    """
    both = votes.counted[winner] & votes.counted[loser]
    places = np.flatnonzero(both & votes.right[winner] & ~votes.right[loser])
    ayes = np.sum([votes_of[places] for votes_of in votes.right.values()], axis=0)
    divided = ayes * (len(votes.right) - ayes)
    order = np.lexsort((places, -divided))
    return [int(place) for place in places[order][:SHOWN]]


def telling(votes: Votes) -> set[int]:
    """The numbers of the images that are shown for any two models of one setting."""
    return {
        place
        for setting in {voter[1] for voter in votes.classes}
        for found in pairs(votes, setting)
        for winner, loser in ((found.first, found.second), (found.second, found.first))
        for place in only(votes, winner, loser)
    }


def thumbnail(place: int) -> str:
    """Where a small copy of an image is kept, inside a run's folder."""
    return f"predictions/thumbnails/{place}.jpg"


_LARGEST_THUMBNAIL = 2**16  # bytes: some 2,000 are usual
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_JPEG = b"\xff\xd8\xff"  # what each begins with


def thumbnails(folder: Path, images: int) -> dict[int, bytes]:
    """The small copies of these images that exist, as JPEG, by the number of the image.

    Raises:
        RecordsError: one is no small JPEG.
    """
    there = disk.within(folder, thumbnail(0)).parent.glob("*.jpg")
    numbers = sorted(int(file.stem) for file in there if _NUMBER.fullmatch(file.stem))
    copies: dict[int, bytes] = {}
    for number in (number for number in numbers if number < images):
        path = disk.within(folder, thumbnail(number))
        copies[number] = disk.bytes_of(path, RecordsError, _LARGEST_THUMBNAIL)
        if not copies[number].startswith(_JPEG):
            raise RecordsError(f"{path}: is no JPEG; remove it")
    return copies
