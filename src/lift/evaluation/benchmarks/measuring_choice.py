"""Measures of composition: choices among texts, photos and captions matched two by two, each with its controls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from lift.evaluation.benchmarks.bench import Bench
from lift.evaluation.benchmarks.scoring import matching_chances, outrank_chances
from lift.evaluation.benchmarks.sheets import Choice, ChoiceSheet, QuadSheet
from lift.evaluation.controls import SHUFFLED_WORDS, WRONG_PHOTO, bag_of_words, wrong_photos
from lift.evaluation.results import Measurement, Metric
from lift.metrics import mean_per_class

CONTROLS = (
    "ties count for what random order gives (published code often counts them wrong, or right); control chance: random "
    f"choice; control text only: the mean photo in place of the photo; {SHUFFLED_WORDS}; {WRONG_PHOTO}"
)


def measure_choices(bench: Bench, sheet: ChoiceSheet) -> Measurement:
    """Share of items whose right text scores highest: all, mean over kinds, each kind, and groups all right."""
    single = all(len(item.right) == len(item.wrong) == 1 for item in sheet.items)
    name = "pair_accuracy" if single else "choice_accuracy"
    photos = bench.files[[item.photo for item in sheet.items]]
    metrics = {
        f"{prefix}{metric}": own
        for prefix, chances in choice_outcomes(bench, sheet.items).items()
        for metric, own in _choice_metrics(sheet, name, chances, photos).items()
    }
    return Measurement(
        protocol=f"share of items in which the right text has the highest cosine with the photo; {CONTROLS}",
        n={"images": len(set(photos.tolist())), "pairs" if single else "choices": len(sheet.items)},
        metrics=metrics,
    )


def _choice_metrics(
    sheet: ChoiceSheet, name: str, chances: np.ndarray, photos: np.ndarray
) -> dict[str, Metric]:
    """<name>/all, /mean_of_kinds and each kind, and what groups of items get, from the chance (n,) of each item."""
    metrics = {f"{name}/all": Metric(chances, photos)}
    members: dict[str, list[int]] = defaultdict(list)
    for number, item in enumerate(sheet.items):
        members[item.kind].append(number)
    counted = [
        numbers
        for kind, numbers in members.items()
        if kind and len(numbers) >= sheet.mean_from and kind not in sheet.not_in_mean
    ]
    if sheet.mean_from and len(counted) > 1:
        order = np.concatenate([np.array(numbers) for numbers in counted])
        kind_of = np.repeat(np.arange(len(counted)), [len(numbers) for numbers in counted])
        metrics[f"{name}/mean_of_kinds"] = Metric(mean_per_class(chances[order], kind_of), photos[order])
    if sheet.show_kinds:
        for kind in sorted(members.keys() - {"", "all", "mean_of_kinds"}):
            own = np.array(members[kind])
            metrics[f"{name}/{kind.replace('/', '-')}"] = Metric(chances[own], photos[own])
    return metrics | _group_metrics(sheet.items, chances, photos)


def _group_metrics(items: Sequence[Choice], chances: np.ndarray, photos: np.ndarray) -> dict[str, Metric]:
    """Chance that all items of a group are right, for each metric that the items name; whole groups only."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, item in enumerate(items):
        for metric, group in item.groups:
            found[metric][group].append(number)
    metrics = {}
    for metric, groups in found.items():
        whole = max(map(len, groups.values()))
        complete = [numbers for numbers in groups.values() if len(numbers) == whole]
        values = np.array([100.0 * np.prod(chances[numbers] / 100.0) for numbers in complete])
        metrics[metric] = Metric(values, photos[[numbers[0] for numbers in complete]])
    return metrics


def choice_outcomes(bench: Bench, items: Sequence[Choice]) -> dict[str, np.ndarray]:
    """Metric prefix ("" or a control's) -> percent (n,): chance that the right texts of an item come first."""
    photos = np.concatenate([np.full(len(item.right) + len(item.wrong), item.photo) for item in items])
    texts = [text for item in items for text in (*item.right, *item.wrong)]
    bags = [
        bag_of_words(text, (bench.seed, number))
        for number, item in enumerate(items)
        for text in (*item.right, *item.wrong)
    ]
    sizes = [(len(item.right), len(item.wrong)) for item in items]
    scored = {
        "": bench.scores(photos, texts),
        "control/chance/": np.zeros(len(texts)),
        "control/text_only/": bench.blind_scores(texts),
        "control/shuffled_words/": bench.scores(photos, bags),
    }
    other = _other_photos(bench, [item.photo for item in items], [item.right for item in items])
    if other is not None:
        scored["control/wrong_photo/"] = bench.scores(np.repeat(other, [sum(two) for two in sizes]), texts)
    return {prefix: outrank_chances(*_split(scores, sizes)) for prefix, scores in scored.items()}


def _other_photos(bench: Bench, photos: Sequence[int], true: Sequence[Sequence[str]]) -> np.ndarray | None:
    """wrong_photos of items about `photos` (n,) with `true` texts, from other files; None where there is one file."""
    _, first, file = np.unique(bench.files[photos], return_index=True, return_inverse=True)
    if len(first) < 2:
        return None
    texts: list[set[str]] = [set() for _ in first]
    for number, own in zip(file, true, strict=True):
        texts[number].update(own)
    return np.asarray(photos)[first][wrong_photos(file, true, texts, bench.seed)]


def _split(scores: np.ndarray, sizes: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Scores (m,) of all texts in a row -> right (n, r), r the same for all, and wrong (n, w), filled up by -inf."""
    right = np.empty((len(sizes), sizes[0][0]))
    wrong = np.full((len(sizes), max(size for _, size in sizes)), -np.inf)
    place = 0
    for row, (a, b) in enumerate(sizes):
        right[row] = scores[place : place + a]
        wrong[row, :b] = scores[place + a : place + a + b]
        place += a + b
    return right, wrong


def measure_two_positives(bench: Bench, sheet: ChoiceSheet) -> Measurement:
    """SugarCrepe++: both captions above the false one; each by itself; and the text encoder alone."""
    base = measure_choices(bench, sheet)
    metrics, photos = dict(base.metrics), bench.files[[item.photo for item in sheet.items]]
    for number, name in enumerate(("first_caption_only", "second_caption_only")):
        items = [item._replace(right=(item.right[number],)) for item in sheet.items]
        for prefix, chances in choice_outcomes(bench, items).items():
            metrics[f"{prefix}{name}"] = Metric(chances, photos)
    first, second = ([item.right[number] for item in sheet.items] for number in (0, 1))
    false = [item.wrong[0] for item in sheet.items]
    among = np.stack(
        [_cosines(bench, a, b) for a, b in ((first, second), (first, false), (second, false))], axis=1
    )
    metrics["text_only_task"] = Metric(outrank_chances(among[:, :1], among[:, 1:]), photos)
    metrics["control/chance/text_only_task"] = Metric(np.full(len(photos), 100 / 3), photos)
    words = (
        "an item is right when both captions score above the false one; text only task: the two captions are nearer to "
        "each other than each is to the false one, no photo used"
    )
    return Measurement(protocol=f"{words}; {CONTROLS}", n=base.n, metrics=metrics)


def _cosines(bench: Bench, a: Sequence[str], b: Sequence[str]) -> np.ndarray:
    return (bench.text_features(a) * bench.text_features(b)).sum(axis=1)


def measure_quads(bench: Bench, sheet: QuadSheet) -> Measurement:
    """Winoground's text, image and group score, over all items and by kind."""
    photos = np.array([item.photos for item in sheet.items])
    first = bench.files[photos[:, 0]]
    captions = [item.captions for item in sheet.items]
    bags = [
        tuple(bag_of_words(text, (bench.seed, number)) for text in own) for number, own in enumerate(captions)
    ]
    scored = {
        "": _crossed(bench, photos, captions),
        "control/chance/": np.zeros((len(photos), 2, 2)),
        "control/text_only/": np.repeat(
            bench.blind_scores([text for own in captions for text in own]).reshape(-1, 1, 2), 2, axis=1
        ),
        "control/shuffled_words/": _crossed(bench, photos, bags),
    }
    if len(photos) > 1:
        other = wrong_photos(np.arange(len(photos)), captions, captions, bench.seed)
        scored["control/wrong_photo/"] = _crossed(bench, photos[other], captions)
    metrics: dict[str, Metric] = {}
    kinds = np.array([item.kind for item in sheet.items])
    for prefix, scores in scored.items():
        for name, values in matching_chances(scores).items():
            metrics[f"{prefix}{name}"] = Metric(values, first)
            for kind in sorted(set(kinds.tolist()) - {""}):
                own = kinds == kind
                metrics[f"{prefix}{name}/{kind.replace('/', '-')}"] = Metric(values[own], first[own])
    return Measurement(
        protocol="text score: both photos prefer their own caption; image score: both captions prefer their own photo; "
        f"group score: both; {CONTROLS}, both photos those of another item (text only gets 0 in the text "
        "score unless captions tie, and 25 in the image score, by construction)",
        n={"images": len(np.unique(photos)), "items": len(photos)},
        metrics=metrics,
    )


def _crossed(bench: Bench, photos: np.ndarray, captions: Sequence[Sequence[str]]) -> np.ndarray:
    """Cosines (n, 2, 2) of photo i with caption j."""
    rows = np.repeat(photos, 2, axis=1).ravel()  # photo 0, 0, 1, 1
    texts = [text for own in captions for _ in range(2) for text in own]
    return bench.scores(rows, texts).reshape(-1, 2, 2)
