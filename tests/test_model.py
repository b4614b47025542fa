"""Model: one face for LIFT and CLIP runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lift
from lift.data import Dataset
from lift.store import EmbeddingStore


def test_vectors_are_unit_and_do_not_depend_on_the_batch(tiny_run: Path, tiny_dataset: Path) -> None:
    model, pixels = lift.load(tiny_run), Dataset(tiny_dataset).pixels
    together = model.encode_image(pixels[:8])
    assert together.shape == (8, 384) and together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([model.encode_image(pixels[i : i + 1]) for i in range(8)])
    assert np.allclose(together, alone, atol=1e-5)


def test_paths_pictures_and_arrays_give_the_same_vector(
    tiny_run: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    model, pixels = lift.load(tiny_run), Dataset(tiny_dataset).pixels[3]
    Image.fromarray(pixels).save(tmp_path / "写真.png")
    by_array = model.encode_image(pixels[None])
    assert np.array_equal(by_array, model.encode_image([tmp_path / "写真.png"]))
    assert np.array_equal(by_array, model.encode_image([Image.fromarray(pixels)]))
    large = np.asarray(Image.fromarray(pixels).resize((96, 96), Image.Resampling.NEAREST))
    assert float((by_array @ model.encode_image(large[None]).T).item()) > 0.99


def test_clip_encodes_text_with_its_own_tower(tiny_clip_run: Path) -> None:
    model = lift.load(tiny_clip_run)
    vectors = model.encode_text(["a red circle", "a blue square", "a red circle"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(vectors[0], vectors[2])
    assert model.method == "clip" and model.fingerprint.source == "checkpoint"


def test_vectors_of_the_store_are_used_and_a_foreign_store_is_refused(
    tiny_run: Path, tiny_clip_run: Path, tiny_store: Path
) -> None:
    store, model = EmbeddingStore(tiny_store), lift.load(tiny_run)
    known = list(store.texts())[:3]
    fresh = model.encode_text(known)
    assert np.abs(fresh - model.encode_text(known, store=store)).max() < 1e-3  # float16 rounding
    with pytest.raises(lift.LiftError, match="was made by minilm"):
        lift.load(tiny_clip_run).encode_text(known, store=store)


def test_a_flipped_bit_and_a_changed_encoder_are_found(tiny_run: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "run"
    shutil.copytree(tiny_run, damaged)
    weights = damaged / "checkpoint" / "image.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    with pytest.raises(lift.LiftError, match="has changed since it was written"):
        lift.load(damaged)

    settings = tmp_path / "settings"
    shutil.copytree(tiny_run, settings)
    file = settings / "checkpoint" / "checkpoint.json"
    file.write_text(file.read_text().replace('"resize_mode": "squash"', '"resize_mode": "longest"'))
    with pytest.raises(lift.LiftError, match=r"not the one that run\.json tells of"):
        lift.load(settings)

    other = tmp_path / "other"
    shutil.copytree(tiny_run, other)
    manifest = json.loads((other / "run.json").read_text())
    manifest["fingerprint"]["weights"] = "0" * 16
    (other / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(lift.LiftError, match="were made by the text encoder minilm"):
        lift.load(other).encode_text(["a red circle"])


def test_no_run_is_told_plainly(tiny_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(lift.LiftError, match="it is a DATASET"):
        lift.load(tiny_dataset)
    with pytest.raises(lift.LiftError, match="there is no such folder"):
        lift.load(tmp_path / "nothing")


def test_transparent_and_turned_pictures_are_seen_as_their_files(tiny_run: Path, tmp_path: Path) -> None:
    model = lift.load(tiny_run)
    clear = Image.new("RGBA", (40, 20), (255, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (0, 0, 10, 20))
    clear.save(tmp_path / "clear.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    clear.convert("RGB").save(tmp_path / "turned.png", exif=turned)
    for name in ("clear.png", "turned.png"):
        with Image.open(tmp_path / name) as picture:
            assert np.array_equal(model.pixels([picture]), model.pixels([tmp_path / name])), name
