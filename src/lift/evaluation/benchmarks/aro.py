"""Readers of ARO (Yuksekgonul et al. 2023, arXiv 2210.01936): relations, attributes, and the order of words.

Layouts: github.com/mertyg/vision-language-models-are-bows (dataset_zoo/aro_datasets.py); the caption files of the
order sets are {image, caption: […]} lists of the ALBEF/BLIP release. ARO draws its changed captions anew in every
run, with a part-of-speech tagger and without a fixed seed, so that its order sets cannot be repeated exactly. Ours
draw by --seed, from changes that need no tagger; the numbers are not those of the paper.
"""

from __future__ import annotations

import re

import numpy as np

from lift.evaluation.benchmarks.folder import (
    Benchmark,
    Folder,
    Protocol,
    entries_of,
    first_existing,
    read_json,
    read_text_lines,
    value,
)
from lift.evaluation.benchmarks.measuring_choice import measure_choices
from lift.evaluation.benchmarks.sheets import Album, Choice, ChoiceSheet, Photo

BOX = ("bbox_x", "bbox_y", "bbox_w", "bbox_h")
FEWEST = 25  # items of an attribute pair, as ARO counts
SYMMETRIC = "symmetric.txt"


def read_relation(folder: Folder) -> ChoiceSheet:
    """visual_genome_relation.json; kinds are the relations."""
    sheet = _visual_genome(folder, "visual_genome_relation.json", "relation_name")
    if folder.protocol.mode != "asymmetric":
        return sheet
    left_out = frozenset(line.strip() for line in read_text_lines(folder.file(SYMMETRIC)))
    return ChoiceSheet(sheet.photos, sheet.items, not_in_mean=left_out)


def read_attribution(folder: Folder) -> ChoiceSheet:
    """visual_genome_attribution.json; kinds are the pairs of attributes."""
    return _visual_genome(folder, "visual_genome_attribution.json", "attributes")


def _visual_genome(folder: Folder, name: str, field: str) -> ChoiceSheet:
    path, images = folder.file(name), folder.directory("images")
    album, items = Album(), []
    for number, entry in entries_of(read_json(path), path):
        file = value(entry, "image_path", path, number)
        x, y, width, height = (value(entry, key, path, number, float) for key in BOX)
        photo = Photo(
            f"{file} {x:g} {y:g} {width:g} {height:g}", images / file, (x, y, x + width, y + height)
        )
        if field == "attributes":
            pair = value(entry, field, path, number, list)
            kind = "_".join(str(attribute) for attribute in pair[:2])
        else:
            kind = value(entry, field, path, number)
        right, wrong = (value(entry, key, path, number) for key in ("true_caption", "false_caption"))
        items.append(Choice(album.number(photo), (right,), (wrong,), kind))
    relations = field != "attributes"
    return ChoiceSheet(album.photos, items, show_kinds=relations, mean_from=1 if relations else FEWEST)


def read_coco_order(folder: Folder) -> ChoiceSheet:
    """coco_karpathy_test.json and the pictures its `image` fields name."""
    return _order(folder, "coco_karpathy_test.json")


def read_flickr_order(folder: Folder) -> ChoiceSheet:
    """flickr30k_test.json and the pictures its `image` fields name."""
    return _order(folder, "flickr30k_test.json")


def _order(folder: Folder, name: str) -> ChoiceSheet:
    path, album = folder.file(name), Album()
    items: list[Choice] = []
    same = 0
    for position, (number, entry) in enumerate(entries_of(read_json(path), path)):
        image = value(entry, "image", path, number)
        places = [folder.root / image, folder.root / "images" / image]
        photo = album.number(Photo(image, first_existing(places)))
        for place, caption in enumerate(value(entry, "caption", path, number, list)):
            generator = np.random.default_rng((folder.seed, position, place))
            text = plain(value({"caption": caption}, "caption", path, f"{number}, caption {place}"))
            changed = tuple(order for order in reordered(text, generator) if order != text)
            if changed:
                items.append(Choice(photo, (text,), changed))
            same += not changed
    return ChoiceSheet(album.photos, items, note=f"{same} captions left out that every order leaves the same")


def plain(caption: str, most: int = 30) -> str:
    """Lower case, without marks, at most 30 words, as the caption files are commonly prepared (BLIP)."""
    words = re.sub(r"[.!\"()*#:;~]", " ", caption.lower()).split()
    return " ".join(words[:most])


def reordered(text: str, generator: np.random.Generator) -> tuple[str, str, str]:
    """The words of `text` all shuffled; shuffled within groups of three; and the groups of three shuffled."""
    words = text.split()
    groups = [words[start : start + 3] for start in range(0, len(words), 3)]

    def mixed(parts: list[str]) -> list[str]:
        return [parts[i] for i in generator.permutation(len(parts))]

    inside = [word for group in groups for word in mixed(group)]
    blocks = [word for i in generator.permutation(len(groups)) for word in groups[i]]
    return " ".join(mixed(words)), " ".join(inside), " ".join(blocks)


HOME = "https://github.com/mertyg/vision-language-models-are-bows (its loaders name the downloads)"
VG_TERMS = "texts MIT; photos of Visual Genome/GQA, CC BY 4.0"
BLIP = "https://storage.googleapis.com/sfr-vision-language-research/datasets"
ORDER = {
    "three-own-shuffles": Protocol(
        "each caption against three orders of its own words drawn by the seed (all shuffled; within groups of three; "
        "the groups of three), without those that change nothing: NOT the four changes of the ARO paper, which need "
        "a tagger and are drawn anew every run"
    )
}
ARO_SETS = {
    "aro-relation": Benchmark(
        title="ARO VG-Relation",
        task="pairs-benchmark",
        read=read_relation,
        measure=measure_choices,
        protocols={
            "macro-all-relations": Protocol("box of the relation cut out; mean of kinds over all relations"),
            "macro-asymmetric": Protocol(
                f"box of the relation cut out; mean of kinds without the relations in {SYMMETRIC}",
                "",
                "asymmetric",
            ),
        },
        layout="visual_genome_relation.json, images/….jpg; for macro-asymmetric also symmetric.txt, one relation a "
        "line (the list in the notebook of ARO's repository)",
        home=HOME,
        terms=VG_TERMS,
    ),
    "aro-attribution": Benchmark(
        title="ARO VG-Attribution",
        task="pairs-benchmark",
        read=read_attribution,
        measure=measure_choices,
        protocols={
            "macro-25": Protocol(
                f"box cut out; mean of kinds over pairs of attributes with at least {FEWEST} items"
            )
        },
        layout="visual_genome_attribution.json, images/….jpg",
        home=HOME,
        terms=VG_TERMS,
    ),
    "coco-order": Benchmark(
        title="COCO order (after ARO)",
        task="pairs-benchmark",
        read=read_coco_order,
        measure=measure_choices,
        protocols=ORDER,
        layout="coco_karpathy_test.json, val2014/….jpg",
        home=f"{BLIP}/coco_karpathy_test.json and https://cocodataset.org/#download (2014 val images)",
        terms="annotations CC BY 4.0; photos under their owners' Flickr licences",
    ),
    "flickr30k-order": Benchmark(
        title="Flickr30k order (after ARO)",
        task="pairs-benchmark",
        read=read_flickr_order,
        measure=measure_choices,
        protocols=ORDER,
        layout="flickr30k_test.json, flickr30k-images/….jpg",
        home=f"{BLIP}/flickr30k_test.json and the form at https://shannon.cs.illinois.edu/DenotationGraph/",
        terms="photos belong to their Flickr owners; non-commercial research only",
    ),
}
