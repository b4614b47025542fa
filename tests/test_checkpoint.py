"""Weights come back as they were, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lift.checkpoint import load_tensors, save_tensors
from lift.errors import LiftError


def test_tensors_and_settings_come_back(tmp_path: Path) -> None:
    tensors = {"image": {"w": torch.randn(3, 4).T, "s": torch.tensor(2.5)}, "text": {"b": torch.arange(3)}}
    save_tensors(tmp_path / "c", tensors, {"dim": 4})
    groups, settings = load_tensors(tmp_path / "c")
    assert settings["dim"] == 4
    for group, values in tensors.items():
        for name, value in values.items():
            assert torch.equal(groups[group][name], value)


def test_each_single_flipped_byte_is_found(tmp_path: Path) -> None:
    save_tensors(tmp_path / "c", {"image": {"w": torch.randn(2, 2)}}, {})
    file = tmp_path / "c" / "image.safetensors"
    good = file.read_bytes()
    for position in range(len(good)):
        file.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        with pytest.raises(LiftError, match="has changed"):
            load_tensors(tmp_path / "c")
    file.unlink()
    with pytest.raises(LiftError, match="no complete checkpoint"):
        load_tensors(tmp_path / "c")
