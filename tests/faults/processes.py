"""The commands in processes of their own, to which things happen.

They are forked from a server that has everything imported, so that starting one costs a tenth of a second.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import resource
import signal
import sys
import time
from contextlib import contextmanager

from tests.conftest import PATIENCE

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "attnae.training.run",
        "attnae.training.summary",
        "attnae.analysis.report.files",
        "attnae.analysis.report.terminal",
        "attnae.analysis.audit.audit",
        "attnae.analysis.study",
        "tests.faults.processes",
    ]
)


def start(args, screen, *, before=None, script="train"):
    """Starts a command; `screen` gets all that it prints. `before()` is called in the process first."""
    process = CONTEXT.Process(target=_command, args=(script, [*map(str, args)], screen, before))
    process.start()
    return process


def ended(process, seconds=PATIENCE):
    """The exit code; minus the signal that killed it."""
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        raise AssertionError(f"still running after {seconds} s")
    return process.exitcode


def run(args, screen, **options):
    """(exit code, what it printed)."""
    code = ended(start(args, screen, **options))
    return code, screen.read_text(errors="replace")


def says(screen, text):
    """A condition: the process has printed the text."""
    return lambda: screen.is_file() and str(text) in screen.read_text(errors="replace")


def wait_until(condition, process, seconds=PATIENCE):
    """Until `condition()` holds or the process has ended."""
    deadline = time.monotonic() + seconds
    while not condition() and process.is_alive():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


def _command(script, args, screen, before):
    descriptor = os.open(screen, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)
    from attnae.cli import analyze_command, main, train_command

    if before is not None:
        before()
    sys.exit({"train": train_command, "analyze": analyze_command, "attnae": main}[script](args))


# What can be done `before`.


def die(*args, **options):
    """kill -9 of the own process."""
    os.kill(os.getpid(), signal.SIGKILL)


def act_when(owner, name, condition, action):
    """From now on `action` comes before each call of the function for whose arguments the condition holds."""
    original = getattr(owner, name)

    def watched(*args, **options):
        if condition(*args, **options):
            action()
        return original(*args, **options)

    setattr(owner, name, watched)


def limit_files(size):
    """No file may grow beyond `size` bytes: writing fails as on a full disk, with EFBIG for ENOSPC."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def limit_the_figure():
    """The disk is full when the figure of the run is drawn."""
    from attnae.training import run

    act_when(run, "write_atomically", lambda path: path.name == "figure.png", lambda: limit_files(1000))


def full_output():
    """Standard output is a full disk."""
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    _reopen_output()


def closed_output():
    """Standard output is a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.dup2(writer, 1)
    os.close(reader)
    os.close(writer)
    _reopen_output()


def latin_output():
    """The terminal has 191 characters, and none of them is a box or an emoji."""
    _reopen_output("latin-1")


def _reopen_output(encoding="utf-8"):
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding)


def stop_before_the_report_is_in_place():
    """Ctrl-C between the writing of the first file and its taking its place."""
    from attnae import files

    act_when(files.Path, "replace", lambda *args: True, lambda: os.kill(os.getpid(), signal.SIGINT))


# Where a run kills itself: in the second of three epochs, if not said otherwise.


def mid_epoch():
    from attnae.training.callbacks import EpochProgress

    act_when(EpochProgress, "on_train_batch_end", lambda *args: args[1].current_epoch == 1 and args[5] == 1, die)


def before_the_first_checkpoint():
    from attnae.training.callbacks import EpochProgress

    act_when(EpochProgress, "on_train_batch_end", lambda *args: args[1].current_epoch == 0 and args[5] == 2, die)


def before_validation():
    from attnae.training.module import AttentionVAE

    act_when(AttentionVAE, "on_validation_epoch_start", lambda module: module.current_epoch == 1, die)


def between_the_scalars_and_the_checkpoint():
    from attnae.rundir.checkpoint import AtomicCheckpointIO

    act_when(AtomicCheckpointIO, "save_checkpoint", lambda self, content, *rest, **more: content["epoch"] == 1, die)


def while_the_checkpoint_is_written():
    from attnae.rundir import checkpoint

    write_atomically = checkpoint.write_atomically

    @contextmanager
    def write_half(path):
        with write_atomically(path) as file:
            if path.exists():
                whole = io.BytesIO()
                yield whole
                file.write(whole.getvalue()[: len(whole.getvalue()) // 2])
                file.flush()
                die()
            yield file

    checkpoint.write_atomically = write_half


def before_the_checkpoint_takes_its_place():
    from attnae import files

    act_when(files.Path, "replace", lambda self, target: target.name == "last.ckpt" and target.exists(), die)


def right_after_the_checkpoint():
    from attnae.training.callbacks import EpochRecord

    act_when(EpochRecord, "on_train_epoch_end", lambda self, trainer, module: trainer.current_epoch == 1, die)


def wait_after_the_first_checkpoint():
    """So that it cannot end before the test sends a signal."""
    from attnae.training.callbacks import EpochRecord

    act_when(
        EpochRecord,
        "on_train_epoch_end",
        lambda self, trainer, module: trainer.current_epoch == 0,
        lambda: time.sleep(PATIENCE),
    )


def in_the_test():
    from attnae.training.module import AttentionVAE

    AttentionVAE.on_test_epoch_start = die


def after_the_test():
    from attnae.training import run

    run.log_pictures = die


def before_the_last_record():
    from attnae.rundir.record import Record

    act_when(Record, "write", lambda self, status, *rest: status == "finished", die)


KILLS = (
    mid_epoch,
    before_the_first_checkpoint,
    before_validation,
    between_the_scalars_and_the_checkpoint,
    while_the_checkpoint_is_written,
    before_the_checkpoint_takes_its_place,
    right_after_the_checkpoint,
    in_the_test,
    after_the_test,
    before_the_last_record,
)
