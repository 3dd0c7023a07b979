"""Small images in folders, by their paths."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def plant(root: Path, paths: str) -> Path:
    """Files at these paths: images by their suffix, text else; a path that ends in / is an empty
    folder. `cat/{0,1}.png` are two."""
    for path in paths.split():
        before, brace, rest = path.partition("{")
        middle, _, after = rest.partition("}")
        for choice in middle.split(",") if brace else [""]:
            place(root / f"{before}{choice}{after}", path.endswith("/"))
    return root


def place(file: Path, folder: bool = False) -> None:
    """An image, some text, or an empty folder."""
    (file if folder else file.parent).mkdir(parents=True, exist_ok=True)
    if folder:
        return
    kinds = Image.registered_extensions()
    kind = kinds.get(file.suffix.lower())
    if kind is None:
        file.write_text("some text")
    else:
        Image.new("RGB", (3, 2), (len(str(file)) % 250, 40, 90)).save(file, kind)
