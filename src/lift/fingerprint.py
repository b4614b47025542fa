"""What a text encoder is: the fingerprint that ties STORE, RUN and INDEX together."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import digest, sha256_file
from lift.errors import LiftError

PROBES = (
    "probes"  # key in Fingerprint.options: vectors of fixed sentences by an encoder whose weights are hidden
)
PROBE_NUMBERS = 64  # leading numbers kept of each probe vector
PROBE_COSINE = 0.995  # a server repeats itself to 0.999 and better; another model is far below


@dataclass(frozen=True)
class Fingerprint:
    """Everything that decides which vector a text gets; equal `digest` means equal vectors.

    `name` and `source` say what to call it and where it was loaded from, `options` how to build it again; they are
    not part of the digest, so that a moved folder stays the same encoder.
    """

    name: str
    source: str
    weights: str
    tokenizer: str
    prompt: str
    pooling: str
    max_tokens: int
    normalised: bool
    dim: int
    dtype: str
    post_processing: str = "none"
    options: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits over all fields but name, source and options."""
        values = asdict(self)
        return digest(
            {key: value for key, value in values.items() if key not in ("name", "source", "options")}
        )

    def matches(self, other: Fingerprint) -> bool:
        """True when both give equal vectors: same digest, and the same probe vectors where both have some."""
        mine, its = self.options.get(PROBES), other.options.get(PROBES)
        return self.digest == other.digest and (not mine or not its or probes_agree(mine, its))

    def asdict(self) -> dict[str, Any]:
        """The fields and the digest, as written into manifests."""
        return {**asdict(self), "digest": self.digest}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Fingerprint:
        """The inverse of `asdict`; LiftError when parts are missing or unknown."""
        try:
            return cls(**{key: item for key, item in value.items() if key != "digest"})
        except TypeError as error:
            raise LiftError(
                f"the fingerprint {value.get('digest')} of a text encoder cannot be read ({error})",
                "restore the manifest from a copy, update lift, or make the artefact again",
            ) from error

    def __str__(self) -> str:
        return f"{self.name} ({self.digest})"


def pack_probes(vectors: np.ndarray) -> list[str]:
    """The leading 64 numbers of each row of (n, D), as base64 of little-endian float16."""
    return [base64.b64encode(row[:PROBE_NUMBERS].astype("<f2").tobytes()).decode() for row in vectors]


def probes_agree(mine: Sequence[str], its: Sequence[str]) -> bool:
    """True when two lists of packed probes are the same model's: equal in number, each pair at cosine ≥ 0.995."""
    if len(mine) != len(its):
        return False
    for one, two in zip(mine, its, strict=True):
        a, b = (np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32) for text in (one, two))
        length = float(np.linalg.norm(a) * np.linalg.norm(b))
        if a.shape != b.shape or not float(a @ b) >= PROBE_COSINE * length:
            return False
    return True


def hash_paths(folder: Path, files: Iterable[Path]) -> str:
    """16 hexadecimal digits over name below `folder` and content of `files`, sorted."""
    total = hashlib.sha256()
    for file in sorted(set(files)):
        total.update(f"{file.relative_to(folder)}={sha256_file(file)};".encode())
    return total.hexdigest()[:16]


def hash_files(folder: Path, names: Sequence[str]) -> str:
    """16 hexadecimal digits over name and content of the files of `folder` that match `names` (globs), sorted."""
    found = sorted({file for name in names for file in folder.rglob(name) if file.is_file()})
    if not found:
        raise LiftError(
            f"{folder} holds none of {', '.join(names)}", "give the complete folder of the encoder"
        )
    return hash_paths(folder, found)
