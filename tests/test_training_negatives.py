"""Hard negatives in training: which are used when, exact resume, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lift.artefact import sha256_file
from lift.data import Dataset, Row
from lift.data.sampling import TextTable, drawn
from lift.embedding import EmbedConfig, embed
from lift.errors import LiftError
from lift.image import IMAGE_ENCODERS, ImageEncoder
from lift.losses import LOSSES
from lift.negatives import texts_of
from lift.store import EmbeddingStore
from lift.training import TrainConfig, loop, train
from lift.training.arms import LiftArm
from lift.training.cost import step_flops
from lift.training.negatives import NegativeTable, find_hard_negatives, nearest_rows, neighbours_of
from lift.training.request import request_of
from lift.training.resolving import resolve

OPTIONS: dict[str, Any] = {
    "hard_negatives": 2,
    "hard_weight": 0.5,
    "hard_kinds": ("attribute", "object", "pairs"),
    "neighbours": 2,
    "mask_similar": 0.95,
    "cosine_weight": 0.5,
}


@pytest.fixture(scope="module")
def hard_store(tiny_dataset: Path, tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny STORE with the hard negatives appended."""
    out = tmp_path_factory.mktemp("hard") / "store"
    shutil.copytree(tiny_store, out)
    embed(EmbedConfig(tiny_dataset, out, hard_negatives=True, hard_kinds=OPTIONS["hard_kinds"]))
    return out


def tiny_config(dataset: Path, store: Path, out: Path, **options: Any) -> TrainConfig:
    return TrainConfig(
        images=dataset, texts=store, out=out, preset="smoke", batch_size=12, validations=0, **options
    )


def test_drawn_is_a_pure_function_that_reaches_all() -> None:
    there = np.array([[True, True, True, False], [False, True, False, False], [False] * 4])
    epochs = [drawn(7, epoch, there, 2) for epoch in range(40)]
    assert all((one == drawn(7, epoch, there, 2)).all() for epoch, one in enumerate(epochs))
    assert {tuple(sorted(one[0])) for one in epochs} == {(0, 1), (0, 2), (1, 2)}
    assert all(one[1].tolist() == [1, -1] and one[2].tolist() == [-1, -1] for one in epochs)
    assert drawn(7, 0, there, 9).shape == (3, 4) and drawn(7, 0, np.zeros((3, 0), bool), 2).shape == (3, 0)


def test_nearest_rows_equal_a_slow_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lift.training.negatives.CHUNK_NUMBERS", 100)  # several parts
    vectors = F.normalize(torch.randn(30, 6, generator=torch.Generator().manual_seed(0)), dim=-1)
    vectors[5] = vectors[9]
    found = nearest_rows(vectors, 7, 0.8)
    for row in range(30):
        cosines = {n: float(vectors[row] @ vectors[n]) for n in range(30) if n != row}
        near = sorted((n for n, c in cosines.items() if c <= 0.8), key=lambda n: -cosines[n])[:7]
        expected = [cosines[n] for n in near]
        assert [cosines[n] for n in found[row]] == pytest.approx(expected, abs=1e-6)
    assert 9 not in found[5]
    assert (nearest_rows(vectors[:3], 9, 1.0)[:, 2] == -1).all()  # never oneself


def test_neighbours_are_texts_of_other_photos_by_hand() -> None:
    rows = [
        Row("a", ["a red ball", "a sofa"], "train"),
        Row("b", ["a red ball", "a blue ball"], "train"),
        Row("c", ["A couch.", "a cat"], "train"),
    ]
    texts = ["a red ball", "a sofa", "a blue ball", "A couch.", "a cat"]
    table = TextTable(rows, {text: n for n, text in enumerate(texts)})
    nearest = np.array([[2, 1, 4, 3], [3, 4, 0, 2], [0, 4, -1, -1], [1, 4, 2, 0], [3, 1, 2, 0]])
    found = neighbours_of(rows, table, texts, nearest, 2)
    # Photo a has a sofa, so a couch is none of its negatives; the caption it shares with b has other ones there.
    assert found.tolist() == [[2, 4], [4, 2], [1, 4], [4, -1], [2, 0], [2, 0]]


def test_a_step_gets_the_vectors_of_its_own_negatives(
    tiny_dataset: Path, hard_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[torch.Tensor, Any, float | None]] = []
    contrastive = LOSSES["contrastive"]

    def spy(*batch: torch.Tensor, own: Any = None, similar: float | None = None) -> torch.Tensor:
        if not batch[0].is_meta:
            seen.append((batch[1], own, similar))
        return contrastive.function(*batch, own=own, similar=similar)

    monkeypatch.setitem(LOSSES, "contrastive", contrastive._replace(function=spy))
    train(tiny_config(tiny_dataset, hard_store, tmp_path / "run", **OPTIONS))
    store = EmbeddingStore(hard_store)
    texts = list(store.texts())
    vectors = torch.from_numpy(store.matrix())

    def text_of(vector: torch.Tensor) -> str:
        return texts[int((vectors @ vector).argmax())]

    assert len(seen) == 6
    changed = 0
    for text_features, own, similar in seen:
        assert similar == 0.95 and own.features.shape == (12, 4, 384) and own.there.any(1).all()
        for vector, false, there in zip(text_features, *own, strict=True):
            true = text_of(vector)
            colour, shape = (next(w for w in words if w in true) for words in (COLOURS, SHAPES))
            for one in (text_of(f) for f, t in zip(false, there, strict=True) if t):
                same = colour in one and shape in one
                changed += not same
                assert one != true and not (same and number_of(one) == number_of(true))
    assert changed > 100
    made = json.loads((tmp_path / "run" / "run.json").read_text())
    assert made["negatives"]["hard"]["kinds"] == {"attribute": 72, "object": 72, "pairs": 30}
    assert made["negatives"]["neighbours"]["captions"] == 1.0 and made["cost"]["negatives"]["flops"] > 0
    assert made["config"]["hard_negatives"] == 2 and made["config"]["mask_similar"] == 0.95


def test_neighbours_are_none_of_the_rivals_that_have_a_loss_of_their_own(
    tiny_dataset: Path, hard_store: Path, tmp_path: Path
) -> None:
    """Eight are asked for where a caption has fewer: what is left of the eight columns stays empty."""
    options = OPTIONS | {"hard_negatives": 8}
    config = resolve(tiny_config(tiny_dataset, hard_store, tmp_path / "run", **options))
    dataset, store = Dataset(tiny_dataset), EmbeddingStore(hard_store)
    numbers = dataset.split("train").tolist()
    rows = [dataset.rows[n] for n in numbers]
    found = find_hard_negatives(config, dataset, numbers)
    arm = LiftArm(store, rows, "cpu", texts_of(found))
    table = NegativeTable(config, rows, arm, found)
    assert 0 < table.changed.shape[1] < 8
    places = TextTable(rows, arm.number_of).places(0, 0)
    own = table.of_epoch(0, 0, places)
    assert own.shape == (36, 10) and np.array_equal(own[:, 8:], table.near[places])
    assert (own[:, table.changed.shape[1] : 8] == -1).all() and (own[:, 0] >= 0).any()
    plain = NegativeTable(replace(config, hard_weight=0.0), rows, arm, found).of_epoch(0, 0, places)
    assert plain.shape == (36, table.changed.shape[1] + 2)


COLOURS, SHAPES = ("red", "green", "blue", "yellow"), ("circle", "square", "triangle")


def number_of(text: str) -> str:
    """The number that a text of the tiny DATASET ends in, if any."""
    return "".join(letter for letter in text if letter.isdigit())


def test_kill_9_with_negatives_gives_the_same_bytes(
    tiny_dataset: Path, hard_store: Path, tmp_path: Path
) -> None:
    def command(out: Path) -> list[str]:
        return [
            *(sys.executable, "-m", "lift.cli", "train", "--images", str(tiny_dataset)),
            *("--texts", str(hard_store), "--out", str(out), "--preset", "smoke", "--batch-size", "6"),
            *("--epochs", "12", "--checkpoint-steps", "7", "--validations", "0", "--hard-negatives", "2"),
            *("--hard-kinds", "pairs", "attribute", "object", "--neighbours", "2", "--mask-similar", "0.95"),
            *("--hard-weight", "0.5"),
        ]

    killed, log = tmp_path / "killed", tmp_path / "killed" / "log.jsonl"
    process = subprocess.Popen(command(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (log.is_file() and log.read_text().count("\n") >= 2):
        time.sleep(0.002)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (killed / "resume" / "neighbours").is_dir() and not (killed / "run.json").exists()
    subprocess.run(command(killed), check=True, capture_output=True)
    options = {k: v for k, v in OPTIONS.items() if k != "cosine_weight"}
    straight = replace(tiny_config(tiny_dataset, hard_store, tmp_path / "straight", **options), batch_size=6)
    threads = torch.get_num_threads()
    torch.set_num_threads(json.loads((killed / "run.json").read_text())["machine"]["threads"])
    try:
        train(replace(straight, epochs=12, checkpoint_steps=100))
    finally:
        torch.set_num_threads(threads)
    for file in sorted((killed / "checkpoint").iterdir()):
        assert sha256_file(file) == sha256_file(tmp_path / "straight" / "checkpoint" / file.name), file.name
    assert json.loads((killed / "request.json").read_text()) == json.loads(
        (tmp_path / "straight" / "request.json").read_text()
    )
    assert not (killed / "resume").exists()


def test_a_store_without_the_changed_captions_is_named_with_the_command(
    tiny_dataset: Path, tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(tiny_dataset, tiny_store, tmp_path / "run", hard_negatives=1, hard_kinds=("object",))
    wanted = rf"lift embed {tiny_dataset} --out {tiny_store} --hard-negatives --hard-kinds object`"
    with pytest.raises(LiftError, match=rf"hard negatives have no vector in(.|\n)*{wanted}"):
        train(config)
    with pytest.raises(LiftError, match=r"no caption of the training photos has .*\(unit\)"):
        train(replace(config, hard_kinds=("unit",)))
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(loop, "check_inputs", lambda *_: pytest.fail("looked at before the options"))
    for changes, said in (
        ({"hard_kinds": ("swap",)}, "of the kind 'swap'"),
        ({"hard_negatives": 0}, "--hard-kinds says nothing"),
        ({"hard_negatives": 0, "hard_kinds": (), "hard_weight": 1.0}, "--hard-weight says nothing"),
        ({"hard_weight": -1.0}, "--hard-weight is -1.0"),
        ({"loss": "cosine"}, "--hard-negatives does nothing with --loss cosine"),
        ({"method": "clip"}, "--hard-negatives needs text vectors that stand still"),
        ({"mask_similar": 1.0}, "--mask-similar is 1.0"),
        ({"hard_negatives": -1}, "--hard-negatives is -1"),
        ({"cosine_weight": -0.1}, "--cosine-weight is -0.1"),
        ({"long_share": 1.5}, "--long-share is 1.5"),
    ):
        with pytest.raises(LiftError, match=said):
            train(replace(config, **changes))
    with pytest.raises(LiftError, match="--cosine-weight does nothing with --loss cosine"):
        resolve(replace(config, loss="cosine", hard_negatives=0, hard_kinds=(), cosine_weight=1.0))
    with pytest.raises(LiftError, match="--neighbours does nothing with --tune ridge"):
        resolve(replace(config, tune="ridge", hard_negatives=0, hard_kinds=(), neighbours=1))


def test_embed_names_a_mistake_in_the_kinds(tiny_dataset: Path, tmp_path: Path) -> None:
    config = EmbedConfig(tiny_dataset, tmp_path / "store", hard_kinds=("order",))
    with pytest.raises(LiftError, match="--hard-kinds says nothing"):
        embed(config)
    with pytest.raises(LiftError, match="of the kind 'swap'"):
        embed(replace(config, hard_negatives=True, hard_kinds=("swap",)))


def test_defaults_are_no_part_of_the_request(tmp_path: Path) -> None:
    config = resolve(TrainConfig(images=Path(), texts=Path(), out=tmp_path, preset="smoke"))
    plain = request_of(config, "d", "f", "v")
    assert not {*OPTIONS, "negatives", "long_share"} & {*plain}
    assert plain.keys() == {
        *(
            "preset",
            "method",
            "loss",
            "image_encoder",
            "epochs",
            "batch_size",
            "lr",
            "warmup",
            "weight_decay",
        ),
        *("grad_clip", "min_crop", "flip", "precision", "text_width", "context", "train_split", "val_split"),
        *("validations", "seed", "dataset", "fingerprint", "vectors"),
    }
    asked = request_of(resolve(replace(config, **OPTIONS)), "d", "f", "v", ["a blue ball"])
    assert {*asked} - {*plain} == {*OPTIONS, "negatives"}
    assert json.loads(json.dumps(asked)) == asked  # a run that goes on compares it with what JSON gives back
    turned = replace(config, **(OPTIONS | {"hard_kinds": OPTIONS["hard_kinds"][::-1]}))
    assert request_of(resolve(turned), "d", "f", "v", ["a blue ball"]) == asked
    assert request_of(resolve(turned), "d", "f", "v", ["a green ball"]) != asked


def test_flops_of_the_extra_logits() -> None:
    encoder, batch, dim = ImageEncoder(IMAGE_ENCODERS["vit-nano"], image_size=32, dim=16), 8, 16
    for loss in ("contrastive", "sigmoid"):
        plain = step_flops(encoder, batch, loss, None)
        # 3 own logits an image: forward, and backward into the image alone
        assert step_flops(encoder, batch, loss, None, own=3) - plain == 2 * 2 * batch * 3 * dim
        assert (
            step_flops(encoder, batch, loss, None, own=3, weighed=2) - plain == 2 * 2 * batch * (3 + 2) * dim
        )
        assert step_flops(encoder, batch, loss, None, masked=True) - plain == 2 * batch * batch * dim
