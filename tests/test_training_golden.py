"""The first losses of every method are those that were stored (see golden_losses.py), and a wrong setting is not."""

from __future__ import annotations

import json

import numpy as np
import pytest

from golden_losses import CURVES, STORED, curve, inputs
from lift.training import TrainConfig

TOLERANCE = 0.005  # two threads instead of one move them by 0.000004; 5 % more learning rate by 0.74


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return inputs(tmp_path_factory.mktemp("golden"))


@pytest.mark.parametrize("name", CURVES)
def test_losses_are_the_stored_ones(name: str, config: TrainConfig) -> None:
    stored = json.loads(STORED.read_text())[name]
    found = curve(config, **CURVES[name])
    assert len(found) == 20
    assert np.abs(np.subtract(found, stored)).max() < TOLERANCE


@pytest.mark.parametrize("wrong", [{"lr": 1.05e-3}, {"weight_decay": 2.0}])
def test_a_wrong_setting_is_seen(wrong: dict[str, float], config: TrainConfig) -> None:
    stored = json.loads(STORED.read_text())["lift contrastive"]
    assert np.abs(np.subtract(curve(config, **wrong), stored)).max() > 4 * TOLERANCE  # type: ignore[arg-type]
