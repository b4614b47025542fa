"""kill -9 between every two file operations of a writer; then the same again must give the undisturbed bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

# Forked for every kill, since a process that imports numpy takes longer than all of the work.
DRIVER = """
import os, shutil, sys
from pathlib import Path
from stores_by_hand import listing, make_store, words
from lift.errors import LiftError
from lift.place import Place
from lift.store import EmbeddingStore, compact, sweep

def append(place):
    make_store(place, words(0, 12), shard_rows=5)
    make_store(place, words(8, 20), shard_rows=5)

def overwrite(place):
    make_store(place, words(5, 12), dtype="float32", overwrite=True)

def gc(place):
    compact(Place(place), shard_rows=100)
    sweep(Place(place), least_age=0)

def before(place, kind):
    if kind != "append":
        append(place)

def seen(place):
    try:
        return set(EmbeddingStore(place).missing(words(0, 20)))
    except LiftError as error:
        assert "is not a STORE" in str(error), error
        return set(words(0, 20))

STATES = {  # texts that a reader may find missing at any moment
    "append": [set(words(0, 20)), set(words(12, 20)), set()],
    "overwrite": [set(), set(words(0, 5) + words(12, 20))],
    "gc": [set()],
}
kind, base = sys.argv[1], Path(sys.argv[2])
act = {"append": append, "overwrite": overwrite, "gc": gc}[kind]

def forked(work):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def killed_after(place, allowed):
    left = allowed
    for name in ("fsync", "replace", "unlink", "mkdir"):
        def counted(*args, _real=getattr(os, name), **options):
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), 9)
            return _real(*args, **options)
        setattr(os, name, counted)
    act(place)

straight = base / "straight"
before(straight, kind)
act(straight)
kills = 0
for allowed in range(1000):
    place = base / "killed"
    shutil.rmtree(place, ignore_errors=True)
    before(place, kind)
    code = forked(lambda: killed_after(place, allowed))
    if code == 0:
        break
    assert code == -9, code
    kills += 1
    assert seen(place) in STATES[kind], (allowed, seen(place))
    assert forked(lambda: act(place)) == 0, allowed
    assert listing(place) == listing(straight), (allowed, sorted(listing(place)), sorted(listing(straight)))
    EmbeddingStore(place).check()
print(kills)
"""


@pytest.mark.parametrize(("kind", "least"), [("append", 60), ("overwrite", 30), ("gc", 20)])
def test_killed_between_every_two_file_operations(kind: str, least: int) -> None:
    memory = (
        "/dev/shm" if Path("/dev/shm").is_dir() else None
    )  # fsync waits for a disk, and here is no power to fail
    with TemporaryDirectory(dir=memory) as base:
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, kind, base],
            capture_output=True,
            text=True,
            env={"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"},
        )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= least
