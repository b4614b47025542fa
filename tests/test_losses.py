"""Losses against numbers worked by hand and against slow exact twins, forward and backward."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lift.losses import (
    LOSSES,
    OwnNegatives,
    contrastive_loss,
    cosine_loss,
    false_negative_mask,
    own_loss,
    sigmoid_loss,
    with_cosine,
    with_own,
)

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


def test_own_negatives_by_hand() -> None:
    image = text = unit([[1.0, 0.0], [0.0, 1.0]])
    # Image 0 has (0.6, 0.8) for itself, logit 2 * 0.6; what stands in the place of image 1 is not there.
    features = unit([[3.0, 4.0], [0.0, 1.0]])[:, None, :]
    own = OwnNegatives(features, torch.tensor([[True], [False]]))
    # image -> text: logits [2, 0, 1.2] and [0, 2]; text -> image as without: [2, 0] and [0, 2]
    plain = math.log1p(math.exp(-2))
    first = math.log(math.exp(2) + 1 + math.exp(1.2)) - 2
    found = contrastive_loss(image, text, torch.tensor([0, 1]), SCALE, BIAS, own)
    assert found.item() == pytest.approx(((first + plain) / 2 + plain) / 2)
    # sigmoid: all four pairs cost log(1 + e^-1), and image 0 one more: logit 1.2 - 1 of a false pair
    expected = 2 * math.log1p(math.exp(-1)) + math.log1p(math.exp(0.2)) / 2
    found = sigmoid_loss(image, text, torch.tensor([0, 1]), SCALE, BIAS, own)
    assert found.item() == pytest.approx(expected)


def test_near_texts_are_masked_by_hand() -> None:
    text = unit([[1.0, 0.0], [4.0, 3.0], [0.0, 1.0]])  # cosines 0.8 (0, 1), 0 (0, 2), 0.6 (1, 2)
    ids = torch.tensor([0, 1, 2])
    assert not false_negative_mask(ids, text, 0.81).any()
    near = [[False, True, False], [True, False, False], [False, False, False]]
    assert false_negative_mask(ids, text, 0.79).tolist() == near
    # Both ways: only the pairs (0, 2) and (1, 2) are left, with logits 0 and 1.2; the diagonal is 2
    one, two = math.log1p(math.exp(-2)), math.log1p(math.exp(1.2 - 2))
    both = math.log(1 + math.exp(-2) + math.exp(1.2 - 2))
    found = contrastive_loss(text, text, ids, SCALE, BIAS, similar=0.7)
    assert found.item() == pytest.approx((one + two + both) / 3)


def test_a_share_of_cosine_by_hand() -> None:
    image, text = unit([[1.0, 0.0], [3.0, 4.0]]), unit([[0.0, 1.0], [4.0, 3.0]])
    batch = (image, text, torch.tensor([0, 1]), SCALE, BIAS)
    for name in ("contrastive", "sigmoid"):
        loss = LOSSES[name]
        mixed = with_cosine(loss, 0.5).function(*batch)
        assert mixed.item() == pytest.approx(loss.function(*batch).item() + 0.5 * (1 + 1 / 25) / 2)
        assert with_cosine(loss, 0.0) is loss


def slow_own(name: str, batch: tuple[Tensor, ...], own: OwnNegatives, similar: float) -> Tensor:
    """Losses with own negatives and the near-identity mask, term by term, with loops."""
    image, text, ids, scale, bias = batch
    count, total = len(image), image.new_zeros(())
    for i in range(count):
        others = [
            j for j in range(count) if j != i and ids[j] != ids[i] and (text[i] @ text[j]).item() <= similar
        ]
        true = image[i] @ text[i]
        false = [image[i] @ text[j] for j in others]
        false += [image[i] @ f for f, there in zip(own.features[i], own.there[i], strict=True) if there]
        if name == "sigmoid":
            total = total + (1 + (-(scale * true + bias)).exp()).log()
            for cosine in false:
                total = total + (1 + (scale * cosine + bias).exp()).log()
            continue
        mine = [scale * cosine for cosine in (true, *false)]
        back = [scale * cosine for cosine in (true, *(image[j] @ text[i] for j in others))]
        for logits in (mine, back):
            total = total + (torch.stack(logits).exp().sum().log() - logits[0]) / 2
    return total / count


@pytest.mark.parametrize("name", ["contrastive", "sigmoid"])
def test_negatives_equal_the_slow_twin_forward_and_backward(name: str) -> None:
    results = []
    generator = torch.Generator().manual_seed(3)
    drawn = torch.randn(7, 4, 5, generator=generator, dtype=torch.float64)
    own = OwnNegatives(F.normalize(drawn, dim=-1), torch.rand(7, 4, generator=generator) < 0.7)
    _, text, ids = random_batch()
    near = false_negative_mask(ids, text, 0.5) & ~false_negative_mask(ids)
    assert near.any() and not own.there.all()
    for kind in ("fast", "slow"):
        image, text, ids = random_batch()
        scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
        bias = torch.tensor(-2.0, dtype=torch.float64, requires_grad=True)
        batch = (F.normalize(image, dim=-1), F.normalize(text, dim=-1), ids, scale, bias)
        if kind == "fast":
            value = LOSSES[name].function(*batch, own=own, similar=0.5)
        else:
            value = slow_own(name, batch, own, 0.5)
        value.backward()
        results.append([value.detach(), *(x.grad for x in (image, text, scale, bias) if x.grad is not None)])
    assert len(results[0]) == len(results[1]) >= 4
    for fast, exact in zip(*results, strict=True):
        assert torch.allclose(fast, exact, atol=1e-10)


def test_negatives_that_are_not_there_change_nothing() -> None:
    image, text, ids = random_batch()
    own = OwnNegatives(torch.zeros(7, 3, 5, dtype=torch.float64), torch.zeros(7, 3, dtype=torch.bool))
    scale, bias = torch.tensor(3.0, dtype=torch.float64), torch.tensor(-1.0, dtype=torch.float64)
    for name in ("contrastive", "sigmoid"):
        function = LOSSES[name].function
        with_none, plain = (
            function(image, text, ids, scale, bias, own),
            function(image, text, ids, scale, bias),
        )
        assert with_none.item() == pytest.approx(plain.item(), abs=1e-12)


def test_own_loss_by_hand() -> None:
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    texts = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    false = torch.tensor([[[0.99, 0.0], [0.0, 1.0]], [[0.8, 0.6], [1.0, 0.0]]])
    there = torch.tensor([[True, False], [False, False]])
    # Photo 0: 100 · 1 against 100 · 0.99, so log(1 + 1/e) = 0.3133; photo 1 has no negative and adds nothing.
    own = OwnNegatives(false, there)
    assert own_loss(images, texts, own).item() == pytest.approx(math.log1p(math.exp(-1)) / 2, abs=1e-5)
    ids, scale, bias = torch.tensor([0, 1]), torch.tensor(10.0), torch.tensor(0.0)
    plain = LOSSES["contrastive"].function(images, texts, ids, scale, bias, own=own).item()
    both = with_own(LOSSES["contrastive"], 0.5, 2).function(images, texts, ids, scale, bias, own=own).item()
    assert both == pytest.approx(plain + 0.25 * math.log1p(math.exp(-1)), abs=1e-5)
    # Only the first column counts, whatever the second (a neighbour, say) is.
    mixed = with_own(LOSSES["contrastive"], 0.5, 1).function
    near = OwnNegatives(false, torch.ones(2, 2, dtype=torch.bool))
    first = own_loss(images, texts, OwnNegatives(false[:, :1], near.there[:, :1])).item()
    plain = LOSSES["contrastive"].function(images, texts, ids, scale, bias, own=near).item()
    assert mixed(images, texts, ids, scale, bias, own=near).item() == pytest.approx(
        plain + 0.5 * first, abs=1e-5
    )
    assert with_own(LOSSES["contrastive"], 0.0, 1) is LOSSES["contrastive"]
