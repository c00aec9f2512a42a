"""Which device each tensor is on, without a GPU: tensors that have a shape and a device but no values.

Operations between a tensor on the CPU and one on the fake GPU raise, as on a real one. (The backward pass cannot be
traced this way.)
"""

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from attnae.data.module import Batch, Batches
from attnae.evaluation import apply
from attnae.training.prepare import prepare

pytestmark = pytest.mark.usefixtures("blank_pictures")


@pytest.fixture(params=["images on the GPU", "images in host memory"])
def fake(tiny, request):
    """(mode, the module on a fake GPU, images)."""
    prepared = prepare(tiny(spatial_attention=True, channel_attention=True))
    module = prepared.module.eval()
    home = "cuda" if request.param == "images on the GPU" else "cpu"

    class Trainer:
        datamodule = prepared.data
        world_size, global_rank, current_epoch = 1, 0, 0

    module._trainer = Trainer()
    mode = FakeTensorMode(allow_non_fake_inputs=False)
    with mode:
        for part in module.modules():
            for name, value in [*part._parameters.items()]:
                if value is not None:
                    fake_value = torch.empty(value.shape, dtype=value.dtype, device="cuda")
                    part._parameters[name] = torch.nn.Parameter(fake_value)
            for name, value in [*part._buffers.items()]:
                if value is not None:
                    part._buffers[name] = torch.empty(value.shape, dtype=value.dtype, device="cuda")
        module._noise = torch.empty(prepared.data.sizes["test"], 2, device="cuda")
        images = torch.empty(prepared.data.images["test"].shape, dtype=torch.uint8, device=home)
    return mode, module, images


def batch_of(images):
    """The first batch, as the data module's `Batches` make it and Lightning moves it to the GPU."""
    order = torch.arange(len(images))
    images, positions = next(iter(Batches(images, lambda: order, 16, training=False)))
    return Batch(images.to("cuda"), positions.to("cuda"))


def test_the_fake_gpu_refuses_a_mix_of_devices(fake):
    """The check itself: without it, the other tests would show nothing."""
    mode, module, _ = fake
    with mode, pytest.raises(RuntimeError, match="device"):
        module.vae(torch.empty(2, 1, 8, 8, device="cpu"))


@pytest.mark.parametrize("stage", ["train", "test"])
def test_forward_pass_and_loss(fake, stage):
    mode, module, images = fake
    module.train(stage == "train")
    module._train_forward = module.vae
    with mode, torch.no_grad():
        loss = module._step(batch_of(images), stage)
        assert loss.device.type == "cuda"
        assert module._sums[stage][0].device.type == "cuda"
        assert loss.dtype == torch.float32


def test_the_noise_of_an_evaluation(fake):
    mode, module, images = fake
    with mode:
        module._draw_noise("test")
        assert module._noise.device.type == "cuda"
        assert module._noise[batch_of(images).positions].shape == (16, 2)


def test_evaluation(fake, monkeypatch):
    """Scoring and the pictures: results come back to the CPU."""
    mode, module, images = fake
    monkeypatch.setattr(apply, "to_numpy", lambda tensor: np.zeros(tuple(tensor.float().cpu().shape), np.float32))
    vae = module.vae
    with mode, apply.evaluating(vae):
        index = torch.arange(len(images))
        mu, log_var = apply.codes(vae, images, index)
        assert mu.shape == log_var.shape == (40, 2)
        x = apply.scaled(vae, images, index)
        assert x.device.type == "cuda"
        assert vae.reconstruct(x).device.type == "cuda"
        assert {attention.device.type for attention in vae.attention_maps(x).values()} == {"cuda"}
        assert vae.decode(torch.empty(3, 2, device="cuda")).shape == (3, 1, 8, 8)
