"""Vectors of photos kept between evaluations, so that a killed or repeated one does not encode them again."""

from __future__ import annotations

import hashlib
import io
import shutil
from pathlib import Path

import numpy as np

from lift.artefact import write_bytes

SUM_BYTES = 32


class VectorCache:
    """Parts of one matrix of vectors, one file each, with a checksum: a flipped bit is encoded again, not believed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, part: int) -> np.ndarray | None:
        """The vectors (n, D) of a part; None when they are not there or damaged."""
        try:
            content = self._file(part).read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(content[:-SUM_BYTES]).digest() != content[-SUM_BYTES:]:
            return None
        return np.load(io.BytesIO(content[:-SUM_BYTES]), allow_pickle=False)

    def write(self, part: int, vectors: np.ndarray) -> None:
        """Keep the vectors (n, D) of a part: the whole file or none, even after a kill."""
        self.folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.save(buffer, vectors, allow_pickle=False)
        content = buffer.getvalue()
        write_bytes(self._file(part), content + hashlib.sha256(content).digest())

    def remove(self) -> None:
        """Forget all parts."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, part: int) -> Path:
        return self.folder / f"{part:05d}.vectors"
