"""condition and distill-query: a space that goes with its RUN, a light encoder that stands in for a heavy one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import lift
from conftest import train_tiny
from lift.adaptation import ConditionConfig, DistillConfig, condition, distill_query
from lift.adaptation.keeping import kept_neighbours, summary
from lift.artefact import new_folder
from lift.conditioning import fit_conditioning
from lift.data import Dataset, DatasetWriter, Row
from lift.data.dataset import distinct_texts
from lift.embedding import EmbedConfig, embed
from lift.errors import LiftError
from lift.exporting import ExportConfig, export
from lift.fingerprint import PROBES, pack_probes
from lift.indexing import IndexConfig, SearchConfig, index, search
from lift.place import Place
from lift.query_encoder import QueryEncoder
from lift.store import EmbeddingStore, sweep
from lift.text import ConditionedEncoder, EncoderOptions, MiniLM, load_text_encoder
from stores_by_hand import make_store

WORDS = (
    ("red", "blue", "green", "old", "small"),
    ("dog", "cat", "car", "boat", "child"),
    ("park", "street", "house", "sea"),
)


@pytest.fixture(scope="module")
def conditioned(tiny_dataset: Path, tiny_store: Path) -> Path:
    """The tiny STORE, centred on the training texts and cut to 16 directions."""
    out = tiny_dataset.parent / "conditioned"
    condition(ConditionConfig(store=str(tiny_store), out=str(out), images=tiny_dataset, dim=16))
    return out


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A STORE of 200 sentences by the default encoder."""
    folder = tmp_path_factory.mktemp("sentences")
    with new_folder(folder / "dataset") as made:
        writer = DatasetWriter(made, name="sentences", image_size=8, resize_mode="squash")
        number = 0
        for colour in WORDS[0]:
            for thing in WORDS[1]:
                for place in WORDS[2]:
                    texts = [
                        f"a {colour} {thing} near the {place}",
                        f"the {place} with one {colour} {thing} in it",
                    ]
                    writer.add(np.zeros((8, 8, 3), np.uint8), Row(str(number), texts, "train"))
                    number += 1
        writer.close(request={}, report={}, source="")
    embed(EmbedConfig(dataset=folder / "dataset", out=folder / "store"))
    return folder / "store"


@pytest.fixture(scope="module")
def conditioned_run(tiny_dataset: Path, conditioned: Path) -> Path:
    """A LIFT run on the conditioned STORE."""
    return train_tiny(tiny_dataset, conditioned, tiny_dataset.parent / "conditioned-run", "lift")


def test_conditioned_vectors_are_those_worked_out_from_the_plain_store(
    tiny_dataset: Path, tiny_store: Path, conditioned: Path
) -> None:
    plain, store, dataset = EmbeddingStore(tiny_store), EmbeddingStore(conditioned), Dataset(tiny_dataset)
    known = distinct_texts([dataset.rows[n] for n in dataset.split("train")])
    expected = fit_conditioning(plain.take(np.sort(plain.rows(known))), dim=16)
    texts = list(plain.texts())
    assert store.dim == 16 and len(store) == len(plain)
    assert np.abs(store.vectors(texts) - expected.apply(plain.vectors(texts))).max() < 1e-3
    assert store.fingerprint.post_processing == expected.name
    assert store.fingerprint.digest != plain.fingerprint.digest
    assert store.manifest["flops"] == plain.manifest["flops"]
    store.check()


def test_a_run_takes_its_conditioning_along_to_the_queries(
    tiny_dataset: Path, conditioned: Path, conditioned_run: Path, tmp_path: Path
) -> None:
    run = conditioned_run
    store = EmbeddingStore(conditioned)
    text = next(store.texts())
    conditioned_file = next(conditioned.glob("conditioning-*"))
    model = lift.load(run)
    assert model.dim == 16
    assert np.abs(model.encode_text([text]) - store.vectors([text])).max() < 1e-3
    out = tmp_path / "index"
    index(IndexConfig(run=run, photos=tiny_dataset, out=out))
    assert search(SearchConfig(index=out, sentences=("a red circle",), top=2))[0]
    content = bytearray(conditioned_file.read_bytes())
    content[-1] ^= 1
    conditioned_file.write_bytes(content)
    with pytest.raises(LiftError, match="have changed"):
        EmbeddingStore(conditioned).check()
    content[-1] ^= 1
    conditioned_file.write_bytes(content)


def test_texts_appended_to_a_conditioned_store_are_conditioned_too(
    sentences: Path, conditioned: Path, tmp_path: Path
) -> None:
    store = embed(EmbedConfig(dataset=sentences.parent / "dataset", out=conditioned))
    text = "a red dog near the park"
    alone = store.conditioning.apply(MiniLM().encode([text]))  # type: ignore[union-attr]
    assert np.abs(store.vectors([text]) - alone).max() < 1e-3
    with pytest.raises(LiftError, match="conditioned already"):
        condition(ConditionConfig(store=str(conditioned), out=str(tmp_path / "again")))


def test_gc_takes_the_conditioning_of_a_replaced_store(
    tiny_dataset: Path, tiny_store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "store"
    for options in ({}, {"dim": 8, "overwrite": True}):
        condition(ConditionConfig(store=str(tiny_store), out=str(out), images=tiny_dataset, **options))
    assert len(list(out.glob("conditioning-*"))) == 2
    sweep(Place(out), least_age=0)
    assert len(list(out.glob("conditioning-*"))) == 1
    EmbeddingStore(out).check()


def test_a_student_that_is_the_teacher_keeps_everything(sentences: Path, tmp_path: Path) -> None:
    made = distill_query(DistillConfig(store=str(sentences), out=tmp_path / "query", gate=0.99))
    kept = made.manifest["kept"]["stored texts"]
    assert kept["recall1"] > 0.9 and kept["recall10"] == 1.0 and kept["n"] == 20
    text = "a green boat near the sea"
    assert float((made.encode([text]) * MiniLM().encode([text])).sum()) > 0.98
    assert made.fingerprint.digest != EmbeddingStore(sentences).fingerprint.digest


def test_a_tuned_small_student_stands_in_at_query_time(
    sentences: Path, tiny_run: Path, tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "query"
    config = DistillConfig(store=str(sentences), out=out, layers=1, epochs=2, gate=0.0)
    made = distill_query(config)
    kept = made.manifest["kept"]["stored texts"]
    assert 0.3 < kept["recall10"] <= 1 and (out / "student" / "model.safetensors").is_file()
    assert made.flops_per_token < MiniLM().flops_per_token / 3
    distill_query(config)
    assert "already done" in capsys.readouterr().out
    model = lift.load(tiny_run, query_encoder=out)
    assert np.allclose(model.encode_text(["a red dog"]), made.encode(["a red dog"]), atol=1e-6)
    (out / "map.safetensors").write_bytes(b"cut")
    with pytest.raises(LiftError, match="has changed"):
        QueryEncoder(out)


def test_a_student_below_the_gate_is_not_written(sentences: Path, tmp_path: Path) -> None:
    with pytest.raises(LiftError, match=r"keeps .* the gate is 100\.0%"):
        distill_query(
            DistillConfig(store=str(sentences), out=tmp_path / "query", layers=1, epochs=1, gate=1.0)
        )
    assert not (tmp_path / "query").exists()


def test_a_query_encoder_of_another_space_is_refused(
    sentences: Path, conditioned_run: Path, tmp_path: Path
) -> None:
    distill_query(DistillConfig(store=str(sentences), out=tmp_path / "query", gate=0.0))
    with pytest.raises(LiftError, match="stands in for minilm"):
        lift.load(conditioned_run, query_encoder=tmp_path / "query")


def test_an_endpoint_whose_model_changed_is_no_longer_served(sentences: Path, tmp_path: Path) -> None:
    made = distill_query(DistillConfig(store=str(sentences), out=tmp_path / "query", gate=0.0))
    here = np.eye(2, 64, dtype=np.float32)
    made.serves = replace(made.serves, options={PROBES: pack_probes(here)})
    made.check_serves(made.serves)
    with pytest.raises(LiftError, match="stands in for"):
        made.check_serves(replace(made.serves, options={PROBES: pack_probes(here[::-1])}))


def test_a_students_vectors_are_not_mixed_with_stored_ones(
    sentences: Path, tiny_run: Path, tiny_store: Path, tmp_path: Path
) -> None:
    distill_query(DistillConfig(store=str(sentences), out=tmp_path / "query", gate=0.0))
    model = lift.load(tiny_run, query_encoder=tmp_path / "query")
    with pytest.raises(LiftError, match="are not those of the query encoder"):
        model.encode_text(["a red circle", "a new sentence"], store=EmbeddingStore(tiny_store))
    assert model.encode_text(["a red circle"]).shape == (1, 384)


def test_what_is_asked_for_the_photos_was_not_learnt(
    tiny_dataset: Path, tiny_run: Path, tmp_path: Path
) -> None:
    """A captions of a validation photo that the student knows would be found better than a new one."""
    dataset, more = Dataset(tiny_dataset), tmp_path / "more"
    with new_folder(more) as folder:
        writer = DatasetWriter(folder, name="more", image_size=8, resize_mode="squash")
        texts = [f"a {a} {b} near the {c}" for a in WORDS[0] for b in WORDS[1] for c in WORDS[2]]
        writer.add(np.zeros((8, 8, 3), np.uint8), Row("0", texts, "train"))
        writer.close(request={}, report={}, source="")
    for data in (tiny_dataset, more):
        store = embed(EmbedConfig(dataset=data, out=tmp_path / "store"))
    made = distill_query(
        DistillConfig(
            store=str(tmp_path / "store"),
            out=tmp_path / "query",
            run=tiny_run,
            dataset=tiny_dataset,
            gate=0.0,
        )
    )
    asked = set(distinct_texts([dataset.rows[n] for n in dataset.split("val")]))
    learnt = [text for number, text in enumerate(store.texts()) if number % 10 and text not in asked]
    assert made.manifest["learnt_from"] == len(learnt) < 0.9 * len(store)
    assert made.manifest["kept"]["photos"]["n"] == 24
    with pytest.raises(LiftError, match="too few to learn from"):
        distill_query(
            DistillConfig(
                store=str(tiny_dataset.parent / "store"),
                out=tmp_path / "q",
                run=tiny_run,
                dataset=tiny_dataset,
            )
        )


def test_a_finished_student_is_held_to_a_higher_gate(sentences: Path, tmp_path: Path) -> None:
    config = DistillConfig(store=str(sentences), out=tmp_path / "query", layers=1, epochs=1, gate=0.0)
    assert distill_query(config).manifest["kept"]["stored texts"]["recall10"] < 1
    with pytest.raises(LiftError, match=r"the gate is 100\.0%"):
        distill_query(replace(config, gate=1.0))


def test_a_store_made_in_no_time_can_be_learnt_from(tmp_path: Path) -> None:
    make_store(tmp_path / "store", [f"text {number}" for number in range(120)])
    [commit] = (tmp_path / "store" / "commits").iterdir()
    commit.write_text(json.dumps({**json.loads(commit.read_text()), "seconds": 0.0}))
    made = distill_query(DistillConfig(store=str(tmp_path / "store"), out=tmp_path / "query", gate=0.0))
    assert made.dim == 8


def test_an_encoder_of_another_length_is_not_conditioned(conditioned: Path) -> None:
    conditioning = EmbeddingStore(conditioned).conditioning
    assert conditioning is not None and conditioning.input_dim == 384
    short = load_text_encoder("minilm", options=EncoderOptions(dim=64))
    with pytest.raises(LiftError, match=r"vectors of 384 numbers, those of minilm .* have 64"):
        ConditionedEncoder(short, conditioning)


def test_an_export_takes_the_conditioning_along(conditioned_run: Path, tmp_path: Path) -> None:
    out = export(ExportConfig(run=conditioned_run, out=tmp_path / "export", to="transformers"))
    model, numbers = lift.load(conditioned_run), load_file(out / "conditioning.safetensors")
    moved = (MiniLM().encode(["a red dog"]) - numbers["mean"]) @ numbers["projection"]
    expected = model.encode_text(["a red dog"])
    assert np.abs(moved / np.linalg.norm(moved) - expected).max() < 1e-5
    card = (out / "README.md").read_text()
    assert "subtract `mean`" in card and model.fingerprint.post_processing in card


def test_options_that_contradict_each_other_are_refused(sentences: Path, tmp_path: Path) -> None:
    for options, problem in (
        ({"layers": 1}, "must be tuned"),
        ({"run": tmp_path}, "go together"),
        ({"gate": 2.0}, "--gate"),
    ):
        with pytest.raises(LiftError, match=problem):
            distill_query(DistillConfig(store=str(sentences), out=tmp_path / "q", **options))  # type: ignore[arg-type]


def test_kept_recall_by_hand() -> None:
    angles = np.array([0.0, 0.1, 0.5, 1.0, 2.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    # Queries are rows 0 and 3; their nearest are rows 1 and 2. The student turns row 3 towards row 4.
    own = np.stack([np.cos([0.02, 1.9]), np.sin([0.02, 1.9])], 1).astype(np.float32)
    kept = kept_neighbours(vectors, np.array([0, 3]), own, seed=0)
    assert kept.recall1 == 0.5 and kept.recall10 == 1.0 and kept.n == 2
    ratio = summary(
        (np.array([100.0, 0.0]), np.array([100.0, 50.0])),
        (np.array([100.0, 100.0]), np.array([100.0, 100.0])),
        np.arange(2),
        0,
        "by hand",
    )
    none = np.array([0.0, 0.0])
    assert summary((none, none + 1), (none, none + 1), np.arange(2), 0, "by hand").recall1 is None
    assert ratio.recall1 == 0.5 and ratio.recall10 == 0.75 and ratio.low == 0.5 and ratio.high == 1.0
