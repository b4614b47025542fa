"""Many processes, parts of a batch, recomputed and compiled blocks: all of them compute what one process computes."""

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
import psutil
import pytest
import torch
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

from lift.artefact import sha256_file
from lift.data.sampling import random_crop
from lift.embedding import EmbedConfig, embed
from lift.errors import LiftError
from lift.training import TrainConfig, train
from lift.training.execution import check_compiler
from lift.training.parallel import Ranks
from lift.training.request import request_of
from lift.training.resolving import resolve
from ranks_by_hand import BATCH, CASES, HARD, WAYS, apart, free_ports, gradients_of, main, trial

CLOSE = 1e-5


@pytest.fixture(scope="module")
def hard_store(tiny_dataset: Path, tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny STORE with the hard negatives appended."""
    out = tmp_path_factory.mktemp("hard") / "store"
    shutil.copytree(tiny_store, out)
    embed(EmbedConfig(tiny_dataset, out, hard_negatives=True))
    return out


@pytest.fixture
def config(tiny_dataset: Path, hard_store: Path, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        tiny_dataset, hard_store, tmp_path / "run", preset="smoke", batch_size=BATCH, precision="fp32"
    )


@pytest.fixture(scope="module")
def met(
    tiny_dataset: Path, hard_store: Path, tiny_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """What each of three real processes found."""
    folder = tmp_path_factory.mktemp("met")
    (folder / "tower").symlink_to(tiny_run)
    torch.multiprocessing.spawn(main, (folder, tiny_dataset, hard_store, free_ports(8)), nprocs=3)
    found = [json.loads((folder / f"found-{number}.json").read_text()) for number in range(3)]
    return [{**each, "folder": folder} for each in found]


def image_weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoint" / "image.safetensors")


def furthest(one: Path, two: Path) -> float:
    """The largest difference between two runs' weights."""
    weights = image_weights(two)
    return max((value - weights[name]).abs().max().item() for name, value in image_weights(one).items())


def test_two_processes_compute_the_loss_and_gradients_of_one(met: list[dict[str, Any]]) -> None:
    for process in met[:2]:
        for case in CASES:
            for way in WAYS:
                assert process[f"{case}, {way}"] < CLOSE, (case, way)
        assert 0 < process["bf16"] < 0.05  # the weights themselves are rounded to three digits


def test_a_run_goes_on_with_any_number_of_processes(met: list[dict[str, Any]]) -> None:
    """Begun by two copies, stopped, gone on by three shards, stopped, ended by one process."""
    folder = met[0]["folder"]
    assert met[2]["straight"] == met[0]["1 processes"] == "done"
    assert furthest(folder / "run", folder / "straight") < 2e-5
    manifest = json.loads((folder / "run" / "run.json").read_text())
    assert manifest["steps"] == 10 and manifest["machine"]["processes"] == 1

    straight = dict(map(tuple, met[2]["straight seen"]))
    assert sorted(map(len, straight.values())) == [7] * 10
    for epoch in range(2):  # each photo once an epoch
        photos = [photo for step in range(5 * epoch, 5 * epoch + 5) for photo in straight[step]]
        assert len(set(photos)) == len(photos) == 35
    # Steps 0-3 are saved by two, 4-7 by three; what was taken behind the last saving is taken again.
    for count, steps, shares in ((2, range(4), [4, 3]), (3, range(4, 8), [3, 2, 2]), (1, range(8, 10), [7])):
        own = [dict(map(tuple, met[number][f"{count} processes seen"])) for number in range(count)]
        for step in steps:
            assert [len(seen[step]) for seen in own] == shares
            assert [photo for seen in own for photo in seen[step]] == straight[step]
    logged = [
        {e["step"]: e["loss"] for e in map(json.loads, (folder / run / "log.jsonl").open()) if "loss" in e}
        for run in ("run", "straight")
    ]
    assert logged[0].keys() == logged[1].keys() and logged[0][10] == pytest.approx(logged[1][10], abs=1e-4)


def test_one_error_ends_all_and_is_told_once(met: list[dict[str, Any]]) -> None:
    assert met[1]["broken"] == "InterruptedError: killed"
    assert met[0]["broken"] == "LiftError: process 1 has failed: killed"
    # The same mistake in both is told by the one that found it first.
    for what, message in (
        ("no batch", "fewer than one batch of 37"),
        ("diverged", "the loss or its gradient is no longer finite"),
    ):
        told = sorted(process[what] for process in met[:2])
        assert message in told[0] and told[0].startswith("LiftError") and told[1].startswith("SystemExit")


def test_torchrun_trains_one_model_and_survives_a_kill(config: TrainConfig, tmp_path: Path) -> None:
    config = replace(config, batch_size=7, epochs=8, checkpoint_steps=5, validations=1)
    many = replace(config, out=tmp_path / "many")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    torchrun += ["--master-port", str(free_ports(1)[0]), "-m", "lift", "train", "--parallel", "ddp"]
    torchrun += ["--images", str(many.images), "--texts", str(many.texts), "--out", str(many.out)]
    torchrun += ["--preset", "smoke", "--batch-size", "7", "--epochs", "8", "--precision", "fp32"]
    torchrun += ["--checkpoint-steps", "5", "--validations", "1"]
    process = subprocess.Popen(torchrun, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = many.out / "log.jsonl"
    while process.poll() is None and not (log.exists() and log.stat().st_size):
        time.sleep(0.005)
    workers = psutil.Process(process.pid).children()
    assert len(workers) == 2 and not (many.out / "run.json").exists()
    os.kill(workers[1].pid, signal.SIGKILL)
    assert process.wait() != 0 and not workers[0].is_running()
    assert sorted((many.out / "resume").glob("step-*"))
    train(many)  # the same run, now by one process
    train(config)
    assert furthest(many.out, config.out) < 1e-3


@pytest.mark.parametrize("case", ["contrastive", "sigmoid", "cosine", "hard negatives", "clip"])
def test_parts_of_a_batch_give_the_gradients_of_the_whole(config: TrainConfig, case: str) -> None:
    whole = resolve(replace(config, **CASES[case]))
    parts = replace(whole, accumulate=4, checkpointing=True)
    assert apart(gradients_of(parts, Ranks()), gradients_of(whole, Ranks())) < CLOSE


def test_recomputed_blocks_give_the_same_bytes(config: TrainConfig) -> None:
    for tune in ("full", "last:1"):
        plain = resolve(replace(config, tune=tune))
        assert (
            apart(gradients_of(replace(plain, checkpointing=True), Ranks()), gradients_of(plain, Ranks()))
            == 0
        )


def test_a_run_in_parts_is_the_same_run(config: TrainConfig) -> None:
    train(config)
    other = replace(config, out=config.out.with_name("parts"), accumulate=2, checkpointing=True)
    train(other)
    assert furthest(config.out, other.out) < 1e-4
    made = sha256_file(config.out / "checkpoint" / "image.safetensors")
    train(replace(config, accumulate=3, checkpointing=True))  # already done
    assert sha256_file(config.out / "checkpoint" / "image.safetensors") == made
    costs = [
        json.loads((run / "run.json").read_text())["cost"]["flops_total"] for run in (config.out, other.out)
    ]
    assert 1.3 < costs[1] / costs[0] < 1.7  # one more forward pass, and one more of the blocks
    resolved = resolve(config)
    ways = {"parallel": "fsdp", "accumulate": 2, "checkpointing": True, "compile": True, "device": "cuda"}
    assert request_of(replace(resolved, **ways), "d", "f", "v") == request_of(resolved, "d", "f", "v")  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{}, HARD, {"loss": "cosine"}, {"method": "clip", "context": 32}])
def test_flops_in_parts_are_those_that_are_counted(config: TrainConfig, options: dict[str, Any]) -> None:
    ways = resolve(replace(config, **options, accumulate=2, checkpointing=True))
    gradients, batch, _ = trial(ways, Ranks())
    math = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
    with FlopCounterMode(display=False) as counter, math:
        gradients.of_step(batch)
    assert gradients.flops(batch) == counter.get_total_flops()


def test_a_share_of_a_batch_has_the_crops_of_the_whole() -> None:
    pixels = torch.randint(0, 256, (7, 16, 16, 3), dtype=torch.uint8)
    how: dict[str, Any] = {"scale": (0.3, 1.0), "flip": True}
    whole = random_crop(pixels, 0, 5, **how)
    for number in range(3):
        rows = Ranks(number, 3).rows(7)
        assert torch.equal(random_crop(pixels[rows], 0, 5, first=rows.start, total=7, **how), whole[rows])


def test_every_row_is_in_one_part() -> None:
    parts = Ranks(0, 3).parts(10, 2)
    assert [[len(rows) for rows in rank] for rank in parts] == [[2, 2], [2, 1], [2, 1]]
    assert np.concatenate([rows for rank in parts for rows in rank]).tolist() == list(range(10))
    assert [Ranks(number, 3).rows(10) for number in range(3)] == [slice(0, 4), slice(4, 7), slice(7, 10)]


def test_what_many_processes_cannot_do_is_named(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LiftError, match="--accumulate is 0"):
        train(replace(config, accumulate=0))
    with pytest.raises(LiftError, match="too small for 1 process with --accumulate 10"):
        train(replace(config, accumulate=10))
    monkeypatch.setenv("WORLD_SIZE", "2")
    many = replace(config, parallel="ddp")
    with pytest.raises(LiftError, match="each would train a model of its own"):
        train(config)
    with pytest.raises(LiftError, match="solves for its head in one process"):
        train(replace(many, tune="ridge"))
    with pytest.raises(LiftError, match="too small for 2 processes with --accumulate 5"):
        train(replace(many, accumulate=5))


def test_compiled_blocks(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, real = resolve(config), torch.compile
    compiled: list[object] = []

    def traced(
        function: Any, dynamic: bool | None
    ) -> Any:  # without the C++ compiler, which takes twenty seconds
        compiled.append(dynamic)
        return real(function, backend="eager", dynamic=dynamic)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "compile", traced)
        found = gradients_of(replace(plain, compile=True, checkpointing=True), Ranks())
    assert compiled == 4 * [None]  # the blocks of vit-nano
    assert apart(found, gradients_of(plain, Ranks())) < CLOSE
    compiled.clear()
    clip = resolve(replace(config, method="clip"))
    with monkeypatch.context() as patch:
        patch.setattr(torch, "compile", traced)
        found = gradients_of(replace(clip, compile=True), Ranks())
    assert compiled == 4 * [None] + 4 * [True]  # and of the text tower, for texts of any length
    assert apart(found, gradients_of(clip, Ranks())) < CLOSE

    def broken(*arguments: object) -> None:
        raise RuntimeError("no C++ compiler\nwas found")

    monkeypatch.setattr(torch, "compile", broken)
    with pytest.raises(LiftError, match=r"torch\.compile does not work here: no C\+\+ compiler"):
        check_compiler("cpu")
