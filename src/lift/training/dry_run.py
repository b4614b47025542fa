"""lift train --dry-run: what a training would be and take, from a few real steps; nothing is written."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from lift.console import say, show_table
from lift.data import Dataset
from lift.data.sampling import TextTable
from lift.image import ImageEncoder
from lift.losses import LOSSES, OwnNegatives, with_cosine
from lift.negatives import texts_of
from lift.store import EmbeddingStore
from lift.training.arms import Arm, ClipArm, LiftArm, Scalars, new_encoder
from lift.training.batches import Batch, batch_maker
from lift.training.config import TrainConfig
from lift.training.cost import body_flops, peak_memory, reset_peak_memory, step_flops
from lift.training.features import BATCH_ROWS
from lift.training.fitting import check_fits, disk_of, frozen_body, gigabytes, memory_of
from lift.training.negatives import Found
from lift.training.optimisation import autocast, make_optimiser
from lift.training.validation import seen_photos

WARM, TIMED = 2, 5
ENOUGH = 60.0  # seconds after which no further step is begun


def rehearse(
    config: TrainConfig, dataset: Dataset, store: EmbeddingStore, numbers: np.ndarray, found: Found
) -> dict[str, Any]:
    """Everything that --dry-run tells, printed and returned; LiftError when memory or disk will not do.

    numbers: the training photos. found: their hard negatives.
    """
    memory = memory_of(config, dataset, store, numbers, texts_of(found))
    disk = disk_of(config, dataset, numbers, memory)
    check_fits(config, memory, disk)
    steps = 0 if config.tune == "ridge" else len(numbers) // (config.batch_size or 1) * (config.epochs or 0)
    reset_peak_memory(config.device)
    before = peak_memory(config.device)
    torch.manual_seed(config.seed)
    encoder = new_encoder(config, dataset.image_size, store.dim)
    body = (
        body_pass(config, encoder, dataset, numbers) if frozen_body(config) else {"seconds": 0.0, "flops": 0}
    )
    plan: dict[str, Any] = {
        "photos": len(numbers),
        "epochs": config.epochs if steps else None,
        "steps": steps,
        "parameters": {
            "image": sum(p.numel() for p in encoder.parameters()),
            "text": 0,
            "trained": sum(p.numel() for p in encoder.parameters() if p.requires_grad),
        },
        "body": body,
        "memory": memory,
        "disk": disk,
    }
    if steps:
        plan |= timed_steps(config, encoder, dataset, store, numbers, found, plan["parameters"])
        plan["memory_measured"] = peak_memory(config.device) - before
    plan["seconds"] = body["seconds"] + steps * plan.get("seconds_per_step", 0.0)
    plan["flops"] = body["flops"] + steps * plan.get("flops_per_step", 0.0)
    tell(config, plan)
    return plan


def body_pass(
    config: TrainConfig, encoder: ImageEncoder, dataset: Dataset, numbers: np.ndarray
) -> dict[str, Any]:
    """Seconds and FLOPs of the frozen body over all photos, told from two batches; the first warms up."""
    photos = seen_photos(dataset, numbers, config)
    chosen = np.sort(photos[:BATCH_ROWS])
    for _ in range(2):
        began = time.perf_counter()
        with torch.inference_mode(), autocast(config):
            pixels = torch.from_numpy(dataset.pixels[chosen]).to(config.device)
            encoder.pooled(pixels.permute(0, 3, 1, 2).float().div_(255)).float().cpu()
        seconds = (time.perf_counter() - began) / len(chosen)
    return {"seconds": seconds * len(photos), "flops": body_flops(encoder, len(photos))}


def timed_steps(
    config: TrainConfig,
    encoder: ImageEncoder,
    dataset: Dataset,
    store: EmbeddingStore,
    numbers: np.ndarray,
    found: Found,
    parameters: dict[str, int],
) -> dict[str, Any]:
    """Real steps on the real data: median seconds, mean FLOPs; adds the text tower's `parameters`.

    Negatives beside the batch are texts by chance: which ones they are changes neither time nor memory.
    """
    rows = [dataset.rows[n] for n in numbers]
    arm: Arm
    if config.method == "clip":
        arm = ClipArm(rows, config, dim=store.dim, depth=encoder.shape.depth)
    else:
        arm = LiftArm(store, rows, config.device, texts_of(found))
    loss = with_cosine(LOSSES[config.loss], config.cosine_weight)
    scalars = Scalars(
        loss.initial_scale, loss.initial_bias, learns_scale=loss.learns_scale, learns_bias=loss.learns_bias
    ).to(config.device)
    modules: dict[str, nn.Module] = {"image": encoder, "scalars": scalars}
    if arm.tower is not None:
        modules["text"] = arm.tower
        parameters["text"] = sum(p.numel() for p in arm.tower.parameters())
        parameters["trained"] += parameters["text"]
    optimiser = make_optimiser(modules, config)
    own, kept = config.hard_negatives + config.neighbours, frozen_body(config)
    make_batch = batch_maker(dataset, numbers, TextTable(rows, arm.number_of), config)
    lots = np.random.default_rng(config.seed)
    seconds, flops, began_all = [], [], time.perf_counter()
    for step in range(WARM + TIMED):
        began = time.perf_counter()
        batch = make_batch(step % (len(rows) // (config.batch_size or 1)))
        if kept:
            shape = (len(batch.texts), encoder.shape.width)
            batch = batch._replace(images=torch.zeros(shape, device=config.device))
        strangers = lots.integers(0, len(arm.number_of), (len(batch.texts), own)) if own else None
        with autocast(config):
            features = (encoder.from_pooled if kept else encoder)(batch.images)
            texts = arm.text_features(batch.texts)
        more: dict[str, Any] = {} if config.mask_similar is None else {"similar": config.mask_similar}
        if strangers is not None:
            there = torch.ones(strangers.shape, dtype=torch.bool, device=config.device)
            more["own"] = OwnNegatives(arm.text_features(strangers), there)
        ids = torch.from_numpy(batch.texts).to(config.device)
        value = loss.function(features, texts, ids, scalars.log_scale.exp(), scalars.bias, **more)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        value.item()  # waits for the device
        seconds.append(time.perf_counter() - began)
        flops.append(flops_of(config, encoder, arm, batch, own))
        if step and time.perf_counter() - began_all > ENOUGH:
            break
    timed = seconds[WARM:] or seconds[1:]
    return {
        "seconds_per_step": statistics.median(timed),
        "flops_per_step": statistics.fmean(flops),
        "timed": len(timed),
    }


def flops_of(config: TrainConfig, encoder: ImageEncoder, arm: Arm, batch: Batch, own: int) -> int:
    """FLOPs of one step."""
    kept, masked = frozen_body(config), config.mask_similar is not None
    texts, size = arm.computed(batch.texts), config.batch_size or 0
    return step_flops(encoder, size, config.loss, arm.tower, texts, kept=kept, own=own, masked=masked)


def tell(config: TrainConfig, plan: dict[str, Any]) -> None:
    """Print the plan."""
    known, memory = plan["parameters"], plan["memory"]
    lines = [
        ("parameters: image, text, trained", f"{known['image']:,}, {known['text']:,}, {known['trained']:,}")
    ]
    lines.append(("training photos", f"{plan['photos']:,}"))
    if plan["steps"]:
        lines += [
            ("epochs, steps", f"{plan['epochs']:,}, {plan['steps']:,}"),
            ("FLOPs a step", f"{plan['flops_per_step']:.3g}"),
            (f"time a step (median of {plan['timed']})", f"{plan['seconds_per_step']:.3g} s"),
        ]
    if plan["body"]["seconds"]:
        lines.append(("frozen body over all photos, once", f"{plan['body']['seconds']:.0f} s"))
    lines += [(f"memory: {part}", gigabytes(count)) for part, count in memory.items() if count]
    lines.append(("memory, together", gigabytes(sum(memory.values()))))
    if "memory_measured" in plan:
        lines.append(("memory, measured in these steps", gigabytes(plan["memory_measured"])))
    lines += [(f"disk: {part}", gigabytes(count)) for part, count in plan["disk"].items() if count]
    lines += [
        ("FLOPs in all", f"{plan['flops']:.3g}"),
        ("time in all, without validation and saving", f"{plan['seconds'] / 60:.1f} minutes"),
    ]
    show_table(
        f"lift train --dry-run: {config.image_encoder}, {config.method}, on {config.device}", ["", ""], lines
    )
    say(f"Nothing was written. {config.out} would take about {gigabytes(sum(plan['disk'].values()))}.")
