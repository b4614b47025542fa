"""Tuning a small transformer so that its mean-pooled vectors, mapped, land on stored vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lift.console import progress_bar
from lift.errors import LiftError
from lift.ridge import LinearMap
from lift.text.hub import first_line
from lift.text.minilm import mean_pool, quiet_transformers

BATCH, PEAK, WARMUP, TEMPERATURE = 64, 2e-4, 0.1, 0.05
MAX_TOKENS = 256


class Student:
    """A transformer encoder of a folder, cut to its first layers, that can be trained."""

    def __init__(self, folder: Path, *, layers: int | None, device: str) -> None:
        """Load `folder`; LiftError when it is no transformers encoder or has fewer layers."""
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            whole = config.num_hidden_layers
            if layers is not None and not 1 <= layers <= whole:
                raise LiftError(f"--layers is {layers}", f"give 1 to {whole}, the layers of {folder}")
            config.num_hidden_layers = layers or whole
            with quiet_transformers():
                self.model = AutoModel.from_pretrained(folder, config=config, local_files_only=True)
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise LiftError(
                f"{folder} cannot be tuned: {first_line(error)}",
                "give minilm or the folder of a transformers encoder as --student, or --epochs 0",
            ) from error
        self.model, self.device = self.model.float().to(device), device
        self.max_tokens = min(MAX_TOKENS, config.max_position_embeddings)

    def features(self, texts: Sequence[str]) -> Tensor:
        """Mean-pooled unit vectors (B, d), with gradient."""
        batch = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        ).to(self.device)
        hidden = self.model(**batch).last_hidden_state
        return F.normalize(mean_pool(hidden, batch["attention_mask"]), dim=-1)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, d) of any number of texts."""
        out = np.empty((len(texts), self.model.config.hidden_size), np.float32)
        order = np.argsort([len(text) for text in texts], kind="stable")
        with progress_bar("the student reads the texts", len(texts)) as bar:
            for start in range(0, len(texts), BATCH):
                rows = order[start : start + BATCH]
                out[rows] = self.features([texts[i] for i in rows]).float().cpu().numpy()
                bar.advance(len(rows))
        return out

    def save(self, folder: Path) -> None:
        """Write model and tokenizer as a transformers folder."""
        with quiet_transformers():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)


def tune(
    student: Student, start: LinearMap, texts: Sequence[str], targets: np.ndarray, *, epochs: int, seed: int
) -> LinearMap:
    """Train the student and the map together; returns the map as it is afterwards.

    Loss per pair: 1 - cosine with the stored vector, plus the cross-entropy of finding it among the batch's at a
    temperature of 0.05, so that neighbours keep their order. AdamW, linear warm-up, cosine to zero.
    """
    torch.manual_seed(seed)
    linear = nn.Linear(*start.weights.shape).to(student.device)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(start.weights.T))
        linear.bias.copy_(torch.from_numpy(start.bias))
    parameters = [*student.model.parameters(), *linear.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=PEAK, weight_decay=0.01)
    goal = torch.from_numpy(np.asarray(targets, np.float32)).to(student.device)
    lengths = np.array([len(text) for text in texts])
    per_epoch = max(1, len(texts) // BATCH)
    steps = per_epoch * epochs
    student.model.train()
    with progress_bar("tuning the student", steps) as bar:
        for step in range(steps):
            epoch, position = divmod(step, per_epoch)
            if position == 0:
                order = _order(lengths, seed, epoch)
            rows = order[position * BATCH : (position + 1) * BATCH]
            warm = max(1, round(WARMUP * steps))
            rate = PEAK * min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * step / steps)))
            for group in optimiser.param_groups:
                group["lr"] = rate
            with torch.autocast(
                student.device.split(":")[0], torch.bfloat16, enabled=_fast_bf16(student.device)
            ):
                features = F.normalize(linear(student.features([texts[i] for i in rows])).float(), dim=-1)
            logits = features @ goal[rows].T / TEMPERATURE
            loss = (1 - (features * goal[rows]).sum(-1)).mean()
            loss = loss + TEMPERATURE * F.cross_entropy(logits, torch.arange(len(rows), device=logits.device))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            bar.advance(detail=f"loss {loss.item():.3f}" if step % 10 == 0 else None)
    student.model.eval()
    weights = linear.weight.detach().cpu().numpy().T
    return LinearMap(np.ascontiguousarray(weights), linear.bias.detach().cpu().numpy(), start.strength)


def _order(lengths: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """A random order in which texts of similar length stand together: padding costs time."""
    random = np.random.default_rng([seed, epoch])
    shuffled = random.permutation(len(lengths))
    pools = [
        pool[np.argsort(lengths[pool], kind="stable")]
        for pool in np.array_split(shuffled, max(1, len(lengths) // (BATCH * 16)))
    ]
    batches = [pool[start : start + BATCH] for pool in pools for start in range(0, len(pool), BATCH)]
    whole = [batch for batch in batches if len(batch) == BATCH]
    rest = [batch for batch in batches if len(batch) < BATCH]
    return np.concatenate([*(whole[i] for i in random.permutation(len(whole))), *rest])


def _fast_bf16(device: str) -> bool:
    return device != "cpu" or torch.cpu._is_avx512_bf16_supported()
