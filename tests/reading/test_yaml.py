"""YAML files beside the logs are untrusted text: plain values are read, nothing is constructed."""

from __future__ import annotations

from pathlib import Path

import pytest

from attnae.reading.settings import read_yaml, value_of


def read(directory: Path, text: str, name: str = "hparams.yaml") -> tuple[dict[str, object], list[str]]:
    (directory / name).write_text(text)
    problems: list[str] = []
    return dict(read_yaml(directory, problems)), problems


def test_nested_values_are_flattened(tmp_path: Path) -> None:
    text = """
    lr: 1e-4
    epochs: 25
    bn: yes
    act: relu
    none: null
    units: [35, 25, 15, 5]
    model:
      depth: 3
      layers: [{size: 1}, {size: 2}]
    1: one
    """
    assert read(tmp_path, text) == (
        {
            "lr": 1e-4,
            "epochs": 25,
            "bn": True,
            "act": "relu",
            "none": "None",
            "units": "35 25 15 5",
            "model/depth": 3,
            "model/layers/0/size": 1,
            "model/layers/1/size": 2,
            "1": "one",
        },
        [],
    )


def test_python_objects_are_left_out_and_never_made(tmp_path: Path) -> None:
    made = tmp_path / "made"
    text = f"""
    act: relu
    module: !!python/object:torch.nn.modules.linear.Linear
      training: true
    call: !!python/object/apply:os.system ["touch {made}"]
    new: !!python/object/new:os.system ["touch {made}"]
    name: !!python/name:os.system
    module2: !!python/module:os
    own: !Own {{a: 1}}
    units: !!python/tuple [35, 25]
    mixed: [1, !!python/name:os.system , 2]
    """
    assert read(tmp_path, text) == ({"act": "relu", "units": "35 25", "mixed": "1 2"}, [])
    assert not made.exists()


def test_a_few_aliases_do_not_expand_to_billions_of_values(tmp_path: Path) -> None:
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}, z: *a{n - 1}}}" for n in range(1, 19)]
    assert read(tmp_path, "\n".join(lines)) == (
        {},
        ["hparams.yaml cannot be read: its aliases expand to more than 1 MiB"],
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &a\n  b: *a", "its aliases expand to more than 1 MiB"),
        ("a: [1, 2", "hparams.yaml cannot be read: while parsing"),
        ("a: " + "[" * 25 + "]" * 25, "nested deeper than 20 levels"),
        ("a: " + "[" * 100_000, "nest"),  # PyYAML's own limit, where it has one, or ours
        ("a: \x00", "cannot be read"),
        ("a: " + "x" * (1 << 23), "larger than 8 MiB"),
        ("a: [" + "1, " * 300_000 + "]", "it has more than 300,000 values"),
    ],
)
def test_broken_files_are_reported(tmp_path: Path, text: str, reason: str) -> None:
    values, problems = read(tmp_path, text)
    assert values == {}
    assert len(problems) == 1
    assert reason in problems[0]
    assert "\n" not in problems[0]


def test_a_file_without_values_is_skipped_for_the_next(tmp_path: Path) -> None:
    read(tmp_path, "{}", "hparams.yaml")
    assert read(tmp_path, "a: 1", "config.yaml") == ({"a": 1}, [])
    assert read(tmp_path, "just words", "config.yaml") == ({}, [])
    assert read(tmp_path, "b: 2", "hparams.yaml") == ({"b": 2}, [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("1", 1), ("-3", -3), ("1.5", 1.5), ("1e-4", 1e-4), (".5", 0.5), ("True", True), ("false", False)],
        *[(word, word) for word in ("relu", "1_000", "0x10", "1.2.3", "e5", "-")],
    ],
)
def test_values_spelled_as_text(text: str, value: object) -> None:
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)
