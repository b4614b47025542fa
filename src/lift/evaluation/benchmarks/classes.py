"""Readers of class folders: ImageNet and its relatives, ObjectNet, any folder with one sub-folder per class.

Layouts: ImageNet and its relatives as published, one sub-folder per WordNet id; ImageNet-V2 has folders 0 to 999 in
the order of the ids (imagenetv2.py of CLIP_benchmark); ObjectNet's mappings/ as in its archive (objectnet.py there).
The names of the ids are not part of lift: the user points at a file with --classes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lift.errors import LiftError
from lift.evaluation.benchmarks.folder import (
    Benchmark,
    Folder,
    Protocol,
    read_json,
    read_json_lines,
    read_text_lines,
    value,
)
from lift.evaluation.benchmarks.measuring_search import measure_classes
from lift.evaluation.benchmarks.sheets import ClassSheet, Photo
from lift.predict import DEFAULT_TEMPLATES

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
WORDNET_ID = re.compile(r"n\d{8}")
SINGLE = ("a photo of a {}",)
BORDER = 2  # pixels: ObjectNet frames its pictures in red, to be cut off before use
PLACES = {
    "imagenet": ("val", "imagenet/val", "."),
    "imagenet-v2": ("imagenetv2-matched-frequency-format-val", "ImageNetV2-matched-frequency", "."),
    "imagenet-r": ("imagenet-r", "."),
    "imagenet-a": ("imagenet-a", "."),
    "imagenet-sketch": ("sketch", "imagenet-sketch", "."),
    "class-folder": (".",),
}


def read_class_folder(folder: Folder) -> ClassSheet:
    """One sub-folder per class; the classes are those with a sub-folder, named by it or by --classes."""
    root = folder.directory(*PLACES[folder.protocol.split])
    names = sorted(
        (path.name for path in root.iterdir() if path.is_dir() and path.name[0] not in "._"), key=_natural
    )
    if len(names) < 2:
        raise folder.missing("two sub-folders of pictures")
    return _sheet(folder, root, dict(zip(names, class_names(names, folder.classes), strict=True)))


def read_objectnet(folder: Folder) -> ClassSheet:
    """images/ and mappings/folder_to_objectnet_label.json; a frame of two pixels is cut off."""
    root = folder.directory("images", "objectnet-1.0/images")
    mappings = "mappings" if (folder.root / "mappings").is_dir() else "objectnet-1.0/mappings"
    path = folder.file(f"{mappings}/folder_to_objectnet_label.json")
    mapping = value({"mapping": read_json(path)}, "mapping", path, "the whole", dict)
    labels = {str(name): str(label) for name, label in mapping.items()}
    if folder.protocol.split == "overlap":
        also = folder.file(f"{mappings}/objectnet_to_imagenet_1k.json")
        shared = set(read_json(also))
        labels = {name: label for name, label in labels.items() if label in shared}
    there = {name: label.lower() for name, label in sorted(labels.items()) if (root / name).is_dir()}
    if len(there) < 2:
        raise folder.missing("two class folders in images/ that the mapping knows")
    return _sheet(folder, root, there, BORDER)


def _sheet(folder: Folder, root: Path, name_of: dict[str, str], margin: int = 0) -> ClassSheet:
    photos, labels = [], []
    for label, name in enumerate(name_of):
        for path in sorted((root / name).rglob("*")):
            if path.suffix.lower() in PICTURES:
                photos.append(Photo(path.relative_to(root).as_posix(), path, margin=margin))
                labels.append(label)
    if not photos:
        raise folder.missing("picture in its class folders")
    return ClassSheet(photos, labels, list(name_of.values()), templates(folder))


def read_class_jsonl(folder: Folder) -> ClassSheet:
    """captions.jsonl or labels.jsonl of {image, class, split}; classes are those of the whole file."""
    path = folder.file("labels.jsonl", "captions.jsonl")
    entries = read_json_lines(path)
    found = [
        (value(e, "image", path, n), value(e, "class", path, n), e.get("split"))
        for n, e in enumerate(entries)
    ]
    names = sorted({name for _, name, _ in found})
    chosen = [(image, name) for image, name, split in found if folder.protocol.split in ("", split)]
    if not chosen or len(names) < 2:
        raise folder.missing(f"line of split {folder.protocol.split!r}, or two classes, in {path.name}")
    labels = [names.index(name) for _, name in chosen]
    return ClassSheet(
        [Photo(image, folder.root / image) for image, _ in chosen], labels, names, templates(folder)
    )


def templates(folder: Folder) -> tuple[str, ...]:
    """The sentences of the protocol."""
    return SINGLE if folder.protocol.mode == "single" else DEFAULT_TEMPLATES


def class_names(folders: list[str], file: Path | None) -> list[str]:
    """Names of class folders in their order, from `file` where it is given; LiftError where one has none.

    The file may hold lines `n01440764 tench, Tinca tinca` (the first name counts) or `folder<TAB>name`, plain names in
    the order of the folders, or JSON: {folder: name}, {"0": [folder, name]} or a list of names.
    """
    if file is None:
        coded = [name for name in folders if WORDNET_ID.fullmatch(name) or name.isdigit()]
        if coded:
            raise LiftError(
                f"class folders such as {coded[0]} are no names",
                "give a file with the names: --classes FILE (docs/benchmarks.md tells its layouts)",
            )
        return folders
    named, ordered = _named(file)
    if all(name in named for name in folders):
        return [named[name] for name in folders]
    if len(ordered) == len(folders):
        return ordered
    lost = next((name for name in folders if name not in named), folders[0])
    raise LiftError(
        f"{file} has no name for the class folder {lost} ({len(folders)} folders, {len(ordered)} names in order)",
        "write `folder<TAB>name` lines, or one name a line in the order of the folders",
    )


def _named(file: Path) -> tuple[dict[str, str], list[str]]:
    """(name by folder, names in order) of a file of class names."""
    if file.suffix == ".json":
        content: Any = read_json(file)
        if isinstance(content, list):
            return {}, [str(name) for name in content]
        if not isinstance(content, dict):
            raise LiftError(
                f"{file} is neither a list nor an object", "give {folder: name} or a list of names"
            )
        if all(isinstance(pair, list) and len(pair) == 2 for pair in content.values()):
            return (
                {str(pair[0]): str(pair[1]) for pair in content.values()}
                | {key: str(pair[1]) for key, pair in content.items()},
                [str(pair[1]) for pair in content.values()],
            )
        return {key: str(name) for key, name in content.items()}, [str(name) for name in content.values()]
    named: dict[str, str] = {}
    ordered: list[str] = []
    for line in filter(str.strip, read_text_lines(file)):
        first, tab, rest = line.strip().partition("\t")
        if not tab and WORDNET_ID.fullmatch(line.split()[0]) and len(line.split()) > 1:
            first, _, rest = line.strip().partition(" ")
        if rest:
            named[first] = rest.split(",")[0].strip()
            ordered.append(named[first])
        else:
            ordered.append(line.strip())
    return named, ordered


def _natural(name: str) -> tuple[int, int, str]:
    """Order of folders: numbers by value, then names."""
    return (0, int(name), name) if name.isdigit() else (1, 0, name)


def class_protocols(split: str, prefix: str = "") -> dict[str, Protocol]:
    """Ensemble and single prompt over the classes that `split` stands for."""
    return {
        f"{prefix}ensemble{len(DEFAULT_TEMPLATES)}": Protocol(
            f"{len(DEFAULT_TEMPLATES)} sentences of our own a class, not the 80 of the CLIP paper", split
        ),
        f"{prefix}single-prompt": Protocol(f"one sentence a class: {SINGLE[0]}", split, "single"),
    }


def _wordnet(name: str, title: str, layout: str, home: str, terms: str) -> Benchmark:
    return Benchmark(
        title=title,
        task="zero-shot-benchmark",
        read=read_class_folder,
        measure=measure_classes,
        protocols=class_protocols(name),
        layout=f"{layout}; names of the ids by --classes",
        home=home,
        terms=terms,
        takes_classes=True,
    )


IMAGENET = "https://www.image-net.org/download.php (names: LOC_synset_mapping.txt of the Kaggle release)"
CLASS_SETS = {
    "imagenet": _wordnet(
        "imagenet",
        "ImageNet-1k validation",
        "val/n01440764/….JPEG (the flat archive sorted into folders)",
        IMAGENET,
        "ImageNet terms: non-commercial research and education",
    ),
    "imagenet-v2": _wordnet(
        "imagenet-v2",
        "ImageNet-V2 matched frequency",
        "imagenetv2-matched-frequency-format-val/0 … 999/….jpeg",
        "https://huggingface.co/datasets/vaishaal/ImageNetV2",
        "see its page; photos under their owners' Flickr licences",
    ),
    "imagenet-r": _wordnet(
        "imagenet-r",
        "ImageNet-R",
        "imagenet-r/n01443537/….jpg, its 200 classes",
        "https://github.com/hendrycks/imagenet-r",
        "see the repository; pictures belong to their makers",
    ),
    "imagenet-a": _wordnet(
        "imagenet-a",
        "ImageNet-A",
        "imagenet-a/n01498041/….jpg, its 200 classes",
        "https://github.com/hendrycks/natural-adv-examples",
        "see the repository; photos belong to their makers",
    ),
    "imagenet-sketch": _wordnet(
        "imagenet-sketch",
        "ImageNet-Sketch",
        "sketch/n01440764/….JPEG",
        "https://github.com/HaohanWang/ImageNet-Sketch",
        "see the repository; pictures found by web search, belong to their makers",
    ),
    "objectnet": Benchmark(
        title="ObjectNet",
        task="zero-shot-benchmark",
        read=read_objectnet,
        measure=measure_classes,
        protocols=class_protocols("overlap", "imagenet-overlap-") | class_protocols("all", "all-classes-"),
        layout="images/air_freshener/….png, mappings/folder_to_objectnet_label.json, "
        "mappings/objectnet_to_imagenet_1k.json",
        home="https://objectnet.dev/download.html",
        terms="CC BY 4.0 with two conditions: never train on it; show single pictures only with their red frame",
    ),
    "class-folder": Benchmark(
        title="a folder with one sub-folder per class",
        task="zero-shot-benchmark",
        read=read_class_folder,
        measure=measure_classes,
        protocols=class_protocols("class-folder"),
        layout="<class name>/….jpg; other names by --classes",
        home="your own data",
        terms="your own",
        takes_classes=True,
    ),
    "classes-jsonl": Benchmark(
        title="a folder with labels.jsonl or captions.jsonl",
        task="zero-shot-benchmark",
        read=read_class_jsonl,
        measure=measure_classes,
        protocols=class_protocols("", "all-") | class_protocols("val", "val-"),
        layout='labels.jsonl or captions.jsonl of {"image", "class", "split"}, image relative to the folder',
        home="your own data",
        terms="your own",
    ),
}
