"""`train.py --study`: flags, dry runs, and what a directory refuses."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from attnae.cli import train_command
from attnae.config.study_options import StudyOptions
from attnae.errors import UserError
from attnae.rundir.directory import write_metrics
from attnae.study import run as study_run
from attnae.study.attempt import Attempt, write_attempt
from attnae.study.design import Until, make_design
from attnae.study.file import read_design, read_study_file
from attnae.study.progress import Pace, StudyView, duration
from attnae.study.state import STUDY, check_record, lock_study, prepare_runs, run_state
from tests.study.small_studies import small_design


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Calls train.py in an empty directory that holds only acts.yaml: (exit code, output, errors)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "acts.yaml").write_text("factors: {act: [elu, relu]}\noptions: {dataset: digits, epochs: 2}\n")

    def call(*args):
        code = train_command([*args])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def planned(command, monkeypatch):
    """The runs that a command would train, and its options."""
    seen = {}
    monkeypatch.setattr(study_run, "run_study", lambda design, options, console: seen.update(d=design, o=options) or 0)

    def call(*args):
        code, _, errors = command("--study", "acts.yaml", *args)
        assert code == 0, errors
        return seen["d"].runs(), seen["o"]

    return call


def record(design, seconds=None):
    """A study directory in which so many first runs have finished."""
    with lock_study(design):
        for run, wall_time in zip(design.runs(), seconds or [], strict=False):
            run.directory.mkdir()
            (run.directory / "config.yaml").write_text(yaml.safe_dump(run.config.plain()))
            write_metrics(run.directory, {"status": "finished", "wall_time_s": wall_time})


def test_options_come_from_the_study_then_config_files_then_flags(planned, tmp_path):
    (tmp_path / "more.yaml").write_text("epochs: 3\nlr: 0.001\n")
    runs, _ = planned("--config", "more.yaml", "--lr", "0.002", "--block-depth", "1")
    assert [run.config.act for run in runs] == ["elu", "relu"]
    assert {(run.config.epochs, run.config.lr, run.config.block_depth) for run in runs} == {(3, 0.002, 1)}
    assert {run.config.dataset for run in runs} == {"digits"}


def test_threads_and_pictures_differ_from_a_single_run_unless_asked_for(planned):
    [one, _], _ = planned()
    assert (one.config.threads, one.config.picture_every, one.config.devices) == (1, 0, "1")
    [one, _], _ = planned("--threads", "2", "--picture-every", "1")
    assert (one.config.threads, one.config.picture_every) == (2, 1)


def test_seeds_count_from_the_seed(planned):
    runs, _ = planned("--seeds", "3", "--seed", "5")
    assert [run.config.seed for run in runs] == [5, 5, 6, 6, 7, 7]
    runs, _ = planned("--replicates", "3", "--seed", "5")
    assert [run.repeat for run in runs] == [1, 1, 2, 2, 3, 3]
    assert len({run.config.seed for run in runs}) == 6
    assert len(planned()[0]) == 2


def test_the_directory_is_named_by_the_file_or_by_name(planned):
    assert str(planned()[0][0].directory) == "logs/acts/act=elu,replicate=1"
    assert str(planned("--log-dir", "l", "--name", "n")[0][0].directory) == "l/n/act=elu,replicate=1"


def test_flags_of_the_study_arrive(planned):
    assert planned()[1] == StudyOptions(study=planned()[1].study)
    _, options = planned("--workers", "3", "--retries", "0", "--launcher", "ray", "--ray-address", "auto")
    assert (options.workers, options.retries, options.launcher, options.ray_address) == (3, 0, "ray", "auto")
    assert planned("--runs-per-gpu", "4")[1].runs_per_gpu == 4


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--study", "acts.yaml", "--act", "elu"], "--act is a factor of acts.yaml, which gives its levels"),
        (["--study", "acts.yaml", "--config", "c.yaml"], "c.yaml: --act is a factor of acts.yaml"),
        (["--study", "listed.yaml", "--seed", "3"], "--seed cannot be combined with the seeds that listed.yaml lists"),
        (["--study", "none.yaml"], "none.yaml cannot be read: No such file"),
        (["--study", "acts.yaml", "--seeds", "0"], "--seeds 0: must be at least 1"),
        (["--study", "acts.yaml", "--replicates", "0"], "--replicates 0: must be at least 1"),
        (
            ["--study", "acts.yaml", "--replicates", "2", "--seeds", "3"],
            "--replicates 2 and --seeds 3: each run has its",
        ),
        (["--study", "acts.yaml", "--max-replicates", "9"], "--max-replicates needs --until decided"),
        (["--study", "acts.yaml", "--negligible", "0.1"], "--negligible needs --until decided"),
        (["--study", "acts.yaml", "--factors-of-interest", "act"], "--factors-of-interest needs --until decided"),
        (["--study", "acts.yaml", "--until", "decided", "--seeds", "3"], "--seeds 3: with --until decided the results"),
        (
            ["--study", "acts.yaml", "--until", "decided", "--replicates", "3"],
            "--replicates 3: with --until decided the",
        ),
        (
            ["--study", "acts.yaml", "--until", "decided", "--max-replicates", "2"],
            "--max-replicates 2: must be at least 3",
        ),
        (
            ["--study", "acts.yaml", "--until", "decided", "--factors-of-interest", "lr"],
            "--factors-of-interest lr: choose from act",
        ),
        (["--study", "acts.yaml", "--until", "decided", "--negligible", "-1"], "--negligible -1.0: choose a positive"),
        (["--study", "acts.yaml", "--workers", "0"], "--workers 0: must be at least 1"),
        (["--study", "acts.yaml", "--retries", "-1"], "--retries -1: must be at least 0"),
        (["--study", "acts.yaml", "--runs-per-gpu", "0"], "--runs-per-gpu 0: must be at least 1"),
        (["--study", "acts.yaml", "--ray-address", "auto"], "--ray-address auto needs --launcher ray"),
        (["--study", "acts.yaml", "--devices", "2"], "--devices 2: a study trains each run on one device"),
        (["--study", "acts.yaml", "--name", "a/b"], "--name 'a/b': must be the name of one folder"),
        (["--study", "bad_option.yaml"], "bad_option.yaml: --lr -1.0: must be positive"),
        (["--study", "bad_first.yaml"], "bad_first.yaml: --lr -1.0: must be positive"),
        (["--study", "bad_last.yaml"], "bad_last.yaml: cell lr=-1.0: --lr -1.0: must be positive"),
        (["--study", "too_deep.yaml"], "cell units=9-8-7-6-5-4-3: --units 9 8 7 6 5 4 3:"),
        (["--workers", "2"], "--workers is for studies: say which with --study"),
        (["--launcher", "local"], "--launcher is for studies"),
        (["--resume", "r", "--study", "acts.yaml"], "--study cannot be combined with --resume"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(command, tmp_path, flags, message):
    (tmp_path / "c.yaml").write_text("act: elu\n")
    (tmp_path / "listed.yaml").write_text("factors: {act: [elu, relu]}\nseeds: [1, 2]\n")
    (tmp_path / "bad_option.yaml").write_text("factors: {act: [elu, relu]}\noptions: {lr: -1}\n")
    (tmp_path / "bad_first.yaml").write_text("factors: {lr: [-1, 0.1]}\n")
    (tmp_path / "bad_last.yaml").write_text("factors: {lr: [0.1, -1]}\n")
    (tmp_path / "too_deep.yaml").write_text(
        "factors: {units: [[8, 4, 2], [9, 8, 7, 6, 5, 4, 3]]}\noptions: {dataset: digits}\n"
    )
    before = sorted(tmp_path.rglob("*"))
    code, _, errors = command(*flags)
    assert code == 2
    assert errors.startswith("error: ")
    assert message in errors
    assert errors.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_shows_the_design_and_touches_nothing(command, tmp_path):
    flags = ["--study", "acts.yaml", "--seeds", "2", "--dry-run", "--workers", "2"]
    code, output, _ = command(*flags)
    assert code == 0
    assert "2 cells x 2 seeds = 4 runs: 4 waiting" in output
    _, output, _ = command(*flags[:2], *flags[4:], "--replicates", "3")
    assert "2 cells x 3 replicates = 6 runs: 6 waiting" in output
    assert "replicate 3" in output
    assert "time left: unknown until a run has finished" in output
    assert [path.name for path in tmp_path.iterdir()] == ["acts.yaml"]


def test_a_dry_run_knows_what_is_done_and_estimates_the_rest(command, planned, tmp_path, monkeypatch):
    """3 finished runs of 2 epochs took 60 s: 10 s an epoch, so 5 runs of 2 epochs take 100 s, 50 s by two workers."""
    runs, _ = planned("--seeds", "4")
    base = runs[0].config.replace(log_dir=tmp_path / "logs", name="acts")
    record(make_design({"act": ("elu", "relu")}, (768, 769, 770, 771), base), [10.0, 20.0, 30.0])
    (runs[3].directory).mkdir()
    (runs[3].directory / "config.yaml").write_text(yaml.safe_dump(runs[3].config.plain()))
    write_metrics(runs[3].directory, {"status": "unfinished"})
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    code, output, errors = command("--study", "acts.yaml", "--seeds", "4", "--dry-run", "--workers", "2")
    assert code == 0, errors
    assert "8 runs: 3 finished, 1 half done, 4 waiting" in output
    assert "time left: about 0:00:50" in output
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_auto_is_resolved_once_and_recorded(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(study_run, "resolve_auto", lambda data_dir: asked.append(data_dir) or ("digits", "no MNIST"))
    design = small_design(tmp_path, {"act": ("elu", "relu")}, dataset="auto")
    resolved, notes = study_run.resolve_design(design)
    assert resolved.base.dataset == "digits"
    assert "no MNIST" in notes
    assert {run.config.dataset for run in resolved.runs()} == {"digits"}
    record(resolved)
    assert yaml.safe_load((resolved.directory / STUDY).read_text())["options"]["dataset"] == "digits"
    assert study_run.resolve_design(design)[0].base.dataset == "digits"
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("factors", "seeds", "options", "message"),
    [
        ({"act": ("elu",)}, (1, 2), {}, "act lacks relu"),
        ({"act": ("elu", "relu")}, (1,), {}, "seeds lack 2"),
        ({"act": ("elu", "relu")}, (1, 2), {"epochs": 5}, "epochs was 2 and is 5"),
        ({"act": ("elu", "relu")}, (1, 2), {"threads": 2}, "threads was 1 and is 2"),
        ({"act": ("elu", "relu"), "lr": (0.1, 0.2)}, (1, 2), {}, "lr is a new factor"),
        ({"lr": (0.1, 0.2)}, (1, 2), {}, "act is no longer a factor"),
    ],
)
def test_a_directory_keeps_to_its_design(tmp_path, factors, seeds, options, message):
    record(small_design(tmp_path, {"act": ("elu", "relu")}, (1, 2)))
    with pytest.raises(UserError) as error, lock_study(small_design(tmp_path, factors, seeds, **options)):
        pytest.fail("it was not refused")
    assert message in str(error.value)
    assert f"--study {tmp_path / 'study' / STUDY}" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"replicates": 2}, "there were 3 replicates and are 2"),
        (
            {"seeds": (768, 769, 770), "replicates": 0},
            "its runs have a seed each, and those of this command share seeds",
        ),
        ({"base": {"seed": 5}}, "seed was 768 and is 5"),
    ],
)
def test_a_directory_keeps_to_its_replicates(tmp_path, change, message):
    design = small_design(tmp_path, {"act": ("elu", "relu")}, (), replicates=3)
    record(design)
    base = design.base.replace(**change.get("base", {}))
    with pytest.raises(UserError) as error, lock_study(replace(design, **{**change, "base": base})):
        pytest.fail("it was not refused")
    assert message in str(error.value)
    grown = replace(design, replicates=5)
    record(grown)
    assert read_design(grown.directory / STUDY).runs() == grown.runs()


def test_an_old_study_of_shared_seeds_goes_on_as_it_was(command, planned, tmp_path):
    """Its study.yaml continues it, and the file that made it does not turn it into one of replicates."""
    runs, _ = planned("--seeds", "1")
    record(make_design({"act": ("elu", "relu")}, (768,), runs[0].config.replace(log_dir=Path("logs"), name="acts")))
    again, _ = planned("--study", "logs/acts/study.yaml")
    assert [run.name for run in again] == ["act=elu,seed=768", "act=relu,seed=768"]
    for design in (again, runs):
        assert {run.config.seed for run in design} == {768}
    new, _ = planned()
    design = make_design(
        {"act": ("elu", "relu")}, (), new[0].config.replace(log_dir=Path("logs"), name="acts"), replicates=1
    )
    with pytest.raises(UserError, match="its runs share seeds, and those of this command have a seed each") as error:
        check_record(design)
    assert "continue it with --study logs/acts/study.yaml" in str(error.value)


def test_what_is_computed_at_the_end_of_a_run_is_part_of_the_design(tmp_path):
    record(small_design(tmp_path, {"act": ("elu",)}))
    more = small_design(tmp_path, {"act": ("elu",)}, iw_samples=5)
    with pytest.raises(UserError, match="iw_samples was 0 and is 5"), lock_study(more):
        pytest.fail("it was not refused")


def test_a_design_may_grow_and_look_different(tmp_path):
    record(small_design(tmp_path, {"act": ("elu", "relu")}, (1, 2)))
    grown = small_design(tmp_path, {"act": ("relu", "selu", "elu")}, (3, 2, 1), picture_every=3, data_dir=tmp_path)
    record(grown)
    assert read_design(grown.directory / STUDY).runs() == grown.runs()


def test_until_decided_is_recorded_and_goes_on_by_itself(command, planned, monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr(study_run, "run_study", lambda design, options, console: seen.update(d=design) or 0)
    flags = ["--until", "decided", "--negligible", "0.03", "--max-replicates", "7", "--factors-of-interest", "act"]
    assert command("--study", "acts.yaml", *flags)[0] == 0
    design = seen["d"]
    assert (design.until, design.replicates) == (Until(("act",), 0.03), 7)
    record(design)
    assert yaml.safe_load((design.directory / STUDY).read_text())["until"] == {"decided": ["act"], "negligible": 0.03}
    assert command("--study", "logs/acts/study.yaml")[0] == 0
    assert (seen["d"].until, seen["d"].runs()) == (design.until, design.runs())
    code, output, _ = command("--study", "acts.yaml", *flags, "--dry-run")
    assert code == 0
    assert "2 cells x 3 to 7 replicates = 6 to 14 runs: 6 waiting" in output
    assert "Until decided: a look after each replicate from number 3 on, at most 7 of them" in output


@pytest.mark.parametrize(
    ("until", "message"),
    [
        ("until: decided", "until: give the factors to decide, and what is negligible, such as"),
        ("until: {decided: [act], often: 3}", "until: give the factors to decide"),
        ("until: {decided: [act]}", "until needs replicates, the largest number of them"),
        ("until: {decided: [act], negligible: few}\nreplicates: 9", "until: negligible: 'few' is not a number"),
        ("until: {decided: [act]}\nreplicates: 2", "must be at least 3"),
        ("until: {decided: [lr]}\nreplicates: 9", "choose from act"),
    ],
)
def test_a_plan_in_a_study_file_is_checked(tmp_path, until, message):
    (tmp_path / "mine.yaml").write_text("factors: {act: [elu, relu]}\n" + until)
    with pytest.raises(UserError) as error:
        read_study_file(tmp_path / "mine.yaml")
    assert str(error.value).startswith(str(tmp_path / "mine.yaml"))
    assert message in str(error.value)


def test_the_recorded_study_goes_on_by_itself(command, planned, tmp_path):
    runs, _ = planned("--seeds", "2", "--seed", "5")
    record(make_design({"act": ("elu", "relu")}, (5, 6), runs[0].config.replace(log_dir=Path("logs"), name="acts")))
    again, _ = planned("--study", "logs/acts/study.yaml")
    assert again == runs


def test_two_studies_on_one_directory(tmp_path):
    design = small_design(tmp_path, {"act": ("elu",)})
    with lock_study(design), pytest.raises(UserError, match="another process runs this study"), lock_study(design):
        pytest.fail("it was not refused")
    with lock_study(design):
        assert (design.directory / STUDY).is_file()


def test_a_directory_of_something_else_is_refused(tmp_path):
    design = small_design(tmp_path, {"act": ("elu",)})
    design.directory.mkdir()
    (design.directory / "config.yaml").write_text("act: elu\n")
    with pytest.raises(UserError, match="is not empty and holds no study"), lock_study(design):
        pytest.fail("it was not refused")


def test_a_run_of_other_options_is_refused(tmp_path):
    design = small_design(tmp_path, {"act": ("elu",)})
    record(design, [1.0])
    [run] = design.runs()
    (run.directory / "config.yaml").write_text(yaml.safe_dump(run.config.replace(lr=0.5).plain()))
    with pytest.raises(UserError, match=r"holds a run with lr 0\.5, but the study has 0\.005"):
        run_state(run)


def test_the_live_table_shows_what_runs(tmp_path):
    from rich.console import Console

    design = small_design(tmp_path, {"act": ("elu", "relu", "selu")}, epochs=4)
    record(design, [8.0])
    runs = {run.name: run for run in design.runs()}
    console = Console(record=True, width=120, force_terminal=True)
    states = {name: run_state(run) for name, run in runs.items()}
    view = StudyView(console, runs, states, workers=2, retries=0)
    relu = runs["act=relu,seed=768"].directory
    relu.mkdir()
    write_attempt(relu, Attempt("machine:1", epoch=3, loss=0.1234))
    view.update()
    console.print(view._table())
    shown = console.export_text()
    assert "act=relu,seed=768" in shown
    assert "3/4" in shown
    assert "0.1234" in shown
    assert "1/3 ended" in shown
    assert view.seconds_left() == pytest.approx((1 + 4) * 2.0 / 2)
    write_attempt(relu, Attempt().crashed("ValueError: no"))
    view.update()
    assert view.counts == {"finished": 1, "failed": 1}
    assert view.failures == {"act=relu,seed=768": "ValueError: no"}
    assert view.seconds_left() == pytest.approx(4 * 2.0 / 2)


@pytest.mark.parametrize(("retries", "lines"), [(0, ["failed", "finished"]), (1, ["retried", "finished"])])
def test_a_line_is_printed_for_each_crash_and_each_end(tmp_path, retries, lines):
    from rich.console import Console

    design = small_design(tmp_path, {"act": ("elu", "relu")})
    with lock_study(design):
        prepare_runs(design.runs())
    one, two = design.runs()
    runs = {run.name: run for run in design.runs()}
    console = Console(record=True, width=120)
    view = StudyView(console, runs, {name: run_state(run) for name, run in runs.items()}, workers=1, retries=retries)
    view.update()
    write_attempt(one.directory, Attempt().crashed("ValueError: no"))
    view.update()
    write_metrics(two.directory, {"status": "finished", "wall_time_s": 1.0, "metrics": {"test/loss": 0.25}})
    view.update()
    view.update()
    shown = console.export_text().splitlines()
    assert [line.split()[-4 if "ValueError" in line else 1] for line in shown] == lines
    assert shown[0].endswith(f"{one.name}  ValueError: no")
    assert shown[1].endswith(f"{two.name}  test loss 0.2500  1.0 s")


def test_durations():
    assert duration(7384.4) == "2:03:04"
    assert duration(Pace().estimate(3, 1)) == "unknown"
    assert Pace(2.0).estimate(6, 3) == 4.0
    assert Pace().estimate(0, 3) == 0.0
