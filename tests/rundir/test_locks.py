"""File systems without locks, and mounts whose locks hold on one machine only."""

import errno
import os

import pytest
from filelock import FileLock

from attnae.cli import train_command
from attnae.errors import UserError
from attnae.rundir import locks
from attnae.rundir.directory import locked
from attnae.rundir.locks import local_locks
from attnae.study.state import lock_study, prepare_runs
from attnae.study.worker import WorkOptions, work
from tests.study.small_studies import small_design


def failing(error):
    def acquire(self, *args, **options):
        raise error

    return acquire


@pytest.mark.parametrize(
    "error",
    [OSError(number, os.strerror(number)) for number in (errno.ENOLCK, errno.ENOTSUP)] + [NotImplementedError()],
    ids=["NFS without its lock service", "no flock", "an older filelock"],
)
def test_a_file_system_without_locks_is_named_as_such(tmp_path, monkeypatch, error):
    design = small_design(tmp_path, {"act": ("elu",)})
    with lock_study(design):
        prepare_runs(design.runs())
    monkeypatch.setattr(FileLock, "acquire", failing(error))
    message = "is on a file system without locks, where two processes could train the same run: .* --log-dir"
    with pytest.raises(UserError, match=message), locked(tmp_path):
        pytest.fail("it was not refused")
    with pytest.raises(UserError, match=message), lock_study(design):
        pytest.fail("it was not refused")
    with pytest.raises(UserError, match=message):
        work(WorkOptions(design.directory))


def test_another_error_of_the_lock_file_is_one_of_writing(tmp_path, monkeypatch):
    monkeypatch.setattr(FileLock, "acquire", failing(OSError(errno.EROFS, "Read-only file system")))
    with pytest.raises(UserError, match="cannot be written to: Read-only file system"), locked(tmp_path):
        pytest.fail("it was not refused")


MOUNTS = """\
/dev/sda1 / ext4 rw,relatime 0 0
server:/export /shared nfs4 rw,vers=4.2,local_lock=none 0 0
server:/old /shared/my\\040old nfs rw,vers=3,nolock,local_lock=all 0 0
mds@tcp:/fs /scratch lustre rw,localflock 0 0
mds@tcp:/fs /scratch lustre rw,flock 0 0
//server/share /windows cifs rw,nobrl 0 0
"""


@pytest.mark.parametrize(
    ("directory", "found"),
    [
        ("/shared/logs", None),
        ("/shared/my old/logs/study", "/shared/my old is mounted with local_lock=all, nolock"),
        ("/shared/my older", None),
        ("/scratch/logs", None),
        ("/windows", "/windows is mounted with nobrl"),
        ("/home/me", None),
    ],
)
def test_mounts_with_locks_of_one_machine_are_found(tmp_path, monkeypatch, directory, found):
    (tmp_path / "mounts").write_text(MOUNTS)
    monkeypatch.setattr(locks, "MOUNTS", tmp_path / "mounts")
    warning = local_locks(locks.Path(directory))
    assert warning is None if found is None else warning.startswith(f"{found}: its locks hold on one machine only")
    monkeypatch.setattr(locks, "MOUNTS", tmp_path / "macOS has no such file")
    assert local_locks(locks.Path(directory)) is None


@pytest.mark.parametrize("launcher", ["none", "local"])
def test_a_study_for_several_machines_warns_of_such_a_mount(tmp_path, monkeypatch, capsys, launcher):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mounts").write_text("server:/old / nfs rw,nolock 0 0\n")
    monkeypatch.setattr(locks, "MOUNTS", tmp_path / "mounts")
    (tmp_path / "acts.yaml").write_text("factors: {act: [elu, relu]}\noptions: {dataset: digits}\n")
    monkeypatch.setattr("attnae.study.run.launch", failing(UserError("launched")))
    train_command(["--study", "acts.yaml", "--launcher", launcher])
    assert ("is mounted with nolock" in capsys.readouterr().out) == (launcher == "none")
