"""LiT (--method lit): a locked image tower, also the encoder of another RUN; the text tower alone learns."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lift.checkpoint import load_tensors
from lift.data import Dataset
from lift.errors import LiftError
from lift.model import Model
from lift.training import TrainConfig, train
from lift.training.resolving import resolve


def lit_config(dataset: Path, store: Path, out: Path, tower: Path) -> TrainConfig:
    return TrainConfig(
        images=dataset,
        texts=store,
        out=out,
        preset="smoke",
        method="lit",
        image_encoder=str(tower),
        batch_size=12,
        epochs=4,
        validations=1,
    )


def test_lit_locks_the_encoder_of_a_run(
    tiny_dataset: Path, tiny_store: Path, tiny_run: Path, tmp_path: Path
) -> None:
    model = train(lit_config(tiny_dataset, tiny_store, tmp_path / "lit", tiny_run))
    before, after = (load_tensors(run / "checkpoint")[0] for run in (tiny_run, tmp_path / "lit"))
    assert after["image"].keys() == {name for name in before["image"] if not name.startswith("head.")}
    assert all(torch.equal(before["image"][name], value) for name, value in after["image"].items())
    made, of_tower = (json.loads((r / "run.json").read_text()) for r in (tmp_path / "lit", tiny_run))
    assert made["method"] == "lit" and model.dim == 64  # no image head: the tower's own space
    assert made["parameters"]["image_trained"] == 0 < made["parameters"]["text"]
    assert made["cost"]["offline_text"] is None and made["cost"]["frozen_features"]["photos"] == 48
    assert made["backbone"]["weights"] == of_tower["checkpoint"]["id"]
    assert made["backbone"]["pretraining"]["samples_seen"] == 72
    losses = [
        json.loads(line).get("loss") for line in (tmp_path / "lit" / "log.jsonl").read_text().splitlines()
    ]
    assert losses[-1] < losses[0]
    again = Model.load(tmp_path / "lit")
    photos = Dataset(tiny_dataset).pixels[:3]
    pooled = Model.load(tiny_run).image_encoder.pooled(
        torch.from_numpy(photos.copy()).permute(0, 3, 1, 2).float() / 255
    )
    expected = torch.nn.functional.normalize(pooled, dim=-1)
    assert torch.allclose(torch.from_numpy(again.encode_image(photos)), expected, atol=1e-5)
    assert again.encode_text(["a red circle"]).shape == (1, 64)


def test_a_dry_run_of_lit_makes_nothing(
    tiny_dataset: Path, tiny_store: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = lit_config(tiny_dataset, tiny_store, tmp_path / "lit", tiny_run)
    assert train(replace(config, dry_run=True)) is None
    assert "Nothing was written" in capsys.readouterr().out and not (tmp_path / "lit").exists()


def test_a_lift_run_on_the_encoder_of_another_trains_its_head(
    tiny_dataset: Path, tiny_store: Path, tiny_run: Path, tmp_path: Path
) -> None:
    config = lit_config(tiny_dataset, tiny_store, tmp_path / "run", tiny_run)
    resolved = resolve(replace(config, method="lift"))
    assert (resolved.tune, resolved.head, resolved.min_crop) == ("head", "mlp", 1.0)
    full = resolve(replace(config, method="lift", tune="full"))
    assert (full.tune, full.min_crop) == ("full", 0.9)


def test_towers_that_do_not_fit_are_refused(
    tiny_dataset: Path, tiny_store: Path, tiny_run: Path, tmp_path: Path
) -> None:
    config = lit_config(tiny_dataset, tiny_store, tmp_path / "lit", tiny_run)
    for changes, said in (
        ({"image_encoder": "vit-nano"}, "locks a pre-trained image tower, but .* starts from random weights"),
        ({"tune": "last:1"}, r"would be tuned \(--tune last:1\)"),
        ({"loss": "cosine"}, "one constant vector"),
        ({"neighbours": 2}, "the text tower of lit would have to"),
        ({"image_pooling": "cls"}, "those of a RUN what they were trained with"),
        ({"out": tiny_run, "overwrite": True}, "cannot be both --image-encoder and --out"),
    ):
        with pytest.raises(LiftError, match=said):
            train(replace(config, **changes))
    assert (tiny_run / "run.json").is_file()
    other = tmp_path / "other"
    shutil.copytree(tiny_run, other)
    file = other / "checkpoint" / "checkpoint.json"
    file.write_text(file.read_text().replace('"image_size": 32', '"image_size": 64'))
    with pytest.raises(LiftError, match="sees 64 px, the photos have 32 px"):
        train(replace(config, image_encoder=str(other)))
    assert not (tmp_path / "lit").exists()
