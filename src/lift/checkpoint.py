"""Weights on disk: a readable folder of JSON and safetensors with SHA-256 sums."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load_file, save_file
from torch import Tensor

from lift.artefact import new_folder, sha256_file, write_json
from lift.errors import LiftError


def save_tensors(folder: Path, tensors: Mapping[str, Mapping[str, Tensor]], settings: dict[str, Any]) -> None:
    """Write each group of `tensors` to <group>.safetensors and `settings` to checkpoint.json, whole or not at all."""
    with new_folder(folder) as partial:
        sums = {}
        for group, values in tensors.items():
            file = partial / f"{group}.safetensors"
            save_file({name: value.detach().cpu().contiguous() for name, value in values.items()}, file)
            sums[group] = sha256_file(file)
        write_json(partial / "checkpoint.json", {"format": 1, "sha256": sums, **settings})


def load_tensors(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Read what `save_tensors` wrote; LiftError when a file is missing or a single bit has changed."""
    try:
        settings = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))
        groups = {}
        for group, expected in settings["sha256"].items():
            file = folder / f"{group}.safetensors"
            if sha256_file(file) != expected:
                raise LiftError(
                    f"{file} has changed since it was written", "restore it from a copy, or train again"
                )
            groups[group] = load_file(file)
    except (OSError, KeyError, json.JSONDecodeError, safetensors.SafetensorError) as error:
        raise LiftError(
            f"{folder} is no complete checkpoint ({error})", "restore it from a copy, or train again"
        ) from error
    return groups, settings
