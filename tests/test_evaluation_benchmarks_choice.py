"""Benchmarks of composition: each public layout with a few items, its scores and its controls worked by hand."""

import csv
from pathlib import Path

import numpy as np
import pytest

from benches_by_hand import NAMES, Painted, measure_folder, paint, values, write_json, write_lines
from lift.errors import LiftError
from lift.evaluation.benchmarks.aro import plain, reordered
from lift.evaluation.benchmarks.foils import SUGARCREPE, VALSE
from lift.evaluation.benchmarks.scoring import matching_chances, outrank_chances

RIGHT, WRONG, BOTH = "The right Text here", "A wrong Text here", "Nobody knows this Text"
# On red: right above wrong. On green: below. On blue and yellow both have no score, and tie.
COSINES = {RIGHT: {"red": 0.6, "green": 0.1}, WRONG: {"red": 0.2, "green": 0.6}}


def test_outrank_chances_by_hand() -> None:
    right = np.array([[3.0], [1.0], [2.0], [2.0]])
    wrong = np.array([[1.0, 2.0], [1.0, 2.0], [2.0, -np.inf], [2.0, 2.0]])
    np.testing.assert_allclose(outrank_chances(right, wrong), [100, 0, 50, 100 / 3])
    both = np.array([[3.0, 2.0], [3.0, 1.0], [2.0, 2.0]])
    np.testing.assert_allclose(outrank_chances(both, np.array([[1.0], [2.0], [2.0]])), [100, 0, 100 / 3])
    with pytest.raises(ValueError, match="finite"):
        outrank_chances(np.array([[np.nan]]), np.array([[1.0]]))


def test_matching_chances_are_those_of_random_orders() -> None:
    generator = np.random.default_rng(0)
    for _ in range(5):
        scores = generator.integers(0, 3, size=(1, 2, 2)).astype(float)  # with many ties
        tie_breaks = scores + 1e-6 * generator.random((20_000, 2, 2))
        own = tie_breaks[:, [0, 1], [0, 1]]
        cross = tie_breaks[:, [0, 1], [1, 0]]  # photo 0 with caption 1, photo 1 with caption 0
        text = (own[:, 0] > cross[:, 0]) & (own[:, 1] > cross[:, 1])
        image = (own[:, 0] > cross[:, 1]) & (own[:, 1] > cross[:, 0])
        found = matching_chances(scores)
        for name, hits in (("text_score", text), ("image_score", image), ("group_score", text & image)):
            assert found[name][0] == pytest.approx(100 * hits.mean(), abs=1.5)


def sugarcrepe(root: Path) -> None:
    for name in NAMES:
        paint(root / "val2017" / f"{name}.jpg", name)
    photo_of = dict(zip(SUGARCREPE, ("red", "red", "red", "green", "green", "blue", "red"), strict=True))
    for kind, name in photo_of.items():
        entries = {"0": {"filename": f"{name}.jpg", "caption": RIGHT, "negative_caption": WRONG}}
        if kind == "swap_att":  # indices need not be contiguous
            entries["5"] = {"filename": "yellow.jpg", "caption": RIGHT, "negative_caption": WRONG}
        write_json(root / "data" / f"{kind}.json", entries)


def test_sugarcrepe(tmp_path: Path) -> None:
    sugarcrepe(tmp_path)
    measured, _ = measure_folder("sugarcrepe", tmp_path, Painted(COSINES))
    found = values(measured)
    assert measured.n == {"images": 4, "pairs": 8}
    # right: red four times; wrong: green twice; ties: blue, yellow.
    assert found["pair_accuracy/all"] == (4 * 100 + 2 * 50) / 8
    assert found["pair_accuracy/swap_att"] == 75 and found["pair_accuracy/swap_obj"] == 50
    mean = (100 + 100 + 100 + 0 + 0 + 50 + 75) / 7
    assert found["pair_accuracy/mean_of_kinds"] == pytest.approx(mean, abs=1e-4)
    # The mean photo scores (0.6 + 0.1) / 4 with the right and (0.2 + 0.6) / 4 with the wrong text.
    assert found["control/text_only/pair_accuracy/all"] == 0
    assert found["control/chance/pair_accuracy/mean_of_kinds"] == 50
    assert found["control/shuffled_words/pair_accuracy/all"] == 50  # nobody knows the bags
    assert "control/wrong_photo/pair_accuracy/all" in found  # every photo has the true text: any other one
    some, _ = measure_folder("sugarcrepe", tmp_path, Painted(COSINES), only=("swap_att",))
    assert (
        some.n["pairs"] == 2
        and "ONLY the parts swap_att" in some.protocol
        and "pair_accuracy/mean_of_kinds" not in some.metrics
    )
    (tmp_path / "data" / "add_obj.json").unlink()
    with pytest.raises(LiftError, match=r"no add_obj\.json.*\n.*github\.com/RAIVNLab"):
        measure_folder("sugarcrepe", tmp_path, Painted(COSINES))


def test_shuffled_words_are_asked_as_bags(tmp_path: Path) -> None:
    paint(tmp_path / "red.png", "red")
    line = {
        "image": "red.png",
        "positive": "Big dog small cat",
        "negative": "Small dog big cat",
        "kind": "swap",
    }
    write_lines(tmp_path / "swaps.jsonl", [{**line, "split": "val"}, {**line, "split": "train"}])
    model = Painted({"Big dog small cat": {"red": 0.9}})
    measured, _ = measure_folder("pairs-jsonl", tmp_path, model)
    assert measured.n == {"images": 1, "pairs": 1}
    assert values(measured)["pair_accuracy/swap"] == 100
    assert values(measured)["control/shuffled_words/pair_accuracy/swap"] == 50
    assert model.asked == 3  # two texts and the one bag that both are
    with pytest.raises(LiftError, match="parts are: swaps"):
        measure_folder("pairs-jsonl", tmp_path, model, only=("others",))


def test_sugarcrepe_plus_plus(tmp_path: Path) -> None:
    for name in NAMES:
        paint(tmp_path / "val2017" / f"{name}.jpg", name)
    texts = [("first one", "second one", "false one")] * 4
    cosines = {
        "first one": {"red": 0.6, "green": 0.6, "blue": 0.3, "yellow": 0.1},
        "second one": {"red": 0.5, "green": 0.2, "blue": 0.5, "yellow": 0.1},
        "false one": {"red": 0.4, "green": 0.4, "blue": 0.3, "yellow": 0.5},
    }
    entries = [
        {"id": n, "filename": f"{name}.jpg", "caption": a, "caption2": b, "negative_caption": c}
        for n, (name, (a, b, c)) in enumerate(zip(NAMES, texts, strict=True))
    ]
    write_json(tmp_path / "swap_obj.json", entries)
    model = Painted(cosines)
    measured, _ = measure_folder("sugarcrepe-pp", tmp_path, model, only=("swap_obj",))
    found = values(measured)
    # red: both above; green: the second below; blue: the first ties with the false one; yellow: both below.
    assert found["choice_accuracy/all"] == (100 + 0 + 50 + 0) / 4
    assert found["first_caption_only"] == (100 + 100 + 50 + 0) / 4
    assert found["second_caption_only"] == (100 + 0 + 100 + 0) / 4
    assert found["control/chance/choice_accuracy/all"] == pytest.approx(100 / 3, abs=1e-4)
    one, two, false = (model.vector(text) for text in texts[0])
    expected = 100.0 if one @ two > max(one @ false, two @ false) else 0.0
    assert found["text_only_task"] == expected


def test_valse(tmp_path: Path) -> None:
    only = ("existence", "foil-it", "relations")
    entry = {"caption": RIGHT, "foil": WRONG, "mturk": {"caption": 3, "foil": 0, "other": 0}}
    paint(tmp_path / "visual7w" / "images" / "v_1.jpg", "red")  # where VALSE's own config has it
    paint(tmp_path / "FOIL dataset" / "COCO_1.jpg", "green")
    paint(tmp_path / "images" / "coco_2017" / "1.jpg", "blue")
    write_json(
        tmp_path / "data" / "existence.json",
        {
            "a": {**entry, "dataset": "visual7w", "image_file": "v_1.jpg", "caption": [RIGHT]},
            "b": {**entry, "dataset": "visual7w", "image_file": "v_1.jpg", "mturk": {"caption": 1}},
        },
    )
    write_json(
        tmp_path / "data" / "foil-it.json",
        {"a": {**entry, "dataset": "FOIL dataset", "image_file": "COCO_1.jpg"}},
    )
    write_json(
        tmp_path / "data" / "relation.json", {"a": {**entry, "dataset": "coco_2017", "image_file": "1.jpg"}}
    )
    measured, bench = measure_folder("valse", tmp_path, Painted(COSINES), only=only)
    found = values(measured)
    assert not bench.failures and measured.n == {"images": 3, "pairs": 3}
    assert [found[f"pair_accuracy/{kind}"] for kind in only] == [100, 0, 50]
    every, _ = measure_folder("valse", tmp_path, Painted(COSINES), "all-pairs", only=only)
    assert every.n["pairs"] == 4
    assert len(VALSE) == 11


def test_negbench(tmp_path: Path) -> None:
    options = [RIGHT, WRONG, "third", "fourth"]
    rows = []
    for name, answer, kind in (
        ("red", 0, "positive"),
        ("green", 1, "negative"),
        ("blue", 2, "hybrid"),
        ("red", 3, "hybrid"),
    ):
        paint(tmp_path / "val2017" / f"{name}.jpg", name)
        rows.append([f"data/coco/images/val2017/{name}.jpg", answer, *options, kind])
    path = tmp_path / "images" / "COCO_val_mcq_llama3.1_rephrased.csv"
    path.parent.mkdir()
    header = ["image_path", "correct_answer", *(f"caption_{n}" for n in range(4)), "correct_answer_template"]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    measured, bench = measure_folder("negbench-coco", tmp_path, Painted(COSINES))
    found = values(measured)
    assert not bench.failures and measured.n == {"images": 3, "choices": 4}
    assert found["choice_accuracy/positive"] == found["choice_accuracy/negative"] == 100
    assert found["choice_accuracy/hybrid"] == (25 + 0) / 2  # blue: four texts tie
    assert found["choice_accuracy/all"] == 225 / 4 and "choice_accuracy/mean_of_kinds" not in found
    assert found["control/chance/choice_accuracy/all"] == 25


def test_aro_cuts_out_the_box(tmp_path: Path) -> None:
    paint(tmp_path / "images" / "1.jpg", "red", "green", "blue", "yellow")  # 16 px: stripes of 4
    box = {
        "bbox_y": 2,
        "bbox_w": 4,
        "bbox_h": 9,
        "image_path": "1.jpg",
        "true_caption": RIGHT,
        "false_caption": WRONG,
    }
    entries = [
        {**box, "bbox_x": 0, "relation_name": "to the left of", "attributes": ["red", "big"]},
        {**box, "bbox_x": 4, "relation_name": "to the right of", "attributes": ["red", "big"]},
        {**box, "bbox_x": 8, "relation_name": "on", "attributes": ["old", "wet"]},
        {**box, "bbox_x": 0, "relation_name": "near", "attributes": ["old", "wet"]},
    ]
    write_json(tmp_path / "visual_genome_relation.json", entries)
    write_json(tmp_path / "visual_genome_attribution.json", entries * 13)
    measured, bench = measure_folder("aro-relation", tmp_path, Painted(COSINES))
    np.testing.assert_allclose(bench.image_features, np.eye(5)[:3])  # the second red box is the first
    found = values(measured)
    assert found["pair_accuracy/to the left of"] == found["pair_accuracy/near"] == 100
    assert found["pair_accuracy/to the right of"] == 0 and found["pair_accuracy/on"] == 50
    assert found["pair_accuracy/mean_of_kinds"] == 62.5
    assert measured.n == {"images": 1, "pairs": 4}  # one file, whatever is cut from it
    (tmp_path / "symmetric.txt").write_text("near\nnext to\n")
    asymmetric, _ = measure_folder("aro-relation", tmp_path, Painted(COSINES), "macro-asymmetric")
    assert values(asymmetric)["pair_accuracy/mean_of_kinds"] == 50
    assert values(asymmetric)["pair_accuracy/all"] == 62.5
    attributes, _ = measure_folder("aro-attribution", tmp_path, Painted(COSINES))
    assert set(attributes.metrics) == {
        f"{control}pair_accuracy/{name}"
        for control in (
            "",
            "control/chance/",
            "control/text_only/",
            "control/shuffled_words/",
        )  # one file: no wrong photo
        for name in ("all", "mean_of_kinds")
    }
    assert values(attributes)["pair_accuracy/mean_of_kinds"] == 62.5  # 26 items of each pair of attributes


def test_word_order(tmp_path: Path) -> None:
    text = "one two three four five six seven"
    everything, inside, blocks = reordered(text, np.random.default_rng(1))
    assert {" ".join(sorted(t.split())) for t in (text, everything, inside, blocks)} == {
        " ".join(sorted(text.split()))
    }
    assert sorted(inside.split()[:3]) == ["one", "three", "two"] and inside.split()[6] == "seven"
    assert "one two three" in blocks and "four five six" in blocks
    assert plain('A "Dog" runs;  fast.\n') == "a dog runs fast"
    image = f"val2014/{paint(tmp_path / 'val2014' / 'COCO_1.jpg', 'red')}"
    write_json(
        tmp_path / "coco_karpathy_test.json",
        [{"image": image, "caption": ["A dog RUNS on sand today.", "Dog!"]}],
    )
    model = Painted({"a dog runs on sand today": {"red": 0.5}})
    measured, _ = measure_folder("coco-order", tmp_path, model)
    assert values(measured)["choice_accuracy/all"] == 100
    control = values(measured)["control/shuffled_words/choice_accuracy/all"]
    assert (
        control == values(measured)["control/chance/choice_accuracy/all"] >= 25
    )  # the bags are all the same
    assert "NOT the four changes" in measured.protocol and "1 captions left out" in measured.protocol


def test_whats_up_controlled_photos(tmp_path: Path) -> None:
    names = ["mug_left_of_table", "mug_right_of_table", "mug_on_table", "mug_under_table"]
    colours = ["red", "red", "red", "green"]
    entries = []
    for name, colour in zip(names, colours, strict=True):
        paint(tmp_path / "controlled_images" / f"{name}.jpeg", colour)
        path = f"data/controlled_images/{name}.jpeg"
        entries.append({"image_path": path, "caption_options": [RIGHT, WRONG, "other", "another"]})
    write_json(tmp_path / "controlled_images_dataset.json", entries)
    measured, _ = measure_folder("whatsup-a", tmp_path, Painted(COSINES))
    found = values(measured)
    assert measured.n == {"images": 4, "choices": 4}
    assert found["choice_accuracy/all"] == 75 and found["choice_accuracy/under"] == 0
    assert found["pair_of_photos_accuracy"] == 50  # left and right are right, on and under are not
    assert found["set_accuracy"] == 0
    assert found["control/chance/pair_of_photos_accuracy"] == pytest.approx(100 / 16)
    assert found["control/chance/set_accuracy"] == pytest.approx(100 / 256, abs=1e-4)


def test_coco_and_gqa_spatial(tmp_path: Path) -> None:
    paint(tmp_path / "val2017" / "000000000001.jpg", "red")
    paint(tmp_path / "val2017" / "000000000002.jpg", "green")
    write_json(tmp_path / "coco_qa_one_obj.json", [[1, RIGHT, WRONG], [2, RIGHT, WRONG]])
    write_json(tmp_path / "coco_qa_two_obj.json", [[1, RIGHT, WRONG], ["1", RIGHT, WRONG]])
    measured, _ = measure_folder("coco-spatial", tmp_path, Painted(COSINES))
    assert values(measured)["pair_accuracy/one_object"] == 50
    assert values(measured)["pair_accuracy/two_object"] == 100
    paint(tmp_path / "vg_images" / "2354786.jpg", "red")
    write_json(tmp_path / "vg_qa_one_obj.json", [[2354786, RIGHT, WRONG]])
    gqa, _ = measure_folder("gqa-spatial", tmp_path, Painted(COSINES), only=("one_object",))
    assert values(gqa)["pair_accuracy/all"] == 100
    write_json(tmp_path / "vg_qa_one_obj.json", [{"image": 1}])
    with pytest.raises(LiftError, match=r"entry 0 of .*vg_qa_one_obj"):
        measure_folder("gqa-spatial", tmp_path, Painted(COSINES), only=("one_object",))


def test_the_wrong_photo_is_from_another_file_and_lacks_the_true_text(tmp_path: Path) -> None:
    for name in NAMES:
        paint(tmp_path / f"{name}.png", name)
    line = {"positive": RIGHT, "negative": WRONG, "kind": "word", "split": "val"}
    others = [{**line, "image": f"{name}.png", "positive": "sure", "negative": "no"} for name in NAMES[1:]]
    write_lines(
        tmp_path / "pairs.jsonl",
        [
            {**line, "image": "red.png"},
            {**line, "image": "blue.png"},
            {**line, "image": "yellow.png"},
            *others,
        ],
    )
    measured, _ = measure_folder("pairs-jsonl", tmp_path, Painted(COSINES | {"no": {"red": 0.9}}), seed=1)
    outcomes = measured.metrics["control/wrong_photo/pair_accuracy/all"].values
    assert outcomes[:3].tolist() == [0, 0, 0]  # green, the only photo without RIGHT, prefers WRONG
    assert outcomes[3:].tolist() == [0, 0, 0]  # red, the only photo without "sure", prefers "no"
    assert values(measured)["pair_accuracy/all"] == pytest.approx((100 + 50 + 50 + 50 * 3) / 6, abs=1e-3)
    assert "another photo, drawn by the seed, that does not have the true text" in measured.protocol


def test_winoground(tmp_path: Path) -> None:
    entries, cosines = [], {}
    shown = {  # cosines of caption 0 and 1 with photo 0 (red) and photo 1 (green)
        0: ((0.6, 0.2), (0.3, 0.5)),  # all right: own 0.6 and 0.5, others at most 0.3
        1: ((0.6, 0.5), (0.4, 0.55)),  # right: red 0.6 > 0.4, green 0.55 > 0.5, and both captions
        2: ((0.2, 0.1), (0.3, 0.4)),  # red prefers caption 1: no text score; captions prefer their own photos
        3: ((0.0, 0.0), (0.0, 0.0)),  # all tie
    }
    for number, (first, second) in shown.items():
        for side, colour in enumerate(("red", "green")):
            paint(tmp_path / "data" / "images" / f"ex_{number}_img_{side}.png", colour)
        captions = [f"Example {number} caption {side}" for side in (0, 1)]
        cosines |= {
            text: {"red": own[0], "green": own[1]}
            for text, own in zip(captions, (first, second), strict=True)
        }
        entries.append(
            {
                "id": number,
                "image_0": f"ex_{number}_img_0",
                "image_1": f"ex_{number}_img_1",
                "caption_0": captions[0],
                "caption_1": captions[1],
                "collapsed_tag": "Object" if number < 2 else "Relation",
            }
        )
    write_lines(tmp_path / "data" / "examples.jsonl", entries)
    measured, _ = measure_folder("winoground", tmp_path, Painted(cosines))
    found = values(measured)
    assert measured.n == {"images": 8, "items": 4}
    assert found["text_score"] == (100 + 100 + 0 + 25) / 4
    assert found["image_score"] == (100 + 100 + 100 + 25) / 4
    assert found["group_score"] == pytest.approx((100 + 100 + 0 + 100 / 6) / 4, abs=1e-4)
    assert found["group_score/Object"] == 100 and found["text_score/Relation"] == 12.5
    assert found["control/chance/text_score"] == found["control/chance/image_score"] == 25
    assert found["control/chance/group_score"] == pytest.approx(100 / 6, abs=1e-4)
    assert found["control/text_only/image_score"] == 25
    assert (
        found["control/wrong_photo/text_score"] == found["text_score"]
    )  # all items have photos of the same colours
