"""Batches made ahead by worker processes, in the order of the steps: the same bytes as without."""

from __future__ import annotations

import gc
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from lift.errors import LiftError
from lift.training.batches import Batch, BatchMaker, Seen, Wanted, ahead
from lift.training.config import TrainConfig

AHEAD = 2  # batches that each worker makes before they are needed
MOST = 8
T = TypeVar("T")


def default_workers(device: str) -> int:
    """None on a CPU, whose cores the steps need; else a process per core, at most 8, shared by the ranks here."""
    if not device.startswith("cuda"):
        return 0
    ranks = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # set by torchrun
    return max(1, min(MOST, (os.cpu_count() or 1) // ranks - 1))


@contextmanager
def made_ahead(make: Callable[[int], Batch], steps: range, config: TrainConfig) -> Iterator[Iterator[Batch]]:
    """The batches of `steps`, in order; the workers are gone when the block is left, however it is left.

    Workers are forked: what they read lies in memory once, and they are told the rows of each step instead of holding
    tables. A frozen body's vectors are only looked up, which no worker makes faster.
    """
    workers = min(config.workers or 0, len(steps))
    if not workers or not isinstance(make, BatchMaker) or make.features is not None:
        yield ahead(make, steps, config.device)
        return
    seen = _started(make, steps, workers, config)
    try:
        with _interrupts() as pressed:
            yield _completed(make, seen, pressed)
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise LiftError(
            f"a process that makes batches has died ({str(error).splitlines()[0]})",
            "memory may have run out: give fewer --workers (0 makes the batches in the training process); a container "
            "needs room in /dev/shm as well. Run the same command again: it goes on",
        ) from error
    finally:
        seen._shutdown_workers()  # type: ignore[attr-defined]  # else they live as long as the traceback does


def _started(make: BatchMaker, steps: range, workers: int, config: TrainConfig) -> Iterator[Seen | LiftError]:
    gc.freeze()  # a collection in a worker would touch, and so copy, every page of the rows
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "This DataLoader will create"
            )  # more than cores: the user's choice
            return iter(
                DataLoader(
                    _Photos(make),
                    batch_size=None,
                    sampler=_Steps(make, steps),
                    collate_fn=_as_it_is,
                    num_workers=workers,
                    prefetch_factor=AHEAD,
                    pin_memory=config.device.startswith("cuda"),
                    multiprocessing_context="fork",
                    worker_init_fn=_leave_interrupts,
                    generator=torch.Generator(),  # so that no random number of the training's is used up
                )
            )
    finally:
        gc.unfreeze()


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Yields a list that holds every Ctrl-C inside the block, beside its usual effect.

    Python drops an exception that strikes inside a destructor, and torch has one in Python for each tensor that comes
    from a worker: a training would go on as if nobody had pressed.
    """
    pressed: list[int] = []
    usual = signal.getsignal(signal.SIGINT)
    if usual is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield pressed
        return

    def remember(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, remember)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, usual)


def _completed(make: BatchMaker, seen: Iterator[Seen | LiftError], pressed: list[int]) -> Iterator[Batch]:
    for one in seen:
        if pressed:
            raise KeyboardInterrupt
        if isinstance(one, LiftError):
            raise one
        yield make.complete(one)


class _Photos(Dataset[Seen | LiftError]):
    """What a worker runs. A LiftError is handed over as it is: raised, it would lose its remedy on the way."""

    def __init__(self, make: BatchMaker) -> None:
        self.make = make

    def __getitem__(self, wanted: Wanted) -> Seen | LiftError:
        try:
            return self.make.look(wanted)
        except LiftError as error:
            return error


class _Steps:
    """What is to be made, step by step, looked up when a worker is free."""

    def __init__(self, make: BatchMaker, steps: range) -> None:
        self.make, self.steps = make, steps

    def __iter__(self) -> Iterator[Wanted]:
        return map(self.make.wanted, self.steps)

    def __len__(self) -> int:
        return len(self.steps)


def _as_it_is(value: T) -> T:
    return value


def _leave_interrupts(worker: int) -> None:
    """Ctrl-C goes to all processes; the one that trains ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
