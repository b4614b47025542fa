"""Hard negatives of a DATASET: which texts are made, and which must never be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lift.artefact import new_folder
from lift.data import Dataset, DatasetWriter, Pair, Row
from lift.errors import LiftError
from lift.negatives import HARD_KINDS, OWN_PAIRS, Negative, count_kinds, hard_negatives, texts_of
from lift.rewording import bare, same_meaning


def dataset_of(folder: Path, texts: list[list[str]], pairs: list[Pair] | None = None) -> Dataset:
    """A DATASET of grey photos p0, p1, … with these texts."""
    with new_folder(folder / "dataset") as out:
        writer = DatasetWriter(out, name="toy", image_size=8, resize_mode="crop")
        for number, own in enumerate(texts):
            writer.add(np.zeros((8, 8, 3), np.uint8), Row(f"p{number}", own, "train"))
        for pair in pairs or []:
            writer.add_pair(pair)
        writer.close(request={}, report={}, source="test")
    return Dataset(folder / "dataset")


def test_changed_captions_by_hand(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, [["A red cup on a blue table."], ["Hmm"]])
    found = hard_negatives(dataset, [0, 1], ["order", "attribute"])
    assert Negative("A blue cup on a red table.", "order") in found[0][0]
    assert [one.kind for one in found[0][0]] == ["order", "attribute"] and found[1] == [[]]
    assert count_kinds(found) == {"order": 1, "attribute": 1} and len(texts_of(found)) == 2
    assert hard_negatives(dataset, [0, 1], ["order", "attribute"]) == found


def test_a_text_of_the_same_photo_is_no_negative(tmp_path: Path) -> None:
    captions = ["A red cup on a blue table."]
    change = hard_negatives(dataset_of(tmp_path / "a", [captions]), [0], ["order"])[0][0][0].text
    for number, said in enumerate((change, change.upper().rstrip("."))):  # told of the same photo
        dataset = dataset_of(tmp_path / f"b{number}", [[captions[0], said], [captions[0]]])
        assert hard_negatives(dataset, [0], ["order"])[0][0] == []
        assert hard_negatives(dataset, [1], ["order"])[0][0] == [Negative(change, "order")]


def test_no_negative_of_any_caption_says_what_another_of_the_photo_says(tmp_path: Path) -> None:
    captions = [
        "Two dogs run near a fence.",
        "Three dogs run near a fence.",
        "Two cats run near a fence .",
        "A boy sits on a couch.",
        "a girl sits on a sofa",
        "A boy is not sitting on a sofa.",
    ]
    found = hard_negatives(dataset_of(tmp_path, [captions]), [0])[0]
    true = set().union(*(same_meaning(text) for text in captions))
    assert sum(map(len, found)) > 5 and not any(bare(one.text) in true for text in found for one in text)
    alone = hard_negatives(dataset_of(tmp_path / "alone", [[text] for text in captions]), range(6))
    left_out = {bare(one.text) for photo in alone for text in photo for one in text} & true
    assert left_out  # the test would be worth nothing otherwise


def test_own_pairs_only_when_asked_for(tmp_path: Path) -> None:
    captions = ["A dog chases a boy.", "A red ball."]
    pairs = [
        Pair("p0", captions[0], "A boy chases a dog.", "swap", "train"),
        Pair("p0", "Nothing that was told.", "A green ball.", "replace", "train"),
        Pair("p0", captions[1], "a red ball", "same", "train"),  # is true of the photo
    ]
    dataset = dataset_of(tmp_path, [captions], pairs)
    assert OWN_PAIRS not in count_kinds(hard_negatives(dataset, [0]))
    first, second = hard_negatives(dataset, [0], [OWN_PAIRS])[0]
    assert first == [Negative("A boy chases a dog.", OWN_PAIRS), Negative("A green ball.", OWN_PAIRS)]
    assert second == [Negative("A green ball.", OWN_PAIRS)]
    both = hard_negatives(dataset, [0], ["order", OWN_PAIRS])[0][0]  # one text, found twice
    assert [one.text for one in both].count("A boy chases a dog.") == 1


def test_unknown_kinds_are_named(tiny_dataset: Path) -> None:
    with pytest.raises(LiftError, match=f"kind 'swapped'.*\n.*known: {', '.join(HARD_KINDS)}"):
        hard_negatives(Dataset(tiny_dataset), [0], ["swapped"])
