"""Readers of photos and sentences to be matched: Winoground, NLVR2, NLVR's drawings.

Layouts: huggingface.co/datasets/facebook/winoground (winoground.py: data/examples.jsonl and data/images.zip);
github.com/lil-lab/nlvr (nlvr2/README.md, README of NLVR).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lift.errors import LiftError
from lift.evaluation.benchmarks.folder import (
    Benchmark,
    Folder,
    Protocol,
    first_existing,
    read_json_lines,
    value,
)
from lift.evaluation.benchmarks.measuring_choice import measure_quads
from lift.evaluation.benchmarks.measuring_truth import measure_claims
from lift.evaluation.benchmarks.sheets import Album, Claim, ClaimSheet, Photo, Quad, QuadSheet


def read_winoground(folder: Folder) -> QuadSheet:
    """examples.jsonl of {image_0, image_1, caption_0, caption_1, collapsed_tag}; pictures are images/<image_0>.png."""
    path = folder.file("examples.jsonl", "data/examples.jsonl")
    images = folder.directory("images", "data/images")
    album, items = Album(), []
    for number, entry in enumerate(read_json_lines(path)):
        names = [f"{value(entry, field, path, number)}.png" for field in ("image_0", "image_1")]
        first, second = (album.number(Photo(name, images / name)) for name in names)
        captions = (value(entry, "caption_0", path, number), value(entry, "caption_1", path, number))
        items.append(Quad((first, second), captions, str(entry.get("collapsed_tag") or "")))
    return QuadSheet(album.photos, items)


def read_nlvr2(folder: Folder) -> ClaimSheet:
    """<split>.json, JSON Lines of {identifier, sentence, label}; pictures <split>-<set>-<pair>-img0.png, -img1."""
    split = folder.protocol.split
    path = folder.file(f"{split}.json", f"data/{split}.json", f"nlvr2/data/{split}.json")
    album, items = Album(), []
    for number, entry in enumerate(read_json_lines(path)):
        parts = value(entry, "identifier", path, number).split("-")
        if len(parts) != 4:
            raise LiftError(
                f"entry {number} of {path}: identifier {entry['identifier']!r} is not split-set-pair-sentence",
                "check that this is the published file",
            )
        stem = "-".join(parts[:3])
        paths = []
        for side in ("img0", "img1"):
            name = f"{stem}-{side}.png"
            paths.append(
                first_existing(
                    [folder.root / place / name for place in (split, f"images/{split}", "images", ".")]
                )
            )
        if folder.protocol.mode == "side-by-side":
            seen = [Photo(stem, paths[0], beside=paths[1])]
        else:
            seen = [Photo(found.name, found) for found in paths]
        photos = tuple(album.number(photo) for photo in seen)
        sentence = value(entry, "sentence", path, number)
        items.append(Claim(photos, sentence, truth(entry, path, number), f"{parts[1]}-{parts[3]}"))
    return ClaimSheet(album.photos, items)


def read_nlvr(folder: Folder) -> ClaimSheet:
    """<split>/<split>.json, JSON Lines of {identifier, sentence, label}, and <split>/images/*/<split>-<id>-0.png;
    or examples.jsonl of {image, sentence, label, group, split}."""
    split = folder.protocol.split
    album, items = Album(), []
    if (folder.root / "examples.jsonl").is_file():
        path = folder.file("examples.jsonl")
        for number, entry in enumerate(read_json_lines(path)):
            if entry.get("split") == split:
                image = value(entry, "image", path, number)
                photo = album.number(Photo(image, folder.root / image))
                sentence = value(entry, "sentence", path, number)
                group = f"{entry.get('group', '')}|{sentence}"
                items.append(Claim((photo,), sentence, truth(entry, path, number), group))
    else:
        path = folder.file(f"{split}/{split}.json", f"nlvr/{split}/{split}.json")
        found = {place.name: place for place in sorted((path.parent / "images").glob("**/*-0.png"))}
        for number, entry in enumerate(read_json_lines(path)):
            identifier = value(entry, "identifier", path, number)
            name = f"{split}-{identifier}-0.png"
            photo = album.number(Photo(name, found.get(name, path.parent / "images" / name)))
            sentence = value(entry, "sentence", path, number)
            group = f"{identifier.partition('-')[0]}|{sentence}"
            items.append(Claim((photo,), sentence, truth(entry, path, number), group))
    if not items:
        raise folder.missing(f"sentence of split {split!r}")
    return ClaimSheet(album.photos, items)


def truth(entry: dict[str, Any], path: Path, number: object) -> bool:
    """The label as true or false, written as JSON's or as a word; LiftError for anything else."""
    word = str(entry.get("label")).lower()
    if word not in ("true", "false"):
        raise LiftError(
            f"entry {number} of {path} has the label {entry.get('label')!r}", "expected true or false"
        )
    return word == "true"


TWO = "score: mean of the cosines with the left and the right photo"
BESIDE = "score: cosine with both photos side by side in one picture"
MATCHING_SETS = {
    "winoground": Benchmark(
        title="Winoground",
        task="pairs-benchmark",
        read=read_winoground,
        measure=measure_quads,
        protocols={"text-image-group": Protocol("text, image and group score as the paper defines them")},
        layout="data/examples.jsonl, data/images/ex_0_img_0.png … (images.zip unpacked)",
        home="https://huggingface.co/datasets/facebook/winoground",
        terms="gated; Meta's research licence and Getty Images' terms: research only, no redistribution",
    ),
    "nlvr2": Benchmark(
        title="NLVR2",
        task="verification-benchmark",
        read=read_nlvr2,
        measure=measure_claims,
        protocols={
            "test1-mean-of-two": Protocol(f"public test set; {TWO}", "test1"),
            "test1-side-by-side": Protocol(f"public test set; {BESIDE}", "test1", "side-by-side"),
            "dev-mean-of-two": Protocol(f"development set; {TWO}", "dev"),
            "dev-side-by-side": Protocol(f"development set; {BESIDE}", "dev", "side-by-side"),
        },
        layout="test1.json or dev.json (or in data/), test1/test1-0-0-img0.png …",
        home="https://github.com/lil-lab/nlvr/tree/master/nlvr2 (photos by the form in its README)",
        terms="sentences CC BY 4.0; photos are not licensed by the authors, for research only",
    ),
    "nlvr": Benchmark(
        title="NLVR drawings",
        task="verification-benchmark",
        read=read_nlvr,
        measure=measure_claims,
        protocols={
            "dev-first-drawing": Protocol(
                "development set, the first of the six drawings of an example", "dev"
            ),
            "train-first-drawing": Protocol(
                "training set, the first of the six drawings of an example", "train"
            ),
        },
        layout="dev/dev.json, dev/images/*/dev-1-0-0.png; or examples.jsonl of {image, sentence, label, group, split}",
        home="https://github.com/lil-lab/nlvr/tree/master/nlvr",
        terms="CC BY 4.0",
    ),
}
