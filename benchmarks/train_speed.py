"""How fast a model trains: against a plain PyTorch port of the same model, and against its own convolutions alone.

    python benchmarks/train_speed.py --data-dir DIR       # MNIST in DIR (if there is none, enlarged digits)

The variants take turns in one process, so that other work on the machine affects all of them:

    a  the plain port: the same model, eager, default memory format, nn.Dropout, torch.optim.Adam, the C library's
       default allocator settings; images from torchvision's data set, ToTensor and a DataLoader; a bare loop
    b  the model and the data loading of this project, in a bare loop
    c  `train.py`: Lightning's Trainer with all callbacks, logs and progress bar
    d  the upper limit: only the forward and backward passes of the model's convolutions
    o  with `--other CHECKOUT`: the model and the data loading of another checkout of this project, in the bare loop of
       its own benchmarks/train_speed.py, in a process of its own

Ratios are of one turn, and what counts is their median; images per second drift with the machine. Then, in processes
of their own: how long --help and the first step take, also when another process has compiled the same model before, the
peak of memory, and what pictures cost.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import tyro
from PIL import Image
from pytorch_lightning.callbacks import Callback
from rich.console import Console
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from attnae.config import RunConfig
from attnae.data.module import Batch
from attnae.data.sources import AUTO_LAYOUTS, load_digits
from attnae.data.sources import MNIST as MNIST_FILES
from attnae.evaluation.views import Views
from attnae.model.dropout import Dropout
from attnae.model.vae import VAE, kl_divergence, reconstruction_bce
from attnae.rundir.events import EventLogger
from attnae.training.allocator import M_MMAP_MAX, M_TRIM_THRESHOLD, keep_freed_memory
from attnae.training.callbacks import log_pictures
from attnae.training.compilation import compiled
from attnae.training.module import AttentionVAE
from attnae.training.prepare import load_images, prepare
from attnae.training.run import train

TRAIN = str(Path(__file__).parents[1] / "train.py")
M_MMAP_THRESHOLD = -3
MNIST_IMAGES = 55_000  # training images of one epoch
ALL_LAYERS: dict[str, Any] = {"spatial_attention": True, "batch_norm": True, "dropout": True, "act": "elu"}


@dataclasses.dataclass(frozen=True)
class Options:
    """Compare training speeds."""

    data_dir: Path = Path("data")
    """The folder of MNIST; without MNIST, the digits are enlarged to 28x28."""
    turns: int = 15
    """Turns of each variant."""
    steps: int = 6
    """Steps of 64 images in a turn, after one step that is not counted."""
    threads: int = 2
    """CPU threads."""
    precision: str = "32-true"
    """The precision of c, as in `train.py --precision`."""
    compile: bool = True
    """Compile b and c, as `--compile auto` does in a full run on MNIST."""
    once: bool = True
    """Also measure --help, the first step and the peak memory."""
    other: Path | None = None
    """Another checkout of this project, to compare with (o)."""
    out: Path = Path("train_speed.json")
    """The file to which the numbers are written."""


def images_of(options: Options) -> dict[str, Any]:
    """The options that select the images: MNIST, or a folder of digits of the same size."""
    if MNIST_FILES.find(options.data_dir, AUTO_LAYOUTS):
        return {"dataset": "mnist", "data_dir": options.data_dir}
    folder = Path(tempfile.mkdtemp())
    for index, digit in enumerate(load_digits(folder, None, None).train.images):
        Image.fromarray(digit[0]).resize((28, 28)).save(folder / f"{index}.png")
    return {"dataset": "folder", "data_dir": folder, "image_size": 28, "channels": 1}


def plain_port(config: RunConfig) -> Iterator[None]:
    """Variant a; each `next` makes one step."""
    torch.manual_seed(config.seed)
    vae = VAE(**config.model_arguments())
    for module in list(vae.modules()):
        for name, child in module.named_children():
            if isinstance(child, Dropout):
                setattr(module, name, nn.Dropout(child.p))
    optimizer = torch.optim.Adam(vae.parameters(), lr=config.lr, eps=1e-7)
    loader = DataLoader(plain_images(config), batch_size=config.batch_size, shuffle=True, drop_last=True)
    while True:
        for x, _ in loader:
            out = vae(x)
            loss = reconstruction_bce(out.logits, x) + config.kl_weight * kl_divergence(out.mu, out.log_var)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield


def plain_images(config: RunConfig) -> Dataset:
    """torchvision's MNIST, or the digits in the same way: an image is opened and converted at each access."""
    if config.dataset == "mnist":
        root = Path(tempfile.mkdtemp())
        (root / "MNIST" / "raw").mkdir(parents=True)
        for file in MNIST_FILES.find(config.data_dir, AUTO_LAYOUTS) or []:
            (root / "MNIST" / "raw" / file.name).symlink_to(file.resolve())
        return MNIST(root, transform=ToTensor())
    images = load_images(config).train
    return _Pictures([Image.fromarray(image[0]) for image in images.images], images.labels)


class _Pictures(Dataset):
    def __init__(self, images: list[Image.Image], labels: np.ndarray) -> None:
        self.images, self.labels, self.transform = images, labels, ToTensor()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), int(self.labels[index])


def bare_loop(config: RunConfig) -> Iterator[None]:
    """Variant b; each `next` makes one step of the Lightning module on a batch of the data module."""
    prepared = prepare(config)
    module, images = prepared.module, prepared.data.images["train"]
    module._trainer = OneDevice()  # type: ignore[assignment]
    if prepared.config.compile == "on":
        module._compiled_forward = compiled(module.vae.forward, torch.device("cpu"), sys.exit)
    optimizer = module.configure_optimizers()["optimizer"]
    while True:
        for index in torch.randperm(len(images))[: len(images) // 64 * 64].split(64):
            loss = module.training_step(Batch(images[index], index), 0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield
        module._sums["train"].clear()


def convolutions(config: RunConfig) -> Iterator[None]:
    """Variant d; each `next` runs every convolution of one step, forward and backward."""
    with Convolutions() as recorded:
        VAE(**config.model_arguments())(torch.rand(config.batch_size, 1, 28, 28))
    passes = []
    for x, weight, bias, *how in recorded.calls:
        x, weight = (tensor.detach().contiguous(memory_format=torch.channels_last) for tensor in (x, weight))
        # The images need no gradient, so the first convolution computes none for its input.
        wanted = [tensor.requires_grad_() for tensor in ([x, weight] if passes else [weight])]
        y = torch.convolution(x, weight, bias, *how)
        passes.append((wanted, (x, weight, bias, *how), torch.randn_like(y)))
    while True:
        for wanted, arguments, gradient in passes:
            torch.autograd.grad(torch.convolution(*arguments), wanted, gradient)
        yield


OTHER = """
import json, sys
from pathlib import Path
import torch
import train_speed
fields = json.loads(sys.argv[1])
config = train_speed.RunConfig(**{**fields, "data_dir": Path(fields["data_dir"])})
torch.set_num_threads(config.threads)
train_speed.keep_freed_memory()
loop = train_speed.bare_loop(train_speed.prepare(config).config)
for _ in sys.stdin:
    next(loop)
    print(flush=True)
"""


def other_loop(checkout: Path, fields: dict[str, Any]) -> Iterator[None]:
    """Variant o; each `next` makes one step in the process of the other checkout."""
    environment = {**os.environ, "PYTHONPATH": f"{checkout}{os.pathsep}{checkout / 'benchmarks'}"}
    command = [sys.executable, "-c", OTHER, json.dumps(fields, default=str)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=checkout, env=environment, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        while True:
            process.stdin.write("step\n")
            process.stdin.flush()
            if not process.stdout.readline():
                raise RuntimeError(f"the process of {checkout} ended: {process.wait()}")
            yield


class OneDevice:
    """The only attribute of a Trainer that a training step uses."""

    world_size = 1


class Convolutions(TorchDispatchMode):
    """Records the arguments of all convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution.default:
            self.calls.append(args)
        return func(*args, **(kwargs or {}))


class Turns(Callback):
    """Measures the turns of variant c, in which it is a callback, and runs the turns of the others in between."""

    def __init__(self, others: dict[str, Iterator[None]], options: Options) -> None:
        self.others = others
        self.options = options
        self.seconds: dict[str, list[float]] = {name: [] for name in ["c", *others]}
        self.pictures_s = 0.0
        self._step = -2  # the first step compiles, the second warms up

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *args: Any) -> None:
        self._step += 1
        if self._step == 0:
            self._start = time.perf_counter()
        elif self._step == self.options.steps:
            self._step = -1
            self.seconds["c"].append(time.perf_counter() - self._start)
            self._others_turns()
            if len(self.seconds["c"]) == self.options.turns:
                self._draw(trainer, pl_module)
                raise Enough

    def _others_turns(self) -> None:
        forwards = len(self.seconds["c"]) % 2
        for name, steps in list(self.others.items())[:: 1 if forwards else -1]:
            if name == "a":
                default_allocator()
            next(steps)
            start = time.perf_counter()
            for _ in range(self.options.steps):
                next(steps)
            self.seconds[name].append(time.perf_counter() - start)
            keep_freed_memory()

    def _draw(self, trainer: pl.Trainer, module: AttentionVAE) -> None:
        start = time.perf_counter()
        log_pictures(EventLogger(Path(tempfile.mkdtemp())), Views(module.vae, trainer.datamodule), 1)  # type: ignore
        self.pictures_s = time.perf_counter() - start


class Enough(Exception):
    """The last turn is over."""


def default_allocator() -> None:
    """The settings that glibc reaches by itself after blocks of 22 MB, the largest of a step (mallopt(3))."""
    if (libc := ctypes.CDLL(None)) and hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_MAX, 65_536)
        libc.mallopt(M_MMAP_THRESHOLD, 22 * 2**20)
        libc.mallopt(M_TRIM_THRESHOLD, 44 * 2**20)
        libc.malloc_trim(0)


def measure(options: Options) -> tuple[dict[str, list[float]], float]:
    """Images per second in each turn, by variant, and the seconds for one set of pictures."""
    fields = {**ALL_LAYERS, **images_of(options), "threads": options.threads}
    fields["compile"] = "on" if options.compile else "off"
    config = RunConfig(**fields, precision=options.precision, log_dir=Path(tempfile.mkdtemp()))
    resolved = prepare(RunConfig(**fields)).config
    others = {"a": plain_port(resolved), "b": bare_loop(resolved), "d": convolutions(resolved)}
    if options.other is not None:
        others["o"] = other_loop(options.other.resolve(), {**fields, "data_dir": fields["data_dir"].resolve()})
    turns = Turns(others, options)
    with contextlib.suppress(Enough):
        train(config, console=Console(), callbacks=[turns])
    images = options.steps * resolved.batch_size
    return {name: [images / taken for taken in turns.seconds[name]] for name in sorted(turns.seconds)}, turns.pictures_s


def first_step(options: Options, how: str, compiler_cache: str) -> dict[str, float]:
    """Seconds to the first step and peak memory of `train.py` for one short epoch, in a new process."""
    images = images_of(options)
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in images.items()]
    flags += ["--spatial-attention", "--act=elu", f"--threads={options.threads}", "--epochs=1", "--limit-train=640"]
    flags += [f"--compile={how}", f"--log-dir={tempfile.mkdtemp()}"]
    script = f"""
import re, sys, time
started = time.time()
from pytorch_lightning.callbacks import Callback
from attnae.training import module
real = module.AttentionVAE.optimizer_step
def step(self, *args, **kwargs):
    real(self, *args, **kwargs)
    if self.global_step == 1: print("first step", time.time() - started, flush=True)
module.AttentionVAE.optimizer_step = step
from attnae.cli import train_command
code = train_command({flags!r})
# getrusage would also count the memory that the parent process held when it started this one (proc(5), execve(2)).
print("peak", int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024)
sys.exit(code)
"""
    cache = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": compiler_cache}
    done = subprocess.run([sys.executable, "-c", script], env=cache, stdout=subprocess.PIPE, text=True, check=True)
    numbers = dict(re.findall(r"^(first step|peak) ([\d.]+)", done.stdout, re.MULTILINE))
    return {"first_step_s": float(numbers["first step"]), "peak_memory_mb": float(numbers["peak"])}


def seconds_of(*arguments: str) -> float:
    """The median of five runs of train.py."""
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, TRAIN, *arguments], stdout=subprocess.DEVNULL, check=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main(options: Options) -> None:
    speeds, pictures_s = measure(options)
    report: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {options.threads} threads",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "compiled": options.compile,
        "images_per_s": speeds,
    }
    print(f"{report['machine']}; Python {platform.python_version()}, torch {torch.__version__}")
    for name, speed in speeds.items():
        print(f"{name}: {statistics.median(speed):6.1f} images/s (turns: {min(speed):.1f} to {max(speed):.1f})")
    for one, other in ("ba", "ca", "cb", "cd", "bo"):
        if other not in speeds:
            continue
        ratios = [x / y for x, y in zip(speeds[one], speeds[other], strict=True)]
        report[f"{one}/{other}"] = statistics.median(ratios)
        print(f"{one}/{other}: {statistics.median(ratios):.3f} (turns: {min(ratios):.3f} to {max(ratios):.3f})")
    # One set of pictures in five epochs, the default of --picture-every.
    report["pictures_s"] = pictures_s
    report["pictures_share_of_epoch"] = pictures_s / 5 / (MNIST_IMAGES / statistics.median(speeds["c"]))
    print(f"pictures: {pictures_s:.1f} s, {report['pictures_share_of_epoch']:.1%} of the time of an epoch of MNIST")
    if options.once:
        report["help_s"] = seconds_of("--help")
        report["dry_run_s"] = seconds_of("--dry-run", "--dataset", "digits")
        print(f"--help: {report['help_s']:.2f} s; --dry-run, which imports everything: {report['dry_run_s']:.1f} s")
        cache = tempfile.mkdtemp()
        for how in ("off", "on", "on, again"):
            report[f"compile_{how}"] = once = first_step(options, how.partition(",")[0], cache)
            print(
                f"--compile {how}: {once['first_step_s']:.1f} s from the start to the first step, "
                f"peak memory {once['peak_memory_mb']:.0f} MB"
            )
    options.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options))
