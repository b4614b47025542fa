"""Run a verb in a forked child, kill it from the parent at a chosen moment, and compare what two runs left.

A process that imports torch takes seconds, most verbs here less. So a parent imports everything once, starts no thread,
and forks a child for every attempt: the child does the work alone and ends by os._exit.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import mmap
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")  # audit events; os.replace tells os.rename, too
BEFORE, ELSEWHERE = "before the first file", "other file operations"
Mark = tuple[ModuleType | type, str, str]  # where a function lives, its name, the phase that it is


@dataclass(frozen=True)
class Ended:
    """How an attempt ended: killed or by itself, in which phase, after how many file operations and seconds."""

    killed: bool
    phase: str
    operations: int
    seconds: float


class Child:
    """What a child tells its parent through shared memory: its phase, and what operations it has begun in which phase.

    Operations: opening a file for writing, fsync, rename, removal, making a folder; and entering a phase.
    """

    def __init__(self, marks: Sequence[Mark], out: Path) -> None:
        self.marks, self.out = marks, str(out.parent)
        self.phases = [BEFORE, ELSEWHERE, *dict.fromkeys(phase for *_, phase in marks)]
        self.shared = mmap.mmap(-1, 1 << 16)

    @property
    def operations(self) -> int:
        """Begun so far."""
        return int.from_bytes(self.shared[8:16], "little")

    @property
    def phase(self) -> str:
        """At this moment."""
        return self.phases[self._phase_now()]

    @property
    def begun(self) -> dict[str, list[int]]:
        """Numbers of the operations begun in each phase."""
        found: dict[str, list[int]] = {}
        for number in range(self.operations):
            found.setdefault(self.phases[self.shared[16 + number]], []).append(number)
        return found

    def _phase_now(self) -> int:
        return self.shared[0] or int(self.operations > 0)

    def watch(self, stop_at: int | None, pipe: int) -> None:
        """In the child: count, tell phases, and wait for the kill before operation `stop_at` (from 0)."""

        def begins() -> None:
            done = self.operations
            if done == stop_at:
                os.write(pipe, b"x")
                time.sleep(600)
            self.shared[16 + done] = self._phase_now()
            self.shared[8:16] = (done + 1).to_bytes(8, "little")

        def hook(event: str, args: tuple[Any, ...]) -> None:
            if event in CHANGES:
                ours = self._mine(args[0]) or args[-1] not in (-1, None)  # rmtree: relative to an open folder
            else:
                ours = event == "open" and self._mine(args[0]) and _writes(args[1], args[2])
            if ours:
                begins()

        def fsync(descriptor: int, real: Callable[[int], None] = os.fsync) -> None:
            begins()
            real(descriptor)

        os.fsync = fsync
        sys.addaudithook(hook)
        for place, name, phase in self.marks:
            self._tell(place, name, self.phases.index(phase), begins)

    def _mine(self, path: Any) -> bool:
        return not isinstance(path, int) and os.fsdecode(path).startswith(self.out)

    def _tell(self, place: Any, name: str, phase: int, begins: Callable[[], None]) -> None:
        real = getattr(place, name)

        def told(*args: Any, **options: Any) -> Any:
            before, self.shared[0] = self.shared[0], phase
            begins()
            found = real(*args, **options)
            self.shared[0] = before
            return found

        setattr(place, name, told)


def _writes(mode: str | None, flags: int) -> bool:
    return any(sign in mode for sign in "wax+") if mode else bool(flags & (os.O_WRONLY | os.O_RDWR))


def attempt(
    work: Callable[[], object],
    child: Child,
    log: Path,
    *,
    seconds: float | None = None,
    operation: int | None = None,
) -> Ended:
    """Do `work` in a fork; SIGKILL it after `seconds`, or before its file operation number `operation`, or never."""
    child.shared[:] = bytes(len(child.shared))
    ours, theirs = os.pipe()
    began = time.perf_counter()
    process = os.fork()
    if process == 0:
        os.close(ours)
        code = 1
        try:
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, sys.stdout.fileno())
            os.dup2(output, sys.stderr.fileno())
            child.watch(operation, theirs)
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, this process ends here
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(theirs)
    select.select([ours], [], [], seconds)  # a byte: it waits for the kill; closed: it has ended
    took = time.perf_counter() - began
    if seconds is not None or operation is not None:
        os.kill(process, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    os.close(ours)
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"the verb ended with {code}:\n{log.read_text()}")
    return Ended(code != 0, child.phase, child.operations, took)


def import_what_it_needs(work: Callable[[], object], log: Path) -> None:
    """Do `work` in a fork, then import here what it imported there, so that later forks need not."""

    def telling() -> None:
        work()
        log.with_suffix(".modules").write_text("\n".join(sys.modules))

    attempt(telling, Child((), log / "none"), log)
    for name in log.with_suffix(".modules").read_text().splitlines():
        with contextlib.suppress(ImportError, AttributeError):
            importlib.import_module(name)
    threads = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    if len(threads) - threads.count("jemalloc_bg_thd") > 1:  # Arrow's allocator, which knows forks
        raise RuntimeError("a thread was started before the forks")


def differences(one: Path, other: Path) -> set[str]:
    """Where two folders differ: names of files, and in JSON the keys, as `run.json: cost.seconds`."""
    left, right = _files(one), _files(other)
    found = {f"{name}: only in one" for name in left ^ right}
    for name in left & right:
        first, second = (one / name).read_bytes(), (other / name).read_bytes()
        if first == second:
            continue
        if name.endswith(".json"):
            found |= {f"{name}: {key}" for key in _keys(json.loads(first), json.loads(second))}
        elif name.endswith(".jsonl"):
            lines = [[json.loads(line) for line in text.splitlines()] for text in (first, second)]
            found |= {f"{name}: {key}" for key in _keys(*lines)}
        else:
            found.add(name)
    if scalars(one) != scalars(other):
        found.add("tensorboard: values")
    return found


def _files(folder: Path) -> set[str]:
    """Files with content; TensorBoard's carry the time and the process in their names and are read instead."""
    names = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return {name for name in names if not name.startswith("tensorboard/")}


def _keys(one: Any, other: Any) -> set[str]:
    """Paths of differing values, numbers of list entries left out."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = set()
        for key in one.keys() | other.keys():
            below = _keys(one[key], other[key]) if key in one and key in other else {"only in one"}
            found |= {f"{key}.{rest}" if rest else key for rest in below}
        return found
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return {key for pair in zip(one, other, strict=True) for key in _keys(*pair)}
    return set() if one == other else {""}


def scalars(run: Path) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of every curve that TensorBoard shows for a RUN, but for those that measure time."""
    if not (run / "tensorboard").is_dir():
        return {}
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    names = [name for name in events.Tags()["scalars"] if "second" not in name]
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in sorted(names)}
