"""Artefacts are whole or absent, and say what they are."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lift.artefact import (
    REQUIRED,
    already_done,
    digest,
    new_folder,
    read_manifest,
    sha256_file,
    write_json,
)
from lift.errors import LiftError


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "thing"
    with pytest.raises(RuntimeError), new_folder(out) as folder:
        (folder / "half").write_text("x")
        raise RuntimeError("stopped")
    assert not list(tmp_path.iterdir())
    for content in ("first", "second"):
        with new_folder(out) as folder:
            (folder / "file").write_text(content)
            if content == "second":
                assert (out / "file").read_text() == "first"
        assert (out / "file").read_text() == content
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]


def test_leftovers_of_a_killed_run_are_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".thing.partial").mkdir()
    (tmp_path / ".thing.partial" / "old").write_text("x")
    with new_folder(tmp_path / "thing") as folder:
        (folder / "new").write_text("y")
    assert [path.name for path in (tmp_path / "thing").iterdir()] == ["new"]


def test_two_at_once_do_not_make_the_same_folder(tmp_path: Path) -> None:
    out = tmp_path / "made"
    with new_folder(out) as folder:
        (folder / "one").write_text("1", encoding="utf-8")
        with pytest.raises(LiftError, match="another process is making made"), new_folder(out):
            pytest.fail("two at once")
    assert [path.name for path in out.iterdir()] == ["one"]
    with new_folder(out) as folder:
        (folder / "two").write_text("2", encoding="utf-8")
    assert [path.name for path in out.iterdir()] == ["two"]


def test_json_is_replaced_atomically_and_repeatably(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"写真": [1, 2]})
    write_json(tmp_path / "b.json", {"写真": [1, 2]})
    assert sha256_file(tmp_path / "a.json") == sha256_file(tmp_path / "b.json")
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"写真": [1, 2]}
    assert len(list(tmp_path.iterdir())) == 2


def test_manifests_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(LiftError, match="no such folder"):
        read_manifest(tmp_path / "none", "run")
    write_json(tmp_path / "store.json", {"format": 1})
    with pytest.raises(LiftError, match=r"it is a STORE[\s\S]*lift train"):
        read_manifest(tmp_path, "run")
    (tmp_path / "run.json").write_text("{cut")
    with pytest.raises(LiftError, match="damaged"):
        read_manifest(tmp_path, "run")
    write_json(tmp_path / "run.json", {"format": 99})
    with pytest.raises(LiftError, match="update lift"):
        read_manifest(tmp_path, "run")


def test_manifests_that_lost_a_key_are_damaged(tiny_dataset: Path, tiny_run: Path, tmp_path: Path) -> None:
    for kind, folder in (("dataset", tiny_dataset), ("run", tiny_run)):
        whole = read_manifest(folder, kind)
        for key in REQUIRED[kind]:
            broken = json.loads(json.dumps(whole))
            *above, last = key.split(".")
            part = broken
            for name in above:
                part = part[name]
            del part[last]
            write_json(tmp_path / f"{kind}.json", broken)
            with pytest.raises(LiftError, match=f"damaged: {key} is missing"):
                read_manifest(tmp_path, kind)
        write_json(tmp_path / f"{kind}.json", {"format": 1})
        with pytest.raises(LiftError, match="is missing"):
            read_manifest(tmp_path, kind)


def test_done_means_by_the_same_request(tmp_path: Path) -> None:
    out = tmp_path / "dataset"
    assert not already_done(out, "dataset", {"size": 64}, False)
    out.mkdir()
    made = {**dict.fromkeys(REQUIRED["dataset"], 0), "format": 1, "request": {"size": 64, "seed": 1}}
    write_json(out / "dataset.json", made)
    assert already_done(out, "dataset", {"size": 64, "seed": 1}, False)
    assert not already_done(out, "dataset", {"size": 64, "seed": 1}, True)
    with pytest.raises(LiftError, match=r"other settings \(size\)"):
        already_done(out, "dataset", {"size": 96, "seed": 1}, False)
    with pytest.raises(LiftError, match="is not a STORE"):
        already_done(out, "store", {}, False)


def test_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
    assert len(digest({})) == 16


KILLED = """
import os, sys
from pathlib import Path
left = int(sys.argv[1])
sync = os.fsync
def fsync(descriptor):
    global left
    left -= 1
    if left < 0:
        os._exit(9)  # as kill -9: no clean-up of any kind
    sync(descriptor)
os.fsync = fsync
out = Path(sys.argv[2])
"""
MAKE_FOLDER = (
    KILLED
    + """
from lift.artefact import new_folder
for content in ("old", "new"):
    with new_folder(out) as folder:
        (folder / "a").write_text(content)
        (folder / "b").write_text(content)
"""
)


def listing(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_killed_at_every_single_sync_and_run_again(tmp_path: Path) -> None:
    def run(place: Path, allowed: int) -> int:
        call = [sys.executable, "-c", MAKE_FOLDER, str(allowed), str(place / "thing")]
        return subprocess.run(call, capture_output=True, check=False).returncode

    (tmp_path / "straight").mkdir()
    assert run(tmp_path / "straight", 10**9) == 0
    kills = 0
    for allowed in range(100):
        place = tmp_path / str(allowed)
        place.mkdir()
        if run(place, allowed) == 0:
            break
        kills += 1
        assert run(place, 10**9) == 0
        assert listing(place) == listing(tmp_path / "straight"), f"killed after {allowed} syncs"
    assert kills >= 8


def test_half_of_a_removed_folder_never_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        """As kill -9: nothing cleans up."""

    def killed(*_: object, **__: object) -> None:
        raise Killed

    out = tmp_path / "thing"
    for content in ("old", "new"):
        with monkeypatch.context() as patch, contextlib.suppress(Killed), new_folder(out) as folder:
            write_json(folder / "exam.json", {"format": 1, "request": {"made": content}})
            if content == "new":
                patch.setattr(os, "rmdir", killed)  # within the removal of the old folder
    assert already_done(out, "exam", {"made": "new"}, False)
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]
    shutil.copytree(out, tmp_path / ".thing.gone")  # the same, and then the user removes the new one
    shutil.rmtree(out)
    assert not already_done(out, "exam", {"made": "new"}, False)
    assert list(tmp_path.iterdir()) == []


def test_overwrite_takes_only_what_lift_made(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    with pytest.raises(LiftError, match="will not delete it"):
        already_done(tmp_path / "photos", "dataset", {}, True)
    write_json(tmp_path / "photos" / "dataset.json", {"format": 1})
    assert not already_done(tmp_path / "photos", "dataset", {}, True)


@pytest.mark.parametrize("out", [".", "..", "/"])
def test_a_path_without_a_name_is_refused(out: str) -> None:
    for overwrite in (False, True):
        with pytest.raises(LiftError, match="no name for a new folder"):
            already_done(Path(out), "dataset", {}, overwrite)
    with pytest.raises(LiftError, match="no name for a new folder"), new_folder(Path(out)):
        pass
