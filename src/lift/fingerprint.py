"""What a text encoder is: the fingerprint that ties STORE, RUN and INDEX together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lift.artefact import digest, sha256_file
from lift.errors import LiftError


@dataclass(frozen=True)
class Fingerprint:
    """Everything that decides which vector a text gets; equal `digest` means equal vectors.

    `name` and `source` say what to call it and where it was loaded from; they are not part of the digest, so that
    a moved folder stays the same encoder.
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

    @property
    def digest(self) -> str:
        """16 hexadecimal digits over all fields but name and source."""
        fields = asdict(self)
        return digest({key: value for key, value in fields.items() if key not in ("name", "source")})

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


def hash_files(folder: Path, names: Sequence[str]) -> str:
    """16 hexadecimal digits over name and content of the files of `folder` that match `names` (globs), sorted."""
    found = sorted({file for name in names for file in folder.rglob(name) if file.is_file()})
    if not found:
        raise LiftError(
            f"{folder} holds none of {', '.join(names)}", "give the complete folder of the encoder"
        )
    total = hashlib.sha256()
    for file in found:
        total.update(f"{file.relative_to(folder)}={sha256_file(file)};".encode())
    return total.hexdigest()[:16]
