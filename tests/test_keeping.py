"""lift check and lift store: faults are listed with remedies, exit code 1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lift.cli import run
from lift.report import CompareConfig, compare
from lift.store import EmbeddingStore
from runs_by_hand import BAD, GOOD, two_runs
from stores_by_hand import make_store, plan, words, write_planned


def test_artefacts_as_they_were_written_are_in_order(
    tiny_dataset: Path, tiny_store: Path, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for artefact, kind in ((tiny_dataset, "DATASET"), (tiny_store, "STORE"), (tiny_run, "RUN")):
        assert run("check", [str(artefact)]) == 0
        assert f"{kind} in order" in capsys.readouterr().out


def test_query_encoders_are_checked_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from lift.adaptation import DistillConfig, distill_query

    make_store(tmp_path / "store", words(0, 120))
    distill_query(DistillConfig(store=str(tmp_path / "store"), out=tmp_path / "query", gate=0.0))
    assert run("check", [str(tmp_path / "query")]) == 0 and "QUERY in order" in capsys.readouterr().out
    flip(tmp_path / "query" / "map.safetensors")
    assert run("check", [str(tmp_path / "query")]) == 1 and "has changed" in capsys.readouterr().err


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def test_every_fault_of_a_store_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_store(tmp_path / "store", words(0, 30))
    shards = sorted((tmp_path / "store" / "shards").glob("*.vectors.npy"))
    flip(shards[0])
    shards[2].unlink()
    assert run("check", [str(tmp_path / "store")]) == 1
    said = capsys.readouterr().err
    assert (
        "has changed" in said
        and "is missing" in said
        and "2 faults" in said
        and said.count("what to do") == 3
    )


def test_faults_of_other_artefacts(
    tmp_path: Path, tiny_run: Path, tiny_dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    for artefact, damage in ((tiny_run, "checkpoint/image.safetensors"), (tiny_dataset, "pixels.npy")):
        copy = tmp_path / artefact.name
        shutil.copytree(artefact, copy)
        flip(copy / damage)
        assert run("check", [str(copy)]) == 1 and "has changed" in capsys.readouterr().err
        (copy / damage).unlink()
        assert run("check", [str(copy)]) == 1 and "is missing" in capsys.readouterr().err
    assert run("check", [str(tmp_path)]) == 1 and "is none of DATASET" in capsys.readouterr().err


def test_comparisons_are_checked_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = two_runs(tmp_path, GOOD, BAD)
    report = tmp_path / "report"
    compare(CompareConfig(tuple(one.folder for one in runs), report))
    capsys.readouterr()
    assert run("check", [str(report)]) == 0 and "COMPARISON in order, every file" in capsys.readouterr().out
    flip(report / "report.html")
    assert run("check", [str(report)]) == 1
    told = capsys.readouterr().err
    assert "report.html has changed" in told and "`lift compare --overwrite`" in told
    content = json.loads((report / "comparison.json").read_text())
    del content["sha256"]  # as made by earlier versions
    (report / "comparison.json").write_text(json.dumps(content))
    assert run("check", [str(report)]) == 0 and "before sums were kept" in capsys.readouterr().out


def test_info_merge_and_gc(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b, c = (str(tmp_path / name) for name in "abc")
    for planned in [plan(a, words(0, 30)), plan(a, words(20, 50))]:
        write_planned(a, planned)
    make_store(b, words(50, 60), shard_rows=4)
    assert run("store", ["info", a]) == 0
    told = capsys.readouterr()
    assert "50 texts, 8 numbers each" in told.out and "10 texts are stored twice" in told.err
    assert run("store", ["merge", a, b, "--out", c]) == 0
    assert "60 distinct texts of 2 STOREs" in capsys.readouterr().out and len(EmbeddingStore(c)) == 60
    assert run("store", ["merge", a, "--out", c]) == 1 and "name two or more" in capsys.readouterr().err
    assert run("store", ["gc", a]) == 0
    assert "6 shards became 1, 10 duplicates dropped" in capsys.readouterr().out
    assert len(EmbeddingStore(a)) == 50 and len(list((tmp_path / "a" / "commits").iterdir())) == 3
    assert run("store", ["gc", a, "--now"]) == 0
    assert len(EmbeddingStore(a)) == 50 and len(list((tmp_path / "a" / "commits").iterdir())) == 1
    assert run("store", ["info", str(tmp_path / "none")]) == 1 and "not a STORE" in capsys.readouterr().err
