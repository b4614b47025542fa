"""Sentences in place of long captions, and batches by length: shares, permutations, exact resume."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lift.artefact import sha256_file
from lift.data import Dataset, Row
from lift.data.dataset import distinct_texts
from lift.data.sampling import TextTable, batch_order, epoch_order
from lift.embedding import EmbedConfig, embed
from lift.errors import LiftError
from lift.losses import false_negative_mask
from lift.sentences import runs_of_rows, texts_of_runs
from lift.training import TrainConfig, loop, train
from lift.training.arms import ClipArm
from lift.training.captions import Epochs
from lift.training.request import request_of
from lift.training.resolving import resolve

OPTIONS: dict[str, Any] = {"sentence_share": 0.6, "sentences": 2, "batches": "balanced"}


@pytest.fixture(scope="module")
def cut_store(tiny_dataset: Path, tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny STORE with the sentences of the long captions appended."""
    out = tmp_path_factory.mktemp("cut") / "store"
    shutil.copytree(tiny_store, out)
    embed(EmbedConfig(tiny_dataset, out, sentences=2))
    return out


def tiny_config(dataset: Path, store: Path, out: Path, **options: Any) -> TrainConfig:
    return TrainConfig(
        images=dataset, texts=store, out=out, preset="smoke", batch_size=12, validations=0, **options
    )


def epochs_of(rows: list[Row], negatives: Any = None, **options: Any) -> tuple[Epochs, list[str]]:
    """The epochs of these rows, and the texts by number."""
    runs = runs_of_rows(rows, options.get("sentences", 1))
    texts = list(dict.fromkeys([*distinct_texts(rows), *texts_of_runs(runs)]))
    config = TrainConfig(images=Path(), texts=Path(), out=Path("run"), batch_size=2, **options)
    table = TextTable(rows, {text: n for n, text in enumerate(texts)})
    return Epochs(config, table, negatives, runs), texts


ROWS = [
    Row("a", ["one short text"], "train", ["It is red here. It is big here. It is old here."]),
    Row("b", [], "train", ["It is red here. It has two legs."]),
    Row("c", ["It is red here."], "train", []),
    Row("d", [], "train", ["A single long sentence that says it all."]),
]


def test_sentences_come_at_their_share_and_all_of_them() -> None:
    epochs, texts = epochs_of(ROWS, sentence_share=0.25)
    plain, _ = epochs_of(ROWS)
    seen: list[list[str]] = [[] for _ in ROWS]
    for epoch in range(800):
        _, numbers, own = epochs.make(epoch)
        assert own is None and (numbers == epochs.make(epoch)[1]).all()
        before = plain.make(epoch)[1]
        for row, (number, whole) in enumerate(zip(numbers, before, strict=True)):
            seen[row].append(texts[number])
            assert texts[number] in texts[whole]  # the text of this epoch, or a part of it
    whole_a, whole_b = ROWS[0].long_captions[0], ROWS[1].long_captions[0]
    # Row a is long in 400 of 800 epochs, row b in all: a quarter of them is 100 and 200, sd 8.7 and 12.2.
    cut_a = [t for t in seen[0] if t not in (whole_a, "one short text")]
    cut_b = [t for t in seen[1] if t != whole_b]
    assert 70 < len(cut_a) < 130 and 160 < len(cut_b) < 240
    counts = {text: cut_a.count(text) for text in set(cut_a)}
    assert counts.keys() == {"It is red here.", "It is big here.", "It is old here."}
    assert min(counts.values()) > 15
    assert set(seen[2]) == {"It is red here."} and set(seen[3]) == set(ROWS[3].long_captions)


def test_runs_of_two_are_drawn_too_and_all_at_share_one() -> None:
    epochs, texts = epochs_of(ROWS, sentence_share=1.0, sentences=2)
    seen = {texts[epochs.make(epoch)[1][0]] for epoch in range(200)}
    one, two, three = "It is red here.", "It is big here.", "It is old here."
    assert seen == {"one short text", one, two, three, f"{one} {two}", f"{two} {three}"}


def test_the_same_sentence_of_two_photos_is_no_negative() -> None:
    epochs, texts = epochs_of(ROWS[:3], sentence_share=1.0)
    red = texts.index("It is red here.")
    met = [n for n in (epochs.make(e)[1] for e in range(60)) if (n == red).all()]
    assert met  # all three photos have it in one epoch
    assert false_negative_mask(torch.from_numpy(met[0])).sum() == 6


def test_a_sentence_has_no_negatives() -> None:
    class Table:
        def of_epoch(self, seed: int, epoch: int, places: np.ndarray) -> np.ndarray:
            return np.full((len(places), 2), 7)

    epochs, texts = epochs_of(ROWS, Table(), sentence_share=0.5)
    for epoch in range(20):
        _, numbers, own = epochs.make(epoch)
        assert own is not None
        cut = [texts[n] not in row.texts for n, row in zip(numbers, ROWS, strict=True)]
        assert (own[cut] == -1).all() and (own[np.logical_not(cut)] == 7).all()


@pytest.mark.parametrize("kind", ["random", "balanced", "by-length"])
def test_batches_are_a_permutation_by_seed_and_epoch(kind: str) -> None:
    lengths = np.random.default_rng(3).integers(10, 500, 107)
    order = batch_order(0, 4, lengths, 10, kind)
    assert sorted(order) == list(range(107)) and (order == batch_order(0, 4, lengths, 10, kind)).all()
    for other in (batch_order(0, 5, lengths, 10, kind), batch_order(1, 4, lengths, 10, kind)):
        assert (order != other).any()
    assert (order[100:] == epoch_order(0, 4, 107)[100:]).all()  # what fills no batch is drawn by lot
    sums = lengths[order[:100]].reshape(10, 10).sum(1)
    plain = lengths[epoch_order(0, 4, 107)[:100]].reshape(10, 10).sum(1)
    if kind == "random":
        assert (sums == plain).all()
    else:
        assert sums.std() < plain.std() / 3 if kind == "balanced" else sums.std() > 3 * plain.std()


def test_balanced_batches_hold_one_of_each_stratum_by_hand() -> None:
    lengths = np.array([5, 1, 4, 2, 3, 6])
    drawn = [batch_order(0, epoch, lengths, 3, "balanced").reshape(2, 3) for epoch in range(40)]
    for batch in (b for batches in drawn for b in batches):
        low, middle, high = sorted(lengths[batch])  # strata: 1 2, 3 4, 5 6
        assert low <= 2 < middle <= 4 < high
    assert len({tuple(sorted(lengths[b[0]])) for b in drawn}) == 8  # all mixtures occur
    like = [batch_order(0, epoch, lengths, 3, "by-length").reshape(2, 3) for epoch in range(20)]
    assert {tuple(sorted(lengths[b[0]])) for b in like} == {(1, 2, 3), (4, 5, 6)}  # in random order
    assert len({tuple(lengths[b[0]]) for b in like}) > 4  # no place within the batch is for the short ones
    many = batch_order(0, 0, lengths, 9, "balanced")  # no batch at all
    assert (many == epoch_order(0, 0, 6)).all()


def test_clip_reads_the_sentences_too(tiny_dataset: Path) -> None:
    rows = Dataset(tiny_dataset).rows[:8]
    runs = texts_of_runs(runs_of_rows(rows, 1))
    config = resolve(TrainConfig(images=Path(), texts=Path(), out=Path("run"), preset="smoke", method="clip"))
    arm = ClipArm(rows, config, dim=8, depth=1, more=runs)
    numbers = np.array([arm.number_of[run] for run in runs])
    assert arm.text_features(numbers).shape == (len(runs), 8)
    assert arm.computed(numbers)[-1][1] < arm.lengths.max()


@pytest.mark.parametrize("method", ["lift", "clip"])
def test_a_stopped_run_with_these_options_ends_in_the_same_bytes(
    tiny_dataset: Path, cut_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    options = OPTIONS | {"method": method, "epochs": 4, "checkpoint_steps": 5}
    straight = tiny_config(tiny_dataset, cut_store, tmp_path / "straight", **options)
    train(straight)
    stopped = replace(straight, out=tmp_path / "stopped")
    save = loop.save_state

    def stop(*arguments: Any) -> None:
        save(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_state", stop)
    with pytest.raises(KeyboardInterrupt):
        train(stopped)
    monkeypatch.setattr(loop, "save_state", save)
    train(stopped)
    for file in sorted((tmp_path / "straight" / "checkpoint").iterdir()):
        assert sha256_file(file) == sha256_file(tmp_path / "stopped" / "checkpoint" / file.name), file.name
    assert json.loads((tmp_path / "stopped" / "run.json").read_text())["config"]["sentence_share"] == 0.6


def test_sentences_and_hard_negatives_go_together(
    tiny_dataset: Path, cut_store: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(cut_store, store)
    embed(EmbedConfig(tiny_dataset, store, sentences=1, hard_negatives=True, hard_kinds=("attribute",)))
    options = {"sentence_share": 0.5, "hard_negatives": 1, "hard_kinds": ("attribute",), "long_share": 0.5}
    config = tiny_config(tiny_dataset, store, tmp_path / "run", batches="by-length", **options)
    train(config)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["negatives"]["hard"]["captions"] > 0


def test_what_lacks_is_named_with_the_command(
    tiny_dataset: Path, tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(tiny_dataset, tiny_store, tmp_path / "run", sentence_share=0.5, sentences=3)
    wanted = rf"lift embed {tiny_dataset} --out {tiny_store} --sentences 3`"
    with pytest.raises(LiftError, match=rf"sentences have no vector in(.|\n)*{wanted}"):
        train(config)
    with pytest.raises(LiftError, match="--sentences is -1"):
        embed(EmbedConfig(tiny_dataset, tmp_path / "store", sentences=-1))
    for changes, said in (
        ({"sentence_share": 1.5}, "--sentence-share is 1.5"),
        ({"sentence_share": 0.0}, "--sentences says nothing without --sentence-share"),
        ({"sentences": 0}, "--sentences is 0"),
        ({"tune": "ridge"}, "--sentence-share does nothing with --tune ridge"),
    ):
        with pytest.raises(LiftError, match=said):
            resolve(replace(config, **changes))
    assert not (tmp_path / "run").exists()


def test_usual_values_are_no_part_of_the_request(tmp_path: Path) -> None:
    config = resolve(TrainConfig(images=Path(), texts=Path(), out=tmp_path, preset="smoke"))
    plain = request_of(config, "d", "f", "v")
    assert not {*OPTIONS, "sentence_runs"} & {*plain}
    asked = request_of(resolve(replace(config, **OPTIONS)), "d", "f", "v", (), ["It is red."])
    assert {*asked} - {*plain} == {*OPTIONS, "sentence_runs"}
    assert request_of(resolve(replace(config, **OPTIONS)), "d", "f", "v", (), ["It is old."]) != asked
