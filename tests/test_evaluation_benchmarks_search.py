"""Benchmarks of search and classes: each public layout with four photos, and its numbers worked by hand."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benches_by_hand import COLOURS, NAMES, Painted, measure_folder, paint, values, write_json, write_lines
from lift.errors import LiftError
from lift.evaluation.benchmarks.bench import Bench
from lift.evaluation.benchmarks.captions import folds_in_order
from lift.evaluation.benchmarks.classes import class_names
from lift.evaluation.benchmarks.long_texts import first_entries
from lift.evaluation.benchmarks.measuring_search import measure_search
from lift.evaluation.benchmarks.sheets import Photo, SearchSheet

# One text a photo: each is nearest to its own photo, but the yellow one to the red photo.
TEXTS = {name: f"all is {name}" for name in NAMES}
ONE_WRONG = {TEXTS[name]: {name: 0.5} for name in NAMES} | {TEXTS["yellow"]: {"red": 0.7, "yellow": 0.5}}


def karpathy(root: Path, file: str, place: str) -> None:
    images = [
        {
            "filename": paint(root / place / f"{name}.jpg", name),
            "split": "test",
            "sentences": [{"raw": f" {text}\n"}],
        }
        for name, text in TEXTS.items()
    ]
    write_json(root / file, {"images": [*images, {"filename": "no.jpg", "split": "train", "sentences": []}]})


def urban(root: Path) -> None:
    for number, (name, text) in enumerate(TEXTS.items()):
        paint(root / "image" / f"{number}.jpg", name)
        (root / "caption").mkdir(exist_ok=True)
        (root / "caption" / f"{number}.txt").write_text(f"{text}\nnot this line\n")


def docci(root: Path) -> None:
    entries = [
        {"image_file": paint(root / "images" / f"{name}.jpg", name), "description": text, "split": "test"}
        for name, text in TEXTS.items()
    ]
    other = {"image_file": "other.jpg", "description": "another", "split": "train"}
    write_lines(root / "docci_descriptions.jsonlines", [other, *entries])


def dci(root: Path) -> None:
    base = root / "densely_captioned_images"
    for name, text in TEXTS.items():
        first, _, rest = text.partition("\n")
        entry = {
            "image": paint(base / "photos" / f"{name}.jpg", name),
            "short_caption": first,
            "extra_caption": rest,
        }
        write_json(base / "complete" / f"{name}.json", entry)
    write_json(base / "splits.json", {"train": [], "valid": [], "test": [f"{name}.json" for name in NAMES]})


def sharegpt4v(root: Path) -> None:
    entries = [
        {
            "id": name,
            "image": f"coco/{paint(root / 'coco' / f'{name}.jpg', name)}",
            "conversations": [
                {"from": "human", "value": "?"},
                {"from": "gpt", "value": text.replace(" ", "\n")},
            ],
        }
        for name, text in TEXTS.items()
    ]
    write_json(root / "share-captioner_coco_lcs_sam_1246k_1107.json", entries)


def captions_jsonl(root: Path) -> None:
    lines = [
        {
            "image": f"images/{paint(root / 'images' / f'{name}.png', name)}",
            "captions": [text],
            "split": "val",
        }
        for name, text in TEXTS.items()
    ]
    write_lines(root / "captions.jsonl", [*lines, {"image": "no.png", "captions": ["x"], "split": "train"}])


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "flickr30k": lambda root: karpathy(root, "dataset_flickr30k.json", "flickr30k-images"),
    "flickr8k": lambda root: karpathy(root, "dataset_flickr8k.json", "Flicker8k_Dataset"),
    "urban1k": urban,
    "docci": docci,
    "dci": dci,
    "sharegpt4v-1k": sharegpt4v,
    "captions-jsonl": captions_jsonl,
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_one_text_a_photo(name: str, tmp_path: Path) -> None:
    LAYOUTS[name](tmp_path)
    measured, bench = measure_folder(name, tmp_path, Painted(ONE_WRONG))
    found = values(measured)
    assert not bench.failures and measured.n == {"images": 4, "texts": 4}
    assert found["text_to_image/recall@1"] == 75  # the yellow text finds the red photo
    assert found["image_to_text/recall@1"] == 75  # the red photo finds the yellow text
    assert found["text_to_image/recall@5"] == found["image_to_text/recall@5"] == 100
    assert found["control/chance/text_to_image/recall@1"] == 25


def coco(root: Path) -> Painted:
    """Six captions a photo. The yellow ones are nearer to red, and the first green one to blue."""
    cosines: dict[str, dict[str, float]] = {}
    images = []
    for name in NAMES:
        sentences = [f"{name}, caption {number}" for number in range(6)]
        for text in sentences:
            cosines[text] = {name: 0.5} | ({"red": 0.7} if name == "yellow" else {})
        cosines[sentences[5]] = dict.fromkeys(NAMES, 0.45)
        paint(root / "val2014" / f"COCO_val2014_{name}.jpg", name)
        images.append(
            {
                "filepath": "val2014",
                "filename": f"COCO_val2014_{name}.jpg",
                "split": "test",
                "sentences": [{"raw": text} for text in sentences],
            }
        )
    cosines["green, caption 0"] = {"green": 0.5, "blue": 0.7}
    write_json(root / "dataset_coco.json", {"images": images})
    return Painted(cosines)


def test_coco_protocols(tmp_path: Path) -> None:
    model = coco(tmp_path)
    five, _ = measure_folder("coco", tmp_path, model)
    assert five.n == {"images": 4, "texts": 20}  # the sixth captions are not used
    found = values(five)
    assert found["text_to_image/recall@1"] == 70  # 5 yellow ones and 1 green one of 20 are wrong
    assert found["image_to_text/recall@1"] == 50  # red finds a yellow one, blue the green one
    assert "first five captions" in five.protocol
    first, _ = measure_folder("coco", tmp_path, model, "karpathy-test-first-caption")
    assert first.n["texts"] == 4 and values(first)["text_to_image/recall@1"] == 50
    assert values(first)["image_to_text/recall@1"] == 50
    folds, _ = measure_folder("coco", tmp_path, model, "karpathy-test-1k-folds")
    assert folds.n == five.n and values(folds) == found  # fewer than 1,000 photos are one fold
    with pytest.raises(LiftError, match="split 'val'"):
        measure_folder("coco", tmp_path, model, "karpathy-val-5captions")


def test_photos_are_searched_in_their_own_fold(tmp_path: Path) -> None:
    photos = [Photo(name, tmp_path / paint(tmp_path / f"{name}.png", name)) for name in NAMES]
    texts = [[TEXTS[name]] for name in NAMES]
    bench = Bench(Painted(ONE_WRONG), photos)
    apart = measure_search(bench, SearchSheet(photos, texts, np.array([0, 0, 1, 1])))
    assert values(apart)["text_to_image/recall@1"] == 100  # red and yellow never meet
    assert values(apart)["control/chance/image_to_text/recall@1"] == 50
    together = measure_search(bench, SearchSheet(photos, texts, np.array([0, 1, 1, 0])))
    assert values(together)["text_to_image/recall@1"] == 75
    assert together.metrics["text_to_image/recall@1"].clusters.tolist() == [0, 3, 1, 2]
    assert folds_in_order(2500, 1000).tolist() == [0] * 1000 + [1] * 1000 + [-1] * 500
    assert folds_in_order(3, 1000).tolist() == [0, 0, 0]


def test_a_huge_list_is_read_from_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lift.evaluation.benchmarks.long_texts.CHUNK", 7)
    path = tmp_path / "list.json"
    path.write_text(json.dumps([{"n": number, "text": "a ] , [ b"} for number in range(9)]))
    assert [entry["n"] for entry in first_entries(path, 4)] == [0, 1, 2, 3]
    assert len(first_entries(path, 1000)) == 9
    path.write_text('[{"n": 1}, {"n": ')
    with pytest.raises(LiftError, match="cut off"):
        first_entries(path, 4)


def test_xm3600(tmp_path: Path) -> None:
    cosines = dict(ONE_WRONG)
    entries = []
    for name in NAMES:
        paint(tmp_path / "images" / f"{name}.jpg", name)
        cosines[f"ja {name}"] = {name: 0.6}
        own = {"de": {"caption": [TEXTS[name], f"de {name}"]}, "ja": {"caption": [f"ja {name}"]}}
        entries.append({"image/key": name, "image/locale": "de", **own})
    write_lines(tmp_path / "captions.jsonl", entries)
    first, _ = measure_folder("xm3600", tmp_path, Painted(cosines))
    found = values(first)
    assert first.n == {"images": 4, "texts": 8, "languages": 2}
    assert found["de/text_to_image/recall@1"] == 75 and found["ja/text_to_image/recall@1"] == 100
    assert found["text_to_image/recall@1"] == 87.5 and found["control/chance/text_to_image/recall@1"] == 25
    every, _ = measure_folder("xm3600", tmp_path, Painted(cosines), "all-captions", only=("de",))
    assert every.n == {"images": 4, "texts": 8, "languages": 1}
    # Four first captions, one of them wrong; four without a vector of their own tie: a quarter each.
    assert values(every)["de/text_to_image/recall@1"] == 50
    with pytest.raises(LiftError, match="parts are: de, ja"):
        measure_folder("xm3600", tmp_path, Painted({}), only=("fr",))


def test_multi30k(tmp_path: Path) -> None:
    task = tmp_path / "data" / "task1"
    for folder in (task / "raw", task / "image_splits"):
        folder.mkdir(parents=True)
    names = [paint(tmp_path / "flickr30k-images" / f"{name}.jpg", name) for name in NAMES]
    (task / "image_splits" / "test_2016_flickr.txt").write_text("\n".join(names) + "\n")
    english = "".join(f"{text}\n" for text in TEXTS.values())
    (task / "raw" / "test_2016_flickr.en.gz").write_bytes(gzip.compress(english.encode()))
    (task / "raw" / "test_2016_flickr.de").write_text("".join(f"ganz {name}\n" for name in NAMES))
    model = Painted(ONE_WRONG | {f"ganz {name}": {name: 0.3} for name in NAMES})
    measured, _ = measure_folder("multi30k", tmp_path, model)
    found = values(measured)
    assert measured.n == {"images": 4, "texts": 8, "languages": 2}
    assert (found["en/text_to_image/recall@1"], found["de/text_to_image/recall@1"]) == (75, 100)
    (task / "raw" / "test_2016_flickr.de").write_text("zu wenig\n")
    with pytest.raises(LiftError, match="1 lines"):
        measure_folder("multi30k", tmp_path, model)
    lines = [
        {"image": f"flickr30k-images/{name}.jpg", "en": TEXTS[name], "de": f"ganz {name}", "split": "val"}
        for name in NAMES
    ]
    write_lines(tmp_path / "multi30k.jsonl", lines)
    assert values(measure_folder("multi30k-jsonl", tmp_path, model)[0])["text_to_image/recall@1"] == 87.5


def prompts(single: bool) -> Painted:
    """Class names whose sentences are near their colour, but those of yellow nearer to red; in one prompt or in all."""
    from lift.predict import DEFAULT_TEMPLATES

    templates = ("a photo of a {}",) if single else DEFAULT_TEMPLATES
    near = {name: {name: 0.5} for name in NAMES} | {"yellow": {"red": 0.7, "yellow": 0.3}}
    return Painted({t.replace("{}", f"{name} thing"): near[name] for t in templates for name in NAMES})


@pytest.mark.parametrize("single", [False, True])
def test_class_folders(single: bool, tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        paint(tmp_path / f"n0000000{number}" / "a.JPEG", name)
    paint(tmp_path / "n00000000" / "b.JPEG", "red")
    mapping = tmp_path / "LOC_synset_mapping.txt"
    mapping.write_text("".join(f"n0000000{n} {name} thing, other\n" for n, name in enumerate(NAMES)))
    protocol = "single-prompt" if single else "ensemble6"
    for name in ("imagenet-r", "class-folder"):
        measured, _ = measure_folder(name, tmp_path, prompts(single), protocol, classes=mapping)
        found = values(measured)
        # Both red photos score 0.5 with red and 0.7 with yellow: wrong. Green, blue and yellow are right.
        assert found["top1"] == 60 and found["mean_per_class"] == 75
        assert found["control/chance/top1"] == 25 and found["control/majority_class/top1"] == 40
        assert measured.n == {"images": 5, "classes": 4, "templates": 1 if single else 6}
    with pytest.raises(LiftError, match="--classes"):
        measure_folder("imagenet-a", tmp_path, prompts(single))


def test_class_names(tmp_path: Path) -> None:
    file = tmp_path / "names.json"
    folders = ["0", "1", "10"]
    write_json(file, {"0": ["n1", "zero"], "1": ["n2", "one"], "10": ["n3", "ten"]})
    assert class_names(folders, file) == class_names(["n1", "n2", "n3"], file) == ["zero", "one", "ten"]
    write_json(file, ["zero", "one", "ten"])
    assert class_names(folders, file) == ["zero", "one", "ten"]
    text = tmp_path / "names.txt"
    text.write_text("0\tzero\n10\tten\n1\tone\n")
    assert class_names(folders, text) == ["zero", "one", "ten"]
    text.write_text("zero\none\n")
    with pytest.raises(LiftError, match="no name for the class folder 0"):
        class_names(folders, text)
    assert class_names(["cat", "dog"], None) == ["cat", "dog"]


def test_imagenet_v2_folders_are_numbers(tmp_path: Path) -> None:
    for number, name in zip((0, 2, 10, 11), NAMES, strict=True):
        paint(tmp_path / str(number) / "a.jpeg", name)
    names = tmp_path / "names.txt"
    names.write_text("".join(f"{name} thing\n" for name in NAMES))  # in the order 0, 2, 10, 11
    measured, _ = measure_folder("imagenet-v2", tmp_path, prompts(False), classes=names)
    assert values(measured)["top1"] == 75


def test_objectnet_loses_its_frame(tmp_path: Path) -> None:
    labels, shared = {}, {}
    for name in NAMES:
        picture = np.full((20, 20, 3), COLOURS["red"], np.uint8)
        picture[2:-2, 2:-2] = COLOURS[name]
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.fromarray(picture).save(tmp_path / "images" / name / "a.png")
        labels[name] = f"{name.title()} thing"
        if name != "blue":
            shared[labels[name]] = "something; else"
    write_json(tmp_path / "mappings" / "folder_to_objectnet_label.json", labels)
    write_json(tmp_path / "mappings" / "objectnet_to_imagenet_1k.json", shared)
    overlap, bench = measure_folder("objectnet", tmp_path, prompts(False))
    np.testing.assert_allclose(bench.image_features, np.eye(5)[[1, 0, 3]], atol=1e-6)  # folders by name
    assert overlap.n["classes"] == 3 and values(overlap)["top1"] == pytest.approx(200 / 3, abs=1e-3)
    every, _ = measure_folder("objectnet", tmp_path, prompts(False), "all-classes-ensemble6")
    assert every.n["classes"] == 4 and values(every)["top1"] == 75


def test_classes_jsonl(tmp_path: Path) -> None:
    lines = [
        {"image": paint(tmp_path / f"{name}.png", name), "class": f"{name}_thing", "split": split}
        for name, split in zip(NAMES, ("val", "val", "val", "train"), strict=True)
    ]
    write_lines(tmp_path / "labels.jsonl", lines)
    measured, _ = measure_folder("classes-jsonl", tmp_path, prompts(False), "val-ensemble6")
    assert measured.n == {"images": 3, "classes": 4, "templates": 6}
    assert values(measured)["top1"] == pytest.approx(200 / 3, abs=1e-3)
