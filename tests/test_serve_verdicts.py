"""Calibrated verdicts over HTTP: decisions, suspicious words, heatmaps, the queue, and whole tables."""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from PIL import Image

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

from lift.indexing import Index
from lift.model import Model, load
from lift.serve.jobs import Jobs, TablePhotos
from lift.verifying import Verifier
from serve_by_hand import as_file, client, make_calibration, make_index, photo_bytes, request

SENTENCES = ["a red circle", "a blue square on grass", "one green triangle"]
KEY = "red/circle.png"


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Model:
    return load(tiny_run)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def index(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_index(tiny_run, tmp_path_factory.mktemp("judged"))


@pytest.fixture(scope="module")
def calibration(tiny_run: Path, index: Path, model: Model) -> Path:
    """Thresholds between the cosines of SENTENCES with KEY, so that all three decisions come up."""
    photo = model.encode_image([index.parent / "photos" / KEY])[0]
    low, middle, high = sorted((model.encode_text(SENTENCES) @ photo).tolist())
    return make_calibration(tiny_run, index.parent / "calibration", (low + middle) / 2, (middle + high) / 2)


@pytest.fixture(scope="module")
def server(index: Path, calibration: Path) -> Iterator[TestClient]:
    with client(index, calibration=calibration, ask_share=0) as opened:
        yield opened


def finished(server: TestClient, number: str) -> dict[str, Any]:
    for _ in range(400):
        job = server.get(f"/api/tables/{number}").json()
        if job["state"] in ("done", "failed"):
            return job
        time.sleep(0.02)
    raise AssertionError(job)


def test_verdicts_are_those_of_the_verifier(
    server: TestClient, index: Path, calibration: Path, model: Model
) -> None:
    about = server.get("/api/about").json()
    assert (
        about["calibrated"] and about["promises"]["false_alarm"] == 0.05 and about["promises"]["words"]["ja"]
    )
    assert about["shows"] == {"words": True, "places": True}
    told = server.post("/api/verify", json={"key": KEY, "sentences": SENTENCES}).json()
    photo = model.encode_image([index.parent / "photos" / KEY])[0]
    expected = Verifier.load(model, calibration).judge(photo, SENTENCES)
    assert [v["decision"] for v in told["verdicts"]] == [v.decision for v in expected]
    assert {v["decision"] for v in told["verdicts"]} == {"match", "mismatch", "ask"}
    for got, verdict in zip(told["verdicts"], expected, strict=True):
        assert got["probability"] == pytest.approx(verdict.probability, abs=1e-6)
        spans = sorted(verdict.suspicious, key=lambda part: -part.score)
        assert [(p["start"], p["end"]) for p in got["suspicious"]] == [(p.start, p.end) for p in spans]
        assert all(got["sentence"][p["start"] : p["end"]] == p["text"] for p in got["suspicious"])
    assert any(v["suspicious"] for v in told["verdicts"])
    silent = server.post("/api/verify", json={"key": KEY, "sentences": SENTENCES, "words": False}).json()
    assert not any(v["suspicious"] for v in silent["verdicts"])
    best = server.post("/api/search", json={"text": SENTENCES[0], "top": 1}).json()
    assert (
        best["fits"]
        == Verifier.load(model, calibration).verdict(SENTENCES[0], best["matches"][0]["score"]).decision
    )


def test_a_heatmap_lies_over_the_photo(server: TestClient) -> None:
    wide = server.post(
        "/api/heatmap/photo",
        files={"photo": as_file(photo_bytes(1, size=(80, 40)))},
        data=request(sentence="red"),
    )
    overlay = Image.open(io.BytesIO(wide.content))
    assert (
        wide.headers["content-type"] == "image/png" and overlay.mode == "RGBA" and overlay.size == (256, 128)
    )
    alpha = np.asarray(overlay)[..., 3]
    assert (
        alpha.min() < 20 and 150 < alpha.max() <= 192
    )  # somewhere nothing, somewhere the most, never opaque
    assert server.post("/api/heatmap", json={"key": KEY, "sentence": "red"}).status_code == 200


def test_what_is_doubtful_waits_for_a_person_and_the_answer_is_kept(server: TestClient) -> None:
    told = server.post("/api/verify", json={"key": KEY, "sentences": SENTENCES, "ask": True}).json()[
        "verdicts"
    ]
    [doubtful] = [v for v in told if v["question"] is not None]
    assert doubtful["decision"] == "ask"
    queue = server.get("/api/queue").json()
    assert queue["waiting"] == 1
    question = queue["questions"][0]
    assert question["id"] == doubtful["question"] and question["sentence"] == doubtful["sentence"]
    assert question["suspicious"] == doubtful["suspicious"] and question["key"] == KEY
    assert Image.open(io.BytesIO(server.get(question["photo"]).content)).size == (64, 64)
    answered = server.post("/api/feedback", json={"question": question["id"], "answer": "no"}).json()
    assert answered["waiting"] == 0
    assert server.post("/api/feedback", json={"question": question["id"], "answer": "no"}).status_code == 409
    line = json.loads(server.get("/api/feedback/export").text)
    assert (line["text"], line["answer"], line["chosen"]) == (doubtful["sentence"], "no", "asked")
    server.delete(f"/api/feedback/{answered['id']}")
    assert server.delete(f"/api/queue/{question['id']}").json() == {"deleted": 1}
    assert server.delete(f"/api/queue/{question['id']}").status_code == 404


def test_by_lot_a_person_is_asked_whatever_the_verdict_was(index: Path, calibration: Path) -> None:
    with client(index, calibration=calibration, ask_share=1) as server:
        told = server.post("/api/verify", json={"key": KEY, "sentences": SENTENCES, "ask": True}).json()[
            "verdicts"
        ]
        assert all(v["question"] for v in told)
        for verdict in told:
            server.post("/api/feedback", json={"question": verdict["question"], "answer": "yes"})
        lines = [json.loads(line) for line in server.get("/api/feedback/export").text.splitlines()]
        assert [line["chosen"] for line in lines] == ["random"] * 3
        for number in (1, 2, 3):
            server.delete(f"/api/feedback/{number}")
            server.delete(f"/api/queue/{number}")


def test_a_table_with_its_zip_is_checked(server: TestClient, index: Path) -> None:
    rows = [("photo", "description", "price")]
    rows += [(KEY, sentence, "=1+1") for sentence in SENTENCES]  # from the INDEX
    rows += [
        ("deep/own 犬.png", "a red circle", "2"),
        ("nothing.png", "a dog", "3"),
        ("../../etc/passwd", "a", "4"),
    ]
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("deep/own 犬.png", photo_bytes(5))
        archive.writestr("../../out.png", photo_bytes(5))
    files = {
        "table": ("list.csv", text.getvalue().encode(), "text/csv"),
        "photos": ("photos.zip", packed.getvalue(), "application/zip"),
    }
    sent = server.post("/api/tables", files=files, data={"ask": "true"})
    assert sent.status_code == 202 and sent.json()["state"] == "waiting" and sent.json()["name"] == "list.csv"
    job = finished(server, sent.json()["id"])
    assert job["state"] == "done" and (job["done"], job["total"]) == (6, 6), job
    assert (
        job["counts"]["set_aside"] == 2 and sum(job["counts"].values()) == 6 and job["counts"]["match"] >= 1
    )
    address = f"/api/tables/{job['id']}"
    shown = server.get(f"{address}/rows?top=4").json()
    assert shown["more"] and [row["sentence"] for row in shown["rows"][:3]] == SENTENCES
    by_hand = server.post("/api/verify", json={"key": KEY, "sentences": SENTENCES}).json()["verdicts"]
    assert [row["decision"] for row in shown["rows"][:3]] == [v["decision"] for v in by_hand]
    aside = server.get(f"{address}/rows?offset=4").json()["rows"]
    assert [row["decision"] for row in aside] == [None, None] and all(row["note"] for row in aside)
    table = server.get(f"{address}/result?format=csv")
    lines = list(csv.reader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert (
        len(lines) == 7 and lines[1][-1] == "'=1+1" and "checked.csv" in table.headers["content-disposition"]
    )
    book = openpyxl.load_workbook(io.BytesIO(server.get(f"{address}/result").content))
    assert book.worksheets[0].max_row == 7
    assert server.get("/api/queue").json()["waiting"] == job["counts"]["ask"]
    assert job["id"] in [one["id"] for one in server.get("/api/tables").json()["jobs"]]
    assert server.delete(address).json() == {"deleted": 1} and server.get(address).status_code == 404
    assert not (index.with_name("index.server") / "tables" / job["id"]).exists()
    for question in server.get("/api/queue").json()["questions"]:
        server.delete(f"/api/queue/{question['id']}")


def test_a_photo_named_like_one_outside_is_never_read_from_the_disk(
    server: TestClient, tmp_path: Path
) -> None:
    service = server.service  # type: ignore[attr-defined]
    (tmp_path / "zip").mkdir()
    (tmp_path / "outside.png").write_bytes(photo_bytes(1))
    photos = TablePhotos(service, tmp_path / "zip")
    for name in ("../outside.png", str(tmp_path / "outside.png"), "nothing.png", "", "x" * 5000):
        with pytest.raises(ValueError, match="no such photo"):
            photos.find(name)
    assert photos.find(f" {KEY} ") == KEY and photos.see(KEY, service.model).thumbnail.size == (64, 64)


def test_tables_that_cannot_be_checked_fail_in_words(server: TestClient) -> None:
    good = b"photo,text\nred/circle.png,a dog\n"
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(210_000_000))
    for name, content, photos in (
        ("empty.csv", b"", None),
        ("no-columns.csv", b"a,b\n1,2\n", None),
        ("binary.csv", bytes(range(256)) * 50, None),
        ("no.xlsx", b"PK\x03\x04 no", None),
        ("bomb.xlsx", bomb.getvalue(), None),
        ("deep.jsonl", b"[" * 100_000, None),
        ("rows.csv", b"photo,text\n" + b"a,b\n" * 100_001, None),
        ("good.csv", good, b"no zip"),
        ("wide.csv", b"photo,text," + b",".join(b"c%d" % n for n in range(70_000)) + b"\n", None),
    ):
        files = {"table": (name, content, "text/csv")}
        if photos is not None:
            files["photos"] = ("p.zip", photos, "application/zip")
        sent = server.post("/api/tables", files=files)
        assert sent.status_code == 202, (name, sent.json())
        job = finished(server, sent.json()["id"])
        assert job["state"] == "failed" and job["remedy"] and "mistake" not in job["error"], (name, job)
        assert server.get(f"/api/tables/{job['id']}/result").status_code == 409
        server.delete(f"/api/tables/{job['id']}")
    for name in ("a.exe", "a", "", "../../a.pdf"):
        assert server.post("/api/tables", files={"table": (name, b"x", "text/csv")}).status_code in (
            415,
            422,
        ), name
    assert server.post("/api/tables").status_code == 422
    for path in (
        "/api/tables/x",
        "/api/tables/x/rows",
        "/api/tables/..%2f../result",
        "/api/tables/x/result?format=pdf",
    ):
        assert server.get(path).status_code in (404, 422)
    assert server.delete("/api/tables/nothing").status_code == 404


def test_an_uncalibrated_server_refuses_a_table(tiny_run: Path, index: Path) -> None:
    with client(index) as server:
        refused = server.post("/api/tables", files={"table": ("a.csv", b"photo,text\na,b\n", "text/csv")})
        assert refused.status_code == 400 and "lift calibrate" in refused.json()["remedy"]


def test_a_table_survives_the_end_of_its_server(index: Path, calibration: Path) -> None:
    content = b"photo,text\n" + b"".join(b"red/circle.png,a dog number %d\n" % (n % 20) for n in range(600))
    with client(index, calibration=calibration) as server:
        sent = server.post("/api/tables", files={"table": ("long.csv", content, "text/csv")}).json()
        while server.get(f"/api/tables/{sent['id']}").json()["state"] == "waiting":
            time.sleep(0.01)
    with client(index, calibration=calibration) as server:
        job = finished(server, sent["id"])
        assert job["state"] == "done" and job["done"] == 600, job
        assert len(Index.open(index)) == 12


def put_in(jobs: Jobs, number: str) -> Path:
    """A table of three rows, as POST /api/tables takes it in; its folder."""
    folder = jobs.folder / number
    folder.mkdir(parents=True)
    (folder / "table.csv").write_text("photo,text\n" + f"{KEY},a dog\n" * 3)
    jobs.service.state.add_job(number, "t.csv", False, 8)
    jobs.put(number)
    return folder


def test_a_table_is_checked_by_one_of_two_servers_on_the_same_folder(server: TestClient) -> None:
    service = server.service  # type: ignore[attr-defined]
    first, second, third = Jobs(service), Jobs(service), Jobs(service)
    put_in(first, "a1")
    second.start()
    time.sleep(0.05)
    assert service.state.job("a1")["state"] == "waiting"  # it is the first one's
    second.close()
    first.close()  # ends without having begun it
    third.start()
    assert finished(server, "a1")["counts"]["set_aside"] == 0
    first.put("a1")  # as by a server that had seen it waiting before
    first.start()
    time.sleep(0.05)
    assert service.state.job("a1")["state"] == "done"
    for jobs in (first, third):
        jobs.close()
    server.delete("/api/tables/a1")


def test_of_a_table_deleted_while_it_waits_or_is_checked_nothing_stays(
    server: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service = server.service  # type: ignore[attr-defined]
    jobs, update, at_work = Jobs(service), service.state.update_job, []
    waiting, running = put_in(jobs, "b1"), put_in(jobs, "b2")
    jobs.drop("b1")

    def deleted(number: str, **values: Any) -> bool:
        if values.get("done"):  # the first rows are checked
            jobs.drop(number)
            (running / "photos").mkdir(parents=True)  # as when a zip is just being unpacked
            at_work.append(number)
        return update(number, **values)

    monkeypatch.setattr(service.state, "update_job", deleted)
    jobs.start()
    while not at_work or jobs._held:
        time.sleep(0.01)
    jobs.close()
    assert at_work == ["b2"] and not waiting.exists() and not running.exists()
    assert "could not be checked" not in caplog.text


def test_only_so_many_finished_tables_are_kept(server: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lift.serve.jobs.KEPT_JOBS", 1)
    jobs = Jobs(server.service)  # type: ignore[attr-defined]
    folders = [put_in(jobs, f"c{number}") for number in range(3)]
    jobs.start()
    while jobs._held:
        time.sleep(0.01)
    jobs.close()
    kept = server.get("/api/tables").json()["jobs"]
    assert [folder.name for folder in folders if folder.exists()] == [job["id"] for job in kept]
    assert len(kept) == 1
    server.delete(f"/api/tables/{kept[0]['id']}")
