"""What happens to people at the web page: files dropped beside, a slow network, others at the same work."""

from __future__ import annotations

from typing import Any

import pytest

from pages_by_hand import drawn_png

pytest.importorskip("fastapi")
pytest.importorskip("playwright")

PHOTO = {"name": "a.png", "mimeType": "image/png", "buffer": drawn_png()}


def test_a_file_dropped_beside_its_place_does_not_take_the_page_away(visit: Any) -> None:
    page = visit().open("check")
    kept = page.evaluate(
        """() => {
          const drop = new DataTransfer();
          drop.items.add(new File(["x"], "a.pdf", {type: "application/pdf"}));
          const event = new DragEvent("drop", {dataTransfer: drop, bubbles: true, cancelable: true});
          return !document.querySelector("header").dispatchEvent(event);
        }"""
    )
    assert kept


def test_a_photo_chosen_while_another_is_checked_is_not_shown_with_its_verdict(visit: Any) -> None:
    one = visit()
    page = one.open("check")
    waiting: list[Any] = []
    one.context.route("**/api/verify/photo", lambda route: waiting.append(route))  # a slow network
    page.set_input_files("#check input[type=file]", PHOTO)
    page.fill(".sentence-row input", "a red circle")
    page.click("#check .main")
    while not waiting:
        page.wait_for_timeout(10)
    page.set_input_files("#check input[type=file]", {**PHOTO, "name": "b.png", "buffer": drawn_png("blue")})
    waiting[0].continue_()
    page.wait_for_selector(".verdict")
    colours = """async () => Promise.all([...document.querySelectorAll("#check .preview img, #check .shown img")].map(
      async (image) => {
        await image.decode();
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        const pen = canvas.getContext("2d");
        pen.drawImage(image, 0, 0);
        return [...pen.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data].slice(0, 3);
      }))"""
    (red, _, blue), (shown_red, _, shown_blue) = page.evaluate(colours)
    assert blue > red and shown_red > shown_blue


def test_two_who_answer_at_once_are_asked_what_is_left(visit: Any) -> None:
    one = visit()

    def waits(*numbers: int) -> None:
        questions = [{"id": n, "sentence": f"case {n}", "suspicious": [], "photo": ""} for n in numbers]
        one.answer("/api/queue*", {"waiting": len(numbers), "questions": questions})

    waits(1, 2, 3, 4)
    page = one.open("ask")
    page.wait_for_selector("#ask .sentence >> text=case 1")
    waits(3, 4)  # somebody else has answered the first two
    one.answer("/api/feedback", {"error": "answered", "remedy": "none"}, 409)
    page.keyboard.press("y")
    page.wait_for_selector("#ask .sentence >> text=case 3")
    said = page.inner_text("#said")
    assert "Somebody else" in said and "2 cases left" in said and page.inner_text("#waiting") == "2"
    assert "409" in one.complaints.pop()


def test_a_table_sent_before_the_page_was_loaded_anew_is_still_followed(visit: Any) -> None:
    one = visit()
    job = {"id": "j1", "name": "t.csv", "done": 1200, "total": 5000, "made": "2026-01-01T00:00:00Z"}
    one.answer("/api/tables", {"jobs": [{**job, "state": "running"}]})
    page = one.open("table")
    page.wait_for_selector("#table .earlier >> text=1,200 of 5,000 rows checked")
    assert page.locator("#table .earlier a").count() == 0
    one.answer("/api/tables", {"jobs": [{**job, "state": "done"}]})
    page.wait_for_selector("#table .earlier a >> nth=1")
    assert "rows checked" not in page.inner_text("#table .earlier")


def test_photos_wait_for_a_server_that_is_away_and_for_signing_in_again(visit: Any) -> None:
    one = visit()
    page = one.open("add")
    tries: list[int] = []

    def photos(route: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            route.abort()
        elif len(tries) == 2:
            route.fulfill(status=401, json={"error": "a token is needed", "remedy": "log in"})
        else:
            answer = {"file": "a.png", "key": "a.png", "state": "added", "reason": None, "remedy": None}
            route.fulfill(status=200, json={"results": [answer]})

    one.context.route("**/api/photos", photos)
    page.set_input_files("#add-files", [PHOTO, {**PHOTO, "name": "b.png"}])
    page.wait_for_selector("#login:not([hidden])")
    page.fill("#token", "x")
    page.press("#token", "Enter")
    page.wait_for_selector("text=Finished: 2 added")
    assert len(tries) == 4 and len(one.complaints) == 2
    one.complaints.clear()
