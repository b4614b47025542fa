"""Training: exact resume after kill -9, the pure functions of the order, the two arms on equal terms."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from conftest import train_tiny
from lift.artefact import new_folder, sha256_file
from lift.data import Dataset, DatasetWriter, Row
from lift.data.dataset import distinct_texts
from lift.data.sampling import TextTable, caption_turn, epoch_order, mixed_turn, random_crop
from lift.embedding import EmbedConfig, embed
from lift.errors import LiftError
from lift.image import IMAGE_ENCODERS, ImageEncoder
from lift.losses import LOSSES, contrastive_loss
from lift.store import EmbeddingStore
from lift.text import TextTower, train_tokenizer
from lift.training import PRESETS, TrainConfig, loop, train
from lift.training.arms import ClipArm
from lift.training.batches import Batch, ahead, batch_maker
from lift.training.cost import _meta_flops, step_flops
from lift.training.optimisation import learning_rate, make_optimiser
from lift.training.resolving import resolve
from lift.training.state import open_run, trim_log


def command(dataset: Path, store: Path, out: Path, method: str) -> list[str]:
    return [
        *(sys.executable, "-m", "lift.cli", "train", "--images", str(dataset), "--texts", str(store)),
        *("--out", str(out), "--preset", "smoke", "--batch-size", "6", "--epochs", "12", "--method", method),
        *("--checkpoint-steps", "7", "--validations", "2", "--flip"),
    ]


@pytest.mark.parametrize("method", ["lift", "clip"])
def test_kill_9_and_rerun_give_the_same_bytes(
    tiny_dataset: Path, tiny_store: Path, tmp_path: Path, method: str
) -> None:
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    subprocess.run(command(tiny_dataset, tiny_store, straight, method), check=True, capture_output=True)
    kills, run = 0, command(tiny_dataset, tiny_store, killed, method)
    for least in (10, 30, 50):  # kill when the log has passed this step, wherever the process then is
        process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and last_step(killed / "log.jsonl") < least:
            time.sleep(0.002)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        assert not (killed / "run.json").exists() or process.returncode == 0
    assert kills >= 1
    subprocess.run(run, check=True, capture_output=True)
    for file in sorted((straight / "checkpoint").iterdir()):
        assert sha256_file(file) == sha256_file(killed / "checkpoint" / file.name), file.name
    assert logged(straight) == logged(killed)
    again = subprocess.run(run, check=True, capture_output=True, text=True)
    assert "already done" in again.stdout


def last_step(log: Path) -> int:
    if not log.exists():
        return -1
    lines = log.read_text().splitlines()
    try:
        return int(json.loads(lines[-1])["step"]) if lines else -1
    except json.JSONDecodeError:
        return -1


def logged(run: Path) -> list[tuple[int, float | None]]:
    """(step, loss) of each line of the log: what must not depend on kills; times do."""
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [(entry["step"], entry.get("loss")) for entry in entries]


def test_other_settings_are_refused(tiny_run: Path, tiny_dataset: Path, tiny_store: Path) -> None:
    config = TrainConfig(
        images=tiny_dataset, texts=tiny_store, out=tiny_run, preset="smoke", batch_size=12, lr=0.5
    )
    with pytest.raises(LiftError, match=r"other settings \(.*lr"):
        train(config)
    with pytest.raises(LiftError, match="is not a RUN"):
        train(replace(config, out=tiny_dataset))


def test_mistakes_in_the_options_are_named(tiny_dataset: Path, tiny_store: Path, tmp_path: Path) -> None:
    config = TrainConfig(images=tiny_dataset, texts=tiny_store, out=tmp_path / "run", preset="smoke")
    with pytest.raises(LiftError, match="known: smoke, demo, small"):
        train(replace(config, preset="huge"))
    with pytest.raises(LiftError, match="known: cosine, contrastive, sigmoid"):
        train(replace(config, loss="triplet"))
    with pytest.raises(LiftError, match="one constant vector"):
        train(replace(config, method="clip", loss="cosine"))
    with pytest.raises(LiftError, match=r"give --batch-size 9 or less"):
        train(replace(config, batch_size=64))
    for field, value in (
        ("lr", 0.0),
        ("grad_clip", -1.0),
        ("checkpoint_steps", 0),
        ("epochs", 0),
        ("text_width", 100),
    ):
        with pytest.raises(LiftError, match=f"--{field.replace('_', '-')} is"):
            train(replace(config, **{field: value}))


def test_a_run_says_what_it_cost(tiny_run: Path, tiny_clip_run: Path) -> None:
    lift_run, clip_run = (json.loads((run / "run.json").read_text()) for run in (tiny_run, tiny_clip_run))
    assert lift_run["steps"] == clip_run["steps"] == 6 and lift_run["samples_seen"] == 72
    assert lift_run["parameters"]["image"] == clip_run["parameters"]["image"]
    assert lift_run["parameters"]["text"] == 0 < clip_run["parameters"]["text"]
    assert clip_run["cost"]["flops_total"] > lift_run["cost"]["flops_total"] > 0
    assert lift_run["cost"]["offline_text"]["texts"] == 48 + 12 + 48
    assert clip_run["cost"]["offline_text"] is None
    assert (tiny_run / "loss.png").stat().st_size > 1000 and list((tiny_run / "tensorboard").iterdir())
    assert not (tiny_run / "resume").exists()


def test_loss_goes_down_for_every_loss(tiny_dataset: Path, tiny_store: Path, tmp_path: Path) -> None:
    for loss in ("cosine", "contrastive", "sigmoid"):
        train(
            TrainConfig(
                images=tiny_dataset,
                texts=tiny_store,
                out=tmp_path / loss,
                preset="smoke",
                loss=loss,
                batch_size=12,
                epochs=30,
                min_crop=1.0,
                validations=1,
            )
        )
        values = [json.loads(line) for line in (tmp_path / loss / "log.jsonl").read_text().splitlines()]
        losses = [value["loss"] for value in values if "loss" in value]
        assert losses[-1] < 0.9 * losses[0], loss


def test_both_methods_start_alike_and_see_the_same(
    tiny_dataset: Path, tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[Any]] = {}

    def record(method: str) -> None:
        batches, starts, ids = [], [], []

        def maker(*arguments: Any) -> Callable[[int], Batch]:
            make = batch_maker(*arguments)

            def remember(step: int) -> Batch:
                batches.append((step, make(step)))
                return batches[-1][1]

            return remember

        def optimiser(modules: dict[str, nn.Module], config: TrainConfig) -> torch.optim.AdamW:
            starts.append({k: v.clone() for k, v in modules["image"].state_dict().items()})
            return make_optimiser(modules, config)

        def loss(*arguments: torch.Tensor) -> torch.Tensor:
            if not arguments[0].is_meta:  # the counting of FLOPs computes nothing
                ids.append(arguments[2].tolist())
            return contrastive_loss(*arguments)

        monkeypatch.setattr(loop, "batch_maker", maker)
        monkeypatch.setattr(loop, "make_optimiser", optimiser)
        monkeypatch.setitem(LOSSES, "contrastive", LOSSES["contrastive"]._replace(function=loss))
        train_tiny(tiny_dataset, tiny_store, tmp_path / method, method)
        seen[method] = [batches, starts, ids]

    record("lift")
    record("clip")
    for (step, one), (again, two) in zip(seen["lift"][0], seen["clip"][0], strict=True):
        assert step == again and torch.equal(one.images, two.images) and (one.texts == two.texts).all()
    assert len(seen["lift"][0]) == 6
    for name, value in seen["lift"][1][0].items():
        assert torch.equal(value, seen["clip"][1][0][name]), name
    # the loss is told which texts are the same, so that they can be masked
    assert seen["lift"][2] == seen["clip"][2] == [batch.texts.tolist() for _, batch in seen["lift"][0]]


def test_training_in_bf16(tiny_dataset: Path, tiny_store: Path, tmp_path: Path) -> None:
    config = TrainConfig(
        images=tiny_dataset, texts=tiny_store, out=tmp_path / "run", preset="smoke", batch_size=12
    )
    model = train(replace(config, precision="bf16"))
    exact = train(replace(config, precision="fp32", out=tmp_path / "exact"))
    one, two = (m.encode_image(Dataset(tiny_dataset).pixels[:4]) for m in (model, exact))
    assert not np.array_equal(one, two) and (one * two).sum(1).min() > 0.98


def test_a_loss_that_explodes_stops_with_a_remedy(
    tiny_dataset: Path, tiny_store: Path, tmp_path: Path
) -> None:
    config = TrainConfig(
        images=tiny_dataset, texts=tiny_store, out=tmp_path / "run", preset="smoke", batch_size=12
    )
    with pytest.raises(LiftError, match="no longer finite"):
        train(replace(config, lr=1e30, warmup=0))


def test_overwrite_never_deletes_what_is_not_a_run(
    tiny_dataset: Path, tiny_store: Path, tmp_path: Path
) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "photo.jpg").write_bytes(b"dear")
    config = TrainConfig(
        images=tiny_dataset, texts=tiny_store, out=tmp_path / "holiday", preset="smoke", batch_size=12
    )
    with pytest.raises(LiftError, match="will not delete it"):
        train(replace(config, overwrite=True))
    assert (tmp_path / "holiday" / "photo.jpg").read_bytes() == b"dear"


def test_overwrite_killed_between_any_two_file_operations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """As kill -9: nothing cleans up."""

    def old(out: Path) -> Path:
        for name in ("checkpoint/image.safetensors", "results/a.json", "run.json", "log.jsonl"):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_text("old")
        (out / "request.json").write_text('{"seed": 0}')
        return out

    def stopping(name: str, left: list[int]) -> Callable[..., Any]:
        real = getattr(os, name)

        def counted(*args: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(*args, **options)

        return counted

    for begin in (old, lambda out: out):  # over an old RUN, and where nothing is yet
        for allowed in range(100):
            out = begin(tmp_path / f"{begin.__name__}{allowed}")
            with monkeypatch.context() as patch:
                left = [allowed]
                for name in ("unlink", "rmdir", "mkdir", "fsync", "replace"):
                    patch.setattr(os, name, stopping(name, left))
                try:
                    open_run(out, {"seed": 1}, True)
                    break
                except Killed:
                    pass
            whole = (out / "checkpoint" / "image.safetensors").exists() and (out / "results/a.json").exists()
            assert whole or not (out / "run.json").exists(), allowed
            assert open_run(out, {"seed": 1}, True) == "new", allowed
            assert [file.name for file in out.iterdir()] == ["request.json"]
            assert open_run(out, {"seed": 1}, False) == "resume"
        assert allowed >= (10 if begin is old else 4)
    (tmp_path / "file").write_text("dear")
    for overwrite in (False, True):
        with pytest.raises(LiftError, match="not"):
            open_run(tmp_path / "file", {}, overwrite)


def test_overwrite_keeps_the_old_run_when_the_new_cannot_start(
    tiny_run: Path, tiny_dataset: Path, tiny_store: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    config = TrainConfig(
        images=tiny_dataset, texts=tiny_store, out=tmp_path / "run", preset="smoke", overwrite=True
    )
    with pytest.raises(LiftError, match="fewer than one batch"):
        train(replace(config, batch_size=64))
    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_dataset, damaged)
    with (damaged / "pixels.npy").open("r+b") as file:
        file.seek(500)
        file.write(b"\x00\x01\x02")
    with pytest.raises(LiftError, match=r"pixels\.npy has changed"):
        train(replace(config, images=damaged, batch_size=12))
    assert (tmp_path / "run" / "run.json").is_file()


def test_captions_take_turns() -> None:
    counts = np.array([1, 2, 5, 5])
    seen = np.stack([caption_turn(3, epoch, counts) for epoch in range(10)])
    assert (seen < counts).all()
    for row, count in enumerate(counts):
        assert np.bincount(seen[:, row], minlength=count).tolist() == [10 // count] * count


def test_long_captions_come_at_their_share() -> None:
    short, long = np.array([2, 0, 3, 5]), np.array([2, 3, 0, 1])
    seen = np.stack([mixed_turn(3, epoch, short, long, 0.25) for epoch in range(40)])
    assert (seen >= 0).all() and (seen < short + long).all()
    # Rows 0 and 3 have both: ten of 40 epochs are long, one in every four; each kind takes turns.
    for row in (0, 3):
        is_long = seen[:, row] >= short[row]
        assert is_long.reshape(10, 4).sum(1).tolist() == [1] * 10
        for kind, count in ((seen[is_long, row], long[row]), (seen[~is_long, row], short[row])):
            assert set(np.bincount(kind)[-count:]) == {len(kind) // count}
    for row in (1, 2):
        assert (seen[:, row] == [caption_turn(3, epoch, short + long)[row] for epoch in range(40)]).all()
    assert (mixed_turn(3, 5, short, long, 0.0)[[0, 3]] < [2, 5]).all()
    assert (mixed_turn(3, 5, short, long, 1.0)[[0, 3]] >= [2, 5]).all()
    rows = [Row("a", ["x", "y"], "train", ["z z z"]), Row("b", ["y"], "train", ["z z z"])]
    table = TextTable(rows, {"x": 10, "y": 11, "z z z": 12})
    assert table.flat[table.places(0, 4, 1.0)].tolist() == [12, 12]


def test_order_is_a_permutation_that_changes_with_the_epoch_only() -> None:
    first, again, next_ = epoch_order(0, 0, 50), epoch_order(0, 0, 50), epoch_order(0, 1, 50)
    assert sorted(first) == list(range(50)) and (first == again).all() and (first != next_).any()


def test_text_table_points_at_the_right_text() -> None:
    rows = [Row("a", ["x", "y"], "train"), Row("b", ["y"], "train", ["z z z"])]
    table = TextTable(rows, {"x": 10, "y": 11, "z z z": 12})
    drawn = np.stack([table.of_epoch(0, epoch) for epoch in range(2)])
    assert sorted(drawn[:, 0]) == [10, 11] and sorted(drawn[:, 1]) == [11, 12]


def test_crops_are_repeatable_and_identity_at_full_size() -> None:
    pixels = torch.randint(0, 256, (4, 16, 16, 3), dtype=torch.uint8)
    whole = random_crop(pixels, 0, 5, scale=(1.0, 1.0), flip=False)
    assert torch.equal(whole, pixels.permute(0, 3, 1, 2).float() / 255)
    one, two = (random_crop(pixels, 0, 5, scale=(0.3, 1.0), flip=True) for _ in range(2))
    assert torch.equal(one, two) and one.shape == (4, 3, 16, 16)
    assert not torch.equal(one, random_crop(pixels, 0, 6, scale=(0.3, 1.0), flip=True))
    assert one.min() >= 0 and one.max() <= 1


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_crops_keep_exactly_the_share(share: float) -> None:
    across = torch.arange(32, dtype=torch.uint8).mul(8).repeat(32, 1)
    ramps = torch.stack([across, across.T, across], dim=-1)[None].expand(64, 32, 32, 3).contiguous()
    crops = random_crop(ramps, 0, 0, scale=(share, share), flip=False) * 255 / 8
    wide = (crops[:, 0, 16, -1] - crops[:, 0, 16, 0]) / 31  # of the photo's width
    high = (crops[:, 1, -1, 16] - crops[:, 1, 0, 16]) / 31
    assert torch.allclose(wide * high, torch.full((64,), share), atol=0.04)
    assert (wide <= 1.001).all() and (high <= 1.001).all() and wide.std() > 0.01


def test_the_whole_photo_is_kept_when_only_mirrored() -> None:
    pixels = torch.randint(0, 256, (20, 16, 16, 3), dtype=torch.uint8)
    whole = pixels.permute(0, 3, 1, 2).float() / 255
    crops = random_crop(pixels, 0, 0, scale=(1.0, 1.0), flip=True)
    straight = (crops - whole).abs().amax((1, 2, 3)) < 1e-4
    mirrored = (crops - whole.flip(-1)).abs().amax((1, 2, 3)) < 1e-4
    assert (straight ^ mirrored).all() and 3 < mirrored.sum() < 17


def test_flip_mirrors_about_half() -> None:
    ramp = torch.arange(8, dtype=torch.uint8).repeat(8, 1)[None, :, :, None].expand(200, 8, 8, 3).contiguous()
    crops = random_crop(ramp, 0, 0, scale=(0.999, 1.0), flip=True)
    mirrored = (crops[:, 0, 4, 0] > crops[:, 0, 4, -1]).float().mean().item()
    assert 0.4 < mirrored < 0.6


@pytest.mark.parametrize("device", ["cpu", "cuda"])  # made in the same thread, or one ahead in another
def test_batches_come_once_each_and_in_order(device: str) -> None:
    def make(step: int) -> Batch:
        return Batch(torch.tensor(step), np.array([step]))

    assert [int(batch.texts[0]) for batch in ahead(make, range(3, 9), device)] == [3, 4, 5, 6, 7, 8]
    assert list(ahead(make, range(4, 4), device)) == []


def test_learning_rate_by_hand() -> None:
    rates = [learning_rate(step, 1000, peak=2.0, warmup=100) for step in (0, 49, 99, 100, 550, 999)]
    assert rates[:5] == pytest.approx([0.02, 1.0, 2.0, 2.0, 1.0]) and 0 < rates[5] < 1e-4
    assert learning_rate(9, 50, peak=1.0, warmup=100) == pytest.approx(
        1.0
    )  # a short run warms up over a fifth


def test_decay_touches_matrices_only() -> None:
    tower = TextTower(train_tokenizer(["a b"], vocabulary=260), width=64, depth=1, dim=8, context=4)
    modules: dict[str, nn.Module] = {
        "image": ImageEncoder(IMAGE_ENCODERS["vit-nano"], image_size=32, dim=8),
        "text": tower,
    }
    config = TrainConfig(images=Path(), texts=Path(), out=Path("run"), preset="smoke")
    decayed, free = make_optimiser(modules, resolve(config)).param_groups
    assert decayed["weight_decay"] == 0.2 and free["weight_decay"] == 0.0
    names = {id(p): f"{m}.{n}" for m, module in modules.items() for n, p in module.named_parameters()}
    free_names = {names[id(p)] for p in free["params"]}
    assert {
        "image.positions",
        "text.positions",
        "text.tokens.weight",
        "image.stem.bias",
        "image.norm.weight",
    } <= free_names
    assert not any(n.endswith(("qkv.weight", "head.0.weight", "projection.weight")) for n in free_names)


def test_flops_equal_the_analytic_count() -> None:
    shape, size, dim, batch = IMAGE_ENCODERS["vit-mini"], 64, 384, 8
    encoder = ImageEncoder(shape, image_size=size, dim=dim)
    tokens, width = (size // shape.patch) ** 2, shape.width
    block = 2 * tokens * width * width * 12 + 2 * 2 * tokens * tokens * width
    stem = 2 * tokens * width * 3 * shape.patch**2
    head = 2 * (width * dim + dim * dim)
    forward = stem + shape.depth * block + head
    logits = 2 * batch * batch * dim
    # Backward costs twice the forward, but nothing flows back into the pixels, nor into fixed text vectors.
    expected = batch * (3 * forward - stem) + 2 * logits
    assert step_flops(encoder, batch, "contrastive", None) == pytest.approx(expected, rel=0.01)


def test_a_clip_step_costs_more_the_longer_the_text() -> None:
    encoder = ImageEncoder(IMAGE_ENCODERS["vit-mini"], image_size=64, dim=384)
    tower = TextTower(train_tokenizer(["a b"], vocabulary=260), width=128, depth=6, dim=384, context=256)
    costs = [step_flops(encoder, 8, "contrastive", tower, [(8, length)]) for length in (32, 77, 256)]
    assert step_flops(encoder, 8, "contrastive", None) < costs[0] < costs[1] < costs[2]
    text = (tower.tokenizer, (("width", 128), ("depth", 6), ("dim", 384), ("context", 256)))
    image = (encoder.shape, encoder.image_size, encoder.dim)
    assert costs == [_meta_flops(image, 8, "contrastive", text, length) for length in (32, 77, 256)]


def worded_arm() -> tuple[ClipArm, np.ndarray]:
    """A CLIP arm over texts of 1 to 40 words, and a batch of their numbers in no order."""
    texts = [" ".join(["red", "ball", "on", "snow"] * 10)[: 4 * n + 3] for n in range(40)]
    rows = [Row(str(n), [text], "train") for n, text in enumerate(texts)]
    torch.manual_seed(0)
    config = TrainConfig(images=Path(), texts=Path(), out=Path("run"), preset="smoke", method="clip")
    return ClipArm(rows, resolve(config), dim=16, depth=2), np.random.default_rng(0).permutation(40)[:24]


def test_buckets_give_the_features_and_gradients_of_one_padded_batch() -> None:
    arm, numbers = worded_arm()
    tower = arm.tower
    weight = torch.randn(24, 16, generator=torch.Generator().manual_seed(1))
    found = []
    for text_features in (arm.text_features, lambda chosen: tower(arm.ids[torch.from_numpy(chosen)])):
        tower.zero_grad()
        features = text_features(numbers)
        (features * weight).sum().backward()
        found.append((features.detach(), [p.grad.clone() for p in tower.parameters()]))
    (fast, fast_gradients), (slow, slow_gradients) = found
    assert len(arm.computed(numbers)) > 1
    assert (fast - slow).abs().max() < 1e-6
    largest = max(g.abs().max() for g in slow_gradients)
    for one, two in zip(fast_gradients, slow_gradients, strict=True):
        assert (one - two).abs().max() < 1e-6 * largest


def test_flops_of_a_step_in_buckets_are_those_that_are_counted() -> None:
    arm, numbers = worded_arm()
    encoder = ImageEncoder(IMAGE_ENCODERS["vit-nano"], image_size=32, dim=16)
    buckets = arm.computed(numbers)
    assert sum(count for count, _ in buckets) == 24
    images, ids = torch.rand(24, 3, 32, 32), torch.from_numpy(numbers)
    with (
        FlopCounterMode(display=False) as counter,
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
    ):
        features = arm.text_features(numbers)
        LOSSES["contrastive"].function(
            encoder(images), features, ids, torch.tensor(10.0), torch.tensor(0.0)
        ).backward()
    assert step_flops(encoder, 24, "contrastive", arm.tower, buckets) == counter.get_total_flops()
    longest = max(length for _, length in buckets)
    assert counter.get_total_flops() < step_flops(encoder, 24, "contrastive", arm.tower, [(24, longest)])


def test_log_lines_behind_the_saved_step_are_dropped(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 10}\n{"step": 20}\n{"step": 3')
    trim_log(log, 10)
    assert log.read_text() == '{"step": 10}\n'


def test_presets_are_complete() -> None:
    for name in PRESETS:
        config = resolve(TrainConfig(images=Path(), texts=Path(), out=Path("run"), preset=name))
        assert config.image_encoder in IMAGE_ENCODERS and config.epochs and config.batch_size and config.lr


def test_dataset_of_the_fixture_is_as_described(tiny_dataset: Path) -> None:
    dataset = Dataset(tiny_dataset)
    assert (len(dataset), len(dataset.split("train")), len(dataset.split("val"))) == (48, 36, 12)


def test_a_store_that_grew_is_the_same_run(
    tiny_dataset: Path, tiny_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(tiny_store, store)
    config = TrainConfig(
        images=tiny_dataset, texts=store, out=tmp_path / "run", preset="smoke", batch_size=12, validations=0
    )
    train(config)
    with new_folder(tmp_path / "more") as folder:
        writer = DatasetWriter(folder, name="more", image_size=8, resize_mode="squash")
        writer.add(np.zeros((8, 8, 3), np.uint8), Row("0", ["a text of another set"], "train"))
        writer.close(request={}, report={}, source="")
    embed(EmbedConfig(dataset=tmp_path / "more", out=store))
    capsys.readouterr()
    train(config)
    assert "already done" in capsys.readouterr().out
    store_of = EmbeddingStore(store)
    known = distinct_texts([r for r in Dataset(tiny_dataset).rows if r.split == "train"])
    assert store_of.digest(known) == EmbeddingStore(tiny_store).digest(known[::-1])
    assert store_of.digest(known) != store_of.digest(known[1:])
