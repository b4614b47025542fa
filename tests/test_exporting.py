"""Exports give the vectors of the RUN: by onnxruntime, and by transformers without lift."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lift
from backbones_by_hand import save_backbone
from lift.artefact import sha256_file
from lift.data import Dataset
from lift.errors import LiftError
from lift.exporting import ExportConfig, export
from lift.exporting.card import licence_of
from lift.exporting.stage import compare_vectors
from lift.exporting.to_transformers import modeling_code, processor_settings, run_transformers
from lift.image import IMAGE_ENCODERS, ImageEncoder
from lift.training import TrainConfig, train


@pytest.fixture(scope="module")
def backbone_run(tiny_dataset: Path, tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ridge run on a tiny SigLIP."""
    place = tmp_path_factory.mktemp("exporting")
    save_backbone(place / "siglip", "siglip")
    config = TrainConfig(
        images=tiny_dataset,
        texts=tiny_store,
        out=place / "run",
        image_encoder=str(place / "siglip"),
        tune="ridge",
        validations=0,
    )
    train(config)
    shutil.rmtree(place / "siglip")  # an export needs the RUN alone
    return config.out


def test_onnx_gives_the_vectors_of_the_run(tiny_run: Path, tmp_path: Path) -> None:
    import onnxruntime

    export(ExportConfig(run=tiny_run, out=tmp_path / "onnx"))
    session = onnxruntime.InferenceSession(str(tmp_path / "onnx" / "model.onnx"))
    photos = np.random.default_rng(1).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    expected = lift.load(tiny_run).encode_image(photos)
    for count in (1, 7):  # dynamic batch
        found = session.run(None, {"pixels": photos[:count]})[0]
        assert found.shape == (count, 384) and np.abs(found - expected[:count]).max() < 1e-5
    manifest = json.loads((tmp_path / "onnx" / "export.json").read_text())
    assert manifest["verified"]["cosine_min"] >= 0.9999 and manifest["verified"]["photos"] == "photos of tiny"
    for name, known in manifest["sha256"].items():
        assert sha256_file(tmp_path / "onnx" / name) == known


def test_onnx_of_a_backbone_from_floats(backbone_run: Path, tmp_path: Path) -> None:
    import onnxruntime

    export(ExportConfig(run=backbone_run, out=tmp_path / "onnx", pixels="float"))
    session = onnxruntime.InferenceSession(str(tmp_path / "onnx" / "model.onnx"))
    assert session.get_inputs()[0].type == "tensor(float)" and session.get_inputs()[0].shape[1:] == [
        3,
        32,
        32,
    ]
    assert (
        json.loads((tmp_path / "onnx" / "export.json").read_text())["verified"]["largest_difference"] < 1e-5
    )


@pytest.mark.parametrize("kind", ["own", "backbone"])
def test_auto_model_gives_the_vectors_of_the_run(
    kind: str, tiny_run: Path, backbone_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # as in a user's shell
    run = tiny_run if kind == "own" else backbone_run
    out = export(ExportConfig(run=run, out=tmp_path / "export", to="transformers"))
    assert not (out / "__pycache__").exists()  # nor did it stand in the way
    code = (out / "modeling_lift.py").read_text()
    assert not re.search(r"^\s*(import|from) (lift|jaxtyping)", code, flags=re.M)
    loaded = transformers.AutoModel.from_pretrained(out, trust_remote_code=True).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(out)
    model = lift.load(run)
    pixels = np.array(Dataset(tiny_run.parent / "dataset").pixels[:5])
    inputs = processor([Image.fromarray(photo) for photo in pixels], return_tensors="pt")
    with torch.inference_mode():
        found = loaded(**inputs).image_embeds.numpy()
        assert np.array_equal(loaded.get_image_features(inputs["pixel_values"]).numpy(), found)
    assert np.abs(found - model.encode_image(pixels)).max() < 1e-5
    large = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8))
    large = large.resize((240, 180), Image.Resampling.BICUBIC)
    with torch.inference_mode():
        found = loaded(**processor(large, return_tensors="pt")).image_embeds.numpy()
    assert (found * model.encode_image([large])).sum() > 0.999  # resized by both, each in its own way


@pytest.mark.parametrize("name", ["dinov2_with_registers", "dinov3_vit", "convnextv2", "clip"])
def test_exported_code_runs_every_kind_of_backbone(name: str, tmp_path: Path) -> None:
    from lift.exporting.to_transformers import write_transformers
    from lift.fingerprint import Fingerprint
    from lift.image import build_encoder
    from lift.model import Model

    save_backbone(tmp_path / "backbone", name)
    encoder = build_encoder(str(tmp_path / "backbone"), image_size=64, dim=8, head="mlp-norm")
    known = Fingerprint("x", "x", "w", "t", "", "mean", 8, True, 8, "float32")
    model = Model(
        encoder,
        name="x",
        method="lift",
        weights="0",
        fingerprint=known,
        resize_mode="squash",
        logit_scale=1.0,
    )
    (tmp_path / "export").mkdir()
    write_transformers(model, tmp_path / "export")
    photos = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    found = run_transformers(tmp_path / "export", photos)
    assert np.abs(found - model.encode_pixels(photos)).max() < 1e-5


def test_exported_code_is_the_code_of_lift() -> None:
    code = modeling_code()
    compile(code, "modeling_lift.py", "exec")
    for name in ("class Attention", "class Block", "def conv_stem", "class Backbone", "class ImageEncoder"):
        assert code.count(f"{name}(") == 1


def test_processor_settings_follow_the_resize_mode() -> None:
    encoder = ImageEncoder(IMAGE_ENCODERS["vit-nano"], image_size=32, dim=8)
    squash, shortest, longest = (processor_settings(encoder, m) for m in ("squash", "shortest", "longest"))
    assert squash["size"] == {"height": 32, "width": 32} and squash["do_resize"]
    assert shortest["size"] == {"shortest_edge": 32} and shortest["do_center_crop"]
    assert not longest["do_resize"] and squash["image_mean"] == pytest.approx([0.4815, 0.4578, 0.4082])


def test_card_tells_what_was_measured(tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run, ignore=shutil.ignore_patterns("results"))
    config = ExportConfig(run=run, out=tmp_path / "export", to="transformers")
    export(config)
    assert "Not measured: run `lift evaluate`" in (tmp_path / "export" / "README.md").read_text()
    (run / "results").mkdir()
    metric = {"text_to_image/recall@10": {"value": 41.25, "low": 33.0, "high": 49.54, "n": 24}}
    result = {
        "format": 1,
        "task": "retrieval",
        "dataset": {"name": "tiny", "split": "val"},
        "metrics": metric,
    }
    (run / "results" / "retrieval--tiny-val.json").write_text(json.dumps(result))
    with pytest.raises(LiftError, match=r"other settings \(results\)"):
        export(config)
    export(replace(config, overwrite=True))
    card = (tmp_path / "export" / "README.md").read_text()
    assert "| retrieval | tiny val | text_to_image/recall@10 | 41.2 | 33.0 to 49.5 | 24 |" in card
    manifest = json.loads((run / "run.json").read_text())
    for told in (manifest["dataset"]["id"], manifest["fingerprint"]["digest"], manifest["checkpoint"]["id"]):
        assert told in card
    assert "Its licence: Apache-2.0." in card and "fingerprint" in card


def test_card_tells_the_licence_of_the_text_encoder() -> None:
    assert "Apache-2.0" in licence_of({"source": "minilm", "options": {}})
    assert "Its licence: mit (model card)." in licence_of(
        {"source": "a/b", "options": {"licence": "mit (model card)"}}
    )
    for options in ({}, {"licence": "unknown (there is no model card and no LICENSE file)"}):
        assert "look it up" in licence_of({"source": "a/b", "options": options})


def test_card_of_the_baseline_and_of_a_backbone(
    tiny_clip_run: Path, backbone_run: Path, tmp_path: Path
) -> None:
    clip, ridge = (
        (export(ExportConfig(run=run, out=tmp_path / name, to="transformers")) / "README.md").read_text()
        for run, name in ((tiny_clip_run, "clip"), (backbone_run, "ridge"))
    )
    assert "text tower that was trained along" in clip
    assert "pre-trained siglip_vision_model (`siglip`" in ridge and "trained: ridge" in ridge
    assert str(tmp_path.parent) not in clip + ridge  # no paths of this machine


def test_another_model_is_refused() -> None:
    one = np.eye(4, dtype=np.float32)
    assert compare_vectors(one, one)["cosine_min"] == 1.0
    for wrong in (np.roll(one, 1, 0), 1.1 * one, np.full_like(one, np.nan)):
        with pytest.raises(LiftError, match="other vectors than the RUN"):
            compare_vectors(one, wrong)


def test_mistakes_are_named(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(LiftError, match="is not a RUN"):
        export(ExportConfig(run=tmp_path, out=tmp_path / "out"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").write_bytes(b"dear")
    with pytest.raises(LiftError, match="is not an EXPORT"):
        export(ExportConfig(run=tiny_run, out=tmp_path / "mine"))
    assert (tmp_path / "mine" / "photo.jpg").read_bytes() == b"dear"
