"""A light text encoder that stands in for a heavy one at query time, made by `lift distill-query`.

query.json            manifest: the encoder it serves (fingerprint), what was kept, SHA-256 sums
map.safetensors       weights (d, D) and bias (D,): from the student's vectors to those of the served encoder
student/              the student's own weights, where they were tuned or cut; else the manifest says where it is
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from lift.artefact import read_manifest, sha256_file
from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.ridge import LinearMap
from lift.text import TextEncoder, rebuild_text_encoder
from lift.text.encoder import counts_tokens


def write_map(found: LinearMap, file: Path) -> None:
    """Write the map's weights and bias to a safetensors file."""
    save_file({"weights": np.ascontiguousarray(found.weights), "bias": found.bias}, file)


class QueryEncoder:
    """A student encoder and the linear map that brings its vectors to those of the encoder it serves."""

    def __init__(self, folder: Path | str, *, device: str = "cpu") -> None:
        """Open `folder`; LiftError when it is none, or its files or its student have changed."""
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder, "query")
        for name, expected in self.manifest["sha256"].items():
            if not (self.folder / name).is_file() or sha256_file(self.folder / name) != expected:
                raise LiftError(
                    f"{self.folder / name} is missing or has changed since it was written",
                    "restore it from a copy, or make it again with `lift distill-query`",
                )
        tensors = load_file(self.folder / "map.safetensors")
        self._map = LinearMap(tensors["weights"], tensors["bias"], self.manifest["strength"])
        self.serves = Fingerprint.from_dict(self.manifest["serves"])
        own = self.folder / "student"
        self._student: TextEncoder = rebuild_text_encoder(
            Fingerprint.from_dict(self.manifest["student"]),
            device=device,
            source=str(own) if own.is_dir() else None,
        )

    @property
    def dim(self) -> int:
        """Length of a vector: that of the served encoder."""
        return self._map.weights.shape[1]

    @property
    def max_tokens(self) -> int:
        """Tokens beyond this many are cut off."""
        return self._student.max_tokens

    @property
    def flops_per_token(self) -> float:
        """Forward cost of one token."""
        return self._student.flops_per_token

    @property
    def counts_tokens(self) -> bool:
        """False when the student cannot know the tokens of a text."""
        return counts_tokens(self._student)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Its own, not that of the encoder it serves: the vectors are near those, not equal to them."""
        digest = self.manifest["sha256"]["map.safetensors"][:16]
        return replace(
            self._student.fingerprint,
            name=f"query encoder for {self.serves.name}",
            dim=self.dim,
            post_processing=f"linear map {digest}",
        )

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text before truncation, specials included: int (n,)."""
        return self._student.token_counts(texts)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, D) of one batch, near those of the served encoder."""
        return self._map.apply(self._student.encode(texts))

    def check_serves(self, fingerprint: Fingerprint) -> None:
        """LiftError, naming both, unless it was made to stand in for the encoder of this fingerprint."""
        if not self.serves.matches(fingerprint):
            raise LiftError(
                f"the query encoder {self.folder} stands in for {self.serves}, "
                f"but the model was trained on {fingerprint}",
                "make one for this model's STORE with `lift distill-query`, or leave --query-encoder away",
            )


def manifest_of(
    serves: Fingerprint, student: Fingerprint, strength: float, folder: Path, facts: dict[str, Any]
) -> dict[str, Any]:
    """query.json for the files that lie in `folder`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        "format": 1,
        "serves": serves.asdict(),
        "student": student.asdict(),
        "strength": strength,
        **facts,
        "sha256": {path.relative_to(folder).as_posix(): sha256_file(path) for path in files},
    }
