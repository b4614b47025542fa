"""Rivals: pixels, tokens and vectors equal those of transformers itself, on tiny random models of each family."""

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import lift
from lift.data import Dataset
from lift.errors import LiftError
from lift.indexing import Index, IndexConfig, index
from lift.rival import Rival, is_rival, load_clip
from lift.rival.pixels import centre_crop, fitted_size, read_preprocessing
from lift.rival.words import check_tokenizer
from models_by_hand import TEXTS
from rivals_by_hand import RIVALS, save_rival

PROCESSORS = {
    "clip": ("clip", "CLIPImageProcessorPil"),
    "altclip": ("clip", "CLIPImageProcessorPil"),
    "siglip": ("siglip", "SiglipImageProcessorPil"),
    "siglip2": ("siglip2", "Siglip2ImageProcessorPil"),
    "chinese_clip": ("chinese_clip", "ChineseCLIPImageProcessorPil"),
}


@pytest.fixture(scope="module")
def rivals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any]]:
    """Folder and transformers model of each family."""
    root = tmp_path_factory.mktemp("rivals")
    return {family: (root / family, save_rival(family, root / family)) for family in RIVALS}


def pictures() -> list[Image.Image]:
    """Landscape, portrait, square and smaller than the crop."""
    drawn = np.random.default_rng(0)
    sizes = ((50, 90), (81, 40), (32, 32), (20, 31), (37, 37))
    return [Image.fromarray(drawn.integers(0, 256, (*size, 3), dtype=np.uint8)) for size in sizes]


def processed(family: str, folder: Path, images: list[Image.Image]) -> dict[str, torch.Tensor]:
    """What transformers' own processor for Pillow makes of them."""
    from importlib import import_module

    package, name = PROCESSORS[family]
    module = import_module(f"transformers.models.{package}.image_processing_pil_{package}")
    return dict(getattr(module, name).from_pretrained(folder)(images, return_tensors="pt"))


def unit(output: Any) -> np.ndarray:
    vectors = output.pooler_output.detach().numpy()
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("family", list(RIVALS))
def test_pixels_and_vectors_are_those_of_transformers(family: str, rivals: dict[str, Any]) -> None:
    folder, model = rivals[family]
    rival, images = load_clip(folder), pictures()
    theirs = processed(family, folder, images)
    ours = rival.transform.inputs(rival.pixels(images))
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        valid = theirs.get("pixel_attention_mask", torch.ones(1))
        if (
            name == "pixel_values" and valid.ndim > 1
        ):  # transformers leaves zeros before normalising, masked out
            value = value * valid[:, :, None]
        np.testing.assert_allclose(ours[name].numpy(), value.numpy(), atol=1e-6)
    with torch.inference_mode():
        expected = unit(model.get_image_features(**theirs))
    found = rival.encode_image(images, batch_size=2)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found @ found.T - 1).max() > 1e-3, "the photos make no difference"


@pytest.mark.parametrize("family", list(RIVALS))
def test_texts_are_encoded_as_published(family: str, rivals: dict[str, Any]) -> None:
    from transformers import AutoTokenizer

    folder, model = rivals[family]
    rival = load_clip(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.padding_side = (
        "right"  # as the published SigLIP 2 folders have it, against the class's own default
    )
    sentences = [text.lower() for text in TEXTS] if family.startswith("siglip") else TEXTS
    how = {
        "padding": "max_length" if family.startswith("siglip") else True,
        "truncation": True,
        "max_length": 48,
    }
    tokens = tokenizer(sentences, return_tensors="pt", **how)
    wanted = ["input_ids"] if family.startswith("siglip") else ["input_ids", "attention_mask"]
    with torch.inference_mode():
        expected = unit(model.get_text_features(**{name: tokens[name] for name in wanted}))
    found = rival.encode_text([*TEXTS, TEXTS[0]], batch_size=2)
    np.testing.assert_allclose(found[:-1], expected, atol=1e-5)
    np.testing.assert_array_equal(found[0], found[-1])
    assert rival.fingerprint.max_tokens == rival.max_tokens == 48
    masks = tokenizer(sentences)["attention_mask"]
    assert rival.counts_tokens and rival.token_counts(TEXTS).tolist() == [len(mask) for mask in masks]
    assert ("lower case" in rival.fingerprint.pooling) == family.startswith("siglip")


def test_limits_of_the_published_models() -> None:
    from lift.rival.words import Words

    class Tokenizer:  # only its limit is asked for
        model_max_length = 512

    limits = {
        family: Words(family, Tokenizer(), 512).limit for family in ("altclip", "chinese_clip", "siglip2")
    }
    assert limits == {"altclip": 77, "chinese_clip": 52, "siglip2": 64}
    assert Words("clip", Tokenizer(), 77).limit == 77


def test_the_same_face_as_a_model(rivals: dict[str, Any], tiny_run: Path) -> None:
    rival, model = lift.load(rivals["clip"][0]), lift.load(tiny_run)
    assert isinstance(rival, Rival) and is_rival(rivals["clip"][0]) and not is_rival(tiny_run)
    lacks = [name for name in vars(rival) if not name.startswith("_") and not hasattr(model, name)]
    assert lacks == ["weights", "transform"]
    assert (rival.dim, rival.image_size, rival.method) == (24, 32, "clip")
    again = load_clip(rivals["clip"][0])
    assert again.id == rival.id and again.fingerprint.digest == rival.fingerprint.digest
    with pytest.raises(LiftError, match="no RUN"):
        rival.stand_in("folder")


def test_another_preprocessing_is_another_model(rivals: dict[str, Any], tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(rivals["clip"][0], tmp_path / "clip"))
    before = load_clip(folder).id
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(settings | {"resample": 2}))
    assert load_clip(folder).id != before


@pytest.mark.parametrize("family", ["clip", "siglip2"])
def test_index_and_search(
    family: str,
    rivals: dict[str, Any],
    tiny_dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, rival = rivals[family][0], load_clip(rivals[family][0])
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, picture in enumerate(pictures()):
        picture.save(photos / f"{number}.png")
    (photos / "broken.png").write_bytes(b"no picture")
    opened = index(IndexConfig(folder, photos, tmp_path / "index"))
    np.testing.assert_allclose(opened.vectors, rival.encode_image(pictures()), atol=1e-3)
    best = opened.search("a dog", 1)[0]  # loads the model that the INDEX recorded
    scores = rival.encode_image(pictures()) @ rival.encode_text(["a dog"])[0]
    assert best.key == f"{scores.argmax()}.png"
    stored = Index.build(rival, tiny_dataset, tmp_path / "stored")
    pixels = Dataset(tiny_dataset).pixels[:4]
    np.testing.assert_allclose(stored.vectors[:4], rival.encode_image(pixels), atol=1e-3)


def test_own_code_runs_by_consent_only(
    rivals: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    folder = Path(shutil.copytree(rivals["clip"][0], tmp_path / "own"))
    (folder / "modeling_own.py").write_text(
        "from transformers import CLIPConfig, CLIPModel\n\n\nclass OwnConfig(CLIPConfig):\n"
        "    model_type = 'own_clip'\n\n\nclass OwnModel(CLIPModel):\n    config_class = OwnConfig\n\n"
        "    def get_text_features(self, **inputs):\n"
        "        return super().get_text_features(**inputs).pooler_output * 2\n"
    )
    config = json.loads((folder / "config.json").read_text())
    own = {"AutoConfig": "modeling_own.OwnConfig", "AutoModel": "modeling_own.OwnModel"}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "own_clip", "auto_map": own}))
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    norm = {
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings | norm))
    with pytest.raises(LiftError, match=r"modeling_own\.py"):
        load_clip(folder)
    assert not any("modeling_own" in name for name in sys.modules)
    monkeypatch.setenv("LIFT_TRUST_REMOTE_CODE", "1")
    rival, usual = load_clip(folder), load_clip(rivals["clip"][0])
    np.testing.assert_allclose(rival.encode_text(TEXTS), usual.encode_text(TEXTS), atol=1e-5)
    np.testing.assert_allclose(rival.encode_image(pictures()), usual.encode_image(pictures()), atol=1e-5)


def test_what_cannot_be_loaded_is_named(rivals: dict[str, Any], tmp_path: Path) -> None:
    import shutil

    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(LiftError, match=r"'bert'.*two-tower"):
        load_clip(tmp_path)
    broken = Path(shutil.copytree(rivals["clip"][0], tmp_path / "broken"))
    (broken / "model.safetensors").unlink()
    with pytest.raises(LiftError):
        load_clip(broken)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "SiglipTokenizer"}))
    if "sentencepiece" not in sys.modules:
        with pytest.raises(LiftError, match="sentencepiece"):
            check_tokenizer(tmp_path)


def test_unknown_preprocessing_is_refused() -> None:
    with pytest.raises(LiftError, match="longest_edge"):
        read_preprocessing({"size": {"longest_edge": 224}}, "clip")
    with pytest.raises(LiftError, match="unequal sizes"):
        read_preprocessing({"do_center_crop": False}, "clip")
    with pytest.raises(LiftError, match="pads"):
        read_preprocessing({"do_pad": True}, "clip")
    with pytest.raises(LiftError, match="image_mean"):
        read_preprocessing({"size": 224}, "somebody's own")
    usual = read_preprocessing(None, "clip")
    assert (usual.shortest, usual.crop, usual.image_size) == (224, (224, 224), 224)


def test_crops_and_free_sizes_by_hand() -> None:
    square = np.arange(9, dtype=np.uint8).reshape(3, 3, 1).repeat(3, axis=2)
    assert centre_crop(square, (1, 1))[0, 0, 0] == 4
    assert centre_crop(square, (5, 3))[:, 1, 0].tolist() == [0, 1, 4, 7, 0]
    assert fitted_size(100, 100, 16, 256) == (256, 256)
    assert fitted_size(100, 200, 8, 16) == (24, 40)  # 3 x 5 patches; the next step would be 3 x 6


def test_open_clip_without_its_package_says_what_to_install() -> None:
    if importlib.util.find_spec("open_clip") is None:
        with pytest.raises(LiftError, match="open_clip") as caught:
            load_clip("open_clip:ViT-B-32/openai")
        assert "pip install open_clip_torch" in str(caught.value)
    assert is_rival("open_clip:ViT-B-32/openai") and is_rival(Path("open_clip:hf-hub:org/model"))


def test_open_clip_through_a_stand_in_of_its_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package cannot be installed beside every torch; this has the functions of it that are called."""

    class Tiny(torch.nn.Module):
        context_length = 5

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.eye(3))

        def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
            return pixels.mean(dim=(2, 3)) @ self.weight

        def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
            return tokens[:, :3].float() @ self.weight

    asked = []
    package = types.ModuleType("open_clip")
    package.__version__ = "0"  # type: ignore[attr-defined]
    package.create_model_from_pretrained = lambda name, pretrained: (  # type: ignore[attr-defined]
        asked.append((name, pretrained)) or Tiny(),
        lambda picture: torch.from_numpy(
            np.asarray(picture.resize((4, 4))).transpose(2, 0, 1) / np.float32(255)
        ),
    )
    package.get_tokenizer = lambda name: (
        lambda texts: torch.tensor(  # type: ignore[attr-defined]
            [[len(text), 1, 2, 0, 0] for text in texts]
        )
    )
    monkeypatch.setitem(sys.modules, "open_clip", package)
    rival = load_clip("open_clip:ViT-B-32/openai")
    load_clip("open_clip:hf-hub:org/model")
    assert asked == [("ViT-B-32", "openai"), ("hf-hub:org/model", None)]
    red = Image.new("RGB", (9, 9), (255, 0, 0))
    np.testing.assert_allclose(rival.encode_image([red]), [[1, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(rival.encode_text(["ab"]), [[2 / 3, 1 / 3, 2 / 3]], atol=1e-6)
    assert rival.fingerprint.max_tokens == 5
