"""A frozen text encoder whose vectors are conditioned: centred, whitened, cut to the leading directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lift.conditioning import Conditioning
from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.text.encoder import TextEncoder, counts_tokens


class ConditionedEncoder:
    """`encoder` followed by `conditioning`; the fingerprint names both."""

    def __init__(self, encoder: TextEncoder, conditioning: Conditioning) -> None:
        """LiftError when the conditioning was fitted on vectors of another length."""
        if encoder.dim != conditioning.input_dim:
            raise LiftError(
                f"the conditioning {conditioning.name!r} is of vectors of {conditioning.input_dim} numbers, "
                f"those of {encoder.fingerprint} have {encoder.dim}",
                "take the --encoder and --dim with which the plain STORE was made",
            )
        self._encoder, self.conditioning = encoder, conditioning

    @property
    def fingerprint(self) -> Fingerprint:
        """That of the encoder, with the conditioning as its post-processing."""
        return conditioned_fingerprint(self._encoder.fingerprint, self.conditioning)

    @property
    def dim(self) -> int:
        """Length of a conditioned vector."""
        return self.conditioning.dim

    @property
    def max_tokens(self) -> int:
        """Tokens beyond this many are cut off."""
        return self._encoder.max_tokens

    @property
    def flops_per_token(self) -> float:
        """Forward cost of one token; the conditioning itself costs next to nothing."""
        return self._encoder.flops_per_token

    @property
    def counts_tokens(self) -> bool:
        """False when the encoder cannot know the tokens of a text."""
        return counts_tokens(self._encoder)

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text before truncation, specials included: int (n,)."""
        return self._encoder.token_counts(texts)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Conditioned unit vectors float32 (n, d) of one batch."""
        return self.conditioning.apply(self._encoder.encode(texts))


def conditioned_fingerprint(fingerprint: Fingerprint, conditioning: Conditioning) -> Fingerprint:
    """The fingerprint of an encoder whose vectors are conditioned."""
    return replace(fingerprint, dim=conditioning.dim, post_processing=conditioning.name)


def plain_fingerprint(fingerprint: Fingerprint, conditioning: Conditioning) -> Fingerprint:
    """The inverse: the fingerprint of the encoder alone."""
    return replace(fingerprint, dim=conditioning.input_dim, post_processing="none")
