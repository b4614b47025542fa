"""The text side of published models: how long, padded how, in which case, with or without a mask."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lift.errors import LiftError
from lift.text.folder import read_json

UNBOUNDED = 1_000_000  # transformers writes 1e30 where a tokenizer knows no limit


class TextSide(NamedTuple):
    """How a family was trained: tokens at most (None: its positions), padded to all of them, lower case, masked."""

    limit: int | None = None
    pad_to_limit: bool = False
    lower: bool = False
    masked: bool = True


#: CLIP reads its state at the end of the text. SigLIP 1 and 2 read the last of 64 padded positions, without a mask, and
#: were trained on lower-cased text (big_vision's configs). AltCLIP and Chinese-CLIP have long position tables, of which
#: they were trained on the first 77 and 52.
TEXT_SIDES = {
    "clip": TextSide(),
    "metaclip_2": TextSide(),
    "altclip": TextSide(limit=77),
    "chinese_clip": TextSide(limit=52),
    "siglip": TextSide(limit=64, pad_to_limit=True, lower=True, masked=False),
    "siglip2": TextSide(limit=64, pad_to_limit=True, lower=True, masked=False),
}


def check_tokenizer(folder: Path) -> None:
    """LiftError where the tokenizer needs a package that is not there; transformers would take another one."""
    wanted = read_json(folder / "tokenizer_config.json").get("tokenizer_class")
    if wanted == "SiglipTokenizer" and importlib.util.find_spec("sentencepiece") is None:
        raise LiftError(
            f"the tokenizer of {folder} needs the package sentencepiece", "`pip install sentencepiece`"
        )


class Words:
    """Texts to what the model's text side is called with."""

    def __init__(self, family: str, tokenizer: Any, positions: int | None) -> None:
        self.side, self._tokenizer = TEXT_SIDES.get(family, TextSide()), tokenizer
        known = (self.side.limit, positions, getattr(tokenizer, "model_max_length", None))
        limits = [limit for limit in known if limit and limit < UNBOUNDED]
        if not limits:
            raise LiftError(
                "neither the model nor its tokenizer says how long a text may be",
                "write model_max_length into its tokenizer_config.json",
            )
        self.limit = min(limits)
        if family in ("siglip", "siglip2"):
            tokenizer.padding_side = "right"  # as trained; the class's own default differs between versions

    def __call__(self, texts: list[str], device: str) -> dict[str, Tensor]:
        """Token ids (n, length) and, where the family has one, the attention mask."""
        found = self._tokenizer(
            [text.lower() for text in texts] if self.side.lower else texts,
            padding="max_length" if self.side.pad_to_limit else True,
            truncation=True,
            max_length=self.limit,
            return_tensors="pt",
        )
        wanted = ("input_ids", "attention_mask") if self.side.masked else ("input_ids",)
        return {name: torch.as_tensor(found[name]).to(device) for name in wanted}

    def counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens (n,) of each text before any cut, int64."""
        given = [text.lower() for text in texts] if self.side.lower else list(texts)
        found = self._tokenizer(given, truncation=False, verbose=False)["input_ids"] if given else []
        return np.array([len(one) for one in found], np.int64)

    def describe(self) -> str:
        """The settings in words, for the fingerprint."""
        parts = ["padded" if self.side.pad_to_limit else "", "lower case" if self.side.lower else ""]
        return ", ".join(["own", *filter(None, parts)])
