"""What is settled once for a whole study before anything starts: the data set, and that every model can be built."""

from __future__ import annotations

import dataclasses

from attnae.config import RunConfig
from attnae.data.sources import resolve_auto
from attnae.errors import UserError
from attnae.rundir.directory import check_place
from attnae.study.design import Design, cell_name
from attnae.study.state import recorded_design
from attnae.training.prepare import build, needs_download, offline, prepare


def resolve_design(design: Design, *, dry_run: bool = False) -> tuple[Design, list[str]]:
    """The design with its data set named, after every model was built once; and what the user should know.

    A study that has begun keeps its data set. Images are loaded, and downloaded, here once, so that no run finds them
    missing; a dry run downloads nothing. Raises `UserError` for images that cannot be had, or a cell that fits none;
    where they have to be downloaded, before that.
    """
    notes = []
    if not dry_run and needs_download(design.base):
        check_place(design.runs()[0].config.replace(name=None))
        _build_all(design, offline(design.runs()[0].config)[0])
    if design.base.dataset == "auto":
        recorded = recorded_design(design.directory)
        if recorded is not None:
            name, note = recorded.base.dataset, None
        elif dry_run:
            resolved, note = offline(design.base)
            name = resolved.dataset
        else:
            name, note = resolve_auto(design.base.data_dir)
        notes += [note] if note else []
        design = dataclasses.replace(design, base=design.base.replace(dataset=name))
    first = design.runs()[0]
    if dry_run:
        images, _ = offline(first.config)
    else:
        prepared = prepare(first.config)
        images = prepared.config
        notes += prepared.warnings
    _build_all(design, images)
    return design, notes


def _build_all(design: Design, images: RunConfig) -> None:
    """Builds the model of every cell for these images; `UserError` names the cell whose model they do not fit."""
    one_seed = dataclasses.replace(design, seeds=design.seeds[:1])
    for run in one_seed.runs():
        try:
            build(run.config.replace(image_size=images.image_size, channels=images.channels, compile="off"))
        except UserError as error:
            raise UserError(f"cell {cell_name(run.cell)}: {error}") from error
