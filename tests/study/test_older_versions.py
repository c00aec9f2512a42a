"""A study that was begun before there was the option `attention`: its files know the switches only."""

import re

import pytest

from attnae.config import option_names
from attnae.errors import UserError
from attnae.reading import read_runs
from attnae.rundir.directory import CONFIG, read_unfinished
from attnae.study.state import STUDY, WAITING, check_record, lock_study, prepare_runs, run_state
from attnae.study.worker import WorkOptions, work
from tests.study.small_studies import run_quietly, small_design

pytestmark = pytest.mark.usefixtures("blank_pictures")

# Options of the model and of training that earlier versions did not write.
KNOWN_THEN = {
    *("spatial_attention", "channel_attention", "batch_norm", "dropout", "dropout_rate", "act", "units", "block_depth"),
    *("latent_dim", "attention_kernel_size", "attention_norm", "channel_reduction", "variational"),
    *("kl_weight", "epochs", "batch_size", "lr", "min_lr", "seed"),
}


def forget_newer_options(path):
    lines = path.read_text().splitlines(keepends=True)
    newer = set(option_names("model", "training")) - KNOWN_THEN
    kept = [line for line in lines if re.match(r" *(\w*)", line)[1] not in newer]
    path.write_text("".join(kept))
    return len(lines) - len(kept)


def test_it_goes_on_and_is_read_as_one(tmp_path):
    """The run that was finished then and the one that is trained now record the same fields."""
    design = small_design(tmp_path, {"spatial_attention": (False, True)}, epochs=1)
    with lock_study(design):
        prepare_runs(design.runs())
    for path in [design.directory / STUDY, *(run.directory / CONFIG for run in design.runs())]:
        assert forget_newer_options(path) > 0
        assert "attention: null" not in path.read_text()
    check_record(design)
    assert [run_state(run).status for run in design.runs()] == [WAITING] * 2
    assert [read_unfinished(run.directory).spatial_attention for run in design.runs()] == [False, True]
    code, screen = run_quietly(design, launcher="none")
    assert code == 0, screen
    assert work(WorkOptions(design.directory)) == 2
    table = read_runs(design.directory)
    assert sorted(table["spatial_attention"]) == [False, True]
    assert "attention" not in table


def test_a_study_by_switches_cannot_go_on_by_name(tmp_path):
    design = small_design(tmp_path, {"act": ("elu", "relu")})
    with lock_study(design):
        prepare_runs(design.runs())
    by_name = small_design(tmp_path, {"act": ("elu", "relu")}, attention="se")
    with pytest.raises(UserError, match="attention was None and is se"):
        check_record(by_name)
    with pytest.raises(UserError, match="holds a run with attention None, but the study has se"):
        run_state(by_name.runs()[0])
