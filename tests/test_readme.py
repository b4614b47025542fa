"""The README's commands and its Python run as they stand there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lift.cli import VERBS
from lift.data import Dataset
from lift.scenes import ScenesConfig, scenes

README = Path(__file__).parents[1] / "README.md"
PYTHON = README.parent / "docs" / "python.md"
NOTEBOOK = README.parent / "examples" / "lift.ipynb"


def blocks(language: str, page: Path = README) -> list[str]:
    """The fenced blocks behind `<!-- tested -->`."""
    return re.findall(rf"<!-- tested -->\n```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def run_python(code: str, folder: Path) -> str:
    """What a program prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def my_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The newcomer's folder: 120 drawn pictures as PNG files beside a table."""
    place = tmp_path_factory.mktemp("newcomer")
    scenes(ScenesConfig(out=place / "drawn", images=120, size=64))
    dataset = Dataset(place / "drawn")
    (place / "my-photos").mkdir()
    lines = ["photo,description"]
    for number, row in enumerate(dataset.rows):
        Image.fromarray(np.array(dataset.pixels[number])).save(place / "my-photos" / f"{number}.png")
        lines += [f'{number}.png,"{text}"' for text in row.captions]
    (place / "my-photos" / "texts.csv").write_text("\n".join(lines), "utf-8")
    return place


@pytest.fixture(scope="module")
def walked(my_photos: Path) -> Path:
    """The newcomer's folder after all commands of the README."""
    [block] = blocks("sh")
    commands = [shlex.split(line) for line in block.splitlines()]
    assert [command[1] for command in commands] == [
        *("ingest", "exam", "embed", "train", "train", "check", "evaluate", "evaluate", "compare"),
        *("index", "search", "watch", "classify", "calibrate", "verify"),
    ]
    for command in commands:
        assert command[0] == "lift"
        done = subprocess.run(
            [sys.executable, "-m", "lift.cli", *command[1:]], cwd=my_photos, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
    return my_photos


def test_the_commands_and_the_python_of_the_readme_run(walked: Path) -> None:
    assert (walked / "my-report" / "report.html").is_file() and (walked / "found.png").is_file()
    [python] = blocks("python")
    assert len(run_python(python, walked).strip().splitlines()) == 2 + 3


def test_the_page_for_python_runs(walked: Path) -> None:
    printed = run_python("".join(blocks("python", PYTHON)), walked).strip().splitlines()
    assert printed[-1].count("'") == 2 * 2 and "True" in printed  # two classes named; the photo is back


def test_the_notebook_runs(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    book = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in book.cells), "keep it without outputs: they are made anew"
    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    pictures = [
        out for cell in book.cells for out in cell.get("outputs", ()) if "image/png" in out.get("data", {})
    ]
    assert len(pictures) == 1


def test_every_link_leads_somewhere() -> None:
    pages = [README, *README.parent.glob("docs/*.md"), *README.parent.glob("benchmarks/*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name} -> {target}"


def test_verbs_named_in_the_docs_exist() -> None:
    for page in [README, *README.parent.glob("docs/*.md")]:
        for verb in re.findall(r"^lift ([a-z-]+) ", page.read_text("utf-8"), re.MULTILINE):
            assert verb in VERBS, f"{page.name}: lift {verb}"
