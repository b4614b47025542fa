"""From a folder, hub id or results folder to a Rival."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lift.artefact import digest, read_manifest
from lift.console import note
from lift.device import check_device
from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.image.pretrained import processor_settings
from lift.rival.model import Rival, Towers
from lift.rival.open_clip import PREFIX, load_open_clip
from lift.rival.pixels import Preprocessing, read_preprocessing
from lift.rival.words import Words, check_tokenizer
from lift.text.folder import Origin, hash_settings, hash_tokenizer, hash_weights, read_json
from lift.text.hub import fetch, is_hub_id
from lift.text.remote_code import CONSENT, check_trust, code_references, hash_code
from lift.text.transformer import load_parts

FAMILIES = ("clip", "siglip", "siglip2", "altclip", "chinese_clip", "metaclip_2")
KNOWN = f"known families: {', '.join(FAMILIES)}, and models whose own code has get_image_features"


def is_rival(name: Path | str) -> bool:
    """True for what `load_clip` takes and `lift train` did not make: a model's folder, its results, or a hub id."""
    folder = Path(name)
    if str(name).startswith(PREFIX):
        return True
    if folder.is_dir():
        return not (folder / "run.json").is_file() and any(
            (folder / file).is_file() for file in ("rival.json", "config.json")
        )
    return is_hub_id(str(name)) and not folder.exists()


def load_clip(name: Path | str, *, device: str = "cpu") -> Rival:
    """A published two-tower model, from its folder, its hub id, `open_clip:…`, or the folder of its results.

    Its own code runs only with the environment variable LIFT_TRUST_REMOTE_CODE=1. LiftError when it is no such model,
    files are missing, or its preprocessing is not known.
    """
    check_device(device)
    name = _recorded(Path(name)) if (Path(name) / "rival.json").is_file() else name
    if str(name).startswith(PREFIX):
        return load_open_clip(str(name), device)
    folder, commit = (Path(name), "") if Path(name).is_dir() else fetch(str(name), None)
    origin = Origin(folder, folder.resolve().name if not commit else str(name), str(name), "")
    config = read_json(folder / "config.json")
    family = config.get("model_type", "")
    code = code_references(folder, modules=False)
    if family not in FAMILIES and not code:
        raise LiftError(
            f"{origin.name} is of family {family!r}, which is no two-tower model known here", KNOWN
        )
    _check_code(origin, code)
    check_tokenizer(folder)
    settings = processor_settings(folder)
    if settings is None:
        note(f"{folder} has no preprocessor_config.json: the usual preprocessing of {family} is taken")
    transform = read_preprocessing(settings, family)
    model, tokenizer = load_parts(origin, dtype=torch.float32, code=code)
    if not all(hasattr(model, f"get_{what}_features") for what in ("image", "text")):
        raise LiftError(f"{origin.name} has no get_image_features and get_text_features", KNOWN)
    words = Words(family, tokenizer, _positions(model.config))
    return _rival(origin, family, model.to(device), transform, words, device)


def _rival(
    origin: Origin, family: str, model: Any, transform: Preprocessing, words: Words, device: str
) -> Rival:
    folder = origin.folder

    def images(stack: Any) -> Tensor:
        inputs = {name: value.to(device) for name, value in transform.inputs(stack).items()}
        return _vectors(model.get_image_features(**inputs))

    def texts(sentences: list[str]) -> Tensor:
        return _vectors(model.get_text_features(**words(sentences, device)))

    with torch.inference_mode():
        dim = texts(["a"]).shape[-1]
    settings = hash_settings(folder, ["config.json"]) + hash_code(folder)
    weights = hash_weights(folder)
    fingerprint = Fingerprint(
        name=origin.name,
        source=origin.source,
        weights=weights,
        tokenizer=hash_tokenizer(folder),
        prompt="",
        pooling=f"{words.describe()}, settings {settings}",
        max_tokens=words.limit,
        normalised=True,
        dim=dim,
        dtype="float32",
    )
    scale = getattr(model, "logit_scale", None)
    return Rival(
        Towers(transform.prepare, images, texts, words.counts),
        name=origin.name,
        method=family or "own",
        source=folder,
        weights=digest([weights, settings, fingerprint.digest, repr(transform)]),
        fingerprint=fingerprint,
        transform=transform,
        image_size=transform.image_size,
        logit_scale=float(scale.detach().exp()) if isinstance(scale, Tensor) and scale.numel() == 1 else None,
        device=device,
    )


def _vectors(output: Any) -> Tensor:
    """The vectors (n, D) among what a model returns."""
    return output if isinstance(output, Tensor) else output.pooler_output


def _positions(config: Any) -> int | None:
    """Rows of the text side's table of positions that a text can use."""
    text = config.get_text_config()
    found = getattr(text, "max_position_embeddings", None)
    roberta = "altclip" in str(text.model_type) or "roberta" in str(text.model_type)
    return (
        found - 2 if found and roberta else found
    )  # these begin to count behind the number of <pad>, which is 1


def _recorded(folder: Path) -> Path | str:
    """The model that the results folder belongs to; LiftError when it is gone."""
    source = read_manifest(folder, "rival")["source"]
    if source.startswith(PREFIX) or is_hub_id(source) or Path(source).is_dir():
        return source
    raise LiftError(
        f"the model that {folder} holds results of is not where it was ({source})", "give its folder instead"
    )


def _check_code(origin: Origin, code: dict[str, str]) -> None:
    if code and os.environ.get(CONSENT) != "1":
        files = sorted(
            {reference.rpartition("--")[2].rpartition(".")[0] + ".py" for reference in code.values()}
        )
        raise LiftError(
            f"{origin.name} runs program code of its own: {', '.join(files)} in {origin.folder}",
            f"read these files, for they can do whatever you can; if you trust them, set {CONSENT}=1",
        )
    check_trust(origin.name, origin.folder, code, trusted=True)
