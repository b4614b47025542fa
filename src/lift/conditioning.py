"""Conditioning of a fixed text space: centre, whiten, keep the leading directions; then unit length again.

Vectors of language models crowd into a narrow cone: a common mean and a few strong directions take most of every
cosine, whatever the texts say. Removing the mean and evening out the directions is known to help similarity
(all-but-the-top, arXiv 1702.01417; whitening, arXiv 2103.15316); normalisation and scale are what makes or breaks
alignment to a fixed encoder (LIFT, arXiv 2506.04209). Fitted once on the training texts, part of the fingerprint,
applied the same way to every later query.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.numpy import load, save

from lift.errors import LiftError

CHUNK_ROWS = 16_384
SHORTEST = 1e-4  # a vector that lies this close to the mean has no direction left


@dataclass(frozen=True)
class Conditioning:
    """The map x -> unit length of (x - mean) @ projection, with the words that describe it."""

    mean: Float[np.ndarray, " D"]
    projection: Float[np.ndarray, "D d"]
    description: str

    @property
    def dim(self) -> int:
        """Length of the vectors it gives."""
        return self.projection.shape[1]

    @property
    def input_dim(self) -> int:
        """Length of the vectors it takes."""
        return self.projection.shape[0]

    @cached_property
    def name(self) -> str:
        """What the fingerprint says of it: the description and 16 hexadecimal digits of its numbers."""
        total = hashlib.sha256()
        for array in (self.mean, self.projection):
            total.update(str(array.shape).encode() + np.ascontiguousarray(array, "<f4").tobytes())
        return f"{self.description} {total.hexdigest()[:16]}"

    @classmethod
    def restore(cls, mean: np.ndarray, projection: np.ndarray, name: str) -> Conditioning:
        """The conditioning that `name` speaks of, from its stored numbers; LiftError when they have changed."""
        found = cls(np.asarray(mean), np.asarray(projection), name.rpartition(" ")[0])
        if found.name != name:
            raise LiftError(
                f"the numbers of the conditioning {name!r} have changed since they were written",
                "restore the artefact from a copy, or make it again",
            )
        return found

    def apply(self, vectors: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N d"]:
        """Conditioned unit vectors float32 (N, d) of unit vectors (N, D); LiftError for vectors at the very mean."""
        moved = (vectors.astype(np.float32) - self.mean) @ self.projection
        lengths = np.linalg.norm(moved, axis=-1, keepdims=True)
        lost = int((~(lengths > SHORTEST * self._scale)).sum())
        if lost:
            raise LiftError(
                f"{lost} of {len(vectors)} texts lie at the mean of the training texts: without it nothing is left",
                "condition without --centre, or keep more directions (--dim)",
            )
        return moved / lengths

    @cached_property
    def _scale(self) -> float:
        """Length that a unit vector has on average after the projection."""
        return float(np.linalg.norm(self.projection) / np.sqrt(self.input_dim))


def pack(conditioning: Conditioning) -> bytes:
    """The content of a safetensors file."""
    return save({"mean": conditioning.mean, "projection": np.ascontiguousarray(conditioning.projection)})


def unpack(content: bytes, name: str) -> Conditioning:
    """The inverse of `pack`; LiftError when the bytes are damaged or are not those of `name`."""
    try:
        tensors = load(content)
        return Conditioning.restore(tensors["mean"], tensors["projection"], name)
    except (SafetensorError, KeyError) as error:
        raise LiftError(
            f"the conditioning {name!r} cannot be read ({error})", "restore the artefact from a copy"
        ) from error


def fit_conditioning(
    vectors: Float[np.ndarray, "N D"], *, centre: bool = True, whiten: float = 0.0, dim: int | None = None
) -> Conditioning:
    """Fit on the unit vectors (N, D) of the training texts.

    centre: subtract their mean. whiten: divide each principal direction by its standard deviation to this power,
    0 leaves the spectrum, 1 makes it flat. dim: keep only so many leading directions.
    Directions in which the texts do not vary at all are dropped when whitening. Raises LiftError for options that
    change nothing or that so few texts cannot carry.
    """
    count, width = vectors.shape
    if not 0 <= whiten <= 1:
        raise LiftError(
            f"--whiten is {whiten}", "give a power from 0 (off) to 1 (all directions equally strong)"
        )
    if dim is not None and not 1 <= dim <= width:
        raise LiftError(f"--dim is {dim}", f"give 1 to {width}, the length of the vectors")
    if not centre and not whiten and dim in (None, width):  # all directions, turned
        raise LiftError("these options change nothing", "give --centre, --whiten or --dim")
    if count < 2:
        raise LiftError(f"{count} texts are too few to fit anything on", "use a DATASET with more texts")
    mean = _moments(vectors, second=False) if centre else np.zeros(width)
    words = ["centre"] if centre else []
    if not whiten and dim is None:
        return Conditioning(mean.astype(np.float32), np.eye(width, dtype=np.float32), "centre")
    strength, directions = np.linalg.eigh(_moments(vectors, second=True) - np.outer(mean, mean))
    strength, directions = strength[::-1].clip(min=0), _signed(directions[:, ::-1])
    alive = int((strength > strength[0] * 1e-7).sum()) if whiten else width
    keep = min(dim or width, alive)
    if whiten and count < 2 * (dim or width):
        raise LiftError(
            f"whitening {dim or width} directions from {count} texts would only fit noise",
            f"give --dim {max(1, count // 10)} or less, or more texts",
        )
    if whiten:
        words.append(f"whiten {whiten:g}")
    if keep < width:
        words.append(f"dim {keep}")
    projection = directions[:, :keep]
    if whiten:
        projection = projection * strength[:keep] ** (-whiten / 2)
    return Conditioning(mean.astype(np.float32), projection.astype(np.float32), ", ".join(words))


def _moments(vectors: np.ndarray, *, second: bool) -> np.ndarray:
    """Mean of the rows (D,), or of their outer products (D, D), float64, a part of the rows at a time."""
    total: np.ndarray | float = 0.0
    for start in range(0, len(vectors), CHUNK_ROWS):
        rows = vectors[start : start + CHUNK_ROWS].astype(np.float64)
        total = total + (rows.T @ rows if second else rows.sum(axis=0))
    return np.asarray(total) / len(vectors)


def _signed(directions: np.ndarray) -> np.ndarray:
    """The same directions with their largest entry positive: eigenvectors are known up to their sign only."""
    largest = np.abs(directions).argmax(axis=0)
    return directions * np.sign(directions[largest, np.arange(directions.shape[1])])
