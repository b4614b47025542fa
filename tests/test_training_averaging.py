"""--ema against a slow twin, and what validation and checkpoint see of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from lift.errors import LiftError
from lift.exporting.card import training as card_rows
from lift.image import IMAGE_ENCODERS, ImageEncoder, apply_tuning
from lift.training import TrainConfig, loop, train
from lift.training.averaging import Average


def test_the_average_is_that_of_a_slow_twin() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    module[0].weight.requires_grad_(False)
    average = Average({"image": module}, 0.7)
    learnt = [p for p in module.parameters() if p.requires_grad]
    twin = [p.detach().double().numpy().copy() for p in learnt]
    assert len(average.averages) == 3
    for t in range(30):
        with torch.no_grad():
            for p in learnt:
                p += torch.randn(p.shape)
        decay = min(0.7, (1 + t) / (10 + t))  # 0.1, 2/11, … and 0.7 from t = 20 on
        twin = [
            decay * a + (1 - decay) * p.detach().double().numpy() for a, p in zip(twin, learnt, strict=True)
        ]
        average.update()
    for one, two in zip(average.averages, twin, strict=True):
        assert one.dtype == torch.float32 and np.abs(one.numpy() - two).max() < 1e-6
    own = [p.detach().clone() for p in module.parameters()]
    with average.applied():
        assert all(torch.equal(p, a) for p, a in zip(learnt, average.averages, strict=True))
    assert all(torch.equal(p, q) for p, q in zip(module.parameters(), own, strict=True))
    again = Average({"image": module}, 0.7)
    again.load_state_dict(average.state_dict())
    assert int(again.updates) == 30 and torch.equal(again.averages[0], average.averages[0])


def test_frozen_parameters_are_not_copied() -> None:
    encoder = apply_tuning(ImageEncoder(IMAGE_ENCODERS["vit-nano"], image_size=32, dim=8), "head")
    assert sum(a.numel() for a in Average({"image": encoder}, 0.9).averages) == sum(
        p.numel() for p in encoder.head.parameters()
    )
    off = Average({"image": encoder}, None)
    assert off.averages == [] and list(off.beside({"image": encoder})) == ["image"]


@pytest.mark.parametrize("method", ["lift", "clip"])
def test_checkpoint_and_validation_are_of_the_averages(
    method: str, tiny_dataset: Path, tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig(
        images=tiny_dataset, texts=tiny_store, out=tmp_path / "run", preset="smoke", batch_size=12, epochs=3,
        validations=1, tracker=("none",), method=method, ema=0.999, precision="fp32",  # type: ignore[arg-type]
    )  # fmt: skip
    weights: list[dict[str, dict[str, torch.Tensor]]] = []
    seen: list[torch.Tensor] = []

    class Watched(Average):
        def __init__(self, modules: dict[str, nn.Module], decay: float | None) -> None:
            super().__init__(modules, decay)
            self.modules_watched = [modules]
            self.note()

        def update(self) -> None:
            super().update()
            self.note()

        def note(self) -> None:
            weights.append(
                {
                    name: {n: p.detach().double().clone() for n, p in module.named_parameters()}
                    for name, module in self.modules_watched[0].items()
                }
            )

    validate = loop.validate

    def watched(encoder: ImageEncoder, *arguments: object) -> dict[str, float]:
        seen.append(encoder.positions.detach().clone())
        return validate(encoder, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "Average", Watched)
    monkeypatch.setattr(loop, "validate", watched)
    model = train(config)
    assert model is not None and len(weights) == 10  # as it began, and after nine steps
    for group in ("image", "text") if method == "clip" else ("image",):
        made = load_file(config.out / "checkpoint" / f"{group}.safetensors")
        for name, value in weights[0][group].items():
            for t in range(9):
                decay = (1 + t) / (10 + t)
                value = decay * value + (1 - decay) * weights[t + 1][group][name]
            assert (made[name] - value).abs().max() < 1e-6, name
        assert not torch.allclose(made["positions"].double(), weights[-1][group]["positions"], atol=1e-5)
        if group == "image":
            assert torch.equal(seen[0], made["positions"])
    facts = json.loads((config.out / "run.json").read_text())
    assert facts["weights"] == "moving average, decay 0.999" and facts["config"]["ema"] == 0.999
    assert "| weights | moving average, decay 0.999 |" in card_rows(model, facts)
    with pytest.raises(LiftError, match="--ema is 1"):
        train(replace(config, ema=1.0))
    with pytest.raises(LiftError, match=r"other settings \(ema"):
        train(replace(config, ema=None))
