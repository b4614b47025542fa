"""Readers of caption sets for retrieval: Karpathy's splits of COCO, Flickr30k and Flickr8k, and JSON Lines.

Layouts: caption_datasets.zip of Karpathy & Fei-Fei (arXiv 1412.2306): {"images": [{"filename", "filepath" (COCO),
"split", "sentences": [{"raw"}]}]}. The COCO 1k protocol, the mean of five searches among 1,000 photos each in file
order, is that of github.com/fartashf/vsepp (evaluation.py, fold5).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lift.evaluation.benchmarks.folder import (
    Benchmark,
    Folder,
    Protocol,
    entries_of,
    first_existing,
    read_json,
    read_json_lines,
    value,
)
from lift.evaluation.benchmarks.measuring_search import measure_search
from lift.evaluation.benchmarks.sheets import Photo, SearchSheet

CAPTIONS = 5
FOLD = 1000
KARPATHY = "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"
FLICKR_PLACES = {
    "dataset_flickr30k.json": ("flickr30k-images", "flickr30k_images", "Images", "images"),
    "dataset_flickr8k.json": ("Flicker8k_Dataset", "Flickr8k_Dataset", "Images", "images"),
}


def read_coco(folder: Folder) -> SearchSheet:
    """COCO by Karpathy's split; photos in train2014/ and val2014/."""
    folder.directory("val2014", "images/val2014")
    return _karpathy(folder, "dataset_coco.json")


def read_flickr30k(folder: Folder) -> SearchSheet:
    """Flickr30k by Karpathy's split."""
    return _karpathy(folder, "dataset_flickr30k.json")


def read_flickr8k(folder: Folder) -> SearchSheet:
    """Flickr8k by Karpathy's split, which is the official one."""
    return _karpathy(folder, "dataset_flickr8k.json")


def _karpathy(folder: Folder, name: str) -> SearchSheet:
    path = folder.file(name, f"karpathy/{name}", f"annotations/{name}")
    entries = value(read_json(path), "images", path, "the whole", list)
    base = folder.directory(*FLICKR_PLACES[name]) if name in FLICKR_PLACES else folder.root
    photos, texts = [], []
    for number, entry in entries_of(entries, path):
        if entry.get("split") != folder.protocol.split:
            continue
        file = value(entry, "filename", path, number)
        inside = Path(entry.get("filepath", "") if name not in FLICKR_PLACES else "") / file
        place = first_existing([base / inside, base / "images" / inside])
        sentences = value(entry, "sentences", path, number, list)
        captions = [value(sentence, "raw", path, number).strip() for sentence in sentences]
        photos.append(Photo(str(inside), place))
        texts.append(captions[: 1 if folder.protocol.mode == "first" else CAPTIONS])
    if not photos:
        raise folder.missing(f"photo of split {folder.protocol.split!r} in {path.name}")
    folds = folds_in_order(len(photos), FOLD) if folder.protocol.mode == "folds" else None
    if folds is not None:  # what does not fill a fold takes no part
        texts = [own if fold >= 0 else [] for own, fold in zip(texts, folds, strict=True)]
    return SearchSheet(photos, texts, folds)


def folds_in_order(count: int, size: int) -> np.ndarray:
    """Fold (count,) of each photo in order; -1 for those that do not fill a fold of `size`, unless there is none."""
    folds = np.arange(count) // size
    whole = count // size
    return np.where(folds < whole, folds, -1) if whole else folds


def read_captions_jsonl(folder: Folder) -> SearchSheet:
    """captions.jsonl of {image, captions, split}; `image` is relative to the folder."""
    path = folder.file("captions.jsonl")
    photos, texts = [], []
    for number, entry in enumerate(read_json_lines(path)):
        if folder.protocol.split and entry.get("split") != folder.protocol.split:
            continue
        image = value(entry, "image", path, number)
        captions = [str(caption) for caption in value(entry, "captions", path, number, list)]
        photos.append(Photo(image, folder.root / image))
        texts.append(captions[: 1 if folder.protocol.mode == "first" else CAPTIONS])
    if not photos:
        raise folder.missing(f"line of split {folder.protocol.split!r} in captions.jsonl")
    return SearchSheet(photos, texts)


def karpathy_protocols(folds: bool = False) -> dict[str, Protocol]:
    """The protocols over Karpathy's splits; the first is the field's usual one."""
    found = {
        "karpathy-test-5captions": Protocol(
            "Karpathy's test split, the first five captions of each photo", "test"
        ),
        "karpathy-test-first-caption": Protocol(
            "Karpathy's test split, the first caption of each photo only (the LIFT paper too takes one a photo)",
            "test",
            "first",
        ),
        "karpathy-val-5captions": Protocol(
            "Karpathy's val split, the first five captions of each photo", "val"
        ),
    }
    if folds:
        found["karpathy-test-1k-folds"] = Protocol(
            "Karpathy's test split in file order, cut into folds of 1,000 photos, the first five captions of each; "
            "mean over the folds (the 1k protocol)",
            "test",
            "folds",
        )
    return found


TERMS = "photos belong to their Flickr owners; non-commercial research only"
CAPTION_SETS = {
    "coco": Benchmark(
        title="COCO captions",
        task="retrieval-benchmark",
        read=read_coco,
        measure=measure_search,
        protocols=karpathy_protocols(folds=True),
        layout="dataset_coco.json, val2014/COCO_val2014_….jpg (the test split lies in val2014 alone)",
        home=f"{KARPATHY} and https://cocodataset.org/#download (2014 val images)",
        terms="annotations CC BY 4.0; photos under their owners' Flickr licences (Flickr terms of use)",
    ),
    "flickr30k": Benchmark(
        title="Flickr30k",
        task="retrieval-benchmark",
        read=read_flickr30k,
        measure=measure_search,
        protocols=karpathy_protocols(),
        layout="dataset_flickr30k.json, flickr30k-images/….jpg",
        home=f"{KARPATHY} and the form at https://shannon.cs.illinois.edu/DenotationGraph/",
        terms=TERMS,
    ),
    "flickr8k": Benchmark(
        title="Flickr8k",
        task="retrieval-benchmark",
        read=read_flickr8k,
        measure=measure_search,
        protocols=karpathy_protocols(),
        layout="dataset_flickr8k.json, Flicker8k_Dataset/….jpg",
        home=f"{KARPATHY} and https://github.com/jbrownlee/Datasets/releases/tag/Flickr8k",
        terms=TERMS,
    ),
    "captions-jsonl": Benchmark(
        title="a folder with captions.jsonl",
        task="retrieval-benchmark",
        read=read_captions_jsonl,
        measure=measure_search,
        protocols={
            "val-5captions": Protocol("lines of split val, the first five captions of each photo", "val"),
            "val-first-caption": Protocol("lines of split val, the first caption only", "val", "first"),
            "test-5captions": Protocol("lines of split test, the first five captions of each photo", "test"),
            "all-5captions": Protocol("all lines, the first five captions of each photo"),
        },
        layout='captions.jsonl of {"image", "captions": […], "split"}, image relative to the folder',
        home="your own data",
        terms="your own",
    ),
}
