"""The text tower of the CLIP baseline: a causal transformer trained from scratch (CLIP, arXiv 2103.00020, §2.4)."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from lift.fingerprint import Fingerprint
from lift.text.encoder import count_tokens

PLANLESS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
START, END, PAD = "<start>", "<end>", "<pad>"


def train_tokenizer(texts: Iterable[str], *, vocabulary: int = 8192) -> Tokenizer:
    """A lower-cased byte-level BPE fitted on the training texts, framing each text as <start> … <end>."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, 1), (END, 2)]
    )
    return tokenizer


BUCKETS, BUCKET_TOKENS = 4, 64  # most buckets of a batch; tokens that take as long as one bucket more


def length_buckets(lengths: np.ndarray, most: int = BUCKETS) -> list[np.ndarray]:
    """Rows of texts (n,) of like length, in at most `most` groups, shortest first: each padded to its own longest.

    Of all ways to cut the sorted texts the one that computes the fewest tokens; a pure function of the lengths.
    """
    order = np.argsort(lengths, kind="stable")
    values, counts = np.unique(lengths, return_counts=True)
    ends = np.concatenate([[0], np.cumsum(counts)])  # texts shorter than the i-th distinct length
    # cost[i, j]: one bucket for the distinct lengths i .. j-1
    cost = (ends[None, 1:] - ends[:-1, None]) * values[None, :] + float(BUCKET_TOKENS)
    cost[np.tril_indices(len(values), -1)] = np.inf
    best, cuts = [cost[0]], [np.zeros(len(values), np.int64)]
    for _ in range(1, min(most, len(values))):
        ways = np.concatenate([[np.inf], best[-1][:-1]])[:, None] + cost
        cuts.append(ways.argmin(0))
        best.append(ways.min(0))
    used = int(np.argmin([row[-1] for row in best]))
    borders, last = [len(order)], len(values) - 1
    for cut in reversed(cuts[: used + 1]):
        first = int(cut[last])
        borders.append(int(ends[first]))
        last = first - 1
    return [order[a:b] for a, b in pairwise(reversed(borders))]


def any_shape(x: Tensor) -> contextlib.AbstractContextManager[None]:
    """On a GPU, attention that needs no plan of its own for every number and length of texts, as cuDNN's does.

    On an H100 36 steps of 64 short captions took 12 s with cuDNN's, nearly all of it for plans.
    """
    return sdpa_kernel(PLANLESS) if x.is_cuda else contextlib.nullcontext()


class TowerBlock(nn.Module):
    """Pre-norm causal transformer block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, W) -> (B, T, W)."""
        batch, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(self.norm2(x))


class TextTower(nn.Module):
    """Causal transformer, the state at <end> projected to the shared space; also a TextEncoder for queries."""

    def __init__(self, tokenizer: Tokenizer, *, width: int, depth: int, dim: int, context: int) -> None:
        super().__init__()
        self.width, self.depth, self.dim, self.context = width, depth, dim, context
        self.tokenizer = tokenizer
        self.tokenizer.encode_special_tokens = True  # a caption that says "<end>" must not end there
        vocabulary = tokenizer.get_vocab_size()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.empty(context, width))
        self.blocks = nn.ModuleList([TowerBlock(width, max(1, width // 64)) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.projection = nn.Linear(width, dim, bias=False)
        nn.init.normal_(self.tokens.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.01)
        nn.init.normal_(self.projection.weight, std=width**-0.5)

    @property
    def max_tokens(self) -> int:
        """Tokens beyond the context are cut off."""
        return self.context

    def forward(self, ids: Tensor) -> Tensor:
        """Token ids (B, T), padded with 0, to unit vectors (B, D)."""
        x = self.tokens(ids) + self.positions[: ids.shape[1]]
        with any_shape(x):
            for block in self.blocks:
                x = block(x)
        end = (ids == 2).int().argmax(-1)
        x = self.norm(x[torch.arange(len(ids), device=ids.device), end])
        return F.normalize(self.projection(x).float(), dim=-1)

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text before truncation, specials included: int (n,)."""
        return count_tokens(self.tokenizer.encode_batch, texts)

    def tokenise(self, texts: Sequence[str]) -> Tensor:
        """Token ids int32 (n, longest), cut to the context with <end> kept, padded with 0."""
        rows = []
        for item in self.tokenizer.encode_batch(list(texts)):
            rows.append(item.ids if len(item.ids) <= self.context else [*item.ids[: self.context - 1], 2])
        width = max(map(len, rows), default=1)
        return torch.tensor([row + [0] * (width - len(row)) for row in rows], dtype=torch.int32).view(
            -1, width
        )

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, D) of one batch."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        return self(self.tokenise(texts).to(self.positions.device)).float().cpu().numpy()

    @property
    def flops_per_token(self) -> float:
        """Two per parameter outside the embeddings."""
        return 2.0 * sum(
            p.numel() for n, p in self.named_parameters() if n not in ("tokens.weight", "positions")
        )

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What decides the vectors: the trained weights and the tokenizer. Ask only when training is over."""
        weights = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            weights.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
        return Fingerprint(
            name="clip text tower",
            source="checkpoint",
            weights=weights.hexdigest()[:16],
            tokenizer=hashlib.sha256(self.tokenizer.to_str().encode()).hexdigest()[:16],
            prompt="",
            pooling="end token",
            max_tokens=self.context,
            normalised=True,
            dim=self.dim,
            dtype="float32",
        )
