"""The shards of a plan by the workers of a Ray cluster (Ray Data); a worker that dies is replaced, its shard redone.

Shards are key ranges and batches are made inside a shard, so a cluster writes the bytes that one process writes, given
the same number of threads a worker. Each shard is written by its worker; only its number comes back.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from lift.conditioning import Conditioning
from lift.embedding.shards import work_on
from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.place import Place
from lift.store import Plan, StoreWriter
from lift.text import rebuild_text_encoder

CONNECT_SECONDS = 10


class ShardWorker:
    """Lives in a worker process: loads the encoder once, then encodes and writes one shard a call."""

    def __init__(
        self,
        place: str,
        plan: Plan,
        fingerprint: dict[str, Any],
        conditioning: Conditioning | None,
        batch_size: int,
        device: str,
        threads: int,
    ) -> None:
        import torch

        torch.set_num_threads(threads)
        self.writer, self.batch_size = StoreWriter(Place(place), plan), batch_size
        self.encoder = rebuild_text_encoder(
            Fingerprint.from_dict(fingerprint), device=device, conditioning=conditioning
        )

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Encode and write the shards of a batch of rows {number, texts}; returns their numbers and sizes."""
        rows = []
        for number, texts in zip(batch["number"], batch["texts"], strict=True):
            work_on(self.writer, self.encoder, int(number), list(texts), self.batch_size)
            rows.append(len(texts))
        return {"number": batch["number"], "rows": np.array(rows)}


def work_on_cluster(
    writer: StoreWriter,
    fingerprint: Fingerprint,
    conditioning: Conditioning | None,
    *,
    batch_size: int,
    device: str,
    workers: int,
    threads: int,
    address: str | None,
    advance: Callable[[int], None],
) -> None:
    """Have the unfinished shards of the writer's plan encoded; LiftError when Ray is missing or a shard fails."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no word to anybody
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise LiftError("--engine ray needs Ray, which is not here", "pip install 'lift[ray]'") from error
    plan, todo = writer.plan, []
    for number in range(len(plan)):
        if writer.has(number):
            advance(len(plan.shard(number)))
        else:
            todo.append({"number": number, "texts": plan.shard(number)})
    if not todo:
        return
    ours = not ray.is_initialized()
    if ours:
        start(ray, address, workers * threads)
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # progress is told by our own bar
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars, context.print_on_execution_start = False, False
    settings = {
        "place": writer.place.url,
        "plan": plan.bare(),
        "fingerprint": shared_pace(fingerprint, min(workers, len(todo))).asdict(),
        "conditioning": conditioning,
        "batch_size": batch_size,
        "device": device,
        "threads": threads,
    }
    try:
        shards = ray.data.from_items(todo, override_num_blocks=len(todo))
        done = shards.map_batches(
            ShardWorker,
            fn_constructor_kwargs=settings,
            batch_size=1,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(todo))),
            num_cpus=threads,
            num_gpus=1 if device.startswith("cuda") else 0,
        )
        for row in done.iter_rows():
            advance(int(row["rows"]))
    except ray.exceptions.RayError as error:
        raise failure(error) from error
    finally:
        if ours:
            ray.shutdown()


def shared_pace(fingerprint: Fingerprint, workers: int) -> Fingerprint:
    """The same encoder with its part of --requests-per-minute, which holds for all workers together."""
    pace = fingerprint.options.get("requests_per_minute")
    if pace is None:
        return fingerprint
    own = {"requests_per_minute": max(1, pace // workers)}
    return replace(fingerprint, options={**fingerprint.options, **own})


def start(ray: Any, address: str | None, cpus: int) -> None:
    """Connect to the cluster at `address`, or start one on this machine; LiftError when it cannot be reached."""
    quiet = {"logging_level": "error", "log_to_driver": False}
    try:
        if address is None:
            ray.init(num_cpus=cpus, include_dashboard=False, **quiet)
            return
        host, colon, port = address.removeprefix("ray://").rpartition(":")
        if colon and port.isdigit():  # Ray itself tries a dead address for minutes
            socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
        ray.init(address=address, **quiet)
    except Exception as error:  # Ray raises plain ones, for a node that did not start in time for instance
        raise LiftError(
            f"the Ray cluster cannot be reached ({str(error).splitlines()[0]})",
            "check --ray-address, or leave it out to start one on this machine",
        ) from error


def failure(error: Exception) -> LiftError:
    """The LiftError that a worker raised, else one that says what Ray says."""
    cause: BaseException | None = error
    while cause is not None:
        found = getattr(cause, "cause", None)
        if isinstance(found, LiftError):
            return found
        cause = cause.__cause__
    return LiftError(
        f"the cluster could not finish: {str(error).strip().splitlines()[-1]}",
        "look at the workers' logs; run the same command again to go on with the shards that are left",
    )
