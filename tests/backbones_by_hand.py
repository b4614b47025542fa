"""Tiny pre-trained backbones with random weights, saved as transformers saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
CONV: dict[str, Any] = {"hidden_sizes": [8, 12, 16, 32], "depths": [1, 1, 2, 1]}
TEXT: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "vocab_size": 50,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
#: name -> (model class, configuration class, settings)
MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "vit": ("ViTModel", "ViTConfig", SMALL),
    "dinov2": ("Dinov2Model", "Dinov2Config", {**SMALL, "mlp_ratio": 2}),
    "dinov2_with_registers": ("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", SMALL),
    "dinov3_vit": ("DINOv3ViTModel", "DINOv3ViTConfig", {**SMALL, "num_register_tokens": 2}),
    "dinov3_convnext": ("DINOv3ConvNextModel", "DINOv3ConvNextConfig", CONV),
    "convnext": ("ConvNextModel", "ConvNextConfig", CONV),
    "convnextv2": ("ConvNextV2Model", "ConvNextV2Config", CONV),
    "clip_vision_model": ("CLIPVisionModel", "CLIPVisionConfig", SMALL),
    "siglip_vision_model": ("SiglipVisionModel", "SiglipVisionConfig", SMALL),
    "clip": ("CLIPModel", "CLIPConfig", {"vision_config": SMALL, "text_config": TEXT}),
    "siglip": ("SiglipModel", "SiglipConfig", {"vision_config": SMALL, "text_config": TEXT}),
}
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]


def save_backbone(folder: Path, name: str, *, processor: dict[str, Any] | None = None, seed: int = 0) -> Any:
    """Write model and preprocessor_config.json of `name` into `folder`; returns the model."""
    model_class, config_class, settings = MODELS[name]
    torch.manual_seed(seed)
    model = getattr(transformers, model_class)(getattr(transformers, config_class)(**settings)).eval()
    for parameter in model.parameters():  # fresh models start with zeros and ones, which would hide mistakes
        torch.nn.init.normal_(parameter, std=0.2)
    transformers.logging.disable_progress_bar()
    model.save_pretrained(folder)
    usual = {"do_normalize": True, "do_rescale": True, "rescale_factor": 1 / 255}
    settings = {**usual, "image_mean": MEAN, "image_std": STD, **(processor or {})}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return model
