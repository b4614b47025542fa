"""Where blocking work goes: a few threads behind a bounded queue, and one thread that encodes texts in batches."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from lift.serve.refusing import Busy
from lift.text import TextEncoder

P = ParamSpec("P")
T = TypeVar("T")


#: When the request at hand must be answered, in seconds of `time.monotonic`; kept by Guard.
DEADLINE: ContextVar[float] = ContextVar("deadline", default=float("inf"))


#: The lane in which the request at hand has a place.
_PLACE: ContextVar[Lane | None] = ContextVar("place", default=None)


def _left(seconds: float) -> float:
    """Seconds that a piece of work may still take: at most `seconds`, and none behind the request's own deadline."""
    return max(0.0, min(seconds, DEADLINE.get() - time.monotonic()))


class Lane:
    """`threads` workers and room for `waiting` pieces of work; work for which there is no room is refused with 503."""

    def __init__(self, name: str, threads: int, waiting: int, seconds: float) -> None:
        self.name, self.room, self.seconds = name, threads + waiting, seconds
        self.held = 0  # pieces of work that wait or run; touched on the event loop only
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"lift-{name}")

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Keep a place for all pieces of work of a request; Busy when there is none.

        Without it a request of several steps is let in at the first and refused at a later one: under twice the load
        the server encoded sentences all the time and hardly answered one.
        """
        self._enter()
        token = _PLACE.set(self)
        try:
            yield
        finally:
            _PLACE.reset(token)
            self._free()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns or raises. Work that has begun is finished even when its client no longer waits."""
        placed = _PLACE.get() is self
        if not placed:
            self._enter()
        loop = asyncio.get_running_loop()
        work = self._pool.submit(function, *args, **kwargs)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(work), _left(self.seconds))
        except TimeoutError as error:
            if work.done() and not work.cancelled():
                raise  # a TimeoutError of the work itself
            raise Busy("there was no answer in time", after=5) from error
        finally:
            if not placed and work.done():
                self._free()
            elif not work.done():  # it goes on without its request
                self.held += placed
                work.add_done_callback(lambda _: loop.call_soon_threadsafe(self._free))

    def _enter(self) -> None:
        if self.held >= self.room:
            raise Busy(f"{self.held} pieces of work are waiting already", after=1)
        self.held += 1

    def _free(self) -> None:
        self.held -= 1

    def close(self) -> None:
        """Finish what was accepted."""
        self._pool.shutdown(wait=True)


class _OneAtATime:
    """A text encoder that other threads wait for: fast tokenizers of transformers keep settings while they work."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder, self._lock = encoder, threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode(self, *arguments: Any, **options: Any) -> np.ndarray:
        """As the encoder itself."""
        with self._lock:
            return self._encoder.encode(*arguments, **options)


def one_at_a_time(encoder: TextEncoder) -> TextEncoder:
    """The same encoder for several threads."""
    return cast(TextEncoder, _OneAtATime(encoder))


class TextLane:
    """Encodes the texts of concurrent requests together, on one thread, and remembers the last ones.

    Nobody waits for a batch to fill: while one batch is encoded the next gathers.
    """

    def __init__(
        self,
        encode: Callable[[Sequence[str]], np.ndarray],
        *,
        waiting: int,
        seconds: float,
        batch: int = 32,
        remember: int = 1024,
    ) -> None:
        self.name, self.room, self.seconds = "text", waiting, seconds
        self.batch, self.remember = batch, remember
        self._encode = encode
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="lift-text")
        self._known: OrderedDict[str, np.ndarray] = OrderedDict()
        self._queue: deque[tuple[list[str], asyncio.Future[dict[str, np.ndarray]]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    @property
    def held(self) -> int:
        """Requests that wait for their texts."""
        return len(self._queue)

    async def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors (n, D) of `texts`; Busy when too many requests wait."""
        found = {text: self._known[text] for text in texts if text in self._known}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:
            if len(self._queue) >= self.room:
                raise Busy(f"{len(self._queue)} requests wait for their texts already", after=1)
            done: asyncio.Future[dict[str, np.ndarray]] = asyncio.get_running_loop().create_future()
            self._queue.append((missing, done))
            if self._worker is None or self._worker.done():
                self._worker = asyncio.create_task(self._work())
            try:
                found |= await asyncio.wait_for(done, _left(self.seconds))
            except TimeoutError as error:
                raise Busy("there was no answer in time", after=5) from error
        self._known.update(found)
        for text in found:
            self._known.move_to_end(text)
        while len(self._known) > self.remember:
            self._known.popitem(last=False)
        return np.stack([found[text] for text in texts])

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            taken: list[tuple[list[str], asyncio.Future[dict[str, np.ndarray]]]] = []
            while self._queue and (not taken or sum(len(texts) for texts, _ in taken) < self.batch):
                texts, done = self._queue.popleft()
                if not done.done():  # given up by its request
                    taken.append((texts, done))
            if not taken:
                continue
            distinct = list(dict.fromkeys(text for texts, _ in taken for text in texts))
            work = loop.run_in_executor(self._pool, self._encode, distinct)
            await asyncio.wait([work])
            error = work.exception()
            vectors = dict(zip(distinct, work.result(), strict=True)) if error is None else {}
            for texts, done in taken:
                if done.done():
                    continue
                if error is None:
                    done.set_result({text: vectors[text] for text in texts})
                else:
                    done.set_exception(error)

    def close(self) -> None:
        """Finish what was accepted."""
        self._pool.shutdown(wait=True)
