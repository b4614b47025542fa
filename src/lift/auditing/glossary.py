"""A company's glossary: terms, what they must not be confused with, and sentences to carry them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from lift.auditing.tables import find_column, read_table
from lift.console import note
from lift.errors import LiftError

TERM_COLUMNS = ("term", "word", "name", "用語", "語", "名称")
CONFUSABLE_COLUMNS = (
    "confusable",
    "confusable with",
    "confusables",
    "not",
    "other",
    "混同語",
    "紛らわしい語",
    "混同",
)
# Four plain sentences each: the frame changes, the term does not.
CARRIERS = {
    "en": ("a photo of {}", "this is {}", "there is {} in the picture", "the item shown is {}"),
    "ja": ("{}の写真", "これは{}です", "写真に{}が写っています", "写っているのは{}です"),
}


class Term(NamedTuple):
    """A term, and one term that it must not be confused with."""

    term: str
    confusable: str


def read_glossary(path: Path) -> list[Term]:
    """The pairs of a table with the columns term and confusable; several rows, or a cell with "a; b", per term.

    Raises LiftError naming what is missing.
    """
    table = read_table(path)
    term = find_column(table.header, None, TERM_COLUMNS, "")
    other = find_column(table.header, None, CONFUSABLE_COLUMNS, "")
    if (term is None or other is None) and len(table.header) == 2:
        term, other = table.header
        note(
            f"{path.name}: {term!r} and {other!r}, its first row, are taken as headings of term and confusable"
        )
    if term is None or other is None:
        raise LiftError(
            f"{path.name} has no columns term and confusable, but: {', '.join(table.header)}",
            "name two columns term and confusable; one row for each pair",
        )
    pairs: dict[Term, None] = {}
    for record in table.records:
        name = str(record.get(term) or "").strip()
        for part in str(record.get(other) or "").replace("；", ";").split(";"):
            if name and part.strip() and part.strip() != name:
                pairs[Term(name, part.strip())] = None
    if not pairs:
        raise LiftError(
            f"{path.name} holds no pair of different terms", "write a term and a confusable one in each row"
        )
    return list(pairs)
