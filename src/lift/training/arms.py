"""The methods behind one face: where the text features of a step come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from lift.console import note
from lift.data.dataset import Row, distinct_texts
from lift.fingerprint import Fingerprint
from lift.image import ImageEncoder
from lift.image.encoder import WordsHead
from lift.losses import LOSSES, Loss, with_cosine, with_own
from lift.store import EmbeddingStore
from lift.text import TextTower, WordBag, encode_sorted, length_buckets, train_tokenizer
from lift.text.encoder import count_tokens
from lift.text.tower import BUCKETS
from lift.training.config import TrainConfig
from lift.training.towers import new_encoder, tower_shape


class Arm(Protocol):
    """A source of text features; `number_of` numbers the texts."""

    number_of: dict[str, int]

    @property
    def tower(self) -> TextTower | None:
        """The part that learns, if any."""
        ...

    def text_features(self, numbers: np.ndarray) -> Tensor:
        """Unit vectors (B, D) of texts by number."""
        ...

    def computed(self, numbers: np.ndarray) -> tuple[tuple[int, int], ...]:
        """(texts, tokens per text) that the step computes, padding included; empty when there are vectors."""
        ...

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, D) for validation."""
        ...

    @property
    def fingerprint(self) -> Fingerprint:
        """Of the text encoder; for clip only true once training is over."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """What the checkpoint must hold to build the text side again."""
        ...


class LiftArm:
    """Text features are rows of the STORE."""

    tower = None

    def __init__(
        self, store: EmbeddingStore, rows: Sequence[Row], device: str, more: Sequence[str] = ()
    ) -> None:
        """The texts of `rows` are numbered first, then `more`."""
        texts = list(dict.fromkeys([*distinct_texts(rows), *more]))
        self.store, self.fingerprint = store, store.fingerprint
        self.number_of = {text: number for number, text in enumerate(texts)}
        self.vectors = torch.from_numpy(store.vectors(texts)).to(device)
        self.settings: dict[str, Any] = {}

    def text_features(self, numbers: np.ndarray) -> Tensor:
        """Unit vectors (B, D) of texts by number; (B, K, D) of numbers (B, K)."""
        return self.vectors[torch.from_numpy(numbers).to(self.vectors.device)]

    def computed(self, numbers: np.ndarray) -> tuple[tuple[int, int], ...]:
        """No token is computed during training."""
        return ()

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, D) for validation."""
        return self.store.vectors(texts)


CLIP_CONTEXT, LONGEST_CONTEXT = 77, 256


def longest(tokenizer: Tokenizer, texts: Sequence[str]) -> int:
    """Tokens of the longest text."""
    return int(count_tokens(tokenizer.encode_batch, texts).max(initial=0))


class Texts(nn.Module):
    """CLIP's text tower as a step calls it: once, whatever the number of buckets."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, buckets: list[Tensor]) -> Tensor:
        """Token ids (n, T) of each bucket to unit vectors (B, D), bucket by bucket."""
        return torch.cat([self.tower(ids) for ids in buckets])


class ClipArm:
    """Text features come from a transformer that is trained along, from scratch."""

    def __init__(
        self, rows: Sequence[Row], config: TrainConfig, *, dim: int, depth: int, more: Sequence[str] = ()
    ) -> None:
        """The texts of `rows` are numbered first, then `more`; the tokenizer is fitted on both."""
        texts = list(dict.fromkeys([*distinct_texts(rows), *more]))
        self.number_of = {text: number for number, text in enumerate(texts)}
        assert config.text_width is not None
        tokenizer = train_tokenizer(texts)
        context = config.context or min(LONGEST_CONTEXT, max(CLIP_CONTEXT, longest(tokenizer, texts)))
        self.shape = {"width": config.text_width, "depth": depth, "dim": dim, "context": context}
        self.tower: TextTower = TextTower(tokenizer, **self.shape).to(config.device)
        self.call: nn.Module = Texts(self.tower)
        # The processes of FSDP exchange a block's weights whenever it is called: all must call it as often.
        self.most_buckets = 1 if config.parallel == "fsdp" else BUCKETS
        self.device = config.device
        self.ids = self.tower.tokenise(texts)
        self.lengths = (self.ids != 0).sum(1).numpy()
        cut = int((self.tower.token_counts(texts) > context).sum())
        if cut:
            note(
                f"{cut} of {len(texts):,} texts are longer than the text tower's {context} tokens and were cut"
            )

    def computed(self, numbers: np.ndarray) -> tuple[tuple[int, int], ...]:
        """(texts, tokens per text) of each bucket of the batch."""
        lengths = self.lengths[numbers]
        return tuple(
            (len(rows), int(lengths[rows].max())) for rows in length_buckets(lengths, self.most_buckets)
        )

    def text_features(self, numbers: np.ndarray) -> Tensor:
        """Unit vectors (B, D) of texts by number.

        Texts of like length go through the tower together, each padded to the longest of its bucket: attention is
        causal and the state is read at <end>, so the padding behind it changes nothing but the time.
        """
        buckets = length_buckets(self.lengths[numbers], self.most_buckets)
        parts = []
        for rows in buckets:
            chosen = numbers[rows]
            ids = self.ids[torch.from_numpy(chosen), : int(self.lengths[chosen].max())]
            parts.append(ids.to(self.device))
        back = torch.from_numpy(np.argsort(np.concatenate(buckets)))
        features: Tensor = self.call(parts)[back.to(self.device)]
        return features

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, D) for validation."""
        return encode_sorted(self.tower, texts, batch_size=256)

    @property
    def fingerprint(self) -> Fingerprint:
        """Of the tower as it is now."""
        self.tower.__dict__.pop("fingerprint", None)
        return self.tower.fingerprint

    @property
    def settings(self) -> dict[str, Any]:
        """Tokenizer and shape of the tower."""
        return {"tokenizer": self.tower.tokenizer.to_str(), "text_tower": self.shape}


class WordsArm:
    """Text features are bags of words: nothing is encoded, nothing learnt."""

    tower = None

    def __init__(self, rows: Sequence[Row], device: str, more: Sequence[str] = ()) -> None:
        """The texts of `rows` are numbered first, then `more`; vocabulary and weights come from both."""
        texts = list(dict.fromkeys([*distinct_texts(rows), *more]))
        self.number_of = {text: number for number, text in enumerate(texts)}
        self.bag, self.device = WordBag.fit(texts), device
        self.places = self.bag.places(texts)
        self.fingerprint, self.settings = self.bag.fingerprint, self.bag.settings

    def text_features(self, numbers: np.ndarray) -> Tensor:
        """Unit vectors (B, V) of texts by number."""
        return torch.from_numpy(self.bag.bags([self.places[n] for n in numbers])).to(self.device)

    def computed(self, numbers: np.ndarray) -> tuple[tuple[int, int], ...]:
        """No token is computed."""
        return ()

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, V) for validation."""
        return self.bag.encode(texts)

    def log_prior(self) -> Tensor:
        """Log of the mean label weights over all texts (V): the best guess of the labels without a photo."""
        total = np.zeros(self.bag.dim)
        for start in range(0, len(self.places), 1024):
            bags = self.bag.bags(self.places[start : start + 1024]).astype(np.float64)
            total += (bags / bags.sum(1, keepdims=True)).sum(0)
        return torch.from_numpy(np.log(np.maximum(total / total.sum(), 1e-12)).astype(np.float32))


def build(
    config: TrainConfig, image_size: int, rows: Sequence[Row], store: EmbeddingStore, more: Sequence[str]
) -> tuple[ImageEncoder, Arm]:
    """Both sides of a run, the image encoder first: every method starts from the same image weights.

    `more`: texts beside those of the rows that steps will ask for.
    """
    if config.method == "words":
        arm = WordsArm(rows, config.device, more)  # nothing in it is drawn
        encoder = new_encoder(config, image_size, arm.bag.dim)
        assert isinstance(encoder.head, WordsHead)
        encoder.head.log_prior.copy_(arm.log_prior())
        return encoder, arm
    shape = tower_shape(config)
    dim = shape.width if config.head == "none" and config.method != "lift" else store.dim
    encoder = new_encoder(config, image_size, dim)
    if config.method == "lift":
        return encoder, LiftArm(store, rows, config.device, more)
    return encoder, ClipArm(rows, config, dim=dim, depth=shape.depth, more=more)


class Scalars(nn.Module):
    """The learnt scalars of a loss: log of logit_scale, and logit_bias."""

    def __init__(self, scale: float, bias: float, *, learns_scale: bool, learns_bias: bool) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(scale).log(), requires_grad=learns_scale)
        self.bias = nn.Parameter(torch.tensor(bias), requires_grad=learns_bias)


def new_scalars(loss: Loss) -> Scalars:
    """The scalars of `loss` as training begins."""
    return Scalars(
        loss.initial_scale, loss.initial_bias, learns_scale=loss.learns_scale, learns_bias=loss.learns_bias
    )


def loss_of(config: TrainConfig) -> Loss:
    """The loss that the configuration asks for, with what it mixes in."""
    return with_own(
        with_cosine(LOSSES[config.loss], config.cosine_weight), config.hard_weight, config.hard_negatives
    )


def modules_of(encoder: ImageEncoder, arm: Arm, scalars: Scalars) -> dict[str, nn.Module]:
    """Everything of a run that has weights, by the names that its files have."""
    modules: dict[str, nn.Module] = {"image": encoder, "scalars": scalars}
    if arm.tower is not None:
        modules["text"] = arm.tower
    return modules
