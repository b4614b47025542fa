"""When a light turns yellow or red, why there, and what each light means for the one who must decide.

The limits are ours: set by what the measures mean, not fitted to results. Each says its reason.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Limit(NamedTuple):
    """Green from `green` on, yellow from `yellow` on, else red; for `lower` is better the other way round."""

    green: float
    yellow: float
    lower: bool
    reason: str

    def colour(self, value: float) -> Literal["green", "yellow", "red"]:
        """The colour of a value; one that is no number is red."""
        sign = -1 if self.lower else 1
        if sign * value >= sign * self.green:
            return "green"
        return "yellow" if sign * value >= sign * self.yellow else "red"

    def words(self) -> str:
        """`green from 50, yellow from 20`."""
        to = "up to" if self.lower else "from"
        return f"green {to} {self.green:g}, yellow {to} {self.yellow:g}"


LIMITS = {
    "same_item": Limit(
        50, 20, False,
        "percent of the way from chance to perfect at recall@10: where texts about one thing do not find each other, "
        "no image can lie near all of them; below 20 the encoder groups by something else than content",
    ),
    "minimal_change": Limit(
        75, 50, False,
        "AUROC; at 50 a changed meaning is no further away than a changed wording, so training cannot tell them "
        "apart; 75 is half of the way to perfect",
    ),
    "glossary": Limit(
        75, 50, False,
        "percent of comparisons in which a term is nearer to itself in another sentence than to its confusable one; "
        "at 50 wording counts as much as the term",
    ),
    "truncation": Limit(
        1, 10, True, "percent of texts cut; one in a hundred is lost in other noise, one in ten is not",
    ),
    "fertility": Limit(
        1.6, 2.5, True,
        "pieces per word (for Japanese per character, scaled by two); encoders on their own language need 1.1 to 1.5, "
        "from 2.5 on words are spelt rather than known",
    ),
    "unknown": Limit(0.5, 5, True, "percent of words in running text that become [UNK], that is, are not read at all"),
    "anisotropy": Limit(
        0.3, 0.6, True,
        "mean cosine of unrelated texts; at 0.6 less than half of the cosine scale is left to tell texts apart by",
    ),
    "effective_rank": Limit(
        64, 16, False,
        "directions; image features must follow all of them, and below 16 there is room for a "
        "few themes only (both in proportion less for fewer than 200 texts)",
    ),
    "hubness": Limit(
        2, 5, True,
        "skewness above what random vectors of the same kind have; beyond 5 a few texts are answers to everything",
    ),
    "duplicates": Limit(
        5, 25, True,
        "percent of rows of a batch with a false negative; identical texts are masked out in training, but at 25 a "
        "batch teaches markedly less than its size",
    ),
    "determinism": Limit(
        1e-4, 1e-2, True,
        "largest difference of a component; float32 gives 1e-6, half precision 1e-3, more is leaking padding",
    ),
}  # fmt: skip


class Advice(NamedTuple):
    """Words about one light: heading, what is asked; when it is not green the fault, its likely cause, a remedy."""

    title: str
    question: str
    fault: str
    cause: str
    remedy: str


ADVICE = {
    "same_item": Advice(
        "Texts about the same thing find each other",
        "Does a description find another description of the same thing among all texts?",
        "texts about the same thing do not find each other",
        "the encoder does not group your texts by what they are about: another language or trade than it was trained "
        "on, texts that say different things about one item, or many items with nearly the same text",
        "look at some texts of one item: if a person could not match them, improve the texts; else choose an encoder "
        "trained on sentences in your language, and check its prompt and pooling",
    ),
    "minimal_change": Advice(
        "A changed meaning counts more than a changed wording",
        "Is a sentence nearer to its paraphrase than to itself with one fact changed?",
        "a changed meaning counts too little",
        "the encoder measures which words occur rather than what the sentence says, as most small ones do",
        "choose a larger encoder or one trained on entailment; hard negatives in training will not help where the "
        "texts' vectors coincide. Until then let people check what hangs on such details",
    ),
    "glossary": Advice(
        "Your terms keep apart from what they are confused with",
        "Is a term nearer to itself in another sentence than to the term it must not be confused with?",
        "glossary terms are mixed up",
        "the encoder has not met these words as different things; words that look or sound alike share pieces",
        "write the difference out in the texts (“M8 bolt, with head” instead of “M8 bolt”), or choose an encoder "
        "trained on your trade; the worst pairs are listed below",
    ),
    "truncation": Advice(
        "Long texts are read to the end",
        "How many texts are longer than the encoder reads?",
        "long texts are cut off",
        "the texts are longer than the encoder's limit; what lies beyond is ignored without a word",
        "put the important part first, split long texts into several captions, or choose an encoder that reads more",
    ),
    "fertility": Advice(
        "Words stay in few pieces",
        "Into how many pieces does the encoder break a word?",
        "words fall into many pieces",
        "the encoder's vocabulary was made for another language or trade",
        "choose an encoder made for this language; lift's page on text encoders names multilingual ones",
    ),
    "unknown": Advice(
        "All words can be read",
        "How many words become the placeholder for unknown?",
        "words cannot be read",
        "the vocabulary lacks these characters, so that different words get one and the same vector",
        "choose an encoder made for this language, or write these words otherwise; the most frequent are listed",
    ),
    "anisotropy": Advice(
        "Unrelated texts are far apart",
        "How similar are two texts drawn at random?",
        "unrelated texts lie close together",
        "the texts are all alike, or all vectors share one direction that says nothing, as usual with decoder models",
        "subtract the mean vector (space conditioning when embedding); the value after centring shows what it brings",
    ),
    "effective_rank": Advice(
        "The vectors use many directions",
        "In how many directions do your texts really differ?",
        "the vectors use few directions",
        "the texts are very alike, or the encoder puts nearly all differences into a few directions",
        "check for templates and repeated texts first; then try whitening when embedding, or another encoder",
    ),
    "hubness": Advice(
        "No text is everybody's neighbour",
        "Do a few texts turn up among the nearest of very many others?",
        "some texts are everybody's neighbour",
        "some texts lie in the middle of the space (short, general or empty of content) and win every search",
        "remove texts without content, and try centring when embedding; search results will else repeat themselves",
    ),
    "duplicates": Advice(
        "Few texts repeat within a training batch",
        "How many rows of a batch meet their own text at another item?",
        "texts repeat within a training batch",
        "many items carry the same or nearly the same text, so that right answers are counted as wrong",
        "write what tells the items apart, or train with a smaller batch; lift masks identical texts, near-identical "
        "ones it cannot",
    ),
    "determinism": Advice(
        "The same text always gets the same vector",
        "Does a vector depend on which other texts are encoded with it?",
        "a text does not always get the same vector",
        "padding leaks into the vector, dropout is on, or the precision is low",
        "encode in float32; check that the model is in evaluation mode and that pooling leaves padding out. Vectors "
        "of training and of search would else not fit",
    ),
}  # fmt: skip

# What each kind of minimal change (of lift.rewording) is called, and what not seeing it means.
KINDS = {
    "order": ("who does what to whom (word order)", "“dog bites man” and “man bites dog” look alike"),
    "negation": ("negation", "“with scratches” and “without scratches” look alike"),
    "number": ("numbers", "“two cups” and “three cups” look alike"),
    "unit": ("units", "“5 mm” and “5 cm” look alike"),
    "part_number": ("part numbers", "“M8-30” and “M8-35” look alike"),
    "left_right": ("left and right", "“on the left” and “on the right” look alike"),
    "relation": ("relations", "“under the table” and “on the table” look alike"),
    "attribute": ("colours and other attributes", "“a red cup” and “a blue cup” look alike"),
    "object": ("the kind of thing", "“a dog runs” and “a cat runs” look alike"),
}
LANGUAGES = {"en": "English", "ja": "Japanese"}


def kind_words(kind: str) -> str:
    """A kind of change in plain words."""
    return KINDS[kind][0] if kind in KINDS else kind.replace("_", " ")


def advice_of(name: str) -> Advice:
    """The words of a light; `minimal_change/[language/]kind` and `fertility/language` are told by their parts."""
    part, *rest = name.split("/")
    advice = ADVICE[part]
    if not rest:
        return advice
    language = LANGUAGES.get(rest[0])
    if part == "minimal_change":
        kind = rest[-1]
        title = f"Sees {kind_words(kind)}" + (f", {language}" if language else "")
        cause = f"to the encoder {KINDS[kind][1]}; {advice.cause}" if kind in KINDS else advice.cause
        fault = f"it hardly sees {title.removeprefix('Sees ')}"
        return advice._replace(title=title, fault=fault, cause=cause)
    return advice._replace(title=f"{advice.title}, {language or rest[0]}")
