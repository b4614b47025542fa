"""The work done on the web page in a real browser: search, verdicts, the queue, photos added, tables."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.request import urlopen

import pytest
from PIL import Image

from pages_by_hand import EVIL, SENTENCES, Visit, counts, drawn_png, searched, serious, tab, until

pytest.importorskip("fastapi")
pytest.importorskip("playwright")

PHOTO = {"name": "a.png", "mimeType": "image/png", "buffer": drawn_png()}


def test_more_pages_filters_and_without(visit: Any) -> None:
    one = visit()
    page = searched(one.open(), "a red circle")
    page.fill("#search-without", "a square、a triangle, a star")
    page.click("#filters summary")
    page.fill("[data-bound=least]", "6")
    with page.expect_request("**/api/search") as sent:
        page.click("#search .main")
    asked = json.loads(sent.value.post_data)
    assert asked["without"] == ["a square", "a triangle", "a star"] and asked["where"] == {"size": {">=": 6}}
    counts(page, "#search .grid li", 6)
    answer = json.loads(urlopen(f"{one.address}/api/photos?offset=0&top=2").read())
    one.answer("/api/search", {**answer, "fits": "mismatch", "more": True, "seconds": 0})
    page.click("#search .main")
    page.wait_for_selector("text=Nothing here fits well")
    one.answer("/api/search", {**answer, "fits": "ask", "more": True, "seconds": 0})
    page.click("#search .main")
    page.wait_for_selector("text=It is not certain that any of these photos fits")
    page.click("#search .more")
    counts(page, "#search .grid li", 4)


def test_photos_come_by_file_by_pasting_and_from_the_collection(visit: Any) -> None:
    page = visit().open("search")
    page.click("#search .photo-field >> text=Pick from the collection")
    page.wait_for_selector("dialog li")
    page.fill("#pick-text", "a blue square")
    page.keyboard.press("Enter")
    counts(page, "dialog li", 12)
    page.click("dialog li button >> nth=0")
    page.wait_for_selector("#search .preview img")
    page.click("#search .main")
    page.wait_for_selector("#search .grid li")
    page.evaluate(
        """async ([bytes]) => {
          const drop = new DataTransfer();
          drop.items.add(new File([new Uint8Array(bytes)], "pasted.png", {type: "image/png"}));
          document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: drop, bubbles: true}));
        }""",
        [list(drawn_png("green"))],
    )
    assert page.inner_text("#search .chosen") == "pasted.png"
    page.click("#search .main")
    page.wait_for_selector("#search .grid li")
    page.set_input_files(
        "#search input[type=file]", {"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"}
    )
    assert (
        "“a.pdf” is no photo" in page.inner_text("#problem")
        and page.inner_text("#search .chosen") == "pasted.png"
    )


def test_verdicts_of_the_server_an_answer_and_a_case_left_to_somebody_else(visit: Any) -> None:
    page = visit().open("check")
    page.set_input_files("#check input[type=file]", PHOTO)
    for place, sentence in enumerate(SENTENCES):
        if place:
            page.click("#check .another")
        page.fill(f".sentence-row input >> nth={place}", sentence)
    page.click("#check .main")
    page.wait_for_selector(".verdict")
    decided = {item.split("\n")[1] for item in page.locator(".verdict .decision").all_inner_texts()}
    assert decided == {"Matches", "Does not match", "A person should look at this"}
    assert "at most 5 get this answer by mistake" in page.inner_text(".verdict.match")
    assert "with 90 % certainty" in page.inner_text("#check .promise")
    assert page.locator("mark").count() >= 1 and page.locator(".verdict.match mark").count() == 0
    page.check(".verdict.match .map")
    page.wait_for_selector(".shown .over")
    page.click(".verdict.match >> text=It matches")
    page.wait_for_selector("text=Your answer was kept")
    before = int(page.inner_text("#waiting") or 0)
    page.click("text=Leave it to somebody else")
    page.wait_for_selector("text=It is on the list")
    until(page, "document.getElementById('waiting').textContent", str(before + 1))
    number = json.loads(urlopen(f"{page.url.split('/#')[0]}/api/queue").read())["questions"][-1]["id"]
    page.evaluate("number => fetch(`/api/queue/${number}`, {method: 'DELETE'})", number)


def test_a_table_is_checked_shown_and_downloaded(visit: Any) -> None:
    page = visit(locale="ja-JP").open("table")
    assert "100,000行まで" in page.inner_text("#table-file-hint")
    rows = [f"shapes/{number}.png,{sentence}" for number, sentence in enumerate(SENTENCES, 1)]
    rows += [f"shapes/1.png,{EVIL}", "shapes/none.png,nothing"]
    table = {
        "name": f"{EVIL}.csv",
        "mimeType": "text/csv",
        "buffer": "\n".join(["image,text", *rows]).encode(),
    }
    page.set_input_files("#table-file", table)
    assert page.inner_text("#table-file-name") == f"{EVIL}.csv"
    page.uncheck("#table-ask")
    page.click("#table .main")
    page.wait_for_selector("#table .results:not([hidden])")
    assert page.inner_text("#table .results h3") == "完了しました（5行）"
    assert sum(map(int, page.locator(".counts strong").all_inner_texts())) == 4
    assert page.locator("#table tbody tr").count() == 4 and EVIL in page.inner_text("#table tbody")
    assert "5行目" in page.inner_text("#table .aside") and "shapes/none.png" in page.inner_text(
        "#table .aside"
    )
    assert serious(page) == [] and page.locator("#table img[src=x]").count() == 0
    with page.expect_download() as download:
        page.click("#table .results >> text=CSVでダウンロード")
    assert len(download.value.path().read_text("utf-8-sig").splitlines()) == 6
    page.reload()
    page.wait_for_selector("#table .earlier li")
    assert EVIL in page.inner_text("#table .earlier li >> nth=0")
    page.set_input_files("#table-file", {"name": "b.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2"})
    page.click("#table .main")
    page.wait_for_selector("#problem .said")


def test_a_table_shows_how_far_it_is_and_can_be_stopped(visit: Any) -> None:
    one = visit()
    job = {"id": "j/1", "name": "t.csv", "state": "running", "done": 1200, "total": 5000}
    one.answer("/api/tables", {**job, "jobs": []}, status=202)
    one.answer("/api/tables/j%2F1", job)
    page = one.open("search")
    page.click("#tab-table")
    page.set_input_files("#table-file", {"name": "t.csv", "mimeType": "text/csv", "buffer": b"image,text"})
    page.click("#table .main")
    page.wait_for_selector("text=1,200 of 5,000 rows checked")
    assert page.evaluate("document.querySelector('#table progress').value") == 0.24
    assert serious(page) == []
    with page.expect_request(lambda request: request.method == "DELETE" and request.url.endswith("/j%2F1")):
        page.click("#table .stop")
    until(page, "document.querySelector('#table .progress').hidden")
    assert page.inner_text("#problem") == ""


def verdict(
    sentence: str, decision: str, probability: float, suspicious: list[dict] | None = None
) -> dict[str, Any]:
    return {
        "sentence": sentence, "decision": decision, "probability": probability, "cosine": 0.1, "group": "short",
        "suspicious": suspicious or [], "place": True, "question": None, "beaten": None, "background": None,
    }  # fmt: skip


def with_verdicts(one: Visit) -> None:
    """Verdicts made up to show every case at once."""
    sentence = "👩‍🍳𠮷 a green circle on a red mat"
    start = list(sentence).index("g")  # positions count code points, not UTF-16 units
    parts = [
        {"start": start, "end": start + 5, "text": "green", "score": 0.9},
        {"start": start + 2, "end": start + 9, "text": "overlaps", "score": 0.8},
    ]
    verdicts = [
        verdict("a red circle", "match", 0.97),
        verdict(sentence, "mismatch", 0.004, parts),
        verdict("a circle", "ask", 0.5),
    ]
    one.answer("/api/verify/photo", {"verdicts": verdicts, "best": 0, "calibrated": True})
    heat = io.BytesIO()
    Image.new("RGBA", (8, 8), (255, 90, 0, 128)).save(heat, "PNG")
    one.context.route(
        "**/api/heatmap/photo", lambda route: route.fulfill(body=heat.getvalue(), content_type="image/png")
    )


def test_a_verdict_is_words_and_colour_and_sign_with_marked_words_and_a_map(
    visit: Any, page_server: str
) -> None:
    one = visit(color_scheme="dark")
    with_verdicts(one)
    page = one.open("check")
    page.set_input_files(
        "#check input[type=file]", {"name": "a.png", "mimeType": "image/png", "buffer": drawn_png()}
    )
    page.fill(".sentence-row input", "a red circle")
    page.click("#check .main")
    page.wait_for_selector(".verdict")
    lines = page.locator(".verdict .decision").all_inner_texts()
    assert lines == ["✓\nMatches", "✗\nDoes not match", "?\nA person should look at this"]
    signs = page.locator(".verdict .sign")
    colours = [
        signs.nth(place).evaluate("one => getComputedStyle(one).backgroundColor") for place in range(3)
    ]
    assert len(set(colours)) == 3
    assert page.locator("mark").all_text_contents() == ["most doubtful:green"]
    assert (
        page.locator(".verdict .sentence").nth(1).text_content()
        == "👩‍🍳𠮷 a most doubtful:green circle on a red mat"
    )
    shown = page.inner_text("#check .results")
    assert "97 %" in shown and "< 1 %" in shown
    page.check(".map >> nth=1")
    page.wait_for_selector(".shown .over")
    box, over = (page.locator(f".shown img >> nth={place}").bounding_box() for place in (0, 1))
    assert box == over
    assert serious(page) == []
    page.check(".map >> nth=0")
    counts(page, ".shown .over", 1)
    assert page.is_checked(".map >> nth=1") is False
    page.uncheck(".map >> nth=0")
    counts(page, ".shown .over", 0)


def test_the_queue_by_keys_with_a_way_back(visit: Any, page_server: str) -> None:
    page = visit().open("ask")
    page.wait_for_selector("#ask .question:not([hidden])")
    page.focus("#ask .yes")

    def shows(colour: str, left: str) -> None:
        until(page, "document.querySelector('#ask .sentence').textContent.split(' ')[1]", colour)
        until(page, "document.querySelector('#ask .left').textContent", left)

    def kept() -> dict[str, int]:
        return json.loads(urlopen(f"{page_server}/api/feedback").read())

    before = kept()
    shows("red", "3 cases left")
    assert page.inner_text("#waiting") == "3" and page.inner_text("#ask .sentence") == f"a red thing {EVIL}"
    page.keyboard.press("y")
    shows("green", "2 cases left")
    assert page.inner_text("#said").startswith("Kept: matches. Next: a green thing")
    page.keyboard.press("l")
    shows("blue", "2 cases left")
    page.keyboard.press("ArrowLeft")
    shows("green", "1 case left")
    assert kept() == {"yes": before["yes"] + 1, "no": before["no"] + 1}
    page.keyboard.press("u")
    shows("blue", "2 cases left")
    page.click("#ask .undo")
    shows("red", "3 cases left")
    assert kept() == before
    for _ in range(3):
        page.keyboard.press("n")
        page.wait_for_timeout(150)
    page.wait_for_selector("#ask .empty:not([hidden])")
    assert page.is_hidden("#waiting") and kept()["no"] == before["no"] + 3
    page.focus("#language")
    page.keyboard.press("u")  # typed into a control of the page: no key of the queue
    assert kept()["no"] == before["no"] + 3


def test_photos_are_added_with_progress_found_and_deleted(visit: Any) -> None:
    page = visit().open("add")
    assert "up to 25 MB and 40 megapixels" in page.inner_text("#add-limit").replace("\u00a0", " ")
    files = [
        {"name": f"{EVIL}new.png", "mimeType": "image/png", "buffer": drawn_png("yellow", "square", 3)},
        {"name": "notes.txt", "mimeType": "image/png", "buffer": b"no photo"},
    ]
    page.fill("#add-caption", "something new")
    page.set_input_files("#add-files", files)
    page.wait_for_selector("text=Finished: 1 added, 1 set aside")
    rows = page.locator(".files li")
    assert "Added" in rows.filter(has_text="new.png").inner_text()
    aside = rows.filter(has_text="notes.txt").inner_text()
    assert "Set aside" in aside and len(aside.split("\n")) >= 3  # why, in the server's words
    until(page, "document.getElementById('photos').textContent", "13 photos")
    tab(page, "search")
    searched(page, "something new")
    page.locator("#search .grid li", has_text="new.png").locator(".thumb").click()
    assert "something new" in page.inner_text("dialog .known")
    page.click("text=Delete from the collection")
    assert page.inner_text(":focus") == "No, keep it"
    page.click("text=Yes, delete")
    counts(page, "#search .grid li", 12)
