"""Many processes, parts of a batch, recomputed and compiled blocks: all of them compute what one process computes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lift.embedding import EmbedConfig, embed
from ranks_by_hand import CASES, WAYS, free_ports, main


@pytest.fixture(scope="module")
def hard_store(tiny_dataset: Path, tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny STORE with the hard negatives appended."""
    out = tmp_path_factory.mktemp("hard") / "store"
    shutil.copytree(tiny_store, out)
    embed(EmbedConfig(tiny_dataset, out, hard_negatives=True))
    return out


@pytest.fixture(scope="module")
def met(tiny_dataset: Path, hard_store: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of three real processes found."""
    folder = tmp_path_factory.mktemp("met")
    torch.multiprocessing.spawn(main, (folder, tiny_dataset, hard_store, free_ports(8)), nprocs=3)
    found = [json.loads((folder / f"found-{number}.json").read_text()) for number in range(3)]
    for each in found:
        assert "failed" not in each, each["failed"]
    return [{**each, "folder": folder} for each in found]


def test_x(met):
    for m in met:
        for k, v in m.items():
            print(k, v)
