"""JSONL files of sentences about photos: {image, positive, negative, kind} or {image, sentence, label}."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lift.data import Pair
from lift.errors import LiftError
from lift.evaluation.subject import NotApplicable, Subject

PAIR, STATEMENT = ("image", "positive", "negative"), ("image", "sentence", "label")


class Statement(NamedTuple):
    """A sentence about photo `image` (a key) and whether it is true."""

    image: str
    sentence: str
    label: bool


def read_pairs(file: Path) -> list[Pair]:
    """Pairs of a JSONL file; `kind` and `length` (short, long) are optional."""
    return [
        Pair(
            image=line["image"],
            positive=line["positive"],
            negative=line["negative"],
            kind=line.get("kind") or "",
            split=line.get("split") or "",
            length=line.get("length") or "short",
        )
        for line in _lines(file, PAIR)
    ]


def read_statements(file: Path) -> list[Statement]:
    """Sentences of a JSONL file with `label` true or false; a file of pairs gives two sentences a pair."""
    if not holds_statements(file):
        pairs = read_pairs(file)
        sides = (
            (pair, text, text is pair.positive) for pair in pairs for text in (pair.positive, pair.negative)
        )
        return [Statement(pair.image, text, label) for pair, text, label in sides]
    return [Statement(line["image"], line["sentence"], line["label"]) for line in _lines(file, STATEMENT)]


def holds_statements(file: Path) -> bool:
    """True when the file's first line is a sentence with a label, not a pair."""
    return set(STATEMENT) <= set(next(_objects(file), {}))


def in_split(subject: Subject, items: Iterable[Any], file: Path | None) -> tuple[list[int], list[Any]]:
    """Positions of the items' photos in the split, and those items; items of other photos are left out.

    The DATASET decides which split a photo is in, since training went by it. LiftError when none is left.
    """
    items = list(items)
    kept = [item for item in items if _key(item.image) in subject.position_of]
    if items and not kept:
        where = file or subject.dataset.folder
        raise (LiftError if file else NotApplicable)(
            f"{where} has no pair for a photo of split {subject.config.split!r}: it names for example "
            f"{items[0].image!r}, the split holds for example {subject.rows[0].key!r}",
            "use another --split, or write the photos as they are named in rows.jsonl of the DATASET",
        )
    return [subject.position_of[_key(item.image)] for item in kept], kept


def _key(image: str) -> str:
    """A photo's path as ingest writes keys: forward slashes, no leading ./"""
    return posixpath.normpath(image)


def _objects(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as handle:
        for number, text in enumerate(handle, start=1):
            if not text.strip():
                continue
            try:
                value = json.loads(text)
            except json.JSONDecodeError as error:
                raise LiftError(
                    f"line {number} of {file} is not JSON ({error})", "write one JSON object a line"
                ) from error
            if not isinstance(value, dict):
                raise LiftError(f"line {number} of {file} is no JSON object", "write one JSON object a line")
            yield value


def _lines(file: Path, fields: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the file's objects; LiftError for the first that lacks a field or has one of the wrong type."""
    for number, value in enumerate(_objects(file), start=1):
        for name in fields:
            wanted: type = bool if name == "label" else str
            if not isinstance(value.get(name), wanted) or value[name] == "":
                kind = "true or false" if wanted is bool else "a text"
                raise LiftError(
                    f"entry {number} of {file} needs {name!r} to be {kind}",
                    f"give each line {{{', '.join(PAIR)}}} or {{{', '.join(STATEMENT)}}}",
                )
        yield value
