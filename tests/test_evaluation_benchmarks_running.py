"""The verb `benchmark`: results on disk, damaged photos, mistakes, the report, and the table of docs/benchmarks.md."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lift
from benches_by_hand import NAMES, Painted, measure_folder, paint, values, write_json, write_lines
from lift.cli import main
from lift.errors import LiftError, UsageError
from lift.evaluation.benchmarks import BENCHMARKS, BenchmarkConfig, benchmark
from lift.evaluation.benchmarks.sheets import Photo, cropped
from lift.report.comparison import compare_runs
from lift.report.reading import read_runs
from rivals_by_hand import save_rival

LINE = {"positive": "a red square", "negative": "a blue square", "kind": "colour", "split": "val"}


@pytest.fixture(scope="module")
def run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny RUN, so that results stay out of the shared one."""
    return Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("benchmark") / "run"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pairs about the four plain photos."""
    for name in NAMES:
        paint(tmp_path / f"{name}.png", name)
    write_lines(tmp_path / "pairs.jsonl", [{**LINE, "image": f"{name}.png"} for name in NAMES])
    return tmp_path


def test_a_result_is_written_once_and_says_how(
    run: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = BenchmarkConfig(run, "pairs-jsonl", folder)
    result = benchmark(config)
    path = run / "results" / "pairs-benchmark--pairs-jsonl-val-pairs.json"
    assert json.loads(path.read_text()) == result
    assert result["dataset"]["name"] == "pairs-jsonl" and result["dataset"]["split"] == "val-pairs"
    assert result["protocol"].startswith("val-pairs: lines of split val") and result["n"]["pairs"] == 4
    assert result["model"]["id"] == lift.load(run).id and result["seed"] == 0
    assert "left_out" not in result and "texts_cut" not in result and result["examples"] == []
    arrays = np.load(path.with_suffix(".npz"))
    model = lift.load(run)
    scores = model.encode_image([folder / f"{name}.png" for name in NAMES])
    right, wrong = model.encode_text([LINE["positive"], LINE["negative"]])
    expected = np.where(scores @ right > scores @ wrong, 100.0, 0.0)
    np.testing.assert_array_equal(arrays["pair_accuracy__all"], expected)
    shown = capsys.readouterr().out
    assert "text only" in shown and "shuffled words" in shown and "chance" in shown

    written = path.stat().st_mtime_ns
    assert benchmark(config) == result and path.stat().st_mtime_ns == written
    assert "already done" in capsys.readouterr().err
    write_lines(folder / "pairs.jsonl", [{**LINE, "image": "red.png"}, {**LINE, "image": "blue.png"}])
    assert benchmark(config)["n"]["pairs"] == 2  # other data, measured again
    drawn = benchmark(replace(config, limit=2, seed=3))
    assert (run / "results" / "pairs-benchmark--pairs-jsonl-val-pairs--drawn2.json").is_file()
    assert drawn["n"]["images"] == 2 and "ONLY" not in drawn["protocol"]  # there are no more than two


def test_missing_and_damaged_photos_are_counted_and_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "green.png").unlink()
    (folder / "blue.png").write_bytes((folder / "blue.png").read_bytes()[:60])
    model = Painted({LINE["positive"]: {"red": 0.5}, LINE["negative"]: {"yellow": 0.5}})
    measured, bench = measure_folder("pairs-jsonl", folder, model)
    assert {Path(f.key).name: f.reason.split()[0] for f in bench.failures} == {
        "green.png": "missing",
        "blue.png": "truncated",
    }
    assert measured.n == {"images": 2, "pairs": 2, "photos_left_out": 2, "items_left_out": 2}
    assert values(measured)["pair_accuracy/all"] == 50
    # The mean photo is that of red and yellow: both texts get 0.25.
    assert values(measured)["control/text_only/pair_accuracy/all"] == 50
    assert "INCOMPLETE: 2 photos missing or damaged, 2 of 4 items left out" in measured.protocol
    assert "green.png: missing file" in capsys.readouterr().err
    for name in NAMES:
        (folder / f"{name}.png").unlink(missing_ok=True)
    with pytest.raises(LiftError, match=r"nothing is left.*missing file"):
        measure_folder("pairs-jsonl", folder, model)


def test_a_draw_leaves_the_others_unread(folder: Path) -> None:
    write_lines(
        folder / "captions.jsonl", [{"image": f"{n}.png", "captions": [n], "split": "val"} for n in NAMES]
    )
    model = Painted({name: {name: 0.5} for name in NAMES})
    measured, bench = measure_folder("captions-jsonl", folder, model, limit=3)
    assert measured.n == {"images": 3, "texts": 3} and "ONLY 3 of 4 photos" in measured.protocol
    assert (bench.image_features == 0).all(axis=1).sum() == 1
    assert values(measured)["control/chance/text_to_image/recall@1"] == pytest.approx(100 / 3, abs=1e-4)


def test_texts_beyond_the_limit_are_told(run: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    endless = "a red square beside a blue square, " * 60  # far more than 256 tokens
    write_lines(
        folder / "captions.jsonl", [{"image": f"{n}.png", "captions": [n], "split": "val"} for n in NAMES[1:]]
    )
    with (folder / "captions.jsonl").open("a") as file:
        file.write(json.dumps({"image": "red.png", "captions": [endless], "split": "val"}) + "\n")
    result = benchmark(BenchmarkConfig(run, "captions-jsonl", folder))
    assert result["texts_cut"] == {"cut": 1, "texts": 4, "max_tokens": 256}
    assert "1 of 4 distinct texts are longer than 256 tokens" in capsys.readouterr().err


def test_photos_are_resized_as_the_run_wants(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    picture = np.zeros((10, 30, 3), np.uint8)
    picture[:, 10:20] = 255
    Image.fromarray(picture).save(path)
    model = lift.load(run)
    whole, middle = Photo("wide", path), Photo("wide", path, crop=(10, 0, 20, 10))
    model.resize_mode = "shortest"
    assert model.prepare(whole.picture()).mean() > 240  # the middle square only
    model.resize_mode = "squash"
    assert model.prepare(whole.picture()).mean() == pytest.approx(85, abs=6)
    assert model.prepare(middle.picture()).mean() == 255
    assert cropped(Image.fromarray(picture), (-5, -5, 400, 400)).size == (30, 10)
    assert cropped(Image.fromarray(picture), (50, 3, 60, 3)).size == (1, 1)


def test_results_are_compared(run: Path, folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other"))
    for place in (run, other):
        shutil.rmtree(place / "results", ignore_errors=True)
        benchmark(BenchmarkConfig(place, "pairs-jsonl", folder))
    groups, left_out = compare_runs(read_runs([run, other]))
    assert not left_out and [group.section for group in groups] == ["pairs"]
    assert groups[0].title == "pairs-jsonl (val-pairs)" and "val-pairs: lines" in groups[0].protocol
    line = groups[0].line("pair_accuracy/all")
    assert line is not None and line.cells[1] is not None and line.cells[1].difference is not None
    (folder / "red.png").unlink()
    benchmark(BenchmarkConfig(other, "pairs-jsonl", folder, overwrite=True))
    _, left_out = compare_runs(read_runs([run, other]))
    assert any("other protocol" in one.reason for one in left_out)  # an incomplete set is another measurement


def test_a_published_model_goes_through_the_same_door(
    run: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, home = tmp_path / "tiny-clip", tmp_path / "rival"
    save_rival("clip", clip)
    rival = lift.load(clip)
    lines = [{**LINE, "image": f"{name}.png"} for name in NAMES]
    lines[0]["negative"] = "a blue square or so, " * 60  # far more than its 48 tokens
    write_lines(folder / "pairs.jsonl", lines)
    result = benchmark(BenchmarkConfig(clip, "pairs-jsonl", folder, out=home))
    assert result["model"]["id"] == rival.id and result["model"]["run"] == "rival"
    assert result["texts_cut"]["cut"] >= 1 and "longer than 48 tokens" in capsys.readouterr().err
    arrays = np.load(home / "results" / "pairs-benchmark--pairs-jsonl-val-pairs.npz")
    scores = rival.encode_image([folder / f"{name}.png" for name in NAMES])
    right, *wrong = rival.encode_text([LINE["positive"], *(line["negative"] for line in lines)])
    expected = np.where(scores @ right > (scores * np.stack(wrong)).sum(axis=1), 100.0, 0.0)
    np.testing.assert_array_equal(arrays["pair_accuracy__all"], expected)
    benchmark(BenchmarkConfig(run, "pairs-jsonl", folder, overwrite=True))
    groups, _ = compare_runs(read_runs([run, home]))
    assert any(group.title == "pairs-jsonl (val-pairs)" for group in groups)
    with pytest.raises(LiftError, match="go into the RUN"):
        benchmark(BenchmarkConfig(run, "pairs-jsonl", folder, out=home))


def test_mistakes_are_named(run: Path, folder: Path) -> None:
    config = BenchmarkConfig(run, "sugarcrepe", folder)
    with pytest.raises(UsageError, match=r"no benchmark 'coca'.*\n.*known: coco, flickr30k"):
        benchmark(replace(config, name="coca"))
    with pytest.raises(UsageError, match=r"no protocol 'x'.*\n.*known: karpathy-test-5captions"):
        benchmark(replace(config, name="coco", protocol="x"))
    with pytest.raises(LiftError, match=r"no folder val2017.*\n.*Get it from .*Terms: texts MIT"):
        benchmark(config)
    with pytest.raises(LiftError, match=r"no folder .*\n.*download SugarCrepe"):
        benchmark(replace(config, data=folder / "none"))
    with pytest.raises(UsageError, match="no parts"):
        benchmark(replace(config, name="coco", only=("x",)))
    with pytest.raises(UsageError, match="--classes"):
        benchmark(replace(config, classes=folder / "pairs.jsonl"))
    with pytest.raises(UsageError, match="--limit 1"):
        benchmark(replace(config, limit=1))
    (folder / "val2017").mkdir()
    for name in ("add_obj.json", "add_att.json"):
        write_json(folder / name, {"0": {"filename": "a.jpg", "caption": "x"}})
    with pytest.raises(LiftError, match=r"entry 0 of .*add_obj\.json needs 'negative_caption'"):
        benchmark(replace(config, only=("add_obj",)))
    (folder / "add_obj.json").write_text("{")
    with pytest.raises(LiftError, match="not JSON"):
        benchmark(replace(config, only=("add_obj",)))
    write_json(folder / "add_obj.json", {})
    with pytest.raises(LiftError, match="item that --protocol and --only ask for"):
        benchmark(replace(config, only=("add_obj",)))


def test_command_line(run: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["benchmark", str(run), "pairs-jsonl", "--data", str(folder), "--protocol", "all-pairs"])
    assert ended.value.code == 0 and "pair_accuracy/colour" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["benchmark", str(run), "nothing", "--data", str(folder)])
    assert ended.value.code == 2 and "known: coco" in capsys.readouterr().err


def test_every_benchmark_is_documented() -> None:
    page = (Path(__file__).parents[1] / "docs" / "benchmarks.md").read_text("utf-8").splitlines()
    for name, one in BENCHMARKS.items():
        (row,) = (line for line in page if line.startswith(f"| `{name}` |"))
        places = [row.index(f"`{protocol}`") for protocol in one.protocols]
        assert (
            places == sorted(places)
            and one.home in row
            and one.terms in row
            and one.layout.replace("<", "\\<") in row
        )


def test_on_real_photos(real_data: Path) -> None:
    """The folders of real photos that the machine has, a dozen photos each, by the hand-made model."""
    cases = {
        "captions-jsonl": ("flickr8k", "val-5captions"),
        "pairs-jsonl": ("flickr8k", "val-pairs"),
        "multi30k-jsonl": ("flickr8k", "val"),
        "nlvr": ("nlvr", "dev-first-drawing"),
        "classes-jsonl": ("clothing", "all-single-prompt"),
    }
    for name, (place, protocol) in cases.items():
        measured, bench = measure_folder(name, real_data / place, Painted({}), protocol, limit=20)
        assert not bench.failures and 0 < measured.n["images"] <= 20, name
        found = values(measured)
        chance = {
            key.removeprefix("control/chance/"): own for key, own in found.items() if "control/chance" in key
        }
        for key in set(chance) & set(found) - {"average_precision"}:
            assert found[key] == pytest.approx(chance[key], abs=1e-3), (name, key)  # it knows no text: chance
    pairs, _ = measure_folder(
        "pairs-jsonl", real_data / "flickr8k", Painted({}), limit=20, only=("order_swap",)
    )
    assert values(pairs)["control/shuffled_words/pair_accuracy/all"] == 50
