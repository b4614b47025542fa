"""The routes: what they answer is what lift answers in Python, and what was acknowledged is there."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

from lift.indexing import Index, NewPhoto, Query
from lift.indexing.reindexing import reindex, switch
from lift.model import Model, load
from lift.predict import class_features, class_scores
from lift.serve.config import Limits
from lift.serve.pictures import as_jpeg
from serve_by_hand import as_file, client, make_index, photo_bytes, request


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Model:
    return load(tiny_run)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def index(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_index(tiny_run, tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def server(index: Path) -> Iterator[TestClient]:
    with client(index) as opened:
        yield opened


def test_about_says_what_is_there(server: TestClient, index: Path, model: Model) -> None:
    told = server.get("/api/about").json()
    assert told["photos"] == 12 and told["index"] == "index" and told["model"]["id"] == model.id
    assert told["calibrated"] is False and told["promises"] is None
    assert told["shows"] == {"words": False, "places": False} and told["languages"] == ["en"]
    assert told["limits"]["files"] == 200 and str(index.parent) not in json.dumps(told)


def test_search_is_that_of_the_index_page_by_page(server: TestClient, index: Path, model: Model) -> None:
    opened = Index.open(index)
    expected = opened.search("a red circle", 12, model=model)
    first = server.post("/api/search", json={"text": "a red circle", "top": 5}).json()
    rest = server.post("/api/search", json={"text": "a red circle", "top": 20, "offset": 5}).json()
    found = first["matches"] + rest["matches"]
    assert [(m["key"], m["rank"]) for m in found] == [(m.key, r) for r, m in enumerate(expected, 1)]
    np.testing.assert_allclose([m["score"] for m in found], [m.score for m in expected], atol=1e-6)
    assert first["more"] and not rest["more"] and first["fits"] is None and first["photos"] == 12


def test_search_by_photo_by_key_and_not_this(server: TestClient, index: Path, model: Model) -> None:
    opened, content = Index.open(index), photo_bytes(1)
    picture = Image.open(io.BytesIO(content))
    body = {"text": "a red circle", "without": ["a blue square"], "weight": 0.25, "top": 12}
    answer = server.post("/api/search/photo", files={"photo": as_file(content)}, data=request(**body))
    query = Query("a red circle", picture, ["a blue square"], 0.25)
    expected = opened.search(query, 12, model=model)
    assert [m["key"] for m in answer.json()["matches"]] == [m.key for m in expected]
    alone = server.post("/api/search/photo", files={"photo": as_file(content)}).json()
    assert alone["matches"][0]["key"] == opened.search(Query(image=picture), 1, model=model)[0].key
    like = server.post("/api/search", json={"key": "red/circle.png", "top": 2}).json()["matches"]
    assert like[0]["key"] == "red/circle.png" and like[0]["score"] == pytest.approx(1, abs=1e-3)


def test_pictures_are_written_anew_and_remembered_by_the_browser(server: TestClient) -> None:
    match = server.post("/api/search", json={"text": "green", "top": 1}).json()["matches"][0]
    small = server.get(match["thumbnail"] + "&size=32")
    assert small.headers["content-type"] == "image/jpeg" and "private" in small.headers["cache-control"]
    assert Image.open(io.BytesIO(small.content)).size == (32, 32)
    assert Image.open(io.BytesIO(server.get(match["picture"]).content)).size == (64, 64)
    again = server.get(match["thumbnail"] + "&size=32", headers={"If-None-Match": small.headers["etag"]})
    assert again.status_code == 304 and not again.content
    assert server.get("/api/photo", params={"key": match["key"]}).json()["key"] == match["key"]
    for address in ("/api/photo", "/api/photo/thumbnail", "/api/photo/picture"):
        for key in ("nothing.png", "../../etc/passwd", "/etc/passwd", "red", "red/../red/circle.png"):
            assert server.get(address, params={"key": key}).status_code == 404


def test_metadata_of_a_photo_is_not_given_out() -> None:
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x010E] = "at home"
    Image.new("RGB", (40, 30)).save(out, "JPEG", exif=exif)
    picture = Image.open(out)
    assert b"at home" in out.getvalue() and picture.getexif()
    assert not Image.open(io.BytesIO(as_jpeg(picture, 256))).getexif()


def test_a_link_out_of_the_indexed_folder_is_not_followed(tiny_run: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret.png"
    outside.write_bytes(photo_bytes(3))
    index = make_index(tiny_run, tmp_path)
    victim = tmp_path / "photos" / "red" / "circle.png"
    victim.unlink()
    victim.symlink_to(outside)
    with client(index) as server:
        refused = server.get("/api/photo/picture", params={"key": "red/circle.png"})
        assert refused.status_code == 404 and "cannot be shown" in refused.json()["error"]
        assert server.get("/api/photo/picture", params={"key": "red/square.png"}).status_code == 200


def test_photos_are_added_each_for_itself_and_are_on_the_disk(tiny_run: Path, tmp_path: Path) -> None:
    index = make_index(tiny_run, tmp_path)
    with client(index) as server:
        files = [
            ("photos", as_file(photo_bytes(1), "../../a 犬.png")),
            ("photos", as_file(photo_bytes(2)[:200], "cut.png")),
            ("photos", as_file(photo_bytes(3), "b.png")),
            ("photos", as_file(photo_bytes(3), "b.png")),
            ("photos", as_file(photo_bytes(4), "..")),
        ]
        details = {
            "b.png": {"key": "new/b.png", "captions": ["noise"], "metadata": {"price": 3, "shop": "東京"}}
        }
        answer = server.post("/api/photos", files=files, data={"details": json.dumps(details)}).json()
        assert [r["state"] for r in answer["results"]] == [
            "added",
            "set_aside",
            "added",
            "set_aside",
            "set_aside",
        ]
        assert [r["key"] for r in answer["results"]] == [
            "a 犬.png",
            "cut.png",
            "new/b.png",
            "new/b.png",
            None,
        ]
        assert all(r["remedy"] for r in answer["results"] if r["state"] == "set_aside")
        assert (answer["added"], answer["set_aside"], answer["photos"]) == (2, 3, 14)
        other = Index.open(index)  # as another process sees it
        assert len(other) == 14 and other.match("new/b.png").metadata == {"price": 3, "shop": "東京"}
        same = server.post("/api/photos", files=[("photos", as_file(photo_bytes(9), "a 犬.png"))])
        assert same.json()["results"][0]["reason"] == "a photo of this name is there already"
        again = {"files": [("photos", as_file(photo_bytes(9), "a 犬.png"))], "data": {"replace": "true"}}
        assert server.post("/api/photos", **again).json()["updated"] == 1
        where = {"shop": ["東京"], "price": {"<=": 3}}
        found = server.post("/api/search", json={"text": "noise", "where": where}).json()["matches"]
        assert [m["key"] for m in found] == ["new/b.png"] and found[0]["captions"] == ["noise"]
        fields = server.get("/api/about").json()["fields"]
        assert {"name": "price", "kind": "number", "values": [], "least": 3.0, "most": 3.0} in fields
        assert {"name": "shop", "kind": "text", "values": ["東京"], "least": None, "most": None} in fields
        gone = server.post("/api/photos/delete", json={"keys": ["new/b.png", "nothing", "new/b.png"]}).json()
        assert gone == {"deleted": 1, "unknown": ["nothing"], "photos": 13}
        assert "new/b.png" not in Index.open(index)
        keys = []
        for offset in (0, 5, 10):
            keys += [m["key"] for m in server.get(f"/api/photos?offset={offset}&top=5").json()["matches"]]
        assert keys == Index.open(index).keys()
    with client(index, read_only=True) as server:
        assert server.post("/api/photos", files=files).status_code == 403
        assert server.post("/api/photos/delete", json={"keys": ["a 犬.png"]}).status_code == 403
        assert server.get("/api/about").json()["writable"] is False


def test_uploads_of_one_name_at_once_do_not_overwrite_each_other_nor_stop_searches(
    tiny_run: Path, tmp_path: Path
) -> None:
    with client(make_index(tiny_run, tmp_path), threads=2) as server, ThreadPoolExecutor(2) as people:
        service = server.service  # type: ignore[attr-defined]

        def send(seed: int) -> str:
            files = [("photos", as_file(photo_bytes(seed), "IMG_0001.png"))]
            return server.post("/api/photos", files=files).json()["results"][0]["state"]

        with service._changing:  # as while another upload is encoded
            sent = [people.submit(send, seed) for seed in (1, 2)]
            while service.changes.held + service.work.held < 2:
                time.sleep(0.01)
            assert server.post("/api/search", json={"text": "a red circle"}).status_code == 200
        assert sorted(one.result() for one in sent) == ["added", "set_aside"]
        assert len(service.index) == 13


def test_what_another_process_adds_is_found(tiny_run: Path, model: Model, tmp_path: Path) -> None:
    index = make_index(tiny_run, tmp_path)
    with client(index) as server:
        Index.open(index).add([NewPhoto("other.png", image_bytes=photo_bytes(5))], model)
        server.service._looked -= 5  # type: ignore[attr-defined]  # as after five seconds
        assert server.get("/api/about").json()["photos"] == 13
        assert server.get("/api/photo", params={"key": "other.png"}).status_code == 200


def test_an_index_switched_to_another_model_is_not_searched_with_the_old_one(
    tiny_run: Path, tiny_clip_run: Path, tmp_path: Path
) -> None:
    index = make_index(tiny_run, tmp_path)
    with client(index) as server:
        reindex(index, load(tiny_clip_run))
        switch(index)
        server.service._looked -= 5  # type: ignore[attr-defined]
        refused = server.post("/api/search", json={"text": "a red circle"})
        assert refused.status_code == 503 and "start the server again" in refused.json()["remedy"]
        assert (
            server.get("/health/ready").status_code == 503 and server.get("/health/live").status_code == 200
        )
        assert server.post("/api/photos/delete", json={"keys": ["red/circle.png"]}).status_code == 503
    with client(index) as server:
        assert server.post("/api/search", json={"text": "a red circle"}).status_code == 200


def test_classes_are_those_of_predict(server: TestClient, model: Model) -> None:
    content = photo_bytes(6)
    names = ["red circle", "blue_square", "green triangle"]
    vector = model.encode_image([Image.open(io.BytesIO(content))])
    spoken = [name.replace("_", " ") for name in names]
    scores = class_scores(vector, class_features(model.encode_text, spoken))[0]
    answer = server.post(
        "/api/classify/photo", files={"photo": as_file(content)}, data=request(classes=names, top=2)
    )
    told = answer.json()["classes"]
    assert [one["name"] for one in told] == [names[row] for row in np.argsort(-scores)[:2]]
    np.testing.assert_allclose([one["score"] for one in told], np.sort(scores)[::-1][:2], atol=1e-5)
    by_key = server.post("/api/classify", json={"key": "red/circle.png", "classes": names}).json()
    assert len(by_key["classes"]) == 3
    assert (
        server.post("/api/classify", json={"key": "red/circle.png", "classes": ["a", "a"]}).status_code == 422
    )


def test_a_request_keeps_its_place_while_its_texts_are_encoded(
    server: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, held = server.service, []  # type: ignore[attr-defined]
    encode = service.texts.vectors

    async def looked_at(texts: list[str]) -> np.ndarray:
        held.append(service.work.held)
        return await encode(texts)

    monkeypatch.setattr(service.texts, "vectors", looked_at)
    names, photo = {"classes": ["red", "blue"]}, {"photo": as_file(photo_bytes())}
    assert server.post("/api/search", json={"text": "a red circle"}).status_code == 200
    assert server.post("/api/search/photo", files=photo, data=request(text="red")).status_code == 200
    assert server.post("/api/classify", json={"key": "red/circle.png", **names}).status_code == 200
    assert server.post("/api/classify/photo", files=photo, data=request(**names)).status_code == 200
    assert held == [1, 1, 1, 1]


def test_an_uncalibrated_model_gives_no_verdict_and_no_probability(server: TestClient, model: Model) -> None:
    content, sentences = photo_bytes(7), ["a red circle", "a blue square"]
    answer = server.post(
        "/api/verify/photo", files={"photo": as_file(content)}, data=request(sentences=sentences)
    )
    told = answer.json()
    expected = model.encode_text(sentences) @ model.encode_image([Image.open(io.BytesIO(content))])[0]
    np.testing.assert_allclose([v["cosine"] for v in told["verdicts"]], expected, atol=1e-5)
    assert told["best"] == int(np.argmax(expected)) and told["calibrated"] is False
    for verdict in told["verdicts"]:
        assert verdict["decision"] is None and verdict["probability"] is None and verdict["suspicious"] == []
    assert server.post("/api/heatmap", json={"key": "red/circle.png", "sentence": "red"}).status_code == 404


def test_a_persons_answers_are_kept_and_exported_for_calibrate(server: TestClient, index: Path) -> None:
    told = server.post(
        "/api/feedback", json={"key": "red/circle.png", "sentence": "a red\ncircle", "answer": "yes"}
    )
    assert told.json()["waiting"] == 0
    sent = server.post(
        "/api/feedback/photo",
        files={"photo": as_file(photo_bytes(8))},
        data=request(sentence="二匹の犬", answer="no"),
    )
    assert server.get("/api/feedback").json() == {"yes": 1, "no": 1}
    lines = [json.loads(line) for line in server.get("/api/feedback/export").text.splitlines()]
    assert [line["text"] for line in lines] == ["a red\ncircle", "二匹の犬"]
    assert [(line["answer"], line["chosen"]) for line in lines] == [("yes", "asked"), ("no", "asked")]
    assert lines[0]["key"] == "red/circle.png" and lines[1]["key"] is None
    copies = index.with_name("index.server") / "pictures"
    assert [Image.open(copies / line["image"]).size for line in lines] == [(64, 64), (40, 30)]
    export = server.get("/api/feedback/export?format=zip")
    assert int(export.headers["content-length"]) == len(export.content)
    assert "answers.zip" in export.headers["content-disposition"]
    assert not list(copies.parent.glob("tmp*"))
    packed = zipfile.ZipFile(io.BytesIO(export.content))
    assert sorted(packed.namelist()) == sorted(["answers.jsonl", *(line["image"] for line in lines)])
    assert packed.read("answers.jsonl").decode() == server.get("/api/feedback/export").text
    assert server.delete(f"/api/feedback/{sent.json()['id']}").json() == {"deleted": 1}
    assert server.get("/api/feedback").json() == {"yes": 1, "no": 0}
    for wrong in ({"answer": "yes"}, {"answer": "yes", "question": 1, "key": "a", "sentence": "b"}):
        assert server.post("/api/feedback", json=wrong).status_code == 422
    assert server.post("/api/feedback", json={"answer": "yes", "question": 77}).status_code == 404


def test_health_metrics_and_the_list_of_routes(server: TestClient) -> None:
    assert server.get("/health/live").json() == {"state": "ok"} == server.get("/health/ready").json()
    server.post("/api/search", json={"text": "counted"})
    text = server.get("/metrics").text
    assert 'lift_requests_total{method="POST",route="/api/search",status="200"}' in text
    assert 'lift_queue_depth{lane="work"}' in text and "lift_photos 12.0" in text
    assert 'lift_request_seconds_bucket{le="0.25",route="/api/search"}' in text
    page = server.get("/docs").text
    described = server.get("/openapi.json").json()["paths"]
    assert "<script" not in page and all(path in page for path in described)
    assert "http" not in page.replace("http-equiv", "").replace("/openapi", "")  # nothing from elsewhere


def test_every_route_is_in_the_documentation(server: TestClient) -> None:
    words = (Path(__file__).parents[1] / "docs" / "server.md").read_text("utf-8")
    for path in server.get("/openapi.json").json()["paths"]:
        assert path.replace("{number}", "{id}") in words, path


def test_limits_and_counters_in_the_documentation_are_those_of_the_program(server: TestClient) -> None:
    words = (Path(__file__).parents[1] / "docs" / "server.md").read_text("utf-8")
    for one in fields(Limits):
        assert f"| `{one.name}` | {one.default:,} |" in words, one.name
    told = server.get("/metrics").text
    for name in re.findall(r"^# TYPE (lift_\w+) (?:counter|gauge|histogram)", told, re.MULTILINE):
        assert name.endswith("_created") or f"`{name}`" in words, name
