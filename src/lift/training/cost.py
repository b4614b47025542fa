"""What a training step costs: FLOPs counted on the meta device, peak memory, and the machine it ran on."""

from __future__ import annotations

import contextlib
import platform
import resource
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from lift.image import ImageEncoder, apply_tuning
from lift.losses import LOSSES, OwnNegatives, with_own
from lift.text import TextTower
from lift.training.execution import recompute_blocks


@lru_cache(maxsize=1024)
def _meta_flops(
    image: tuple[Any, ...],
    batch: int,
    loss: str,
    text: tuple[Any, ...] | None,
    length: int,
    trained: tuple[str, str, bool] = ("mlp", "full", False),
    own: int = 0,
    masked: bool = False,
    weighed: int = 0,
    recomputed: bool = False,
    forward_only: bool = False,
) -> int:
    """`trained`: the encoder's head, what is tuned, and whether the body's vectors are at hand.

    own: hard negatives of each image, of which `weighed` have a loss of their own. masked: whether texts are compared
    with one another. recomputed: whether blocks are computed again on the way back. forward_only: the features alone.
    """
    shape, image_size, dim = image
    # The meta device computes nothing, and attention there is made of products that the counter sees;
    # on a CPU it would count fused attention as zero.
    with torch.device("meta"):
        head, tune, kept = trained
        encoder = apply_tuning(ImageEncoder(shape, image_size=image_size, dim=dim, head=head), tune)
        images = torch.empty(batch, 3, image_size, image_size)
        numbers = torch.zeros(batch, dtype=torch.int64)
        scale, bias = torch.empty(()), torch.empty(())
        tower = None
        if text is not None:
            tokenizer, settings = text
            tower = TextTower(tokenizer, **dict(settings))
            ids = torch.zeros(batch, length, dtype=torch.int64)
        for module in (encoder, tower) if recomputed else ():
            if module is not None:
                recompute_blocks(module)
        with (
            FlopCounterMode(display=False) as counter,
            torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
            torch.set_grad_enabled(not forward_only),
        ):
            features = tower(ids) if tower is not None else torch.empty(batch, dim)
            pooled = torch.empty(batch, shape.width) if kept else encoder.pooled(images)
            found = encoder.from_pooled(pooled)
            if not forward_only:
                more = _meta_negatives(batch, dim, own, masked)
                function = with_own(LOSSES[loss], float(weighed > 0), weighed).function
                function(found, features, numbers, scale, bias, **more).backward()
    return counter.get_total_flops()


def _meta_negatives(batch: int, dim: int, own: int, masked: bool) -> dict[str, Any]:
    """What a loss is given beside the features."""
    more: dict[str, Any] = {"similar": 0.5} if masked else {}
    if own:
        there = torch.empty(batch, own, dtype=torch.bool)
        more["own"] = OwnNegatives(torch.empty(batch, own, dim), there)
    return more


@lru_cache(maxsize=16)
def loss_flops(
    batch: int, dim: int, loss: str, *, own: int, masked: bool, weighed: int = 0, learns: bool
) -> int:
    """FLOPs of a loss and of its gradient at the features; `learns`: at those of the texts as well."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        images = torch.empty(batch, dim, requires_grad=True)
        texts = torch.empty(batch, dim, requires_grad=learns)
        numbers, one = torch.zeros(batch, dtype=torch.int64), torch.empty(())
        more = _meta_negatives(batch, dim, own, masked)
        function = with_own(LOSSES[loss], float(weighed > 0), weighed).function
        function(images, texts, numbers, one, one, **more).backward()
    return counter.get_total_flops()


def step_flops(
    encoder: ImageEncoder,
    batch: int,
    loss: str,
    tower: TextTower | None,
    texts: Sequence[tuple[int, int]] = (),
    *,
    kept: bool = False,
    own: int = 0,
    masked: bool = False,
    weighed: int = 0,
    recomputed: bool = False,
) -> int:
    """FLOPs of one forward and backward pass; with a text tower, `texts` are its (texts, tokens per text) buckets.

    Nothing flows back into frozen parts; with `kept` the frozen body is not even computed. `own` negatives of each
    image are counted with the logits, those `weighed` once more, and the comparison of the texts where near ones are
    `masked`; with `recomputed` the blocks' second forward pass.

    The count is a polynomial of second degree in the length (attention is the square), so three counted lengths
    give all others exactly; counting each of a run's many lengths would take longer than some runs. A text costs
    the same in any bucket of its length, so a step in buckets costs the mean of whole steps of these lengths.
    """
    known: dict[str, Any] = {"own": own, "masked": masked, "weighed": weighed} if tower is None else {}
    return _counted(encoder, batch, loss, tower, texts, kept, recomputed=recomputed, **known)


def forward_flops(
    encoder: ImageEncoder,
    batch: int,
    tower: TextTower | None,
    texts: Sequence[tuple[int, int]] = (),
    *,
    kept: bool = False,
) -> int:
    """FLOPs of computing the features of a batch, without gradient and loss; the rest as in `step_flops`."""
    return _counted(encoder, batch, "cosine", tower, texts, kept, forward_only=True)


def _counted(
    encoder: ImageEncoder,
    batch: int,
    loss: str,
    tower: TextTower | None,
    texts: Sequence[tuple[int, int]],
    kept: bool,
    **how: Any,
) -> int:
    image = (encoder.shape, encoder.image_size, encoder.dim)
    trained = (encoder.head_name, encoder.tune, kept)
    if tower is None:
        return _meta_flops(image, batch, loss, None, 0, trained, **how)
    settings = {"width": tower.width, "depth": tower.depth, "dim": tower.dim, "context": tower.context}
    text = (tower.tokenizer, tuple(settings.items()))
    at4, at6, at8 = (_meta_flops(image, batch, loss, text, known, trained, **how) for known in (4, 6, 8))
    total = Fraction(0)
    for count, length in texts:
        x = Fraction(length - 4, 2)  # Newton's form for equal steps
        whole = at4 + x * (at6 - at4) + x * (x - 1) / 2 * (at8 - 2 * at6 + at4)
        total += Fraction(count, batch) * whole
    return int(total)


def body_flops(encoder: ImageEncoder, photos: int) -> int:
    """FLOPs of the body's forward pass over `photos`."""
    with torch.device("meta"):
        body = ImageEncoder(encoder.shape, image_size=encoder.image_size, dim=1, head="linear")
        images = torch.empty(1, 3, encoder.image_size, encoder.image_size)
        math = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
        with FlopCounterMode(display=False) as counter, math, torch.no_grad():
            body.pooled(images)
    return counter.get_total_flops() * photos


def reset_peak_memory(device: str) -> None:
    """Forget the peaks of what the process did before; where the system cannot, they stay in."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: str) -> int:
    """Most memory in bytes since the reset: of the process on a CPU (interpreter included), of the tensors on a GPU."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def machine() -> dict[str, Any]:
    """The machine, as results must name it."""
    processor = platform.processor() or platform.machine()
    return {
        "processor": processor,
        "system": platform.system(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    from importlib.metadata import version

    packages = ("lift", "torch", "numpy", "transformers", "tokenizers")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
