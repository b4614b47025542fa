"""lift exam: each light turns red for exactly the right thing, encoders side by side, the page, bad input."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from exam_cases import (
    Broken,
    Constant,
    Drifting,
    Narrow,
    ShortSighted,
    WordOrderBlind,
    Wrapped,
    english,
    english_items,
)
from lift import cli
from lift.auditing import Exam, ExamConfig, Term, exam, examine
from lift.auditing.changes import compare_trials
from lift.auditing.conclusion import verdict
from lift.auditing.light import Measured, light_of
from lift.auditing.limits import ADVICE, LIMITS
from lift.auditing.page import render
from lift.auditing.running import PARTS, open_encoder
from lift.auditing.scoring import WEIGHTS, gaps, score_of
from lift.auditing.terms import pair_comparison
from lift.errors import LiftError
from lift.place import Place
from lift.text import EncoderOptions, MiniLM

GLOSSARY = [Term("bolt", "nut"), Term("left valve", "right valve"), Term("crack", "scratch")]


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM()


@pytest.fixture(scope="module")
def found(minilm: MiniLM) -> Exam:
    """The default encoder and its broken relatives, all on the same texts."""
    kinds = {
        "minilm": Wrapped,
        "twin": Wrapped,
        "blind": WordOrderBlind,
        "constant": Constant,
        "drifting": Drifting,
        "broken": Broken,
        "short": ShortSighted,
        "narrow": Narrow,
    }
    known: dict[str, np.ndarray] = {}
    encoders = {name: kind(minilm, known) for name, kind in kinds.items()}
    return examine(encoders, english(), glossary=GLOSSARY, batch_size=16)


def colours(found: Exam, name: str) -> dict[str, str]:
    return {light.name: light.colour for light in found.lights[name]}


def changed(found: Exam, name: str) -> dict[str, str]:
    """The lights of another colour than the default encoder's."""
    usual = colours(found, "minilm")
    return {light: colour for light, colour in colours(found, name).items() if colour != usual[light]}


def test_a_sound_encoder_has_no_red_light_but_for_what_it_does_not_see(found: Exam) -> None:
    lights = colours(found, "minilm")
    assert [n for n, c in lights.items() if c == "red" and not n.startswith("minimal_change/")] == []
    for name in ("truncation", "unknown", "determinism", "fertility", "hubness", "duplicates"):
        assert lights[name] == "green", name
    assert {"minimal_change/order", "minimal_change/negation", "minimal_change/attribute"} <= lights.keys()


def test_an_encoder_without_word_order_is_red_for_word_order_alone(found: Exam) -> None:
    touched = ("minimal_change", "minimal_change/order")
    was, now = ({x.name: x for x in found.lights[name]} for name in ("minilm", "blind"))
    other = {name: light.value for name, light in now.items() if name not in touched}
    assert other == {name: light.value for name, light in was.items() if name not in touched}
    # The default encoder hardly sees word order either, but it sees something.
    light = now["minimal_change/order"]
    assert light.colour == "red" and was["minimal_change/order"].value > 30
    assert light.value == 0.0 and light.details["cosine_of_changed"] == pytest.approx(1.0)
    assert (
        "man bites dog" in light.cause
        and "who does what to whom" in light.fault
        and "hard negatives" in light.remedy
    )
    assert any(s.startswith("blind") and "does not see who does what to whom" in s for s in found.conclusion)


def test_a_constant_encoder_is_at_chance_everywhere(found: Exam) -> None:
    lights = {light.name: light for light in found.lights["constant"]}
    for name in ("same_item", "minimal_change", "effective_rank", "anisotropy", "glossary", "duplicates"):
        assert lights[name].colour in (("yellow",) if name in ("glossary", "minimal_change") else ("red",)), (
            name
        )
    assert lights["same_item"].value == pytest.approx(lights["same_item"].details["chance@10"])
    assert lights["minimal_change"].value == pytest.approx(50.0) and lights["glossary"].value == 50.0
    assert lights["unknown"].colour == "grey" and lights["determinism"].colour == "green"
    assert "cannot carry these texts" in " ".join(s for s in found.conclusion if s.startswith("constant"))


def test_vectors_that_depend_on_the_batch_turn_determinism_red_alone(found: Exam) -> None:
    assert changed(found, "drifting") == {"determinism": "red"}


def test_broken_vectors_leave_nothing_to_measure(found: Exam) -> None:
    lights = {light.name: light for light in found.lights["broken"]}
    assert lights["determinism"].colour == "red" and "not finite" in lights["determinism"].meaning
    assert {light.colour for name, light in lights.items() if name != "determinism"} == {"grey"}
    assert found.scores["broken"].value is None


def test_a_short_limit_turns_truncation_red_alone(found: Exam, minilm: MiniLM) -> None:
    assert changed(found, "short") == {"truncation": "red"}
    light = next(light for light in found.lights["short"] if light.name == "truncation")
    counts = minilm.token_counts(english().texts)
    assert light.value == pytest.approx(100 * (counts > 8).mean())
    assert light.details["percent_of_tokens_lost"] == pytest.approx(
        100 * np.maximum(counts - 8, 0).sum() / counts.sum()
    )


def test_few_directions_turn_effective_rank_red(found: Exam) -> None:
    assert colours(found, "narrow")["effective_rank"] == "red"
    light = next(light for light in found.lights["narrow"] if light.name == "effective_rank")
    assert light.value < 6.01


def test_scores_order_the_encoders_and_know_the_noise(found: Exam) -> None:
    score = {name: s.value for name, s in found.scores.items() if s.value is not None}
    assert found.best in ("minilm", "twin", "drifting") and abs(score["drifting"] - score["minilm"]) < 1
    assert score["constant"] < score["narrow"] < score["minilm"] == score["twin"]
    leads = {gap.name: gap for gap in found.leads}
    assert leads["constant"].beyond_noise and leads["constant"].low > 10


def test_no_difference_is_said_to_be_none(minilm: MiniLM) -> None:
    known: dict[str, np.ndarray] = {}
    twins = {name: Wrapped(minilm, known) for name in ("one", "two")}
    found = examine(twins, english(), batch_size=16)
    [lead] = found.leads
    assert lead.value == 0 and not lead.beyond_noise
    assert any("no difference beyond the noise" in s and lead.name in s for s in found.conclusion)


def test_a_score_is_the_weighted_mean_of_its_parts() -> None:
    clusters = np.arange(4)
    parts = [
        Measured("same_item", 50.0, normalised=0.5, outcomes=(np.array([0.0, 100, 0, 100]), clusters)),
        Measured("truncation", 10.0, normalised=0.9),
        Measured("anisotropy", 0.9),  # not in the score
        Measured("hubness", skipped="too few"),
    ]
    score = score_of(parts, seed=0)
    assert score.value == pytest.approx(100 * (3 * 0.5 + 1 * 0.9) / 4)
    assert score.parts == {"same_item": 0.5, "truncation": 0.9}
    assert score_of(parts[1:], seed=0).low is None  # nothing that could be resampled
    assert score.low == pytest.approx(100 * (3 * 0.0 + 0.9) / 4) and score.high == pytest.approx(97.5)


def test_the_lead_is_paired() -> None:
    random = np.random.default_rng(0)
    values = random.uniform(0, 90, 200)
    better = [
        Measured("same_item", 1.0, normalised=float(v.mean() / 100), outcomes=(v, np.arange(200)))
        for v in (values, values + 1)
    ]
    best, (lead,) = gaps({name: score_of([part], seed=0) for name, part in zip("ab", better, strict=True)})
    # One percent on every item: certain when paired, lost in the noise of the items when not.
    assert best == "b" and (lead.value, lead.low, lead.high) == pytest.approx((1.0, 1.0, 1.0))
    assert lead.beyond_noise


def test_parts_that_cannot_be_resampled_give_no_lead() -> None:
    """A text file of single lines has rank and hubness alone: one number each, of which no noise is known."""
    flat = np.full(50, 100.0)  # nor is it of a part in which nobody ever fails
    glossary = Measured("glossary", 100.0, normalised=1.0, outcomes=(flat, np.arange(50)))
    ranks = [Measured("effective_rank", 1.0, normalised=v) for v in (0.5, 0.6)]
    for more in ([], [glossary]):
        _, (lead,) = gaps(
            {name: score_of([rank, *more], seed=0) for name, rank in zip("ab", ranks, strict=True)}
        )
        assert lead.value > 0 and not lead.beyond_noise


def test_minimal_changes_by_hand() -> None:
    same = [np.array([0.9, 0.7]), np.array([0.6])]
    outcome = compare_trials(same, np.array([0.8, 0.65]), np.array([4, 7]))
    # Paraphrases 0.9, 0.7, 0.6 against changes 0.8, 0.65: 2 + 1 + 0 of 6 pairs.
    assert outcome.placements.mean() == pytest.approx(50.0)
    assert outcome.nearer.tolist() == [50.0, 0.0] and outcome.texts.tolist() == [4, 4, 7, 4, 7]


def test_a_term_against_its_confusable_by_hand() -> None:
    angles = np.deg2rad([[0, 20], [30, 50]])  # the term in two sentences, the confusable in the same two
    term, other = (np.stack([np.cos(a), np.sin(a)], 1) for a in angles)
    # Strict: own other sentence at 20°, confusable in the same sentence at 30°: always nearer to itself.
    # Loose: confusable in the other sentence at 50° from the first, at 10° from the second.
    strict, loose, margin = pair_comparison(term, other)
    assert (strict, loose) == (100.0, 50.0)
    assert margin == pytest.approx(np.cos(np.deg2rad(20)) - np.cos(np.deg2rad(30)))
    assert pair_comparison(term, term)[1] == 50.0 and pair_comparison(term, term)[0] == 0.0


def test_every_light_has_limits_advice_and_a_place() -> None:
    assert LIMITS.keys() == ADVICE.keys() == PARTS.keys() and WEIGHTS.keys() <= PARTS.keys()
    for name, limit in LIMITS.items():
        step = (limit.green - limit.yellow) / 1000
        assert [limit.colour(v) for v in (limit.green, limit.green - step, limit.yellow, limit.yellow - step)] == [
            "green", "yellow", "yellow", "red",
        ], name  # fmt: skip
        assert limit.colour(float("nan")) == "red"


def test_verdict_in_words() -> None:
    good = light_of(Measured("same_item", 90.0, unit="%"))
    assert verdict("x", [good]) == "x can carry these texts."
    red = light_of(Measured("same_item", 5.0, unit="%"))
    assert verdict("x", [red]).startswith(
        "x cannot carry these texts as it is: texts about the same thing do not find"
    )
    cut = light_of(Measured("truncation", 50.0, unit="%"))
    blind = light_of(Measured("minimal_change/negation", 10.0, unit="%"))
    said = verdict("x", [good, cut, blind])
    assert "only in part: long texts are cut off (red)." in said and "does not see negation" in said
    shorter = light_of(Measured("truncation", 5.0, unit="%"))
    assert (
        verdict("x", [good, shorter])
        == "x can carry these texts, with reservations: long texts are cut off (yellow)."
    )


def test_japanese_texts(minilm: MiniLM) -> None:
    from lift.auditing import corpus_of

    colours_, things = ("赤い", "青い", "白い", "黒い"), ("ボルト", "ナット", "箱")
    items = [
        (f"{c}{t}{n}", [f"{place}の棚に{c}{t}が{n}個ある。", f"{c}{t}が{n}個、{place}の棚に置いてある。"])
        for c in colours_
        for t in things
        for n, place in (("二", "左"), ("三", "右"))
    ]
    found = examine({"minilm": minilm}, corpus_of(items, "倉庫"), glossary=[Term("ボルト", "ナット")])
    lights = {light.name: light for light in found.lights["minilm"]}
    assert lights["fertility"].unit == "pieces per character" and 0.5 < lights["fertility"].value < 1.5
    assert {"minimal_change/left_right", "minimal_change/number"} <= lights.keys()
    assert lights["minimal_change/left_right"].details["language"] == "Japanese"
    # The default encoder's vocabulary lacks many characters; which, is told.
    assert lights["unknown"].colour == "red" and "棚" in lights["unknown"].details["unread"]
    assert minilm.encode(["棚"]) == pytest.approx(minilm.encode(["倉"]), abs=1e-5)


class Page(HTMLParser):
    """Collects tags, and checks that they close in order."""

    VOID = ("meta", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An EXAM made through the command line, of a table with hostile texts."""
    folder = tmp_path_factory.mktemp("exam")
    lines = [{"image": key, "captions": texts} for key, texts in english_items()]
    lines += [{"image": "x", "captions": ["<script>alert(1)</script> & more", ""]}]
    (folder / "texts.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\nno json\n")
    (folder / "terms.csv").write_text("term,confusable\nbolt,nut; screw\n<b>left</b> valve,right valve\n")
    arguments = [str(folder / "texts.jsonl"), "--glossary", str(folder / "terms.csv"), "--encoder", "minilm"]
    assert cli.run("exam", [*arguments, "--out", str(folder / "out"), "--batch-size", "8"]) == 0
    return folder


def test_page_is_whole_and_harmless(finished: Path) -> None:
    text = (finished / "out" / "exam.html").read_text()
    page = Page()
    page.feed(text)
    assert page.open == [] and page.addresses == []
    assert "<script" not in text
    assert "<b>left</b>" not in text and "&lt;b&gt;left" in text
    assert not re.search(r"https?://", text)
    places = [
        text.index(f'id="{name}"') for name in ("conclusion", "lights", "todo", "terms", "examples", "how")
    ]
    assert places == sorted(places)


def test_an_endpoints_limit_is_not_invented(finished: Path) -> None:
    content = json.loads((finished / "out" / "exam.json").read_text())
    assert "<dt>Tokens read</dt><dd>256</dd>" in render(content)
    content["encoders"][0]["max_tokens"] = None
    assert "<dt>Tokens read</dt><dd>not known</dd>" in render(content)


def test_json_holds_lights_parts_and_weights(finished: Path) -> None:
    content = json.loads((finished / "out" / "exam.json").read_text())
    (one,) = content["encoders"]
    parts = one["score"]["parts"]
    total = sum(part["weight"] * part["normalised"] for part in parts.values())
    assert one["score"]["value"] == pytest.approx(
        100 * total / sum(p["weight"] for p in parts.values()), rel=1e-4
    )
    assert one["fingerprint"]["name"] == "minilm" and one["dim"] == 384
    assert content["texts"]["empty texts"] == 1 and content["texts"]["unreadable lines"] == 1
    terms = next(light for light in one["lights"] if light["name"] == "glossary")["details"]["pairs"]
    assert [t["margin"] for t in terms] == sorted(t["margin"] for t in terms) and len(terms) == 3


def test_exams_are_checked_against_their_sums(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished / "out", tmp_path / "exam")
    assert cli.run("check", [str(tmp_path / "exam")]) == 0
    assert "EXAM in order, every file as it was written" in capsys.readouterr().out
    (tmp_path / "exam" / "exam.html").write_text("half a pa")
    assert cli.run("check", [str(tmp_path / "exam")]) == 1
    assert "exam.html has changed" in capsys.readouterr().err


def test_exam_is_made_once_and_not_over_other_things(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (finished / "out" / "exam.json").read_bytes()
    config = ExamConfig(
        finished / "texts.jsonl", finished / "out", glossary=finished / "terms.csv", batch_size=8
    )
    exam(config)
    printed = capsys.readouterr().out
    assert "already done" in printed and "Score, 0 to 100" in printed
    assert (finished / "out" / "exam.json").read_bytes() == before
    with pytest.raises(LiftError, match=r"other settings \(batch_size\)"):
        exam(ExamConfig(finished / "texts.jsonl", finished / "out", glossary=finished / "terms.csv"))
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(LiftError, match="is not an EXAM"):
        exam(ExamConfig(finished / "texts.jsonl", tmp_path))


def test_one_encoder_twice_is_refused(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(LiftError, match="the same encoder as minilm"):
        exam(ExamConfig(finished / "texts.jsonl", tmp_path / "out", encoder=("minilm", "minilm")))


def test_a_store_stands_for_its_encoder_wherever_it_lies(
    tiny_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"memory://{tmp_path.name}/store"
    for file in ("store.json", *(f"commits/{path.name}" for path in (tiny_store / "commits").iterdir())):
        Place(url).write(file, (tiny_store / file).read_bytes())
    config = ExamConfig(tmp_path, options=EncoderOptions(prompt="query: "))
    for source in (str(tiny_store), url):
        assert open_encoder(source, config).fingerprint == MiniLM().fingerprint
        assert "--prompt is not for the STORE" in capsys.readouterr().err


def test_texts_of_single_items_leave_the_first_light_grey(minilm: MiniLM) -> None:
    from lift.auditing import corpus_of

    items = [(f"row {i}", [text]) for i, (_, texts) in enumerate(english_items(24)) for text in texts[:1]]
    found = examine({"wrapped": Wrapped(minilm, {})}, corpus_of(items, "single"))
    light = found.lights["wrapped"][0]
    assert light.colour == "grey" and "every item has a single text" in light.meaning
    assert "same_item" not in found.scores["wrapped"].parts and "could not be made" in found.conclusion[-1]


def test_best_is_said_where_intervals_do_not_overlap() -> None:
    from lift.auditing.page import best_of

    def cell(value: float, low: float | None, high: float | None) -> dict[str, float | None]:
        return {"value": value, "low": low, "high": high}

    apart = [cell(60, 55, 65), cell(80, 75, 85), None]
    assert best_of("same_item", apart) == 1 and best_of("anisotropy", apart) == 0
    assert best_of("same_item", [cell(60, 55, 76), cell(80, 75, 85)]) is None
    assert best_of("unknown", [cell(3, None, None), cell(1, None, None)]) == 1
    assert best_of("same_item", [cell(60, 55, 65)]) is None


def test_the_docs_tell_the_limits_of_the_code() -> None:
    page = (Path(__file__).parents[1] / "docs" / "exam.md").read_text()
    for name, limit in LIMITS.items():
        line = next(line for line in page.splitlines() if line.startswith(f"| {ADVICE[name].title}"[:30]))
        numbers = [float(cell) for cell in line.split("|") if re.fullmatch(r"\s*[\d.]+\s*", cell)]
        assert numbers == [limit.green, limit.yellow], name
    for name, weight in WEIGHTS.items():
        assert re.search(rf"\| {weight:g} \|", page), name
