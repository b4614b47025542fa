"""The model card of an export, made from run.json and RUN/results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lift.artefact import write_bytes
from lift.image import BackboneShape
from lift.text.minilm import LICENCE

if TYPE_CHECKING:
    from lift.exporting.stage import ExportConfig
    from lift.model import Model

USE = {
    "onnx": """```python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
vectors = session.run(["image_features"], {{"pixels": pixels}})[0]  # float32 (n, {dim}), unit length
```

`pixels`: {pixels}. Normalisation is inside the model.
""",
    "transformers": """```python
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

model = AutoModel.from_pretrained("THIS-FOLDER", trust_remote_code=True)
processor = AutoImageProcessor.from_pretrained("THIS-FOLDER")
inputs = processor(Image.open("photo.jpg"), return_tensors="pt")
vectors = model(**inputs).image_embeds  # (n, {dim}), unit length
```

`trust_remote_code` runs `modeling_lift.py` of this folder: read it first. {processor}
""",
}
PIXELS = {
    "uint8": "uint8 (n, {size}, {size}, 3), RGB",
    "float": "float32 (n, 3, {size}, {size}), RGB in 0..1",
}
PROCESSOR = {
    "squash": "The processor squashes the whole photo into the square, as in training.",
    "shortest": "The processor takes the centre square, as in training.",
    "longest": "In training photos were padded with grey to a square; the processor does not do that: pad first.",
}
WORDS = "words.json"
CONDITIONING = "conditioning.safetensors"
RESIZED = {
    "squash": "the whole photo squashed into the square",
    "shortest": "the centre square of the photo",
    "longest": "the whole photo, padded with grey to a square",
}


def write_card(
    folder: Path,
    model: Model,
    manifest: dict[str, Any],
    results: list[Path],
    config: ExportConfig,
    verified: dict[str, Any],
) -> None:
    """Write README.md: what the model is, how to use it, on what it was trained, how good it is, its limits."""
    size, dim = model.image_size, model.dim
    use = USE[config.to].format(
        dim=dim,
        pixels=PIXELS[config.pixels].format(size=size),
        processor=PROCESSOR[model.resize_mode],
    )
    text = "\n".join(
        [
            *front_matter(model, config.to),
            f"# {manifest['name']}",
            "",
            f"An image encoder that turns a photo ({size} x {size} pixels: {RESIZED[model.resize_mode]}, bicubic) "
            f"into a unit vector of {dim} numbers. Its cosine with the vector of a sentence says how well the two "
            "fit. Trained by lift.",
            "",
            "## Use",
            "",
            use,
            *text_side(manifest),
            *training(model, manifest),
            *measured(results),
            *limits(manifest),
            "## This file",
            "",
            f"Encoded after writing: {verified['n']} {verified['photos']}; smallest cosine to the trained model "
            f"{verified['cosine_min']:.6f}, largest difference of a number {verified['largest_difference']:.1e}.",
            "",
        ]
    )
    write_bytes(folder / "README.md", text.encode())


def front_matter(model: Model, to: str) -> list[str]:
    """What model hubs read."""
    shape = model.image_encoder.shape
    lines = ["---", f"library_name: {to}", "pipeline_tag: image-feature-extraction"]
    if isinstance(shape, BackboneShape) and shape.source.count("/") == 1:
        lines.append(f"base_model: {shape.source}")
    return [*lines, "license: other", "---", ""]


def text_side(manifest: dict[str, Any]) -> list[str]:
    """Which text encoder the vectors belong to, and what its licence asks."""
    found = manifest["fingerprint"]
    if manifest["method"] == "words":
        return [
            "There is no text encoder: each number of a vector stands for one word or piece of a word, in the order "
            f"of `{WORDS}`, and tells by how much the photo makes it more likely than photos in general (then unit "
            "length). A sentence is the weights of its different pieces, as that file lists them, at unit length. "
            "Word order is not seen.",
            "",
        ]
    if manifest["method"] in ("clip", "lit"):
        return [
            "The vectors belong to the text tower that was trained along, which is not part of this folder.",
            "",
        ]
    # No paths of this machine.
    where = "" if Path(found["source"]).is_absolute() else f" (`{found['source']}`)"
    limit = (
        f"at most {found['max_tokens']} tokens" if found["max_tokens"] else "the server's own length limit"
    )
    prompt = (
        f"; the prompt {json.dumps(found['prompt'], ensure_ascii=False)} before every text"
        if found["prompt"]
        else ""
    )
    lines = [
        f"Sentences must be encoded by **{found['name']}**{where}, fingerprint `{found['digest']}`: {limit}{prompt}; "
        f"pooling {found['pooling']}; unit length. Vectors of any other encoder give meaningless cosines.",
        "",
    ]
    if found["post_processing"] != "none":
        lines += [
            f"Its vectors are then conditioned ({found['post_processing']}): subtract `mean`, multiply by `projection` "
            f"(both in `{CONDITIONING}`), and bring the result back to unit length.",
            "",
        ]
    return [
        *lines,
        licence_of(found),
        "",
    ]


def licence_of(fingerprint: dict[str, Any]) -> str:
    """One sentence on the licence of the text encoder, as it was found when the encoder was loaded."""
    known = LICENCE if fingerprint["source"] == "minilm" else fingerprint["options"].get("licence", "unknown")
    if known.startswith("unknown"):
        return (
            "Its licence is not known here: look it up before you use or pass on this model. Some well-known text "
            "encoders may not be used by companies."
        )
    return f"Its licence: {known}. The text encoder is not part of this folder."


def training(model: Model, manifest: dict[str, Any]) -> list[str]:
    """How it was made."""
    config, cost, shape = manifest["config"], manifest["cost"], model.image_encoder.shape
    kind = config["image_encoder"]
    rows = {
        "data": f"{manifest['dataset']['name']} (id `{manifest['dataset']['id']}`)",
        "method, loss": f"{manifest['method']}, {manifest['loss']}",
        "image encoder": f"{kind}, head {model.image_encoder.head_name}",
        "parameters": f"{manifest['parameters']['image']:,}",
    }
    if isinstance(shape, BackboneShape):
        rows["image encoder"] = (
            f"pre-trained {shape.family} (`{shape.source}`, weights "
            f"`{shape.weights}`), {shape.pooling} pooling, head {model.image_encoder.head_name}, "
            f"trained: {config.get('tune')}; the backbone's licence holds for this model too"
        )
    origin = manifest.get("backbone") or {}
    if origin.get("family") == "lift":
        rows["image encoder"] = (
            f"that of the run {origin['source']} (weights `{origin['weights']}`), head "
            f"{model.image_encoder.head_name}, trained: {config.get('tune')}"
        )
    rows |= {
        **({"weights": manifest["weights"]} if "weights" in manifest else {}),
        "steps, samples seen": f"{manifest['steps']:,}, {manifest['samples_seen']:,}",
        "seed": str(config["seed"]),
        "time, floating-point operations": f"{cost['seconds']:.0f} s, {cost['flops_total']:.2e}",
        "checkpoint": f"`{manifest['checkpoint']['id']}`",
        "versions": ", ".join(f"{k} {v}" for k, v in manifest["versions"].items()),
    }
    return ["## Training", "", "| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items()), ""]


def measured(results: list[Path]) -> list[str]:
    """Every metric in RUN/results with its 95 % interval."""
    lines = ["## Results", ""]
    if not results:
        return [*lines, "Not measured: run `lift evaluate` and export again.", ""]
    lines += ["| task | data | metric | value | 95 % interval | n |", "|---|---|---|---:|---:|---:|"]
    for file in results:
        found = json.loads(file.read_text(encoding="utf-8"))
        data = f"{found['dataset']['name']} {found['dataset']['split']}"
        for name, value in found["metrics"].items():
            interval = f"{value['low']:.1f} to {value['high']:.1f}"
            lines.append(
                f"| {found['task']} | {data} | {name} | {value['value']:.1f} | {interval} | {value['n']} |"
            )
    return [*lines, ""]


def limits(manifest: dict[str, Any]) -> list[str]:
    """What the numbers do not promise."""
    return [
        "## Limits",
        "",
        f"- It knows what {manifest['dataset']['name']} shows; on other kinds of photos measure it first.",
        "- A cosine is no probability. Choose a threshold on labelled pairs of your own, for short and long texts "
        "apart.",
        "- Who did what to whom, counts and negation are known weak points of models of this kind; see the pair "
        "accuracies above, where they were measured.",
        "- It has the biases of its photos, its texts and its text encoder. Not for decisions about people.",
        "",
    ]
