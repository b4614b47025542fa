"""embed: every distinct text once, resumable after kill -9 to the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lift.artefact import new_folder, sha256_file
from lift.data import DatasetWriter, Row
from lift.embedding import EmbedConfig, embed
from lift.errors import LiftError
from lift.store import EmbeddingStore
from lift.text import MiniLM


@pytest.fixture(scope="module")
def wordy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DATASET of 300 photos with one text of its own, one shared text, and three texts over the limit."""
    out = tmp_path_factory.mktemp("wordy") / "dataset"
    with new_folder(out) as folder:
        writer = DatasetWriter(folder, name="wordy", image_size=8, resize_mode="squash")
        for number in range(300):
            text = f"picture number {number} of a {'very ' * (number % 7)}long series"
            extra = ["word " * 300 + str(number)] if number < 3 else []
            writer.add(np.zeros((8, 8, 3), np.uint8), Row(f"{number}", [text, "a picture"], "train", extra))
        writer.close(request={}, report={}, source="")
    return out


def test_each_distinct_text_once_and_cut_ones_counted(wordy: Path, tmp_path: Path) -> None:
    store = embed(EmbedConfig(dataset=wordy, out=tmp_path / "store", shard_rows=100))
    assert len(store) == 300 + 1 + 3 and store.manifest["cut_texts"] == 3
    assert [shard["rows"] for shard in store.manifest["shards"]] == [100, 100, 100, 4]
    text = "picture number 8 of a very long series"
    assert np.abs(store.vectors([text]) - MiniLM().encode([text])).max() < 1e-3
    store.check()
    assert store.fingerprint.digest == MiniLM().fingerprint.digest


def test_kill_9_and_rerun_give_the_same_bytes(wordy: Path, tmp_path: Path) -> None:
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    embed(EmbedConfig(dataset=wordy, out=straight, shard_rows=20))
    run = [sys.executable, "-m", "lift.cli", "embed", str(wordy), "--out", str(killed), "--shard-rows", "20"]
    for least in (1, 4):
        process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list(tmp_path.glob(".killed.partial/vectors-*"))) < least:
            time.sleep(0.002)
        assert process.poll() is None, "embedding ended before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with pytest.raises(LiftError, match="not a STORE"):
            EmbeddingStore(killed)
    subprocess.run(run, check=True, capture_output=True)
    names = sorted(path.name for path in straight.iterdir())
    assert names == sorted(path.name for path in killed.iterdir())
    for name in names:
        if name != "store.json":  # holds the seconds spent
            assert sha256_file(straight / name) == sha256_file(killed / name), name
    EmbeddingStore(killed).check()


def test_done_is_skipped_and_other_work_is_not_overwritten(
    wordy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = EmbedConfig(dataset=wordy, out=tmp_path / "store")
    embed(config)
    capsys.readouterr()
    embed(config)
    assert "already done" in capsys.readouterr().out
    with pytest.raises(LiftError, match=r"other settings \(dtype\)"):
        embed(EmbedConfig(dataset=wordy, out=tmp_path / "store", dtype="float32"))
    assert (
        embed(EmbedConfig(dataset=wordy, out=tmp_path / "store", dtype="float32", overwrite=True)).dim == 384
    )
