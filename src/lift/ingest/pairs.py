"""Typed hard negatives that come with a source: JSONL files of {image, positive, negative, kind}."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from lift.data import Pair, Row
from lift.data.decoding import BadImage
from lift.data.files import PhotoFinder
from lift.errors import LiftError
from lift.ingest.config import IngestConfig
from lift.ingest.items import Asides
from lift.ingest.source import Source
from lift.ingest.tables import read_rows
from lift.sentences import count_words


def pair_files(config: IngestConfig) -> list[Path]:
    """The files of --pairs, looked for here and in the source folder; LiftError when one is missing."""
    folder = config.source if config.source.is_dir() else config.source.parent
    found = []
    for path in config.pairs:
        place = next((place for place in (path, folder / path) if place.is_file()), None)
        if place is None:
            raise LiftError(f"there is no pair file {path}", "check the path given with --pairs")
        found.append(place)
    return found


def read_pairs(
    source: Source,
    config: IngestConfig,
    rows: Mapping[str, Row],
    same_as: Mapping[str, str],
    asides: Asides,
) -> Iterator[Pair]:
    """Yield the usable pairs; `rows` are the kept photos by key, `same_as` leads from a copy to its first.

    A pair belongs to the split of its photo, so that no val photo is trained on through its pairs.
    """
    finder = PhotoFinder(source.root, source.files)
    for path in pair_files(config):
        lines = read_rows(path, config.encoding, asides, {})
        if not lines or not {"image", "positive", "negative"} <= lines[0].keys():
            raise LiftError(
                f"{path} holds no {{image, positive, negative, kind}} lines", "see docs/data-formats.md"
            )
        for number, line in enumerate(lines, 1):
            place = f"{path.name} row {number}"
            positive, negative = (
                " ".join(str(line.get(name) or "").split()) for name in ("positive", "negative")
            )
            if not positive or not negative or positive == negative:
                asides.add(place, "unusable pair (empty or equal texts)", "give two different texts")
                continue
            key = _key_of(str(line.get("image") or ""), rows, same_as, finder)
            if key is None:
                if config.limit is None:
                    asides.add(
                        place, f"pair without photo: {line.get('image')}", "see what became of the photo"
                    )
                continue
            split = rows[key].split
            if line.get("split") and line["split"] != split:
                asides.add(
                    place, f"other split: the pair's {line['split']} became {split}", "nothing: as its photo"
                )
            length = str(
                line.get("length") or ("long" if count_words(positive) > config.long_words else "short")
            )
            yield Pair(key, positive, negative, str(line.get("kind") or "other"), split, length)


def _key_of(
    image: str, rows: Mapping[str, Row], same_as: Mapping[str, str], finder: PhotoFinder
) -> str | None:
    """The key of the kept photo that a pair names, or None."""
    key = image
    if key not in rows and key not in same_as:
        try:
            key = finder.find(image)
        except BadImage:
            return None
    key = same_as.get(key, key)
    return key if key in rows else None
