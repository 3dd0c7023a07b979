"""Commands that show what exists: matched models, all names, suites and recipes."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from cmx_bench.cli.options import look_up, share_of, whole_number
from cmx_bench.cli.telling import draw, give, note, say_rows
from cmx_bench.errors import CmxError, MatchError, ModelError, SuiteError

if TYPE_CHECKING:
    from cmx_bench.cell import Family
    from cmx_bench.designs.search import Quantity, Target


Classes = Annotated[
    int,
    typer.Option(parser=whole_number("--classes", 1, 2**20), metavar="N",
                 help="Classes that the head tells apart."),
]  # fmt: skip
ImageSize = Annotated[
    int,
    typer.Option(parser=whole_number("--image-size", 1, 2**13), metavar="PIXELS",
                 help="Side of the images."),
]  # fmt: skip
PatchSize = Annotated[
    int | None,
    typer.Option(parser=whole_number("--patch-size", 1, 2**13), metavar="PIXELS",
                 help="Side of the patches, for smaller images."),
]  # fmt: skip

Within = Annotated[
    str, typer.Option(help="How far from the target is accepted.", metavar="PERCENT")
]


def match(
    params: Annotated[
        str | None,
        typer.Option(help="Parameters: a number such as 21.1M (k, M, G), or a model's.",
                     metavar="NUMBER|MODEL"),
    ] = None,
    macs: Annotated[
        str | None,
        typer.Option(help="MACs for one image: a number such as 4G, or a model's.",
                     metavar="NUMBER|MODEL"),
    ] = None,
    families: Annotated[
        str, typer.Option(help="Families between commas, also convmixer.", metavar="FAMILIES")
    ] = "resnet,deit,resmlp,mixer",
    classes: Classes = 1000,
    image_size: ImageSize = 224,
    patch_size: PatchSize = None,
    within: Within = "1%",
    format: Annotated[
        str, typer.Option(help="yaml is to paste into a suite.", metavar="table|csv|yaml")
    ] = "table",
) -> None:  # fmt: skip
    """Find members of families with as many parameters or MACs."""
    from cmx_bench.cli.matching import FORMATS
    from cmx_bench.designs import search

    render = look_up("--format", "format", format, FORMATS)
    chosen = _families(families)
    target = _target({"params": params, "macs": macs}, classes, image_size)
    share = share_of("--within", within)
    matches, refused = [], dict[str, str]()
    for family in chosen:
        try:
            matches.append(search.find(family, target, share, patch_size))
        except MatchError as error:
            refused[family] = str(error)
    if matches and format == "table":
        draw(partial(render, matches))
    elif matches:
        give(render(matches, 0, False))
    if refused:
        first, *others = refused
        more = f"; neither is there one of {', '.join(others)}" if others else ""
        raise MatchError(f"{refused[first]}{more}")


def _families(text: str) -> list[Family]:
    from cmx_bench.designs import FAMILIES

    names: dict[str, Family] = {family: family for family in FAMILIES}
    words = dict.fromkeys(word.strip() for word in text.split(",") if word.strip())
    if not words:
        raise CmxError(f"--families: names none (known: {', '.join(names)})")
    return [look_up("--families", "family", word, names) for word in words]


def _target(asked: Mapping[Quantity, str | None], classes: int, image_size: int) -> Target:
    from cmx_bench.designs import search

    amounts = {
        quantity: _amount(quantity, text, classes, image_size)
        for quantity, text in asked.items()
        if text is not None
    }
    if not amounts:
        raise CmxError("match: nothing to match; give --params or --macs a number or a model")
    return search.Target(amounts, classes, image_size)


def list_(
    what: Annotated[
        str,
        typer.Argument(help="What to list.",
                       metavar="models|measures|metrics|datasets|suites|recipes"),
    ],
    pattern: Annotated[str, typer.Argument(help="A glob such as 'resnet*'.")] = "*",
) -> None:  # fmt: skip
    """List models, measures, metrics, data sets, suites or recipes."""
    from cmx_bench.cli import listing

    every = look_up("list", "list", what, listing.LISTS)()
    rows = [(name, about) for name, about in every if fnmatchcase(name, pattern)]
    if not rows:
        raise CmxError(f"list {what} {pattern}: nothing matches; try a glob such as 'c*'")
    say_rows(rows)


def show(
    name: Annotated[
        str, typer.Argument(help="A shipped suite or recipe: see `list`.",
                            metavar="SUITE|RECIPE")
    ],
    recipe: Annotated[
        bool, typer.Option("--recipe", help="The recipe, where a suite has that name too.")
    ] = False,
) -> None:  # fmt: skip
    """Print a shipped suite or recipe, to start your own from."""
    from cmx_bench.spec import disk, document, editors, shipped

    suites, recipes = shipped.suites(), shipped.recipes()
    known = recipes if recipe else recipes | suites
    path = look_up("show", "recipe" if recipe else "suite or recipe", name, known)
    what = "suite" if path in suites.values() else "recipe"
    give(editors.without_header(disk.text_of(path, SuiteError, document.MOST_BYTES)))
    if what == "suite" and name in recipes:
        note(f"this is the suite; `show {name} --recipe` prints the recipe of that name")
    note(f"for completion in an editor its first line is `{editors.header(what)}`, and next to it "
         f"lies what `python -m cmx_bench schema {what}` prints")  # fmt: skip


def schema(
    what: Annotated[str, typer.Argument(help="Of which files.", metavar="suite|recipe")] = "suite",
) -> None:
    """Print the JSON Schema by which editors check suites or recipes."""
    from cmx_bench.spec import editors

    give(editors.json_schema(look_up("schema", "kind of file", what, editors.FILES)))


def _amount(quantity: Quantity, text: str, classes: int, image_size: int) -> int:
    """A number as it is; of a published member of a family by closed form, of others by torch."""
    from cmx_bench import designs, units
    from cmx_bench.designs import search
    from cmx_bench.worker import local
    from cmx_bench.worker.targets import Target

    try:
        number = units.count(text)
    except ValueError as error:
        raise CmxError(f"--{quantity} {text}: {error}, or a model") from None
    if number is not None:
        return number
    design = designs.find_published(text)
    if design is not None and image_size >= design.patch_size:
        return search.count(quantity, design, search.Target({}, classes, image_size))
    try:
        amount: int = local.call(Target.COUNT, quantity, text, {}, classes, image_size)
    except ModelError as error:
        raise CmxError(f"--{quantity} {text}: expected a number such as 21110248, 21.1M or 4G, or "
                       f"a model: {error}") from None  # fmt: skip
    return amount
