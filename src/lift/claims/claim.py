"""The claims of the method (arXiv 2506.04209), each with its arms, its test and what is measured for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from lift.claims.rules import Test

#: Arm -> method and loss of `lift train`, and its name for readers.
ARMS: Final[dict[str, tuple[str, str, str]]] = {
    "lift": ("lift", "contrastive", "LIFT"),
    "clip": ("clip", "contrastive", "CLIP"),
    "lift-cosine": ("lift", "cosine", "LIFT, cosine loss"),
}


@dataclass(frozen=True)
class Claim:
    """One claim: `subject` against `reference` by `test` on `measure`; see measures.MEASURES and costs.COSTS."""

    number: str
    said: str
    subject: str
    reference: str
    test: Test | Literal["cheaper", "none"]
    measure: str
    note: str = ""


TUNED: Final = (
    "lift trains no arm in which the language model itself learns: the frozen one is compared with CLIP's text tower, "
    "which starts from nothing"
)
CLAIMS: Final = (
    Claim("1a", "With short texts it finds as much as jointly trained CLIP", "lift", "clip", "on par", "short"),
    Claim("1b", "It names classes without training as well as CLIP", "lift", "clip", "on par", "classes"),
    Claim("2", "With long texts it finds more than CLIP", "lift", "clip", "better", "long"),
    Claim("3a", "It notices changed word order better than CLIP", "lift", "clip", "better", "order"),
    Claim("3b", "It notices changed attributes better than CLIP", "lift", "clip", "better", "attribute"),
    Claim("3c", "It notices changed relations better than CLIP", "lift", "clip", "better", "relation"),
    Claim("3d", "It tells true from false sentences better than CLIP", "lift", "clip", "better", "sentences"),
    Claim("4a", "Training needs less computation", "lift", "clip", "cheaper", "flops"),
    Claim("4b", "… also with the text pass counted in", "lift", "clip", "cheaper", "flops_with_texts"),
    Claim("4c", "Training takes less time", "lift", "clip", "cheaper", "seconds"),
    Claim("4d", "… also with the text pass counted in", "lift", "clip", "cheaper", "seconds_with_texts"),
    Claim("4e", "Training needs less memory", "lift", "clip", "cheaper", "memory"),
    Claim("5", "A frozen text encoder does as well as one that is tuned", "lift", "lift", "none", "", TUNED),
    Claim("6a", "The cosine loss suffices: short texts", "lift-cosine", "lift", "not worse", "short"),
    Claim("6b", "The cosine loss suffices: long texts", "lift-cosine", "lift", "not worse", "long"),
    Claim("6c", "The cosine loss suffices: changed sentences", "lift-cosine", "lift", "not worse", "changed"),
)  # fmt: skip
