"""Readers of true against minimally wrong texts: SugarCrepe, SugarCrepe++, VALSE, NegBench, and JSON Lines of pairs.

Layouts: github.com/RAIVNLab/sugar-crepe (main_eval.py); github.com/Sri-Harsha/scpp (VLMs/test_Variants_CLIP.py);
github.com/Heidelberg-NLP/VALSE (README.md, config.py, folder names also as in CLIP_benchmark's valse.py); NegBench
(github.com/m1k2zoo/negbench, datasets.md and training/data.py, CsvMCQDataset).
"""

from __future__ import annotations

import csv
from pathlib import Path

from lift.errors import LiftError
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
from lift.evaluation.benchmarks.measuring_choice import measure_choices, measure_two_positives
from lift.evaluation.benchmarks.sheets import Album, Choice, ChoiceSheet, Photo

SUGARCREPE = ("add_obj", "add_att", "replace_obj", "replace_att", "replace_rel", "swap_obj", "swap_att")
SUGARCREPE_PP = ("replace_obj", "replace_att", "replace_rel", "swap_obj", "swap_att")
COCO_2017 = ("val2017", "images/val2017", "coco/val2017", "images")
VALSE = {  # instrument -> places of its photos beside data/, after VALSE's config.py, and names of its file
    "existence": ("visual7w/images",),
    "plurals": ("plurals/test_images",),
    "counting-hard": ("visual7w/images",),
    "counting-small-quant": ("visual7w/images",),
    "counting-adversarial": ("visual7w/images",),
    "relations": ("relations/test_images",),
    "action-replacement": ("actions/images_512",),
    "actant-swap": ("actions/images_512",),
    "coreference-standard": ("coref/release_too_many_is_this_in_color/images",),
    "coreference-hard": ("coref/release_v18/test_images",),
    "foil-it": ("val2014", "COCO/val2014"),
}
AGREED = 2  # of three annotators must have chosen the caption, but not the foil
NEGBENCH = {
    "coco": ("COCO_val_mcq_llama3.1_rephrased.csv", COCO_2017),
    "voc2007": (
        "VOC2007_mcq_llama3.1_rephrased.csv",
        ("VOC2007/JPEGImages", "JPEGImages", "VOCdevkit/VOC2007/JPEGImages"),
    ),
    "synthetic": ("synthetic_mcq_llama3.1_rephrased.csv", ("synthetic", "synthetic_images", "images")),
}
OPTIONS = 4


def read_sugarcrepe(folder: Folder) -> ChoiceSheet:
    """Seven files of {key: {filename, caption, negative_caption}} over COCO's val2017."""
    images = folder.directory(*COCO_2017)
    album, items = Album(), []
    for kind in folder.wanted(SUGARCREPE):
        path = folder.file(f"{kind}.json", f"data/{kind}.json")
        for key, entry in entries_of(read_json(path), path):
            name = value(entry, "filename", path, key)
            right, wrong = (value(entry, field, path, key) for field in ("caption", "negative_caption"))
            items.append(Choice(album.number(Photo(name, images / name)), (right,), (wrong,), kind))
    return ChoiceSheet(album.photos, items)


def read_sugarcrepe_pp(folder: Folder) -> ChoiceSheet:
    """Five files of lists of {filename, caption, caption2, negative_caption} over COCO's val2017."""
    images = folder.directory(*COCO_2017)
    album, items = Album(), []
    for kind in folder.wanted(SUGARCREPE_PP):
        path = folder.file(f"{kind}.json", f"data/{kind}.json")
        for key, entry in entries_of(read_json(path), path):
            name = value(entry, "filename", path, key)
            right = (value(entry, "caption", path, key), value(entry, "caption2", path, key))
            wrong = (value(entry, "negative_caption", path, key),)
            items.append(Choice(album.number(Photo(name, images / name)), right, wrong, kind))
    return ChoiceSheet(album.photos, items)


def read_valse(folder: Folder) -> ChoiceSheet:
    """A file per instrument of {key: {dataset, image_file, caption, foil, mturk}}."""
    album, items = Album(), []
    for kind in folder.wanted(VALSE):
        names = [kind, kind.replace("-", "_"), *(["relation"] if kind == "relations" else [])]
        path = folder.file(*(f"{place}{name}.json" for name in names for place in ("", "data/")))
        for key, entry in entries_of(read_json(path), path):
            votes = value(entry, "mturk", path, key, dict)
            if folder.protocol.mode == "valid" and value(votes, "caption", path, key, int) < AGREED:
                continue
            name, caption = value(entry, "image_file", path, key), entry.get("caption")
            if isinstance(caption, list):  # some releases hold a list of one
                entry = {**entry, "caption": caption[0] if caption else ""}
            source = str(entry.get("dataset") or "")
            places = [folder.root / source / name, folder.root / "images" / source / name]
            for place in VALSE[kind]:
                places += [folder.root / place / name, folder.root / "data" / place / name]
            photo = Photo(f"{source}/{name}", first_existing([*places, folder.root / "images" / name]))
            right, wrong = value(entry, "caption", path, key), value(entry, "foil", path, key)
            items.append(Choice(album.number(photo), (right,), (wrong,), kind))
    return ChoiceSheet(album.photos, items)


def read_negbench(folder: Folder) -> ChoiceSheet:
    """CSV of image_path, correct_answer, caption_0 … caption_3, correct_answer_template; kinds are the templates."""
    part = folder.protocol.split
    name, places = NEGBENCH[part]
    path = folder.file(name, f"images/{name}", f"data/images/{name}")
    album, items = Album(), []
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            options = [value(row, f"caption_{option}", path, number) for option in range(OPTIONS)]
            answer = str(row.get("correct_answer", "")).strip()
            if answer not in map(str, range(OPTIONS)):
                raise LiftError(
                    f"entry {number} of {path} has correct_answer {answer!r}", f"expected 0 to {OPTIONS - 1}"
                )
            given = Path(value(row, "image_path", path, number))
            near = [folder.root / given, *(folder.root / place / given.name for place in places)]
            photo = Photo(given.name, first_existing([*near, path.parent / given.name]))
            wrong = tuple(text for option, text in enumerate(options) if option != int(answer))
            kind = str(row.get("correct_answer_template") or "")
            items.append(Choice(album.number(photo), (options[int(answer)],), wrong, kind))
    if not items:
        raise folder.missing(f"line in {path.name}")
    return ChoiceSheet(album.photos, items, mean_from=0)


def read_pairs_jsonl(folder: Folder) -> ChoiceSheet:
    """JSON Lines of {image, positive, negative, kind, split}; --only names the files where there are several."""
    found = {path.stem: path for path in sorted(folder.root.glob("*.jsonl")) if _holds_pairs(path)}
    if not found:
        raise folder.missing("*.jsonl of pairs")
    album, items = Album(), []
    chosen = folder.wanted(found)
    for stem in chosen:
        path = folder.file(found[stem].name)
        for number, entry in enumerate(read_json_lines(path)):
            if folder.protocol.split and entry.get("split") != folder.protocol.split:
                continue
            image = value(entry, "image", path, number)
            right, wrong = (value(entry, field, path, number) for field in ("positive", "negative"))
            kind = str(entry.get("kind") or (stem if len(chosen) > 1 else ""))
            items.append(Choice(album.number(Photo(image, folder.root / image)), (right,), (wrong,), kind))
    if not items:
        raise folder.missing(f"pair of split {folder.protocol.split!r}")
    return ChoiceSheet(album.photos, items)


def _holds_pairs(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        head = file.readline()
    return all(f'"{field}"' in head for field in ("image", "positive", "negative"))


def _negbench(part: str, photos: str) -> Benchmark:
    return Benchmark(
        title=f"NegBench multiple choice, {part}",
        task="pairs-benchmark",
        read=read_negbench,
        measure=measure_choices,
        protocols={"mcq-4options": Protocol("four captions a question, affirming or negating", part)},
        layout=f"{NEGBENCH[part][0]} (or in images/), pictures by file name in {NEGBENCH[part][1][0]}/",
        home=f"https://github.com/m1k2zoo/negbench (datasets.md); {photos}",
        terms="texts MIT; photos under the terms of their own sets",
    )


COCO_PHOTOS = "https://cocodataset.org/#download (2017 val images)"
FOIL_SETS = {
    "sugarcrepe": Benchmark(
        title="SugarCrepe",
        task="pairs-benchmark",
        read=read_sugarcrepe,
        measure=measure_choices,
        protocols={
            "pairs": Protocol(
                "caption against negative_caption, all seven files; mean of kinds is their mean"
            )
        },
        layout=f"{', '.join(f'{kind}.json' for kind in SUGARCREPE)} (or in data/), val2017/….jpg",
        home=f"https://github.com/RAIVNLab/sugar-crepe/tree/main/data and {COCO_PHOTOS}",
        terms="texts MIT; photos under their owners' Flickr licences",
        parts=SUGARCREPE,
    ),
    "sugarcrepe-pp": Benchmark(
        title="SugarCrepe++",
        task="pairs-benchmark",
        read=read_sugarcrepe_pp,
        measure=measure_two_positives,
        protocols={"itt-and-tot": Protocol("image-text task and text-only task, all five files")},
        layout=f"{', '.join(f'{kind}.json' for kind in SUGARCREPE_PP)} (or in data/), val2017/….jpg",
        home=f"https://github.com/Sri-Harsha/scpp and {COCO_PHOTOS}",
        terms="texts CC BY 4.0; photos under their owners' Flickr licences",
        parts=SUGARCREPE_PP,
    ),
    "valse": Benchmark(
        title="VALSE",
        task="pairs-benchmark",
        read=read_valse,
        measure=measure_choices,
        protocols={
            "valid-pairs": Protocol(
                "pairs in which two of three annotators chose the caption only", "", "valid"
            ),
            "all-pairs": Protocol("all pairs, also those that annotators did not confirm", "", "all"),
        },
        layout="existence.json … foil-it.json (or in data/), <dataset>/<image_file> or as in VALSE's config.py",
        home="https://github.com/Heidelberg-NLP/VALSE (pictures of Visual7W, COCO, SWiG, VisDial: see its README)",
        terms="see the repository; pictures under the terms of their own sets",
        parts=tuple(VALSE),
    ),
    "negbench-coco": _negbench("coco", COCO_PHOTOS),
    "negbench-voc2007": _negbench("voc2007", "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/"),
    "negbench-synthetic": _negbench("synthetic", "pictures as the repository gives them"),
    "pairs-jsonl": Benchmark(
        title="a folder with *.jsonl of pairs",
        task="pairs-benchmark",
        read=read_pairs_jsonl,
        measure=measure_choices,
        protocols={
            "val-pairs": Protocol("lines of split val, positive against negative", "val"),
            "test-pairs": Protocol("lines of split test, positive against negative", "test"),
            "all-pairs": Protocol("all lines, positive against negative"),
        },
        layout='*.jsonl of {"image", "positive", "negative", "kind", "split"}, image relative to the folder',
        home="your own data",
        terms="your own",
        takes_parts=True,
    ),
}
