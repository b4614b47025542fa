"""Any sentence-transformers model: its own modules, prompts, Matryoshka truncation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch

from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.text.encoder import count_tokens
from lift.text.folder import MODULE_SETTINGS, Origin, folder_fingerprint, hash_settings
from lift.text.options import NUMBER_TYPE, EncoderOptions, choose_precision
from lift.text.remote_code import hash_code
from lift.text.transformer import (
    LOADING_ERRORS,
    UNBOUNDED,
    choose_dim,
    forward_flops,
    not_loadable,
    position_limit,
    prompted_counts,
)


class SentenceEncoder:
    """A SentenceTransformer behind the TextEncoder protocol; vectors always of unit length."""

    def __init__(
        self, origin: Origin, *, device: str, options: EncoderOptions, code: Mapping[str, str] | None = None
    ) -> None:
        """Load the folder of `origin`; code: classes of its own that the user allowed. LiftError when it fails."""
        from safetensors import SafetensorError
        from sentence_transformers import SentenceTransformer

        self.origin, self.name, self.options = origin, origin.name, options
        self.precision = choose_precision(options.precision, device)
        self._code = f", code {hash_code(origin.folder)}" if code else ""
        dtype = getattr(torch, NUMBER_TYPE[self.precision])
        try:
            model = SentenceTransformer(
                str(origin.folder),
                device=device,
                trust_remote_code=bool(code),
                local_files_only=True,
                model_kwargs={"dtype": dtype},
            )
        except (*LOADING_ERRORS, SafetensorError) as error:
            raise not_loadable(self.name, error) from error
        self._model = model.to(dtype).eval().requires_grad_(False)
        self.prompt = self._choose_prompt()
        self.max_tokens = self._choose_limit()
        self.dim = choose_dim(options.dim, self._raw(["x"]).shape[1], self.name)

    def _choose_prompt(self) -> str:
        """The text put before every text: given, named, or the model's default."""
        wanted, prompts = self.options.prompt_name, self._model.prompts
        if wanted is not None and wanted not in prompts:
            raise LiftError(
                f"{self.name} has no prompt named {wanted!r}", f"it has: {', '.join(prompts) or 'none'}"
            )
        return self.options.prompt or prompts.get(wanted or self._model.default_prompt_name or "", "")

    def _choose_limit(self) -> int:
        """Tokens after which the model cuts, at most those of --max-tokens."""
        limit = min(self._model.max_seq_length or UNBOUNDED, UNBOUNDED)  # static embeddings: infinite
        wanted = self.options.max_tokens
        if wanted is None:
            return int(limit)
        inner = getattr(self._model[0], "auto_model", None)
        positions = position_limit(inner) if hasattr(inner, "config") else 0
        if wanted > positions:
            raise LiftError(
                f"--max-tokens {wanted} is more than the {positions} positions of {self.name}", "leave it out"
            )
        self._model.max_seq_length = wanted
        return wanted

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What decides the vectors: weights, tokenizer, modules, prompt, length, number type, own code."""
        settings = hash_settings(self.origin.folder, MODULE_SETTINGS)
        return folder_fingerprint(
            self.origin,
            self.options,
            prompt=self.prompt,
            pooling=f"modules {settings}{self._code}",
            max_tokens=self.max_tokens,
            dim=self.dim,
            precision=self.precision,
        )

    @property
    def flops_per_token(self) -> float:
        """Two per parameter outside the embeddings."""
        return forward_flops(self._model)

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text before truncation, prompt and specials included: int (n,)."""
        tokenizer = self._model.tokenizer
        if not callable(tokenizer):  # static embeddings have a bare tokenizer
            return count_tokens(tokenizer.encode_batch, [self.prompt + text for text in texts])
        return prompted_counts(tokenizer, self.prompt, texts)

    def _raw(self, texts: list[str]) -> torch.Tensor:
        """The model's vectors, float32 (n, D)."""
        return self._model.encode(
            texts, prompt=self.prompt, batch_size=len(texts), convert_to_tensor=True, show_progress_bar=False
        ).float()

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, D) of one batch."""
        if not len(texts):
            return np.zeros((0, self.dim), np.float32)
        return torch.nn.functional.normalize(self._raw(list(texts))[:, : self.dim], dim=-1).cpu().numpy()
