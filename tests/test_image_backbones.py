"""Pre-trained backbones: equal to transformers itself, normalised as their processors do, tuned as asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backbones_by_hand import MEAN, MODELS, STD, save_backbone
from lift.errors import LiftError
from lift.image import (
    IMAGE_ENCODERS,
    ImageEncoder,
    ViTShape,
    apply_tuning,
    build_encoder,
    check_tune,
    encoder_shape,
    merge_lora,
)
from lift.training import TrainConfig
from lift.training.cost import body_flops, step_flops
from lift.training.optimisation import make_optimiser

INTERPOLATING = ("vit", "clip_vision_model", "siglip_vision_model", "clip", "siglip")  # by an argument
CONVOLUTIONAL = ("convnext", "convnextv2")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any]]:
    """Folder and model of each family."""
    place = tmp_path_factory.mktemp("backbones")
    return {name: (place / name, save_backbone(place / name, name)) for name in MODELS}


def outputs(model: Any, name: str, pixels: torch.Tensor) -> Any:
    """What transformers itself computes, at an image size the model was not trained at."""
    extra = {"interpolate_pos_encoding": True} if name in INTERPOLATING else {}
    return getattr(model, "vision_model", model)(pixel_values=pixels, **extra)


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_pooled_vectors_are_those_of_transformers(name: str, folders: dict[str, tuple[Path, Any]]) -> None:
    folder, model = folders[name]
    images = torch.rand(2, 3, 64, 64)  # the table of positions is for 32 px
    pixels = (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    expected = outputs(model, name, pixels)
    for pooling in ("mean", "cls", "pooler"):
        if pooling == "cls" and name in (*CONVOLUTIONAL, "siglip", "siglip_vision_model"):
            with pytest.raises(LiftError, match="give --image-pooling mean, pooler"):
                encoder_shape(str(folder), pooling)
            continue
        encoder = build_encoder(str(folder), image_size=64, dim=16, pooling=pooling).eval()
        tokens = expected.last_hidden_state
        if name.startswith("clip"):
            tokens = getattr(model, "vision_model", model).post_layernorm(tokens)
        if pooling == "pooler" or name in CONVOLUTIONAL:
            known = expected.pooler_output
        elif pooling == "cls":
            known = tokens[:, 0]
        else:
            patches = 4 if name == "dinov3_convnext" else 64
            known = tokens[:, -patches:].mean(1)
            assert encoder.patch_features(images).shape == (2, patches, 32)
        assert torch.allclose(encoder.pooled(images), known, atol=1e-5)


@pytest.mark.parametrize("name", ["vit", "dinov3_vit", "convnext", "siglip"])
@torch.no_grad()
def test_settings_rebuild_a_backbone_without_its_folder(
    name: str, folders: dict[str, tuple[Path, Any]], tmp_path: Path
) -> None:
    shutil.copytree(folders[name][0], tmp_path / "moved")
    encoder = build_encoder(str(tmp_path / "moved"), image_size=64, dim=16, head="mlp-norm").eval()
    shutil.rmtree(tmp_path / "moved")
    again = ImageEncoder.from_settings(json.loads(json.dumps(encoder.settings))).eval()
    again.load_state_dict(encoder.state_dict())
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(encoder(images), again(images)) and again.shape == encoder.shape


def test_normalisation_is_the_processors(tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    images = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    for number, processor in enumerate(
        (
            {},
            {"do_normalize": False},
            {"rescale_factor": 1 / 127.5},
            {"do_rescale": False, "image_mean": [9] * 3},
        )
    ):
        folder = tmp_path / str(number)
        save_backbone(folder, "vit", processor=processor)
        encoder = build_encoder(str(folder), image_size=32, dim=8)
        settings = json.loads((folder / "preprocessor_config.json").read_text())
        expected = photo.astype(np.float64)  # by hand, as a processor does: rescale, then normalise
        if settings["do_rescale"]:
            expected = expected * settings["rescale_factor"]
        if settings["do_normalize"]:
            expected = (expected - settings["image_mean"]) / settings["image_std"]
        got = ((images - encoder.mean) / encoder.std)[0].permute(1, 2, 0).double().numpy()
        assert np.allclose(got, expected, rtol=1e-5, atol=1e-5), processor


def test_normalisation_of_a_folder_that_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_backbone(tmp_path / "b", "dinov2")
    (tmp_path / "b" / "preprocessor_config.json").unlink()
    encoder = build_encoder(str(tmp_path / "b"), image_size=32, dim=8)
    assert encoder.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert "usual normalisation of dinov2" in capsys.readouterr().err


@pytest.mark.parametrize("tune", ["head", "last:2", "lora:2", "full"])
@pytest.mark.parametrize("name", ["dinov2", "convnext", "clip"])
def test_frozen_parameters_stay_as_they_were(
    name: str, tune: str, folders: dict[str, tuple[Path, Any]]
) -> None:
    encoder = apply_tuning(build_encoder(str(folders[name][0]), image_size=64, dim=16), tune)
    before = {n: p.detach().clone() for n, p in encoder.named_parameters()}
    trained = [p for p in encoder.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-2, weight_decay=0.2)
    for _ in range(2):
        optimiser.zero_grad()
        encoder(torch.rand(4, 3, 64, 64))[:, 0].sum().backward()
        optimiser.step()
    moved = {n for n, p in encoder.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {n for n, p in encoder.named_parameters() if p.requires_grad}
    depth = encoder.shape.depth
    levels = {encoder.level_of(n) for n in moved if not n.startswith("head.")}
    if tune == "lora:2":
        assert all("lora_" in n or n.startswith("head.") for n in moved)
        assert levels == set(range(1, depth + 1))
        assert sum(p.numel() for p in trained) < 0.5 * sum(p.numel() for p in encoder.parameters())
    else:
        whole = set(range(depth + 2))
        expected = {"head": set(), "last:2": {depth - 1, depth, depth + 1}, "full": whole}[tune]
        assert levels == expected


def test_merged_lora_is_an_ordinary_encoder(folders: dict[str, tuple[Path, Any]]) -> None:
    encoder = apply_tuning(build_encoder(str(folders["dinov2"][0]), image_size=32, dim=16), "lora:3").eval()
    for name, parameter in encoder.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter)
    images = torch.rand(2, 3, 32, 32)
    before = encoder(images)
    assert any("lora_" in name for name in encoder.state_dict())
    merge_lora(encoder)
    again = ImageEncoder.from_settings(encoder.settings).eval()
    again.load_state_dict(encoder.state_dict())
    assert torch.allclose(again(images), before, atol=1e-5)
    plain = build_encoder(str(folders["dinov2"][0]), image_size=32, dim=16)
    assert not torch.allclose(again.pooled(images), plain.pooled(images), atol=1e-2)


def test_layer_decay_by_hand(folders: dict[str, tuple[Path, Any]]) -> None:
    def scales(encoder: ImageEncoder) -> dict[str, float]:
        config = TrainConfig(images=Path(), texts=Path(), out=Path("x"), layer_decay=0.5)
        names = {id(p): n for n, p in encoder.named_parameters()}
        groups = make_optimiser({"image": encoder}, config).param_groups
        assert sorted(names.values()) == sorted(names[id(p)] for g in groups for p in g["params"])
        return {names[id(p)]: g["lr_scale"] for g in groups for p in g["params"]}

    ours = scales(ImageEncoder(ViTShape(32, 3, 2, 8), image_size=32, dim=8))
    assert ours["stem.weight"] == ours["positions"] == 1 / 16
    assert [ours[f"blocks.{i}.attention.qkv.weight"] for i in range(3)] == [1 / 8, 1 / 4, 1 / 2]
    assert ours["norm.weight"] == ours["head.0.weight"] == ours["head.2.bias"] == 1

    clip = scales(build_encoder(str(folders["clip"][0]), image_size=32, dim=8))
    start = "backbone.model."
    assert clip[f"{start}embeddings.class_embedding"] == clip[f"{start}pre_layrnorm.weight"] == 1 / 16
    assert clip[f"{start}encoder.layers.2.mlp.fc1.weight"] == 1 / 2
    assert clip[f"{start}post_layernorm.weight"] == clip["head.0.weight"] == 1

    conv = scales(
        build_encoder(str(folders["convnext"][0]), image_size=32, dim=8)
    )  # five blocks in four stages
    assert conv[f"{start}embeddings.patch_embeddings.weight"] == 1 / 64
    assert conv[f"{start}encoder.stages.2.downsampling_layer.1.weight"] == 1 / 8
    assert conv[f"{start}encoder.stages.2.layers.0.pwconv1.weight"] == 1 / 8
    assert conv[f"{start}encoder.stages.2.layers.1.pwconv1.weight"] == 1 / 4
    assert conv[f"{start}layernorm.weight"] == 1


def test_positions_tokens_and_gains_are_not_decayed(folders: dict[str, tuple[Path, Any]]) -> None:
    config = TrainConfig(images=Path(), texts=Path(), out=Path("x"))
    for name in ("dinov2_with_registers", "convnextv2", "siglip"):
        encoder = build_encoder(str(folders[name][0]), image_size=32, dim=8)
        decayed, free = make_optimiser({"image": encoder}, config).param_groups
        names = {id(p): n for n, p in encoder.named_parameters()}
        assert all(n.endswith("weight") for n in (names[id(p)] for p in decayed["params"]))
        assert not any("position" in names[id(p)] or ".grn." in names[id(p)] for p in decayed["params"])
        assert any("position" in names[id(p)] or ".grn." in names[id(p)] for p in free["params"])


def test_flops_of_a_backbone_equal_the_analytic_count(folders: dict[str, tuple[Path, Any]]) -> None:
    batch, dim, width, tokens = 4, 24, 32, 17
    patch_map = 2 * 16 * width * 3 * 64
    block = 2 * tokens * width * (4 * width + 2 * 2 * width) + 2 * 2 * tokens * tokens * width
    body, head, logits = patch_map + 3 * block, 2 * (width * dim + dim * dim), 2 * batch * batch * dim
    encoder = build_encoder(str(folders["dinov2"][0]), image_size=32, dim=dim)
    assert body_flops(encoder, 10) == pytest.approx(10 * body, rel=0.001)
    for tune, kept, expected in (
        ("full", False, 3 * (body + head) - patch_map),
        (
            "head",
            False,
            body + 3 * head - 2 * width * dim,
        ),  # nothing flows from the head into the frozen body
        ("head", True, 3 * head - 2 * width * dim),
        ("last:1", False, body + 2 * block + 3 * head),
    ):
        got = step_flops(apply_tuning(encoder, tune), batch, "contrastive", None, kept=kept)
        assert got == pytest.approx(batch * expected + 2 * logits, rel=0.03), (tune, kept)
    full, head, lora = (
        step_flops(
            apply_tuning(build_encoder(str(folders["dinov2"][0]), image_size=32, dim=dim), tune),
            *(batch, "contrastive", None),
        )
        for tune in ("full", "head", "lora:1")
    )
    assert head < lora < full


def test_mistakes_are_named(folders: dict[str, tuple[Path, Any]], tmp_path: Path) -> None:
    with pytest.raises(LiftError, match="model of timm"):
        encoder_shape("timm:resnet50")
    with pytest.raises(LiftError, match="or give the folder"):
        encoder_shape("resnet50")
    with pytest.raises(LiftError, match="--size 64"):
        build_encoder(str(folders["convnext"][0]), image_size=50, dim=8)
    for tune in ("all", "last", "last:0", "lora:x", "head:2"):
        with pytest.raises(LiftError, match="give --tune full, head"):
            check_tune(tune, 3)
    with pytest.raises(LiftError, match="give last:3 or less"):
        check_tune("last:4", 3)
    with pytest.raises(LiftError, match="known: mlp, linear, mlp-norm"):
        ImageEncoder(IMAGE_ENCODERS["vit-nano"], image_size=32, dim=8, head="conv")
    bert = tmp_path / "bert"
    bert.mkdir()
    (bert / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(LiftError, match="family 'bert'"):
        encoder_shape(str(bert))
    (bert / "config.json").write_text("{")
    with pytest.raises(LiftError, match="could not be read"):
        encoder_shape(str(bert))


def test_incomplete_weights_are_refused(folders: dict[str, tuple[Path, Any]], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(folders["vit"][0], tmp_path / "cut")
    file = tmp_path / "cut" / "model.safetensors"
    weights = load_file(file)
    save_file({k: v for k, v in weights.items() if "pooler" not in k}, file, {"format": "pt"})
    build_encoder(str(tmp_path / "cut"), image_size=32, dim=8)  # the mean needs no pooler
    with pytest.raises(LiftError, match=r"lack 2 tensors .* pooler\.dense\.bias"):
        build_encoder(str(tmp_path / "cut"), image_size=32, dim=8, pooling="pooler")
    file.write_bytes(b"\x00" * 100)
    with pytest.raises(LiftError, match="could not be loaded"):
        build_encoder(str(tmp_path / "cut"), image_size=32, dim=8)


def test_a_hub_id_that_is_not_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LiftError, match="hf download no-org/no-backbone --local-dir no-backbone"):
        encoder_shape("no-org/no-backbone")
