"""Text encoders: the default against sentence-transformers, folders of tiny models, CLIP's tower."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from lift.errors import LiftError
from lift.text import MiniLM, TextTower, encode_sorted, length_buckets, load_text_encoder, train_tokenizer
from lift.text.minilm import mean_pool, package_folder
from lift.text.tower import BUCKET_TOKENS

TEXTS = ["a dog", "A man in a red shirt climbs a rock .", "", "犬が走る", "word " * 400]


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM()


def test_minilm_equals_sentence_transformers(minilm: MiniLM) -> None:
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(package_folder()), device="cpu").encode(
        TEXTS, normalize_embeddings=True
    )
    assert np.abs(minilm.encode(TEXTS) - reference).max() < 1e-5
    assert minilm.token_counts(TEXTS).tolist()[:2] == [4, 12] and minilm.token_counts(TEXTS)[4] == 402


def test_batches_and_padding_do_not_change_a_vector(minilm: MiniLM) -> None:
    together = minilm.encode(TEXTS)
    alone = np.concatenate([minilm.encode([text]) for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(encode_sorted(minilm, TEXTS, batch_size=2) - alone).max() < 1e-5
    assert minilm.encode([]).shape == (0, 384)


def test_mean_pool_by_hand() -> None:
    hidden = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]]])
    assert mean_pool(hidden, torch.tensor([[1, 1, 0]])).tolist() == [[2.0, 3.0]]


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers folder around a random two-layer BERT, made here."""
    from sentence_transformers import SentenceTransformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "dog", "blue", "cat"]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=16)
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(words),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
        )
    ).save_pretrained(folder / "plain")
    tokenizer.save_pretrained(folder / "plain")
    SentenceTransformer(str(folder / "plain"), device="cpu").save(str(folder / "st"))
    return folder / "st"


def test_any_sentence_transformers_folder(tiny_folder: Path, tmp_path: Path) -> None:
    import shutil

    encoder = load_text_encoder(str(tiny_folder))
    vectors = encoder.encode(["a red dog", "a blue cat"])
    assert vectors.shape == (2, 32) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert encoder.token_counts(["a red dog"]).tolist() == [5] and encoder.max_tokens == 16
    shutil.copytree(tiny_folder, tmp_path / "moved")
    moved = load_text_encoder(str(tmp_path / "moved"))
    assert moved.fingerprint.digest == encoder.fingerprint.digest
    weights = tmp_path / "moved" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert load_text_encoder(str(tmp_path / "moved")).fingerprint.digest != encoder.fingerprint.digest


def test_unknown_names_list_the_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(LiftError, match="known names: minilm"):
        load_text_encoder("minilm-l6")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LiftError, match="copy the model's folder here"):
        load_text_encoder("some-org/some-model")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(LiftError, match="could not be loaded"):
        load_text_encoder(str(tmp_path))


def test_tower_ignores_padding_and_what_follows() -> None:
    torch.manual_seed(0)
    texts = ["a red dog runs", "a blue cat", "the cat and the dog sit on a long red mat"]
    tower = TextTower(
        train_tokenizer(texts * 5, vocabulary=300), width=64, depth=2, dim=16, context=12
    ).eval()
    together, alone = tower.encode(texts), np.concatenate([tower.encode([t]) for t in texts])
    assert np.abs(together - alone).max() < 1e-5
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    ids = tower.tokenise(texts)
    assert ids.shape[1] == 12 and (ids[:, 0] == 1).all() and ((ids == 2).sum(1) == 1).all()
    assert tower.encode(["A Red DOG runs"]).tolist() == tower.encode(["a red dog runs"]).tolist()


def test_a_caption_that_spells_the_end_token_does_not_end_there() -> None:
    texts = ["a dog on a mat", "a dog <end> on a mat <pad>"]
    tower = TextTower(train_tokenizer(texts * 5, vocabulary=300), width=64, depth=1, dim=8, context=40)
    ids = tower.tokenise(texts)
    assert ((ids == 2).sum(1) == 1).all()
    assert int((ids[1] == 0).sum()) == 0  # the longest text has no padding, whatever it spells


def test_tokenizer_training_is_repeatable() -> None:
    texts = [f"a {c} {o} number {i}" for i, c in enumerate(("red", "blue")) for o in ("dog", "cat", "写真")]
    assert train_tokenizer(texts, vocabulary=300).to_str() == train_tokenizer(texts, vocabulary=300).to_str()


def padded(parts: Iterable[Sequence[int]]) -> int:
    """Tokens computed when each part is padded to its longest, and what a part costs beside."""
    return sum(len(part) * max(part) + BUCKET_TOKENS for part in parts)


def test_length_buckets_compute_the_fewest_tokens() -> None:
    random = np.random.default_rng(0)
    for _ in range(30):
        lengths = random.choice([3, 9, 14, 60, 80, 110], size=int(random.integers(1, 60)))
        buckets = length_buckets(lengths)
        assert sorted(np.concatenate(buckets)) == list(range(len(lengths))) and len(buckets) <= 4
        values = sorted(set(lengths.tolist()))
        every_way = []
        for count in range(min(4, len(values))):
            for cuts in combinations(values[1:], count):
                borders = [0, *cuts, 1000]
                parts = [[n for n in lengths if a <= n < b] for a, b in pairwise(borders)]
                every_way.append(padded(parts))
        assert padded([lengths[rows] for rows in buckets]) == min(every_way)


def test_length_buckets_by_hand() -> None:
    lengths = np.array([100, 5, 100, 6] * 32)
    short, long = length_buckets(lengths)
    assert sorted(lengths[short]) == [5] * 32 + [6] * 32 and set(lengths[long]) == {100}
    assert [list(rows) for rows in length_buckets(np.array([7, 6, 7]))] == [[1, 0, 2]]  # no bucket pays here
