"""The ViT: shapes, invariances, parameter counts of the published sizes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from lift.errors import LiftError
from lift.image import IMAGE_ENCODERS, Attention, ImageEncoder, encoder_shape


def test_vit_b16_has_the_published_size() -> None:
    with torch.device("meta"):
        encoder = ImageEncoder(IMAGE_ENCODERS["vit-b16"], image_size=224, dim=4096)
    head = sum(p.numel() for p in encoder.head.parameters())
    assert head == 768 * 4096 + 4096 + 4096 * 4096 + 4096  # 19.9 M, as the paper says
    body = sum(p.numel() for p in encoder.parameters()) - head
    assert body == 768 * 3 * 256 + 768 + 196 * 768 + 12 * 7_087_872 + 2 * 768


@pytest.mark.parametrize("name", ["vit-nano", "vit-micro-conv", "vit-micro-deep", "vit-mini-conv8"])
def test_unit_vectors_that_do_not_depend_on_neighbours(name: str) -> None:
    torch.manual_seed(0)
    encoder = ImageEncoder(IMAGE_ENCODERS[name], image_size=32, dim=48).eval()
    images = torch.rand(3, 3, 32, 32)
    features = encoder(images)
    assert features.shape == (3, 48)
    assert torch.allclose(features.norm(dim=-1), torch.ones(3), atol=1e-6)
    assert torch.allclose(features[1:2], encoder(images[1:2]), atol=1e-5)


def test_attention_equals_the_textbook() -> None:
    torch.manual_seed(0)
    layer, x = Attention(8, 2), torch.randn(2, 5, 8)
    q, k, v = layer.qkv(x).chunk(3, dim=-1)
    heads = []
    for part in (slice(0, 4), slice(4, 8)):
        weights = F.softmax(q[..., part] @ k[..., part].transpose(1, 2) / 4**0.5, dim=-1)
        heads.append(weights @ v[..., part])
    assert torch.allclose(layer(x), layer.out(torch.cat(heads, dim=-1)), atol=1e-6)


def test_features_are_the_mean_of_the_patches() -> None:
    torch.manual_seed(0)
    encoder = ImageEncoder(IMAGE_ENCODERS["vit-nano"], image_size=64, dim=16).eval()
    images = torch.rand(2, 3, 64, 64)
    patches = encoder.patch_features(images)
    assert patches.shape == (2, 16, 64)
    assert torch.allclose(encoder(images), F.normalize(encoder.head(patches.mean(1)), dim=-1), atol=1e-6)


def test_settings_build_the_same_encoder() -> None:
    encoder = ImageEncoder(IMAGE_ENCODERS["vit-micro-conv"], image_size=64, dim=16)
    again = ImageEncoder.from_settings(encoder.settings)
    again.load_state_dict(encoder.state_dict())
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(encoder(images), again(images))


def test_mistakes_name_the_remedy() -> None:
    with pytest.raises(LiftError, match="known: vit-nano"):
        encoder_shape("resnet50")
    with pytest.raises(LiftError, match="--size 96"):
        ImageEncoder(IMAGE_ENCODERS["vit-nano"], image_size=100, dim=8)
