"""Models of the open_clip package: `open_clip:ViT-B-32/openai`, or `open_clip:hf-hub:org/model`.

The package brings torchvision, which does not run beside every build of torch: it is no extra of lift, and imported
only when such a name is given. Its own preprocessing and tokenizer are used.
"""

from __future__ import annotations

import hashlib
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.rival.model import Rival, Towers

PREFIX = "open_clip:"


def load_open_clip(name: str, device: str) -> Rival:
    """The model behind `name`, which begins with open_clip:; LiftError without the package or such a model."""
    package = _package()
    model_name, _, pretrained = name.removeprefix(PREFIX).partition("/")
    if model_name.startswith("hf-hub:"):
        model_name, pretrained = name.removeprefix(PREFIX), ""
    try:
        model, preprocess = package.create_model_from_pretrained(model_name, pretrained=pretrained or None)
        tokenize = package.get_tokenizer(model_name)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise LiftError(
            f"open_clip could not load {name}: {error}",
            "give open_clip:MODEL/WEIGHTS as in open_clip.list_pretrained(), or open_clip:hf-hub:ORG/MODEL",
        ) from error
    model = model.to(device).eval()

    def images(stack: np.ndarray) -> Tensor:
        return model.encode_image(torch.from_numpy(stack).to(device))

    def texts(sentences: list[str]) -> Tensor:
        return model.encode_text(tokenize(sentences).to(device))

    with torch.inference_mode():
        dim = texts(["a"]).shape[-1]
    weights = _weights(model)
    size = getattr(getattr(model, "visual", None), "image_size", 224)
    scale = getattr(model, "logit_scale", None)
    return Rival(
        Towers(lambda picture: preprocess(picture).numpy(), images, texts),
        name=name,
        method="open_clip",
        source=None,
        weights=hashlib.sha256(f"{weights}{preprocess}{package.__version__}".encode()).hexdigest(),
        fingerprint=Fingerprint(
            name=name,
            source=name,
            weights=weights,
            tokenizer=model_name,
            prompt="",
            pooling=f"open_clip {package.__version__}",
            max_tokens=int(getattr(model, "context_length", 77)),
            normalised=True,
            dim=dim,
            dtype="float32",
        ),
        transform=preprocess,
        image_size=size if isinstance(size, int) else min(size),
        logit_scale=float(scale.detach().exp()) if scale is not None else None,
        device=device,
    )


def _package() -> ModuleType:
    try:
        import open_clip
    except (ImportError, RuntimeError) as error:  # torchvision beside another build of torch: RuntimeError
        raise LiftError(
            f"the package open_clip cannot be used here ({str(error).splitlines()[0]})",
            "`pip install open_clip_torch` with a torchvision made for this torch, or use the model's folder in "
            "transformers' form",
        ) from error
    return open_clip


def _weights(model: Any) -> str:
    """16 hexadecimal digits over names and values of all weights."""
    total = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        total.update(name.encode() + value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()[:16]
