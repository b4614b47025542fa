"""--dry-run and the check of memory and disk: against a measured peak, against sizes worked out, and refusals."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lift.artefact import sha256_file
from lift.data import Dataset
from lift.errors import LiftError
from lift.image import IMAGE_ENCODERS, ImageEncoder
from lift.store import EmbeddingStore
from lift.training import TrainConfig, dry_run, features, fitting, train
from lift.training.features import kept_threads
from lift.training.fitting import disk_of, memory_of
from lift.training.footprint import at_batch, loss_bytes, saved_bytes
from lift.training.resolving import resolve

MEASURED = """
import json, sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from lift.training import TrainConfig, dry_run, loop
from lift.training.resolving import resolve
dataset, store, method = sys.argv[1:]
config = resolve(TrainConfig(images=Path(dataset), texts=Path(store), out=Path("run"), preset="smoke",
    image_encoder="vit-mini", batch_size=512, epochs=1, method=method, precision="fp32"))
dataset, store = loop.Dataset(config.images), loop.EmbeddingStore(config.texts)
numbers = np.resize(dataset.split("train"), 512)
dry_run.TIMED = 1
plan = dry_run.rehearse(config, dataset, store, numbers, [], [])
print(json.dumps([sum(plan["memory"].values()), plan["memory_measured"]]))
"""


@pytest.fixture
def config(tiny_dataset: Path, tiny_store: Path, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        images=tiny_dataset, texts=tiny_store, out=tmp_path / "run", preset="smoke", batch_size=12, epochs=3,
        validations=1, tracker=("none",),
    )  # fmt: skip


@pytest.mark.parametrize("method", ["lift", "clip"])
def test_the_estimate_is_near_the_measured_peak(method: str, tiny_dataset: Path, tiny_store: Path) -> None:
    call = [sys.executable, "-c", MEASURED, str(tiny_dataset), str(tiny_store), method]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    estimate, measured = json.loads(done.stdout.splitlines()[-1])
    assert 0.8 < estimate / measured < 1.35, (estimate, measured)  # rather too much than too little


def test_saved_tensors_by_hand() -> None:
    layer = torch.nn.Linear(3, 5)

    def measure(count: int) -> list[int]:
        given = torch.zeros(count, 3)  # the input is known, the output of exp is saved
        return saved_bytes(lambda: layer(given).exp(), [given, *layer.parameters()])

    assert measure(2) == [2 * 5 * 4]
    assert at_batch(measure, 100) == (100 * 5 * 4, 100 * 5 * 4)


def test_a_loss_takes_several_squares_of_the_batch() -> None:
    squares = [loss_bytes("contrastive", 0.0, n, 16, 0, None, False) / (n * n * 4) for n in (512, 1024)]
    assert squares[0] == pytest.approx(squares[1], rel=0.1) and 3 < squares[1] < 10
    assert loss_bytes("cosine", 0.0, 1024, 16, 0, None, False) < 1024 * 16 * 4 * 10
    plain, weighed = (loss_bytes("contrastive", 0.0, 64, 512, 8, None, False, count) for count in (0, 8))
    assert weighed > plain + 64 * 8 * 4  # at least the logits once more


def test_rows_that_do_not_meet_are_lost_in_parts(
    config: TrainConfig, tiny_dataset: Path, tiny_store: Path
) -> None:
    dataset, store = Dataset(tiny_dataset), EmbeddingStore(tiny_store)

    def loss_of(**changes: Any) -> int:
        asked = resolve(replace(config, **changes))
        return memory_of(asked, dataset, store, dataset.split("train"))["loss"]

    assert loss_of(method="words", accumulate=3) < loss_of(method="words") / 2
    assert loss_of(accumulate=3) == loss_of()


def test_memory_and_disk_of_parts(config: TrainConfig, tiny_dataset: Path, tiny_store: Path) -> None:
    config = resolve(replace(config, ema=0.99))
    dataset, store = Dataset(tiny_dataset), EmbeddingStore(tiny_store)
    numbers = dataset.split("train")
    encoder = ImageEncoder(IMAGE_ENCODERS["vit-nano"], image_size=32, dim=384)
    size = 4 * sum(p.numel() for p in encoder.parameters())
    memory = memory_of(config, dataset, store, numbers, ["one more text"])
    assert memory["weights"] == size + 6 * 4  # mean and deviation of the colours
    assert memory["gradients"] == size and memory["AdamW's moments"] == memory["averaged weights"] == 2 * size
    texts = {text for n in numbers for text in dataset.rows[n].texts}
    assert memory["text vectors"] == (len(texts) + 1) * 384 * 4
    assert memory["batch"] == 12 * (3 * 32 * 32 + 384) * 4
    disk = disk_of(config, dataset, numbers, memory)
    assert disk["resume state, twice while it is renewed"] == 2 * 4 * size
    frozen = resolve(replace(config, tune="head", min_crop=1.0))
    small = memory_of(frozen, dataset, store, numbers)
    assert small["activations"] < memory["activations"] / 10 and small["gradients"] < size / 2
    assert disk_of(frozen, dataset, numbers, small)["vectors of the frozen body"] == 48 * 64 * 4


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"method": "clip"},
        {"method": "words", "accumulate": 3},
        {"tune": "head", "min_crop": 1.0},
        {"tune": "ridge"},
        {"neighbours": 2, "loss": "sigmoid"},
    ],
)
def test_a_dry_run_tells_and_makes_nothing(
    changes: dict[str, object], config: TrainConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(config.out.parent.rglob("*"))
    assert train(replace(config, dry_run=True, **changes)) is None  # type: ignore[arg-type]
    assert sorted(config.out.parent.rglob("*")) == before
    told = capsys.readouterr().out
    assert "Nothing was written" in told and "memory, together" in told
    assert ("epochs, steps" in told) == (changes.get("tune") != "ridge")


def test_what_does_not_fit_is_refused_before_anything_is_made(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fitting, "available_memory", lambda device: 8_000_000)
    for dry in (True, False):
        with pytest.raises(LiftError, match=r"a step needs about .* 8 MB are free") as refused:
            train(replace(config, dry_run=dry))
        assert "--batch-size" in refused.value.remedy and "--force" in refused.value.remedy
        assert not config.out.exists()
    train(replace(config, force=True))
    assert "beginning all the same" in capsys.readouterr().err
    train(config)  # a finished RUN needs nothing
    monkeypatch.undo()
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(fitting.shutil, "disk_usage", lambda place: usage(1000))
    with pytest.raises(LiftError, match="of disk, and 0 MB are free"):
        train(replace(config, out=config.out.parent / "other"))


def test_a_batch_that_would_fit_is_named(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = {"weights": 100, "activations": 1000}
    monkeypatch.setattr(fitting, "available_memory", lambda device: 600)
    with pytest.raises(LiftError, match="--batch-size 6 or less"):  # half of the activations have room
        fitting.check_fits(config, memory, {})


def test_the_dry_run_counts_what_the_run_counts(config: TrainConfig) -> None:
    seen: list[dict[str, object]] = []
    real = dry_run.tell
    dry_run.tell = lambda config, plan: seen.append(plan)
    try:
        train(replace(config, dry_run=True))
    finally:
        dry_run.tell = real
    train(config)
    made = json.loads((config.out / "run.json").read_text())
    assert seen[0]["steps"] == made["steps"] == 9
    assert seen[0]["flops"] == made["cost"]["flops_total"]
    assert seen[0]["parameters"]["image"] == made["parameters"]["image"]  # type: ignore[index]


def test_options_without_a_say_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    config = TrainConfig(images=Path(), texts=Path(), out=Path("run"), preset="smoke")
    resolve(config)
    assert capsys.readouterr().err == ""
    found = resolve(replace(config, tune="ridge", flip=True, epochs=3, ema=0.9, accumulate=2, context=99))
    assert capsys.readouterr().err == (
        "--tune ridge solves for the map in one step: --epochs, --flip, --ema, --accumulate have no say\n"
        "--method lift trains no text tower: --context has no say\n"
    )
    assert found.ema is None  # else run.json would tell of averaged weights
    resolve(replace(config, method="words", context=99))
    assert capsys.readouterr().err == "--method words trains no text tower: --context has no say\n"


def test_threads_of_kept_features_do_not_reach_the_training(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    file = tmp_path / "threads.json"
    file.write_text(json.dumps({"threads": threads + 1}))
    with kept_threads(file):
        assert torch.get_num_threads() == threads + 1
    assert torch.get_num_threads() == threads
    assert features.kept_threads is kept_threads


def test_the_state_of_the_global_generators_has_no_say(config: TrainConfig, tmp_path: Path) -> None:
    runs = []
    for number in (1, 2):
        random.seed(number)
        np.random.seed(number)
        torch.manual_seed(number)
        changes = {"loss": "sigmoid", "neighbours": 2, "flip": True, "ema": 0.9}
        runs.append(replace(config, out=tmp_path / str(number), name="run", **changes))  # type: ignore[arg-type]
        train(runs[-1])
    one, two = (sha256_file(run.out / "checkpoint" / "image.safetensors") for run in runs)
    assert one == two
