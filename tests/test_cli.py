"""The command line: help without torch, exit codes, remedies instead of stack traces."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from lift import __version__
from lift.cli import VERBS, usage


def lift(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "lift.cli", *arguments], capture_output=True, text=True)


def test_help_lists_every_verb_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom lift.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit as end:\n"
        "    heavy = {'torch', 'numpy', 'PIL', 'transformers', 'tyro', 'rich', 'pandas'} & set(sys.modules)\n"
        "    print('HEAVY', sorted(heavy), end.code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY [] 0" in done.stdout
    assert all(verb in done.stdout for verb in VERBS) and usage() in done.stdout


def test_version() -> None:
    done = lift("--version")
    assert (done.returncode, done.stdout) == (0, f"lift {__version__}\n")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_exists_with_generated_help(verb: str) -> None:
    module = import_module(VERBS[verb].module)
    assert callable(getattr(module, VERBS[verb].function))
    config = getattr(module, VERBS[verb].config)
    assert config.__dataclass_params__.frozen and config.__doc__


def test_help_of_a_verb_shows_its_options() -> None:
    done = lift("embed", "--help")
    assert done.returncode == 0 and "--encoder" in done.stdout and "sentence-transformers" in done.stdout


def test_bad_usage_ends_with_2() -> None:
    assert lift().returncode == 2
    wrong = lift("serch", "x")
    assert wrong.returncode == 2 and "Did you mean `search`?" in wrong.stderr
    missing = lift("embed")
    assert missing.returncode == 2 and "Traceback" not in missing.stderr


def test_a_missing_sentence_and_no_photos_to_show_are_bad_usage(tiny_run: Path, tmp_path: Path) -> None:
    photo = str(tmp_path / "photo.png")
    for arguments, said in (
        (("search", str(tmp_path)), "no sentence was given"),
        (("search", str(tmp_path), "a dog", "--top", "0"), "--top must be at least 1, not 0"),
        (("verify", photo, "--run", str(tiny_run)), "no sentence was given"),
        (("classify", photo, "--classes", "cat,dog", "--top", "-1"), "--top must be at least 1, not -1"),
    ):
        done = lift(*arguments)
        assert done.returncode == 2 and said in done.stderr and "what to do:" in done.stderr, arguments


def test_what_the_system_refuses_is_told_without_a_trace(tiny_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = lift("embed", str(tiny_dataset), "--out", str(tmp_path / "file" / "store"))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "the system refused" in done.stderr and "may be written" in done.stderr
    assert "is a file" in lift("embed", str(tiny_dataset), "--out", str(tmp_path / "file")).stderr


def test_a_reader_that_leaves_early_is_no_error(tiny_dataset: Path) -> None:
    call = f'{sys.executable} -c \'from lift.cli import run; import sys; sys.exit(run("embed", ["--help"]))\' | head -1'
    done = subprocess.run(["bash", "-o", "pipefail", "-c", call], capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr


def test_a_device_that_is_not_there(tiny_run: Path) -> None:
    for name in ("banana", "mps"):
        done = lift("evaluate", str(tiny_run), "--device", name)
        assert done.returncode == 1 and "what to do: use" in done.stderr and "Traceback" not in done.stderr


def test_a_users_mistake_ends_with_1_and_a_remedy(tmp_path: Path) -> None:
    done = lift("embed", str(tmp_path), "--out", str(tmp_path / "store"))
    assert done.returncode == 1 and "what to do:" in done.stderr and "Traceback" not in done.stderr
