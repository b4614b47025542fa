"""Artefacts are whole or absent, and say what they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lift.artefact import already_done, digest, new_folder, read_manifest, sha256_file, write_json
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


def test_done_means_by_the_same_request(tmp_path: Path) -> None:
    out = tmp_path / "dataset"
    assert not already_done(out, "dataset", {"size": 64}, False)
    out.mkdir()
    write_json(out / "dataset.json", {"format": 1, "request": {"size": 64, "seed": 1}})
    assert already_done(out, "dataset", {"size": 64, "seed": 1}, False)
    assert not already_done(out, "dataset", {"size": 64, "seed": 1}, True)
    with pytest.raises(LiftError, match=r"other settings \(size\)"):
        already_done(out, "dataset", {"size": 96, "seed": 1}, False)
    with pytest.raises(LiftError, match="is not a STORE"):
        already_done(out, "store", {}, False)


def test_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
    assert len(digest({})) == 16
