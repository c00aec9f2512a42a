"""The response: which tag, at which epoch, which direction."""

from __future__ import annotations

import math

import numpy as np
import pytest

from attnae.analysis.audit.responses import (
    EpochRule,
    alternative_rules,
    check_rule,
    choose_response,
    validation_twin,
)
from attnae.analysis.goal import guess_goal
from attnae.errors import UserError
from attnae.reading.run import Run, Series


def run(metrics: tuple[str, ...] = (), **tags: list[float] | dict[int, float]) -> Run:
    """A run with a series a tag (`_` stands for `/`): values at steps 1, 2, ... or by step."""
    scalars = {}
    for tag, values in tags.items():
        points = values if isinstance(values, dict) else dict(enumerate(values, start=1))
        scalars[tag.replace("_", "/")] = Series(np.array(list(points)), np.array(list(points.values()), float))
    return Run("run", None, {"a": 1}, scalars, metrics=metrics)


def read(rule: str, run: Run, tag: str = "test/loss", goal: str = "min", on: str | None = None) -> float | None:
    return EpochRule.parse(rule).read(run, tag, goal, on)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["last", "best", "tail:1", "tail:25"])
def test_rules_are_parsed_and_printed(text: str) -> None:
    assert str(EpochRule.parse(text)) == text


@pytest.mark.parametrize("text", ["", "first", "tail", "tail:0", "tail:-1", "tail:1.5", "best:2", "tail:5 "])
def test_other_rules_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="type last, best, or tail:5"):
        EpochRule.parse(text)


def test_last_and_tail() -> None:
    noisy = run(test_loss=[9, 1, 2, 6])
    assert read("last", noisy) == 6
    assert read("tail:1", noisy) == 6
    assert read("tail:3", noisy) == 3
    assert read("tail:9", noisy) == 4.5
    assert read("last", noisy, "val/loss") is None
    assert read("last", run(test_loss=[])) is None


def test_best_is_chosen_on_validation_and_read_on_the_response() -> None:
    both = run(test_loss=[5, 6, 7], val_loss=[3, 1, 2])
    assert read("best", both, on="val/loss") == 6
    assert read("best", both, goal="max", on="val/loss") == 5
    assert read("best", run(test_loss=[5, 6, 7], val_loss=[1, 1, 2]), on="val/loss") == 5
    assert read("best", both, on="val/acc") is None


def test_best_chooses_among_steps_that_both_have_and_finite_scores() -> None:
    sparse = run(test_loss={2: 20, 4: 40}, val_loss={1: 0, 2: 5, 3: 1, 4: 6})
    assert read("best", sparse, on="val/loss") == 20
    assert read("best", run(test_loss=[5, 6, 7], val_loss=[math.nan, math.inf, 2]), on="val/loss") == 7
    assert math.isnan(read("best", run(test_loss=[5], val_loss=[math.nan]), on="val/loss") or 0)
    assert read("best", run(test_loss={1: 5}, val_loss={2: 1}), on="val/loss") is None


def test_values_that_are_not_finite_reach_the_response() -> None:
    assert math.isnan(read("last", run(test_loss=[1, math.nan])) or 0)
    assert read("tail:2", run(test_loss=[1, math.inf])) == math.inf
    assert math.isnan(read("tail:2", run(test_loss=[-math.inf, math.inf])) or 0)


@pytest.mark.parametrize(
    ("tags", "chosen"),
    [
        ("train_loss val_loss test_loss test_bce test_elbo lr", "test/loss"),
        ("test_loss test_active_units test_nll test_knn_accuracy", "test/loss"),
        ("train_loss val_loss lr", "val/loss"),
        ("train_loss train_acc valid_acc", "valid/acc"),
        ("train_acc eval_acc", "eval/acc"),
        ("loss epoch", "loss"),
        ("epoch accuracy", "accuracy"),
        ("train_loss latest", "latest"),
        ("epoch", "epoch"),
    ],
)
def test_the_most_likely_response(tags: str, chosen: str) -> None:
    runs = [run(**{tag: [1.0] for tag in tags.split()}) for _ in range(3)]
    assert choose_response(runs, None) == chosen


def test_declared_tags_that_most_runs_have_come_first() -> None:
    assert choose_response([run(("hparam/acc",), test_loss=[1], hparam_acc=[1])] * 2, None) == "hparam/acc"
    assert choose_response([run(test_loss=[1]), *[run(val_loss=[1])] * 3], None) == "val/loss"


def test_a_tag_that_no_run_has() -> None:
    runs = [run(test_loss=[1], val_loss=[1])]
    assert choose_response(runs, "val/loss") == "val/loss"
    with pytest.raises(UserError, match=r"--response tset/loss: no run has this tag; did you mean test/loss\?"):
        choose_response(runs, "tset/loss")
    with pytest.raises(UserError, match="no run has this tag; choose from test/loss, val/loss"):
        choose_response(runs, "qqq")
    with pytest.raises(UserError, match="the runs have no scalar values"):
        choose_response([run()], None)


@pytest.mark.parametrize(
    ("tag", "goal"),
    [(tag, "min") for tag in ("test/loss", "val/bce", "elbo_loss", "mse", "accuracy/loss", "x", "error_reward_err")]
    + [(tag, "min") for tag in ("test/nll", "inactive_units")]
    + [
        (tag, "max")
        for tag in (
            "test/acc",
            "val_accuracy",
            "AUC",
            "f1",
            "test/elbo",
            "PSNR",
            "ssim",
            "reward/mean",
            "loss/acc",
            "test/knn_accuracy",
            "test/active_units",
        )
    ],
)
def test_goals(tag: str, goal: str) -> None:
    assert guess_goal(tag) == goal


@pytest.mark.parametrize(
    ("tag", "tags", "twin"),
    [
        ("test/loss", ["val/loss", "train/loss"], "val/loss"),
        ("test_acc", ["valid_acc", "validation_acc"], "valid_acc"),
        ("Loss/test", ["Loss/val"], "Loss/val"),
        ("train/epoch_loss", ["validation/epoch_loss"], "validation/epoch_loss"),
        ("val_loss", [], "val_loss"),
        ("accuracy", ["val_accuracy"], "val_accuracy"),
        ("test/loss", ["val/acc"], None),
        ("latest/loss", ["laval/loss"], None),
    ],
)
def test_validation_twins(tag: str, tags: list[str], twin: str | None) -> None:
    assert validation_twin(tag, tags) == twin


def test_rules_that_cannot_be_applied() -> None:
    one_point = [run(test_loss=[1], val_loss=[1, 2])]
    assert check_rule(one_point, "test/loss", EpochRule("last")) is None
    for rule in (EpochRule("best"), EpochRule("tail", 5)):
        with pytest.raises(UserError, match=r"one value per run, .* add --response val/loss"):
            check_rule(one_point, "test/loss", rule)
    with pytest.raises(UserError, match="leave out --at"):
        check_rule([run(test_loss=[1])], "test/loss", EpochRule("best"))
    many = [run(test_loss=[1, 2], val_loss=[1, 2], reward=[1, 2])]
    assert check_rule(many, "test/loss", EpochRule("best")) == "val/loss"
    assert check_rule(many, "test/loss", EpochRule("tail", 2)) is None
    with pytest.raises(UserError, match="reward has no validation tag"):
        check_rule(many, "reward", EpochRule("best"))


def test_alternatives_of_a_series_are_its_other_rules() -> None:
    runs = [run(test_loss=[1, 2, 3], val_loss=[3, 1, 2])]
    found = list(alternative_rules(runs, "test/loss", EpochRule("last")))
    assert [label for label, *_ in found] == ["test/loss, best", "test/loss, tail:5"]
    assert [rule.read(runs[0], tag, "min", on) for _, tag, rule, on in found] == [2, 2]
    labels = [label for label, *_ in alternative_rules(runs, "val/loss", EpochRule("tail", 5))]
    assert labels == ["val/loss, last", "val/loss, best, chosen on itself"]


def test_alternatives_of_a_single_point_are_those_of_its_validation_twin() -> None:
    runs = [run(test_loss=[9], val_loss=[3, 1, 2])]
    found = list(alternative_rules(runs, "test/loss", EpochRule("last")))
    assert [label for label, *_ in found] == [
        "val/loss, last",
        "val/loss, best, chosen on itself",
        "val/loss, tail:5",
    ]
    assert [rule.read(runs[0], tag, "min", on) for _, tag, rule, on in found] == [2, 1, 2]
    assert list(alternative_rules([run(test_loss=[9], val_loss=[3])], "test/loss", EpochRule("last"))) == []
    assert list(alternative_rules([run(test_loss=[9])], "test/loss", EpochRule("last"))) == []
