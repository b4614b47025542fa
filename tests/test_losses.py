"""Losses against numbers worked by hand and against slow exact twins, forward and backward."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lift.losses import LOSSES, contrastive_loss, cosine_loss, false_negative_mask, sigmoid_loss

SCALE, BIAS = torch.tensor(2.0), torch.tensor(-1.0)


def unit(rows: list[list[float]]) -> Tensor:
    return F.normalize(torch.tensor(rows), dim=-1)


def random_batch(seed: int = 0, batch: int = 7, dim: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image = F.normalize(torch.randn(batch, dim, generator=generator, dtype=torch.float64), dim=-1)
    text = F.normalize(torch.randn(batch, dim, generator=generator, dtype=torch.float64), dim=-1)
    return image.requires_grad_(), text.requires_grad_(), torch.tensor([0, 1, 2, 1, 4, 5, 2])[:batch]


def test_cosine_by_hand() -> None:
    image = unit([[1.0, 0.0], [3.0, 4.0]])
    text = unit([[0.0, 1.0], [4.0, 3.0]])
    # cosines 0 and 24/25
    assert cosine_loss(image, text, torch.tensor([0, 1]), SCALE, BIAS).item() == pytest.approx(
        (1 + 1 / 25) / 2
    )


def test_contrastive_by_hand() -> None:
    image, text = unit([[1.0, 0.0], [0.0, 1.0]]), unit([[1.0, 0.0], [0.0, 1.0]])
    # logits [[2, 0], [0, 2]]: each row costs log(1 + e^-2)
    expected = math.log1p(math.exp(-2))
    assert contrastive_loss(image, text, torch.tensor([0, 1]), SCALE, BIAS).item() == pytest.approx(expected)


def test_identical_texts_are_no_negatives() -> None:
    image, text = unit([[1.0, 0.0], [0.0, 1.0]]), unit([[1.0, 0.0], [1.0, 0.0]])
    assert contrastive_loss(image, text, torch.tensor([7, 7]), SCALE, BIAS).item() == 0.0
    # sigmoid: only the two pairs on the diagonal are left: logits 2*1-1 = 1 and 2*0-1 = -1
    expected = (math.log1p(math.exp(-1)) + math.log1p(math.exp(1))) / 2
    assert sigmoid_loss(image, text, torch.tensor([7, 7]), SCALE, BIAS).item() == pytest.approx(expected)


def test_sigmoid_by_hand() -> None:
    image, text = unit([[1.0, 0.0], [0.0, 1.0]]), unit([[1.0, 0.0], [0.0, 1.0]])
    # diagonal logits 1 (true), off-diagonal -1 (false): all four cost log(1 + e^-1); summed over 2 texts per image
    expected = 2 * math.log1p(math.exp(-1))
    assert sigmoid_loss(image, text, torch.tensor([0, 1]), SCALE, BIAS).item() == pytest.approx(expected)


def test_mask_by_hand() -> None:
    mask = false_negative_mask(torch.tensor([3, 5, 3]))
    assert mask.tolist() == [[False, False, True], [False, False, False], [True, False, False]]


def slow_contrastive(image: Tensor, text: Tensor, ids: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """InfoNCE term by term, with loops."""
    count, total = len(image), image.new_zeros(())
    for i in range(count):
        allowed = [j for j in range(count) if j == i or ids[j] != ids[i]]
        own = scale * image[i] @ text[i]
        total = total - own + torch.stack([(scale * image[i] @ text[j]).exp() for j in allowed]).sum().log()
        total = total - own + torch.stack([(scale * image[j] @ text[i]).exp() for j in allowed]).sum().log()
    return total / (2 * count)


def slow_sigmoid(image: Tensor, text: Tensor, ids: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """SigLIP term by term, with loops."""
    count, total = len(image), image.new_zeros(())
    for i in range(count):
        for j in range(count):
            if i == j or ids[i] != ids[j]:
                logit = scale * image[i] @ text[j] + bias
                total = total - (1 / (1 + (-(logit if i == j else -logit)).exp())).log()
    return total / count


def slow_cosine(image: Tensor, text: Tensor, ids: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """1 - cos pair by pair."""
    return torch.stack(
        [1 - F.cosine_similarity(a, b, dim=0) for a, b in zip(image, text, strict=True)]
    ).mean()


@pytest.mark.parametrize("name", ["cosine", "contrastive", "sigmoid"])
def test_equal_to_the_slow_twin_forward_and_backward(name: str) -> None:
    slow = {"cosine": slow_cosine, "contrastive": slow_contrastive, "sigmoid": slow_sigmoid}[name]
    results = []
    for function in (LOSSES[name].function, slow):
        image, text, ids = random_batch()
        scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
        bias = torch.tensor(-2.0, dtype=torch.float64, requires_grad=True)
        # inside the graph features are normalised, as the encoders do: gradients along the vector then agree
        value = function(F.normalize(image, dim=-1), F.normalize(text, dim=-1), ids, scale, bias)
        value.backward()
        gradients = [
            x.grad if x.grad is not None else torch.zeros_like(x) for x in (image, text, scale, bias)
        ]
        results.append((value.detach(), *gradients))
    for fast, exact in zip(*results, strict=True):
        assert torch.allclose(fast, exact, atol=1e-10)


def test_constant_features_cost_log_of_the_batch() -> None:
    image = text = unit([[1.0, 1.0]] * 8)
    assert contrastive_loss(image, text, torch.arange(8), SCALE, BIAS).item() == pytest.approx(math.log(8))
