"""What a person reads at the end of a run."""

from __future__ import annotations

import shlex

from rich.console import Console
from rich.table import Table

from attnae.tags import FINISHED, scalar
from attnae.training.run import RunResult

UNITS = {
    "loss": "bce + kl_weight * kl",
    "bce": "nats a pixel",
    "kl": "nats an image",
    "elbo": "nats an image, higher is better",
}


def print_result(result: RunResult, console: Console) -> int:
    """The test numbers and the commands that come next; the exit code: 0, or 3 for a run that diverged."""
    where = shlex.quote(str(result.directory))
    if result.status != FINISHED:
        console.print(
            f"[bold red]The run diverged:[/] a loss became NaN or infinite. Its last good checkpoint is in {where}; "
            "a smaller --lr may help.",
            highlight=False,
        )
        return 3
    table = Table("test", "value", "unit", title=f"{result.directory.name}: test set")
    for metric, unit in UNITS.items():
        table.add_row(metric, f"{result.metrics[scalar('test', metric)]:.5g}", unit)
    console.print(table)
    logs = shlex.quote(str(result.directory.parent))
    console.print(f"Look at it:   tensorboard --logdir {logs}", highlight=False, soft_wrap=True)
    console.print(f"Compare runs: python analyze.py {logs}", highlight=False, soft_wrap=True)
    return 0
