"""Training steps of LIFT and CLIP on a GPU: samples per second, model FLOPs utilisation, peak memory.

    python benchmarks/gpu_step.py --out benchmarks/results/gpu.json

A step is that of `lift train`: gradients, clipping, guard, AdamW. The photos are random numbers that lie on the GPU
already, and all texts of CLIP have the same length, so that this measures the step and not the loader. Model FLOPs are
counted by lift (what is computed twice is not counted twice); utilisation is against `--peak`, the dense bf16 rate of
the data sheet, and beside it a large matrix product on the same GPU is timed.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from torch import Tensor

from lift.artefact import write_json
from lift.costing.energy import Meter
from lift.text import TextTower, train_tokenizer
from lift.training.arms import Arm, ClipArm, LiftArm, Texts, loss_of, modules_of, new_scalars
from lift.training.batches import Batch
from lift.training.config import TrainConfig
from lift.training.cost import machine, peak_memory, reset_peak_memory, versions
from lift.training.gradients import Gradients
from lift.training.guard import Guard
from lift.training.optimisation import make_optimiser
from lift.training.parallel import Ranks
from lift.training.resolving import resolve
from lift.training.sharding import Placement
from lift.training.towers import new_encoder, tower_shape

SIZE, BATCHES_KEPT = 224, 2  # pixels; batches that take turns


@dataclass(frozen=True)
class BenchmarkConfig:
    """Time training steps."""

    out: Path
    """JSON to write, after every measurement."""
    image_encoder: str = "vit-b16"
    """Image tower."""
    size: int = SIZE
    """Pixels."""
    dim: int = 768
    """Length of the text vectors."""
    batches: tuple[int, ...] = (256, 512)
    """Photos a step."""
    tokens: tuple[int, ...] = (77, 256)
    """Tokens of CLIP's texts."""
    steps: int = 15
    """Timed steps of each measurement."""
    texts: Path | None = None
    """File whose lines CLIP's vocabulary of 8,192 is fitted on; without it, a few words."""
    device: str = "cuda"
    """Where."""
    peak: float = 989e12
    """FLOP/s that utilisation is told against."""
    compile: tuple[bool, ...] = (False, True)
    """With and without torch.compile."""
    deterministic: bool = False
    """Let torch choose deterministic kernels, as it does on a CPU in `lift train`."""
    half_residual: bool = False
    """Let the image tower add up in bf16, which lift does not: tells what float32 costs there."""
    profile: bool = False
    """Also tell where the time of LIFT's step goes, kernel by kernel."""
    seconds: float = 1e9
    """Begin no measurement after so many."""


class VectorsMadeUp(LiftArm):
    """LIFT with random unit vectors for texts."""

    def __init__(self, count: int, dim: int, device: str) -> None:
        self.vectors = F.normalize(torch.randn(count, dim), dim=-1).to(device)
        self.number_of, self.settings = {}, {}


class TextsMadeUp(ClipArm):
    """CLIP with texts of `tokens` random tokens each."""

    def __init__(self, config: TrainConfig, asked: BenchmarkConfig, tokens: int, count: int) -> None:
        lines = asked.texts.read_text("utf-8").splitlines() if asked.texts else ["a few words"]
        tokenizer = train_tokenizer(lines)
        assert config.text_width
        self.shape = {"width": config.text_width, "depth": tower_shape(config).depth}
        self.shape |= {"dim": asked.dim, "context": tokens}
        self.tower = TextTower(tokenizer, **self.shape).to(config.device)
        self.call = Texts(self.tower)
        self.most_buckets, self.device, self.number_of = 1, config.device, {}
        self.ids = torch.randint(3, tokenizer.get_vocab_size(), (count, tokens), dtype=torch.int32)
        self.ids[:, 0], self.ids[:, -1] = 1, 2
        self.lengths = np.full(count, tokens)


class Step:
    """The training step of one arm, as `lift train` takes it."""

    def __init__(self, asked: BenchmarkConfig, tokens: int, batch: int, *, compiled: bool) -> None:
        """`tokens` of CLIP's texts, 0 for LIFT."""
        torch.manual_seed(0)
        config = resolve(
            TrainConfig(
                images=Path(),
                texts="",
                out=Path("none"),
                preset="paper-b16",
                image_encoder=asked.image_encoder,
                method="clip" if tokens else "lift",
                batch_size=batch,
                precision="bf16",
                device=asked.device,
                compile=compiled,
            )
        )
        self.config, self.batch = config, batch
        encoder = new_encoder(config, asked.size, asked.dim)
        if asked.half_residual:
            encoder.blocks[0].register_forward_pre_hook(lambda block, given: (given[0].bfloat16(),))
        self.arm: Arm = (
            TextsMadeUp(config, asked, tokens, BATCHES_KEPT * batch)
            if tokens
            else VectorsMadeUp(BATCHES_KEPT * batch, asked.dim, asked.device)
        )
        loss, ranks = loss_of(config), Ranks()
        self.scalars = new_scalars(loss).to(config.device)
        modules = modules_of(encoder, self.arm, self.scalars)
        self.placement = Placement(modules, self.arm, config, ranks, kept=False)
        self.optimiser = make_optimiser(self.placement.learning, config)
        self.parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        self.gradients = Gradients(self.placement, self.arm, loss, self.scalars, config, ranks)
        self.guard = Guard(config, lambda step: [], None, 0, rising=10, writes=False)
        shape = (batch, 3, asked.size, asked.size)
        self.batches = [
            Batch(torch.rand(shape, device=asked.device), np.arange(n * batch, (n + 1) * batch))
            for n in range(BATCHES_KEPT)
        ]

    def __call__(self, number: int) -> Tensor:
        """One step; returns the loss."""
        self.optimiser.zero_grad(set_to_none=True)
        value = self.gradients.of_step(self.batches[number % BATCHES_KEPT])
        norm = self.placement.clip(self.parameters, self.config.grad_clip)
        self.guard.judge(number + 1, value, norm, scale=self.scalars.log_scale.exp(), rate=1e-3)
        self.optimiser.step()
        return value

    def facts(self) -> dict[str, Any]:
        """FLOPs of a step and what learns."""
        names = self.placement.home.items()
        return {
            "flops": self.gradients.flops(self.batches[0]),
            "parameters": {name: sum(p.numel() for p in m.parameters()) for name, m in names},
            "text_tower": getattr(self.arm, "shape", None),
        }


def settle(device: str) -> None:
    """Wait for the device."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def measured(asked: BenchmarkConfig, tokens: int, batch: int, *, compiled: bool) -> dict[str, Any]:
    """Median seconds of a step and what follows from it; a row of the result."""
    torch.compiler.reset()
    gc.collect()
    if asked.device.startswith("cuda"):
        torch.cuda.empty_cache()
    began = time.perf_counter()
    step = Step(asked, tokens, batch, compiled=compiled)
    facts = step.facts()
    for number in range(3):  # the compiler and the allocator do their work here
        step(number)
        if number == 0:
            settle(asked.device)
            first = time.perf_counter() - began
    settle(asked.device)
    reset_peak_memory(asked.device)
    seconds, meter = [], Meter(asked.device)
    for number in range(3, 3 + asked.steps):
        settle(asked.device)
        start = time.perf_counter()
        value = step(number)
        settle(asked.device)
        seconds.append(time.perf_counter() - start)
    middle, joules = statistics.median(seconds), meter.joules()
    return {
        "arm": "clip" if tokens else "lift",
        "tokens": tokens,
        "batch": batch,
        "compile": compiled,
        "deterministic": asked.deterministic,
        "half_residual": asked.half_residual,
        "steps": asked.steps,
        "seconds": middle,
        "fastest": min(seconds),
        "slowest": max(seconds),
        "samples_per_second": batch / middle,
        "utilisation_percent": 100 * facts["flops"] / middle / asked.peak,
        "joules_per_sample": None if joules is None else joules / batch / asked.steps,
        "peak_memory": peak_memory(asked.device),
        "first_step_seconds": first,
        "loss": value.item(),
        **facts,
    }


def product_rate(device: str, side: int = 8192) -> float:
    """FLOP/s of a bf16 matrix product on random numbers: what this GPU reaches at best."""
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(13):
        settle(device)
        start = time.perf_counter()
        a @ b
        settle(device)
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / statistics.median(seconds[3:])


def profiled(asked: BenchmarkConfig, batch: int, *, compiled: bool) -> dict[str, Any]:
    """The kernels of two steps of LIFT by their share of the time, and the seconds of a step that they fill."""
    from torch.profiler import ProfilerActivity, profile

    torch.compiler.reset()
    step = Step(asked, 0, batch, compiled=compiled)
    for number in range(3):
        step(number)
    settle(asked.device)
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as found:
        for number in range(2):
            step(number)
        settle(asked.device)
    kernels: dict[str, list[float]] = {}
    for event in found.events():
        if str(event.device_type).endswith("CUDA"):
            kernels.setdefault(event.name[:90], []).append(event.self_device_time_total)
    total = sum(map(sum, kernels.values()))
    rows = sorted(kernels.items(), key=lambda item: -sum(item[1]))[:30]
    return {
        "kernel_seconds": total / 2e6,
        "kernels": [
            {"kernel": name, "percent": round(100 * sum(times) / total, 2), "calls": len(times)}
            for name, times in rows
        ],
    }


def main(asked: BenchmarkConfig) -> None:
    """Measure and write."""
    torch.use_deterministic_algorithms(asked.deterministic, warn_only=True)
    began, rows = time.perf_counter(), []
    content: dict[str, Any] = {"peak": asked.peak, "request": {k: str(v) for k, v in vars(asked).items()}}
    if asked.device.startswith("cuda"):
        content["product_flops_per_second"] = product_rate(asked.device)
    content |= {"machine": machine(), "versions": versions(), "rows": rows}
    for compiled in asked.compile:
        for batch in asked.batches:
            for tokens in (0, *asked.tokens):
                if time.perf_counter() - began > asked.seconds:
                    continue
                try:
                    rows.append(measured(asked, tokens, batch, compiled=compiled))
                except torch.OutOfMemoryError:
                    rows.append({"tokens": tokens, "batch": batch, "compile": compiled, "failed": "memory"})
                write_json(asked.out, content)
                print(brief(rows[-1]), flush=True)
    if asked.profile:
        for compiled in asked.compile:
            name = "profile_compiled" if compiled else "profile"
            content[name] = profiled(asked, asked.batches[0], compiled=compiled)
            print(name, content[name]["kernel_seconds"], flush=True)
            write_json(asked.out, content)


def brief(row: dict[str, Any]) -> str:
    """A row in one line."""
    names = (
        "tokens",
        "batch",
        "compile",
        "seconds",
        "samples_per_second",
        "utilisation_percent",
        "peak_memory",
    )
    return json.dumps({name: row.get(name) for name in (*names, "joules_per_sample", "first_step_seconds")})


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig))
