"""Files of about 1 MB that are made to use up memory or time, and damage at random places of each format.

`bounded` limits the processor time of a process of its own to 15 s, imports included, and its memory to 1 GB more than
it has after them, so that a reader without a bound is killed.
"""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from attnae.reading.read import read_logs
from tests.conftest import ROOT
from tests.reading.damage import runs_or_mistake
from tests.reading.test_hydra import job
from tests.reading.test_scan import KERAS, write
from tests.reading.trainers import test_hugging_face as hugging_face
from tests.reading.trainers import test_ray as ray
from tests.reading.wandb.wandb_files import BLOCK, HEADER, WandbFile

LIGHTNING = "step,epoch,loss,acc\n0,0,1.5,\n0,0,,0.5\n1,1,0.25,nan\n1,1,,0.75\n"
READ = """
import resource, sys
from attnae.errors import UserError
from attnae.reading.read import read_logs
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), used + (1 << 30)))
resource.setrlimit(resource.RLIMIT_CPU, (15, 15))
try:
    print(len(read_logs(sys.argv[1])))
except UserError as error:
    print(error)
"""


def bounded(root: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", READ, str(root)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def empty_chunks(root: Path) -> None:
    """A record that never ends, in chunks without data."""
    out = bytearray(HEADER)
    kind = 2
    while len(out) < 1 << 20:
        left = BLOCK - len(out) % BLOCK
        out += bytes(left) if left < 7 else struct.pack("<IHB", zlib.crc32(bytes([kind])), 0, kind)
        kind = 3
    WandbFile("a", {}).write(root).write_bytes(bytes(out))


def many_values(root: Path) -> None:
    write(root / "metrics.csv", LIGHTNING)
    write(root / "hparams.yaml", "".join(f"a{number}: 1\n" for number in range(100_000)))


def many_columns(root: Path) -> None:
    header = "step,epoch," + ",".join(f"c{number}" for number in range(9_000))
    write(root / "metrics.csv", f"{header}\n" + "".join(f"{row},0,{'1,' * 9_000}\n" for row in range(60)))


def many_tags(root: Path) -> None:
    log = [{"step": number, f"t{number}": 1.5} for number in range(30_000)]
    write(root / "trainer_state.json", json.dumps({"log_history": log}))


def many_equal_runs(root: Path) -> None:
    for number in range(400):
        file = WandbFile(f"a{number}", {"x": number}, name=f"n{number}").history(0, {"loss": 1.25, "acc": 0.1})
        file.history(1, {"loss": 0.25, "acc": 0.3}).write(root)
        write(root / f"k{number}" / "metrics.csv", "step,epoch,loss,acc\n0,0,1.25,0.1\n1,0,0.25,0.7\n")


@pytest.mark.slow
@pytest.mark.parametrize("make", [empty_chunks, many_values, many_columns, many_tags, many_equal_runs])
def test_a_megabyte_takes_bounded_time_and_memory(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path)
    assert int(bounded(tmp_path)) >= 1


def lightning(root: Path) -> Path:
    write(root / "run" / "hparams.yaml", "act: relu\nopt:\n  lr: 1e-3\n  betas: [0.9, 0.99]\n")
    return write(root / "run" / "metrics.csv", LIGHTNING)


def lightning_settings(root: Path) -> Path:
    return lightning(root).parent / "hparams.yaml"


def keras(root: Path) -> Path:
    return write(root / "run" / "log.csv", KERAS)


def ultralytics(root: Path) -> Path:
    write(root / "run" / "args.yaml", "lr0: 0.1\n")
    return write(root / "run" / "results.csv", "epoch,time,loss\n1,1.5,2.5\n2,2.5,1.5\n")


def hydra(root: Path) -> Path:
    write(job(root / "run", "seed: 1\nmodel: {act: relu}\n", "- model.act=relu\n- +x=1\n") / "log.csv", KERAS)
    return root / "run" / ".hydra" / "overrides.yaml"


def trainer_state(root: Path) -> Path:
    hugging_face.write(root / "run", hugging_face.state(40, 40, trial_params={"lr": 0.1}))
    return root / "run" / "trainer_state.json"


def ray_results(root: Path) -> Path:
    directory = ray.write_trial(root / "study", "aa", {"act": "relu"}, [2.5, 1.5])
    ray.write_state(root / "study", {"aa": "TERMINATED"})
    return directory / "result.json"


def ray_state(root: Path) -> Path:
    return next(ray_results(root).parent.parent.glob("experiment_state*"))


def ray_params(root: Path) -> Path:
    return ray_results(root).parent / "params.json"


LAYOUTS = [
    *(lightning, lightning_settings, keras, ultralytics, hydra),
    *(trainer_state, ray_results, ray_state, ray_params),
]


def only_our_error(root: Path) -> None:
    for run in runs_or_mistake(read_logs, root) or []:
        assert all(len(series.steps) == len(series.values) > 0 for series in run.scalars.values())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage_anywhere(tmp_path: Path, layout) -> None:  # type: ignore[no-untyped-def]
    """Bytes changed at 50 places, and the file cut after each line and at 50 places."""
    path = layout(tmp_path)
    assert len(read_logs(tmp_path)) == 1
    whole = path.read_bytes()
    generator = random.Random(3)
    damaged = []
    for _ in range(50):
        place = generator.randrange(len(whole))
        damaged.append(whole[:place] + generator.randbytes(1) + whole[place + 1 :])
        damaged.append(whole[:place])
    lines = whole.splitlines(keepends=True)
    damaged += [b"".join(lines[:count]) for count in range(len(lines))]
    damaged += [whole.replace(b"1", b"NaN"), whole.replace(b"1", b"9" * 5_000), b"\xff\xfe" + whole, b"\0" * 100]
    for content in damaged:
        path.write_bytes(content)
        only_our_error(tmp_path)
