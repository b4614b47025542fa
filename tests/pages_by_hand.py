"""A real server with the web page, and a real browser in front of it, for tests/test_serve_page*.py."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
EVIL = "<img src=x onerror=alert(1)>"  # HTML where a text should be
SENTENCES = ("a red circle", "a blue square on grass", "one green triangle")
TABS = ("search", "check", "table", "classes", "add", "ask")


def browser_path() -> str:
    """The browser of this machine; the test is skipped where there is none."""
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        pytest.skip(f"no browser on this machine ({', '.join(BROWSERS)})")
    return found


class Visit:
    """A page opened in a fresh browser profile; keeps what the browser complained about and where it went."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        self.address, self.complaints, self.strangers = address, [], []
        self.context = browser.new_context(**{"locale": "en-US", **context})
        self.context.set_default_timeout(20_000)
        self.context.route("**/*", self._guard)
        self.page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))

    def _guard(self, route: Any) -> None:
        if route.request.url.startswith((self.address + "/", "blob:" + self.address)):
            route.continue_()
        else:
            self.strangers.append(route.request.url)
            route.abort()

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, tab: str = "search") -> Any:
        """The page with `tab` shown, ready for use."""
        self.page.goto(f"{self.address}/#/{tab}")
        self.page.wait_for_selector("#work:not([hidden]), #login:not([hidden])")
        return self.page

    def answer(self, path: str, body: Mapping[str, Any], status: int = 200, **headers: str) -> None:
        """From now on this path is answered so, without the server: for states that it is not in."""
        self.context.route(
            f"**{path}", lambda route: route.fulfill(status=status, json=dict(body), headers=headers)
        )

    def close(self) -> None:
        self.context.close()


def serious(page: Any) -> list[str]:
    """What axe calls serious or critical on the page as it is now."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:150]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def scrolls_sideways(page: Any) -> int:
    """How many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def until(page: Any, expression: str, wanted: Any = True) -> None:
    """Wait until the expression has this value; wait_for_function needs eval, which the page's rules forbid."""
    end = time.monotonic() + 20
    while (found := page.evaluate(expression)) != wanted:
        assert time.monotonic() < end, f"{expression}: {found!r}, not {wanted!r}"
        page.wait_for_timeout(20)


def counts(page: Any, selector: str, wanted: int) -> None:
    """Wait until so many elements are there."""
    until(page, f"document.querySelectorAll({selector!r}).length", wanted)


def drawn_png(colour: str = "red", shape: str = "circle", shift: int = 0) -> bytes:
    """A PNG file with one shape."""
    from conftest import draw_shape

    file = io.BytesIO()
    Image.fromarray(draw_shape(colour, shape, 96, shift)).save(file, "PNG")
    return file.getvalue()


def searched(page: Any, sentence: str) -> Any:
    """The page with the photos found for a sentence."""
    page.fill("#search-text", sentence)
    page.press("#search-text", "Enter")
    page.wait_for_selector("#search .grid li")
    return page


def tab(page: Any, name: str) -> None:
    """Show a tab."""
    page.click(f"#tab-{name}")
    page.wait_for_selector(f"#{name}:not([hidden])")


def compare(page: Any) -> None:
    """Two descriptions of the photo that was chosen."""
    if page.locator(".sentence-row").count() == 1:
        page.click("#check .another")
    page.fill(".sentence-row input >> nth=0", "a red circle")
    page.fill(".sentence-row input >> nth=1", "a blue square")
    page.click("#check .main")
    page.wait_for_selector(".verdict")


@pytest.fixture(scope="session")
def page_server(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with verdicts for all tests of the page: twelve photos, one with HTML in every text; three questions."""
    browser_path()
    pytest.importorskip("fastapi")
    import lift
    from conftest import COLOURS, SHAPES
    from lift.indexing import Index, NewPhoto
    from lift.serve.pictures import Pictures
    from lift.serve.state import State, sqlite_url
    from serve_by_hand import make_calibration, running

    folder = tmp_path_factory.mktemp("page") / "index"
    model = lift.load(tiny_run)
    photos = [
        NewPhoto(
            f"shapes/{number}.png" if number else f"shapes/{EVIL}.png",
            image_bytes=drawn_png(colour, SHAPES[number % 3]),
            captions=[f"a {colour} {SHAPES[number % 3]}"] if number else [EVIL],
            metadata={"colour": colour if number else EVIL, "size": number},
        )
        for number, colour in enumerate(list(COLOURS) * 3)
    ]
    Index.create(model, folder).add(photos, model)
    (folder.parent / "one.png").write_bytes(drawn_png())
    photo = model.encode_image([folder.parent / "one.png"])[0]
    low, middle, high = sorted((model.encode_text(SENTENCES) @ photo).tolist())  # one decision of each kind
    calibration = make_calibration(
        tiny_run, folder.parent / "calibration", (low + middle) / 2, (middle + high) / 2
    )
    own = folder.with_name("index.server")
    own.mkdir()
    kept = Pictures(own / "pictures")
    state = State(sqlite_url(own / "state.db"))
    for colour in ("red", "green", "blue"):
        picture = kept.keep(Image.open(io.BytesIO(drawn_png(colour))))
        state.ask(f"a {colour} thing {EVIL}", picture, key=None, probability=0.5, suspicious=[])
    state.close()
    with running(folder, "--calibration", str(calibration), "--rate", "0", "--ask-share", "0") as (
        _,
        address,
    ):
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(page_server: str, browser: Any) -> Iterator[Any]:
    """Makes visits, and looks afterwards that nothing was complained about and nothing left the server."""
    made: list[Visit] = []

    def start(**context: Any) -> Visit:
        made.append(Visit(browser, page_server, **context))
        return made[-1]

    yield start
    for one in made:
        one.close()
        assert one.strangers == [] and one.complaints == []
