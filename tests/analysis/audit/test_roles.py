"""Which hyper-parameters are factors: decided by what varies, and how, not by a list of known names."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from attnae.analysis.audit.roles import Roles, find_roles
from attnae.errors import UserError

Settings = list[dict[str, Any]]


def grid(**levels: list[Any]) -> Settings:
    return [dict(zip(levels, values, strict=True)) for values in itertools.product(*levels.values())]


def add(settings: Settings, **columns: Any) -> Settings:
    """Columns computed from each run's settings and its number."""
    return [
        setting | {name: rule(setting, number) for name, rule in columns.items()}
        for number, setting in enumerate(settings)
    ]


FACTORIAL = grid(batch_norm=[False, True], attention=[False, True], act=["elu", "relu", "selu", "sigmoid"])


def params(setting: Mapping[str, Any], _: int) -> int:
    return 216_461 + 480 * setting["batch_norm"] + 612 * setting["attention"]


def find(settings: Settings, factors: list[str] | None = None) -> Roles:
    return find_roles(settings, factors)


def test_a_long_name_of_a_run_is_a_name_and_no_doubtful_setting() -> None:
    """The runs of a search are named by all their settings."""
    found = find(add(FACTORIAL, name=lambda s, n: f"{'setting=value,' * 6}replicate={n}"))
    assert found.identifiers == {"name": "only describes the run"}
    assert found.doubtful == ()


def test_constants_and_descriptions_of_a_run_are_not_factors() -> None:
    found = find(
        add(
            FACTORIAL,
            epochs=lambda s, n: 25,
            name=lambda s, n: f"run {n}",
            log_dir=lambda s, n: f"logs/{n % 2}",
            threads=lambda s, n: n % 4,
            picture_every=lambda s, n: n % 3,
        )
    )
    assert found.settings == ("batch_norm", "attention", "act")
    assert found.constants == {"epochs": 25}
    assert found.identifiers == dict.fromkeys(("name", "log_dir", "threads", "picture_every"), "only describes the run")
    assert (found.seed, found.derived, found.aliases, found.ignored, found.partial) == (
        None,
        {},
        {},
        (),
        (),
    )


@pytest.mark.parametrize(
    "name", ["seed", "random_seed", "rng_seed", "SEED", "trainer/seed", "random_state", "seed_everything"]
)
def test_the_seed_is_recognised_by_its_name(name: str) -> None:
    assert find(grid(act=["a", "b"], **{name: [1, 2, 3]})).seed == name
    constant = find(grid(act=["a", "b"], bn=[0, 1], **{name: [768]}))
    assert (constant.seed, constant.constants) == (name, {})
    assert find(grid(act=["a", "b"], **{name: [1, 2, 3]}), [name]).settings == (name,)


def test_one_seed_of_several() -> None:
    found = find(add(grid(act=["a", "b"], seed=[1, 2, 3]), data_seed=lambda s, n: s["seed"] % 2))
    assert (found.seed, found.settings, found.identifiers) == ("seed", ("act",), {"data_seed": "another seed"})
    assert find(add(grid(act=["a", "b"], data_seed=[1, 2]), seed=lambda s, n: 7)).seed == "data_seed"


def test_text_that_differs_in_every_run_is_an_identifier() -> None:
    found = find(add(FACTORIAL, label=lambda s, n: f"x{n}", row=lambda s, n: n + 17, plate=lambda s, n: (7 * n) % 16))
    assert found.settings == ("batch_norm", "attention", "act", "plate")  # whole numbers are no label unless called so
    assert found.identifiers == dict.fromkeys(("label", "row"), "every run has its own")
    assert found.doubtful == ("row",)


def test_numbers_that_differ_in_every_run_may_be_factors() -> None:
    """A random search: every learning rate is used once."""
    rng = np.random.default_rng(0)
    settings = [{"act": ["a", "b"][n % 2], "lr": float(rng.random()), "wd": float(rng.random())} for n in range(20)]
    assert find(settings).settings == ("act", "lr", "wd")
    assert find([{"latent_dim": n} for n in range(1, 9)]).settings == ("latent_dim",)


@pytest.mark.parametrize("seeds", [1, 3])
def test_parameter_counts_follow_from_what_they_count(seeds: int) -> None:
    found = find(add([s | {"seed": n} for s in FACTORIAL for n in range(seeds)], size=params))
    assert found.settings == ("batch_norm", "attention", "act")
    assert found.derived == {"size": ("batch_norm", "attention")}


def test_too_little_evidence_leaves_a_setting() -> None:
    """Four distinct configurations: nothing repeats, so nothing follows from anything (`selection` sets `n` aside)."""
    settings = add(grid(batch_norm=[False, True], attention=[False, True], seed=[1, 2]), n=params)
    assert find(settings).derived == {}
    assert find(settings).settings == ("batch_norm", "attention", "n")


@pytest.mark.parametrize("name", ["n_params", "model/n_params", "width"])
def test_counts_that_several_cells_share_are_derived(name: str) -> None:
    settings = add(FACTORIAL, **{name: lambda s, n: s["batch_norm"] + s["attention"]})
    assert find(settings).derived == {name: ("batch_norm", "attention")}


def test_a_count_of_a_single_factor() -> None:
    found = find(add(grid(depth=[1, 2, 3], seed=[1, 2]), n_params=lambda s, n: 100 * s["depth"]))
    assert (found.settings, found.derived, found.aliases) == (("depth",), {"n_params": ("depth",)}, {})


def test_a_column_that_merges_levels_of_another_is_derived() -> None:
    settings = grid(model=["resnet18", "resnet50", "vgg11", "vgg16"], lr=[0.1, 0.01, 0.001, 1.0], wd=[0.1, 0.2])
    found = find(add(settings, family=lambda s, n: s["model"][:3]))
    assert (found.settings, found.derived) == (("model", "lr", "wd"), {"family": ("model",)})


def test_a_copy_under_another_name_is_not_a_second_factor() -> None:
    settings = add(FACTORIAL, **{"model/act": lambda s, n: s["act"], "bn": lambda s, n: int(s["batch_norm"])})
    assert find(settings).derived == {"model/act": ("act",), "bn": ("batch_norm",)}


@pytest.mark.parametrize("generator", [lambda a, b, c: a ^ b ^ c, lambda a, b, c: a ^ b])
@pytest.mark.parametrize("repeats", [1, 2])
def test_a_factor_of_a_fraction_stays_although_others_determine_it(generator: Any, repeats: int) -> None:
    settings = grid(a=[0, 1], b=[0, 1], c=[0, 1]) * repeats
    found = find(add(settings, d=lambda s, n: generator(s["a"], s["b"], s["c"])))
    assert (found.settings, found.derived, found.aliases) == (("a", "b", "c", "d"), {}, {})


def test_a_latin_square_keeps_its_three_factors() -> None:
    settings = add(grid(a=[0, 1, 2], b=[0, 1, 2]), c=lambda s, n: (s["a"] + s["b"]) % 3)
    assert find(settings).settings == ("a", "b", "c")


def test_factors_that_change_together_are_named() -> None:
    settings = add(FACTORIAL, dropout=lambda s, n: 0.2 if s["batch_norm"] else 0.5)
    found = find(settings)
    assert found.settings == ("batch_norm", "attention", "act")
    assert found.aliases == {"dropout": "batch_norm"}
    chosen = find(settings, ["dropout", "batch_norm"])
    assert (chosen.settings, chosen.aliases) == (("dropout", "batch_norm"), {"batch_norm": "dropout"})


def test_numbers_in_the_same_or_opposite_order_follow_from_each_other() -> None:
    draws = 1 + np.random.default_rng(0).random((20, 2))
    settings = [{"act": "ab"[n % 2], "lr": float(a), "wd": float(b), "double": 1 - 2 * float(a)}
                for n, (a, b) in enumerate(draws)]  # fmt: skip
    assert find(settings).derived == {"double": ("lr",)}


def test_a_setting_of_only_some_runs_is_no_level() -> None:
    search = np.random.default_rng(1)
    settings = [
        {"opt": opt, "lr": float(search.random())} | ({"momentum": float(search.random())} if opt == "sgd" else {})
        for opt in ["sgd", "adam"] * 15
    ]
    found = find(settings)
    assert found.settings == ("opt", "lr", "momentum")
    assert found.conditional == {"momentum": "opt"}


@pytest.mark.parametrize("text", ["x" * 81, "Sequential(\n  (0): Linear()\n)", "<torch.nn.Module at 0x7f12>"])
def test_printed_objects_are_settings_only_if_the_user_says_so(text: str) -> None:
    settings = add(FACTORIAL, model=lambda s, n: text if n % 3 else "short")
    found = find(settings)
    assert "model" not in found.settings
    assert found.doubtful == ("model",)
    assert find(settings, ["model"]).settings == ("model",)


@pytest.mark.parametrize("given", [["params.lr"], ["config/lr"], ["lr"], ["lr,act"], ["act", "params_lr"]])
def test_the_user_may_write_prefixes_and_commas(given: list[str]) -> None:
    settings = grid(lr=[0.1, 0.2], act=["a", "b"])
    assert "lr" in find(settings, given).settings
    prefixed = grid(**{"params.lr": [0.1, 0.2], "params.act": ["a", "b"]})
    assert "params.lr" in find(prefixed, given).settings


@pytest.mark.parametrize("name", ["time", "Time", "date"])
def test_a_few_times_are_a_factor_and_many_are_measurements(name: str) -> None:
    settings = grid(**{name: [10, 20], "act": ["elu", "relu"], "rep": [1, 2]})
    found = find(settings)
    assert (set(found.settings), found.identifiers) == ({name, "act"}, {"rep": "numbers repetitions"})
    assert find(settings[1:]).settings == found.settings
    assert find(grid(**{name: ["a", "b", "c"], "rep": [1, 2, 3]})).settings == (name,)
    clock = find(add(grid(act=["elu", "relu"], seed=range(8)), **{name: lambda s, n: 1000.0 + n // 2}))
    assert (clock.settings, clock.doubtful) == (("act",), (name,))


@pytest.mark.parametrize("name", ["host", "device", "threads", "data_dir", "run", "order", "experiment", "fold"])
def test_ambiguous_names_are_not_factors_but_give_a_warning(name: str) -> None:
    found = find(grid(**{name: [1, 2], "act": ["elu", "relu"], "rep": [1, 2]}))
    assert (found.settings, found.doubtful) == (("act",), (name,))
    chosen = find(grid(**{name: [1, 2], "act": ["elu", "relu"]}), [name, "act"])
    assert (chosen.settings, chosen.doubtful) == ((name, "act"), ())


def test_an_error_names_identifiers_that_are_all_that_varies() -> None:
    with pytest.raises(UserError, match=r"differ only in threads \(only describes the run\), and no factor varies"):
        find(grid(threads=[1, 2, 4, 8]))
    with pytest.raises(UserError, match=r"differ only in rep \(numbers repetitions\), and no factor varies: name"):
        find(grid(rep=[1, 2, 3], seed=[1, 2]))


@pytest.mark.parametrize("name", ["rep", "Replicate", "replicate_id", "repetition", "obs", "obs_id", "trial", "fold"])
def test_numbers_of_repetitions_are_neither_factors_nor_duplicates(name: str) -> None:
    found = find(grid(act=["elu", "relu"], **{name: [1, 2, 3]}))
    assert (found.settings, found.apart) == (("act",), (name,))
    assert found.doubtful == (() if name.lower().startswith("rep") else (name,))


@pytest.mark.parametrize("name", ["run", "run_id", "uid", "experiment", "index"])
def test_numbers_of_runs_do_not_distinguish_repetitions(name: str) -> None:
    found = find(add(grid(act=["elu", "relu"], seed=[1, 2]), **{name: lambda s, n: n}))
    assert (found.settings, found.apart) == (("act",), ())
    repeated = find(grid(act=["elu", "relu"], seed=[1, 2], **{name: [1, 2]}))
    assert (repeated.settings, repeated.apart) == (("act",), (name,))


def test_the_seed_as_a_factor_beside_another_seed() -> None:
    settings = grid(seed=[-1, 1], b=[0, 1], data_seed=[0, 1, 2])
    assert find(settings).seed == "seed"
    found = find(settings, ["seed", "b"])
    assert (found.settings, found.seed, found.apart) == (("seed", "b"), None, ("data_seed",))


def test_a_setting_that_some_runs_do_not_record() -> None:
    settings = [*FACTORIAL, *(setting | {"limit": 100} for setting in FACTORIAL[:2])]
    found = find(settings)
    assert found.settings == ("batch_norm", "attention", "act")
    assert found.partial == ("limit",)


def test_factors_that_the_user_chooses() -> None:
    settings = add(FACTORIAL, **{"name": lambda s, n: f"{n % 2}", "epochs": lambda s, n: 25, "model/size": params})
    found = find(settings, ["act", "size", "act", "epochs"])
    assert found.settings == ("act", "model/size")
    assert found.ignored == ("batch_norm", "attention")
    assert found.constants == {"epochs": 25}
    assert find(settings, ["name"]).settings == ("name",)


@pytest.mark.parametrize(
    ("settings", "factors", "message"),
    [
        (FACTORIAL, ["atention"], r"--factors atention: no run records this setting; did you mean attention\?"),
        (FACTORIAL, ["xyz"], "choose from batch_norm, attention, act"),
        (
            add(FACTORIAL, epochs=lambda s, n: 25),
            ["epochs"],
            "the 16 runs do not differ in any hyper-parameter",
        ),
        (grid(act=["relu"], seed=[1, 2, 3]), None, "the 3 runs do not differ in any hyper-parameter"),
        ([{}, {}], None, "no run records hyper-parameters: log them with add_hparams"),
        (
            [{"act": "a"}, {"act": "b"}, {"act": "c"}],
            None,
            "every run has its own value of act, so there are",
        ),
    ],
)
def test_nothing_to_compare(settings: Settings, factors: list[str] | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        find(settings, factors)
