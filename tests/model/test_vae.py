"""The VAE's algebra: loss terms, sampling, modes, shapes."""

import itertools
import math

import pytest
import torch
from torch.nn import functional as F

from attnae.model.vae import VAE, kl_divergence, reconstruction_bce

SMALL = {"units": (6, 5, 4, 3), "block_depth": 2, "image_size": 8}


def small_vae(**options):
    torch.manual_seed(0)
    return VAE(**{**SMALL, **options})


def images(n=4, channels=1, size=8):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("attention", "batch_norm", "trainable", "all_weights"),
    [
        (False, False, 216_461, 217_461),
        (False, True, 216_941, 218_421),
        (True, False, 217_073, 218_073),
        (True, True, 217_553, 219_033),
    ],
)
def test_parameter_counts_of_the_article(attention, batch_norm, trainable, all_weights):
    vae = VAE(spatial_attention=attention, batch_norm=batch_norm)
    count = sum(weight.numel() for weight in vae.parameters())
    statistics = sum(buffer.numel() for name, buffer in vae.named_buffers() if "running" in name)
    assert (count, count + statistics) == (trainable, all_weights)


def test_kl_of_the_prior_is_zero():
    assert kl_divergence(torch.zeros(3, 2), torch.zeros(3, 2)).item() == 0


def test_kl_closed_form():
    """Against torch.distributions, summed over latent and averaged over images."""
    generator = torch.Generator().manual_seed(2)
    mu, log_var = (torch.randn(5, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    normal = torch.distributions.Normal(mu, (log_var / 2).exp())
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(kl_divergence(mu, log_var), expected, atol=1e-12, rtol=0)


def test_bce_is_the_mean_over_pixels():
    logits = torch.tensor([[0.0, 2.0], [-1.0, 30.0]]).view(2, 1, 1, 2)
    x = torch.tensor([[1.0, 0.25], [0.0, 1.0]]).view(2, 1, 1, 2)
    p = 1 / (1 + math.exp(-2.0))
    by_hand = [math.log(2), -(0.25 * math.log(p) + 0.75 * math.log(1 - p)), math.log1p(math.exp(-1)), 0.0]
    assert reconstruction_bce(logits, x).item() == pytest.approx(sum(by_hand) / 4, abs=1e-6)


def test_z_is_mu_plus_scaled_eps():
    vae, x = small_vae().eval(), images()
    eps = torch.randn(4, 2, generator=torch.Generator().manual_seed(3))
    out = vae(x, eps)
    torch.testing.assert_close(out.z, out.mu + torch.exp(out.log_var / 2) * eps)
    torch.testing.assert_close(torch.sigmoid(out.logits), vae.decode(out.z))
    mu, log_var = vae.encode(x)
    torch.testing.assert_close((mu, log_var), (out.mu, out.log_var))


def test_evaluation_samples_too():
    vae, x = small_vae().eval(), images()
    torch.manual_seed(1)
    first, second = vae(x), vae(x)
    assert not torch.equal(first.z, second.z)
    torch.testing.assert_close(first.mu, second.mu)
    torch.manual_seed(1)
    assert torch.equal(vae(x).z, first.z)


def test_plain_autoencoder():
    vae, x = small_vae(variational=False).eval(), images()
    out = vae(x)
    assert out.log_var is None
    assert torch.equal(out.z, out.mu)
    assert not hasattr(vae, "mu")
    both = {name.partition(".")[0] for name, _ in small_vae().named_parameters()}
    assert both - {name.partition(".")[0] for name, _ in vae.named_parameters()} == {"mu", "log_var"}


def test_reconstruct_decodes_the_mean():
    vae, x = small_vae().eval(), images()
    torch.testing.assert_close(vae.reconstruct(x), vae.decode(vae.encode(x)[0]))


def test_sample_is_seeded_and_in_range():
    vae = small_vae().eval()
    one = vae.sample(5, torch.Generator().manual_seed(4))
    assert one.shape == (5, 1, 8, 8)
    assert 0 <= one.min() <= one.max() <= 1
    torch.testing.assert_close(one, vae.sample(5, torch.Generator().manual_seed(4)))
    z = torch.randn(5, 2, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(one, vae.decode(z))


@pytest.mark.parametrize(("size", "channels"), list(itertools.product([4, 5, 7, 10, 28], [1, 3])))
def test_output_has_the_input_size(size, channels):
    vae = small_vae(image_size=size, in_channels=channels)
    x = images(3, channels, size)
    assert vae(x).logits.shape == x.shape


@pytest.mark.parametrize("latent", [1, 2, 5])
def test_latent_dim(latent):
    vae = small_vae(latent_dim=latent)
    assert vae(images()).z.shape == (4, latent)
    assert vae.sample(2).shape == (2, 1, 8, 8)


def test_attention_maps_are_what_the_blocks_multiply_by():
    vae, x = small_vae(spatial_attention=True).eval(), images()
    maps = vae.attention_maps(x)
    assert list(maps) == [
        f"{coder}.stage{stage}.block{block}" for coder in ("encoder", "decoder") for stage in (0, 1) for block in (0, 1)
    ]
    assert [tuple(m.shape) for m in maps.values()] == [
        *[(4, 1, 8, 8)] * 2, *[(4, 1, 4, 4)] * 2, *[(4, 1, 2, 2)] * 2, *[(4, 1, 4, 4)] * 2,
    ]  # fmt: skip
    stem = F.relu(vae.encoder.stem(x))
    block = vae.encoder.stage0.block0
    expected = block.attention.attention_map(block.conv(stem))
    torch.testing.assert_close(maps["encoder.stage0.block0"], expected)
    assert all(0 < m.min() <= m.max() < 1 for m in maps.values())


def test_no_attention_no_maps():
    assert small_vae(channel_attention=True).attention_maps(images()) == {}


def test_attention_maps_of_the_whole_cbam_are_the_spatial_ones():
    """What comes into the spatial attention is scaled by channel, and what comes out of its convolution is normed."""
    vae, x = small_vae(spatial_attention=True, channel_attention=True, attention_norm=True).eval(), images()
    block = vae.encoder.stage0.block0
    block.attention.norm.running_mean.fill_(0.3)
    block.attention.norm.running_var.fill_(0.25)
    y = block.conv(F.relu(vae.encoder.stem(x)))
    y = y * block.channel_attention.attention_map(y)
    scores = block.attention.conv(torch.cat([y.amax(1, keepdim=True), y.mean(1, keepdim=True)], dim=1))
    maps = vae.attention_maps(x)
    assert len(maps) == 8
    torch.testing.assert_close(
        maps["encoder.stage0.block0"], torch.sigmoid((scores - 0.3) / math.sqrt(0.25 + 1e-3)), atol=1e-5, rtol=0
    )


def test_options_that_are_off_change_neither_the_weights_nor_their_names():
    """Drawn from one seed: the new layers of CBAM take no random number unless they are built."""
    plain = small_vae(spatial_attention=True).state_dict()
    idle = small_vae(spatial_attention=True, channel_reduction=2).state_dict()
    assert list(plain) == list(idle)
    assert all(torch.equal(plain[name], idle[name]) for name in plain)
    assert not any("channel_attention" in name or "attention.norm" in name for name in plain)


def test_looking_at_attention_leaves_no_hooks():
    vae, x = small_vae(spatial_attention=True).eval(), images()
    vae.attention_maps(x)
    assert not any(layer._forward_pre_hooks for layer in vae.modules())


def test_each_option_reaches_every_block():
    for option, value, layer in [
        ("batch_norm", False, "norm"),
        ("dropout", 0.0, "dropout"),
        ("spatial_attention", True, "attention"),
        ("channel_attention", True, "channel_attention"),
    ]:
        for default, expected in ((True, value is True), (False, value is not True)):
            vae = small_vae(**({option: value} if default else {}))
            blocks = [getattr(vae, c).get_submodule(f"stage{s}.block{b}") for c in ("encoder", "decoder")
                      for s in (0, 1) for b in (0, 1)]  # fmt: skip
            assert [hasattr(block, layer) for block in blocks] == [expected] * 8
    vae = small_vae(
        spatial_attention=True, attention_kernel_size=3, attention_norm=True, channel_attention=True,
        channel_reduction=2, act="tanh", dropout=0.4,
    )  # fmt: skip
    block = vae.decoder.stage1.block1
    assert block.channel_attention.mlp.fc0.weight.shape == (2, 5)
    assert isinstance(block.attention.norm, torch.nn.BatchNorm2d)
    assert block.attention.conv.kernel_size == (3, 3)
    assert isinstance(block.act, torch.nn.Tanh)
    assert block.dropout.p == 0.4


@pytest.mark.parametrize(
    "options",
    [
        {"units": (3, 2)},
        {"units": (3, 0, 2)},
        {"latent_dim": 0},
        {"block_depth": 0},
        {"image_size": 3},
        {"dropout": 1.0},
        {"act": "swish"},
        {"in_channels": 0},
        {"attention_kernel_size": 4, "spatial_attention": True},
        {"channel_reduction": 0, "channel_attention": True},
    ],
)
def test_bad_options_are_refused(options):
    with pytest.raises(
        ValueError, match=r"units|latent_dim|block_depth|too small|dropout|activation|in_channels|odd|reduction"
    ):
        small_vae(**options)
