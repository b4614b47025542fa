"""Plain words and number formats: metric names for people who never saw one, seconds, FLOPs and bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence

SECTIONS = {
    "short": "Search with short captions",
    "long": "Search with long captions",
    "pairs": "Composition: the true sentence against a slightly changed, false one",
    "verification": "Verification: does the sentence fit the photo?",
    "zero_shot": "Zero-shot: naming classes without training on them",
    "other": "Other measurements",
}
CONTROLS = {  # name -> (as shown beside a score, what it means)
    "text_only": (
        "text alone",
        "The same choice made without looking at the photo, from the sentences alone. A score that is no "
        "higher than this one was not earned by seeing.",
    ),
    "shuffled": (
        "shuffled words",
        "The same choice with the words of both sentences in random order. A score that is no higher than "
        "this one was earned by which words occur, not by how they are put together.",
    ),
    "wrong_photo": (
        "wrong photo",
        "The same choice with a photo that neither sentence is about. A score that is no higher than this one "
        "was earned by language habits, not by what is in the photo.",
    ),
    "chance": ("guessing", "What blind guessing would get."),
    "majority_class": ("most frequent class", "What always naming the most frequent class would get."),
}
CONTROLS["shuffled_words"] = CONTROLS["shuffled"]
OTHER_METRICS = {
    "auroc": "A true sentence scores above a false one (AUROC)",
    "auroc_within_photo": "The same, both sentences about one photo (AUROC within photo)",
    "auroc_within_sentence": "The same, among photos of one sentence (AUROC within sentence)",
    "accuracy": "Sentence rightly called true or false, at a threshold from other photos",
    "selective/aurc": "Wrong answers left when unsure ones go to a person (AURC)",
    "selective/augrc": "The same, every failure counting alike (AUGRC)",
    "average_precision": "Few false sentences among the best scored (average precision)",
    "mean_per_class": "Right class is named first, mean over classes",
    "kendall_tau_b": "Agreement with people's ratings, 100 at best, 0 for none (Kendall's tau-b)",
    "kendall_tau_c": "Agreement with people's ratings, 100 at best, 0 for none (Kendall's tau-c)",
}
LOWER_IS_BETTER = ("aurc", "augrc", "median_rank", "mean_rank", "ece", "brier", "loss", "seconds")
UNKNOWN = "not recorded"


def section_of(task: str, variant: str) -> str:
    """The key of SECTIONS a task's results are shown under."""
    words = f"{task} {variant}".lower()
    if "pair" in words or "composition" in words:
        return "pairs"
    if "verif" in words:
        return "verification"
    if "zero" in words or "class" in words:
        return "zero_shot"
    if "retrieval" in words:
        return "long" if "long" in words else "short"
    return "other"


def section_rank(task: str, variant: str) -> int:
    """Place of a task's section on the page."""
    return list(SECTIONS).index(section_of(task, variant))


def split_control(metric: str) -> tuple[str, str]:
    """(control, metric beside it): `control/text_only/top1` -> (text_only, top1); ("", metric) for others.

    A control is what a model blind to the photo, or to the word order, or a plain guess would get.
    """
    if not metric.startswith("control/"):
        return "", metric
    _, control, *rest = metric.split("/")
    return control, "/".join(rest)


def control_words(control: str) -> str:
    """A control's name as shown beside the scores."""
    return CONTROLS.get(control, (control.replace("_", " "), ""))[0]


def control_meaning(control: str) -> str:
    """What a control means, in one sentence for the page."""
    return CONTROLS.get(control, ("", "A comparison value that the evaluation names; see its protocol."))[1]


def higher_is_better(metric: str) -> bool:
    """False for ranks and errors."""
    return not metric.split("/")[-1].startswith(LOWER_IS_BETTER)


def metric_words(metric: str, section: str) -> str:
    """A metric's name as a person would say it; the name itself when there are no such words."""
    control, metric = split_control(metric)
    if control:
        return f"Control, {control_words(control)}: {metric_words(metric, section)}"
    photo, text = "photo", "long description" if section == "long" else "sentence"
    match = re.fullmatch(r"(text_to_image|image_to_text)/(.+)", metric)
    if match:
        found = photo if match[1] == "text_to_image" else text
        way = f"{text} → {photo}" if match[1] == "text_to_image" else f"{photo} → {text}"
        rank = re.fullmatch(r"recall@(\d+)", match[2])
        if rank is None:
            return f"{match[2].replace('_', ' ')} ({way})"
        place = "comes first" if rank[1] == "1" else f"is among the first {rank[1]}"
        return f"Right {found} {place} ({way})"
    return _other_metric_words(metric)


def _other_metric_words(metric: str) -> str:
    *path, last = metric.split("/")
    if (path or [last])[0] == "pair_accuracy":
        kind = {"all": "All kinds together", "pair_accuracy": "All kinds together"}.get(
            last, kind_words(last)
        )
        return ", ".join([kind, *(f"{length} captions" for length in path[1:])])
    if metric in OTHER_METRICS:
        return OTHER_METRICS[metric]
    coverage = re.fullmatch(r"selective/coverage@risk(\d+)", metric)
    if coverage:
        return f"Items answered when {coverage[1]} of 100 answers may be wrong"
    top = re.fullmatch(r"top(\d+)", metric)
    if top:
        return f"Right class {'is named first' if top[1] == '1' else f'is among the first {top[1]}'}"
    return kind_words(metric)


def kind_words(kind: str) -> str:
    """`swap_attribute` -> `Swap attribute`."""
    words = kind.replace("_", " ").replace("/", ", ")
    return words[:1].upper() + words[1:]


def number(value: float | None, digits: int = 1) -> str:
    """A number with a true minus sign: `−1.5`; never `−0.0`."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def signed(value: float, digits: int = 1) -> str:
    """A difference with its sign: `+1.5`, `−1.5`, `0.0`."""
    text = number(value, digits)
    return f"+{text}" if float(f"{value:.{digits}f}") > 0 else text


def interval(low: float, high: float, digits: int = 1) -> str:
    """An interval of differences: `−2.9 to −0.2`."""
    return f"{signed(low, digits)} to {signed(high, digits)}"


def p_words(p: float, corrected: float | None) -> str:
    """A p value as tested and as corrected: `p 0.012, corrected 0.05`; `p < 0.001`."""

    def one(value: float) -> str:
        return "< 0.001" if value < 0.001 else f"{value:.3f}"

    return f"p {one(p)}" + ("" if corrected is None else f", corrected {one(corrected)}")


def joined(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def seconds(value: float | None) -> str:
    """A duration: `12 s`, `17 min 5 s`, `3 h 20 min`."""
    if value is None:
        return UNKNOWN
    if value < 60:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def flops(value: float | None) -> str:
    """A count of floating-point operations: `1.2 GFLOP`."""
    return _scaled(value, "FLOP")


def byte_size(value: float | None) -> str:
    """A size in decimal units: `1.2 GB`."""
    return _scaled(value, "B")


def count(value: float | None) -> str:
    """A whole number with thousands apart: `120,000`."""
    return UNKNOWN if value is None else f"{round(value):,}"


def millions(value: float | None) -> str:
    """A number of parameters: `3.4 million`."""
    if value is None:
        return UNKNOWN
    return count(value) if value < 1e5 else f"{value / 1e6:.1f} million"


def _scaled(value: float | None, unit: str) -> str:
    if value is None:
        return UNKNOWN
    size = float(value)
    for prefix in ("", "k", "M", "G", "T", "P", "E"):
        if abs(size) < 1000 or prefix == "E":
            break
        size /= 1000
    digits = 0 if prefix == "" else 1
    return f"{size:.{digits}f} {prefix}{unit}"
