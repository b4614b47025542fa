"""Readers of captions in several languages: Crossmodal-3600, Multi30k, and JSON Lines.

Layouts: captions.jsonl of google.github.io/crossmodal-3600 ({"image/key", "<language>": {"caption": […]}}, pictures
<key>.jpg); github.com/multi30k/dataset (data/task1/raw and image_splits).
"""

from __future__ import annotations

from lift.errors import LiftError
from lift.evaluation.benchmarks.folder import (
    Benchmark,
    Folder,
    Protocol,
    read_json_lines,
    read_text_lines,
    value,
)
from lift.evaluation.benchmarks.measuring_search import measure_languages
from lift.evaluation.benchmarks.sheets import LanguageSheet, Photo

MULTI30K = ("en", "de", "fr", "cs")


def read_xm3600(folder: Folder) -> LanguageSheet:
    """captions.jsonl and images/<key>.jpg."""
    path, images = folder.file("captions.jsonl"), folder.directory("images")
    entries = read_json_lines(path)
    found = dict.fromkeys(
        name for entry in entries for name, own in entry.items() if isinstance(own, dict) and "caption" in own
    )
    if not found:
        raise folder.missing("captions of a language in captions.jsonl")
    photos = []
    languages = folder.wanted(sorted(found))
    texts: dict[str, list[list[str]]] = {language: [] for language in languages}
    for number, entry in enumerate(entries):
        key = value(entry, "image/key", path, number)
        photos.append(Photo(f"{key}.jpg", images / f"{key}.jpg"))
        for language in languages:
            own = entry.get(language)
            captions = own.get("caption") if isinstance(own, dict) else None
            texts[language].append(
                [str(text) for text in captions or []][: 1 if folder.protocol.mode == "first" else None]
            )
    return LanguageSheet(photos, texts)


def read_multi30k(folder: Folder) -> LanguageSheet:
    """One caption a photo and language: raw/<set>.<language>[.gz] beside image_splits/<set>.txt."""
    name = folder.protocol.split
    listed = folder.file(f"image_splits/{name}.txt", f"data/task1/image_splits/{name}.txt")
    images = folder.directory("flickr30k-images", "flickr30k_images", "Images", "images")
    raw = listed.parent.parent / "raw"
    there = [
        language
        for language in MULTI30K
        if any((raw / f"{name}.{language}{end}").is_file() for end in ("", ".gz"))
    ]
    if not there:
        raise folder.missing(f"raw/{name}.en or raw/{name}.en.gz")
    files = [line.strip() for line in read_text_lines(listed)]
    texts = {}
    for language in folder.wanted(there):
        inside = (raw / f"{name}.{language}").relative_to(folder.root)
        path = folder.file(str(inside), f"{inside}.gz")
        lines = read_text_lines(path)
        if len(lines) != len(files):
            raise LiftError(
                f"{path} has {len(lines)} lines, {listed} {len(files)}", "take both from the same release"
            )
        texts[language] = [[line.strip()] for line in lines]
    return LanguageSheet([Photo(file, images / file) for file in files], texts)


def read_languages_jsonl(folder: Folder) -> LanguageSheet:
    """multi30k.jsonl of {image, en, de, …, split}."""
    path = folder.file("multi30k.jsonl")
    chosen = [
        (number, entry)
        for number, entry in enumerate(read_json_lines(path))
        if folder.protocol.split in ("", entry.get("split"))
    ]
    languages = folder.wanted([name for name in MULTI30K if chosen and name in chosen[0][1]])
    if not chosen or not languages:
        raise folder.missing(f"line of split {folder.protocol.split!r} in multi30k.jsonl")
    photos = []
    texts: dict[str, list[list[str]]] = {language: [] for language in languages}
    for number, entry in chosen:
        image = value(entry, "image", path, number)
        photos.append(Photo(image, folder.root / image))
        for language in languages:
            texts[language].append([entry[language].strip()] if entry.get(language) else [])
    return LanguageSheet(photos, texts)


LANGUAGE_SETS = {
    "xm3600": Benchmark(
        title="Crossmodal-3600",
        task="retrieval-benchmark",
        read=read_xm3600,
        measure=measure_languages,
        protocols={
            "first-caption": Protocol("the first caption of each photo and language", "", "first"),
            "all-captions": Protocol("every caption of each photo and language"),
        },
        layout="captions.jsonl, images/<key>.jpg",
        home="https://google.github.io/crossmodal-3600",
        terms="captions CC BY 4.0; photos of Open Images, CC BY 2.0 each",
        takes_parts=True,
    ),
    "multi30k": Benchmark(
        title="Multi30k, task 1",
        task="retrieval-benchmark",
        read=read_multi30k,
        measure=measure_languages,
        protocols={
            "test-2016-flickr": Protocol(
                "one caption a photo and language, test_2016_flickr", "test_2016_flickr"
            ),
            "test-2017-flickr": Protocol(
                "one caption a photo and language, test_2017_flickr", "test_2017_flickr"
            ),
            "val": Protocol("one caption a photo and language, val", "val"),
        },
        layout="data/task1/image_splits/test_2016_flickr.txt, data/task1/raw/test_2016_flickr.{en,de,fr,cs}[.gz], "
        "flickr30k-images/….jpg (the photos of test-2017 are a download of their own)",
        home="https://github.com/multi30k/dataset and the form at https://shannon.cs.illinois.edu/DenotationGraph/",
        terms="texts CC BY-NC-SA 4.0; photos belong to their Flickr owners, non-commercial research only",
        parts=MULTI30K,
    ),
    "multi30k-jsonl": Benchmark(
        title="a folder with multi30k.jsonl",
        task="retrieval-benchmark",
        read=read_languages_jsonl,
        measure=measure_languages,
        protocols={
            "val": Protocol("lines of split val, one caption a photo and language", "val"),
            "all": Protocol("all lines, one caption a photo and language"),
        },
        layout='multi30k.jsonl of {"image", "en", "de", "fr", "cs", "split"}, image relative to the folder',
        home="your own data",
        terms="those of Multi30k: CC BY-NC-SA 4.0",
        parts=MULTI30K,
    ),
}
