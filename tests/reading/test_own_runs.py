"""Runs that record their attention by name, and runs that record it by switches."""

import pytest

from attnae.analysis.audit.audit import audit_runs
from attnae.reading import read_runs
from attnae.reading.own_runs import with_one_attention
from attnae.reading.read import read_logs
from attnae.reading.run import Run
from attnae.training.run import train

pytestmark = pytest.mark.usefixtures("blank_pictures")

OWN = {"attention_kernel_size": 5, "act": "elu"}


def settings(*hparams):
    return [run.hparams for run in with_one_attention([Run("r", None, each, {}) for each in hparams])]


@pytest.mark.parametrize(
    ("spatial", "channel", "name"),
    [
        (False, False, "none"),
        (True, False, "spatial"),
        (False, True, "channel"),
        (True, True, "channel and spatial"),
    ],
)
def test_switches_become_a_name_beside_runs_with_a_name(spatial, channel, name):
    found = settings({**OWN, "attention": "se"}, {**OWN, "spatial_attention": spatial, "channel_attention": channel})
    assert found == [{**OWN, "attention": "se"}, {**OWN, "attention": name}]


def test_the_first_versions_had_one_switch():
    found = settings({**OWN, "attention": "se"}, {**OWN, "spatial_attention": True})
    assert found[1] == {**OWN, "attention": "spatial"}


def test_runs_of_earlier_versions_stay_as_they_are():
    old = [{**OWN, "spatial_attention": on, "channel_attention": False} for on in (False, True)]
    assert settings(*old) == old


def test_runs_of_other_programs_stay_as_they_are():
    foreign = [{"attention": "flash", "heads": 8}, {"spatial_attention": True, "heads": 8}]
    assert settings(*foreign) == foreign
    beside = [{**OWN, "attention": "se"}, *foreign]
    assert settings(*beside) == beside


def test_runs_started_one_by_one_can_be_compared(tiny):
    """One with the defaults, one with the flag of the article, one with a name: one factor of three levels."""
    for options in ({}, {"spatial_attention": True}, {"attention": "se"}):
        train(tiny(**options, epochs=1))
    runs = read_logs(tiny().log_dir)
    assert audit_runs(runs, factors=["attention"]).settings == ("attention",)
    assert sorted(read_runs(tiny().log_dir)["attention"]) == ["none", "se", "spatial"]
