"""Runs of this program that record their attention in different ways, made comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from attnae.reading.run import HParam, Run

NAME, SPATIAL, CHANNEL = "attention", "spatial_attention", "channel_attention"
SWITCHED_ON = {
    (False, False): "none",
    (True, False): "spatial",
    (False, True): "channel",
    (True, True): "channel and spatial",
}
# A setting that all runs of this program record, and hardly any other.
MARK = "attention_kernel_size"


def with_one_attention(runs: Sequence[Run]) -> list[Run]:
    """The runs; where some record `attention` and others the two switches, the switches become `attention`.

    `--attention none` and the switches both off are the same model. Recorded under different names, they could not be
    compared. Runs that all record the switches, such as those of earlier versions, stay as they are.
    """
    if not any(MARK in run.hparams and isinstance(run.hparams.get(NAME), str) for run in runs):
        return list(runs)
    return [replace(run, hparams=_by_name(run.hparams)) for run in runs]


def _by_name(hparams: dict[str, HParam]) -> dict[str, HParam]:
    if MARK not in hparams or NAME in hparams or not isinstance(hparams.get(SPATIAL), bool):
        return hparams
    # The first versions had no channel attention.
    name = SWITCHED_ON[bool(hparams[SPATIAL]), bool(hparams.get(CHANNEL, False))]
    return {NAME: name, **{key: value for key, value in hparams.items() if key not in (SPATIAL, CHANNEL)}}
