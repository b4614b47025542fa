"""An encoder under examination: texts to vectors, each distinct text once, with a progress bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lift.auditing.corpus import Corpus
from lift.auditing.glossary import Term
from lift.console import progress_bar
from lift.text import TextEncoder, encode_sorted

AT_ONCE = 512  # texts between two moves of the progress bar
BATCH = 64


@dataclass
class Examinee:
    """One encoder with the corpus it is examined on; vectors are kept, so that every text is encoded once."""

    name: str
    encoder: TextEncoder
    corpus: Corpus
    glossary: Sequence[Term] = ()
    batch_size: int = 1024
    seed: int = 0
    _number: dict[str, int] = field(default_factory=dict)
    _parts: list[np.ndarray] = field(default_factory=list)

    def features(self, texts: Sequence[str], what: str = "texts") -> np.ndarray:
        """Vectors float32 (n, D) of `texts`, as the encoder gives them."""
        new = [text for text in dict.fromkeys(texts) if text not in self._number]
        if new:
            counts = self.encoder.token_counts(new)
            order = np.argsort(counts, kind="stable")
            with progress_bar(f"{self.name}: encoding {what}", len(new)) as bar:
                for start in range(0, len(new), AT_ONCE):
                    part = [new[i] for i in order[start : start + AT_ONCE]]
                    self._number |= {text: len(self._number) + i for i, text in enumerate(part)}
                    self._parts.append(encode_sorted(self.encoder, part, batch_size=BATCH))
                    bar.advance(len(part))
            self._parts = [np.concatenate(self._parts)]
        if not texts:
            return np.zeros((0, self.encoder.dim), np.float32)
        return self._parts[0][[self._number[text] for text in texts]]

    @property
    def text_features(self) -> np.ndarray:
        """Vectors of the corpus's texts, in their order."""
        return self.features(self.corpus.texts)
