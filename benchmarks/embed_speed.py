"""Texts per second of the built-in encoder against `SentenceTransformer.encode(batch_size=32)` on the same weights.

    python benchmarks/embed_speed.py --captions ../shared/data/flickr8k/captions.jsonl

Short texts are the distinct captions themselves, long ones captions joined to some 120 tokens. All arms take turns in
one process on the same list, A B C A B C …; from raw texts to vectors, tokenising included. ONNX Runtime takes part
where `onnx` and `onnxruntime` are installed. Writes benchmarks/results/embed_speed.json with every round.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import tyro

from lift.artefact import write_json
from lift.text import MiniLM, encode_sorted, token_batches
from lift.text.minilm import package_folder
from lift.training.cost import machine, versions

RESULTS = Path(__file__).parent / "results"
Arm = Callable[[list[str]], np.ndarray]


@dataclass(frozen=True)
class EmbedSpeedConfig:
    """Texts per second of the built-in encoder against sentence-transformers."""

    captions: Path = Path("../shared/data/flickr8k/captions.jsonl")
    """Flickr8k's captions.jsonl."""
    part: float = 1.0
    """Part of the distinct captions, drawn once (seed 0)."""
    long_texts: int = 2000
    """Texts of some 120 tokens."""
    rounds: int = 3
    """Turns of each arm on each list."""
    threads: int = 2
    """Threads of PyTorch and ONNX Runtime. On a busy machine take 1 and read the CPU times: two wait for each other."""


def texts_of(config: EmbedSpeedConfig, encoder: MiniLM) -> dict[str, list[str]]:
    """The short and the long list."""
    rows = [json.loads(line) for line in config.captions.read_text("utf-8").splitlines()]
    captions = list(dict.fromkeys(caption for row in rows for caption in row["captions"]))
    draw = np.random.default_rng(0)
    order = draw.permutation(len(captions))
    short = [captions[i] for i in order[: round(len(captions) * config.part)]]
    counts = encoder.token_counts(captions) - 2
    long: list[str] = []
    while len(long) < config.long_texts:
        parts, tokens = [], 2
        while tokens < 114:  # half a caption of 12 tokens below 120
            pick = int(draw.integers(len(captions)))
            parts.append(captions[pick])
            tokens += int(counts[pick])
        long.append(" ".join(parts))
    return {"short": short, "long": long}


class Hidden(torch.nn.Module):
    """The token vectors alone, as the exporter wants them."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, T) and (B, T) -> (B, T, D)."""
        return self.model(input_ids=ids, attention_mask=mask).last_hidden_state


def onnx_arm(encoder: MiniLM, folder: Path) -> Arm:
    """ONNX Runtime in float32 on batches of 64 of similar length, pooled in numpy."""
    import onnxruntime
    from transformers import BertModel

    model = BertModel.from_pretrained(package_folder(), add_pooling_layer=False, attn_implementation="eager")
    example = torch.ones(2, 8, dtype=torch.int64)
    axes = {name: {0: "texts", 1: "tokens"} for name in ("input_ids", "attention_mask", "hidden")}
    torch.onnx.export(
        Hidden(model.eval()),
        (example, example),
        str(folder / "model.onnx"),
        input_names=["input_ids", "attention_mask"],
        output_names=["hidden"],
        dynamic_axes=axes,
        dynamo=False,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, ["CPUExecutionProvider"])

    def encode(texts: list[str]) -> np.ndarray:
        rows = encoder.tokenise(texts)
        counts = np.array([len(row) for row in rows])
        vectors = np.empty((len(texts), encoder.dim), np.float32)
        for batch in token_batches(counts, most_tokens=8192, most_texts=64):
            width = int(counts[batch].max())
            ids = np.array([rows[i] + [0] * (width - len(rows[i])) for i in batch])
            mask = (np.arange(width) < counts[batch][:, None]).astype(np.int64)
            hidden = session.run(["hidden"], {"input_ids": ids, "attention_mask": mask})[0]
            pooled = (hidden * mask[..., None]).sum(1)
            vectors[batch] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors

    return encode


def measure(arms: dict[str, Arm], texts: list[str], rounds: int) -> dict[str, dict[str, float | list[float]]]:
    """Texts/s of each arm in each round, by the clock and by CPU time, and its lowest cosine to the first arm."""
    names = list(arms)
    found: dict[str, dict[str, list[float]]] = {name: {"wall": [], "cpu": []} for name in names}
    vectors = {}
    for _ in range(rounds):
        for name in names:
            wall, cpu = time.perf_counter(), time.process_time()
            vectors[name] = arms[name](texts)
            found[name]["wall"].append(len(texts) / (time.perf_counter() - wall))
            found[name]["cpu"].append(len(texts) / (time.process_time() - cpu))
    made: dict[str, dict[str, float | list[float]]] = {}
    for name in names:
        made[name] = {"min_cosine": round(float((vectors[name] * vectors[names[0]]).sum(1).min()), 6)}
        for clock in ("wall", "cpu"):
            rates = found[name][clock]
            ratios = [a / b for a, b in zip(rates, found[names[0]][clock], strict=True)]
            made[name][f"texts_per_second_{clock}"] = [round(rate, 1) for rate in rates]
            made[name][f"ratio_{clock}_median"] = round(statistics.median(ratios), 3)
            made[name][f"ratio_{clock}_min"] = round(min(ratios), 3)
        print(name, made[name], flush=True)
    return made


def main(config: EmbedSpeedConfig) -> None:
    """Measure both lists and write the JSON."""
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(config.threads)
    reference = SentenceTransformer(str(package_folder()), device="cpu")
    fp32, bf16 = MiniLM(), MiniLM(precision="bf16")
    arms: dict[str, Arm] = {
        "SentenceTransformer": lambda texts: reference.encode(
            texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False
        ),
        "minilm fp32": lambda texts: encode_sorted(fp32, texts),
        "minilm bf16": lambda texts: encode_sorted(bf16, texts),
    }
    used = versions() | {"sentence-transformers": version("sentence-transformers")}
    with tempfile.TemporaryDirectory() as folder:
        if find_spec("onnx") and find_spec("onnxruntime"):
            arms["ONNX Runtime fp32"] = onnx_arm(fp32, Path(folder))
            used["onnxruntime"] = version("onnxruntime")
        lists = {}
        for kind, texts in texts_of(config, fp32).items():
            for arm in arms.values():
                arm(texts[:200])  # warm-up
            began = time.process_time()
            counts = fp32.token_counts(texts)
            tokenising = time.process_time() - began
            made = measure(arms, texts, config.rounds)
            rates = made["minilm bf16"]["texts_per_second_cpu"]
            assert isinstance(rates, list)
            lists[kind] = {
                "texts": len(texts),
                "tokens_mean": round(float(counts.mean()), 1),
                "tokenising_share_of_bf16_cpu": round(tokenising / len(texts) * statistics.median(rates), 4),
                "load_average": [round(load, 1) for load in os.getloadavg()],
                "arms": made,
            }
    settings = {key: str(value) for key, value in asdict(config).items()}
    write_json(
        RESULTS / "embed_speed.json",
        {"lists": lists, "settings": settings, "machine": machine(), "versions": used},
    )


if __name__ == "__main__":
    main(tyro.cli(EmbedSpeedConfig))
