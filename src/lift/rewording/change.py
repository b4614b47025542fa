"""What all rules share: a change, and how a text is edited."""

from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    """A sentence made of another, and what was replaced by what (both may be empty: something was added)."""

    kind: str
    text: str
    old: str
    new: str


Edit = tuple[int, int, str]  # text[start:end] becomes the string


Draft = list[Edit]  # one change: edits from left to right that do not overlap


def edited(text: str, draft: Draft) -> tuple[str, str, str]:
    """The changed text, and the words replaced and put in, several places joined by " … "."""
    parts, at = [], 0
    for start, end, new in draft:
        parts += [text[at:start], new]
        at = end
    parts.append(text[at:])
    old = " … ".join(text[start:end].strip() for start, end, _ in draft)
    return "".join(parts), old, " … ".join(new.strip() for _, _, new in draft)


def like(old: str, new: str) -> str:
    """`new` with a capital where `old` has one."""
    return new[:1].upper() + new[1:] if old[:1].isupper() else new
