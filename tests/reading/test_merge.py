"""One run in two formats is one run, and two runs stay two."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from attnae.reading.merge import join, unite
from attnae.reading.run import FINISHED, UNKNOWN, Run, Series


def series(*values: float) -> Series:
    return Series(np.arange(len(values)), np.array(values, dtype=np.float64))


def run(name: str, log_format: str, scalars: dict[str, Series], **more: object) -> Run:
    options: dict[str, object] = {"directory": None, "hparams": {}, **more}
    return Run(name=name, scalars=scalars, format=log_format, **options)  # type: ignore[arg-type]


CURVE = (2.1, 1.7, 0.3)


def names(runs: list[Run]) -> list[str]:
    return [f"{run.name}: {run.format}" for run in unite(runs)]


def test_the_same_directory() -> None:
    place = Path("a")
    events = run("a", "TensorBoard", {"x": series(1.5)}, directory=place)
    assert names([events, run("a", "Ray Tune", {"y": series(2.5)}, directory=place)]) == ["a: Ray Tune + TensorBoard"]
    assert len(unite([events, run("b", "TensorBoard", {"y": series(2.5)}, directory=place)])) == 2


def test_the_same_results_under_other_names() -> None:
    single = series(*np.float32(CURVE).tolist())
    events = run("b", "TensorBoard", {"epoch/val/loss": single})
    assert names([run("a", "W&B", {"val_loss": series(*CURVE)}), events]) == ["a: W&B + TensorBoard"]
    assert names([events, run("a", "W&B", {"val_loss": series(*CURVE)})]) == ["a: W&B + TensorBoard"]


def test_results_that_differ_or_say_little() -> None:
    ours = run("a", "W&B", {"loss": series(*CURVE), "acc": series(1, 1, 1)})
    for other in (
        {"loss": series(2.1, 1.7, 0.4)},
        {"loss": series(2.1, 1.7)},
        {"acc": series(1, 1, 1)},  # whole numbers, all equal
        {"loss": series(*CURVE), "acc": series(1, 1, 0)},
        {"floss": series(*CURVE)},
    ):
        assert len(unite([ours, run("b", "TensorBoard", other)])) == 2
    short = run("a", "W&B", {"loss": series(0.3)})
    assert len(unite([short, run("b", "TensorBoard", {"loss": series(0.3)})])) == 2


def test_settings_that_differ_and_runs_of_one_format() -> None:
    ours = run("a", "W&B", {"loss": series(*CURVE)}, hparams={"act": "relu", "bn": 1})
    assert len(unite([ours, run("b", "TensorBoard", {"loss": series(*CURVE)}, hparams={"act": "elu"})])) == 2
    assert len(unite([ours, run("b", "TensorBoard", {"loss": series(*CURVE)}, hparams={"act": "relu"})])) == 1
    assert len(unite([ours, run("b", "W&B", {"loss": series(*CURVE)}, hparams={"act": "relu"})])) == 2


def test_equal_runs_are_paired_one_to_one() -> None:
    """Two seeds with the same results, each in two formats, are two runs."""
    curve = {"loss": series(*CURVE)}
    runs = [run(f"{kind}{number}", kind, curve) for kind in ("TensorBoard", "W&B") for number in range(2)]
    assert names(runs) == ["W&B0: W&B + TensorBoard", "W&B1: W&B + TensorBoard"]


def test_what_a_joined_run_has() -> None:
    first = run(
        "a",
        "W&B",
        {"loss": series(*CURVE), "acc": series(0.5)},
        hparams={"act": "relu"},
        started=5.0,
        seconds=math.nan,
        metrics=("acc",),
        problems=("p",),
    )
    second = run(
        "b",
        "TensorBoard",
        {"train/loss": series(*CURVE), "acc": series(0.25, 0.5), "val/loss": series(1.5)},
        hparams={"model/act": "relu", "lr": 0.1},
        status=FINISHED,
        started=4.0,
        seconds=9.0,
        group="g",
        goal="max",
        problems=("q",),
    )
    both = join(first, second)
    assert {tag: len(points.steps) for tag, points in both.scalars.items()} == {"loss": 3, "acc": 2, "val/loss": 1}
    assert both.hparams == {"act": "relu", "lr": 0.1}
    assert (both.status, first.status, both.started, both.seconds) == (FINISHED, UNKNOWN, 4.0, 9.0)
    assert (both.metrics, both.problems, both.group, both.goal) == (("acc",), ("p", "q"), "g", "max")


def test_thousands_of_runs_in_two_formats() -> None:
    """Each finds its twin among many that have some values in common."""
    generator = np.random.default_rng(1)
    curves = np.round(generator.normal(size=(2_000, 5)), 2)
    runs = [
        run(f"{kind}{number}", kind, {"loss": series(*curve), "acc": series(*curve[::-1])})
        for kind in ("TensorBoard", "W&B")
        for number, curve in enumerate(curves)
    ]
    united = unite(runs)
    assert len(united) == 2_000
    assert {one.format for one in united} == {"W&B + TensorBoard"}
