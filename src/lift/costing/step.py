"""One measurement in a process of its own: seconds, added memory and energy of a step. Run as `python -m`."""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from lift.costing.counting import StepSize
from lift.costing.energy import Meter
from lift.losses import LOSSES
from lift.training.cost import peak_memory, reset_peak_memory

STEPS = 6  # the first one is not counted


def measure(size: StepSize, tokens: int, *, device: str, bf16: bool, steps: int = STEPS) -> dict[str, float]:
    """Median seconds of a training step, and bytes it adds at its peak; `tokens` per text for CLIP, 0 for LIFT.

    And mean joules of a step, where the machine has a meter.
    """
    torch.manual_seed(0)
    modules: list[nn.Module] = [size.image_tower().to(device)]
    if tokens:
        modules.append(size.text_tower(max(tokens, 8)).to(device))
        ids = torch.randint(3, 200, (size.batch, tokens), device=device)
        ids[:, -1] = 2
    optimiser = torch.optim.AdamW([p for module in modules for p in module.parameters()], fused=True)
    images = torch.rand(size.batch, 3, size.image_size, size.image_size, device=device)
    fixed = F.normalize(torch.randn(size.batch, size.dim, device=device), dim=-1)
    numbers = torch.arange(size.batch, device=device)
    scale, bias = torch.tensor(14.3, device=device), torch.tensor(0.0, device=device)
    reset_peak_memory(device)
    before, seconds, meter = peak_memory(device), [], None
    for step in range(steps):
        if step == 1:
            meter = Meter(device)
        began = time.perf_counter()
        with torch.autocast(device.split(":")[0], torch.bfloat16, enabled=bf16):
            features = modules[0](images)
            text = modules[1](ids) if tokens else fixed
        LOSSES["contrastive"].function(features, text, numbers, scale, bias).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
    joules = None if meter is None else meter.joules()
    energy = {} if joules is None else {"joules": joules / (steps - 1)}
    return {"seconds": statistics.median(seconds[1:]), "bytes": float(peak_memory(device) - before), **energy}


def main(asked: dict[str, Any]) -> None:
    """Print the measurement that `asked` describes as JSON."""
    if asked["threads"]:
        torch.set_num_threads(asked["threads"])
    found = measure(StepSize(**asked["size"]), asked["tokens"], device=asked["device"], bf16=asked["bf16"])
    print(json.dumps(found))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
