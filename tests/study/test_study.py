"""A study gives the same numbers as single runs, to the bit, however it is run and whatever dies on the way."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from filelock import FileLock

from attnae.config import RunConfig
from attnae.errors import UserError
from attnae.reading.read import read_runs
from attnae.rundir.checkpoint import CHECKPOINT
from attnae.rundir.directory import LOCK, locked, read_metrics
from attnae.study.attempt import Attempt, read_attempt
from attnae.study.design import make_design
from attnae.study.local import LocalWorkers
from attnae.study.state import STUDY, lock_study, prepare_runs
from attnae.study.worker import Crash, WorkOptions, work
from attnae.tags import FINAL_METRICS
from attnae.training.run import train
from tests.conftest import PATIENCE, ROOT, TINY, read_curves
from tests.faults.processes import ended, start
from tests.study.small_studies import run_quietly, small_design, table, wait_for

pytestmark = pytest.mark.usefixtures("blank_pictures")

FACTORS = {"spatial_attention": (False, True), "lr": (0.005, 1e18)}
EPOCHS = 12
ENDINGS = {
    "spatial_attention=false,lr=0.005,seed=768": "finished",
    "spatial_attention=false,lr=1e+18,seed=768": "diverged",
    "spatial_attention=true,lr=0.005,seed=768": "finished",
    "spatial_attention=true,lr=1e+18,seed=768": "diverged",
}
VICTIM = "spatial_attention=true,lr=0.005,seed=768"


def design_in(folder, **options):
    return small_design(folder / "logs", FACTORS, epochs=EPOCHS, **options)


@pytest.fixture(scope="module")
def singles(tmp_path_factory):
    """The table of the same runs, trained one by one without a study."""
    folder = tmp_path_factory.mktemp("singles")
    for run in design_in(folder).runs():
        train(run.config)
    return table(folder / "logs" / "study")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A study that nothing happened to: its directory, exit code and output."""
    design = design_in(tmp_path_factory.mktemp("undisturbed"))
    code, output = run_quietly(design, workers=2)
    return design, code, output


def test_a_study_is_the_table_of_its_single_runs(undisturbed, singles):
    design, _, _ = undisturbed
    assert table(design.directory) == singles
    assert {name: status for name, (status, _, _) in singles.items()} == ENDINGS


def test_it_says_how_many_ended_how_and_fails_unless_all_finished(undisturbed):
    _, code, output = undisturbed
    assert code == 1
    assert "4 runs: 2 finished, 0 failed, 2 diverged" in output
    assert output.count("train/loss became NaN or infinite in epoch 1") == 2
    assert re.search(r"[1-4]/4 finished +spatial_attention=true,lr=0.005,seed=768 +test loss 0\.\d{4}", output)


def test_the_analysis_takes_the_directory_as_it_is(undisturbed):
    design, _, _ = undisturbed
    runs = read_runs(design.directory)
    assert dict(zip(runs["run"], runs["status"], strict=True)) == ENDINGS
    assert set(runs["threads"]) == {1}


def hparams_page(directory):
    """The HParams page as TensorBoard's own backend reads it."""
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams.backend_context import Context

    events = EventMultiplexer(tensor_size_guidance={"hparams": 0}).AddRunsFromDirectory(str(directory)).Reload()
    return Context(TBContext(data_provider=MultiplexerDataProvider(events, str(directory)), multiplexer=events))


def hparams_columns(directory):
    """The names of the columns of the HParams page, in their order."""
    from tensorboard.context import RequestContext
    from tensorboard.plugins.hparams import get_experiment

    handler = get_experiment.Handler(RequestContext(), hparams_page(directory), "", api_request())
    return [info.name for info in handler.run().hparam_infos]


def api_request():
    from tensorboard.plugins.hparams import api_pb2

    return api_pb2.GetExperimentRequest(include_metrics=True)


def test_the_hparams_page_has_the_factors_and_the_seed_first(undisturbed):
    design, _, _ = undisturbed
    columns = hparams_columns(design.directory)
    assert columns[: len(design.factors) + 1] == sorted([*design.factors, "seed"])
    assert columns[len(design.factors) + 1 :] == sorted({*columns} - {*design.factors, "seed"})


def test_the_hparams_page_of_a_single_run_has_the_options_first_that_were_set(tmp_path):
    config = RunConfig(**{**TINY, "log_dir": tmp_path, "name": "run", "epochs": 1, "batch_norm": False})
    train(config)
    columns = hparams_columns(tmp_path)
    assert "batch_norm" in config.changed()
    first = sorted([*config.changed(), "seed"])
    assert columns[: len(first)] == first


def test_a_regular_expression_ticks_one_run_of_each_cell():
    """The one that docs/study.md gives for the list of runs in TensorBoard."""
    base = RunConfig(name="study", **{name: value for name, value in TINY.items() if name != "units"})
    factors = {
        "units": ((9, 8, 7, 6, 5), (30, 20, 10)),
        "act": ("elu", "relu"),
        "lr": tuple(n / 1000 for n in range(1, 8)),
    }
    for seeds, replicates, expression in (((), 12, "replicate=1$"), ((1, 11, 111), 0, "seed=1$")):
        runs = make_design(factors, seeds, base, replicates=replicates).runs()
        ticked = [run for run in runs if re.search(expression, run.name)]
        assert len(ticked) == len({run.name for run in ticked}) == 28
        assert len({tuple(run.cell.values()) for run in ticked}) == 28


def test_tensorboard_s_hparams_page_lists_every_run_with_its_metrics(undisturbed):
    from tensorboard.context import RequestContext
    from tensorboard.plugins.hparams import api_pb2, list_session_groups

    design, _, _ = undisturbed
    page = hparams_page(design.directory)
    request = api_pb2.ListSessionGroupsRequest(slice_size=100, allowed_statuses=[0, 1, 2, 3])
    columns = (*FINAL_METRICS, "test/active_units", "test/knn_accuracy")
    for tag in columns:
        request.col_params.add().metric.tag = tag
    rows = list_session_groups.Handler(RequestContext(), page, "", request).run().session_groups
    shown = {
        row.hparams["name"].string_value: {metric.name.tag: metric.value for metric in row.metric_values}
        for row in rows
    }
    assert set(shown) == set(ENDINGS)
    for name, metrics in shown.items():
        recorded = read_metrics(design.directory / name)["metrics"] if ENDINGS[name] == "finished" else {}
        expected = {tag: value for tag, value in recorded.items() if tag in columns}
        assert metrics == pytest.approx(expected, rel=1e-6)


def test_the_same_again_trains_nothing_more(undisturbed):
    design, _, _ = undisturbed
    before = {path: path.stat().st_mtime_ns for path in design.directory.glob("*/*")}
    code, output = run_quietly(design)
    assert code == 1
    assert "4 ended before" in output
    assert {path: path.stat().st_mtime_ns for path in design.directory.glob("*/*")} == before


@pytest.mark.slow
def test_a_worker_killed_in_mid_run(tmp_path, singles):
    """One worker, so that the order differs as well."""
    design = design_in(tmp_path)
    victim = design.directory / VICTIM
    with lock_study(design):
        prepare_runs(design.runs())
        team = LocalWorkers(design.runs(), [{}], WorkOptions(design.directory))
        wait_for(lambda: (attempt := read_attempt(victim)) is not None and attempt.epoch == 2)
        os.kill(int(read_attempt(victim).process.rpartition(":")[2]), signal.SIGKILL)
        wait_for(lambda: team.at_work() and (read_attempt(victim) or Attempt()).crashes == 1)
        assert read_attempt(victim).message == "its process was killed by SIGKILL"
        wait_for(lambda: not team.at_work())
    assert table(design.directory) == singles
    assert len(list(victim.glob("events.*"))) == 2


def study_flags(folder, *flags):
    """The flags of the same study, whose file is written to the folder."""
    (folder / "study.yml").write_text(
        "factors: {spatial_attention: [false, true], lr: [0.005, 1e18]}\n"
        f"options: {{epochs: {EPOCHS}, name: study, "
        + ", ".join(
            f"{name}: {list(value) if isinstance(value, tuple) else value}"
            for name, value in TINY.items()
            if name not in ("epochs", "threads", "picture_every", "compile")
        )
        + "}\n"
    )
    study, logs = folder / "study.yml", folder / "logs"
    return [f"--study={study}", f"--log-dir={logs}", "--seeds", "1", "--compile", "off", *flags]


def study_process(folder, *flags):
    """`train.py --study` of the same study, in a process of its own."""
    command = [sys.executable, str(ROOT / "train.py"), *study_flags(folder, *flags)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def half_done(directory):
    """Whether a run has a checkpoint and goes on."""
    return any(
        read_metrics(path.parents[1]).get("status") == "unfinished" for path in directory.glob(f"*/{CHECKPOINT}")
    )


def is_free(directory):
    lock = FileLock(directory / LOCK)
    try:
        with lock.acquire(timeout=0):
            return True
    except TimeoutError:
        return False


@pytest.mark.slow
def test_a_stopped_then_a_killed_parent(tmp_path, singles):
    """Ctrl-C, then kill -9, then to the end: no worker is left behind, and the table is the same."""
    directory = tmp_path / "logs" / "study"
    first = study_process(tmp_path, "--workers", "1")
    wait_for(lambda: half_done(directory))
    first.send_signal(signal.SIGINT)
    output, _ = first.communicate(timeout=PATIENCE)
    assert first.returncode == 130, output
    assert "the same command continues" in output
    assert "Traceback (most recent" not in output
    assert is_free(directory)
    assert all(is_free(path.parent) for path in directory.glob("*/config.yaml"))

    ended = sum(read_metrics(path.parent)["status"] != "unfinished" for path in directory.glob("*/metrics.json"))
    second = study_process(tmp_path, "--workers", "2")
    wait_for(lambda: "side by side" in second.stdout.readline())
    wait_for(lambda: not is_free(next(directory.glob("*/config.yaml")).parent) or second.poll() is not None)
    second.kill()
    second.communicate(timeout=PATIENCE)
    assert second.returncode == -signal.SIGKILL
    wait_for(lambda: all(is_free(path.parent) for path in directory.glob("*/config.yaml")))

    third = study_process(tmp_path)
    output, _ = third.communicate(timeout=PATIENCE)
    assert third.returncode == 1, output
    assert f"4 cells x 1 seed = 4 runs, {ended}" in output
    assert "4 runs: 2 finished, 0 failed, 2 diverged" in output
    assert table(directory) == singles


def test_sigterm_ends_it_with_143(tmp_path):
    screen = tmp_path / "screen"
    process = start(study_flags(tmp_path, "--workers", "1"), screen)
    wait_for(lambda: (tmp_path / "logs" / "study" / STUDY).exists())
    process.terminate()
    assert ended(process) == 143, screen.read_text()
    assert is_free(tmp_path / "logs" / "study")


def test_a_run_that_cannot_go_on_is_listed_and_the_others_finish(tmp_path):
    design = small_design(tmp_path, {"act": ("elu", "relu")})
    broken = design.runs()[0].directory
    with lock_study(design):
        prepare_runs(design.runs())
    (broken / CHECKPOINT).parent.mkdir()
    (broken / CHECKPOINT).write_bytes(b"half a checkpoint")
    code, output = run_quietly(design, workers=1, retries=0, stop_on_failure=False)
    assert code == 1
    assert "2 runs: 1 finished, 1 failed, 0 diverged" in output
    assert f"failed    {broken.name}  {broken / CHECKPOINT}" in output
    assert "Traceback (most recent" not in output
    assert "last.ckpt" in (design.directory / "workers.log").read_text()
    # The same again tries it once more.
    (broken / CHECKPOINT).unlink()
    code, output = run_quietly(design, launcher="none", retries=0)
    assert "1 runs are to be trained" in output
    assert work(WorkOptions(design.directory, retries=0)) == 1
    code, output = run_quietly(design, workers=1, retries=0)
    assert code == 0
    assert "2 runs: 2 finished, 0 failed, 0 diverged" in output


def test_stop_on_failure(tmp_path):
    """The first run cannot be trained, and the second is not begun; the test above is without the option."""
    design = small_design(tmp_path, {"act": ("elu", "relu")})
    with lock_study(design):
        prepare_runs(design.runs())
    (design.runs()[0].directory / "metrics.json").mkdir()
    code, output = run_quietly(design, workers=1, retries=0, stop_on_failure=True)
    assert code == 1
    assert "2 runs: 0 finished, 1 failed" in output


def test_a_prepared_study_is_not_trained_until_somebody_works_on_it(tmp_path, singles):
    design = design_in(tmp_path)
    code, output = run_quietly(design, launcher="none")
    assert code == 0
    assert "4 runs are to be trained" in output
    assert "attnae work" in output
    assert {path.name for path in design.directory.glob("*/*")} == {"config.yaml", ".lock"}
    moved = design.directory.rename(tmp_path / "moved")
    assert work(WorkOptions(moved, max_runs=1)) == 1
    assert len(table_of_ended(moved)) == 1
    assert work(WorkOptions(moved)) == 3
    assert work(WorkOptions(moved)) == 0
    assert table(moved) == singles


def table_of_ended(directory):
    return [path for path in directory.glob("*/metrics.json") if read_metrics(path.parent)["status"] != "unfinished"]


def work_process(directory, *flags):
    """`attnae work` in a process of its own, which believes that it is one of two that SLURM has started."""
    return subprocess.Popen(
        [sys.executable, "-m", "attnae", "work", str(directory), *flags],
        cwd=directory.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_JOB_ID": "7"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 6])
def test_workers_of_several_shells_train_each_run_once(tmp_path, singles, count):
    design = design_in(tmp_path)
    run_quietly(design, launcher="none")
    shells = [work_process(design.directory) for _ in range(count)]
    outputs = [shell.communicate(timeout=PATIENCE)[0] for shell in shells]
    assert {shell.returncode for shell in shells} <= {0, 1}, outputs
    told = [line for output in outputs for line in output.splitlines()]
    assert sorted(line for line in told if line.startswith("training ")) == sorted(
        f"training {name}" for name in ENDINGS
    )
    assert table(design.directory) == singles
    assert all(len(list(path.glob("events.*"))) == 1 for path in design.directory.iterdir() if path.is_dir())


@pytest.mark.slow
def test_a_worker_stops_at_its_time_limit_and_another_goes_on(tmp_path):
    design = small_design(tmp_path, {"act": ("relu",)}, epochs=10_000)
    run_quietly(design, launcher="none")
    shell = work_process(design.directory, "--time-limit", "0:01:00")
    output, _ = shell.communicate(timeout=PATIENCE)
    assert shell.returncode == 0, output
    assert "the time limit is reached; the run can be resumed" in output
    directory = design.runs()[0].directory
    attempt = read_attempt(directory)
    assert (attempt.process, attempt.crashes) == ("", 0)
    assert attempt.epoch > 0
    assert is_free(directory)
    assert read_metrics(directory)["status"] == "unfinished"


def test_a_crash_is_left_for_the_next_worker(tmp_path, monkeypatch):
    from attnae.study import worker

    design = small_design(tmp_path, {"act": ("elu", "relu")})
    run_quietly(design, launcher="none")
    options = WorkOptions(design.directory, retries=1)

    def fail(run, attempt):
        raise ZeroDivisionError("once more")

    with monkeypatch.context() as patch:
        patch.setattr(worker, "_train", fail)
        with pytest.raises(Crash) as crash:
            work(options)
    assert crash.value.args == (0,)
    first = design.runs()[0].directory
    assert read_attempt(first).message == "ZeroDivisionError: once more"
    assert work(replace(options, retries=0)) == 1  # the other run: this one has crashed too often
    assert work(options) == 1
    assert read_attempt(first) is None
    assert {path.parent.name for path in table_of_ended(design.directory)} == {run.name for run in design.runs()}


def test_a_run_has_one_trainer(tmp_path):
    design = small_design(tmp_path, {"act": ("elu",)})
    [run] = design.runs()
    options = WorkOptions(design.directory)
    with pytest.raises(UserError, match="holds no study on this machine"):
        work(options)
    run_quietly(design, launcher="none")
    with FileLock(run.directory / LOCK):
        assert work(options) == 0
        with pytest.raises(UserError, match="another process"), locked(run.directory):
            pytest.fail("it was not refused")
    assert not table_of_ended(design.directory)
    assert work(options) == 1
    losses = read_curves(run.directory)["val/loss"]
    assert list(losses) == [1, 2]
