"""Batches are the same bytes whoever makes them, every sample comes once, and workers never stay behind."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lift.data import Dataset, ShardCache, cache
from lift.data.sampling import epoch_order, random_crop, windowed_order
from lift.data.shards import ShardPixels
from lift.errors import LiftError
from lift.evaluation import EvaluateConfig, evaluate
from lift.indexing import IndexConfig, index
from lift.training import TrainConfig, train
from lift.training.batches import Batch, BatchMaker, unreadable_photos
from lift.training.workers import default_workers, made_ahead
from shards_by_hand import damage, in_shards, maker, remote


def batches(make: BatchMaker, steps: range, workers: int) -> list[Batch]:
    with made_ahead(make, steps, replace(make.config, workers=workers)) as coming:
        found = list(coming)
    assert not multiprocessing.active_children()
    return found


def same(one: Batch, two: Batch) -> bool:
    return torch.equal(one.images, two.images) and np.array_equal(one.texts, two.texts)


@pytest.fixture(scope="module", params=["pixels", "shards", "memory"])
def dataset(
    request: pytest.FixtureRequest, tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory
) -> Dataset:
    """36 photos to train on: memory-mapped, in shards on disk, and in shards on object storage."""
    out = tmp_path_factory.mktemp("loading")
    if request.param == "shards":
        return in_shards(tiny_dataset, out / "made")
    if request.param == "memory":
        return remote(tiny_dataset, f"memory://{out.name}/photos", out / "cache", photo_format="npy")
    return Dataset(tiny_dataset)


def test_any_number_of_workers_gives_the_same_batches(dataset: Dataset, tmp_path: Path) -> None:
    make, state = maker(dataset, tmp_path), torch.get_rng_state()
    alone = batches(make, range(3, 11), 0)  # four steps an epoch: three epochs are touched
    for workers in (1, 2, 3):
        found = batches(make, range(3, 11), workers)
        assert all(map(same, alone, found)) and len(found) == 8
    assert all(map(same, alone[4:], batches(maker(dataset, tmp_path), range(7, 11), 2)))  # begun there
    assert torch.equal(torch.get_rng_state(), state)
    assert batches(make, range(5, 5), 2) == [] and len(batches(make, range(2), 3)) == 2


@pytest.mark.parametrize("ranks", [2, 3])
def test_parts_of_a_batch_are_those_of_the_whole(dataset: Dataset, tmp_path: Path, ranks: int) -> None:
    bounds = np.linspace(0, 8, ranks + 1).astype(int)
    for flip, crop in ((True, 0.3), (False, 1.0)):
        whole = maker(dataset, tmp_path, flip=flip, min_crop=crop)
        makers = [
            maker(dataset, tmp_path, slice(int(a), int(b)), flip=flip, min_crop=crop)
            for a, b in itertools.pairwise(bounds)
        ]
        for step in (0, 5):
            one, parts = whole(step), [make(step) for make in makers]
            assert torch.equal(one.images, torch.cat([part.images for part in parts]))
            assert all(np.array_equal(one.texts, part.texts) for part in parts)


@pytest.mark.parametrize("dataset", ["pixels", "memory"], indirect=True)
def test_every_sample_comes_once_even_when_a_restart_has_other_numbers(
    dataset: Dataset, tmp_path: Path
) -> None:
    def seen(steps: range, ranks: int, workers: int) -> list[list[int]]:
        """Rows by step, of all ranks together."""
        bounds = np.linspace(0, 6, ranks + 1).astype(int)
        found: list[list[int]] = [[] for _ in steps]
        for first, last in itertools.pairwise(bounds):
            make = maker(dataset, tmp_path, slice(int(first), int(last)), batch_size=6)
            # every caption of a photo has a number: three to a photo
            for place, batch in enumerate(batches(make, steps, workers)):
                found[place] += [int(text) // 3 for text in batch.texts[first:last]]
        return found

    plain = seen(range(12), 1, 0)
    for epoch in (0, 1):  # six steps of six
        rows = [row for step in plain[6 * epoch : 6 * epoch + 6] for row in step]
        assert sorted(rows) == list(range(36))
    numbers = [(ranks, workers) for workers in (0, 2) for ranks in (1, 2, 3)]
    for place, (ranks, workers) in enumerate(numbers):  # each goes on with the numbers that stand opposite
        others = numbers[-1 - place]
        start = place % 3 * 4
        assert seen(range(start, 4 + start), ranks, workers) == plain[start : start + 4]
        assert seen(range(4 + start, 12), *others) == plain[4 + start :]


def test_shards_are_mixed_in_groups(tmp_path: Path) -> None:
    shard_of = np.array([4] * 5 + [1] * 3 + [7] * 6 + [0] * 2 + [2] * 4)
    order, groups, ends = windowed_order(3, 1, shard_of, 2)
    assert sorted(order) == list(range(20)) and [len(group) for group in groups] == [2, 2, 1]
    assert sorted(np.concatenate(groups)) == [0, 1, 2, 4, 7] and ends[-1] == 20
    for group, start, end in zip(groups, [0, *ends], ends, strict=False):
        assert set(shard_of[order[start:end]]) == set(group)
    assert not np.array_equal(order, windowed_order(3, 2, shard_of, 2)[0])
    assert np.array_equal(order, windowed_order(3, 1, shard_of, 2)[0])
    one, _, _ = windowed_order(
        0, 0, np.repeat(np.arange(50), 20), 50
    )  # all at once: as mixed as a permutation
    assert (
        abs(np.corrcoef(one, np.arange(1000))[0, 1])
        < 0.1
        > abs(np.corrcoef(epoch_order(0, 0, 1000), one)[0, 1])
    )


def test_crops_of_a_part_are_those_of_the_whole() -> None:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), dtype=np.uint8))
    whole = random_crop(pixels, 1, 2, scale=(0.2, 1.0), flip=True)
    part = random_crop(pixels[4:7], 1, 2, scale=(0.2, 1.0), flip=True, first=4, total=9)
    assert torch.equal(whole[4:7], part)


def test_shards_are_fetched_once_a_pass_and_the_cache_must_hold_the_mixed_ones(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"memory://{tmp_path.name}/photos"
    made = in_shards(tiny_dataset, url, photo_format="npy")
    one = max(entry["bytes"] for entry in made.manifest["shards"]) / 1e9
    there = Dataset(url, cache=ShardCache(tmp_path / "cache", 6.5 * one))
    fetches, read = tmp_path / "fetches", cache.fetched

    def counted(place: Any, shard: Any, waits: Any = None) -> bytes:
        with fetches.open("a") as file:
            file.write(f"{shard.name}\n")
        return read(place, shard, waits)

    monkeypatch.setattr(cache, "fetched", counted)
    make = maker(there, tmp_path / "run", batch_size=6)
    batches(make, range(6), 2)
    names = fetches.read_text().split()
    assert {"train" in name for name in names} == {True}
    assert len(set(names)) == 6 and len(names) <= 8  # six shards; two of the next pass are fetched ahead
    small = Dataset(url, cache=ShardCache(tmp_path / "small", 3 * one))
    with pytest.raises(LiftError, match="--cache-gb"):
        maker(small, tmp_path / "run")


def test_a_damaged_photo_is_replaced_counted_and_told(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = in_shards(tiny_dataset, tmp_path / "made")
    sound = {step: maker(made, tmp_path / "sound")(step) for step in range(8)}
    for number in (10, 11):
        damage(made, number)
    make = maker(made, tmp_path / "run")
    found = batches(make, range(8), 2)
    assert all(map(same, found, batches(maker(made, tmp_path / "run"), range(8), 0)))
    replaced = 0
    for step, batch in enumerate(found):
        for place, (text, before) in enumerate(zip(batch.texts, sound[step].texts, strict=True)):
            if before // 3 in (10, 11):  # the next photo that can be read, with its own text
                assert text // 3 == 12
                replaced += 1
            else:
                assert text == before and torch.equal(batch.images[place], sound[step].images[place])
    keys = ["images/10.png", "images/11.png"]
    assert replaced >= 2 and sorted(make.unreadable) == keys
    told = capsys.readouterr().err
    assert all(told.count(f"photo {key} cannot be read (the photo has changed") == 1 for key in keys)
    lines = (tmp_path / "run" / "unreadable.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["key"] for line in lines) == keys
    with pytest.raises(LiftError, match=r"photo images/1\d.png in shard"):
        _ = made.pixels[[9, 10]]
    for number in (*range(10), *range(12, 36)):
        damage(made, number)
    with pytest.raises(LiftError, match="cannot be read"):
        batches(maker(made, tmp_path / "lost"), range(8), 1)
    (tmp_path / "made" / "shards" / "train-000002.tar").unlink()
    with pytest.raises(LiftError, match=r"train-000002.tar cannot be opened .*\n.*it goes on"):
        batches(maker(made, tmp_path / "gone", batch_size=36), range(1), 2)


def test_what_stands_in_is_listed_and_counted_once_and_a_dry_run_writes_nothing(
    tiny_dataset: Path, tiny_store: Path, tmp_path: Path
) -> None:
    made, run = in_shards(tiny_dataset, tmp_path / "made"), tmp_path / "run"
    damage(made, 10)
    batches(make := maker(made, run, batch_size=36), range(1), 0)
    (step,) = ([key for key, _, _ in make.listed(0)],)
    assert step.count("images/11.png") == 2 and "images/10.png" not in step
    (text,) = {int(text) // 3 for key, text, _ in make.listed(0) if key == "images/11.png"}
    assert text == 11
    file = run / "unreadable.jsonl"
    file.write_text(file.read_text() * 2 + '{"key": "ima')  # of two processes, and cut by a kill
    assert maker(made, run).unreadable == unreadable_photos(run) == make.unreadable
    config = TrainConfig(
        images=made.address, texts=tiny_store, out=tmp_path / "dry", preset="smoke", batch_size=36, validations=0,
        dry_run=True,
    )  # fmt: skip
    assert train(config) is None and not config.out.exists()


def test_a_worker_that_dies_is_an_error_with_a_remedy(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, look = maker(Dataset(tiny_dataset), tmp_path), BatchMaker.look

    def dies(self: BatchMaker, wanted: Any) -> Any:
        if wanted.step == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return look(self, wanted)

    monkeypatch.setattr(BatchMaker, "look", dies)
    with pytest.raises(LiftError, match=r"has died[\s\S]*fewer --workers"):
        batches(make, range(8), 2)
    assert not multiprocessing.active_children()


def test_workers_are_gone_when_the_training_fails(tiny_dataset: Path, tmp_path: Path) -> None:
    make = maker(Dataset(tiny_dataset), tmp_path)
    with (
        pytest.raises(ZeroDivisionError),
        made_ahead(make, range(100), replace(make.config, workers=2)) as coming,
    ):
        next(coming)
        assert len(multiprocessing.active_children()) == 2
        _ = 1 / 0
    assert not multiprocessing.active_children()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_ctrl_c_that_python_drops_is_heard_at_the_next_batch(tiny_dataset: Path, tmp_path: Path) -> None:
    class Pressed:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)  # what is raised here is dropped

    make, usual = maker(Dataset(tiny_dataset), tmp_path), signal.getsignal(signal.SIGINT)
    with (
        pytest.raises(KeyboardInterrupt),
        made_ahead(make, range(100), replace(make.config, workers=2)) as coming,
    ):
        next(coming)
        Pressed()
        next(coming)
        pytest.fail("nobody has heard it")
    assert not multiprocessing.active_children() and signal.getsignal(signal.SIGINT) is usual


def test_ctrl_c_leaves_no_process(tiny_dataset: Path, tmp_path: Path) -> None:
    script = """
        import sys, time
        from dataclasses import replace
        from pathlib import Path
        sys.path[:0] = {paths!r}
        from lift.data import Dataset
        from lift.training.workers import made_ahead
        from shards_by_hand import maker
        make = maker(Dataset({dataset!r}), Path({out!r}))
        with made_ahead(make, range(10**6), replace(make.config, workers=2)) as coming:
            for step, batch in enumerate(coming):
                if step == 3:
                    print("ready", flush=True)
    """
    paths = [str(Path(__file__).parent)]
    code = textwrap.dedent(script).format(paths=paths, dataset=str(tiny_dataset), out=str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes of the group
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert errors.count("KeyboardInterrupt") == 1  # the workers say nothing
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a worker is still there")


def test_a_run_on_shards_with_workers_is_the_run_without(
    tiny_dataset: Path, tiny_store: Path, tmp_path: Path
) -> None:
    url, weights = f"memory://{tmp_path.name}/photos", []
    in_shards(tiny_dataset, url)
    for workers in (0, 2):
        config = TrainConfig(
            images=url,
            texts=tiny_store,
            out=tmp_path / f"run-{workers}",
            preset="smoke",
            batch_size=12,
            epochs=1,
            validations=1,
            workers=workers,
            shuffle_shards=3,
            cache=tmp_path / "cache",
        )
        train(config)
        weights.append((config.out / "checkpoint" / "image.safetensors").read_bytes())
    assert weights[0] == weights[1]
    manifest = json.loads((tmp_path / "run-2" / "run.json").read_text())
    assert manifest["config"]["images"] == url and "unreadable_photos" not in manifest
    evaluate(EvaluateConfig(run=tmp_path / "run-2", task="retrieval"))
    assert len(list((tmp_path / "run-2" / "results").glob("*.json"))) == 1
    assert (
        index(IndexConfig(run=tmp_path / "run-2", photos=url, out=tmp_path / "index", split="val"))
        is not None
    )
    assert isinstance(Dataset(url).pixels, ShardPixels)


def test_workers_by_default() -> None:
    assert default_workers("cpu") == 0 and default_workers("mps") == 0 and 1 <= default_workers("cuda:1") <= 8
