"""Encoders that bring program code with an `encode` of their own (NV-Embed and its kind)."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.text.folder import Origin, folder_fingerprint, hash_settings
from lift.text.hub import first_line
from lift.text.options import NUMBER_TYPE, EncoderOptions, choose_precision
from lift.text.remote_code import hash_code
from lift.text.transformer import (
    LOADING_ERRORS,
    choose_dim,
    forward_flops,
    load_parts,
    prompted_counts,
    token_limit,
)


class OwnEncoder:
    """A model whose code has `encode(texts, instruction=…, max_length=…)`; it runs with the user's consent only."""

    def __init__(
        self, origin: Origin, *, device: str, options: EncoderOptions, code: Mapping[str, str]
    ) -> None:
        """Load the folder of `origin` with `code`, its classes, which the user allowed. LiftError when it fails."""
        self.origin, self.name, self.options = origin, origin.name, options
        options.refuse(f"{self.name}, which encodes by its own code", "prompt_name")
        self.precision = choose_precision(options.precision, device)
        self._code = f", code {hash_code(origin.folder)}"
        dtype = getattr(torch, NUMBER_TYPE[self.precision])
        model, self._tokenizer = load_parts(origin, dtype=dtype, code=code)
        self._model = model.to(device)
        if not callable(getattr(model, "encode", None)):
            raise LiftError(
                f"the code of {self.name} has no encode", "choose another --pooling: last, mean, eos …"
            )
        self._takes = inspect.signature(model.encode).parameters
        self.max_tokens = token_limit(origin.folder, model, self._tokenizer, options.max_tokens)
        if options.max_tokens is not None and "max_length" not in self._takes:
            raise LiftError(f"the encode of {self.name} takes no max_length", "leave --max-tokens out")
        self.dim = choose_dim(options.dim, self._raw(["a"]).shape[1], self.name)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What decides the vectors: weights, tokenizer, settings, prompt, length, number type, and the code."""
        settings = hash_settings(self.origin.folder, ["config.json"])
        return folder_fingerprint(
            self.origin,
            self.options,
            prompt=self.options.prompt,
            pooling=f"own, settings {settings}{self._code}",
            max_tokens=self.max_tokens,
            dim=self.dim,
            precision=self.precision,
            chosen="own",
        )

    @property
    def flops_per_token(self) -> float:
        """Two per parameter outside the embeddings."""
        return forward_flops(self._model)

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text with its prompt, by the folder's tokenizer, before truncation: int64 (n,)."""
        return prompted_counts(self._tokenizer, self.options.prompt, texts)

    @torch.inference_mode()
    def _raw(self, texts: list[str]) -> np.ndarray:
        """What the code returns, as float32 (n, D)."""
        how: dict[str, Any] = {}
        if "instruction" in self._takes:
            how["instruction"] = self.options.prompt
        else:
            texts = [self.options.prompt + text for text in texts]
        if "max_length" in self._takes:
            how["max_length"] = self.max_tokens
        try:
            found = self._model.encode(texts, **how)
        except LOADING_ERRORS as error:
            raise LiftError(
                f"the encode of {self.name} failed: {first_line(error)}",
                "its code may need another version of transformers; see its model card",
            ) from error
        vectors = found.float().cpu().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise LiftError(
                f"the encode of {self.name} gives an array {vectors.shape} for {len(texts)} texts",
                "it is no text encoder of the kind lift knows; write a small class for it",
            )
        return vectors.astype(np.float32)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, D) of one batch."""
        if not len(texts):
            return np.zeros((0, self.dim), np.float32)
        vectors = self._raw(list(texts))[:, : self.dim]
        return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
