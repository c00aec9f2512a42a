"""Options of a run and of a study: what they are, their ranges, and how they are read from YAML files and written."""

from attnae.config.run import (
    GROUPS,
    DataOptions,
    HardwareOptions,
    ModelOptions,
    OutputOptions,
    RunConfig,
    TrainingOptions,
    option_names,
)

__all__ = [
    "GROUPS",
    "DataOptions",
    "HardwareOptions",
    "ModelOptions",
    "OutputOptions",
    "RunConfig",
    "TrainingOptions",
    "option_names",
]
