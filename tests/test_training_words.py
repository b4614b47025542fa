"""Words as labels (--method words): the loss by hand, ties by construction, and the way through every door."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from conftest import train_tiny
from lift.data import Row
from lift.errors import LiftError
from lift.evaluation import EvaluateConfig, evaluate
from lift.exporting import ExportConfig, export
from lift.image import IMAGE_ENCODERS, ImageEncoder
from lift.losses import LOSSES, label_loss
from lift.metrics import pair_outcomes
from lift.model import Model
from lift.text import WordBag, train_tokenizer
from lift.training import TrainConfig
from lift.training.arms import WordsArm
from lift.training.cost import step_flops
from lift.training.resolving import resolve
from lift.training.sharding import Images

ZERO = torch.tensor(0.0)


@pytest.fixture(scope="module")
def words_run(tiny_dataset: Path, tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six steps with words for labels."""
    return train_tiny(tiny_dataset, tiny_store, tmp_path_factory.mktemp("words") / "run", "words")


def three_words() -> WordBag:
    """A vocabulary of " red", " dog" and " cat": in 9, 4 and 1 of 9 texts."""
    tokenizer = train_tokenizer(["red dog", "red cat"] * 3, vocabulary=300)
    ids = [tokenizer.encode(word).ids[1] for word in ("red", "dog", "cat")]
    assert [len(tokenizer.encode(word).ids) for word in ("red", "dog", "cat")] == [3, 3, 3]
    return WordBag(tokenizer, 9, dict(zip(ids, (9, 4, 1), strict=True)))


def test_bag_and_loss_by_hand() -> None:
    bag = three_words()
    place = {word.strip("Ġ"): n for n, word in enumerate(bag.subwords)}
    red, dog, cat = (place[word] for word in ("red", "dog", "cat"))
    # log(10 / 10), log(10 / 5), log(10 / 2)
    assert bag.weights[[red, dog, cat]].tolist() == pytest.approx([0, math.log(2), math.log(5)])
    found = bag.encode(["a red dog", "dog dog cat", "purple"])
    length = math.hypot(math.log(2), math.log(5))
    assert found[0][[red, dog, cat]].tolist() == pytest.approx([0, 1, 0])
    assert found[1][[red, dog, cat]].tolist() == pytest.approx(
        [0, math.log(2) / length, math.log(5) / length]
    )
    assert found[2].tolist() == pytest.approx([3**-0.5] * 3)  # nothing known: no word more than another
    logits = torch.zeros(3, 3)
    logits[0, dog], logits[1, cat] = math.log(2), math.log(6)
    # Photo 0: softmax 1/4, 1/2, 1/4, the label is dog. Photo 1: 1/8, 1/8, 3/4, labels dog and cat by their weights.
    # Photo 2: 1/3 each.
    share = math.log(5) / (math.log(2) + math.log(5))
    first, third = math.log(2), math.log(3)
    second = -(share * math.log(3 / 4) + (1 - share) * math.log(1 / 8))
    value = label_loss(logits, torch.from_numpy(found), torch.arange(3), ZERO, ZERO)
    assert value.item() == pytest.approx((first + second + third) / 3, rel=1e-5)


def test_what_a_guess_without_the_photo_gives() -> None:
    rows = [Row("a", ["red dog"], "train"), Row("b", ["red cat"], "train"), Row("c", ["a cat"], "train")]
    arm = WordsArm(rows, "cpu", ["red dog dog"])
    targets = arm.text_features(np.arange(len(arm.number_of))).numpy()
    targets /= targets.sum(1, keepdims=True)
    assert arm.log_prior().exp().numpy() == pytest.approx(np.maximum(targets.mean(0), 1e-12), abs=1e-6)
    assert arm.log_prior().exp().sum().item() == pytest.approx(1, abs=1e-5)
    # A photo that tells nothing scores 0 with every text.
    head = ImageEncoder(IMAGE_ENCODERS["vit-nano"], image_size=32, dim=arm.bag.dim, head="words").head
    head.log_prior.copy_(arm.log_prior())
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.copy_(arm.log_prior())
        assert head(torch.randn(2, 64)).abs().max() < 1e-4


def test_what_every_text_has_is_no_label() -> None:
    bag = WordBag.fit(["red dog", "red cat", "red cat"])
    assert sorted(bag.counts.values()) == [1, 2] and bag.texts == 3
    again = WordBag.from_settings(json.loads(json.dumps(bag.settings)))
    assert (again.encode(["cat dog", "Red"]) == bag.encode(["cat dog", "Red"])).all()
    assert again.fingerprint == bag.fingerprint
    with pytest.raises(LiftError, match="all training texts have the same words"):
        WordBag.fit(["red dog", "dog red"])


def test_texts_of_the_same_words_tie_exactly(words_run: Path, tiny_dataset: Path) -> None:
    model = Model.load(words_run)
    texts = ["a red circle and one blue square", "one blue circle and a red square"]
    one, other = model.encode_text(texts)
    assert (one == other).all() and np.linalg.norm(one) == pytest.approx(1, abs=1e-6)
    photos = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    vectors = model.encode_image(photos)
    assert (pair_outcomes((vectors * one).sum(1), (vectors * other).sum(1)) == 50).all()
    swapped = words_run.parent / "swapped.jsonl"
    keys = [f"images/{n}.png" for n in range(36, 48)]
    lines = [{"image": key, "positive": texts[0], "negative": texts[1], "kind": "swap"} for key in keys]
    swapped.write_text("\n".join(map(json.dumps, lines)))
    measured = evaluate(EvaluateConfig(words_run, "pairs", dataset=tiny_dataset, pairs=swapped))[0]
    entry = measured["metrics"]["pair_accuracy/swap"]
    assert (entry["value"], entry["low"], entry["high"], entry["n"]) == (50.0, 50.0, 50.0, 12)


def test_a_run_of_words_goes_through_the_same_doors(
    words_run: Path, tiny_dataset: Path, tiny_run: Path
) -> None:
    made, lift_run = (json.loads((run / "run.json").read_text()) for run in (words_run, tiny_run))
    assert (made["method"], made["loss"]) == ("words", "labels")
    assert made["parameters"]["text"] == 0 and made["cost"]["offline_text"] is None
    model, again = Model.load(words_run), Model.load(words_run)
    assert isinstance(model.text_encoder, WordBag) and model.text_encoder.fingerprint == model.fingerprint
    assert made["fingerprint"]["digest"] == again.text_encoder.fingerprint.digest
    assert model.dim == model.text_encoder.dim != 384
    assert made["steps"] == lift_run["steps"] and made["samples_seen"] == lift_run["samples_seen"]
    results = evaluate(EvaluateConfig(words_run, dataset=tiny_dataset))
    assert [r["task"] for r in results] == [
        "retrieval",
        "long-retrieval",
        "pairs",
        "zero-shot",
        "verification",
    ]


def test_words_are_exported_with_what_their_numbers_mean(words_run: Path, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    out = export(ExportConfig(words_run, tmp_path / "export", to="transformers"))
    words = json.loads((out / "words.json").read_text())
    assert len(words["words"]) == len(words["weights"]) == Model.load(words_run).dim
    assert "There is no text encoder" in (out / "README.md").read_text()


def test_flops_of_a_step_are_those_that_are_counted() -> None:
    encoder = ImageEncoder(IMAGE_ENCODERS["vit-nano"], image_size=32, dim=50, head="words")
    with (
        FlopCounterMode(display=False) as counter,
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
    ):
        logits = Images(encoder, kept=False)(torch.rand(4, 3, 32, 32))
        LOSSES["labels"].function(logits, torch.ones(4, 50), torch.arange(4), ZERO, ZERO).backward()
    assert step_flops(encoder, 4, "labels", None) == counter.get_total_flops()


def test_mistakes_in_the_options_of_words_are_named(tmp_path: Path) -> None:
    config = dict(images=Path(), texts=Path(), out=tmp_path, preset="smoke")
    for options, said in (
        ({"method": "words", "head": "linear"}, "have a classifier over the words for a head"),
        ({"method": "words", "loss": "sigmoid"}, "words are labels"),
        ({"method": "words", "hard_negatives": 1}, "--hard-negatives does nothing with --method words"),
        ({"method": "words", "cosine_weight": 1.0}, "--cosine-weight does nothing with --method words"),
        ({"method": "words", "tune": "ridge"}, "use --method lift"),
        ({"loss": "labels"}, "belongs to --method words"),
        ({"head": "words"}, "belongs to --method words"),
        ({"head": "none"}, "fixed text vectors have one of theirs"),
    ):
        with pytest.raises(LiftError, match=said):
            resolve(TrainConfig(**config, **options))  # type: ignore[arg-type]
