"""Tiny random two-tower models of the published families, saved as transformers saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers

from models_by_hand import LIMIT, tiny_tokenizer

VISION: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
    "projection_dim": 24,
}
TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "vocab_size": 320,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "projection_dim": 24,
    "max_position_embeddings": LIMIT,
}
SIGLIP_TEXT = {**TEXT, "projection_size": 32}
FREE_SIZE = {key: value for key, value in VISION.items() if key != "image_size"} | {"num_patches": 16}
#: family -> (class, config class, vision settings, text settings, further settings, image processor)
RIVALS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "clip": (
        "CLIPModel", "CLIPConfig", VISION, TEXT, {"projection_dim": 24},
        {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}, "resample": 3},
    ),
    "siglip": (
        "SiglipModel", "SiglipConfig", VISION, SIGLIP_TEXT, {},
        {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2},
    ),
    "siglip2": (
        "Siglip2Model", "Siglip2Config", FREE_SIZE, SIGLIP_TEXT, {},
        {"patch_size": 8, "max_num_patches": 16, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2},
    ),
    "altclip": (
        "AltCLIPModel", "AltCLIPConfig", VISION,
        {**TEXT, "project_dim": 24, "max_position_embeddings": LIMIT + 2}, {"projection_dim": 24},
        {"size": 32, "crop_size": 32},
    ),
    "chinese_clip": (
        "ChineseCLIPModel", "ChineseCLIPConfig", VISION, {**TEXT, "type_vocab_size": 2}, {"projection_dim": 24},
        {"size": {"height": 32, "width": 32}, "do_center_crop": False},
    ),
}  # fmt: skip


def save_rival(family: str, folder: Path, *, seed: int = 0) -> Any:
    """Write a random model of `family` with tokenizer and preprocessor_config.json into `folder`; returns it."""
    model_class, config_class, vision, text, more, processor = RIVALS[family]
    config = getattr(transformers, config_class)(vision_config=vision, text_config=text, **more)
    torch.manual_seed(seed)
    model = getattr(transformers, model_class)(config).eval()
    with torch.no_grad():  # wider than usual, so that photos and texts make a difference
        for parameter in model.parameters():
            if parameter.ndim > 0:
                parameter.normal_(std=0.2)
    transformers.logging.disable_progress_bar()
    model.save_pretrained(folder)
    tiny_tokenizer("bert").save_pretrained(folder)
    usual = {"do_normalize": True, "do_rescale": True, "rescale_factor": 1 / 255}
    (folder / "preprocessor_config.json").write_text(json.dumps(usual | processor))
    return model
