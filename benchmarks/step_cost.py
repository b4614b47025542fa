"""A LIFT step against a CLIP step with the same image tower: seconds, FLOPs and peak memory by caption length.

    python benchmarks/step_cost.py            # everything
    python benchmarks/step_cost.py buckets    # only the text tower on the mixed texts of `lift scenes`

All texts of a step have the same length here, so one bucket holds them. What buckets save where short and long texts
are mixed is measured apart: one step of the `demo` preset's text tower in 1 bucket (padded to the longest of the batch)
to 6, in turn.

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
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lift.artefact import write_json
from lift.data.sampling import TextTable, epoch_order
from lift.image import IMAGE_ENCODERS, ImageEncoder, encoder_shape
from lift.losses import LOSSES
from lift.scenes import ScenesConfig, make_picture
from lift.text import TextTower, length_buckets, train_tokenizer
from lift.training import TrainConfig
from lift.training.arms import ClipArm
from lift.training.cost import machine, step_flops, versions
from lift.training.resolving import resolve

RESULTS = Path(__file__).parent / "results"
LENGTHS = (0, 32, 77, 256)  # 0: LIFT, the text vectors are there already
TOWERS = (("vit-mini", 64, 64), ("vit-ti16", 112, 32))  # encoder, pixels, batch
ROUNDS = 5
MOST, PICTURES = (1, 2, 3, 4, 6), 512  # buckets; pictures whose texts are taken


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


def measure_buckets() -> dict[str, Any]:
    """Seconds, tokens and FLOPs of the text tower's part of a step, by the most buckets a batch may have."""
    torch.manual_seed(0)
    chosen = resolve(
        TrainConfig(
            images=Path(), texts=Path(), out=Path("run"), preset="demo", method="clip", precision="fp32"
        )
    )
    shape = encoder_shape(chosen.image_encoder or "")
    config = ScenesConfig(out=Path("run"))
    rows = [make_picture(config, number).row for number in range(PICTURES)]
    arm = ClipArm(rows, chosen, dim=384, depth=shape.depth)
    table, batch = TextTable(rows, arm.number_of), chosen.batch_size or 0
    encoder = ImageEncoder(shape, image_size=64, dim=384)
    without = step_flops(encoder, batch, "contrastive", None)
    texts = table.of_epoch(0, 0)[epoch_order(0, 0, len(rows))]
    batches = [texts[i * batch : (i + 1) * batch] for i in range(PICTURES // batch)]
    weight = torch.randn(batch, 384)
    found: dict[int, list[float]] = {most: [] for most in MOST}
    facts: dict[int, dict[str, float]] = {}
    for _ in range(ROUNDS):
        for most in MOST:
            tokens = flops = 0
            began = time.perf_counter()
            for numbers in batches:
                lengths = arm.lengths[numbers]
                buckets = length_buckets(lengths, most)
                parts = [arm.tower(arm.ids[numbers[rows], : int(lengths[rows].max())]) for rows in buckets]
                (torch.cat(parts) * weight).sum().backward()
            found[most].append((time.perf_counter() - began) / len(batches))
            for numbers in batches:
                lengths = arm.lengths[numbers]
                sizes = [(len(rows), int(lengths[rows].max())) for rows in length_buckets(lengths, most)]
                tokens += sum(count * length for count, length in sizes)
                flops += step_flops(encoder, batch, "contrastive", arm.tower, sizes) - without
            facts[most] = {"tokens": tokens / len(batches), "flops": flops / len(batches)}
    counted = float(np.mean([arm.lengths[numbers].sum() for numbers in batches]))
    result: dict[str, Any] = {"preset": "demo", "batch": batch, "tokens_without_padding": counted}
    for most in MOST:
        ratios = [mine / one for mine, one in zip(found[most], found[1], strict=True)]
        result[f"{most}_buckets"] = {
            "seconds": statistics.median(found[most]),
            "seconds_over_one_bucket": round(statistics.median(ratios), 3),
            **facts[most],
            "flops_over_one_bucket": round(facts[most]["flops"] / facts[1]["flops"], 3),
        }
    return result


def main() -> None:
    """Take turns over the lengths, then write medians and the ratios LIFT / CLIP."""
    file = RESULTS / "step_cost.json"
    if sys.argv[1:] == ["buckets"]:
        known = json.loads(file.read_text("utf-8"))
        write_json(file, known | {"buckets": measure_buckets() | {"machine": machine()}})
        return
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
        file,
        {
            "towers": towers,
            "rounds": ROUNDS,
            "machine": machine(),
            "versions": versions(),
            "buckets": measure_buckets() | {"machine": machine()},
        },
    )


if __name__ == "__main__":
    main()
