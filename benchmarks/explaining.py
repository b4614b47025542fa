"""Do suspicious words and hot places hit more often than chance? On Flickr8k, and on drawn scenes with known boxes.

    python benchmarks/explaining.py flickr8k --run RUN --dataset DATASET
    python benchmarks/explaining.py scenes --run RUN --dataset DATASET

Words: validation captions made false in one place, by the rules of lift.rewording ("rules") and by a phrase from
another photo's caption ("borrowed"), beside the DATASET's own pairs ("pairs"). The method and the length of phrases
are chosen on every other photo and reported on the rest: the one whose smaller gain over a random phrase, of rules
and borrowed, is largest. Places: the deletion test; on scenes also the pointing game, which needs boxes. Writes
benchmarks/results/explaining_NAME.json.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

import lift
from lift.artefact import write_json
from lift.data import Dataset
from lift.explaining.foils import Foil, foils_by_borrowing, foils_of_pairs, foils_of_rows
from lift.explaining.places import patch_cosines, tells_places
from lift.explaining.proof import Share, place_shares, share, word_hits
from lift.explaining.trials import centrality, pointing
from lift.model import Model
from lift.scenes import sample_scene
from lift.training.cost import machine, versions

RESULTS = Path(__file__).parent / "results"
METHODS = (
    "out", "neutral", "alone", "out+neutral", "out+alone", "neutral+alone", "out+neutral+alone", "alternatives",
)  # fmt: skip
COMPARED = ("an object", "something", "a thing", "a coloured thing", "things", "a photo", "a place")
BACKGROUND = 256  # photos that a score is measured against


@dataclass(frozen=True)
class ExplainingConfig:
    """What is measured."""

    name: Annotated[Literal["flickr8k", "scenes"], tyro.conf.Positional]
    """Which data; only for scenes boxes are known."""
    run: Path
    """RUN to measure."""
    dataset: Path
    """Its DATASET; the validation photos are used."""
    most: int = 150
    """Foils of each kind."""
    parts: tuple[Literal["words", "places"], ...] = ("words", "places")
    """What to measure; the rest of the JSON stays."""
    seed: int = 0
    """Of all that is drawn."""


def main(config: ExplainingConfig) -> None:
    """Measure and write the JSON."""
    model, dataset = lift.load(config.run), Dataset(config.dataset)
    assert isinstance(model, Model)
    numbers = dataset.split("val")
    rows, pixels = [dataset.rows[i] for i in numbers], np.stack([dataset.pixels[i] for i in numbers])
    photos = model.encode_image(pixels)
    lots = np.random.default_rng(config.seed)
    others = photos[lots.choice(len(photos), min(BACKGROUND, len(photos)), replace=False)]
    foils = {
        "rules": foils_of_rows(rows, seed=config.seed, most=config.most),
        "borrowed": foils_by_borrowing(rows, seed=config.seed, most=config.most),
        "pairs": foils_of_pairs(dataset.pairs, rows, seed=config.seed, most=config.most // 2),
    }
    file = RESULTS / f"explaining_{config.name}.json"
    made: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    made["run"] = {"id": model.id, "image_size": model.image_size, "encoder": model.config["image_encoder"]}
    made["photos"] = len(rows)
    if "words" in config.parts:
        made["words"] = words(model, photos, others, foils)
    if "places" in config.parts and tells_places(model.image_encoder):
        random, middle = place_shares(
            model.image_encoder, pixels, [row.texts for row in rows], model.encode_text, config.seed
        )
        assert random is not None and middle is not None
        made["places"] = {"deletion": told(random), "deletion_against_middle": told(middle)}
        if config.name == "scenes":
            seed = dataset.manifest["request"]["seed"]
            made["places"] |= pointed(model, pixels, [sample_scene(seed, int(i)) for i in numbers])
    made |= {"machine": machine(), "versions": versions()}
    write_json(file, made)


def words(
    model: Model, photos: np.ndarray, others: np.ndarray, foils: dict[str, list[Foil]]
) -> dict[str, Any]:
    """Every method on the photos it is chosen on, the chosen one on the others by kind."""
    chosen, rates, encode = "", {}, remembering(model)
    found: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for longest in (1, 2):
        for method in METHODS:
            name = f"{method}, phrases of {longest}"
            found[name] = {
                sort: word_hits(some, photos, encode, others, method=method, longest=longest)
                for sort, some in foils.items()
            }
            rates[name] = {sort: told(of_half(some, found[name][sort], 0)) for sort, some in foils.items()}
            print(
                name, {sort: (round(r["rate"], 3), round(r["control"], 3)) for sort, r in rates[name].items()}
            )
            if not chosen or smaller_gain(rates[name]) > smaller_gain(rates[chosen]):
                chosen = name
    kinds = {
        kind: told(of_half(some, found[chosen][sort], 1, kind))
        for sort, some in foils.items()
        for kind in sorted({foil.kind for foil in some if foil.photo % 2})
    }
    every = {
        name: {sort: told(of_half(some, of_name[sort], 1)) for sort, some in foils.items()}
        for name, of_name in found.items()
    }
    apart = {
        sort: told(of_half(some, found[chosen][sort], 1, among=known(model, photos, some)))
        for sort, some in foils.items()
    }
    return {"chosen": chosen, "choosing": rates, "reported": every, "kinds": kinds, "told_apart": apart}


def remembering(model: Model) -> Callable[[list[str]], np.ndarray]:
    """encode_text that does no text twice: the methods ask for much the same."""
    vectors: dict[str, np.ndarray] = {}

    def encode(texts: list[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in vectors]
        vectors.update(zip(new, model.encode_text(new), strict=True))
        return np.stack([vectors[text] for text in texts])

    return encode


def known(model: Model, photos: np.ndarray, foils: Sequence[Foil]) -> np.ndarray:
    """Which foils the model gives a smaller cosine than the true text (n,)."""
    true, false = (model.encode_text(texts) for texts in ([f.true for f in foils], [f.text for f in foils]))
    return np.einsum("nd,nd->n", photos[[foil.photo for foil in foils]], true - false) > 0


def of_half(
    foils: Sequence[Foil],
    found: tuple[np.ndarray, np.ndarray],
    half: int,
    kind: str | None = None,
    among: np.ndarray | None = None,
) -> Share:
    """The share over the foils of every other photo, of one kind, and among some of them."""
    photos = np.array([foil.photo for foil in foils])
    mask = (photos % 2 == half) & np.array([kind in (None, foil.kind) for foil in foils])
    mask &= True if among is None else among
    return share(found[0][mask], found[1][mask], photos[mask])


def smaller_gain(rates: dict[str, dict[str, Any]]) -> float:
    """What a method wins over a random phrase on the foils that suit it less."""
    return min(rates[sort]["rate"] - rates[sort]["control"] for sort in ("rules", "borrowed"))


def told(found: Share) -> dict[str, Any]:
    """For JSON, rounded."""
    return {name: round(value, 5) for name, value in vars(found).items()} | {"shown": found.shown}


def pointed(model: Model, pixels: np.ndarray, scenes: Sequence[Any]) -> dict[str, Any]:
    """The pointing game for every thing named by colour and kind, against chance and against the middle.

    Every text that the named thing may be compared with is tried on the even scenes and reported on the odd ones.
    """
    asked = [(number, group) for number, scene in enumerate(scenes) for group in scene.groups]
    texts = model.encode_text([f"a {group.thing.colour} {group.thing.kind}" for _, group in asked])
    photos = np.array([number for number, _ in asked])
    odd = photos % 2 == 1
    boxes = [
        [(p.x - p.width / 2, p.y - p.width / 2, p.x + p.width / 2, p.y + p.width / 2) for p in group.places]
        for _, group in asked
    ]
    found: dict[str, Any] = {}
    for name in ("nothing", *COMPARED):
        neutral = np.zeros(model.dim, np.float32) if name == "nothing" else model.encode_text([name])[0]
        heats = patch_cosines(model.image_encoder, pixels[photos], texts - neutral)
        middle = centrality(heats.shape[1])
        hits, chances = np.array([pointing(heat, box) for heat, box in zip(heats, boxes, strict=True)]).T
        central = np.array([pointing(middle, box)[0] for box in boxes])
        found[name] = {
            "choosing": told(share(hits[~odd], chances[~odd], photos[~odd])),
            "reported": told(share(hits[odd], chances[odd], photos[odd])),
            "against_middle": told(share(hits[odd], central[odd], photos[odd])),
        }
    return {"pointing": found, "grid": heats.shape[1]}


if __name__ == "__main__":
    main(tyro.cli(ExplainingConfig))
