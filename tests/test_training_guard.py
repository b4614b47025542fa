"""The guard: its rule by hand, what it keeps, skipping, stopping, and the same verdicts after a kill."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lift.artefact import sha256_file
from lift.data import Dataset
from lift.errors import LiftError
from lift.losses import LOSSES, contrastive_loss
from lift.training import TrainConfig, guard, loop, train
from lift.training.arms import LiftArm
from lift.training.batches import batch_maker
from lift.training.guard import LEAST, Guard, bounds, photos_of


@pytest.fixture
def config(tiny_dataset: Path, tiny_store: Path, tmp_path: Path) -> TrainConfig:
    """Forty steps of twelve photos."""
    return TrainConfig(
        images=tiny_dataset,
        texts=tiny_store,
        out=tmp_path / "run",
        preset="smoke",
        batch_size=12,
        epochs=14,
        validations=0,
        tracker=("none",),
    )


def spoil(monkeypatch: pytest.MonkeyPatch, factors: dict[int, float]) -> None:
    """Multiply the loss of these steps (counted from 1 in this process) by a factor."""
    steps = 0

    def loss(*arguments: Tensor, **more: Any) -> Tensor:
        nonlocal steps
        value = contrastive_loss(*arguments, **more)
        if arguments[0].is_meta:  # the counting of FLOPs and bytes
            return value
        steps += 1
        return value * factors.get(steps, 1.0)

    monkeypatch.setitem(LOSSES, "contrastive", LOSSES["contrastive"]._replace(function=loss))


def judged(watch: Guard, step: int, loss: float, norm: float) -> guard.Verdict:
    return watch.judge(step, torch.tensor(loss), torch.tensor(norm), scale=torch.tensor(14.0), rate=0.1)


def test_the_bound_by_hand() -> None:
    assert bounds([1.0] * (LEAST - 1), 5.0)[1] == math.inf
    # Median 2, absolute deviations 1, 0, 1: their median is 1; 2 + 10 * 1.4826 lies above 5 * 2.
    values = [1.0, 2.0, 3.0] * 10
    assert bounds(values, 5.0) == pytest.approx((2.0, 2 + 14.826))
    assert bounds(values, 9.0) == pytest.approx((2.0, 18.0))


def test_a_spike_is_noted_once_and_a_lasting_change_becomes_normal(config: TrainConfig) -> None:
    watch = Guard(config, lambda step: [{"key": str(step)}])
    (config.out).mkdir()
    for step in range(1, 41):
        assert not judged(watch, step, 4.0 + step % 3 / 10, 1.0 + step % 5 / 10).entry
    verdict = judged(watch, 41, 4.1, 30.0)
    assert verdict == (False, {"loss": pytest.approx(4.1), "grad_norm": 30.0, "spike": 1})
    kept = json.loads((config.out / "spikes" / "step-41.json").read_text())
    assert kept["photos"] == [{"key": "41"}] and kept["median"] == {
        "loss": pytest.approx(4.1),
        "grad_norm": pytest.approx(1.2),
    }
    assert kept["logit_scale"] == 14.0 and kept["learning_rate"] == 0.1 and kept["done"] == "note"
    assert "the gradient norm is 30, 25 times its recent median 1.2" in kept["reason"]
    spikes = sum(bool(judged(watch, step, 4.1, 30.0).entry) for step in range(42, 142))
    assert 35 <= spikes <= 45  # until half of what is known is of the new kind
    assert not judged(watch, 200, 4.1, 30.0).entry


def test_nothing_is_judged_while_the_learning_rate_rises(config: TrainConfig) -> None:
    watch = Guard(config, lambda step: [], rising=50)
    config.out.mkdir()
    for step in range(1, 50):
        assert not judged(watch, step, 4.1, 1.0 + step % 5 / 10).entry
    assert not judged(watch, 50, 4.1, 30.0).entry and not (config.out / "spikes").exists()
    assert judged(watch, 51, 4.1, 30.0).entry
    assert not judged(watch, 52, 4.1, 9.0).entry  # 7.5 medians of 1.2, as sound trainings have them
    assert judged(watch, 53, 4.1, 13.0).entry
    with pytest.raises(LiftError, match="no longer finite"):  # that is told at any step
        judged(Guard(config, lambda step: [], rising=50), 1, math.inf, 1.0)


def test_photos_are_those_of_the_step(config: TrainConfig, tiny_store: Path, tiny_dataset: Path) -> None:
    config = replace(config, min_crop=1.0)
    dataset, numbers = Dataset(tiny_dataset), Dataset(tiny_dataset).split("train")
    rows = [dataset.rows[n] for n in numbers]
    arm = LiftArm(loop.EmbeddingStore(tiny_store), rows, "cpu")
    make = batch_maker(dataset, numbers, loop.TextTable(rows, arm.number_of), config)
    texts, keys = list(arm.number_of), {row.key: row for row in dataset.rows}
    for step in (1, 3, 4, 40):
        batch = make(step - 1)
        found = photos_of(make, arm)(step)
        assert [photo["text"] for photo in found] == [texts[n] for n in batch.texts]
        assert all(photo["text"] in keys[photo["key"]].texts for photo in found)
        where = [dataset.rows.index(keys[photo["key"]]) for photo in found]
        pixels = torch.from_numpy(np.array(dataset.pixels[where])).permute(0, 3, 1, 2).float() / 255
        assert torch.equal(pixels, batch.images)


def test_nan_stops_with_the_file_or_is_skipped(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(monkeypatch, {20: math.nan})
    with pytest.raises(LiftError, match=r"step 20: .*no longer finite .*step-20\.json") as stop:
        train(config)
    assert "--on-spike skip" in stop.value.remedy
    kept = json.loads((config.out / "spikes" / "step-20.json").read_text())
    assert kept["loss"] == "nan" and kept["done"] == "stop" and len(kept["photos"]) == 12
    assert set(kept["photos"][0]) == {"key", "text"}

    spoil(monkeypatch, {20: math.nan, 35: 1000.0})
    train(replace(config, on_spike="skip"))  # the same RUN goes on
    made = json.loads((config.out / "run.json").read_text())
    assert made["guard"] == {"spikes": 1, "not_finite": 1, "skipped": 2} and made["steps"] == 42
    assert sorted(file.name for file in (config.out / "spikes").iterdir()) == ["step-20.json", "step-35.json"]
    log = [json.loads(line) for line in (config.out / "log.jsonl").read_text().splitlines()]
    told = {entry["step"]: entry for entry in log if "skipped" in entry}
    assert list(told) == [20, 35] and "loss" not in told[20] and told[35]["loss"] > 100
    assert "step 35 is left out" in capsys.readouterr().err


def test_too_many_skipped_in_a_row_stop(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, dict.fromkeys(range(1, 100), math.nan))
    with pytest.raises(LiftError, match="20 steps in a row"):
        train(replace(config, on_spike="skip"))


def test_a_killed_run_judges_as_an_undisturbed_one(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = replace(config, on_spike="skip", checkpoint_steps=16, ema=0.9)
    spoil(monkeypatch, {35: 1000.0})
    train(config)

    class Killed(Exception):
        pass

    real: Callable[..., None] = loop.save_state

    def die(*arguments: Any) -> None:
        real(*arguments)
        raise Killed

    killed = replace(config, out=tmp_path / "killed", name="run")
    spoil(monkeypatch, {})
    monkeypatch.setattr(loop, "save_state", die)
    with pytest.raises(Killed):
        train(killed)
    monkeypatch.setattr(loop, "save_state", real)
    spoil(monkeypatch, {35 - 16: 1000.0})  # 19 values of its own would be too few to judge by
    train(killed)
    for file in sorted((config.out / "checkpoint").iterdir()):
        assert sha256_file(file) == sha256_file(killed.out / "checkpoint" / file.name), file.name
    assert json.loads((killed.out / "run.json").read_text())["guard"]["skipped"] == 1
    one, two = (json.loads((run / "spikes" / "step-35.json").read_text()) for run in (config.out, killed.out))
    assert one == two
