"""Many processes that train one model: which rows of a batch each of them computes, and where they meet.

Every process knows the whole batch of a step (it is a pure function of the step) and computes the features of its own
rows. Where rows meet as negatives the features of all are gathered, every process computes the loss of the whole batch,
and what flows back is cut to its own rows, so that the gradients of all processes add up to those of one. Since DDP and
FSDP average them, what flows back is also multiplied by the number of processes.
Process 0 alone writes files; the others wait for what it found.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lift.errors import LiftError
from lift.training.config import TrainConfig

T = TypeVar("T")
P = ParamSpec("P")

TIMEOUT = timedelta(minutes=10)  # of one exchange within a step
FAILED = "failed"
LOOK_EVERY, GRACE = 0.05, 3.0  # seconds between two looks; to wait for the reason of a lost peer


class Ranks:
    """The processes of a run as one of them sees them; by itself, a run of one process."""

    def __init__(self, number: int = 0, count: int = 1, store: Any = None, device: str = "cpu") -> None:
        """`store`: torch's key-value store that all of them reach; None for one process."""
        self.number, self.count, self.store, self.device = number, count, store, device
        self._turns = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.number == 0

    def parts(self, total: int, accumulate: int) -> list[list[np.ndarray]]:
        """The rows of a batch of `total` by process, and there by micro-batch; sizes differ by one at most."""
        return [np.array_split(rows, accumulate) for rows in np.array_split(np.arange(total), self.count)]

    def rows(self, total: int) -> slice:
        """The rows of a batch of `total` that this process computes."""
        mine = np.array_split(np.arange(total), self.count)[self.number]
        return slice(int(mine[0]), int(mine[-1]) + 1)

    def once(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What `work` (JSON-able) gives: process 0 alone does it, the others wait for it, however long it takes."""
        if self.count == 1:
            return work(*arguments, **named)
        self._turns += 1
        key = f"turn/{self._turns}"
        if self.first:
            found = work(*arguments, **named)
            self.store.set(key, json.dumps(found))
            return found
        while not self.store.check([key]):
            if self.store.check([FAILED]):
                raise ElsewhereError
            time.sleep(LOOK_EVERY)
        given: T = json.loads(self.store.get(key))
        return given

    def in_turn(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What `work` gives in each process: process 0 goes first, the others find the files it has left."""
        if not self.first:
            self.once(lambda: None)
            return work(*arguments, **named)
        found = work(*arguments, **named)
        self.once(lambda: None)
        return found

    def agreed(self, value: bool, *, asked: bool = True) -> bool:
        """The value of process 0, since clocks and last digits differ; not `asked`, one's own, which cannot matter."""
        if self.count == 1 or not asked:
            return value
        flag = torch.tensor(int(value), device=self.device)
        torch.distributed.broadcast(flag, 0)
        return bool(flag.item())

    def largest(self, value: int) -> int:
        """The largest value of all processes."""
        if self.count == 1:
            return value
        most = torch.tensor(value, device=self.device)
        torch.distributed.all_reduce(most, torch.distributed.ReduceOp.MAX)
        return int(most.item())

    def total(self, value: Tensor) -> Tensor:
        """The sum over all processes, in place; without gradient."""
        if self.count > 1:
            torch.distributed.all_reduce(value)
        return value

    def rows_of_all(self, known: np.ndarray) -> np.ndarray:
        """Integers (total, …) of a batch, each row as the process that computes it knows it."""
        if self.count == 1:
            return known
        rows = self.rows(len(known))
        mine = torch.zeros(known.shape, dtype=torch.int64, device=self.device)
        mine[rows] = torch.from_numpy(known[rows]).to(self.device)
        return self.total(mine).cpu().numpy()

    def gather(self, mine: Tensor, total: int) -> Tensor:
        """The rows (total, D) of all processes in the order of the batch; the gradient flows back to one's own.

        It is not added up over the processes, since each of them computes all of the loss.
        """
        if self.count == 1:
            return mine
        gathered: Tensor = _Gather.apply(mine, self, total)
        return gathered


class _Gather(torch.autograd.Function):
    """All-gather of shares that may differ by one row; the backward pass needs no exchange."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor, ranks: Ranks, total: int) -> Tensor:
        ctx.rows, ctx.count = ranks.rows(total), ranks.count
        sizes = [len(rows) for rows in np.array_split(np.arange(total), ranks.count)]
        padded = F.pad(mine.contiguous(), (0, 0, 0, sizes[0] - len(mine)))
        shares = [torch.empty_like(padded) for _ in sizes]
        torch.distributed.all_gather(shares, padded)
        return torch.cat([share[:size] for share, size in zip(shares, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient[ctx.rows] * ctx.count, None, None


class ElsewhereError(RuntimeError):
    """Another process has failed; it tells why."""


@contextlib.contextmanager
def join(config: TrainConfig) -> Iterator[tuple[TrainConfig, Ranks]]:
    """Meet the other processes that torchrun has started: `config` with this one's device, and the Ranks.

    When one of them fails, the others end with a LiftError that says so. All but process 0 are silent.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        check_batch(config, count)
        yield replace(config, parallel="none"), Ranks()
        return
    config = placed(config, count)
    backend = "gloo" if config.device == "cpu" else "nccl"
    store, number, count = next(iter(torch.distributed.rendezvous("env://")))
    torch.distributed.init_process_group(
        backend,
        store=torch.distributed.PrefixStore("exchange", store),
        rank=number,
        world_size=count,
        timeout=TIMEOUT,
    )
    ranks = Ranks(number, count, torch.distributed.PrefixStore("lift", store), config.device)
    ended_well = False
    try:
        with contextlib.nullcontext() if ranks.first else silence():
            yield config, ranks
            torch.distributed.barrier()  # the store ends with process 0
        ended_well = True
    except Exception as error:
        reason = first_failure(ranks, error)
        if reason is None:
            raise
        raise reason from error
    finally:
        # NCCL would wait for processes that are gone; the end of this one lets go of the group as well.
        if ended_well or backend == "gloo":
            torch.distributed.destroy_process_group()


def placed(config: TrainConfig, count: int) -> TrainConfig:
    """`config` on the device of this process; LiftError for what many processes cannot do."""
    again = "start it without torchrun"
    if config.parallel == "none":
        raise LiftError(
            f"torchrun started {count} processes, but --parallel is none: each would train a model of its own",
            f"add --parallel ddp (or fsdp for a model that is too large for one device), or {again}",
        )
    if config.dry_run:
        raise LiftError("--dry-run tells what one process takes", again)
    if config.tune == "ridge":
        raise LiftError("--tune ridge solves for its head in one process", again)
    if config.parallel == "fsdp" and config.ema is not None:
        raise LiftError("--ema averages whole weights, and --parallel fsdp shards them", "use --parallel ddp")
    if config.device not in ("cpu", "cuda"):
        raise LiftError(
            f"--device is {config.device}, but each process takes a device of its own",
            f"give --device cuda or --device cpu, or {again}",
        )
    check_batch(config, count)
    if config.device == "cpu":
        return config
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if local >= torch.cuda.device_count():
        raise LiftError(
            f"this machine has {torch.cuda.device_count()} GPUs, too few for its processes",
            f"start it with --nproc-per-node {torch.cuda.device_count()}",
        )
    torch.cuda.set_device(local)
    return replace(config, device=f"cuda:{local}")


def check_batch(config: TrainConfig, count: int) -> None:
    """LiftError unless every process has a row for each of its parts."""
    least = count * config.accumulate
    if (config.batch_size or 0) < least:
        processes = "1 process" if count == 1 else f"{count} processes"
        raise LiftError(
            f"a batch of {config.batch_size} is too small for {processes} with --accumulate {config.accumulate}",
            f"give --batch-size {least} or more, or less to --accumulate",
        )


def first_failure(ranks: Ranks, error: Exception) -> BaseException | None:
    """What to raise in place of `error`: None for the process that failed first, which tells it itself."""
    exchange = isinstance(error, ElsewhereError | torch.distributed.DistError) or "gloo" in str(error).lower()
    own = f"{ranks.number}|{error}"
    try:
        give_up = time.monotonic() + (GRACE if exchange else 0)
        while not ranks.store.check([FAILED]) and time.monotonic() < give_up:
            time.sleep(LOOK_EVERY)
        known = "" if exchange else ranks.store.compare_set(FAILED, "", own).decode()
        if exchange and ranks.store.check([FAILED]):
            known = ranks.store.get(FAILED).decode()
    except RuntimeError:  # the store is gone with the process that kept it
        known = ""
    number, _, message = known.partition("|")
    if known == own or (not known and not exchange):
        return None
    if message == str(error):  # the same mistake in all of them is told once
        return SystemExit(1)
    told = f"process {number} has failed: {message.splitlines()[0]}" if message else "another process is gone"
    return LiftError(told, "see what it said; the same command goes on, with any number of processes")


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Nothing is printed inside."""
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield
