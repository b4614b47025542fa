"""Photos of a DATASET in shards, by row number: fetched, compared with their SHA-256 and decoded when asked for.

Stands where the memory-mapped array stands otherwise: `len`, `shape`, `dtype`, and rows by number, slice or list.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from lift.data.cache import REMEDY, Shard, ShardCache
from lift.data.decoding import MAX_PIXELS, BadImage, decode_image, resize_image
from lift.errors import LiftError
from lift.place import Place

OPEN_SHARDS = 64  # file descriptors of one process
FETCHERS = 4  # threads that fetch ahead in one process
NPY = b"\x93NUMPY"


class ShardPixels:
    """uint8 (N, size, size, 3) without the array: `members` int64 (N, 5), `sums` uint8 (N, 2, 32).

    members: number of the shard, then offset and length of the photo and of its texts; sums: their SHA-256.
    """

    def __init__(
        self,
        place: Place,
        shards: list[Shard],
        members: np.ndarray,
        sums: np.ndarray,
        *,
        size: int,
        resize_mode: str,
        max_pixels: int = MAX_PIXELS,
        cache: ShardCache | None = None,
        key_of: Callable[[int], str] = str,
    ) -> None:
        self.shards, self.members, self.sums = shards, members, sums
        self.size, self.resize_mode, self.max_pixels = size, resize_mode, max_pixels
        self.cache, self.key_of = cache or ShardCache(), key_of
        self.shape, self.dtype, self.ndim = (len(members), size, size, 3), np.dtype(np.uint8), 4
        self._where = place
        self._process = 0
        self._place = place
        self._open: OrderedDict[int, int] = OrderedDict()
        self._asked: tuple[int, ...] = ()
        self._fetchers: list[threading.Thread] = []
        self._queue: queue.SimpleQueue[int] = queue.SimpleQueue()

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Photos by row number (S, S, 3), or by slice, list or array of them (n, S, S, 3).

        LiftError for the first that cannot be read.
        """
        if isinstance(rows, (int, np.integer)):
            try:
                return self.read(range(len(self))[int(rows)])
            except BadImage as error:
                raise self.unreadable(int(rows), error) from error
        numbers = np.arange(len(self))[rows]
        out = np.empty((len(numbers), *self.shape[1:]), np.uint8)
        for place, number in enumerate(numbers):
            out[place] = self[int(number)]
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or np.uint8)

    @property
    def remote(self) -> bool:
        """Do shards pass through the cache?"""
        return self._where.local is None

    def unreadable(self, number: int, error: BadImage) -> LiftError:
        """What a reader says that cannot do without the photo."""
        return LiftError(
            f"photo {self.key_of(number)} in {self._name_of(number)} cannot be read: {error.reason}", REMEDY
        )

    def faults(self) -> Iterator[LiftError]:
        """One for every photo that is not what it was, and for every shard that cannot be opened."""
        for shard in range(len(self.shards)):
            try:
                for number in np.flatnonzero(self.members[:, 0] == shard):
                    try:
                        self.content(int(number))
                    except BadImage as error:
                        yield self.unreadable(int(number), error)
            except LiftError as error:
                yield error

    def read(self, number: int) -> np.ndarray:
        """One photo, uint8 (S, S, 3).

        Raises BadImage when its bytes are not those that were written or cannot be decoded, LiftError when the whole
        shard cannot be had.
        """
        return self.decode(self.content(number))

    def decode(self, content: bytes) -> np.ndarray:
        """A photo's file as uint8 (S, S, 3); BadImage when it is none."""
        if content.startswith(NPY):
            return np.frombuffer(content, np.uint8)[-(self.size**2) * 3 :].reshape(self.shape[1:])
        image = decode_image(content, max_pixels=self.max_pixels, target=self.size)
        if image.size == (self.size, self.size):
            return np.asarray(image)
        return resize_image(image, self.size, self.resize_mode)

    def content(self, number: int) -> bytes:
        """The file of one photo as it lies in its shard; BadImage when it is not what was written."""
        shard, offset, length = (int(value) for value in self.members[number, :3])
        expected = self.sums[number, 0].tobytes()
        for again in (False, True):
            content = os.pread(self._file(shard), length, offset)
            if hashlib.sha256(content).digest() == expected:
                return content
            if not self.remote or again:
                break
            self.cache.drop(self.shards[shard])  # the copy has suffered: fetch another
            self._close(shard)
        cut = len(content) < length
        raise BadImage(
            "truncated file (the shard ends early)" if cut else "the photo has changed since it was written",
            REMEDY,
        )

    def prefetch(self, shards: Iterable[int]) -> None:
        """Have these shards fetched in the background; what fails is met again, and told, by the one that reads."""
        self._fresh()
        wanted = tuple(shards)
        if not self.remote or wanted == self._asked:
            return
        self._asked = wanted
        if not self._fetchers:
            for _ in range(FETCHERS):
                thread = threading.Thread(target=self._fetch, args=(self._place, self._queue), daemon=True)
                thread.start()
                self._fetchers.append(thread)
        for number in wanted:
            self._queue.put(number)

    def _fetch(self, place: Place, numbers: queue.SimpleQueue[int]) -> None:
        while True:
            shard = self.shards[numbers.get()]
            with contextlib.suppress(LiftError, OSError):
                self.cache.fetch(place, shard, wait=False)

    def _fresh(self) -> None:
        """Open files, threads and the connection to a storage belong to one process and do not survive a fork."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._place = Place(self._where.url) if self.remote else self._where
            self._open, self._asked, self._fetchers, self._queue = OrderedDict(), (), [], queue.SimpleQueue()

    def _file(self, number: int) -> int:
        """The file descriptor of a shard, opened when need be."""
        self._fresh()
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        shard = self.shards[number]
        if self._place.local is None:
            descriptor = self.cache.open(self._place, shard)
        else:
            try:
                descriptor = os.open(self._place.local / shard.name, os.O_RDONLY)
            except OSError as error:
                raise LiftError(
                    f"shard {self._place}/{shard.name} cannot be opened ({error.strerror})", REMEDY
                ) from error
        self._open[number] = descriptor
        if len(self._open) > OPEN_SHARDS:
            self._close(next(iter(self._open)))
        return descriptor

    def _close(self, number: int) -> None:
        os.close(self._open.pop(number))

    def _name_of(self, number: int) -> str:
        return f"shard {self._where}/{self.shards[int(self.members[number, 0])].name}"

    def __del__(self) -> None:
        if self._process == os.getpid():
            for descriptor in self._open.values():
                os.close(descriptor)
