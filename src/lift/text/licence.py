"""The licence of a text encoder, from its model card or LICENSE file; non-commercial ones need consent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lift.errors import LiftError

FORBIDS_COMMERCE = re.compile(
    r"cc-by-nc|non-?\s?commercial|research[- ]only|(academic|research) (use|purposes?) only", re.IGNORECASE
)
OPEN = re.compile(r"(the )?(apache|mit\b|bsd|isc\b|cc0|cc-by-[0-9]|cc-by-sa|mpl|unlicense)", re.IGNORECASE)
LICENCE_FILES = ("LICENSE*", "LICENCE*", "license*", "COPYING*")
LINES_READ = 60  # of a LICENSE file: its title and scope


@dataclass(frozen=True)
class Licence:
    """What is known about a licence: its name, where that was read, and whether it forbids commercial use."""

    name: str
    where: str
    non_commercial: bool = False

    def __str__(self) -> str:
        if self.name == "unknown":
            return f"unknown ({self.where})"
        kind = "non-commercial" if self.non_commercial else "" if OPEN.match(self.name) else "read its terms"
        return ", ".join(part for part in (self.name, kind) if part) + f" ({self.where})"


def read_licence(folder: Path) -> Licence:
    """The licence that a model folder declares: the card's front matter, else the head of a LICENSE file."""
    card = folder / "README.md"
    found = front_matter(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else {}
    parts = [found.get("license"), found.get("license_name")]
    names = [str(name) for part in parts for name in (part if isinstance(part, list) else [part]) if name]
    files = sorted({file for name in LICENCE_FILES for file in folder.glob(name) if file.is_file()})
    head = "\n".join(files[0].read_text("utf-8", "replace").splitlines()[:LINES_READ]) if files else ""
    if names:
        named = [name for name in names if name.lower() != "other"] or names
        vague = named == names[:1] and named[0].lower() == "other"
        return Licence(", ".join(named), "model card", _forbids(" ".join(names) + (head if vague else "")))
    if head.strip():
        title = next(line.strip() for line in head.splitlines() if line.strip())
        return Licence(title[:80], files[0].name, _forbids(head))
    silent = "the card does not say it" if card.is_file() else "there is no model card and no LICENSE file"
    return Licence("unknown", silent)


def front_matter(text: str) -> dict[str, Any]:
    """The YAML head of a model card, {} when there is none or it cannot be read."""
    import yaml

    head = re.match(r"\ufeff?---\s*\n(.*?)\n---\s*(\n|$)", text, re.DOTALL)
    try:
        found = yaml.safe_load(head[1]) if head else {}
    except yaml.YAMLError:
        found = {}
    return found if isinstance(found, dict) else {}


def _forbids(text: str) -> bool:
    return bool(FORBIDS_COMMERCE.search(text))


def check_licence(name: str, licence: Licence, accepted: bool) -> None:
    """LiftError when `licence` forbids commercial use and that was not accepted."""
    if licence.non_commercial and not accepted:
        raise LiftError(
            f"the licence of the text encoder {name} forbids commercial use: {licence}",
            "read its model card; where your use is allowed add --accept-license, else take another encoder "
            "(minilm is Apache-2.0)",
        )
