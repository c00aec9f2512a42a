"""Whether runs that were read are those of `tests.reading.experiment`."""

from __future__ import annotations

import math

import numpy as np

from attnae.reading.run import FAILED, FINISHED, PRUNED
from tests.reading.event_logs import EventFile
from tests.reading.experiment import LOSS, experiment

STATUSES = {"finished": FINISHED, "failed": FAILED, "pruned": PRUNED}


def check_runs(runs, *, tag=LOSS, statuses=STATUSES, first_step=0):
    """Every setting, series and status is the one that was written.

    `statuses` maps the ends of `experiment` to statuses; `NaN` is the end of a run whose last loss is NaN.
    """
    found = {identity(run.hparams): run for run in runs}
    assert len(found) == len(runs) == len(experiment())
    for written in experiment():
        run = found[identity(written["settings"])]
        assert run.hparams == written["settings"]
        assert all(type(run.hparams[name]) is type(value) for name, value in written["settings"].items())
        lost = "NaN" in statuses and any(map(math.isnan, written["losses"][-1:]))
        assert run.status == statuses["NaN" if lost else written["end"]]
        if not written["losses"]:
            assert tag not in run.scalars
            continue
        series = run.scalars[tag]
        assert series.steps.tolist() == list(range(first_step, first_step + len(written["losses"])))
        np.testing.assert_array_equal(series.values, written["losses"])
        assert not math.isnan(run.started)


def identity(settings):
    return tuple(settings[name] for name in ("lr", "act", "wide", "seed"))


def check_effects(path, tmp_path, *, response=LOSS):
    """The report's effects equal those from event files of the runs that ended well or diverged."""
    for number, run in enumerate(experiment()):
        if run["end"] == "finished":
            file = EventFile().hparams(run["settings"])
            for step, loss in enumerate(run["losses"]):
                file.scalar(LOSS, loss, step)
            file.write(tmp_path / "events" / f"run-{number}")
    expected, found = effects(tmp_path / "events", LOSS), effects(path, response)
    assert list(found.index) == list(expected.index)
    # Event files hold 32 bits of each loss.
    np.testing.assert_allclose(found.to_numpy(float), expected.to_numpy(float), rtol=1e-4)


def effects(paths, response):
    from attnae.analysis.audit.audit import audit_runs
    from attnae.analysis.study import fit_study
    from attnae.reading.read import read_logs

    audit = audit_runs(read_logs(paths), response=response, factors=("lr", "act", "wide"))
    result = fit_study(audit.ended, audit.factors, seed=audit.seed, permutations=0)
    table = result.effects.set_index(["factor", "level"])[["estimate", "std_error", "p"]]
    return table.sort_index()
