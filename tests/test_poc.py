"""poc: the whole road, resumable, offline; on drawn scenes and on real photos."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

import lift
from lift.errors import LiftError
from lift.poc import PocConfig, make_plan, poc
from lift.poc.showing import chance


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every attempt to open a connection an error."""

    def refuse(*_: object) -> None:
        raise AssertionError("a network connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
def test_the_road_on_scenes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = PocConfig(out=tmp_path / "poc", images=200, minutes=0.02, preset="smoke")
    page = poc(config)
    said = capsys.readouterr().out
    assert "Estimate:" in said and "lift search" in said and "lift verify" in said
    assert (
        f"lift serve {tmp_path / 'poc' / 'index'}   (" in said
    )  # 15 photos can promise nothing: no CALIBRATION
    assert page.read_text("utf-8").lower().startswith("<!doctype html>")
    examined = json.loads((tmp_path / "poc" / "exam" / "exam.json").read_text("utf-8"))
    assert [one["name"] for one in examined["encoders"]] == ["minilm"] and "exam.html" in said
    assert (tmp_path / "poc" / "search.png").stat().st_size > 1000
    searched = json.loads((tmp_path / "poc" / "search.json").read_text())
    assert (searched["photos"], searched["captions"], len(searched["drawn"])) == (15, 45, 6)
    assert all(f"   {sentence}\n" in said for sentence in searched["drawn"])
    assert "sentence is true" in searched["right"] and "by chance" in said
    assert [row["first"] for row in searched["rows"]] == [1, 5, 10]
    for row in searched["rows"]:
        assert 6 * row["first"] <= row["chance"] < 100 >= row["right_all"] and row["right_drawn"] <= 6
    runs = [json.loads((tmp_path / "poc" / "runs" / m / "run.json").read_text()) for m in ("lift", "clip")]
    assert runs[0]["samples_seen"] == runs[1]["samples_seen"]
    results = sorted(p.stem for p in (tmp_path / "poc" / "runs" / "clip" / "results").glob("*.json"))
    assert [name.split("--")[0] for name in results] == [
        "long-retrieval",
        "pairs",
        "retrieval",
        "verification",
    ]
    assert len(lift.Index.open(tmp_path / "poc" / "index")) == 15

    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "poc").rglob("*.safetensors")}
    poc(config)
    assert capsys.readouterr().out.count("already done") >= 5
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "poc").rglob("*.safetensors")}


def test_the_road_on_200_real_photos(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    rows = [json.loads(line) for line in (real_data / "flickr8k" / "captions.jsonl").open(encoding="utf-8")]
    chosen = [row for row in rows if row["split"] == "train"][:140] + [
        r for r in rows if r["split"] == "val"
    ][:60]
    (source / "images").symlink_to(real_data / "flickr8k" / "images")
    lines = "".join(json.dumps(row) + "\n" for row in chosen)
    (source / "captions.jsonl").write_text(lines, encoding="utf-8")
    page = poc(
        PocConfig(
            source=source,
            out=tmp_path / "poc",
            minutes=0.02,
            preset="smoke",
            pairs=(real_data / "flickr8k" / "order_swap.jsonl",),
        )
    )
    assert page.is_file()
    assert lift.Verifier.load(
        lift.load(tmp_path / "poc" / "runs" / "lift"), tmp_path / "poc" / "calibration"
    ).calibrated
    assert f"--calibration {tmp_path / 'poc' / 'calibration'}" in capsys.readouterr().out
    searched = json.loads((tmp_path / "poc" / "search.json").read_text())
    assert "was written for" in searched["right"] and searched["captions"] == 300
    dataset = lift.Dataset(tmp_path / "poc" / "dataset")
    assert dataset.manifest["splits"] == {"train": 140, "val": 60} and dataset.manifest["texts"] == 1000
    [result] = (tmp_path / "poc" / "runs" / "lift" / "results").glob("pairs--*.json")
    metrics = json.loads(result.read_text())["metrics"]
    # the same words in another order: a bag of words cannot tell them apart
    assert metrics["control/shuffled_words/pair_accuracy/all"]["value"] == 50.0


def test_chance_by_hand() -> None:
    # of 4 photos: one right and one shown 1/4; two right, one shown 1/2; two right, two shown 1 - 1/6
    assert chance([1, 2], 4, 1) == pytest.approx((1 / 4 + 1 / 2) / 2)
    assert chance([2], 4, 2) == pytest.approx(5 / 6) and chance([1], 4, 10) == 1.0


def test_mistakes_are_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(LiftError, match="there is no"):
        poc(PocConfig(source=tmp_path / "nothing", out=tmp_path / "poc"))
    with pytest.raises(LiftError, match="known: smoke"):
        poc(PocConfig(out=tmp_path / "poc", preset="giant"))
    with pytest.raises(LiftError, match="more than 0"):
        poc(PocConfig(out=tmp_path / "poc", minutes=-3))
    assert not (tmp_path / "poc").exists()


def test_the_users_photos_are_never_deleted(tmp_path: Path) -> None:
    source = tmp_path / "project" / "photos"
    source.mkdir(parents=True)
    (source / "a.jpg").write_bytes(b"dear")
    with pytest.raises(LiftError, match="lies inside --out"):
        poc(PocConfig(source=source, out=tmp_path / "project", overwrite=True))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(LiftError, match="will not delete it"):
        poc(PocConfig(out=tmp_path / "other", overwrite=True))
    assert (source / "a.jpg").exists() and (tmp_path / "other" / "letter.txt").exists()


def test_the_plan_is_made_anew_for_other_options(tmp_path: Path) -> None:
    first = make_plan(PocConfig(out=tmp_path, preset="smoke", minutes=1))
    assert make_plan(PocConfig(out=tmp_path, preset="smoke", minutes=1)) == first
    assert make_plan(PocConfig(out=tmp_path, preset="smoke", minutes=2))["asked"]["minutes"] == "2"
