"""The training loop, top to bottom."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch

from lift.console import note, progress_bar, say
from lift.data import Dataset, ShardCache, ShardPixels
from lift.data.dataset import distinct_texts
from lift.data.sampling import TextTable
from lift.errors import LiftError
from lift.losses import MAX_LOGIT_SCALE
from lift.model import Model
from lift.negatives import texts_of
from lift.sentences import texts_of_runs
from lift.store import EmbeddingStore
from lift.training.arms import LiftArm, build, loss_of, modules_of, new_scalars
from lift.training.averaging import Average
from lift.training.batches import batch_maker
from lift.training.captions import Runs, check_sentences, find_sentences
from lift.training.closed_form import LEAST_PHOTOS, solve
from lift.training.config import TrainConfig
from lift.training.cost import peak_memory, reset_peak_memory
from lift.training.dry_run import rehearse
from lift.training.execution import check_compiler
from lift.training.features import keep_features
from lift.training.finish import cost_of, finish, journal
from lift.training.fitting import check_start
from lift.training.gradients import Gradients
from lift.training.guard import Guard, photos_of
from lift.training.negatives import Found, NegativeTable, check_vectors_of, find_hard_negatives
from lift.training.optimisation import learning_rate, make_optimiser, warmup_steps
from lift.training.parallel import Ranks, join
from lift.training.request import request_of
from lift.training.resolving import resolve
from lift.training.sharding import Placement
from lift.training.state import keep_threads_of, load_state, open_run, save_state
from lift.training.towers import check_tower
from lift.training.validation import seen_photos, validate, validation_photos
from lift.training.workers import made_ahead

LOG_EVERY = 10


def train(config: TrainConfig) -> Model | None:
    """Train as `config` says, or go on with a killed run of the same settings; returns the trained Model.

    Under torchrun every process calls this, and together they train one model (--parallel).
    LiftError when it would not fit into memory or on the disk. With dry_run only that is told, and nothing returned.
    """
    config = resolve(config)
    if config.compile:
        check_compiler(config.device)
    with join(config) as (config, ranks):
        dataset = Dataset(config.images, cache=ShardCache(config.cache, config.cache_gb))
        store = EmbeddingStore(config.texts)
        photos = training_photos(dataset, config).tolist()
        found = find_hard_negatives(config, dataset, photos)
        runs = find_sentences(config, dataset, photos)
        standing = ranks.once(prepare, config, dataset, store, photos, found, runs, ranks.count)
        if standing == "told":
            return None
        if standing == "done":
            say(f"{config.out}: already done")
            return Model.load(config.out, device=config.device)
        deterministic = torch.are_deterministic_algorithms_enabled()
        # On a GPU it would cost a tenth of the speed, and attention there would still not be deterministic.
        torch.use_deterministic_algorithms(config.device == "cpu", warn_only=True)
        try:
            if config.tune == "ridge":
                solve(config, dataset, store)
            else:
                run_steps(config, dataset, store, found, runs, ranks)
        finally:
            torch.use_deterministic_algorithms(deterministic)
        return Model.load(config.out, device=config.device)


def prepare(
    config: TrainConfig,
    dataset: Dataset,
    store: EmbeddingStore,
    photos: list[int],
    found: Found,
    runs: Runs,
    processes: int,
) -> str:
    """Check the inputs, then open the RUN folder: "done", "resume" or "new"; "told" after --dry-run."""
    check_inputs(config, dataset, store)
    check_vectors_of(config, dataset, store, found)
    check_sentences(config, dataset, store, runs)
    more = [*texts_of(found), *texts_of_runs(runs)]
    if config.dry_run:
        rehearse(config, dataset, store, np.array(photos), found, runs)
        return "told"
    check_start(config, dataset, store, np.array(photos), more, processes)
    used = [*distinct_texts([dataset.rows[n] for n in photos]), *more]
    vectors = store.digest(used) if config.method == "lift" else None
    request = request_of(
        config, dataset.id, store.fingerprint.digest, vectors, texts_of(found), texts_of_runs(runs)
    )
    return open_run(config.out, request, config.overwrite)


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
    if config.batches != "random" and isinstance(dataset.pixels, ShardPixels):
        raise LiftError(
            f"--batches {config.batches} would jump between the shards of {dataset.address} at every photo",
            "leave --batches away, or train on a DATASET folder that `lift ingest` made",
        )
    check_tower(config, dataset.image_size, store.dim)
    if config.method == "lift":
        store.rows(distinct_texts(rows))
    dataset.check()
    store.check()


def run_steps(  # noqa: PLR0915 - the training loop reads as prose, top to bottom
    config: TrainConfig, dataset: Dataset, store: EmbeddingStore, found: Found, runs: Runs, ranks: Ranks
) -> None:
    """Everything between an opened RUN folder and its finished run.json.

    `found` are the hard negatives, `runs` the sentences that may stand for a long caption.
    """
    assert (
        config.image_encoder
        and config.batch_size
        and config.epochs
        and config.lr
        and config.warmup is not None
    )
    numbers = training_photos(dataset, config)
    rows = [dataset.rows[n] for n in numbers]

    # One seed, the image tower first: all methods start from the same image weights.
    torch.manual_seed(config.seed)
    encoder, arm = build(config, dataset.image_size, rows, store, [*texts_of(found), *texts_of_runs(runs)])
    seen = seen_photos(dataset, numbers, config)
    kept = ranks.in_turn(keep_features, encoder, dataset, seen, config)
    negatives = None
    if isinstance(arm, LiftArm) and (found or config.neighbours):
        negatives = ranks.in_turn(NegativeTable, config, rows, arm, found)
    loss = loss_of(config)
    scalars = new_scalars(loss).to(config.device)
    modules = modules_of(encoder, arm, scalars)

    # The state of a killed run is whole, whatever number of processes it had; then each takes its share.
    start: dict[str, Any] = {"step": 0, "seconds": 0.0, "flops": 0, "memory": 0}
    average = Average(modules, config.ema)
    stateful = average.beside(modules)
    facts, moments = load_state(config.out, stateful) or (start, {})
    placement = Placement(modules, arm, config, ranks, kept=kept is not None)
    optimiser = make_optimiser(placement.learning, config)
    placement.restore(optimiser, moments)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    gradients = Gradients(placement, arm, loss, scalars, config, ranks)

    mine = ranks.rows(config.batch_size)
    table = TextTable(rows, arm.number_of)
    make_batch = batch_maker(dataset, numbers, table, config, kept, negatives, runs, mine)
    per_epoch = len(rows) // config.batch_size
    steps = per_epoch * config.epochs
    validate_at = {round(steps * (i + 1) / config.validations) for i in range(config.validations)}
    first = facts["step"]
    if facts.get("processes", 1) == ranks.count:
        keep_threads_of(facts)
    reset_peak_memory(config.device)
    rising = warmup_steps(config.warmup, steps)
    photos = photos_of(make_batch, arm)
    guard = Guard(config, photos, facts.get("guard"), first, rising=rising, writes=ranks.first)
    if first:
        note(f"going on at step {first} of {steps}")

    seconds, flops = facts["seconds"], facts["flops"]
    latest: dict[str, float] = facts.get("validation", {})
    remaining = range(first, steps)
    lines = journal(config, first, silent=not ranks.first)
    batches = made_ahead(make_batch, remaining, config)
    bars = progress_bar(f"training {config.name}", steps, done=first)
    with batches as coming, bars as bar, lines as (write, trackers):
        saved_at = began = time.perf_counter()
        for step, batch in zip(remaining, coming, strict=True):
            rate = learning_rate(step, steps, peak=config.lr, warmup=config.warmup)
            for group in optimiser.param_groups:
                group["lr"] = rate * group["lr_scale"]
            optimiser.zero_grad(set_to_none=True)
            value = gradients.of_step(batch)
            norm = placement.clip(parameters, config.grad_clip)
            verdict = guard.judge(step + 1, value, norm, scale=scalars.log_scale.exp(), rate=rate)
            if not ranks.agreed(verdict.skip, asked=config.on_spike == "skip"):
                optimiser.step()
                with torch.no_grad():
                    scalars.log_scale.clamp_(max=math.log(MAX_LOGIT_SCALE))
                average.update()
            paused = time.perf_counter()  # counting a new text length takes a moment that is no training
            flops += gradients.flops(batch)
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
                placement.bring_home()
                with average.applied():
                    latest = ranks.once(validate, encoder, arm, dataset, config, done, kept)
                entry |= latest
                began += time.perf_counter() - paused  # the cost of a run is its training
            if entry:
                write({"step": done, "epoch": round(done / per_epoch, 3), **entry})
            bar.advance(detail=f"loss {value.item():.3f}" if done % LOG_EVERY == 0 else None)

            if config.checkpoint_steps is not None:
                due = done % config.checkpoint_steps == 0
            else:
                due = ranks.agreed(time.perf_counter() - saved_at > 60 * config.checkpoint_minutes)
            if due and done < steps:
                paused = time.perf_counter()
                spent: dict[str, Any] = {
                    "seconds": seconds + paused - began,
                    "flops": flops,
                    "memory": ranks.largest(peak_memory(config.device)),
                    "validation": latest,
                    "threads": torch.get_num_threads(),
                    "processes": ranks.count,
                    "guard": guard.state,
                }
                placement.bring_home()
                moments = placement.moments(optimiser)
                ranks.once(save_state, config.out, done, stateful, moments, spent)
                saved_at = time.perf_counter()
                began += saved_at - paused

    seconds += time.perf_counter() - began
    memory = max(facts["memory"], ranks.largest(peak_memory(config.device)))
    placement.bring_home()
    average.settle()
    ranks.once(
        finish,
        config,
        modules,
        arm,
        dataset,
        store,
        trackers,
        steps=steps,
        cost=cost_of(steps * config.batch_size, seconds, flops, memory, kept, negatives),
        validation=latest,
        negatives=None if negatives is None else negatives.facts,
        guard=guard.counts,
        processes=ranks.count,
    )
