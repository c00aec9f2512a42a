"""The options of a run as tyro shows and parses them, and which of them were typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tyro.conf import OmitArgPrefixes

from attnae.config.run import (
    GROUPS,
    DataOptions,
    HardwareOptions,
    ModelOptions,
    OutputOptions,
    RunConfig,
    TrainingOptions,
    flag,
    option_names,
)


@dataclass(frozen=True)
class OptionGroups:
    """All options of a run, in the groups in which `--help` shows them."""

    model: OmitArgPrefixes[ModelOptions]
    training: OmitArgPrefixes[TrainingOptions]
    data: OmitArgPrefixes[DataOptions]
    hardware: OmitArgPrefixes[HardwareOptions]
    output: OmitArgPrefixes[OutputOptions]

    def values(self) -> dict[str, Any]:
        """All options of a run by name."""
        return {name: value for group in GROUPS for name, value in vars(getattr(self, group)).items()}

    def run_config(self) -> RunConfig:
        """The options as one `RunConfig`. Raises `OptionError` for a value that is out of range."""
        return RunConfig(**self.values())


def groups_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """These options, completed by the defaults, as the fields of `OptionGroups`. Ranges are not checked."""
    return {
        group: kind(**{name: options[name] for name in option_names(group) if name in options})
        for group, kind in GROUPS.items()
    }


def typed_options(args: Sequence[str], known: Iterable[str]) -> list[str]:
    """The `known` options that appear in a command line, whatever their values."""
    spellings = {spelling: option for option in known for spelling in (flag(option), flag(f"no_{option}"))}
    tokens = (token.partition("=")[0].replace("_", "-") for token in args)
    return [spellings[token] for token in tokens if token in spellings]
