"""The README's picture: the first screen of the example's page, with the words that it shows.

`python .ci/picture.py RUN` writes docs/report.png anew, with playwright and Debian's chromium.
A test holds the words in the file against those of the example's report.md.
"""

import io
import sys
from pathlib import Path

from PIL import Image, PngImagePlugin
from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1280, 826
COLOURS = 160  # a smaller file; fewer colours merge those of families

run = Path(sys.argv[1])
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path="/usr/bin/chromium",
        args=["--no-sandbox", "--disable-background-networking"],
    )
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    page.goto((run / "report.html").resolve().as_uri())
    screen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    browser.close()
facts = PngImagePlugin.PngInfo()
facts.add_itxt("words", (run / "report.md").read_text().partition("\n## ")[0], zip=True)
screen.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
    Path(__file__).parent.parent / "docs" / "report.png", optimize=True, pnginfo=facts
)
