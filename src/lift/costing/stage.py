"""The verb `cost`: count, measure in turn, say when the text pass has paid; table, JSON and plot."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lift.artefact import already_done, new_folder, write_json
from lift.console import note, say, show_table, track
from lift.costing.counting import StepSize, break_even, counted_flops
from lift.costing.plot import plot_costs
from lift.device import check_device
from lift.errors import LiftError
from lift.image import IMAGE_ENCODERS
from lift.store import EmbeddingStore
from lift.training.cost import machine, versions


@dataclass(frozen=True)
class CostConfig:
    """What training costs with LIFT and with CLIP, by caption length: FLOPs, time, memory, and the offline text pass.

    FLOPs are counted without computing anything; with --rounds steps of both are timed in turn on this machine.
    """

    out: Path = Path("cost")
    """Folder for cost.json and cost.png."""
    image_encoder: str = "vit-b16"
    """Image tower of both, one of lift.image.IMAGE_ENCODERS."""
    size: int = 224
    """Pixels of a photo's side."""
    batch_size: int = 32
    """Photos a step."""
    dim: int = 768
    """Length of the text vectors."""
    tokens: tuple[int, ...] = (32, 77, 256)
    """Tokens per caption that CLIP's text tower computes."""
    text_width: int | None = None
    """Width of CLIP's text tower (default: two thirds of the image tower's, as in CLIP B/16)."""
    photos: int = 1_000_000
    """Photos of the planned training."""
    captions: int = 1
    """Distinct captions per photo that are embedded offline."""
    epochs: int = 32
    """Passes over the photos."""
    encoder_parameters: float = 11e6
    """Parameters of the frozen text encoder outside its embeddings: minilm 11e6, a 7 B model 7e9."""
    texts: str | None = None
    """A STORE: its own text pass (FLOPs, seconds) is taken, in place of --captions and --encoder-parameters."""
    rounds: int = 0
    """Rounds of timed steps, LIFT and CLIP in turn, each in a process of its own; 0: only count."""
    threads: int = 0
    """CPU threads of the timed steps; 0: as torch chooses."""
    bf16: bool = False
    """Time the steps in bfloat16."""
    device: str = "cpu"
    """Where to time: cpu, cuda, cuda:1."""
    overwrite: bool = False
    """Replace what lies at --out."""


def cost(config: CostConfig) -> dict[str, Any]:
    """Count and measure as `config` says; writes --out, prints the table, returns the content of cost.json."""
    size = check(config)
    request = {key: str(value) for key, value in asdict(config).items() if key not in ("out", "overwrite")}
    if already_done(config.out, "cost", request, config.overwrite):
        content: dict[str, Any] = json.loads((config.out / "cost.json").read_text("utf-8"))
        say(f"{config.out}: already done")
    else:
        content = {"format": 1, **measured(config, size), "request": request}
        with new_folder(config.out) as folder:
            plot_costs(content, folder / "cost.png")
            write_json(folder / "cost.json", content)
    show(content)
    say(f"{config.out / 'cost.png'}")
    return content


def check(config: CostConfig) -> StepSize:
    """The step that is asked for; LiftError for values that cannot work."""
    check_device(config.device)
    if config.image_encoder not in IMAGE_ENCODERS:
        raise LiftError(
            f"there is no image encoder {config.image_encoder!r}", f"known: {', '.join(IMAGE_ENCODERS)}"
        )
    shape = IMAGE_ENCODERS[config.image_encoder]
    if config.size % shape.patch or config.size < shape.patch:
        raise LiftError(
            f"--size {config.size} is no multiple of the patch of {shape.patch} px",
            f"give --size {max(1, round(config.size / shape.patch)) * shape.patch}",
        )
    least = {"batch_size": 2, "dim": 1, "photos": 1, "captions": 1, "epochs": 1, "rounds": 0, "threads": 0}
    for field, value in least.items():
        if getattr(config, field) < value:
            raise LiftError(
                f"--{field.replace('_', '-')} is {getattr(config, field)}", f"give at least {value}"
            )
    if not config.tokens or min(config.tokens) < 8 or config.encoder_parameters <= 0:
        raise LiftError("--tokens must be 8 or more each, --encoder-parameters above 0", "leave them out")
    width = config.text_width or max(64, round(shape.width * 2 / 3 / 64) * 64)
    if width % 64:
        raise LiftError(f"--text-width is {width}", "give a multiple of 64, the width of a head")
    return StepSize(config.image_encoder, config.size, config.batch_size, config.dim, width)


def measured(config: CostConfig, size: StepSize) -> dict[str, Any]:
    """Everything that cost.json tells, but for the request."""
    lift = counted_flops(size, 0)
    times = timed(config, size) if config.rounds else {}
    samples, rows = config.photos * config.epochs, []
    for tokens in config.tokens:
        clip = counted_flops(size, tokens)
        offline = offline_pass(config, tokens)
        even = break_even(offline["flops"], lift, clip)
        rows.append(
            {
                "tokens": tokens,
                "lift_flops_per_sample": lift,
                "clip_flops_per_sample": clip,
                "saved_percent": 100 * (1 - lift / clip),
                "offline": offline,
                "lift_total_flops": lift * samples + offline["flops"],
                "clip_total_flops": clip * samples,
                "saved_percent_with_offline": 100
                * (1 - (lift * samples + offline["flops"]) / (clip * samples)),
                "break_even_epochs": None if even is None else even / config.photos,
                **times.get(tokens, {}),
            }
        )
    return {"step": asdict(size), "rows": rows, "machine": machine(), "versions": versions()}


def offline_pass(config: CostConfig, tokens: int) -> dict[str, Any]:
    """FLOPs of the frozen encoder over all captions, once: two per parameter and token."""
    if config.texts is None:
        flops = 2 * config.encoder_parameters * tokens * config.captions * config.photos
        return {"flops": flops, "source": f"{config.encoder_parameters:.3g} parameters by calculation"}
    made = EmbeddingStore(config.texts).manifest
    if made["flops"] is None:
        raise LiftError(
            f"the STORE {config.texts} was made by an endpoint, whose FLOPs nobody knows",
            "leave --texts away and give --encoder-parameters",
        )
    return {"flops": made["flops"], "seconds": made["seconds"], "source": f"the STORE {config.texts}"}


def timed(config: CostConfig, size: StepSize) -> dict[int, dict[str, Any]]:
    """By caption length: median samples per second and added bytes, and the median ratios LIFT / CLIP of the rounds."""
    found: dict[int, list[dict[str, float]]] = {tokens: [] for tokens in (0, *config.tokens)}
    turns = [tokens for _ in range(config.rounds) for tokens in found]
    for tokens in track(turns, "timing steps"):
        asked = {"size": asdict(size), "tokens": tokens, "device": config.device}
        asked |= {"bf16": config.bf16, "threads": config.threads}
        call = [sys.executable, "-m", "lift.costing.step", json.dumps(asked)]
        done = subprocess.run(call, capture_output=True, text=True)
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["no message"]
            raise LiftError(f"a step could not be timed: {said[-1]}", "give a smaller --batch-size or --size")
        found[tokens].append(json.loads(done.stdout))
    rows = {}
    for tokens in config.tokens:
        pairs = list(zip(found[0], found[tokens], strict=True))
        rows[tokens] = {
            "rounds": config.rounds,
            **{
                f"{name}_samples_per_second": size.batch / statistics.median(one["seconds"] for one in taken)
                for name, taken in (("lift", found[0]), ("clip", found[tokens]))
            },
            "time_ratio": statistics.median(a["seconds"] / b["seconds"] for a, b in pairs),
            "memory_ratio": statistics.median(a["bytes"] / max(b["bytes"], 1.0) for a, b in pairs),
            **energy_of(pairs, size.batch),
        }
    return rows


def energy_of(pairs: Sequence[tuple[dict[str, float], dict[str, float]]], batch: int) -> dict[str, float]:
    """Joules a sample of both and their ratio, medians of the rounds; empty on a machine without a meter."""
    if not all(a.get("joules") and b.get("joules") for a, b in pairs):
        return {}
    return {
        "lift_joules_per_sample": statistics.median(a["joules"] for a, _ in pairs) / batch,
        "clip_joules_per_sample": statistics.median(b["joules"] for _, b in pairs) / batch,
        "energy_ratio": statistics.median(a["joules"] / b["joules"] for a, b in pairs),
    }


def show(content: dict[str, Any]) -> None:
    """Print the table, and what the offline text pass does to it."""
    header = ["tokens", "LIFT GFLOP a sample", "CLIP", "saved", "saved with the text pass", "paid after"]
    has_times = "time_ratio" in content["rows"][0]
    lines = []
    for row in content["rows"]:
        even = row["break_even_epochs"]
        line = [
            row["tokens"],
            f"{row['lift_flops_per_sample'] / 1e9:.3g}",
            f"{row['clip_flops_per_sample'] / 1e9:.3g}",
            f"{row['saved_percent']:.1f} %",
            f"{row['saved_percent_with_offline']:.1f} %",
            "never" if even is None else f"{even:.2g} epochs",
        ]
        if has_times:
            line += [f"{row['time_ratio']:.2f}", f"{row['memory_ratio']:.2f}"]
            line.append(f"{row['energy_ratio']:.2f}" if "energy_ratio" in row else "no meter")
        lines.append(line)
    show_table(
        "LIFT against CLIP",
        header + (["time LIFT/CLIP", "memory LIFT/CLIP", "energy LIFT/CLIP"] if has_times else []),
        lines,
    )
    if not has_times:
        note("counted only: --rounds 5 times steps of both on this machine")
