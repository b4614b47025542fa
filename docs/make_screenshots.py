"""Write docs/pictures/*.png: the web page in front of drawn pictures, with the model that `make demo` trained.

python docs/make_screenshots.py [RUN DATASET [CALIBRATION]]    (default: demo/runs/lift demo/dataset demo/calibration)
Without a CALIBRATION one is made, which takes some minutes.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

import lift
from lift.errors import LiftError
from lift.indexing import Index, NewPhoto
from lift.scenes import draw, sample_scene, short_captions
from lift.verifying import CalibrateConfig, calibrate

OUT = Path(__file__).with_name("pictures")
DRAWN, SIDE, SEED = 150, 384, 5  # pictures that no model was trained on, larger than it needs them
WIDE, PHONE = {"width": 1100, "height": 780}, {"width": 360, "height": 740}
TABLE = (
    "a picture with five red rockets", "a heart above five rockets", "three houses beside a lake",
    "two white keys below a cube", "a green fish behind a bottle", "five purple flowers and three pink houses",
)  # fmt: skip


def make_index(run: Path, out: Path) -> list[str]:
    """An INDEX of drawn pictures with captions and metadata; the keys."""
    model = lift.load(run)
    photos = []
    for number in range(DRAWN):
        scene, file = sample_scene(SEED, number), io.BytesIO()
        Image.fromarray(draw(scene, SIDE)).save(file, "PNG")
        metadata = {"background": scene.background.replace("_", " "), "year": 2020 + number % 6}
        photos.append(
            NewPhoto(
                f"drawings/{number:03d}.png",
                image_bytes=file.getvalue(),
                captions=short_captions(scene)[:2],
                metadata=metadata,
            )
        )
    Index.create(model, out).add(photos, model)
    return [photo.key for photo in photos]


@contextmanager
def server(index: Path, calibration: Path) -> Iterator[str]:
    """The address of `lift serve` while it runs."""
    command = [
        sys.executable,
        "-m",
        "lift",
        "serve",
        str(index),
        "--port",
        "0",
        "--calibration",
        str(calibration),
    ]
    log = index.with_suffix(".log")
    with log.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
    try:
        while "http://" not in (said := log.read_text()):
            if process.poll() is not None:
                raise LiftError(f"the server did not start: {said}", "see what it says")
            time.sleep(0.1)
        yield "http://" + said.split("http://")[1].split("/")[0]
    finally:
        process.terminate()
        process.wait()


class Camera:
    """Opens the page in a language and brightness, and keeps what it shows."""

    def __init__(self, browser: Any, address: str, folder: Path) -> None:
        self.browser, self.address, self.folder = browser, address, folder

    def open(self, tab: str, language: str = "en", scheme: str = "light", *, phone: bool = False) -> Any:
        context = self.browser.new_context(
            locale={"en": "en-US", "ja": "ja-JP"}[language],
            color_scheme=scheme,
            viewport=PHONE if phone else WIDE,
            is_mobile=phone,
            has_touch=phone,
        )
        page = context.new_page()
        page.goto(f"{self.address}/#/{tab}")
        page.wait_for_selector("#work:not([hidden])")
        return page

    def keep(self, page: Any, name: str, *, whole: bool = False) -> None:
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(300)
        picture = Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
        picture.quantize(256, dither=Image.Dither.NONE).save(OUT / f"{name}.png", optimize=True)
        page.context.close()


def take_all(camera: Camera, keys: list[str]) -> None:
    """Every picture of docs/page.md."""
    folder = camera.folder
    for language, scheme in (("en", "light"), ("ja", "dark")):
        page = camera.open("search", language, scheme)
        page.fill("#search-text", "red rockets in the night sky")
        page.click("#search .main")
        page.wait_for_selector("#search .grid li")
        page.evaluate("scrollTo(0, 0)")
        camera.keep(page, f"search-{language}")
        camera.keep(checked(camera.open("check", language, "light"), folder), f"check-{language}", whole=True)
    camera.keep(checked(camera.open("check", "ja", "dark", phone=True), folder), "phone-check-ja", whole=True)
    page = camera.open("search", "en", "light", phone=True)
    page.fill("#search-text", "a yellow heart")
    page.click("#search .main")
    page.wait_for_selector("#search .grid li")
    camera.keep(page, "phone-search-en")
    page = camera.open("classes", "en", "dark")
    page.set_input_files("#classes input[type=file]", drawn_file(folder, 0))
    page.fill("#names", "rocket\nfish\nhouse\nflower\numbrella")
    page.click("#classes .main")
    page.wait_for_selector(".bars li")
    camera.keep(page, "classes-en")
    page = camera.open("table", "ja")
    table = folder / "products.csv"
    table.write_text(
        "image,text\n" + "".join(f"{key},{text}\n" for key, text in zip(keys, TABLE, strict=False))
    )
    with table.open("a") as more:
        more.write("drawings/missing.png,a red cup\n")
    page.set_input_files("#table-file", table)
    page.click("#table .main")
    page.wait_for_selector("#table .results:not([hidden])")
    camera.keep(page, "table-ja", whole=True)
    camera.keep(camera.open("ask", "en"), "ask-en")
    page = camera.open("add", "en")
    (folder / "notes.png").write_text("not a photo")
    page.set_input_files(
        "#add-files", [drawn_file(folder, DRAWN + 1), folder / "notes.png", drawn_file(folder, DRAWN)]
    )
    page.wait_for_selector("text=Finished")
    camera.keep(page, "add-en")


def checked(page: Any, folder: Path) -> Any:
    """The page with two descriptions of one picture judged, the place of the first one shown."""
    page.set_input_files("#check input[type=file]", drawn_file(folder, 0))
    page.fill(".sentence-row input >> nth=0", "five red rockets in the night sky")
    page.click(".another")
    page.fill(".sentence-row input >> nth=1", "five red rockets on green grass")
    page.click("#check .main")
    page.wait_for_selector(".verdict")
    if page.locator(".map").count():
        page.check(".map >> nth=0")
        page.wait_for_selector(".shown .over")
    return page


def drawn_file(folder: Path, number: int) -> Path:
    """A file with one of the pictures."""
    path = folder / f"drawing-{number}.png"
    Image.fromarray(draw(sample_scene(SEED, number), SIDE)).save(path)
    return path


def main(arguments: list[str]) -> None:
    """Take all pictures anew."""
    run, dataset, *given = map(Path, arguments or ("demo/runs/lift", "demo/dataset", "demo/calibration"))
    if not run.is_dir():
        raise LiftError(f"there is no model at {run}", "make demo, or name a RUN and its DATASET")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        raise LiftError("there is no browser here", "install Chromium")
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        calibration = next((path for path in given if path.is_dir()), folder / "calibration")
        if not calibration.is_dir():
            calibrate(CalibrateConfig(run, dataset, out=calibration))
        keys = make_index(run, folder / "index")
        with server(folder / "index", calibration) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
            take_all(Camera(browser, address, folder), keys)
            browser.close()
    total = sum(path.stat().st_size for path in OUT.glob("*.png"))
    print(f"{OUT}: {len(list(OUT.glob('*.png')))} pictures, {total / 1e6:.2f} MB")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LiftError as error:
        sys.exit(str(error))
