"""The stage itself: read, decode, find duplicates, split, write."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lift.artefact import already_done, new_folder
from lift.console import progress_bar, say
from lift.data import BadImage, Dataset, DatasetWriter, Row
from lift.data.files import signature
from lift.data.packing import PhotoPlace, ShardsInPlace
from lift.data.writing import PhotoStore
from lift.errors import LiftError
from lift.ingest.config import IngestConfig
from lift.ingest.duplicates import near_duplicate_groups
from lift.ingest.items import Asides, Item, clean_texts, merge_rows, with_texts_of
from lift.ingest.pairs import pair_files, read_pairs
from lift.ingest.photos import decode_all
from lift.ingest.readers import READERS
from lift.ingest.reporting import show_counts, write_readable
from lift.ingest.source import Source, open_source
from lift.ingest.splits import EXAMPLES, choose_splits, shared_texts, straddling
from lift.ingest.tars import PhotoInTar


@dataclass
class Kept:
    """The photos that can be used, row by row; their pixels wait in a file of their own."""

    items: list[Item] = field(default_factory=list)
    sha256: list[bytes] = field(default_factory=list)
    dhash: list[int] = field(default_factory=list)
    phash: list[int] = field(default_factory=list)
    thumbs: list[np.ndarray] = field(default_factory=list)
    same_as: dict[str, str] = field(default_factory=dict)
    across: list[list[str]] = field(default_factory=list)


def ingest(config: IngestConfig) -> Dataset:
    """Turn `config.source` into a DATASET at `config.out`; what cannot be used is reported in it."""
    config.check()
    _refuse_made(config.source)
    source = open_source(config)
    if config.layout == "in-place" and source.kind != "tar":
        raise LiftError(
            f"--layout in-place reads .tar shards where they lie, and {config.source} is no folder of them",
            "leave --layout away, and put the finished DATASET into shards with `lift shard`",
        )
    request = _request(config, source)
    if already_done(config.out, "dataset", request, config.overwrite):
        say(f"{config.out}: already done")
        return Dataset(config.out)
    asides = Asides()
    items = read_items(source, config, asides)
    if not items:
        raise _nothing_left(asides, source)
    with new_folder(config.out) as folder:
        waiting = folder / "pixels.waiting"
        in_place = config.layout == "in-place"
        with (Path(os.devnull) if in_place else waiting).open("wb") as file:
            kept = decode_items(items, config, asides, file)
        if not kept.items:
            raise _nothing_left(asides, source)
        if in_place:
            store = ShardsInPlace(folder, source.root, max_pixels=config.max_pixels)
            report = _write(folder, places_of(kept), store, kept, source, config, request, asides)
        else:
            shape = (len(kept.items), config.size, config.size, 3)
            pixels = np.memmap(waiting, np.uint8, "r", shape=shape)
            report = _write(folder, pixels, None, kept, source, config, request, asides)
            del pixels
            waiting.unlink()
    dataset = Dataset(config.out)
    show_counts(dataset, report)
    return dataset


def _refuse_made(source: Path) -> None:
    """Raise LiftError for a folder that lift made: its own files would be taken for tables of captions."""
    marks = [("DATASET", ("dataset.json", name)) for name in ("pixels.npy", "members.npy")]
    marks += [("STORE", ("store.json", "commits")), ("RUN", ("run.json", "checkpoint"))]
    marks += [("INDEX", ("index.json", name)) for name in ("vectors.npy", "commits")]
    for kind, names in marks:
        if all((source / name).exists() for name in names):
            raise LiftError(
                f"{source} is a folder that lift made ({kind}), not photos of yours",
                "give the folder or table with the photos; a DATASET goes to `lift embed` and `lift train` as it is",
            )


def read_items(source: Source, config: IngestConfig, asides: Asides) -> list[Item]:
    """All photos of the source that have a text, in the source's order, at most `config.limit`."""
    items: list[Item] = []
    for item in merge_rows(READERS[source.kind](source, config, asides), asides):
        clean = clean_texts(item, long_words=config.long_words, template=config.template, asides=asides)
        if clean is not None:
            items.append(clean)
            if len(items) == config.limit:
                break
    return items


def decode_items(items: Sequence[Item], config: IngestConfig, asides: Asides, pixels: BinaryIO) -> Kept:
    """Decode all photos, append their bytes to `pixels`, and join exact copies with their first."""
    kept = Kept()
    row_of: dict[bytes, int] = {}
    with progress_bar("photos", len(items)) as bar:
        for item, photo in decode_all(items, config):
            bar.advance()
            if isinstance(photo, BadImage):
                asides.add(item.key, photo.reason, photo.remedy)
                continue
            first = row_of.setdefault(photo.sha256, len(kept.items))
            if first < len(kept.items):
                _join_copy(kept, first, item, asides)
                continue
            kept.items.append(item)
            kept.sha256.append(photo.sha256)
            kept.dhash.append(photo.dhash)
            kept.phash.append(photo.phash)
            kept.thumbs.append(photo.thumb)
            pixels.write(photo.pixels.tobytes())
    return kept


def _join_copy(kept: Kept, first: int, item: Item, asides: Asides) -> None:
    original = kept.items[first]
    kept.items[first] = with_texts_of(original, item)
    kept.same_as[item.key] = original.key
    if item.split and original.split and item.split != original.split:
        kept.across.append([item.key, original.key])
    asides.add(item.key, f"exact copy of: {original.key}", "nothing: its texts were added to the first")


def places_of(kept: Kept) -> list[PhotoPlace]:
    """Where the photos lie in the source's own shards."""
    places = []
    for item, sha256 in zip(kept.items, kept.sha256, strict=True):
        assert isinstance(item.photo, PhotoInTar)
        places.append(PhotoPlace(item.photo.path, item.photo.offset, item.photo.size, sha256))
    return places


def _write(
    folder: Path,
    photos: np.ndarray | list[PhotoPlace],
    store: PhotoStore | None,
    kept: Kept,
    source: Source,
    config: IngestConfig,
    request: dict[str, Any],
    asides: Asides,
) -> dict[str, Any]:
    """Split the photos, write rows, pixels, pairs and reports; returns the report."""
    hashes = (np.array(kept.dhash, dtype=np.uint64), np.array(kept.phash, dtype=np.uint64))
    groups = near_duplicate_groups(*hashes, np.stack(kept.thumbs))
    splits, how = choose_splits(
        [item.key for item in kept.items],
        [item.split for item in kept.items],
        groups,
        val_fraction=config.val_fraction,
        test_fraction=config.test_fraction,
    )
    rows = [_row(item, split) for item, split in zip(kept.items, splits, strict=True)]
    leaks = straddling(splits, groups)
    dropped = {row for row, _ in leaks if rows[row].split == "train"} if config.drop_leakage else set()
    for row, held in leaks:
        if row in dropped:
            reason = f"near-duplicate of held-out photo: {rows[held].key} ({rows[held].split})"
            asides.add(rows[row].key, reason, "nothing: --drop-leakage was given")
    numbers = [row for row in range(len(rows)) if row not in dropped]
    by_key = {rows[row].key: rows[row] for row in numbers}
    leakage = _leakage(rows, leaks, groups, kept, dropped, by_key)
    place = config.source.resolve()
    name = config.name or (place.name if place.is_dir() else place.stem)
    size, mode = config.size, config.resize_mode
    writer = DatasetWriter(folder, name=name, image_size=size, resize_mode=mode, photos=store)
    for row in numbers:
        writer.add(photos[row], rows[row])
    for pair in read_pairs(source, config, by_key, kept.same_as, asides):
        writer.add_pair(pair)
    report = {
        "source": source.facts,
        "splits": how,
        "counts": _counts(list(by_key.values()), asides),
        "leakage": leakage,
        "set_aside": asides.entries,
    }
    manifest = writer.close(request=request, report=report, source=str(source.root.resolve()))
    write_readable(folder / "report.md", manifest, report)
    return report


def _row(item: Item, split: str) -> Row:
    return Row(item.key, item.captions, split, item.long_captions, item.label, item.source)


def _leakage(
    rows: Sequence[Row],
    leaks: Sequence[tuple[int, int]],
    groups: np.ndarray,
    kept: Kept,
    dropped: set[int],
    by_key: Mapping[str, Row],
) -> dict[str, Any]:
    """What train shares with val and test: near-duplicates, exact copies, and texts word for word."""
    _, sizes = np.unique(groups, return_counts=True)
    made = {text for item in kept.items if item.made for text in item.captions}
    return {
        "near_duplicate_groups": int((sizes > 1).sum()),
        "near_duplicate_photos": int(sizes[sizes > 1].sum()),
        "near_duplicates_across_splits": len(leaks),
        "near_duplicates_dropped": len(dropped),
        "examples": [
            {"photo": rows[a].key, "split": rows[a].split, "like": rows[b].key, "like_split": rows[b].split}
            for a, b in leaks[:EXAMPLES]
        ],
        "exact_copies_across_splits": len(kept.across),
        "exact_copies": kept.across[:EXAMPLES],
        "shared_texts": shared_texts(list(by_key.values()), made),
    }


def _counts(rows: Sequence[Row], asides: Asides) -> dict[str, Any]:
    return {
        "photos": len(rows),
        "captions": sum(len(row.captions) for row in rows),
        "long_captions": sum(len(row.long_captions) for row in rows),
        "labels": len({row.label for row in rows if row.label is not None}),
        "set_aside": asides.counts(),
    }


def _request(config: IngestConfig, source: Source) -> dict[str, Any]:
    """What makes the DATASET: the options that change it and the state of the source's files."""
    skipped = ("source", "out", "workers", "overwrite", "pairs", "table")
    request = {name: value for name, value in asdict(config).items() if name not in skipped}
    if config.layout == "pixels":  # what was made before there were others stays what it is
        request.pop("layout")
    request["text_columns"] = list(config.text_columns)
    outside = [Path(config.table)] if config.table and Path(config.table).is_file() else []
    request |= {"table": config.table, "pairs": [path.name for path in config.pairs]}
    request |= {"file": config.source.name if config.source.is_file() else None}
    request["source_state"] = signature(source.root, source.files, [*pair_files(config), *outside])
    return request


def _nothing_left(asides: Asides, source: Source) -> LiftError:
    lines = [f"{entry['file']}: {entry['reason']}" for entry in asides.entries[:5]]
    what = "; ".join(lines) or "no photos were found"
    return LiftError(
        f"nothing usable in {source.root}: {what}", "mend these, or choose another form with --kind"
    )
