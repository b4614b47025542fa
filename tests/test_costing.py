"""cost: counted FLOPs against the formula, the break-even point by hand, timed steps of both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lift.costing import CostConfig, cost
from lift.costing.counting import StepSize, break_even, counted_flops
from lift.costing.energy import Meter
from lift.costing.stage import energy_of
from lift.errors import LiftError
from lift.store import EmbeddingStore

TRAINING = 3  # a backward pass computes two products for each of the forward pass


def worked_out_flops(size: StepSize, tokens: int) -> float:
    """The same by formula, for towers with a patch stem: two FLOPs per weight and token, attention by its square.

    Per block 24 W^2 T for the linear layers and 4 W T^2 for attention; forward and backward three times that.
    """
    shape, side = size.shape, size.image_size // size.shape.patch
    total = TRAINING * _blocks(shape.width, shape.depth, side * side)
    total += (
        2 * (TRAINING - 1) * 3 * shape.patch**2 * shape.width * side * side
    )  # nothing flows into the pixels
    total += TRAINING * 2 * (shape.width * size.dim + size.dim * size.dim)
    if tokens:
        total += TRAINING * _blocks(size.text_width, shape.depth, tokens)
        total += TRAINING * 2 * size.text_width * size.dim
    towers = 2 if tokens else 1  # the gradient of the logits flows into the texts only when they are trained
    return total + 2 * size.batch * size.dim * (1 + towers)


def _blocks(width: int, depth: int, tokens: int) -> float:
    return float(depth * (24 * width**2 * tokens + 4 * width * tokens**2))


@pytest.mark.parametrize("tokens", [0, 32, 77, 256])
@pytest.mark.parametrize(
    "size",
    [StepSize("vit-b16", 224, 32, 768, 512), StepSize("vit-mini", 64, 64, 384, 128)],
    ids=["vit-b16", "vit-mini"],
)
def test_counted_flops_are_those_worked_out_within_one_percent(size: StepSize, tokens: int) -> None:
    assert counted_flops(size, tokens) == pytest.approx(worked_out_flops(size, tokens), rel=0.01)


def test_vit_b16_costs_what_the_literature_says() -> None:
    # ViT-B/16 at 224 px: 17.6 GMAC forward (timm's table: 16.9 without attention's products); the head adds 1.2 M.
    forward = counted_flops(StepSize("vit-b16", 224, 32, 768, 512), 0) / 3
    assert 34e9 < forward < 36e9


def test_break_even_by_hand() -> None:
    assert break_even(100.0, 2.0, 4.0) == 50
    assert break_even(100.0, 4.0, 4.0) is None


def test_the_table_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = CostConfig(
        out=tmp_path / "cost",
        image_encoder="vit-nano",
        size=32,
        dim=64,
        tokens=(16, 64),
        photos=1000,
        epochs=10,
    )
    content = cost(config)
    first = content["rows"][0]
    lift, clip = first["lift_flops_per_sample"], first["clip_flops_per_sample"]
    assert first["offline"]["flops"] == 2 * 11e6 * 16 * 1000
    assert first["break_even_epochs"] == pytest.approx(2 * 11e6 * 16 / (clip - lift))
    assert first["lift_total_flops"] == pytest.approx(lift * 10_000 + first["offline"]["flops"])
    assert first["saved_percent"] == pytest.approx(100 * (1 - lift / clip))
    assert content["rows"][1]["clip_flops_per_sample"] > clip
    assert (tmp_path / "cost" / "cost.png").stat().st_size > 5000
    assert "paid after" in capsys.readouterr().out
    assert cost(config) == json.loads((tmp_path / "cost" / "cost.json").read_text("utf-8"))
    assert "already done" in capsys.readouterr().out


def test_steps_of_both_are_timed_in_turn(tmp_path: Path) -> None:
    content = cost(
        CostConfig(
            out=tmp_path / "cost",
            image_encoder="vit-nano",
            size=32,
            dim=64,
            batch_size=8,
            tokens=(64,),
            rounds=1,
            threads=1,
        )
    )
    [row] = content["rows"]
    assert row["lift_samples_per_second"] > 0 and row["clip_samples_per_second"] > 0 and row["time_ratio"] > 0


def test_energy_by_hand(tmp_path: Path) -> None:
    def counter(number: int, value: int) -> None:
        folder = tmp_path / f"intel-rapl:{number}"
        folder.mkdir(exist_ok=True)
        (folder / "energy_uj").write_text(f"{value}\n")
        (folder / "max_energy_range_uj").write_text("262143328850\n")

    assert Meter("cpu", tmp_path / "none").joules() is None
    counter(0, 5_000_000)
    counter(1, 262_143_000_000)
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of package 0, counted there already
    meter = Meter("cpu", tmp_path)
    counter(0, 8_500_000)
    counter(1, 671_150)  # began again: 0.32885 J up to the end, 0.67115 J since
    assert meter.joules() == pytest.approx(3.5 + 1.0)
    (tmp_path / "intel-rapl:1" / "energy_uj").unlink()
    assert meter.joules() is None  # half a machine is no measurement

    pairs = [
        ({"joules": 8.0}, {"joules": 16.0}),
        ({"joules": 6.0}, {"joules": 24.0}),
        ({"joules": 4.0}, {"joules": 4.0}),
    ]
    assert energy_of(pairs, 2) == {
        "lift_joules_per_sample": 3.0,
        "clip_joules_per_sample": 8.0,
        "energy_ratio": 0.5,
    }
    assert energy_of([({"joules": 8.0}, {"seconds": 1.0})], 2) == {}


def test_the_text_pass_of_a_store(tiny_store: Path, tmp_path: Path) -> None:
    content = cost(
        CostConfig(
            out=tmp_path / "cost", image_encoder="vit-nano", size=32, tokens=(16,), texts=str(tiny_store)
        )
    )
    assert content["rows"][0]["offline"]["flops"] == EmbeddingStore(tiny_store).manifest["flops"]


def test_what_cannot_work_is_said(tmp_path: Path) -> None:
    for options, problem in (
        ({"image_encoder": "vit-x"}, "no image encoder"),
        ({"size": 100}, "no multiple of the patch"),
        ({"tokens": (4,)}, "--tokens"),
        ({"epochs": 0}, "--epochs is 0"),
        ({"text_width": 100}, "--text-width is 100"),
    ):
        with pytest.raises(LiftError, match=problem):
            cost(CostConfig(out=tmp_path / "cost", **options))  # type: ignore[arg-type]
