"""The bytes of a training step, counted on a few rows before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any
from weakref import finalize

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lift.data import Row
from lift.data.dataset import distinct_texts
from lift.image import ImageEncoder, apply_tuning
from lift.losses import LOSSES, OwnNegatives, with_cosine, with_own
from lift.text import TextTower, length_buckets, train_tokenizer
from lift.training.arms import CLIP_CONTEXT, LONGEST_CONTEXT, longest
from lift.training.config import TrainConfig
from lift.training.execution import recompute_blocks
from lift.training.features import frozen_body
from lift.training.optimisation import autocast
from lift.training.towers import tower_shape

SAMPLE = 2000  # texts from which the lengths of all are told
VOCABULARY = 8192  # of the text tower, where there are more texts than the sample


def saved_bytes(forward: Callable[[], Tensor], known: Sequence[Tensor]) -> list[int]:
    """Bytes of each tensor that a forward pass keeps for the way back, in order, without the tensors `known`."""
    apart = {tensor.untyped_storage().data_ptr() for tensor in known}
    found: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in apart:
            found.setdefault(storage.data_ptr(), storage.nbytes())
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = forward()  # held until everything is counted, so that no address is used twice
    del output
    return list(found.values())


def at_batch(measure: Callable[[int], list[int]], count: int) -> tuple[int, int]:
    """(all bytes, the largest tensor) that `measure(count)` would find, told from batches of 2 and 4.

    Every tensor grows with the rows, or not at all. Where the two batches do not keep the same tensors, only their sums
    are set side by side.
    """
    two, four = measure(2), measure(4)
    if len(two) != len(four):
        (total, _), largest = at_batch(lambda n: [sum(two if n == 2 else four)], count), max(four)
        return total, largest * count // 4
    whole = [a + (b - a) * (count - 2) // 2 for a, b in zip(two, four, strict=True)]
    return sum(whole), max(whole, default=0)


class Live(TorchDispatchMode):
    """Counts the bytes of the tensors that come to life inside the block: `peak`."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute, and look at what has come out."""
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self.seen:
                    self.seen.add(storage._cdata)
                    self.now += storage.nbytes()
                    finalize(storage, self._gone, storage._cdata, storage.nbytes())
        self.peak = max(self.peak, self.now)
        return out

    def _gone(self, name: int, size: int) -> None:
        self.seen.discard(name)
        self.now -= size


@lru_cache(maxsize=64)
def loss_bytes(
    loss: str,
    weight: float,
    batch: int,
    dim: int,
    own: int,
    similar: float | None,
    learns: bool,
    weighed: int = 0,
) -> int:
    """Most bytes of a loss and its way back, beside the features: it grows with the square of the batch.

    weight: of the cosine loss. own: negatives of each image, of which `weighed` have a loss of their own.
    """
    more: dict[str, Any] = {} if similar is None else {"similar": similar}
    with torch.device("meta"):
        images, one = torch.empty(batch, dim, requires_grad=True), torch.empty(())
        texts = torch.empty(batch, dim, requires_grad=learns)
        if own:
            more["own"] = OwnNegatives(
                torch.empty(batch, own, dim), torch.empty(batch, own, dtype=torch.bool)
            )
        ids = torch.zeros(batch, dtype=torch.int64)
        with Live() as live:
            function = with_own(with_cosine(LOSSES[loss], weight), float(weighed > 0), weighed).function
            function(images, texts, ids, one, one, **more).backward()
    return live.peak


def empty_encoder(config: TrainConfig, image_size: int, dim: int, device: str) -> ImageEncoder:
    """The image encoder on `device` without weights in it: neither time nor memory before it is computed with."""
    shape = tower_shape(config)
    with torch.device("meta"):
        encoder = ImageEncoder(shape, image_size=image_size, dim=dim, head=config.head or "mlp")
        apply_tuning(encoder, config.tune or "full")
    encoder.to_empty(device=device)
    if config.checkpointing:
        recompute_blocks(encoder)
    for buffer in encoder.buffers():
        buffer.zero_()  # some backbones look their positions up by a buffer of numbers
    return encoder


@lru_cache(maxsize=64)
def image_bytes(config: TrainConfig, image_size: int, dim: int, batch: int) -> tuple[int, int, int, int]:
    """(all weights, learnt weights, activations, largest activation) of the image side of a step, in bytes."""
    encoder = empty_encoder(config, image_size, dim, config.device)
    tensors, kept = [*encoder.parameters(), *encoder.buffers()], frozen_body(config)

    def measure(count: int) -> list[int]:
        shape = (count, encoder.shape.width) if kept else (count, 3, image_size, image_size)
        given = torch.zeros(shape, device=config.device)
        with autocast(config):
            run = encoder.from_pooled if kept else encoder
            return saved_bytes(lambda: run(given), [*tensors, given])

    total, largest = at_batch(measure, batch)
    return bytes_of(tensors), bytes_of(learnt_of(encoder)), total, largest


def text_bytes(config: TrainConfig, rows: list[Row], dim: int, batch: int) -> tuple[int, int, int, int]:
    """The same of CLIP's text tower, for a batch of texts as long as those of an even sample."""
    texts = distinct_texts(rows)
    sample = texts[:: -(-len(texts) // SAMPLE)]
    tokenizer = train_tokenizer(sample)
    context = config.context or min(LONGEST_CONTEXT, max(CLIP_CONTEXT, longest(tokenizer, sample)))
    shape = tower_shape(config)
    with torch.device("meta"):
        tower = TextTower(
            tokenizer, width=config.text_width or 64, depth=shape.depth, dim=dim, context=context
        )
        if len(sample) < len(texts):
            tower.tokens = nn.Embedding(VOCABULARY, tower.width)
    tower.to_empty(device=config.device)
    if config.checkpointing:
        recompute_blocks(tower)
    tensors = list(tower.parameters())
    counts = tower.token_counts(sample).clip(max=context)
    lengths = np.random.default_rng(config.seed).choice(counts, batch)
    total = largest = 0
    for bucket in length_buckets(lengths):
        wide = int(lengths[bucket].max())

        def measure(count: int, wide: int = wide) -> list[int]:
            ids = torch.full((count, wide), 2, dtype=torch.int32, device=config.device)
            with autocast(config):
                return saved_bytes(lambda: tower(ids), [*tensors, ids])

        more, one = at_batch(measure, len(bucket))
        total, largest = total + more, max(largest, one)
    return bytes_of(tensors), bytes_of(tensors), total, largest


def learnt_of(module: nn.Module) -> list[Tensor]:
    """The parameters that learn."""
    return [p for p in module.parameters() if p.requires_grad]


def bytes_of(tensors: Sequence[Tensor]) -> int:
    """Their bytes."""
    return sum(tensor.nbytes for tensor in tensors)
