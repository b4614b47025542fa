"""An INDEX brought in step with its photos: only what is new or changed is encoded, what is gone is taken out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import digest, read_manifest, refuse_foreign, settle, write_json
from lift.catalogue.changing import Change, apply, place_of
from lift.catalogue.commits import UPLOADS, writing
from lift.catalogue.fields import plain_value
from lift.catalogue.segments import Entry
from lift.catalogue.view import View, open_view
from lift.console import progress_bar
from lift.errors import LiftError
from lift.indexing.building import Source, encode, facts_of, report_of, write_index
from lift.indexing.photos import SetAside
from lift.model import Model, Rival

#: Photos of one commit: a killed run loses at most so many.
PORTION = 2048
#: The same for photos of which only the texts are new: these are not encoded again.
RETOLD = 65_536


@dataclass
class Brought:
    """What was done: "made" (a new INDEX), "same" (nothing to do) or "updated", with counts."""

    how: str
    photos: int = 0
    added: int = 0
    updated: int = 0
    deleted: int = 0
    set_aside: list[SetAside] = field(default_factory=list)


def bring(
    model: Model | Rival, source: Source, out: Path, request: dict[str, Any], *, overwrite: bool = False
) -> Brought:
    """Make the INDEX `out` of the photos, or take up in it what was added, changed and deleted.

    LiftError when `out` is no INDEX, was made of other photos or by another model, and `overwrite` is off.
    """
    settle(out)
    if out.exists() and not out.is_dir():
        raise LiftError(f"{out} is a file", "give a folder as --out")
    if overwrite and out.exists():
        refuse_foreign(out, "index.json")
        if any((out / UPLOADS).glob("*/*")):
            raise LiftError(
                f"{out} keeps photos that were given as bytes, maybe their only copies; --overwrite would delete them",
                f"give another --out, or remove {out / UPLOADS} yourself if they may go",
            )
    there = out.is_dir() and any(out.iterdir()) and not overwrite
    if there and not (out / "index.json").is_file():
        raise LiftError(f"{out} exists and is not an INDEX", "give another --out")
    if not there:
        report = write_index(model, source, out, request)
        aside = [SetAside(**item) for item in report["set_aside"]]
        return Brought("made", report["photos"], report["indexed"], set_aside=aside)
    marker = read_manifest(out, "index")
    view = None if marker["format"] == 1 else open_view(out)
    made_by = (marker if view is None else view.commit.content).get("request") or {}
    if made_by == request:
        return Brought("same", marker["rows"] if view is None else len(view))
    changed = sorted(k for k in {*request, *made_by} if made_by.get(k) != request.get(k))
    if view is None or {"model", "photos", "split"} & set(changed):
        remedy = "give another --out, or add --overwrite to replace it"
        if view is None:
            remedy = "it is of format 1: add --overwrite to make it anew; later changes are then taken up"
        elif "photos" in changed:
            remedy = f"it was made of the photos in {made_by.get('photos', 'another place')}: {remedy}"
        elif changed == ["model"]:
            remedy = (
                f"go over to the other model with `lift manage reindex {out} --run {model.run}`, or {remedy}"
            )
        raise LiftError(f"{out} was made with other settings ({', '.join(changed)})", remedy)
    return update(model, source, out, view, request)


def update(
    model: Model | Rival,
    source: Source,
    out: Path,
    view: View,
    request: dict[str, Any] | None = None,
    prefix: str = "",
) -> Brought:
    """Bring the photos of one source in step; others in the INDEX stay. Commits by portions.

    request: what the whole INDEX is then made of. prefix: stands before the keys of this source. A source that tells
    no texts leaves those that are known of a photo as they are.
    """
    found = compare(view, source, prefix)
    done = Brought("updated", len(source), set_aside=list(found.set_aside))
    change = Change(gone=list(found.gone))
    for start in range(0, len(found.retold), RETOLD):
        if start:
            view = _commit(out, view, change, source, model, done)
            change = Change()
        for entry in found.retold[start : start + RETOLD]:
            if (row := view.find(entry.key)) is not None:
                change.put(entry, view.vector(row))
    with progress_bar("indexing photos", len(found.fresh)) as bar:
        for batch in source.only(found.fresh).batches(model):
            done.set_aside += batch.set_aside
            change.gone += [
                prefix + item.file for item in batch.set_aside
            ]  # what it showed before is no more
            vectors = encode(model, batch.pixels) if batch.entries else np.empty((0, model.dim))
            for entry, vector in zip(batch.entries, vectors, strict=True):
                entry = replace(entry, key=prefix + entry.key)
                if not source.tells_texts and (row := view.find(entry.key)) is not None:
                    known = view.entry(row)
                    entry = replace(entry, captions=known.captions, metadata=known.metadata)
                change.put(entry, vector)
            if len(change.entries) >= PORTION:
                view = _commit(out, view, change, source, model, done)
                change = Change()
            bar.advance(len(batch.entries) + len(batch.set_aside))
    if request is not None:
        change.content = {"request": request, "source": source.describe(), "run": facts_of(model)["run"]}
    view = _commit(out, view, change, source, model, done)
    if request is not None:
        counts = {"added": done.added, "updated": done.updated, "deleted": done.deleted}
        with writing(out):
            write_json(out / "report.json", {**report_of(len(source), len(view), done.set_aside), **counts})
    return done


def _commit(
    out: Path, view: View, change: Change, source: Source, model: Model | Rival, done: Brought
) -> View:
    def make(newest: View) -> Change:
        places = [dict(place) for place in newest.commit.places]
        number = place_of(places, **source.place)
        entries = [replace(entry, place=number) for entry in change.entries]
        return replace(change, entries=entries, content={**change.content, "places": places})

    result = apply(out, view, make, model.id)
    done.added, done.updated = done.added + result.added, done.updated + result.updated
    done.deleted += result.deleted
    return result.view


@dataclass(frozen=True)
class Compared:
    """A source against an INDEX: numbers of photos to encode, photos with new texts only, keys gone."""

    fresh: list[int]
    retold: list[Entry]
    gone: list[str]
    set_aside: list[SetAside]


def compare(view: View, source: Source, prefix: str) -> Compared:
    """What to do about every photo of the source, and about those of the INDEX that it no longer has."""
    place = source.place
    number = view.commit.places.index(place) if place in view.commit.places else -1
    known: dict[str, tuple[str, str]] = {}
    foreign: set[str] = set()
    for _, entry in view.entries():
        if entry.place == number:
            known[entry.key] = (entry.sign, texts_of(entry) if source.tells_texts else "")
        else:
            foreign.add(entry.key)
    found = Compared([], [], [], [])
    for at, entry in source.entries():
        key = prefix + entry.key
        if key in foreign:
            remedy = "rename the file, or delete the other photo with `lift manage delete`"
            found.set_aside.append(SetAside(key, "another photo of the INDEX has its name", remedy))
        elif key not in known or known[key][0] != entry.sign:
            found.fresh.append(at)
        elif source.tells_texts and known[key][1] != texts_of(entry):
            found.retold.append(replace(entry, key=key))
        known.pop(key, None)
    found.gone.extend(known)
    return found


def texts_of(entry: Entry) -> str:
    """16 digits over path, texts and metadata of a photo."""
    metadata = {name: str(plain_value(value)) for name, value in entry.metadata.items()}
    return digest([entry.path, list(entry.captions), metadata])
