"""Evaluation's scoring: chance, examples, groups, bags of words, metrics and files, worked by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lift.data import Pair
from lift.errors import LiftError
from lift.evaluation.pairs import bags_of_words, groups
from lift.evaluation.reading import read_pairs, read_statements
from lift.evaluation.results import Metric, result_path
from lift.evaluation.retrieval import chance_outcomes, examples, joined
from lift.evaluation.verification import verification_metrics, within_photo
from lift.evaluation.zero_shot import class_metrics, read_classes


def test_chance_by_hand() -> None:
    chance = chance_outcomes(np.array([0, 0, 1, 2, 2, 2]))  # 3 photos with 2, 1 and 3 texts
    np.testing.assert_allclose(chance["control/chance/text_to_image/recall@1"], [100 / 3] * 6)
    np.testing.assert_allclose(chance["control/chance/image_to_text/recall@1"], [200 / 6, 100 / 6, 300 / 6])
    np.testing.assert_allclose(chance["control/chance/image_to_text/recall@5"], [100, 500 / 6, 100])


def test_examples_are_ranked() -> None:
    images, texts = np.eye(3), np.array([[0.1, 0.9, 0.5], [1.0, 0.0, 0.2]])
    first, second = examples(images, texts, ["one", "two"], ["b", "a"], ["a", "b", "c"], seed=0)
    assert first == {"query": "one", "truth": "b", "found": ["b", "c", "a"], "scores": [0.9, 0.5, 0.1]}
    assert second["found"] == ["a", "c", "b"]


def test_captions_are_joined_as_sentences() -> None:
    assert joined(["A dog runs .", " a cat sits", "Why?"]) == "A dog runs . a cat sits. Why?"


def test_bags_of_words_forget_the_order_only() -> None:
    swap = Pair("x", "A black dog and a white cat", "A white cat and a black dog", "swap", "val")
    one, other = bags_of_words(swap, (0, 1))
    assert one == other and sorted(one.split()) == sorted(["a", "black", "dog", "and", "a", "white", "cat"])
    assert bags_of_words(swap, (0, 2))[0] != one
    changed = replace(swap, negative="A black dog and a red cat")
    assert "red" in bags_of_words(changed, (0, 1))[1]


def test_groups_by_kind_and_length() -> None:
    short = [Pair("x", "p", "n", kind, "val") for kind in ("swap", "count", "swap")]
    long = [Pair("x", "p", "n", "swap", "val", "long")]
    assert {k: v.tolist() for k, v in groups(short).items()} == {
        "pair_accuracy/all": [0, 1, 2],
        "pair_accuracy/count": [1],
        "pair_accuracy/swap": [0, 2],
    }
    found = {k: v.tolist() for k, v in groups(short + long).items()}
    assert found["pair_accuracy/short/all"] == [0, 1, 2] and found["pair_accuracy/long/swap"] == [3]
    assert found["pair_accuracy/all"] == [0, 1, 2, 3] and "pair_accuracy/long/count" not in found


def test_verification_metrics_by_hand() -> None:
    scores = np.array([0.9, 0.1, 0.2, 0.5, 0.4])
    labels = np.array([True, False, True, False, True])
    photos = np.array([7, 7, 3, 3, 9])
    found = verification_metrics(scores, labels, photos)
    assert found["auroc"].values.mean() == pytest.approx(100 * (2 + 1 + 1) / 6)
    names, within = within_photo(scores, labels, photos)
    assert names.tolist() == [3, 7] and within.tolist() == [0, 100]  # photo 9 has no false sentence
    entry = found["average_precision"].entry(seed=0)
    assert entry["value"] == pytest.approx(100 * (1 + 2 / 3 + 3 / 4) / 3, abs=1e-3)
    assert entry["low"] <= entry["value"] <= entry["high"]


def test_class_metrics_by_hand() -> None:
    images = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.0, 1.0]])
    found = class_metrics(images, np.eye(2), np.array([0, 1, 0, 1]), np.arange(4))
    values = {name: metric.values.mean() for name, metric in found.items()}
    assert values == pytest.approx(
        {
            "top1": 75,
            "mean_per_class": (50 + 100) / 2,
            "control/chance/top1": 50,
            "control/chance/mean_per_class": 50,
            "control/majority_class/top1": 50,
            "control/majority_class/mean_per_class": 50,
        }
    )


def test_metric_entry() -> None:
    assert Metric(np.full(8, 50.0), np.arange(8)).entry(seed=3) == {
        "value": 50,
        "low": 50,
        "high": 50,
        "n": 8,
    }


def test_result_names() -> None:
    assert result_path(Path("r"), "pairs", "my/set-val", "").name == "pairs--my-set-val.json"
    assert result_path(Path("r"), "pairs", "set-val", "swap").name == "pairs--set-val--swap.json"


def test_reading_files(tmp_path: Path) -> None:
    pairs, judged = tmp_path / "pairs.jsonl", tmp_path / "judged.jsonl"
    pairs.write_text(json.dumps({"image": "a", "positive": "yes", "negative": "no", "x": 1}) + "\n")
    judged.write_text(json.dumps({"image": "a", "sentence": "yes", "label": "true"}) + "\n")
    assert read_pairs(pairs) == [Pair("a", "yes", "no", "", "", "short")]
    assert read_statements(pairs) == [("a", "yes", True), ("a", "no", False)]
    with pytest.raises(LiftError, match="true or false"):
        read_statements(judged)
    with pytest.raises(LiftError, match="'positive'"):
        read_pairs(judged)
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"image": "a"\n')
    with pytest.raises(LiftError, match=r"line 1 .* not JSON"):
        read_pairs(broken)
    names = tmp_path / "names.txt"
    names.write_text("dog\n\n cat \ndog\n")
    assert read_classes(names) == ["dog", "cat"]
