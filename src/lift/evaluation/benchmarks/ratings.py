"""Readers of people's ratings of captions: Flickr8k-Expert and Flickr8k-CrowdFlower (Hodosh et al. 2013).

Layout: Flickr8k_text.zip, read as github.com/jmhessel/clipscore does (flickr8k_example/download.py and
compute_metrics.py): Flickr8k.token.txt, ExpertAnnotations.txt, CrowdFlowerAnnotations.txt, tab-separated.
"""

from __future__ import annotations

from lift.errors import LiftError
from lift.evaluation.benchmarks.folder import Benchmark, Folder, Protocol, read_text_lines
from lift.evaluation.benchmarks.measuring_truth import measure_ratings
from lift.evaluation.benchmarks.sheets import Album, Photo, Rating, RatingSheet

IMAGES = ("Flicker8k_Dataset", "Flickr8k_Dataset", "Images", "images")
PREFIX = "A photo depicts "


def read_expert(folder: Folder) -> RatingSheet:
    """Photo, caption id and three ratings of 1 to 4 a line; each rating is an item of its own.

    A photo's own captions are left out, as SPICE and CLIPScore do.
    """
    captions, own = _captions(folder)
    rows = [
        (photo, text, ratings)
        for photo, text, ratings in _rows(folder, "ExpertAnnotations.txt", captions)
        if text not in own.get(photo, ())
    ]
    return _sheet(folder, rows)


def read_crowdflower(folder: Folder) -> RatingSheet:
    """Photo, caption id, share of yes, number of yes and of no a line; the share is the rating."""
    rows = _rows(folder, "CrowdFlowerAnnotations.txt", _captions(folder)[0])
    return _sheet(folder, [(photo, text, numbers[:1]) for photo, text, numbers in rows])


def _sheet(folder: Folder, rows: list[tuple[str, str, list[float]]]) -> RatingSheet:
    images, album = folder.directory(*IMAGES), Album()
    items = [
        Rating(album.number(Photo(photo, images / photo)), " ".join(text.split()), rating)
        for photo, text, ratings in rows
        for rating in ratings
    ]
    clipscore = folder.protocol.mode == "clipscore"
    return RatingSheet(album.photos, items, PREFIX if clipscore else "", clip=clipscore)


def _rows(folder: Folder, name: str, captions: dict[str, str]) -> list[tuple[str, str, list[float]]]:
    """(photo, caption, three numbers) of each line; LiftError for a line that is not of this form."""
    path = folder.file(name, f"Flickr8k_text/{name}")
    rows = []
    for number, line in enumerate(read_text_lines(path), start=1):
        cells = line.rstrip().split("\t")
        if len(cells) != 5:
            raise LiftError(f"line {number} of {path} has {len(cells)} columns, not 5", "download it again")
        if cells[1] not in captions:
            raise LiftError(
                f"line {number} of {path} names the caption {cells[1]!r}, which Flickr8k.token.txt has not",
                "take all files from the same archive",
            )
        try:
            rows.append((cells[0], captions[cells[1]], [float(cell) for cell in cells[2:]]))
        except ValueError as error:
            raise LiftError(
                f"line {number} of {path} has {cells[2:]} for ratings", "download it again"
            ) from error
    return rows


def _captions(folder: Folder) -> tuple[dict[str, str], dict[str, set[str]]]:
    """(caption by id, captions by photo) of Flickr8k.token.txt."""
    path = folder.file("Flickr8k.token.txt", "Flickr8k_text/Flickr8k.token.txt")
    captions: dict[str, str] = {}
    own: dict[str, set[str]] = {}
    for number, line in enumerate(read_text_lines(path), start=1):
        identifier, tab, text = line.strip().partition("\t")
        if not tab:
            raise LiftError(f"line {number} of {path} is not `photo#number<TAB>caption`", "download it again")
        captions[identifier] = text
        own.setdefault(identifier.partition("#")[0], set()).add(text)
    return captions, own


PROTOCOLS = {
    "clipscore": Protocol(
        f'the sentence is "{PREFIX.strip()}" and the caption, negative cosines count as 0 (CLIPScore)',
        "",
        "clipscore",
    ),
    "plain-cosine": Protocol("cosine with the bare caption"),
}
HOME = "https://github.com/jmhessel/clipscore (flickr8k_example/download.py)"
TERMS = "photos belong to their Flickr owners; non-commercial research only"
LAYOUT = "Flickr8k.token.txt and {} (or in Flickr8k_text/), Flicker8k_Dataset/….jpg"
RATING_SETS = {
    "flickr8k-expert": Benchmark(
        title="Flickr8k-Expert",
        task="agreement-benchmark",
        read=read_expert,
        measure=measure_ratings,
        protocols=PROTOCOLS,
        layout=LAYOUT.format("ExpertAnnotations.txt"),
        home=HOME,
        terms=TERMS,
    ),
    "flickr8k-crowdflower": Benchmark(
        title="Flickr8k-CrowdFlower",
        task="agreement-benchmark",
        read=read_crowdflower,
        measure=measure_ratings,
        protocols=PROTOCOLS,
        layout=LAYOUT.format("CrowdFlowerAnnotations.txt"),
        home=HOME,
        terms=TERMS,
    ),
}
