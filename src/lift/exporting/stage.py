"""export: the image side of a RUN as an ONNX file or a transformers folder, checked after writing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tyro.conf import Positional

from lift.artefact import already_done, new_folder, read_manifest, sha256_file, write_bytes, write_json
from lift.conditioning import pack
from lift.console import note, say
from lift.data import Dataset, is_dataset
from lift.errors import LiftError
from lift.exporting.card import CONDITIONING, WORDS, write_card
from lift.exporting.to_onnx import run_onnx, write_onnx
from lift.exporting.to_transformers import run_transformers, write_transformers
from lift.model import Model
from lift.text import TextEncoder, WordBag

CHECKED_PHOTOS = 32


@dataclass(frozen=True)
class ExportConfig:
    """Write the image side of a RUN in a form that other programs load without lift: ONNX, or a transformers folder.

    After writing, photos are encoded by both, and the export is refused when the vectors differ.
    """

    run: Positional[Path]
    """The RUN folder."""
    out: Path
    """The folder to make: the model, export.json and a model card (README.md)."""
    to: Literal["onnx", "transformers"] = "onnx"
    """onnx: model.onnx, any batch size. transformers: AutoModel with trust_remote_code, and its image processor."""
    pixels: Literal["uint8", "float"] = "uint8"
    """onnx: what goes in. uint8: (batch, S, S, 3) as decoded. float: (batch, 3, S, S) in 0..1."""
    photos: str | Path | None = None
    """DATASET whose photos the check encodes (default: the one of the training, else random pixels)."""
    overwrite: bool = False
    """Replace what lies at --out."""


def export(config: ExportConfig) -> Path:
    """Export as `config` says; returns the folder. LiftError when the written model gives other vectors."""
    manifest = read_manifest(config.run, "run")
    results = sorted((config.run / "results").glob("*.json"))
    request = {
        "checkpoint": manifest["checkpoint"]["id"],
        "to": config.to,
        "pixels": config.pixels if config.to == "onnx" else None,
        "results": {file.name: sha256_file(file) for file in results},  # the card tells of them
    }
    if already_done(config.out, "export", request, config.overwrite):
        say(f"{config.out}: already done")
        return config.out
    model = Model.load(config.run)
    pixels, source = photos_to_check(config, manifest, model.image_size)
    with new_folder(config.out) as folder:
        if config.to == "onnx":
            write_onnx(model.image_encoder, folder / "model.onnx", config.pixels)
            found = run_onnx(folder / "model.onnx", pixels, config.pixels)
        else:
            write_transformers(model, folder)
            found = run_transformers(folder, pixels)
        verified = compare_vectors(model.encode_pixels(pixels), found) | {"photos": source, "n": len(pixels)}
        if model.conditioning is not None:  # sentences must go the same way
            write_bytes(folder / CONDITIONING, pack(model.conditioning))
        if model.method == "words":
            write_words(model.text_encoder, folder / WORDS)
        write_card(folder, model, manifest, results, config, verified)
        files = {file.name: sha256_file(file) for file in sorted(folder.iterdir())}
        write_json(
            folder / "export.json", {"format": 1, "verified": verified, "sha256": files, "request": request}
        )
    say(f"{config.out}: cosine to the RUN at least {verified['cosine_min']:.6f} on {len(pixels)} {source}")
    return config.out


def write_words(bag: TextEncoder, file: Path) -> None:
    """What each number of a vector stands for, its weight in a sentence, and the tokenizer that cuts sentences."""
    assert isinstance(bag, WordBag)
    weights = [round(float(weight), 6) for weight in bag.weights]
    words = {"words": bag.subwords, "weights": weights, "tokenizer": json.loads(bag.tokenizer.to_str())}
    write_json(file, words)


def photos_to_check(config: ExportConfig, manifest: dict[str, Any], size: int) -> tuple[np.ndarray, str]:
    """Pixels uint8 (n, S, S, 3) to encode with both, and what they are."""
    trained_on = manifest["config"]["images"]
    place = config.photos or (trained_on if is_dataset(trained_on) else None)
    if place is None:
        note(f"the DATASET {trained_on} is not there: the check encodes random pixels")
        noise = np.random.default_rng(0).integers(0, 256, (CHECKED_PHOTOS, size, size, 3), dtype=np.uint8)
        return noise, "random pixels"
    dataset = Dataset(place)
    if dataset.image_size != size:
        raise LiftError(
            f"the photos of {place} are {dataset.image_size} px, the model sees {size} px",
            "give a DATASET of the same size as --photos, or leave it away",
        )
    chosen = np.linspace(0, len(dataset) - 1, min(CHECKED_PHOTOS, len(dataset))).astype(int)
    return np.array(dataset.pixels[chosen]), f"photos of {dataset.name}"


def compare_vectors(expected: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Smallest cosine and largest difference of a number; LiftError when the export is not the RUN."""
    cosine = float((expected.astype(np.float64) * found).sum(1).min())
    length = float(np.abs(np.linalg.norm(found, axis=1) - 1).max())
    if not (cosine >= 0.9999 and length < 1e-3):
        raise LiftError(
            f"the exported model gives other vectors than the RUN (smallest cosine {cosine:.6f})",
            "report this with the versions of torch, onnxruntime and transformers; nothing was written",
        )
    return {"cosine_min": min(cosine, 1.0), "largest_difference": float(np.abs(expected - found).max())}
