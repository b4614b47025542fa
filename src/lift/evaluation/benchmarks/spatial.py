"""Readers of What's Up (Kamath et al. 2023, arXiv 2310.19785): controlled photos, COCO-spatial, GQA-spatial.

Layout: github.com/amitakamath/whatsup_vlms (dataset_zoo/aro_datasets.py, README.md). The first caption is the right
one. File names of the controlled photos are <object>_<relation>_<other object>.jpeg; the pair and set accuracies go
over photos of the same two objects.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from lift.errors import LiftError
from lift.evaluation.benchmarks.folder import (
    Benchmark,
    Folder,
    Protocol,
    entries_of,
    first_existing,
    read_json,
    value,
)
from lift.evaluation.benchmarks.measuring_choice import measure_choices
from lift.evaluation.benchmarks.sheets import Album, Choice, ChoiceSheet, Photo

RELATIONS = {  # first word of the relation in the file name -> (kind, which pair it belongs to)
    "left": ("left_of", "sides"),
    "right": ("right_of", "sides"),
    "on": ("on", "other"),
    "under": ("under", "other"),
    "in-front": ("in_front_of", "other"),
    "behind": ("behind", "other"),
}
SUBJECTS = ("one", "two")


def read_controlled(folder: Folder) -> ChoiceSheet:
    """controlled_images_dataset.json (A) or controlled_clevr_dataset.json (B) of {image_path, caption_options}."""
    name = folder.protocol.split
    path = folder.file(f"{name}_dataset.json", f"data/{name}_dataset.json")
    album, items = Album(), []
    for number, entry in entries_of(read_json(path), path):
        file = PurePosixPath(value(entry, "image_path", path, number)).name
        options = value(entry, "caption_options", path, number, list)
        words = file.rpartition(".")[0].split("_")
        if len(words) < 3 or words[1] not in RELATIONS or len(options) < 2:
            raise LiftError(
                f"entry {number} of {path} names {file!r}, not <object>_<relation>_<object>",
                "check that this is the published file",
            )
        kind, side = RELATIONS[words[1]]
        objects = f"{words[0]}|{words[-1]}"
        place = first_existing([path.parent / name / file, folder.root / name / file])
        groups = (("pair_of_photos_accuracy", f"{objects}|{side}"), ("set_accuracy", objects))
        right, *wrong = (str(option) for option in options)
        items.append(Choice(album.number(Photo(file, place)), (right,), tuple(wrong), kind, groups))
    return ChoiceSheet(album.photos, items)


def read_coco_spatial(folder: Folder) -> ChoiceSheet:
    """coco_qa_one_obj.json and coco_qa_two_obj.json of [image id, right, wrong] over val2017/."""
    return _questions(folder, "coco_qa", ("val2017", "images/val2017"), "{:012d}.jpg")


def read_gqa_spatial(folder: Folder) -> ChoiceSheet:
    """vg_qa_one_obj.json and vg_qa_two_obj.json of [image id, right, wrong] over vg_images/."""
    return _questions(folder, "vg_qa", ("vg_images", "images"), "{}.jpg")


def _questions(folder: Folder, stem: str, places: tuple[str, ...], pattern: str) -> ChoiceSheet:
    images = folder.directory(*places, *(f"data/{place}" for place in places))
    album, items = Album(), []
    for subjects in folder.wanted([f"{count}_object" for count in SUBJECTS]):
        name = f"{stem}_{subjects.partition('_')[0]}_obj.json"
        path = folder.file(name, f"data/{name}")
        for number, entry in entries_of(read_json(path), path, list):
            try:
                file = pattern.format(int(entry[0]))
            except (TypeError, ValueError, IndexError) as error:
                raise LiftError(
                    f"entry {number} of {path} does not begin with the number of a photo",
                    "check that this is the published file",
                ) from error
            right, wrong = (value(entry, place, path, number) for place in (1, 2))
            items.append(Choice(album.number(Photo(file, images / file)), (right,), (wrong,), subjects))
    return ChoiceSheet(album.photos, items)


HOME = "https://github.com/amitakamath/whatsup_vlms (Google Drive folder in its README)"


def _controlled(letter: str, name: str) -> Benchmark:
    return Benchmark(
        title=f"What's Up, controlled photos {letter}",
        task="pairs-benchmark",
        read=read_controlled,
        measure=measure_choices,
        protocols={
            "4options": Protocol(
                "four captions a photo; pair and set accuracy over photos of the same objects", name
            )
        },
        layout=f"{name}_dataset.json, {name}/….jpeg (or both in data/)",
        home=HOME,
        terms="MIT",
    )


SPATIAL_SETS = {
    "whatsup-a": _controlled("A", "controlled_images"),
    "whatsup-b": _controlled("B", "controlled_clevr"),
    "coco-spatial": Benchmark(
        title="What's Up, COCO-spatial",
        task="pairs-benchmark",
        read=read_coco_spatial,
        measure=measure_choices,
        protocols={"2options": Protocol("two captions a photo; kinds: one object, two objects")},
        layout="coco_qa_one_obj.json, coco_qa_two_obj.json, val2017/….jpg",
        home=f"{HOME}; https://cocodataset.org/#download (2017 val images)",
        terms="texts MIT; photos under their owners' Flickr licences",
        parts=("one_object", "two_object"),
    ),
    "gqa-spatial": Benchmark(
        title="What's Up, GQA-spatial",
        task="pairs-benchmark",
        read=read_gqa_spatial,
        measure=measure_choices,
        protocols={"2options": Protocol("two captions a photo; kinds: one object, two objects")},
        layout="vg_qa_one_obj.json, vg_qa_two_obj.json, vg_images/….jpg",
        home=HOME,
        terms="texts MIT; photos of Visual Genome/GQA, CC BY 4.0",
        parts=("one_object", "two_object"),
    ),
}
