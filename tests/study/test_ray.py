"""Studies on Ray: the same numbers, on two machines of which one dies, and clear messages where there is no Ray."""

import sys
from pathlib import Path

import pytest

from attnae.config.study_options import StudyOptions
from attnae.errors import UserError
from attnae.study.attempt import read_attempt
from attnae.study.run import launch
from attnae.study.state import lock_study, prepare_runs
from tests.faults.processes import CONTEXT, ended
from tests.study.small_studies import run_quietly, small_design, table, wait_for

FACTORS = {"spatial_attention": (False, True), "act": ("elu", "relu")}
EPOCHS = 80


@pytest.fixture
def cluster(monkeypatch):
    """A Ray cluster of one machine of one CPU."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    machines = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield machines
    machines.shutdown()


@pytest.mark.slow
def test_a_machine_dies_during_the_study(cluster, tmp_path):
    """Both machines train; when each is amid a run, the second dies. Its run goes on, and the table is the same."""
    import ray

    alone = small_design(tmp_path / "alone", FACTORS, epochs=EPOCHS)
    code, output = run_quietly(alone, workers=2)
    assert code == 0, output

    ray.init(address=cluster.address, log_to_driver=False)  # while there is one: the driver must not be on the second
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    design = small_design(tmp_path / "ray", FACTORS, epochs=EPOCHS)
    options = StudyOptions(launcher="ray", ray_address=cluster.address, retries=2)
    crashed = set()

    def amid(run):
        attempt = read_attempt(run.directory)
        return attempt is not None and attempt.process and 1 <= attempt.epoch < EPOCHS

    with lock_study(design):
        prepare_runs(design.runs())
        workers, team = launch(design, design.runs(), options)
        assert workers == 2
        wait_for(lambda: team.at_work() and sum(bool(amid(run)) for run in design.runs()) == 2)
        cluster.remove_node(second, allow_graceful=False)
        while team.at_work():
            attempts = {run.name: read_attempt(run.directory) for run in design.runs()}
            crashed |= {name for name, attempt in attempts.items() if attempt is not None and attempt.crashes}
        team.stop()
    assert len(crashed) == 1
    assert len(list((design.directory / crashed.pop()).glob("events.*"))) == 2  # it was resumed, not begun again
    assert table(design.directory) == table(alone.directory)


@pytest.mark.slow
def test_at_most_so_many_side_by_side_and_failures_are_listed(cluster, tmp_path, monkeypatch):
    """A relative --log-dir means the driver's; a run that raises is retried, then listed; a diverging one is not."""
    monkeypatch.chdir(tmp_path)
    design = small_design(Path("logs"), {"lr": (0.005, 1e18)}, seeds=(1, 2))
    broken = design.runs()[0]
    with lock_study(design):
        prepare_runs(design.runs())
        (broken.directory / "metrics.json").mkdir()  # so that nothing can be written there
    code, output = run_quietly(design, launcher="ray", ray_address=cluster.address, workers=1, retries=1)
    assert code == 1
    assert "ray, 1 side by side" in output
    assert "4 runs: 1 finished, 1 failed, 2 diverged" in output
    assert output.count("retried") == 1
    assert "is a directory, but a run has a file of this name" in output
    log = (design.directory / "workers.log").read_text()
    assert log.count(f"{broken.name}:\nTraceback (most recent call last)") == 2
    assert "\x1b" not in log


def test_an_address_where_nothing_answers(tmp_path):
    design = small_design(tmp_path, FACTORS)
    with pytest.raises(UserError, match=r"--ray-address auto: no Ray cluster answers"):
        launch(design, design.runs(), StudyOptions(launcher="ray", ray_address="auto"))


def test_ray_is_asked_for_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    design = small_design(tmp_path, FACTORS)
    with pytest.raises(UserError, match=r"--launcher ray needs Ray.*pip install 'attnae\[ray\]'"):
        launch(design, design.runs(), StudyOptions(launcher="ray"))


def ray_is_imported():
    """Ends the process with 1 if the modules of the command and of studies import Ray, else with 0."""
    import attnae.cli  # noqa: F401

    sys.exit("ray" in sys.modules)


def test_ray_is_imported_only_where_it_launches():
    process = CONTEXT.Process(target=ray_is_imported)
    process.start()
    assert ended(process) == 0
