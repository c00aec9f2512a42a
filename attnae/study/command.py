"""`attnae work`: one worker of a study, for schedulers and other machines."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from attnae.errors import UserError


@dataclass(frozen=True, kw_only=True)
class WorkCommand:
    """Train runs of a study, one after the other, until none is left.

    attnae work logs/factorial

    Any number of workers can train the runs of one study at the same time, on this machine or on others that share the
    directory; each run is trained by one of them. `train.py --study FILE --launcher none` makes the directory.
    """

    study: Positional[Annotated[Path, arg(metavar="STUDY_DIR")]]
    """The directory of the study."""
    max_runs: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Train at most so many runs. Default: no limit."""
    time_limit: Annotated[str | None, arg(metavar="H:MM:SS", help_behavior_hint="")] = None
    """Stop after this time, so that the run can be resumed. Default: no limit.
    Set it a few minutes below the limit of the scheduler."""
    retries: int = 2
    """How often a run that crashed is started again, by whichever worker, from its last checkpoint."""
    stop_on_failure: FlagCreatePairsOff[bool] = False
    """Take no further run once a run of the study has failed for good."""
    data_dir: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """The directory of the data set. Default: the --data-dir of the study.
    Set it if the data set is elsewhere on this machine."""

    def run(self) -> int:
        """Work; 0, or 1 if a run of the study has failed or diverged by the end."""
        for option, value, least in (("--max-runs", self.max_runs, 1), ("--retries", self.retries, 0)):
            if value is not None and value < least:
                raise UserError(f"{option} {value}: must be at least {least}")
        deadline = None if self.time_limit is None else time.time() + seconds(self.time_limit)
        from attnae.study.worker import WorkOptions, serve

        options = WorkOptions(
            directory=self.study,
            data_dir=self.data_dir,
            retries=self.retries,
            max_runs=self.max_runs,
            deadline=deadline,
            stop_on_failure=self.stop_on_failure,
        )
        return serve(options, lambda line: print(line, flush=True))


def seconds(text: str) -> float:
    """The seconds in a time such as 3:50:00, 50:00 or 30; `UserError` for anything else."""
    if not re.fullmatch(r"(\d{1,4}:)?(\d{1,4}:)?\d{1,9}", text):
        raise UserError(f"--time-limit {text!r}: give hours, minutes and seconds, such as 3:50:00")
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + int(part)
    return total
