"""Training on pre-trained backbones: cached features, exact resume, LoRA, and the ridge baseline."""

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

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.linear_model import Ridge

import lift
from backbones_by_hand import save_backbone
from lift.artefact import sha256_file
from lift.data import Dataset
from lift.errors import LiftError
from lift.image import build_encoder
from lift.ridge import STRENGTHS
from lift.store import EmbeddingStore
from lift.training import TrainConfig, features, loop, train
from lift.training.closed_form import mean_vectors
from lift.training.features import keep_features
from lift.training.request import request_of
from lift.training.resolving import resolve


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny DINOv2 for 32 px."""
    folder = tmp_path_factory.mktemp("training") / "dinov2"
    save_backbone(folder, "dinov2")
    return folder


@pytest.fixture
def config(tiny_dataset: Path, tiny_store: Path, tmp_path: Path, backbone: Path) -> TrainConfig:
    """A few steps on the tiny backbone."""
    return TrainConfig(
        images=tiny_dataset,
        texts=tiny_store,
        out=tmp_path / "run",
        preset="smoke",
        image_encoder=str(backbone),
        batch_size=12,
        epochs=2,
        validations=1,
        precision="fp32",
    )


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoint" / "image.safetensors")


def test_cached_features_train_the_same_head(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbone: Path
) -> None:
    assert resolve(config).tune == "head" and resolve(config).min_crop == 1.0
    train(config)
    manifest = json.loads((config.out / "run.json").read_text())
    assert manifest["cost"]["frozen_features"]["photos"] == 48
    assert manifest["cost"]["flops_total"] > manifest["cost"]["frozen_features"]["flops"] > 0
    assert manifest["parameters"]["image_trained"] == 32 * 384 + 384 + 384 * 384 + 384
    assert manifest["backbone"]["family"] == "dinov2" and not (config.out / "features").exists()

    monkeypatch.setattr(loop, "keep_features", lambda *arguments: None)
    train(replace(config, out=tmp_path / "slow"))
    fast, slow = weights(config.out), weights(tmp_path / "slow")
    start = build_encoder(str(backbone), image_size=32, dim=384).state_dict()
    for name, value in fast.items():
        assert torch.allclose(value, slow[name], atol=1e-6), name
        assert name.startswith("head.") or torch.equal(value, start[name]), name
    assert "frozen_features" not in json.loads((tmp_path / "slow" / "run.json").read_text())["cost"]


def test_features_are_kept_shared_and_mended(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbone: Path, tiny_dataset: Path
) -> None:
    monkeypatch.setattr(features, "SHARD_ROWS", 20)
    config = resolve(replace(config, features=tmp_path / "kept"))
    encoder = build_encoder(str(backbone), image_size=32, dim=384)
    dataset, numbers = Dataset(tiny_dataset), np.array([40, 3, 47, *range(4, 30)])
    kept = keep_features(encoder, dataset, numbers, config)
    assert kept is not None and len(kept.shards) == 2
    images = torch.from_numpy(np.array(dataset.pixels[numbers])).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        assert torch.allclose(kept.rows(numbers), encoder.pooled(images), atol=1e-5)
    first = kept.rows(numbers)

    folder = next((tmp_path / "kept").iterdir())
    before = {file.name: sha256_file(file) for file in folder.glob("*.npy")}
    with (folder / "features-00001.npy").open(
        "r+b"
    ) as file:  # one is damaged, one as if killed before its mark
        file.seek(300)
        file.write(b"\x01")
    (folder / "features-00000.json").unlink()
    again = keep_features(encoder, dataset, numbers[::-1], config)
    assert again is not None and torch.equal(again.rows(numbers), first)
    assert before == {file.name: sha256_file(file) for file in folder.glob("*.npy")}

    keep_features(build_encoder(str(backbone), image_size=32, dim=384), dataset, numbers, config)
    assert len(list((tmp_path / "kept").iterdir())) == 1  # another head, the same body
    with torch.no_grad():
        encoder.backbone.model.layernorm.bias[0] += 1  # type: ignore[union-attr]
    keep_features(encoder, dataset, numbers, config)
    assert len(list((tmp_path / "kept").iterdir())) == 2
    for changes in ({"tune": "last:1"}, {"min_crop": 0.9}, {"flip": True}):
        assert keep_features(encoder, dataset, numbers, replace(config, **changes)) is None


def test_kill_9_of_a_head_only_run_gives_the_same_bytes(config: TrainConfig, tmp_path: Path) -> None:
    config = replace(config, epochs=40, batch_size=6, checkpoint_steps=7)
    train(config)
    killed = replace(config, out=tmp_path / "killed")
    command = [
        *(sys.executable, "-m", "lift.cli", "train", "--images", str(config.images)),
        *("--texts", str(config.texts), "--out", str(killed.out), "--preset", "smoke", "--batch-size", "6"),
        *("--image-encoder", str(config.image_encoder), "--epochs", "40", "--checkpoint-steps", "7"),
        *("--validations", "1", "--precision", "fp32"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(killed.out.glob("resume/step-*")):
        time.sleep(0.002)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    next(killed.out.glob("features/*/*.npy")).unlink()  # and as if the features had been lost as well
    train(killed)
    for file in sorted((config.out / "checkpoint").iterdir()):
        assert sha256_file(file) == sha256_file(killed.out / "checkpoint" / file.name), file.name
    assert not (killed.out / "features").exists() and not (killed.out / "resume").exists()


def test_lora_and_last_block_runs_load_without_the_backbones_folder(
    config: TrainConfig, tmp_path: Path, backbone: Path
) -> None:
    shutil.copytree(backbone, tmp_path / "gone")
    pixels = Dataset(config.images).pixels[:4]
    start = build_encoder(str(backbone), image_size=32, dim=384).state_dict()
    for tune in ("lora:2", "last:1", "full"):
        out = tmp_path / tune.replace(":", "-")
        train(
            replace(
                config, out=out, tune=tune, image_encoder=str(tmp_path / "gone"), layer_decay=0.7, lr=1e-2
            )
        )
        changed = {n for n, value in weights(out).items() if not torch.equal(value, start[n])}
        first = "backbone.model.encoder.layer.0.attention.q_proj.weight"
        assert (first in changed) == (tune != "last:1")
        assert "backbone.model.encoder.layer.2.mlp.fc1.weight" in changed
        assert ("backbone.model.embeddings.cls_token" in changed) == (tune == "full")
    shutil.rmtree(tmp_path / "gone")
    for run in ("lora-2", "last-1", "full"):
        vectors = lift.load(tmp_path / run).encode_image(pixels)
        assert vectors.shape == (4, 384) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_resume_of_a_lora_run(config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(config, tune="lora:2", epochs=4, checkpoint_steps=5)
    train(config)
    broken = replace(config, out=tmp_path / "broken")

    def fail(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "finish", fail)
        with pytest.raises(KeyboardInterrupt):
            train(broken)
    saved = next((tmp_path / "broken" / "resume").iterdir())
    names = load_file(saved / "image.safetensors")  # what is frozen is not written every few minutes
    assert names and all("lora_" in name or name.startswith("head.") for name in names)
    train(broken)
    for name, value in weights(config.out).items():
        assert torch.equal(value, weights(broken.out)[name]), name


def test_ridge_equals_scikit_learn(config: TrainConfig, tmp_path: Path, backbone: Path) -> None:
    model = train(replace(config, tune="ridge", features=tmp_path / "kept"))
    manifest = json.loads((config.out / "run.json").read_text())
    assert (manifest["loss"], manifest["steps"], manifest["samples_seen"]) == ("ridge", 1, 36)
    dataset, store = Dataset(config.images), EmbeddingStore(config.texts)
    numbers = dataset.split("train")
    targets = mean_vectors(store, [dataset.rows[n].texts for n in numbers])
    by_hand = store.vectors(dataset.rows[numbers[5]].texts).mean(0)
    assert np.allclose(targets[5], by_hand / np.linalg.norm(by_hand), atol=1e-6)

    images = torch.from_numpy(np.array(dataset.pixels)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        pooled = build_encoder(str(backbone), image_size=32, dim=384).pooled(images).double().numpy()
    log = json.loads((config.out / "log.jsonl").read_text())
    assert log["ridge_strength"] in STRENGTHS
    centred = pooled[numbers] - pooled[numbers].mean(0)
    alpha = log["ridge_strength"] * (centred**2).sum() / pooled.shape[1]  # a share of the mean eigenvalue
    expected = Ridge(alpha=alpha).fit(pooled[numbers], targets).predict(pooled)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(model.encode_image(dataset.pixels), expected, atol=1e-3)


def test_a_ridge_run_is_a_run_like_any_other(config: TrainConfig, tmp_path: Path) -> None:
    from lift.evaluation import EvaluateConfig, evaluate
    from lift.indexing import IndexConfig, SearchConfig, index, search
    from lift.report import CompareConfig, compare

    run = replace(config, tune="ridge")
    train(run)
    evaluate(EvaluateConfig(run=run.out, dataset=config.images, texts=config.texts, task="retrieval"))
    index(IndexConfig(run=run.out, photos=config.images, out=tmp_path / "index"))
    search(SearchConfig(index=tmp_path / "index", sentences=("a red circle",), top=3))
    compare(CompareConfig(runs=(run.out,), out=tmp_path / "report"))
    assert (tmp_path / "report" / "report.html").is_file()


def test_a_locked_image_tower_beside_a_trained_text_tower(config: TrainConfig, backbone: Path) -> None:
    train(replace(config, method="clip", text_width=64))  # what LiT does
    start = build_encoder(str(backbone), image_size=32, dim=384).state_dict()
    found = weights(config.out)
    assert all(torch.equal(v, start[n]) for n, v in found.items() if not n.startswith("head."))


def test_mistakes_and_requests(config: TrainConfig, tiny_dataset: Path) -> None:
    with pytest.raises(LiftError, match=r"--layer-decay is 1\.5"):
        resolve(replace(config, layer_decay=1.5))
    with pytest.raises(LiftError, match="use --method lift"):
        resolve(replace(config, tune="ridge", method="clip"))
    with pytest.raises(LiftError, match="leave --image-pooling away"):
        resolve(replace(config, image_encoder="vit-nano", image_pooling="cls"))
    with pytest.raises(LiftError, match="known: mlp, linear"):
        resolve(replace(config, head="deep"))
    asked = request_of(resolve(config), "d", "f", "v")
    assert asked["tune"] == "head" and len(asked["backbone"]) == 16 and "features" not in asked
    scratch = request_of(resolve(replace(config, image_encoder="vit-nano")), "d", "f", "v")
    assert not {"tune", "head", "image_pooling", "layer_decay", "backbone"} & set(scratch)
