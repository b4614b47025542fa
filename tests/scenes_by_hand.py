"""Scenes for tests: one placed by hand, and a sample drawn once."""

from __future__ import annotations

from functools import cache

from lift.scenes import Scene, StatementPair, sample_scene, statement_pairs
from lift.scenes.scene import Group, Place, Thing

SAMPLE = 1500


@cache
def sample() -> list[Scene]:
    return [sample_scene(3, number) for number in range(SAMPLE)]


@cache
def sample_pairs() -> list[tuple[Scene, StatementPair]]:
    return [(scene, pair) for scene in sample() for pair in statement_pairs(scene)]


def group(kind: str, colour: str, size: str, *centres: tuple[float, float], width: float = 0.2) -> Group:
    """A group of untilted objects with these centres."""
    places = tuple(Place(x, y, width, 1, False) for x, y in centres)
    return Group(Thing(kind, colour, size, len(centres)), places)


def two_balls_left_of_a_house() -> Scene:
    balls = group("ball", "red", "small", (0.2, 0.4), (0.2, 0.6))
    return Scene((balls, group("house", "blue", "large", (0.7, 0.5), width=0.4)), None, "wall", "bright", 1)
