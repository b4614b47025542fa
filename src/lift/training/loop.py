"""The training loop, top to bottom."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from lift.console import note, progress_bar, say
from lift.data import Dataset
from lift.data.dataset import distinct_texts
from lift.data.sampling import TextTable
from lift.errors import LiftError
from lift.image import ImageEncoder, encoder_shape
from lift.losses import LOSSES, MAX_LOGIT_SCALE, with_cosine
from lift.model import Model
from lift.negatives import texts_of
from lift.store import EmbeddingStore
from lift.training.arms import Arm, ClipArm, LiftArm, Scalars, new_encoder
from lift.training.averaging import Average
from lift.training.batches import ahead, batch_maker
from lift.training.closed_form import LEAST_PHOTOS, solve
from lift.training.config import TrainConfig
from lift.training.cost import peak_memory, reset_peak_memory, step_flops
from lift.training.dry_run import rehearse
from lift.training.features import keep_features
from lift.training.finish import finish, write_entry
from lift.training.fitting import check_start
from lift.training.guard import Guard, photos_of
from lift.training.negatives import Found, NegativeTable, check_vectors_of, find_hard_negatives, gather
from lift.training.optimisation import autocast, learning_rate, make_optimiser
from lift.training.request import request_of
from lift.training.resolving import resolve
from lift.training.state import load_state, open_run, save_state, trim_log
from lift.training.trackers import Trackers
from lift.training.validation import seen_photos, validate, validation_photos

LOG_EVERY = 10


def train(config: TrainConfig) -> Model | None:
    """Train as `config` says, or go on with a killed run of the same settings; returns the trained Model.

    LiftError when it would not fit into memory or on the disk. With dry_run only that is told, and nothing returned.
    """
    config = resolve(config)
    dataset, store = Dataset(config.images), EmbeddingStore(config.texts)
    photos = training_photos(dataset, config).tolist()
    found = find_hard_negatives(config, dataset, photos)
    check_inputs(config, dataset, store)
    check_vectors_of(config, dataset, store, found)
    if config.dry_run:
        rehearse(config, dataset, store, np.array(photos), found)
        return None
    check_start(config, dataset, store, np.array(photos), texts_of(found))
    used = [*distinct_texts([dataset.rows[n] for n in photos]), *texts_of(found)]
    vectors = store.digest(used) if config.method == "lift" else None
    request = request_of(config, dataset.id, store.fingerprint.digest, vectors, texts_of(found))
    standing = open_run(config.out, request, config.overwrite)
    if standing == "done":
        say(f"{config.out}: already done")
        return Model.load(config.out, device=config.device)
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        if config.tune == "ridge":
            solve(config, dataset, store)
        else:
            run_steps(config, dataset, store, found)
    finally:
        torch.use_deterministic_algorithms(deterministic)
    return Model.load(config.out, device=config.device)


def training_photos(dataset: Dataset, config: TrainConfig) -> np.ndarray:
    """Row numbers of the training photos that have a text; LiftError when they do not fill one batch."""
    numbers = dataset.split(config.train_split)
    usable = np.array([n for n in numbers if dataset.rows[n].texts], dtype=np.int64)
    if config.tune == "ridge" and len(usable) >= LEAST_PHOTOS:  # it knows no batches
        return usable
    if len(usable) < (config.batch_size or 0):
        raise LiftError(
            f"{len(usable)} training photos with texts are fewer than one batch of {config.batch_size}",
            f"give --batch-size {max(2, len(usable) // 4)} or less, or ingest more photos",
        )
    return usable


def check_inputs(config: TrainConfig, dataset: Dataset, store: EmbeddingStore) -> None:
    """Everything that can be known to be wrong before --overwrite deletes anything or an hour is spent."""
    numbers = training_photos(dataset, config)
    if config.validations:
        validation_photos(dataset, config)
    rows = [dataset.rows[n] for n in numbers]
    if config.long_share is not None and not any(row.captions and row.long_captions for row in rows):
        raise LiftError(
            "--long-share mixes short and long captions, and no training photo has both",
            "leave --long-share away",
        )
    shape = encoder_shape(config.image_encoder or "", config.image_pooling)
    with torch.device("meta"):
        ImageEncoder(shape, image_size=dataset.image_size, dim=store.dim)
    if config.method == "lift":
        store.rows(distinct_texts(rows))
    dataset.check()
    store.check()


def run_steps(  # noqa: C901, PLR0915 - the training loop reads as prose, top to bottom
    config: TrainConfig, dataset: Dataset, store: EmbeddingStore, found: Found
) -> None:
    """Everything between an opened RUN folder and its finished run.json; `found` are the hard negatives."""
    assert (
        config.image_encoder
        and config.batch_size
        and config.epochs
        and config.lr
        and config.warmup is not None
    )
    numbers = training_photos(dataset, config)
    rows = [dataset.rows[n] for n in numbers]

    # One seed, the image tower first: LIFT and CLIP start from the same image weights.
    torch.manual_seed(config.seed)
    encoder = new_encoder(config, dataset.image_size, store.dim)
    kept = keep_features(encoder, dataset, seen_photos(dataset, numbers, config), config)
    encode = encoder if kept is None else encoder.from_pooled
    arm: Arm
    negatives = None
    if config.method == "clip":
        arm = ClipArm(rows, config, dim=store.dim, depth=encoder.shape.depth)
    else:
        arm = LiftArm(store, rows, config.device, texts_of(found))
        if found or config.neighbours:
            negatives = NegativeTable(config, rows, arm, found)
    loss = with_cosine(LOSSES[config.loss], config.cosine_weight)
    more: dict[str, Any] = {} if config.mask_similar is None else {"similar": config.mask_similar}
    own, masked = (0 if negatives is None else negatives.width), config.mask_similar is not None
    scalars = Scalars(
        loss.initial_scale, loss.initial_bias, learns_scale=loss.learns_scale, learns_bias=loss.learns_bias
    ).to(config.device)
    modules: dict[str, nn.Module] = {"image": encoder, "scalars": scalars}
    if arm.tower is not None:
        modules["text"] = arm.tower
    optimiser = make_optimiser(modules, config)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]

    make_batch = batch_maker(dataset, numbers, TextTable(rows, arm.number_of), config, kept, negatives)
    per_epoch = len(rows) // config.batch_size
    steps = per_epoch * config.epochs
    validate_at = {round(steps * (i + 1) / config.validations) for i in range(config.validations)}
    average = Average(modules, config.ema)
    stateful = average.beside(modules)
    facts = load_state(config.out, stateful, optimiser) or {
        "step": 0,
        "seconds": 0.0,
        "flops": 0,
        "memory": 0,
    }
    first = facts["step"]
    photos = photos_of(config, dataset, numbers, arm, negatives)
    guard = Guard(config, photos, facts.get("guard"), first)
    if facts.get("threads", torch.get_num_threads()) != torch.get_num_threads():
        note(
            f"going on with {facts['threads']} threads, as before: another number would give other last digits"
        )
        torch.set_num_threads(facts["threads"])
    reset_peak_memory(config.device)
    trim_log(config.out / "log.jsonl", first)
    if first:
        note(f"going on at step {first} of {steps}")

    log = (config.out / "log.jsonl").open("a", encoding="utf-8")
    seconds, flops = facts["seconds"], facts["flops"]
    saved_at = began = time.perf_counter()
    latest: dict[str, float] = facts.get("validation", {})
    trackers = Trackers(config, first)
    with progress_bar(f"training {config.name}", steps, done=first) as bar, log, trackers:
        remaining = range(first, steps)
        for step, batch in zip(remaining, ahead(make_batch, remaining, config.device), strict=True):
            rate = learning_rate(step, steps, peak=config.lr, warmup=config.warmup)
            for group in optimiser.param_groups:
                group["lr"] = rate * group["lr_scale"]
            with autocast(config):
                image_features = encode(batch.images)
                text_features = arm.text_features(batch.texts)
            ids = torch.from_numpy(batch.texts).to(config.device)
            if batch.negatives is not None:
                more["own"] = gather(arm, batch.negatives, config.device)
            scale, bias = scalars.log_scale.exp(), scalars.bias
            value = loss.function(image_features, text_features, ids, scale, bias, **more)
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            norm = nn.utils.clip_grad_norm_(parameters, config.grad_clip)
            verdict = guard.judge(step + 1, value, norm, scale=scale, rate=rate)
            if not verdict.skip:
                optimiser.step()
                with torch.no_grad():
                    scalars.log_scale.clamp_(max=math.log(MAX_LOGIT_SCALE))
                average.update()
            paused = time.perf_counter()  # counting a new text length takes a moment that is no training
            texts, at_hand = arm.computed(batch.texts), kept is not None
            flops += step_flops(
                encoder,
                config.batch_size,
                config.loss,
                arm.tower,
                texts,
                kept=at_hand,
                own=own,
                masked=masked,
            )
            began += time.perf_counter() - paused

            done = step + 1
            entry: dict[str, Any] = dict(verdict.entry)
            if done % LOG_EVERY == 0 or done == steps:
                now = seconds + time.perf_counter() - began
                entry |= {
                    "loss": round(value.item(), 6),
                    "lr": rate,
                    "logit_scale": round(scalars.log_scale.exp().item(), 4),
                    "grad_norm": round(norm.item(), 4),
                    "seconds": round(now, 2),
                    "samples_per_second": round((done - first) * config.batch_size / (now - seconds), 1),
                }
            if done in validate_at:
                paused = time.perf_counter()
                with average.applied():
                    latest = validate(encoder, arm, dataset, config, done, kept)
                entry |= latest
                began += time.perf_counter() - paused  # the cost of a run is its training
            if entry:
                write_entry(log, trackers, {"step": done, "epoch": round(done / per_epoch, 3), **entry})
            bar.advance(detail=f"loss {value.item():.3f}" if done % LOG_EVERY == 0 else None)

            due = time.perf_counter() - saved_at > 60 * config.checkpoint_minutes
            if config.checkpoint_steps is not None:
                due = done % config.checkpoint_steps == 0
            if due and done < steps:
                paused = time.perf_counter()
                spent: dict[str, Any] = {
                    "seconds": seconds + paused - began,
                    "flops": flops,
                    "memory": peak_memory(config.device),
                }
                spent |= {"validation": latest, "threads": torch.get_num_threads(), "guard": guard.state}
                save_state(config.out, done, stateful, optimiser, spent)
                saved_at = time.perf_counter()
                began += saved_at - paused

    seconds += time.perf_counter() - began
    average.settle()
    before = [part for part in (kept, negatives) if part is not None]
    finish(
        config,
        modules,
        arm,
        dataset,
        store,
        trackers,
        steps=steps,
        cost={
            "seconds": round(seconds + sum(part.seconds for part in before), 2),
            "samples_per_second": round(steps * config.batch_size / max(seconds, 1e-9), 1),
            "flops_per_sample": flops / (steps * config.batch_size),
            "flops_total": flops + sum(part.flops for part in before),
            **({"frozen_features": kept.cost} if kept is not None else {}),
            **({"negatives": negatives.cost} if negatives is not None else {}),
            "peak_memory_bytes": max(facts["memory"], peak_memory(config.device)),
        },
        validation=latest,
        negatives=None if negatives is None else negatives.facts,
        guard=guard.counts,
    )
