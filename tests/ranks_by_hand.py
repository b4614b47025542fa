"""Three real processes that meet over gloo in twos and threes, and write down what they found."""

from __future__ import annotations

import json
import os
import socket
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lift.data import Dataset
from lift.data.sampling import TextTable
from lift.errors import LiftError
from lift.negatives import texts_of
from lift.store import EmbeddingStore
from lift.training import TrainConfig, loop, train
from lift.training.arms import LiftArm, build, loss_of, modules_of, new_scalars
from lift.training.batches import Batch, batch_maker
from lift.training.features import keep_features
from lift.training.gradients import Gradients
from lift.training.negatives import NegativeTable, find_hard_negatives
from lift.training.optimisation import make_optimiser
from lift.training.parallel import Ranks, join
from lift.training.resolving import resolve
from lift.training.sharding import Placement, full

BATCH = 9  # an odd number: two processes have five and four rows
HARD = {"hard_negatives": 2, "neighbours": 1, "mask_similar": 0.97}
CASES: dict[str, dict[str, Any]] = {
    "contrastive": {},
    "sigmoid": {"loss": "sigmoid"},
    "cosine": {"loss": "cosine"},
    "hard negatives": {**HARD, "cosine_weight": 0.5, "hard_weight": 0.5},
    "clip": {"method": "clip", "context": 32},
    "words": {"method": "words"},
    "locked tower": {"method": "lit", "image_encoder": "tower"},  # a RUN in the folder of the test
    "low-rank": {"tune": "lora:2"},
    "last block": {"tune": "last:1"},
    "kept features": {"tune": "head", "min_crop": 1.0},
}
WAYS: dict[str, dict[str, Any]] = {
    "ddp": {"parallel": "ddp"},
    "ddp in three parts": {"parallel": "ddp", "accumulate": 3},
    "fsdp": {"parallel": "fsdp"},
    "fsdp in two parts, recomputed": {"parallel": "fsdp", "accumulate": 2, "checkpointing": True},
}


def trial(
    config: TrainConfig, ranks: Ranks
) -> tuple[Gradients, Batch, Callable[[], dict[str, torch.Tensor]]]:
    """What computes the gradients of step 1 as the loop does it, its batch, and how to read the gradients."""
    assert config.batch_size
    dataset, store = Dataset(config.images), EmbeddingStore(config.texts)
    numbers = loop.training_photos(dataset, config)
    rows = [dataset.rows[n] for n in numbers]
    torch.manual_seed(0)
    found = find_hard_negatives(config, dataset, numbers.tolist())
    encoder, arm = build(config, dataset.image_size, rows, store, texts_of(found))
    kept = keep_features(encoder, dataset, numbers, config)
    negatives = NegativeTable(config, rows, arm, found) if found and isinstance(arm, LiftArm) else None
    loss = loss_of(config)
    scalars = new_scalars(loss)
    modules = modules_of(encoder, arm, scalars)
    placement = Placement(modules, arm, config, ranks, kept=kept is not None)
    optimiser = make_optimiser(placement.learning, config)  # so that what it refuses is seen
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    table = TextTable(rows, arm.number_of)
    mine = ranks.rows(config.batch_size)
    batch = batch_maker(dataset, numbers, table, config, kept, negatives, None, mine)(1)

    def read() -> dict[str, torch.Tensor]:
        norm = placement.clip(parameters, 1e9)  # large: only the norm is wanted
        found = {"norm": norm}
        for name, module in placement.learning.items():
            for key, parameter in module.named_parameters():
                if parameter.grad is not None:
                    found[f"{name}.{key}"] = full(parameter.grad).clone()
        return found

    return Gradients(placement, arm, loss, scalars, config, ranks), batch, read


def gradients_of(config: TrainConfig, ranks: Ranks) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of a step."""
    gradients, batch, read = trial(config, ranks)
    value = gradients.of_step(batch)
    return value.item(), read()


def apart(one: tuple[float, dict[str, torch.Tensor]], two: tuple[float, dict[str, torch.Tensor]]) -> float:
    """The largest difference in the loss, in a gradient (share of the largest gradient) or in the norm (of itself)."""
    assert one[1].keys() == two[1].keys()
    largest = max(value.abs().max() for name, value in two[1].items() if name != "norm")
    differences = [abs(one[0] - two[0])]
    for name, value in two[1].items():
        scale = value if name == "norm" else largest
        differences.append(((one[1][name] - value).abs().max() / scale).item())
    return max(differences)


class Meeting:
    """Lets the processes meet under environment variables as torchrun sets them."""

    def __init__(self, number: int, ports: list[int]) -> None:
        self.number, self.ports = number, iter(ports)

    def of(self, count: int) -> bool:
        """Whether this process takes part in the next meeting of `count`."""
        port = next(self.ports)
        os.environ.update(
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(port),
            RANK=str(self.number),
            LOCAL_RANK=str(self.number),
            WORLD_SIZE=str(count),
        )
        return self.number < count


def ending_of(config: TrainConfig) -> str:
    """How training ends: "done", or the kind and the first line of the exception."""
    try:
        train(config)
    except (LiftError, InterruptedError, SystemExit) as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return "done"


def recorded(config: TrainConfig, stop: int | None, seen: list[tuple[int, list[int]]]) -> str:
    """Train; `seen` gets the photos of each step's own rows. A process ends without a word before step `stop`."""
    pixels = Dataset(config.images).pixels
    key_of = {pixels[n].tobytes(): n for n in range(len(pixels))}

    def maker(*arguments: Any) -> Callable[[int], Batch]:
        make = batch_maker(*arguments)

        def remember(step: int) -> Batch:
            if step == stop:
                raise InterruptedError("killed")
            batch = make(step)
            photos = (batch.images * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
            seen.append((step, [key_of[photo.tobytes()] for photo in photos]))
            return batch

        return remember

    loop.batch_maker = maker  # type: ignore[assignment]
    try:
        return ending_of(config)
    finally:
        loop.batch_maker = batch_maker


def compare_gradients(config: TrainConfig, number: int, found: dict[str, Any]) -> None:
    """Two processes in every way against one, for every case."""
    config = replace(config, batch_size=BATCH, precision="fp32", min_crop=0.9, flip=True)
    with join(resolve(replace(config, parallel="ddp"))) as (_, ranks):
        for case, options in CASES.items():
            if "image_encoder" in options:
                options = {**options, "image_encoder": str(config.out / options["image_encoder"])}
            one = resolve(replace(config, **options, out=config.out / f"own-{number}"))
            alone = gradients_of(one, Ranks())
            for way, how in WAYS.items():
                found[f"{case}, {way}"] = apart(gradients_of(replace(one, **how), ranks), alone)
        half = resolve(replace(config, precision="bf16"))
        one, two = gradients_of(half, Ranks()), gradients_of(replace(half, parallel="fsdp"), ranks)
        found["bf16"] = apart(two, one)


def main(number: int, folder: Path, dataset: Path, store: Path, ports: list[int]) -> None:
    """All meetings of process `number`; what it found goes into a file of its own."""
    torch.set_num_threads(1)
    meeting, found = Meeting(number, ports), {}
    options: dict[str, Any] = {"batch_size": 7, "min_crop": 1.0, "checkpoint_steps": 4, "validations": 1}
    config = TrainConfig(dataset, store, folder / "run", preset="smoke", precision="fp32", **options)
    try:
        if meeting.of(2):
            compare_gradients(replace(config, out=folder), number, found)
        elif number == 2:  # meanwhile
            os.environ["WORLD_SIZE"] = "1"
            found["straight"] = recorded(replace(config, out=folder / "straight"), None, seen := [])
            found["straight seen"] = seen

        for count, parallel, stop in ((2, "ddp", 6), (3, "fsdp", 9), (1, "none", None)):
            if meeting.of(count):
                again = replace(config, parallel=parallel, accumulate=2 if parallel == "fsdp" else 1)  # type: ignore[arg-type]
                found[f"{count} processes"] = recorded(again, stop, seen := [])
                found[f"{count} processes seen"] = seen

        broken = replace(config, out=folder / "broken", parallel="ddp")
        if meeting.of(2):
            found["broken"] = recorded(broken, 3 if number == 1 else None, [])
        if meeting.of(2):
            found["no batch"] = ending_of(replace(broken, batch_size=37))
        if meeting.of(2):
            found["diverged"] = ending_of(replace(broken, out=folder / "diverged", lr=1e30, warmup=0))
    except (Exception, SystemExit):
        found["failed"] = traceback.format_exc()
        (folder / f"found-{number}.json").write_text(json.dumps(found))
        raise  # so that nobody waits for this process
    (folder / f"found-{number}.json").write_text(json.dumps(found))


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
