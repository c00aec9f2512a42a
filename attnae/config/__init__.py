"""Options of a run and of a study: what they are, their ranges, and how they are read from YAML files and written."""

from attnae.config.datasets import DATASETS
from attnae.config.run import (
    GROUPS,
    MOST,
    DataOptions,
    HardwareOptions,
    ModelOptions,
    OptionError,
    OutputOptions,
    RunConfig,
    TrainingOptions,
    check_choices,
    flag,
    layered,
    option_names,
)
from attnae.config.yaml_files import as_yaml, check_options, cut, read_config, read_yaml, suggestion, write_config

__all__ = [
    "DATASETS",
    "GROUPS",
    "MOST",
    "DataOptions",
    "HardwareOptions",
    "ModelOptions",
    "OptionError",
    "OutputOptions",
    "RunConfig",
    "TrainingOptions",
    "as_yaml",
    "check_choices",
    "check_options",
    "cut",
    "flag",
    "layered",
    "option_names",
    "read_config",
    "read_yaml",
    "suggestion",
    "write_config",
]
