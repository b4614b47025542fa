"""Benchmarks of truth and agreement: NLVR2, NLVR, Flickr8k's ratings; Kendall's tau against scipy."""

from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from benches_by_hand import NAMES, Painted, measure_folder, paint, values, write_lines
from lift.errors import LiftError
from lift.evaluation.benchmarks.measuring_truth import with_other_photos
from lift.evaluation.benchmarks.scoring import weighted_kendall
from lift.evaluation.benchmarks.sheets import Claim, ClaimSheet


@pytest.mark.parametrize("variant", ["b", "c"])
def test_kendall_is_that_of_scipy(variant: str) -> None:
    generator = np.random.default_rng(0)
    scores, ratings = generator.integers(0, 12, 40) / 12, generator.integers(1, 5, 40).astype(float)
    weights = generator.integers(0, 4, (6, 40))
    weights[0] = 1
    expected = [
        100
        * scipy.stats.kendalltau(np.repeat(scores, own), np.repeat(ratings, own), variant=variant).statistic
        for own in weights
    ]
    np.testing.assert_allclose(weighted_kendall(scores, ratings, variant)(weights), expected)
    smooth = generator.random(40)
    alone = 100 * scipy.stats.kendalltau(smooth, ratings, variant=variant).statistic
    np.testing.assert_allclose(weighted_kendall(smooth, ratings, variant)(weights[:1]), [alone])


def test_kendall_by_hand() -> None:
    # Pairs of (score, rating): (1, 1), (2, 3), (3, 2): two concordant, one discordant of three.
    tau = weighted_kendall(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]), "b")
    np.testing.assert_allclose(tau(np.ones((1, 3), int)), [100 / 3])
    assert np.isnan(tau(np.array([[3, 0, 0]]))).all()  # one item only: no correlation


def nlvr2(root: Path) -> Painted:
    """A sentence about two pairs, true of red and green, false of blue and yellow; another without a false one."""
    for pair, colours in enumerate((("red", "green"), ("blue", "yellow"))):
        for side, colour in enumerate(colours):
            paint(root / "test1" / f"test1-7-{pair}-img{side}.png", colour)
    entries = [
        {"identifier": f"test1-7-{pair}-{number}", "sentence": text, "label": label, "left_url": "x"}
        for pair, number, text, label in (
            (0, 0, "Both Photos show dogs", "True"),
            (1, 0, "Both Photos show dogs", "False"),
            (0, 1, "One Photo is green", "True"),
        )
    ]
    write_lines(root / "data" / "test1.json", entries)
    cosines = {
        "Both Photos show dogs": {"red": 0.5, "blue": 0.3, "yellow": 0.4},
        "One Photo is green": {"green": 0.9},
    }
    return Painted(cosines)


def test_nlvr2(tmp_path: Path) -> None:
    model = nlvr2(tmp_path)
    measured, bench = measure_folder("nlvr2", tmp_path, model)
    found = values(measured)
    assert not bench.failures and measured.n == {"images": 4, "true": 2, "false": 1}
    # Means: (0.5 + 0) / 2 true, (0.3 + 0.4) / 2 false; (0 + 0.9) / 2 true.
    assert found["auroc"] == 50 and found["auroc_within_sentence"] == 0
    assert found["control/chance/average_precision"] == pytest.approx(200 / 3, abs=1e-3)
    assert found["control/text_only/auroc_within_sentence"] == 50  # the same sentence: a tie
    assert found["control/chance/auroc"] == 50
    beside, bench = measure_folder("nlvr2", tmp_path, model, "test1-side-by-side")
    assert beside.n["images"] == 2
    half = np.sqrt(0.5)
    np.testing.assert_allclose(
        bench.image_features, [[half, half, 0, 0, 0], [0, 0, half, half, 0]], atol=1e-6
    )
    assert values(beside)["auroc_within_sentence"] == 0
    (tmp_path / "test1" / "test1-7-1-img0.png").unlink()  # the only false pair
    with pytest.raises(LiftError, match="all sentences that are left are true"):
        measure_folder("nlvr2", tmp_path, model)


def test_nlvr_drawings(tmp_path: Path) -> None:
    labels = ("true", "true", "false", "false")
    entries = []
    for number, (name, label) in enumerate(zip(NAMES, labels, strict=True)):
        paint(tmp_path / "dev" / "images" / str(number % 2) / f"dev-72-{number}-0.png", name)
        entries.append({"identifier": f"72-{number}", "sentence": "There is a Box", "label": label})
    write_lines(tmp_path / "dev" / "dev.json", entries)
    model = Painted({"There is a Box": {"red": 0.5, "green": 0.2, "blue": 0.2, "yellow": 0.1}})
    measured, bench = measure_folder("nlvr", tmp_path, model)
    assert not bench.failures
    # red beats both, green ties with blue and beats yellow: (1 + 1 + 0.5 + 1) / 4
    assert values(measured)["auroc_within_sentence"] == 87.5
    lines = [
        {
            "image": f"dev/images/{n % 2}/dev-72-{n}-0.png",
            "sentence": "There is a Box",
            "label": n < 2,
            "split": "dev",
        }
        for n in range(4)
    ]
    write_lines(tmp_path / "examples.jsonl", lines)
    assert values(measure_folder("nlvr", tmp_path, model)[0])["auroc_within_sentence"] == 87.5
    write_lines(tmp_path / "examples.jsonl", [{**lines[0], "label": "maybe"}])
    with pytest.raises(LiftError, match="label 'maybe'"):
        measure_folder("nlvr", tmp_path, model)


def test_true_sentences_with_photos_of_another_sentence() -> None:
    claims = [Claim((n,), f"sentence {group}", n % 2 == 0, group) for n, group in enumerate("aabbb")]
    groups = np.array([0, 0, 1, 1, 1])
    drawn = with_other_photos(ClaimSheet([], claims), groups, seed=3)
    assert [item.sentence for item in drawn.items] == [item.sentence for item in claims]
    assert all(item.photos[0] in (2, 3, 4) for item in drawn.items[:2])
    assert all(item.photos[0] in (0, 1) for item in drawn.items[2:])
    assert drawn.items == with_other_photos(ClaimSheet([], claims), groups, seed=3).items


def flickr8k(root: Path) -> Painted:
    """Four photos with a caption each. Caption n is about photo n; each photo is rated with captions 0 and 1."""
    captions, cosines = [], {}
    for number, name in enumerate(NAMES):
        paint(root / "Flicker8k_Dataset" / f"{number}.jpg", name)
        captions.append(f"{number}.jpg#0\tCaption  {number} .")
    (root / "Flickr8k.token.txt").write_text("\n".join(captions) + "\n")
    rated = {(0, 0): (4, 4, 4), (0, 1): (1, 2, 1), (1, 0): (1, 1, 2), (2, 0): (2, 3, 3), (3, 1): (3, 3, 4)}
    lines = [f"{p}.jpg\t{c}.jpg#0\t" + "\t".join(map(str, r)) for (p, c), r in rated.items()]
    (root / "ExpertAnnotations.txt").write_text("\n".join(lines) + "\n")
    crowd = ["0.jpg\t0.jpg#0\t1\t3\t0", "1.jpg\t0.jpg#0\t0\t0\t3", "2.jpg\t0.jpg#0\t0.333333333333\t1\t2"]
    (root / "CrowdFlowerAnnotations.txt").write_text("\n".join(crowd) + "\n")
    for prefix in ("", "A photo depicts "):
        cosines[f"{prefix}Caption 0 ."] = {"red": 0.9, "green": -0.3, "blue": 0.2}
        cosines[f"{prefix}Caption 1 ."] = {"red": -0.2, "green": 0.5, "yellow": 0.4}
    return Painted(cosines)


def test_flickr8k_expert(tmp_path: Path) -> None:
    model = flickr8k(tmp_path)
    measured, _ = measure_folder("flickr8k-expert", tmp_path, model)
    assert measured.n == {"images": 4, "ratings": 12}  # photo 0 with its own caption is left out
    ratings = [1, 2, 1, 1, 1, 2, 2, 3, 3, 3, 3, 4]
    clipped = np.repeat([0.0, 0.0, 0.2, 0.4], 3)  # negative cosines tie at 0
    cosines = np.repeat([-0.2, -0.3, 0.2, 0.4], 3)
    plain, _ = measure_folder("flickr8k-expert", tmp_path, model, "plain-cosine")
    for result, scores in ((measured, clipped), (plain, cosines)):
        found = values(result)
        for variant in ("b", "c"):
            expected = 100 * scipy.stats.kendalltau(scores, ratings, variant=variant).statistic
            assert found[f"kendall_tau_{variant}"] == pytest.approx(expected, abs=1e-3)
        assert found["control/chance/kendall_tau_c"] == 0
    assert 'the sentence is "A photo depicts"' in measured.protocol
    entry = plain.metrics["kendall_tau_c"].entry(seed=0)
    assert -100 <= entry["low"] <= entry["value"] <= entry["high"] <= 100


def test_flickr8k_crowdflower(tmp_path: Path) -> None:
    model = flickr8k(tmp_path)
    measured, _ = measure_folder("flickr8k-crowdflower", tmp_path, model)
    assert measured.n == {"images": 3, "ratings": 3}  # here the own caption counts
    assert values(measured)["kendall_tau_b"] == pytest.approx(100)  # 0.9, 0, 0.2 as 1, 0, 1/3
    path = tmp_path / "CrowdFlowerAnnotations.txt"
    path.write_text("0.jpg\t9.jpg#0\t1\t3\t0\n")
    with pytest.raises(LiftError, match=r"line 1 .*9\.jpg#0"):
        measure_folder("flickr8k-crowdflower", tmp_path, model)


def test_a_negative_correlation_keeps_its_interval(tmp_path: Path) -> None:
    model = flickr8k(tmp_path)
    lines = [f"{n}.jpg\t0.jpg#0\t{share}\t1\t1" for n, share in enumerate((0.0, 1.0, 0.5, 0.75))]
    (tmp_path / "CrowdFlowerAnnotations.txt").write_text("\n".join(lines) + "\n")
    entry = (
        measure_folder("flickr8k-crowdflower", tmp_path, model, "plain-cosine")[0]
        .metrics["kendall_tau_b"]
        .entry(0)
    )
    assert entry["value"] == pytest.approx(-100) and entry["low"] == pytest.approx(-100)
