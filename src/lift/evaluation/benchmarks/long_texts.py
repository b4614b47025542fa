"""Readers of sets with one long text a photo: Urban-1k, DOCCI, DCI, ShareGPT4V.

Layouts: Urban-1k and the ShareGPT4V thousand as github.com/beichenzbc/Long-CLIP reads them (eval/retrieval/Urban1k.py,
train/sharegpt4v.py); DOCCI's docci_descriptions.jsonlines (google.github.io/docci); DCI as
github.com/facebookresearch/DCI (dataset/densely_captioned_images/dataset/{config,dense_image,impl}.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lift.errors import LiftError
from lift.evaluation.benchmarks.folder import Benchmark, Folder, Protocol, read_json, read_json_lines, value
from lift.evaluation.benchmarks.measuring_search import measure_search
from lift.evaluation.benchmarks.sheets import Photo, SearchSheet

SHAREGPT4V = "share-captioner_coco_lcs_sam_1246k_1107.json"
FIRST = 1000
CHUNK = 1 << 22  # characters of a huge JSON list read at once


def read_urban(folder: Folder) -> SearchSheet:
    """image/N.jpg and caption/N.txt, whose first line counts."""
    images, captions = (
        folder.directory("image", "Urban1k/image"),
        folder.directory("caption", "Urban1k/caption"),
    )
    photos, texts = [], []
    for path in sorted(captions.glob("*.txt")):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        if not lines or not lines[0].strip():
            raise LiftError(f"{path} is empty", "download it again")
        folder.files.append(path)
        photos.append(Photo(f"{path.stem}.jpg", images / f"{path.stem}.jpg"))
        texts.append([lines[0].strip()])
    if not photos:
        raise folder.missing("caption/*.txt")
    return SearchSheet(photos, texts)


def read_docci(folder: Folder) -> SearchSheet:
    """docci_descriptions.jsonlines of {image_file, description, split} and images/."""
    path = folder.file("docci_descriptions.jsonlines")
    images = folder.directory("images", "docci_images")
    photos, texts = [], []
    for number, entry in enumerate(read_json_lines(path)):
        if value(entry, "split", path, number) == folder.protocol.split:
            name = value(entry, "image_file", path, number)
            photos.append(Photo(name, images / name))
            texts.append([value(entry, "description", path, number).strip()])
    if not photos:
        raise folder.missing(f"description of split {folder.protocol.split!r}")
    return SearchSheet(photos, texts)


def read_dci(folder: Folder) -> SearchSheet:
    """splits.json, complete/*.json of {image, short_caption, extra_caption} and photos/."""
    splits = folder.file("splits.json", "densely_captioned_images/splits.json")
    complete, images = splits.parent / "complete", splits.parent / "photos"
    for needed in (complete, images):
        if not needed.is_dir():
            raise folder.missing(f"folder {needed.name}")
    names = ("train", "valid", "test") if folder.protocol.split == "all" else (folder.protocol.split,)
    photos, texts = [], []
    listed = [file for name in names for file in value(read_json(splits), name, splits, "the whole", list)]
    for file in listed:
        path = complete / str(file)
        if not path.is_file():
            raise folder.missing(f"complete/{file}")
        folder.files.append(path)
        entry = read_json(path)
        photo = value(entry, "image", path, "the whole")
        text = value(entry, "short_caption", path, "the whole")
        if folder.protocol.mode == "extended":
            text = f"{text}\n{entry.get('extra_caption') or ''}"
        photos.append(Photo(photo, images / photo))
        texts.append([text.strip()])
    if not photos:
        raise folder.missing(f"photo of split {folder.protocol.split!r}")
    return SearchSheet(photos, texts)


def read_sharegpt4v(folder: Folder) -> SearchSheet:
    """The first 1,000 entries of the 1.2 million; `image` is relative to the folder."""
    path = folder.file(SHAREGPT4V)
    photos, texts = [], []
    for number, entry in enumerate(first_entries(path, FIRST)):
        turns = value(entry, "conversations", path, number, list)
        text = value(turns[1] if len(turns) > 1 else {}, "value", path, number)
        image = value(entry, "image", path, number)
        photos.append(Photo(image, folder.root / image))
        texts.append([text.replace("\n", " ").strip()])
    return SearchSheet(photos, texts)


def first_entries(path: Path, count: int) -> list[Any]:
    """The first `count` entries of a JSON list, read piece by piece: the file may be larger than the memory."""
    decoder = json.JSONDecoder()
    entries: list[Any] = []
    with path.open(encoding="utf-8-sig") as file:
        text = file.read(CHUNK).lstrip()
        if not text.startswith("["):
            raise LiftError(f"{path} is not a JSON list", "download it again")
        text = text[1:]
        while len(entries) < count:
            text = text.lstrip().removeprefix(",").lstrip()
            if text.startswith("]"):
                break
            try:
                entry, end = decoder.raw_decode(text)
            except json.JSONDecodeError as error:
                more = file.read(CHUNK)
                if not more:
                    raise LiftError(f"{path} is cut off or damaged ({error})", "download it again") from error
                text += more
                continue
            entries.append(entry)
            text = text[end:]
    return entries


LONG_TEXT_SETS = {
    "urban1k": Benchmark(
        title="Urban-1k",
        task="long-retrieval-benchmark",
        read=read_urban,
        measure=measure_search,
        protocols={"one-long-caption": Protocol("the first line of each caption file, all photos searched")},
        layout="image/N.jpg, caption/N.txt",
        home="https://huggingface.co/datasets/BeichenZhang/Urban1k (Long-CLIP, arXiv 2403.15378)",
        terms="photos from Visual Genome, captions made by GPT-4V: mind OpenAI's terms and the photos' licences",
    ),
    "docci": Benchmark(
        title="DOCCI",
        task="long-retrieval-benchmark",
        read=read_docci,
        measure=measure_search,
        protocols={
            "test-description": Protocol("the test split, its one description a photo", "test"),
            "qual-dev-description": Protocol("the qual_dev split, its one description a photo", "qual_dev"),
        },
        layout="docci_descriptions.jsonlines, images/….jpg",
        home="https://google.github.io/docci/#downloads",
        terms="CC BY 4.0",
    ),
    "dci": Benchmark(
        title="Densely Captioned Images",
        task="long-retrieval-benchmark",
        read=read_dci,
        measure=measure_search,
        protocols={
            "test-extended": Protocol(
                "the test split, short_caption, line break, extra_caption", "test", "extended"
            ),
            "all-extended": Protocol(
                "all splits together, short_caption, line break, extra_caption", "all", "extended"
            ),
            "test-short": Protocol("the test split, short_caption only", "test", "short"),
        },
        layout="splits.json, complete/*.json, photos/….jpg (or the same in densely_captioned_images/)",
        home="https://github.com/facebookresearch/DCI; photos from SA-1B, https://ai.meta.com/datasets/segment-anything/",
        terms="DCI CC BY-NC 4.0; SA-1B photos under Meta's research licence",
    ),
    "sharegpt4v-1k": Benchmark(
        title="ShareGPT4V, the first thousand",
        task="long-retrieval-benchmark",
        read=read_sharegpt4v,
        measure=measure_search,
        protocols={
            "first-1000": Protocol(
                "the first 1,000 entries of the file, as Long-CLIP holds them out; line breaks as spaces"
            )
        },
        layout=f"{SHAREGPT4V} and, relative to the folder, the pictures its `image` fields name",
        home="https://huggingface.co/datasets/Lin-Chen/ShareGPT4V",
        terms="CC BY-NC 4.0, captions made with GPT-4V; photos of COCO, LAION-CC-SBU and SA-1B under their own terms",
    ),
}
