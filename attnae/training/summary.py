"""What the terminal shows of a run: the layers of the model before it, the test metrics after it."""

from __future__ import annotations

import shlex

import pytorch_lightning as pl
from pytorch_lightning.utilities.model_summary import ModelSummary
from rich.console import Console
from rich.table import Table
from rich.text import Text

from attnae.evaluation.quality import MODEL_METRICS
from attnae.rundir.record import RunResult
from attnae.tags import FINISHED, scalar

# Units of the metrics that every run has; the others bring their own.
LOSS_UNITS = {
    "loss": "bce + kl_weight * kl",
    "bce": "nats per pixel",
    "kl": "nats per image",
    "elbo": "nats per image, higher is better",
}
COLUMNS = ("layer", "type", "output", "parameters")


def model_rows(module: pl.LightningModule) -> list[tuple[str, str, str, str]]:
    """The layers down to the dense blocks: (path, type, output shape for one image, number of parameters) each."""
    summary = ModelSummary(module, max_depth=3)
    sizes = [
        str(size) if "vae." in name else "" for name, size in zip(summary.layer_names, summary.out_sizes, strict=True)
    ]
    counts = [f"{count:,}" for count in summary.param_nums]
    return list(zip(summary.layer_names, summary.layer_types, sizes, counts, strict=True))


def model_table(module: pl.LightningModule) -> Table:
    """The layers as a table for the terminal."""
    table = Table(*COLUMNS)
    for row in model_rows(module):
        table.add_row(*row)
    return table


def model_markdown(module: pl.LightningModule) -> str:
    """The layers as a Markdown table, for TensorBoard's text page."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *model_rows(module)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def print_result(result: RunResult, console: Console) -> int:
    """Print the test metrics and the commands to use next. The exit code: 0, or 3 for a run that diverged."""
    where = shlex.quote(str(result.directory))
    if result.status != FINISHED:
        line = (
            f"a loss became NaN or infinite. Its last good checkpoint, if any, is in {where}; a smaller --lr may help."
        )
        console.print(Text.assemble(("The run diverged: ", "bold red"), line), soft_wrap=True)
        return 3
    table = Table("test", "value", "unit")
    units = LOSS_UNITS | {metric.name: metric.unit for metric in MODEL_METRICS}
    for metric, unit in units.items():
        if (tag := scalar("test", metric)) in result.metrics:
            table.add_row(metric, f"{result.metrics[tag]:.5g}", unit)
    console.print(table)
    logs = shlex.quote(str(result.directory.parent))
    for label, command in (
        ("The run", where),
        ("Watch", f"tensorboard --logdir {logs}"),
        ("Compare", f"python analyze.py {logs}"),
    ):
        console.print(f"{label + ':':<9}{command}", soft_wrap=True)
    return 0
