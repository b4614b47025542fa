"""The web page in a real browser: its words, its tabs, who can use it, hostile texts, refusals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pages_by_hand import (
    EVIL,
    TABS,
    Visit,
    compare,
    counts,
    drawn_png,
    scrolls_sideways,
    searched,
    serious,
    tab,
    until,
)

pytest.importorskip("fastapi")
pytest.importorskip("playwright")
import lift.serve

JARGON = re.compile(
    r"cosine|vector|embedding|calibrat|threshold|token|encoder|コサイン|ベクトル|埋め込み|閾値|較正",
    re.IGNORECASE,
)


def test_both_languages_say_the_same_things_without_jargon(visit: Any) -> None:
    page = visit().open()
    texts = page.evaluate(
        """async () => Object.fromEntries(await Promise.all(["english", "japanese"].map(async (name) => {
          const words = (await import(`/page/${name}.js`))[name];
          return [name, Object.fromEntries(Object.entries(words).map(([key, text]) =>
            [key, typeof text === "function" ? [text.length, String(text(2, 3, 4))] : [0, text]]))];
        })))"""
    )
    english, japanese = texts["english"], texts["japanese"]
    assert list(english) == list(japanese) and len(english) > 150
    for key, (numbers, text) in english.items():
        assert japanese[key][0] == numbers, key
        assert text.strip() and not JARGON.search(text), key
        assert japanese[key][1].strip() and not JARGON.search(japanese[key][1]), key
        assert re.search("[\u3040-\u30ff\u4e00-\u9fff]", japanese[key][1]) or key in (
            "classes.exampleEnglish",
            "table.at",
        ), key


def test_every_text_is_used_and_every_used_text_is_there() -> None:
    folder = Path(lift.serve.__file__).parent / "page"
    texts = set(re.findall(r'^  "([\w.]+)":', (folder / "english.js").read_text(), re.MULTILINE))
    parts = [path for path in folder.iterdir() if path.name not in ("english.js", "japanese.js")]
    used = set(re.findall(r'"([a-z]+\.[a-zA-Z]+)"', " ".join(path.read_text() for path in parts)))
    made = {"check.match", "check.mismatch", "check.ask", "promise.match", "promise.mismatch"} | {
        key for key in texts if key.endswith("English")
    }
    assert texts - used == made - used  # those are put together from pieces
    assert {key for key in used if key.split(".")[0] in {text.split(".")[0] for text in texts}} <= texts


def test_language_and_brightness_are_the_browsers_then_ones_own_and_remembered(visit: Any) -> None:
    one = visit(locale="ja-JP", color_scheme="dark")
    page = one.open()
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.inner_text("#tab-search") == "検索" and page.evaluate("document.documentElement.lang") == "ja"
    assert page.inner_text("#photos") == "写真12枚" and page.evaluate(ground) == "rgb(20, 23, 27)"
    searched(page, "a red circle")
    page.select_option("#language", "en")
    assert page.inner_text("#tab-search") == "Search" and page.title().startswith("lift: find")
    assert (
        page.inner_text("#search .found") == "12 photos, the best fit first"
    )  # what is there speaks it, too
    page.select_option("#scheme", "light")
    page.reload()
    page.wait_for_selector("#work:not([hidden])")
    assert page.inner_text("#tab-search") == "Search" and page.evaluate(ground) == "rgb(244, 245, 247)"


def test_tabs_follow_the_pattern_of_wai_aria(visit: Any) -> None:
    page = visit().open()
    assert page.get_attribute("#tab-search", "aria-selected") == "true"
    page.focus("#tab-search")
    for key, name in (
        ("ArrowRight", "check"),
        ("End", "ask"),
        ("ArrowRight", "search"),
        ("ArrowLeft", "ask"),
    ):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.id") == f"tab-{name}"
        assert page.evaluate(
            "[...document.querySelectorAll('[role=tabpanel]:not([hidden])')].map(p => p.id)"
        ) == [name]
        assert page.locator("[role=tab][tabindex='0']").count() == 1
    page.go_back()
    page.wait_for_selector("#search:not([hidden])")


def test_search_and_check_with_the_keyboard_alone(visit: Any) -> None:
    page = visit().open()
    press = page.keyboard.press
    press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(3):
        press("Tab")  # language, brightness, tabs
    press("Tab")
    assert page.evaluate("document.activeElement.id") == "search-text"
    page.keyboard.type("a red circle")
    press("Enter")
    until(page, "document.activeElement.classList.contains('found')")
    assert page.inner_text("#said") == "12 photos, the best fit first"
    press("Tab")
    press("Enter")
    page.wait_for_selector("dialog[open]")
    first = page.inner_text("dialog h2")
    press("ArrowRight")
    assert page.inner_text("dialog h2") != first
    press("Escape")
    page.wait_for_selector("dialog", state="detached")
    assert page.evaluate("document.activeElement.className") == "thumb"  # back where it was opened
    press("Tab")
    press("Tab")
    assert page.inner_text(":focus") == "Check description"
    press("Enter")
    page.wait_for_selector("#check:not([hidden])")
    page.keyboard.type("a red circle")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    press("Tab")
    press("Tab")
    assert page.inner_text(":focus") == "Add another description"
    press("Enter")
    page.keyboard.type("a blue square")
    press("Enter")
    counts(page, ".verdict", 2)
    assert page.evaluate("document.activeElement.textContent") == "Result"


def test_html_in_names_captions_fields_and_classes_is_shown_as_text(visit: Any) -> None:
    page = searched(visit().open(), EVIL)
    first = page.locator("#search .grid li", has=page.locator(f"[title='shapes/{EVIL}.png']"))
    assert first.locator(".name").inner_text() == f"{EVIL}.png"
    first.locator(".thumb").click()
    shown = page.inner_text("dialog")
    assert f"shapes/{EVIL}.png" in shown and shown.count(EVIL) >= 3
    page.keyboard.press("Escape")
    page.click("#filters summary")
    page.select_option("#filters select", label=EVIL)
    page.click("#search .main")
    counts(page, "#search .grid li", 1)
    tab(page, "classes")
    page.set_input_files(
        "#classes input[type=file]", {"name": f"{EVIL}.png", "mimeType": "image/png", "buffer": drawn_png()}
    )
    page.fill("#names", f"{EVIL}\ncircle\n{EVIL}")
    page.click("#classes .main")
    page.wait_for_selector(".bars li")
    assert sorted(page.locator(".bars .name").all_inner_texts()) == sorted([EVIL, "circle"])
    assert page.locator("main img[src=x], dialog img[src=x]").count() == 0


def test_every_tab_is_accessible_in_both_brightnesses_and_languages(visit: Any) -> None:
    for scheme, locale in (("light", "en-US"), ("dark", "ja-JP")):
        page = searched(visit(color_scheme=scheme, locale=locale).open(), "a red circle")
        assert serious(page) == []
        page.click("#search .thumb >> nth=0")
        assert serious(page) == []
        page.keyboard.press("Escape")
        page.click("#search .steps >> nth=0 >> button >> nth=1")
        compare(page)
        for name in TABS[1:]:
            tab(page, name)
            assert serious(page) == [], name


def test_nothing_scrolls_sideways_on_a_phone(visit: Any) -> None:
    for locale in ("ja-JP", "en-US"):
        page = visit(
            locale=locale, viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True
        ).open()
        searched(page, "a red circle")
        page.click("#filters summary")
        assert scrolls_sideways(page) == 0
        page.click("#search .steps >> nth=0 >> button >> nth=1")
        compare(page)
        for name in TABS:
            tab(page, name)
            assert scrolls_sideways(page) == 0, name


def test_japanese_words_for_an_english_collection_are_warned_of(visit: Any) -> None:
    page = visit(locale="ja-JP").open()
    assert "英語で入力" in page.get_attribute("#search-text", "placeholder")
    assert page.is_hidden("#search .foreign")
    page.fill("#search-text", "赤い丸")
    assert "英語のみ" in page.inner_text("#search .foreign")


def test_what_the_server_refuses_is_said_in_words(visit: Any, page_server: str) -> None:
    one = visit(locale="ja-JP")
    page = one.open()
    refusal = {"error": f"the field {EVIL} is unknown", "remedy": "use another", "request": "1"}
    one.answer("/api/search", refusal, status=400)
    page.fill("#search-text", "a")
    page.click("#search .main")
    page.wait_for_selector("#problem .said")
    shown = page.inner_text("#problem")
    assert (
        "入力内容を処理できませんでした" in shown
        and EVIL in shown
        and "対処方法：" in shown
        and "Use another." in shown
    )
    one.answer(
        "/api/search", {"error": "full", "remedy": "wait", "request": "2"}, status=503, **{"Retry-After": "7"}
    )
    page.click("#search .main")
    page.wait_for_selector("text=7秒ほど待って")
    one.context.route("**/api/search", lambda route: route.abort())
    page.click("#search .main")
    page.wait_for_selector("text=サーバーに接続できません")
    assert serious(page) == []
    one.complaints = [text for text in one.complaints if "Failed to load resource" not in text]


@pytest.fixture(scope="module")
def guarded(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that wants a token, takes no photos, and makes no verdicts."""
    import lift
    from lift.indexing import Index, NewPhoto
    from serve_by_hand import running

    folder = tmp_path_factory.mktemp("guarded")
    model = lift.load(tiny_run)
    Index.create(model, folder / "index").add([NewPhoto("a.png", image_bytes=drawn_png())], model)
    (folder / "key").write_text("a-key-of-enough-letters")
    (folder / "key").chmod(0o600)
    with running(folder / "index", "--token-file", str(folder / "key"), "--read-only") as (_, address):
        yield address


def test_signing_in_and_a_server_that_makes_no_verdicts(guarded: str, browser: Any) -> None:
    one = Visit(browser, guarded)
    page = one.open()
    assert page.is_visible("#login") and page.is_hidden("#work") and serious(page) == []
    page.fill("#token", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=This access key was not accepted")
    page.fill("#token", "a-key-of-enough-letters")
    page.keyboard.press("Enter")
    page.wait_for_selector("#work:not([hidden])")
    searched(page, "a red circle")
    until(page, "document.querySelector('#search .thumb img').naturalWidth > 0")  # by the cookie
    page.click("#search .thumb")
    assert "Delete" not in page.inner_text("dialog")
    page.keyboard.press("Escape")
    page.click("#search .steps >> nth=0 >> button >> nth=1")
    assert "can only be compared" in page.inner_text("#check .compare")
    page.fill(".sentence-row input >> nth=0", "a red circle")
    page.click("#check .main")
    assert "at least two" in page.inner_text("#problem")
    compare(page)
    assert page.inner_text("#problem") == ""
    assert page.locator(".verdict .decision").all_inner_texts() == ["1\nFits best", "2\nPlace 2"]
    shown = page.inner_text("#check .results")
    assert "all of them may be wrong" in shown and "Matches" not in shown and "%" not in shown
    tab(page, "table")
    assert page.is_hidden("#table form") and "cannot be checked yet" in page.inner_text("#table")
    tab(page, "add")
    assert page.is_hidden("#add form") and "switched off" in page.inner_text("#add")
    assert serious(page) == []
    page.click("#sign-out")
    page.wait_for_selector("#login:not([hidden])")
    assert page.is_hidden("#work")
    one.close()
    assert one.strangers == [] and all("401" in text for text in one.complaints)
