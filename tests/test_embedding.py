"""embed: every distinct text once, resumable after kill -9 to the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lift.artefact import new_folder
from lift.data import DatasetWriter, Row
from lift.embedding import EmbedConfig, embed, encode_shard
from lift.errors import LiftError
from lift.store import EmbeddingStore
from lift.text import MiniLM
from stores_by_hand import listing


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
    assert store.manifest["max_tokens"] == 256 and store.manifest["dataset"]["name"] == "wordy"
    assert store.manifest["flops"] == MiniLM().flops_per_token * store.manifest["tokens"] > 0
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
        while process.poll() is None and len(list(killed.glob("shards/*.json"))) < least:
            time.sleep(0.002)
        assert process.poll() is None, "embedding ended before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with pytest.raises(LiftError, match="not a STORE: it holds an unfinished run"):
            EmbeddingStore(killed)
    subprocess.run(run, check=True, capture_output=True)
    assert listing(straight) == listing(killed)
    EmbeddingStore(killed).check()


def test_a_shard_does_not_depend_on_where_it_is_encoded() -> None:
    """What a worker on another machine makes of a shard is what one process makes of it."""
    texts = [f"{'word ' * (number * 7 % 30)}{number}" for number in range(40)]
    encoder = MiniLM()
    seen: list[int] = []
    made = encode_shard(encoder, texts, batch_size=16, advance=seen.append)
    again = encode_shard(MiniLM(), texts, batch_size=16)
    assert np.array_equal(made.vectors, again.vectors) and sum(seen) == 40
    assert np.abs(made.vectors - np.concatenate([encoder.encode([text]) for text in texts])).max() < 1e-5
    assert made.tokens == encoder.token_counts(texts).sum() and made.cut_texts == 0


def dataset_of(out: Path, numbers: range) -> Path:
    """A DATASET of photos with one numbered text each."""
    with new_folder(out) as folder:
        writer = DatasetWriter(folder, name=out.name, image_size=8, resize_mode="squash")
        for number in numbers:
            writer.add(np.zeros((8, 8, 3), np.uint8), Row(f"{number}", [f"thing number {number}"], "train"))
        writer.close(request={}, report={}, source="")
    return out


def test_done_is_skipped_and_only_new_texts_are_appended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, more = dataset_of(tmp_path / "first", range(30)), dataset_of(tmp_path / "more", range(20, 50))
    config = EmbedConfig(dataset=first, out=str(tmp_path / "store"))
    alone = embed(config)
    assert "30 new of 30 distinct texts" in capsys.readouterr().out
    before = listing(tmp_path / "store")
    embed(config)
    assert "already done, 30 texts" in capsys.readouterr().out and listing(tmp_path / "store") == before
    both = embed(replace(config, dataset=more))
    assert "20 new of 30 distinct texts" in capsys.readouterr().out
    assert len(both) == 50 and len(alone) == 30 and not len(both.duplicates)
    assert before.items() <= listing(tmp_path / "store").items()
    embed(replace(config, dataset=more, batch_size=32))
    assert "already done, 30 texts" in capsys.readouterr().out
    with pytest.raises(LiftError, match=r"float16, not of .*, float32 \(other dtype\)[\s\S]*--overwrite"):
        embed(replace(config, dtype="float32"))
    new = embed(replace(config, dtype="float32", overwrite=True))
    assert new.facts.dtype == "float32" and len(new) == 30
    assert len(list((tmp_path / "store" / "shards").iterdir())) == 3


def test_two_processes_embed_overlapping_datasets_at_once(tmp_path: Path) -> None:
    sets = [
        dataset_of(tmp_path / name, numbers) for name, numbers in (("a", range(60)), ("b", range(40, 100)))
    ]
    run = [sys.executable, "-m", "lift.cli", "embed", "--out", str(tmp_path / "store"), "--shard-rows", "8"]
    both = [
        subprocess.Popen([*run, str(one)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for one in sets
    ]
    for process in both:
        said = process.communicate()[0].decode()
        assert process.returncode == 0, said
    store = EmbeddingStore(tmp_path / "store")
    store.check()
    texts = [f"thing number {number}" for number in range(100)]
    assert sorted(store.texts()) == sorted(texts) and len(store) == 100 and len(store.commits) == 2
    assert np.abs(store.vectors(texts) - MiniLM().encode(texts)).max() < 1e-3
