"""Robustness: how much of recall and accuracy is left when photos are blurred, noisy, compressed, cropped or dark."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageFilter

from lift.evaluation.results import Measurement, Metric
from lift.evaluation.retrieval import CAPTIONS
from lift.evaluation.subject import NotApplicable, Subject
from lift.evaluation.zero_shot import labelled
from lift.metrics import hit_chances

Damage = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
RECALL, TOP1 = "text_to_image/recall@10", "top1"


def blur(pixels: np.ndarray, radius: float, generator: np.random.Generator) -> np.ndarray:
    """Gaussian blur; radius in hundredths of the side of the photo."""
    image = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius / 100 * len(pixels)))
    return np.asarray(image)


def noise(pixels: np.ndarray, deviation: float, generator: np.random.Generator) -> np.ndarray:
    """Gaussian noise of a standard deviation in steps of 255, in each colour by itself."""
    noisy = pixels + generator.normal(0.0, deviation, pixels.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def jpeg(pixels: np.ndarray, quality: float, generator: np.random.Generator) -> np.ndarray:
    """Saved as JPEG of a quality (1 to 95) and read again."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=int(quality))
    return np.asarray(Image.open(file).convert("RGB"))


def crop(pixels: np.ndarray, area: float, generator: np.random.Generator) -> np.ndarray:
    """A square holding `area` percent of the photo, at a drawn place, brought back to size."""
    side = len(pixels)
    kept = max(1, round(side * (area / 100) ** 0.5))
    top, left = generator.integers(0, side - kept + 1, size=2).tolist()
    box = (left, top, left + kept, top + kept)
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC, box=box))


def brightness(pixels: np.ndarray, percent: float, generator: np.random.Generator) -> np.ndarray:
    """Every value times `percent` / 100: a photo taken with too little light."""
    return np.rint(pixels * (percent / 100)).astype(np.uint8)


#: kind -> (what is done, five strengths from slight to severe, in the unit its function states)
DAMAGES: dict[str, tuple[Damage, tuple[float, ...]]] = {
    "blur": (blur, (0.5, 1.0, 2.0, 3.0, 5.0)),
    "noise": (noise, (4.0, 8.0, 16.0, 32.0, 64.0)),
    "jpeg": (jpeg, (60.0, 40.0, 20.0, 10.0, 5.0)),
    "crop": (crop, (90.0, 75.0, 60.0, 45.0, 30.0)),
    "brightness": (brightness, (80.0, 60.0, 40.0, 25.0, 15.0)),
}


def damaged(pixels: np.ndarray, numbers: np.ndarray, kind: str, strength: float, seed: int) -> np.ndarray:
    """uint8 photos (b, S, S, 3), each damaged by a generator of its own, so that batches make no difference."""
    damage, place = DAMAGES[kind][0], list(DAMAGES).index(kind)
    return np.stack(
        [
            damage(photo, strength, np.random.default_rng((seed, place, int(number))))
            for photo, number in zip(pixels, numbers, strict=True)
        ]
    )


def robustness(subject: Subject) -> Measurement:
    """Recall@10 and top-1 accuracy on damaged photos; per kind the mean over its five strengths."""
    measures = list(measures_of(subject))
    if not measures:
        raise NotApplicable("the photos have neither short captions nor labels", "ingest photos with texts")
    seed = subject.config.seed
    clean = [measure(subject.image_features) for _, measure, _ in measures]
    found: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name, _, _ in measures}
    for kind, (_, strengths) in DAMAGES.items():
        for strength in strengths:
            vectors = subject.changed_features(
                f"{kind} {strength:g} seed {seed}",
                lambda pixels, numbers, k=kind, s=strength: damaged(pixels, numbers, k, s, seed),  # type: ignore[misc]
            )
            for name, measure, _ in measures:
                found[name].setdefault(kind, []).append(measure(vectors))
    metrics: dict[str, Metric] = {}
    curves = {}
    for (name, _, clusters), intact in zip(measures, clean, strict=True):
        metrics[f"clean/{name}"] = Metric(intact, clusters)
        for kind, outcomes in found[name].items():
            metrics[f"{kind}/{name}"] = Metric(np.mean(outcomes, axis=0), clusters)
        curves[name] = {
            kind: [
                {
                    "strength": strength,
                    "value": round(float(values.mean()), 4),
                    "kept": round(float(100 * values.mean() / intact.mean()), 2) if intact.any() else None,
                }
                for strength, values in zip(DAMAGES[kind][1], outcomes, strict=True)
            ]
            for kind, outcomes in found[name].items()
        }
    words = "; ".join(f"{kind} {', '.join(f'{s:g}' for s in of[1])}" for kind, of in DAMAGES.items())
    return Measurement(
        protocol="robustness: the photos damaged at five strengths, the texts as they are; <kind>/<metric> is the "
        f"mean over its strengths; {words} (blur: radius in hundredths of the side; noise: deviation of 255; jpeg: "
        "quality; crop: percent of the area kept; brightness: percent of each value)",
        n={"images": len(subject.rows), "damages": len(DAMAGES), "strengths": 5},
        metrics=metrics,
        details={"robustness": curves},
    )


def measures_of(
    subject: Subject,
) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray], np.ndarray]]:
    """(name, vectors of all photos of the split -> percent per item, clusters) for what the DATASET allows."""
    positions = [position for position, row in enumerate(subject.rows) if row.captions]
    if len(positions) > 1:
        captions = [subject.rows[position].captions[:CAPTIONS] for position in positions]
        owner = np.repeat(np.arange(len(positions)), [len(own) for own in captions])
        texts = subject.text_features([text for own in captions for text in own])
        pairs = (np.arange(len(owner)), owner)
        yield (
            RECALL,
            lambda vectors: hit_chances(texts, vectors[positions], pairs, (10,))[10],
            subject.numbers[positions][owner],
        )
    try:
        classes = labelled(subject)
    except NotApplicable:
        return
    rows = (np.arange(len(classes.labels)), classes.labels)
    yield (
        TOP1,
        lambda vectors: hit_chances(vectors[classes.positions], classes.vectors, rows, (1,))[1],
        subject.numbers[classes.positions],
    )
