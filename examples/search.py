"""Find photos by a sentence, from Python: load a RUN, index a folder of photos, search it.

    python examples/search.py RUN PHOTOS "a dog running on grass" "two children"

The INDEX is kept beside the photos' folder (PHOTOS.index) and made only once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import lift


def main(run: str, photos: str, sentences: list[str]) -> None:
    """Print the three best photos of every sentence, and what is known about the best one."""
    model = lift.load(run)
    folder = Path(photos).resolve()
    index = lift.Index.build(model, folder, folder.with_name(folder.name + ".index"))
    print(f"{len(index)} photos, indexed by {model.id}")

    for sentence, matches in zip(sentences, index.search_many(sentences, top=3, model=model), strict=True):
        print(sentence)
        for rank, match in enumerate(matches, start=1):
            print(f"  {rank}. {match.score:.3f}  {match.path}")

    # The same, with vectors of your own making: any unit vector of the model's space can be looked for,
    # here the first photo found, to get photos that look like it.
    best = index.search(sentences[0], top=1, model=model)[0]
    vector = model.encode_image([index.picture(best)])[0]
    print(f"most like {best.key}: {[match.key for match in index.search(vector, top=3)]}")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], sys.argv[2], sys.argv[3:])
    except lift.LiftError as error:
        sys.exit(str(error))
