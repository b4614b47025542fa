"""Write the tables of docs/benchmarks.md from BENCHMARKS; with --check, fail when they are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

from lift.evaluation.benchmarks import BENCHMARKS

PAGE = Path(__file__).with_name("benchmarks.md")
BEGIN, END = "<!-- tables -->", "<!-- /tables -->"
SECTIONS = {
    "retrieval-benchmark": "Retrieval",
    "long-retrieval-benchmark": "Retrieval by long texts",
    "pairs-benchmark": "Composition",
    "verification-benchmark": "True or false",
    "zero-shot-benchmark": "Zero-shot classes",
    "agreement-benchmark": "Agreement with people's ratings",
}
HEADER = "| name | benchmark | protocols, the default first | files in the folder | from | terms |"


def tables() -> str:
    """A table per kind of benchmark."""
    lines = []
    for task, title in SECTIONS.items():
        lines += ["", f"### {title}", "", HEADER, "|---|---|---|---|---|---|"]
        for name, one in BENCHMARKS.items():
            if one.task == task:
                protocols = "; ".join(f"`{key}`: {value.words}" for key, value in one.protocols.items())
                cells = (f"`{name}`", one.title, protocols, one.layout, one.home, one.terms)
                lines.append(
                    "| " + " | ".join(cell.replace("|", "\\|").replace("<", "\\<") for cell in cells) + " |"
                )
    return "\n".join([*lines, ""])


def main() -> None:
    """Put the tables into the page, or compare them."""
    text = PAGE.read_text("utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    made = f"{before}{BEGIN}\n{tables()}\n{END}{after}"
    if "--check" not in sys.argv:
        PAGE.write_text(made, "utf-8")
    elif made != text:
        sys.exit("docs/benchmarks.md is out of date: run `make docs` and commit it")


if __name__ == "__main__":
    main()
