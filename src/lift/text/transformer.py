"""Any transformers model, decoder LLM or encoder, with the pooling of one's choice."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.text.encoder import TEXTS_AT_ONCE
from lift.text.folder import Origin, folder_fingerprint, hash_settings, read_json
from lift.text.hub import first_line
from lift.text.minilm import quiet_transformers
from lift.text.options import NUMBER_TYPE, EncoderOptions, choose_precision
from lift.text.pooling import pool
from lift.text.remote_code import hash_code, load_class

UNBOUNDED = 1_000_000  # transformers writes 1e30 where a tokenizer knows no limit
LOADING_ERRORS = (OSError, ValueError, KeyError, ImportError, RuntimeError, TypeError, AttributeError)


def not_loadable(name: str, error: BaseException) -> LiftError:
    """What to tell when a library could not load the encoder `name`."""
    return LiftError(
        f"the text encoder {name!r} could not be loaded: {first_line(error)}",
        "give a complete model folder, or a hub id that this machine can reach",
    )


def load_parts(origin: Origin, *, dtype: torch.dtype, code: Mapping[str, str]) -> tuple[Any, Any]:
    """Model and tokenizer of a folder; code: the classes of its own to load with, {} where none is needed.

    LiftError when they cannot be loaded, or when weights are missing and would be random.
    """
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding, AutoTokenizer

    folder = origin.folder
    own = {key: load_class(code[key], folder) for key in ("AutoConfig", "AutoModel") if key in code}
    trusted = "AutoTokenizer" in code
    try:
        with quiet_transformers():
            config = own.get("AutoConfig", AutoConfig).from_pretrained(folder, local_files_only=True)
            usual = AutoModelForTextEncoding if config.is_encoder_decoder else AutoModel
            model, loaded = own.get("AutoModel", usual).from_pretrained(
                folder, config=config, dtype=dtype, local_files_only=True, output_loading_info=True
            )
            tokenizer = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=trusted
            )
    except (*LOADING_ERRORS, SafetensorError) as error:
        raise not_loadable(origin.name, error) from error
    missing = sorted(key for key in loaded["missing_keys"] if "pooler" not in key)  # the pooler is not used
    if missing:
        raise LiftError(
            f"the weights of {origin.name} lack {len(missing)} tensors, the first: {missing[0]}; "
            "they would be random",
            "give a complete model folder",
        )
    return model.to(dtype).eval().requires_grad_(False), tokenizer


def is_causal(config: Any) -> bool:
    """True for decoders, whose last state alone has seen the whole text."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    text = config.get_text_config()
    if getattr(text, "use_bidirectional_attention", False) or getattr(text, "is_causal", True) is False:
        return False
    kinds = {config.model_type, text.model_type}
    decoder = bool(kinds & set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)) and not kinds & set(
        MODEL_FOR_MASKED_LM_MAPPING_NAMES
    )
    return decoder or bool(getattr(text, "is_decoder", False))


def forward_flops(model: nn.Module) -> float:
    """Two per parameter outside the embeddings: the forward cost of one token.

    By kind of module, not by name alone: NV-Embed calls its whole transformer `embedding_model`.
    """
    tables = (nn.Embedding, nn.EmbeddingBag)
    found = {id(p) for module in model.modules() if isinstance(module, tables) for p in module.parameters()}
    return 2.0 * sum(
        p.numel()
        for n, p in model.named_parameters()
        if id(p) not in found and "embeddings" not in n.split(".")
    )


def prompted_counts(tokenizer: Any, prompt: str, texts: Sequence[str]) -> np.ndarray:
    """Tokens of each text behind `prompt`, by a tokenizer of transformers, before truncation: int64 (n,)."""
    if not len(texts):
        return np.zeros(0, np.int64)
    prompted = [prompt + text for text in texts]
    ids = tokenizer(prompted, truncation=False, padding=False, verbose=False)["input_ids"]
    return np.array([len(row) for row in ids], dtype=np.int64)


def position_limit(model: Any) -> int:
    """Tokens for which the model has positions, UNBOUNDED when it does not say."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None) or UNBOUNDED
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)  # RoBERTa counts positions from padding_idx + 1
    return min(int(limit), UNBOUNDED) - (0 if padding is None else padding + 1)


def token_limit(folder: Path, model: Any, tokenizer: Any, wanted: int | None) -> int:
    """Tokens after which texts are cut: `wanted`, else what the folder says; LiftError beyond the model's positions."""
    positions = position_limit(model)
    if wanted is not None:
        if wanted > positions:
            raise LiftError(
                f"--max-tokens {wanted} is more than the {positions} positions of the model", "leave it out"
            )
        return wanted
    said = read_json(folder / "sentence_bert_config.json").get("max_seq_length") or UNBOUNDED
    return min(int(said), int(min(tokenizer.model_max_length, UNBOUNDED)), positions)


class TransformerEncoder:
    """A transformers model behind the TextEncoder protocol: right padding, attention mask, pooled in float32."""

    def __init__(
        self, origin: Origin, *, device: str, options: EncoderOptions, code: Mapping[str, str] | None = None
    ) -> None:
        """Load the folder of `origin`; code: classes of its own that the user allowed. LiftError when it fails."""
        self.origin, self.name, self.options, self.device = origin, origin.name, options, device
        options.refuse(f"{self.name}, which is not loaded through sentence-transformers", "prompt_name")
        self.precision = choose_precision(options.precision, device)
        self._code = f", code {hash_code(origin.folder)}" if code else ""
        dtype = getattr(torch, NUMBER_TYPE[self.precision])
        model, self._tokenizer = load_parts(origin, dtype=dtype, code=code or {})
        self._model = model.to(device)
        self.causal = is_causal(model.config)
        self.pooling = ("last" if self.causal else "mean") if options.pooling == "auto" else options.pooling
        self.max_tokens = token_limit(origin.folder, model, self._tokenizer, options.max_tokens)
        self._takes = {
            key
            for key in ("position_ids", "use_cache")
            if key in inspect.signature(model.forward).parameters and self.causal
        }
        self._ending = self._own_ending()
        full = self._states([[self._filler()]]).shape[-1]
        self.dim = choose_dim(options.dim, full, self.name)

    def _own_ending(self) -> list[int]:
        """The EOS token where pooling needs it and the tokenizer does not add it, else nothing."""
        end = self._tokenizer.eos_token_id
        if self.pooling != "eos":
            return []
        if end is None:
            raise LiftError(
                f"the tokenizer of {self.name} has no end-of-sequence token", "choose another --pooling"
            )
        if self.max_tokens < 2:
            raise LiftError("--max-tokens 1 leaves room for the end token only", "give 2 or more")
        return [] if self._ids(["a"], None)[0][-1:] == [end] else [end]

    def _filler(self) -> int:
        """A token for padding, and in place of a text without tokens."""
        known = (self._tokenizer.pad_token_id, self._tokenizer.eos_token_id, 0)
        return next(int(token) for token in known if token is not None)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What decides the vectors: weights, tokenizer, settings, prompt, pooling, length, number type, own code."""
        settings = hash_settings(self.origin.folder, ["config.json"])
        return folder_fingerprint(
            self.origin,
            self.options,
            prompt=self.options.prompt,
            pooling=f"{self.pooling}, settings {settings}{self._code}",
            max_tokens=self.max_tokens,
            dim=self.dim,
            precision=self.precision,
            chosen=self.pooling,
        )

    @property
    def flops_per_token(self) -> float:
        """Two per parameter outside the embeddings."""
        return forward_flops(self._model)

    def _ids(self, texts: Sequence[str], limit: int | None) -> list[list[int]]:
        """Token ids with the tokenizer's specials, cut to `limit` such that the specials stay."""
        ids = self._tokenizer(
            [self.options.prompt + text for text in texts],
            truncation=limit is not None,
            max_length=limit,
            padding=False,
            return_attention_mask=False,
            verbose=False,
        )["input_ids"]
        return [[int(token) for token in row] for row in ids]

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text before truncation, prompt and specials included: int64 (n,)."""
        counts = [
            max(1, len(row) + len(self._ending))
            for start in range(0, len(texts), TEXTS_AT_ONCE)
            for row in self._ids(texts[start : start + TEXTS_AT_ONCE], None)
        ]
        return np.array(counts, dtype=np.int64)

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text as the model sees them; a text without any token becomes one filler token."""
        rows = self._ids(texts, self.max_tokens - len(self._ending)) if len(texts) else []
        return [[*row, *self._ending] or [self._filler()] for row in rows]

    def _states(self, rows: Sequence[list[int]]) -> Tensor:
        """Last hidden states (B, T, D) of token ids, padded on the right."""
        width, filler = max(map(len, rows)), self._filler()
        ids = torch.tensor([row + [filler] * (width - len(row)) for row in rows], device=self.device)
        inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": self._mask(rows)}
        if "position_ids" in self._takes:
            inputs["position_ids"] = torch.arange(width, device=self.device).expand(len(rows), width)
        if "use_cache" in self._takes:
            inputs["use_cache"] = False
        return self._model(**inputs).last_hidden_state

    def _mask(self, rows: Sequence[list[int]]) -> Tensor:
        width = max(map(len, rows))
        return torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=self.device)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, D) of one batch."""
        if not len(texts):
            return np.zeros((0, self.dim), np.float32)
        rows = self.tokenise(texts)
        how = "last" if self.pooling == "eos" else self.pooling
        vectors = pool(self._states(rows), self._mask(rows), how)  # type: ignore[arg-type]
        return torch.nn.functional.normalize(vectors[:, : self.dim], dim=-1).cpu().numpy()


def choose_dim(wanted: int | None, full: int, name: str) -> int:
    """Length of the vectors; LiftError when more numbers are wanted than there are."""
    if wanted is not None and wanted > full:
        raise LiftError(f"--dim {wanted} is more than the {full} numbers of {name}", f"give {full} or less")
    return wanted or full
