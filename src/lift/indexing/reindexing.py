"""A second line of vectors by another model, made beside the first while that one is searched; one commit switches.

    reindex.json     the second line so far, in the form of a commit: its model and its segments

A killed `reindex` goes on where it was; photos added meanwhile are taken up when it is run again; `switch` refuses
while some are missing. The state before the switch is kept as a snapshot, so that `rollback` returns to the old model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import write_json
from lift.catalogue import commits
from lift.catalogue.changing import REINDEX, REINDEX_LOCK, second_line, writable, write_deleted
from lift.catalogue.commits import SEGMENTS, Commit, writing
from lift.catalogue.segments import Entry, SegmentWriter
from lift.catalogue.view import View, open_listed, open_view
from lift.console import progress_bar
from lift.data import BadImage, Dataset
from lift.data.decoding import MAX_PIXELS
from lift.errors import LiftError
from lift.indexing.building import encode, facts_of
from lift.indexing.photos import BATCH, SetAside
from lift.indexing.updating import texts_of
from lift.model import Model, Rival

#: Photos of one segment of the second line: a killed run loses at most so many.
PORTION = 4096


@dataclass(frozen=True)
class Line:
    """The second line: photos encoded by the other model, and those that could not be read for it."""

    encoded: int
    set_aside: list[SetAside]


def read_pending(folder: Path) -> dict[str, Any] | None:
    """The second line so far, or None."""
    path = folder / REINDEX
    return json.loads(path.read_bytes()) if path.is_file() else None


def reindex(folder: Path, model: Model | Rival, *, restart: bool = False) -> Line:
    """Encode every photo of the INDEX with `model` into the second line; goes on where a killed run was.

    Photos that could not be read before are tried again.

    restart: throw away a second line by yet another model. LiftError when there is one, and when the INDEX is by
    `model` already.
    """
    with writing(folder, REINDEX_LOCK):
        view = open_view(folder)
        writable(view)
        if view.commit.content["model"]["id"] == model.id:
            raise LiftError(f"{folder} is by {model.id} already", "give the RUN of another model")
        pending = read_pending(folder)
        if pending is not None and pending["model"]["id"] != model.id and not restart:
            raise LiftError(
                f"{folder} has a second line by {pending['model']['id']}",
                "switch to it, or add --restart to throw it away",
            )
        if pending is None or pending["model"]["id"] != model.id:
            start = {"began": view.commit.number, "segments": [], "set_aside": {}}
            pending = {**view.commit.content, **facts_of(model), **start}
            write_json(folder / REINDEX, pending)
        aside: dict[str, list[str]] = {}  # what could not be read by an earlier run is tried again
        while True:  # until nothing has been added meanwhile
            view = open_view(folder, view)
            missing = [row for row, entry in _missing(view, _line(folder, pending)) if entry.key not in aside]
            if not missing:
                break
            with progress_bar("encoding photos", len(missing)) as bar:
                for start_at in range(0, len(missing), PORTION):
                    _portion(view, missing[start_at : start_at + PORTION], model, pending, aside)
                    bar.advance(min(PORTION, len(missing) - start_at))
        encoded = sum(entry["rows"] for entry in pending["segments"])
        return Line(encoded, [SetAside(key, *why) for key, why in aside.items()])


def _line(folder: Path, pending: dict[str, Any]) -> View:
    return open_listed(folder, Commit(pending))


def _missing(view: View, line: View) -> Iterator[tuple[int, Entry]]:
    """Photos of the INDEX that the second line lacks, or has as they were before."""
    known = {entry.key: (entry.sign, texts_of(entry)) for _, entry in line.entries()}
    for row, entry in view.entries():
        if known.get(entry.key) != (entry.sign, texts_of(entry)):
            yield row, entry


def _portion(
    view: View, rows: list[int], model: Model | Rival, pending: dict[str, Any], aside: dict[str, list[str]]
) -> None:
    """Encode some photos as one segment of the second line, and note it."""
    name = f"{second_line(pending)}{len(pending['segments']):05d}"
    read = _reader(view, model)
    with (
        SegmentWriter(view.folder / SEGMENTS, name, model.dim, view.commit.fields) as writer,
        ThreadPoolExecutor(max_workers=2) as pool,
    ):
        for start in range(0, len(rows), BATCH):
            entries = [view.entry(row) for row in rows[start : start + BATCH]]
            found = list(zip(entries, pool.map(read, entries), strict=True))
            good = [(entry, pixels) for entry, pixels in found if isinstance(pixels, np.ndarray)]
            aside |= {e.key: [why.reason, why.remedy] for e, why in found if isinstance(why, BadImage)}
            if good:
                vectors = encode(model, np.stack([pixels for _, pixels in good]))
                writer.write(vectors, [entry for entry, _ in good])
        entry = writer.close()
    if entry["rows"]:
        pending["segments"].append(entry)
    pending |= {"fields": view.commit.fields, "places": view.commit.places, "set_aside": aside}
    write_json(view.folder / REINDEX, pending)


def _reader(view: View, model: Model | Rival) -> Any:
    """What gives the pixels of a photo as the model sees them, or the BadImage that says why not."""
    datasets = {
        number: Dataset(place["folder"])
        for number, place in enumerate(view.commit.places)
        if place["kind"] == "dataset"
    }

    def read(entry: Entry) -> np.ndarray | BadImage:
        try:
            if entry.place in datasets:
                dataset = datasets[entry.place]
                if entry.key not in dataset.index_of:
                    return BadImage("not in its DATASET any more", "run `lift index` again first")
                number = dataset.index_of[entry.key]
                return model.pixels(dataset.pixels[number : number + 1])[0]
            return model.prepare(view.path_of(entry), max_pixels=MAX_PIXELS)
        except BadImage as error:
            return error

    return read


def switch(folder: Path, *, drop_missing: bool = False) -> tuple[View, str]:
    """Make the second line the INDEX, by one commit; the new state, and the snapshot that keeps the old one.

    drop_missing: also when some photos could not be read for it; they are then out of the INDEX.
    """
    with writing(folder, REINDEX_LOCK), writing(folder):
        view, pending = open_view(folder), read_pending(folder)
        if pending is None or pending["model"]["id"] == view.commit.content["model"]["id"]:
            (folder / REINDEX).unlink(missing_ok=True)
            raise LiftError(
                f"{folder} has no second line to switch to",
                f"make one: `lift manage reindex {folder} --run RUN`",
            )
        line = _line(folder, pending)
        missing = [entry.key for _, entry in _missing(view, line)]
        late = [key for key in missing if key not in pending["set_aside"]]
        if late:
            raise LiftError(
                f"{len(late)} photos are not in the second line yet, the first: {late[0]}",
                f"run `lift manage reindex {folder} --run {pending['run'] or 'RUN'}` again",
            )
        if missing and not drop_missing:
            raise LiftError(
                f"{len(missing)} photos could not be read for the new model, the first: {missing[0]} "
                f"({pending['set_aside'][missing[0]][0]})",
                "bring them back and reindex again, or add --drop-missing to go on without them",
            )
        name = f"before-{view.commit.number + 1}"
        if commits.snapshots(folder).get(name) != view.commit.number:
            commits.keep_snapshot(folder, name, view.commit.number)
        request = view.commit.content.get("request") or {}
        content = {
            **view.commit.content,
            **{key: pending[key] for key in ("model", "run", "fingerprint", "dim", "dtype")},
            "request": {**request, "model": pending["model"]["id"]} if request else {},
            "segments": _current(view, line),
        }
        commits.write_commit(folder, content)
        (folder / REINDEX).unlink(missing_ok=True)
        return open_view(folder, line), name


def _current(view: View, line: View) -> list[dict[str, Any]]:
    """The second line's segments without photos that the INDEX no longer has, or has changed."""
    wanted = {entry.key: (entry.sign, texts_of(entry)) for _, entry in view.entries()}
    last: dict[str, int] = {}
    for row, entry in line.entries():
        if wanted.get(entry.key) == (entry.sign, texts_of(entry)):
            last[entry.key] = row  # a later row of a key is the newer one
    kept = np.zeros(int(line.starts[-1]), bool)
    kept[list(last.values())] = True
    segments = []
    for number, listed in enumerate(line.commit.segments):
        gone = np.flatnonzero(~kept[line.starts[number] : line.starts[number + 1]])
        if len(gone) == listed["rows"]:
            continue
        deleted = {"deleted": write_deleted(line.folder, listed["name"], gone)} if len(gone) else {}
        segments.append({**listed, **deleted})
    return segments
