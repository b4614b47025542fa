"""What every text encoder must offer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from lift.fingerprint import Fingerprint


class TextEncoder(Protocol):
    """A frozen text encoder: texts in, unit vectors out."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What decides the vectors."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens beyond this many are cut off."""
        ...

    @property
    def flops_per_token(self) -> float:
        """Forward cost of one token: two per non-embedding parameter."""
        ...

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text before truncation, specials included: int (n,)."""
        ...

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, D) of one batch."""
        ...
