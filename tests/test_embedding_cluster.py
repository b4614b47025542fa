"""embed --engine ray: a real cluster of two worker processes, one of them killed, writes what one process writes."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from lift.artefact import new_folder, sha256_file
from lift.data import DatasetWriter, Row
from lift.embedding import EmbedConfig, embed
from lift.errors import LiftError
from lift.store import EmbeddingStore

pytest.importorskip("ray", reason="Ray is not installed: pip install 'lift[ray]'")


@pytest.fixture(scope="module")
def sayings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DATASET of 600 photos with one sentence each."""
    out = tmp_path_factory.mktemp("sayings") / "dataset"
    with new_folder(out) as folder:
        writer = DatasetWriter(folder, name="sayings", image_size=8, resize_mode="squash")
        for number in range(600):
            text = f"saying number {number} is {'rather ' * (number % 9)}long"
            writer.add(np.zeros((8, 8, 3), np.uint8), Row(str(number), [text], "train"))
        writer.close(request={}, report={}, source="")
    return out


def kill_a_worker(folder: Path, killed: list[int]) -> None:
    """Wait for the first finished shard, then kill one of the processes that encode."""
    for _ in range(6000):
        if list((folder / "shards").glob("*.json")):
            break
        time.sleep(0.01)
    for process in psutil.Process().children(
        recursive=True
    ):  # of this cluster, not of another on the machine
        try:
            words = " ".join(process.cmdline())
        except psutil.Error:  # ended meanwhile
            continue
        if "MapWorker" in words and "idle" not in words.lower():
            os.kill(process.pid, signal.SIGKILL)
            killed.append(process.pid)
            return


def test_a_cluster_with_a_killed_worker_writes_what_one_process_writes(sayings: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as every worker has
    try:
        embed(EmbedConfig(dataset=sayings, out=tmp_path / "one", shard_rows=40))
    finally:
        torch.set_num_threads(threads)
    killed: list[int] = []
    killer = threading.Thread(target=kill_a_worker, args=(tmp_path / "many", killed))
    killer.start()
    store = embed(EmbedConfig(dataset=sayings, out=tmp_path / "many", shard_rows=40, engine="ray", workers=2))
    killer.join()
    assert killed, "no worker could be killed"
    assert len(store) == 600
    store.check()
    one, many = (sorted((tmp_path / name / "shards").iterdir()) for name in ("one", "many"))
    assert [file.name for file in one] == [file.name for file in many] and len(one) == 45
    assert [sha256_file(file) for file in one] == [sha256_file(file) for file in many]


def test_what_a_worker_finds_wrong_reaches_the_user(
    sayings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lift.embedding import cluster

    with pytest.raises(LiftError, match="cluster cannot be reached"):
        embed(EmbedConfig(dataset=sayings, out=tmp_path / "nowhere", engine="ray", ray_address="127.0.0.1:9"))

    def late(**_: object) -> None:
        raise Exception("The current node timed out during startup.")  # as Ray does, of no class of its own

    monkeypatch.setattr("ray.init", late)
    with pytest.raises(LiftError, match="timed out during startup"):
        embed(EmbedConfig(dataset=sayings, out=tmp_path / "late", engine="ray"))
    told = LiftError("the disk is full", "free some")
    outer = RuntimeError("task failed")
    outer.cause = told  # type: ignore[attr-defined]
    assert cluster.failure(outer) is told
    assert "could not finish: task failed" in str(cluster.failure(RuntimeError("task failed")))


def test_workers_share_the_requests_of_a_minute() -> None:
    from lift.embedding import cluster
    from lift.text import MiniLM

    plain = MiniLM().fingerprint
    paced = replace(plain, options={"requests_per_minute": 90, "prompt": ""})
    assert cluster.shared_pace(paced, 4).options == {"requests_per_minute": 22, "prompt": ""}
    assert cluster.shared_pace(paced, 200).options["requests_per_minute"] == 1
    assert cluster.shared_pace(plain, 4) is plain


def test_a_finished_store_needs_no_cluster(sayings: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    embed(EmbedConfig(dataset=sayings, out=out))
    again = embed(EmbedConfig(dataset=sayings, out=out, engine="ray", ray_address="127.0.0.1:9"))
    assert len(again) == 600 and isinstance(again, EmbeddingStore)
