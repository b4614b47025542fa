"""Any sentence-transformers model, from a folder or a hub id."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from lift.errors import LiftError
from lift.fingerprint import Fingerprint, hash_files

WEIGHTS = ["*.safetensors", "pytorch_model*.bin"]
TOKENIZER = [
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "added_tokens.json",
    "*.model",
    "merges.txt",
    "special_tokens_map.json",
]
SETTINGS = ["modules.json", "config*.json", "sentence_*config.json"]


class SentenceEncoder:
    """A SentenceTransformer behind the TextEncoder protocol; vectors always of unit length."""

    def __init__(self, source: str, *, device: str = "cpu") -> None:
        """Load `source`, a folder or hub id; raises LiftError when it cannot be loaded."""
        from sentence_transformers import SentenceTransformer

        try:
            self._model = SentenceTransformer(source, device=device, trust_remote_code=False)
        except (OSError, ValueError, KeyError) as error:
            raise LiftError(
                f"the text encoder {source!r} could not be loaded: {str(error).splitlines()[0]}",
                "give a complete sentence-transformers folder, or a hub id that this machine can reach",
            ) from error
        self.source = source
        self._model.eval().requires_grad_(False)
        self.dim = int(self._model.encode(["x"], show_progress_bar=False).shape[1])
        self.max_tokens = int(self._model.max_seq_length or self._model.tokenizer.model_max_length)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What decides the vectors; for a hub id the files of the fetched snapshot are hashed."""
        folder = Path(self.source)
        if not folder.exists():
            from huggingface_hub import snapshot_download

            folder = Path(snapshot_download(self.source, local_files_only=True))
        return Fingerprint(
            name=folder.resolve().name if Path(self.source).exists() else self.source,
            source=str(folder.resolve()) if Path(self.source).exists() else self.source,
            weights=hash_files(folder, WEIGHTS),
            tokenizer=hash_files(folder, TOKENIZER),
            prompt=self._model.prompts.get(self._model.default_prompt_name or "", ""),
            pooling="modules " + hash_files(folder, SETTINGS),
            max_tokens=self.max_tokens,
            normalised=True,
            dim=self.dim,
            dtype=str(next(self._model.parameters()).dtype).removeprefix("torch."),
        )

    @property
    def flops_per_token(self) -> float:
        """Two per parameter outside the embeddings."""
        return 2.0 * sum(p.numel() for n, p in self._model.named_parameters() if "embed" not in n)

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text before truncation, specials included: int (n,)."""
        if not texts:
            return np.zeros(0, np.int64)
        ids = self._model.tokenizer(list(texts), truncation=False, padding=False, verbose=False)["input_ids"]
        return np.array([len(row) for row in ids], dtype=np.int64)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, D) of one batch."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        vectors = self._model.encode(
            list(texts), batch_size=len(texts), normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, np.float32)
