"""A LIFT step against a CLIP step with the same image tower: seconds, FLOPs and peak memory by caption length.

    python benchmarks/step_cost.py

Every measurement runs in a process of its own; peak memory is what the step adds to the process over its size before
the first step. LIFT and CLIP take turns. Writes benchmarks/results/step_cost.json.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from lift.artefact import write_json
from lift.image import IMAGE_ENCODERS, ImageEncoder
from lift.losses import LOSSES
from lift.text import TextTower, train_tokenizer
from lift.training.cost import machine, step_flops, versions

RESULTS = Path(__file__).parent / "results"
LENGTHS = (0, 32, 77, 256)  # 0: LIFT, the text vectors are there already
TOWERS = (("vit-mini", 64, 64), ("vit-ti16", 112, 32))  # encoder, pixels, batch
ROUNDS = 5


def measure(name: str, size: int, batch: int, length: int) -> dict[str, float]:
    """Median seconds of a step, its FLOPs, and the memory it adds at its peak."""
    torch.manual_seed(0)
    shape = IMAGE_ENCODERS[name]
    encoder = ImageEncoder(shape, image_size=size, dim=384)
    tower = None
    modules: list[nn.Module] = [encoder]
    if length:
        tokenizer = train_tokenizer(["a few words to fit a vocabulary"], vocabulary=300)
        width = max(
            64, round(shape.width * 2 / 3 / 64) * 64
        )  # as in CLIP B/16: two thirds of the image tower
        tower = TextTower(tokenizer, width=width, depth=shape.depth, dim=384, context=256)
        modules.append(tower)
        ids = torch.randint(3, 200, (batch, length))
        ids[:, -1] = 2
    parameters = [p for module in modules for p in module.parameters()]
    optimiser = torch.optim.AdamW(parameters, fused=True)
    images, fixed = torch.rand(batch, 3, size, size), F.normalize(torch.randn(batch, 384), dim=-1)
    numbers, scale, bias = torch.arange(batch), torch.tensor(14.3), torch.tensor(0.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(6):
        began = time.perf_counter()
        text = tower(ids) if tower is not None else fixed
        LOSSES["contrastive"].function(encoder(images), text, numbers, scale, bias).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - began)
    added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    flops = step_flops(encoder, batch, "contrastive", tower, ((batch, length),))
    return {"seconds": statistics.median(seconds[1:]), "flops": flops, "peak_memory_bytes": added}


def main() -> None:
    """Take turns over the lengths, then write medians and the ratios LIFT / CLIP."""
    if len(sys.argv) > 1:
        name, size, batch, length = sys.argv[1], *map(int, sys.argv[2:5])
        print(json.dumps(measure(name, size, batch, length)))
        return
    towers = {}
    for name, size, batch in TOWERS:
        found: dict[int, list[dict[str, float]]] = {length: [] for length in LENGTHS}
        for _ in range(ROUNDS):
            for length in LENGTHS:
                call = [sys.executable, __file__, name, str(size), str(batch), str(length)]
                done = subprocess.run(call, check=True, capture_output=True, text=True)
                found[length].append(json.loads(done.stdout))
        rows = {}
        for length in LENGTHS:
            keys = ("seconds", "flops", "peak_memory_bytes")
            row = {key: statistics.median(r[key] for r in found[length]) for key in keys}
            for key in keys if length else ():
                pairs = zip(found[0], found[length], strict=True)
                row[f"lift_over_clip_{key}"] = round(statistics.median(a[key] / b[key] for a, b in pairs), 3)
            rows[f"clip_{length}_tokens" if length else "lift"] = row
        towers[f"{name} {size} px, batch {batch}"] = rows
        print(name, json.dumps(rows, indent=1))
    write_json(
        RESULTS / "step_cost.json",
        {"towers": towers, "rounds": ROUNDS, "machine": machine(), "versions": versions()},
    )


if __name__ == "__main__":
    main()
