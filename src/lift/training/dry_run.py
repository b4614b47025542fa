"""lift train --dry-run: what a training would be and take, from a few real steps; nothing is written."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import torch

from lift.console import say, show_table
from lift.data import Dataset
from lift.data.sampling import TextTable
from lift.image import ImageEncoder
from lift.negatives import texts_of
from lift.sentences import texts_of_runs
from lift.store import EmbeddingStore
from lift.training.arms import Arm, build, loss_of, modules_of, new_scalars
from lift.training.batches import batch_maker
from lift.training.captions import Runs
from lift.training.config import TrainConfig
from lift.training.cost import body_flops, peak_memory, reset_peak_memory
from lift.training.features import BATCH_ROWS, frozen_body
from lift.training.fitting import check_fits, disk_of, gigabytes, memory_of
from lift.training.gradients import Gradients
from lift.training.negatives import Found
from lift.training.optimisation import autocast, make_optimiser
from lift.training.parallel import Ranks
from lift.training.sharding import Placement
from lift.training.validation import seen_photos

WARM, TIMED = 2, 5
ENOUGH = 60.0  # seconds after which no further step is begun


def rehearse(
    config: TrainConfig,
    dataset: Dataset,
    store: EmbeddingStore,
    numbers: np.ndarray,
    found: Found,
    runs: Runs,
) -> dict[str, Any]:
    """Everything that --dry-run tells, printed and returned; LiftError when memory or disk will not do.

    numbers: the training photos. found: their hard negatives. runs: sentences of their long captions.
    """
    more = [*texts_of(found), *texts_of_runs(runs)]
    memory = memory_of(config, dataset, store, numbers, more)
    disk = disk_of(config, dataset, numbers, memory)
    check_fits(config, memory, disk)
    steps = 0 if config.tune == "ridge" else len(numbers) // (config.batch_size or 1) * (config.epochs or 0)
    reset_peak_memory(config.device)
    before = peak_memory(config.device)
    torch.manual_seed(config.seed)
    rows = [dataset.rows[n] for n in numbers]
    encoder, arm = build(config, dataset.image_size, rows, store, more)
    text = 0 if arm.tower is None else sum(p.numel() for p in arm.tower.parameters())
    body = (
        body_pass(config, encoder, dataset, numbers) if frozen_body(config) else {"seconds": 0.0, "flops": 0}
    )
    plan: dict[str, Any] = {
        "photos": len(numbers),
        "epochs": config.epochs if steps else None,
        "steps": steps,
        "parameters": {
            "image": sum(p.numel() for p in encoder.parameters()),
            "text": text,
            "trained": text + sum(p.numel() for p in encoder.parameters() if p.requires_grad),
        },
        "body": body,
        "memory": memory,
        "disk": disk,
    }
    if steps:
        plan |= timed_steps(config, encoder, arm, dataset, numbers, runs)
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
    arm: Arm,
    dataset: Dataset,
    numbers: np.ndarray,
    runs: Runs,
) -> dict[str, Any]:
    """Real steps on the real data: median seconds, mean FLOPs.

    Negatives beside the batch are texts by chance: which ones they are changes neither time nor memory.
    """
    rows = [dataset.rows[n] for n in numbers]
    loss = loss_of(config)
    scalars = new_scalars(loss).to(config.device)
    modules = modules_of(encoder, arm, scalars)
    own, kept, alone = config.hard_negatives + config.neighbours, frozen_body(config), Ranks()
    placement = Placement(modules, arm, config, alone, kept=kept)
    optimiser = make_optimiser(placement.learning, config)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    gradients = Gradients(placement, arm, loss, scalars, config, alone)
    make_batch = batch_maker(dataset, numbers, TextTable(rows, arm.number_of), config, runs=runs)
    lots = np.random.default_rng(config.seed)
    seconds, flops, began_all = [], [], time.perf_counter()
    for step in range(WARM + TIMED):
        began = time.perf_counter()
        batch = make_batch(step % (len(rows) // (config.batch_size or 1)))
        if kept:
            shape = (len(batch.texts), encoder.shape.width)
            batch = batch._replace(images=torch.zeros(shape, device=config.device))
        if own:
            batch = batch._replace(negatives=lots.integers(0, len(arm.number_of), (len(batch.texts), own)))
        optimiser.zero_grad(set_to_none=True)
        value = gradients.of_step(batch)
        placement.clip(parameters, config.grad_clip)
        optimiser.step()
        value.item()  # waits for the device
        seconds.append(time.perf_counter() - began)
        flops.append(gradients.flops(batch))
        if step and time.perf_counter() - began_all > ENOUGH:
            break
    timed = seconds[WARM:] or seconds[1:]
    return {
        "seconds_per_step": statistics.median(timed),
        "flops_per_step": statistics.fmean(flops),
        "timed": len(timed),
    }


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
