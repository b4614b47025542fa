"""The stage as a whole: broken files, pairs, resuming, real photos; each count worked by hand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from ingest_cases import leaky, photos, picture, reasons, report, run
from lift.errors import LiftError
from lift.ingest import IngestConfig, ingest
from test_decoding import bomb_png, encoded


def test_broken_files_are_set_aside_and_the_run_goes_on(tmp_path: Path) -> None:
    source = tmp_path / "source"
    photos(source, ["good.png", "copy.png"])
    (source / "copy.png").write_bytes((source / "good.png").read_bytes())
    jpeg = encoded(picture(3, 96), "JPEG")
    contents = {
        "cut.jpg": jpeg[: len(jpeg) // 2], "zero.jpg": b"",
        "text.jpg": b"hello", "bomb.png": bomb_png(13_000),
        "cmyk.jpg": encoded(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "JPEG"),
    }  # fmt: skip
    for name, content in contents.items():
        (source / name).write_bytes(content)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.new("RGB", (40, 20), "black")
    turned.paste("white", (0, 0, 20, 20))  # left half: on top once turned a quarter clockwise
    turned.save(source / "turned.jpg", exif=exif)
    names = ["good.png", "copy.png", *contents, "turned.jpg", "none.jpg", "../out.jpg", "https://x.org/a.jpg"]
    rows = [{"image": name, "caption": f"text of {name}"} for name in names]
    rows += [{"image": "good.png", "caption": " "}, {"image": "", "caption": "nothing"}]
    (source / "captions.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n{broken\n")
    dataset = run(source, drop_leakage=True)
    assert [row.key for row in dataset.rows] == ["good.png", "cmyk.jpg", "turned.jpg"]
    assert dataset.rows[0].captions == ["text of good.png", "text of copy.png"]
    assert dataset.pixels[2][2].min() > 250 and dataset.pixels[2][13].max() < 5
    assert report(dataset)["counts"]["set_aside"] == {
        "empty file": 1, "empty text": 1, "exact copy of": 1, "missing file": 1,
        "no photo named in the row": 1,
        "not a picture, or of an unsupported format": 1, "outside the source folder": 1, "oversized": 1,
        "truncated file": 1, "unreadable line": 1, "web address": 1,
    }  # fmt: skip
    assert all(entry["remedy"] for entry in report(dataset)["set_aside"])


def test_nothing_usable_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.jpg").write_bytes(b"no")
    (source / "a.txt").write_text("text")
    with pytest.raises(LiftError, match="nothing usable"):
        run(source)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]
    with pytest.raises(LiftError, match="no texts"):
        (source / "a.txt").unlink()
        run(source)


def test_pairs_take_the_split_of_their_photo(tmp_path: Path) -> None:
    source = tmp_path / "source"
    leaky(source)
    (source / "9.png").write_bytes((source / "3.png").read_bytes())
    with (source / "captions.jsonl").open("a") as file:
        file.write("\n" + json.dumps({"image": "9.png", "caption": "copy", "split": "val"}))
    lines = [
        {"image": "2.png", "positive": "a on b", "negative": "b on a", "kind": "swap", "split": "val"},
        {"image": "9.png", "positive": " ".join(["w"] * 50), "negative": "v", "kind": "add"},
        {"image": "3.png", "positive": "same", "negative": "same", "kind": "add"},
        {"image": "gone.png", "positive": "x", "negative": "y", "kind": "add"},
    ]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    dataset = run(source, pairs=(tmp_path / "pairs.jsonl",))
    assert [(p.image, p.kind, p.split, p.length) for p in dataset.pairs] == [
        ("2.png", "swap", "train", "short"), ("3.png", "add", "val", "long"),
    ]  # fmt: skip
    assert reasons(dataset)["pairs.jsonl row 1"] == "other split: the pair's val became train"
    assert reasons(dataset)["pairs.jsonl row 3"].startswith("unusable pair")
    assert reasons(dataset)["pairs.jsonl row 4"] == "pair without photo: gone.png"


def test_done_work_is_skipped_and_changes_are_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "source"
    leaky(source)
    first = run(source)
    capsys.readouterr()
    assert run(source).id == first.id and "already done" in capsys.readouterr().out
    with pytest.raises(LiftError, match="other settings"):
        run(source, size=24)
    picture(77).save(source / "5.png")
    with pytest.raises(LiftError, match="source_state"):
        run(source)
    assert run(source, overwrite=True).id != first.id


def test_any_number_of_workers_and_a_limit(tmp_path: Path) -> None:
    source = tmp_path / "source"
    leaky(source)
    one, three = run(source, tmp_path / "one", workers=1), run(source, tmp_path / "three", workers=3)
    cores = run(source, tmp_path / "cores", workers=0)  # one per core
    for name in ("dataset.json", "rows.jsonl", "pixels.npy", "report.json", "report.md"):
        assert (one.folder / name).read_bytes() == (three.folder / name).read_bytes()
        assert (one.folder / name).read_bytes() == (cores.folder / name).read_bytes()
    with pytest.raises(LiftError, match="--workers"):
        run(source, tmp_path / "none", workers=-1)
    assert [row.key for row in run(source, tmp_path / "few", limit=2).rows] == ["0.png", "1.png"]


def test_killed_and_run_again_gives_the_same_bytes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    photos(source, [f"{number:03}.png" for number in range(300)])
    rows = [{"image": f"{number:03}.png", "caption": f"text {number}"} for number in range(300)]
    (source / "captions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    whole = run(source, tmp_path / "whole", workers=1)
    command = [sys.executable, "-c", "from lift.cli import main; main()", "ingest", str(source)]
    command += ["--out", str(tmp_path / "killed"), "--size", "16", "--val-fraction", "0", "--workers", "1"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    waiting = tmp_path / ".killed.partial" / "pixels.waiting"
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while process.poll() is None and not waiting.exists():
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL and not (tmp_path / "killed").exists()
    assert subprocess.run(command, env=environment, capture_output=True).returncode == 0
    for name in ("dataset.json", "rows.jsonl", "pixels.npy", "pairs.jsonl", "report.json", "report.md"):
        assert (tmp_path / "killed" / name).read_bytes() == (whole.folder / name).read_bytes(), name
    assert not waiting.parent.exists()


def test_wrong_options_are_refused(tmp_path: Path) -> None:
    for options in (
        {"template": "x"},
        {"val_fraction": 0.6, "test_fraction": 0.5},
        {"limit": 0},
        {"size": 2},
    ):
        with pytest.raises(LiftError):
            run(tmp_path, **options)
    with pytest.raises(LiftError, match="there is no"):
        run(tmp_path / "none")


def test_real_photos_when_they_are_here(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "flickr8k"
    dataset = ingest(IngestConfig(source=source, out=tmp_path / "out", limit=200, size=32))
    assert len(dataset) == 200 and sum(len(row.captions) for row in dataset.rows) == 1000
    assert dataset.pixels.std() > 40


def test_a_folder_of_lift_is_no_source(tmp_path: Path) -> None:
    source = tmp_path / "source"
    photos(source, ["0.png", "1.png"])
    (source / "dataset.json").write_text(
        '[{"image": "0.png", "caption": "a photo"}, {"image": "1.png", "caption": "b"}]'
    )
    assert len(run(source).rows) == 2  # a name of lift's alone makes no folder lift's
    for photo_file in ("pixels.npy", "members.npy"):
        made = tmp_path / photo_file
        made.mkdir()
        for name in ("dataset.json", photo_file):
            (made / name).write_text("{}")
        with pytest.raises(LiftError, match=r"lift made \(DATASET\)"):
            ingest(IngestConfig(source=made, out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()
