"""The dense-coder variational autoencoder, its two loss terms, and what can be done with a trained one."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnae.model.attention.layers import WITH_MAPS
from attnae.model.blocks import ConvBlock
from attnae.model.coder import Decoder, Encoder, check_units, stage_sizes
from attnae.model.keras_defaults import BATCH_NORM, glorot


class VAEOutput(NamedTuple):
    """What one forward pass gives. A plain autoencoder has z = mu and no log_var."""

    logits: Tensor  # (B, C, H, W): before the sigmoid
    mu: Tensor  # (B, latent)
    log_var: Tensor | None  # (B, latent)
    z: Tensor  # (B, latent)


def reconstruction_bce(logits: Tensor, x: Tensor) -> Tensor:
    """Binary cross-entropy of images x in [0, 1] under logits, in nats, mean over all pixels and images: a scalar."""
    return F.binary_cross_entropy_with_logits(logits, x)


def kl_divergence(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL of N(mu, exp(log_var)) from N(0, 1), in nats, sum over latent and mean over images: (B, L) -> a scalar.

    Kingma & Welling 2014, appendix B.
    """
    return -0.5 * (1 + log_var - mu.square() - log_var.exp()).sum(dim=1).mean()


def _dense_stack(in_features: int, hidden: int, out_features: int) -> nn.Sequential:
    """Twice dense (no bias) -> batch norm -> relu: (B, in_features) -> (B, out_features)."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for index, (fan_in, fan_out) in enumerate([(in_features, hidden), (hidden, out_features)]):
        layers[f"fc{index}"] = glorot(nn.Linear(fan_in, fan_out, bias=False))
        layers[f"norm{index}"] = nn.BatchNorm1d(fan_out, **BATCH_NORM)
        layers[f"act{index}"] = nn.ReLU()
    return nn.Sequential(layers)


class VAE(nn.Module):
    """Encoder -> bottleneck -> (mu, log_var) -> z -> bottleneck -> decoder.

    The block options (from `batch_norm` to `channel_reduction`, and `act`) reach the dense blocks only; the batch norms
    at the ends of the coders and in the bottleneck always stay, as in the original. `coord_conv` adds two coordinate
    channels to the images that the encoder reads. With `variational=False` it is the plain autoencoder of the same
    parts.

    Images are (B, in_channels, image_size, image_size) in [0, 1]; codes are (B, latent_dim).

    >>> vae = VAE((6, 4, 2), block_depth=1, image_size=8, spatial_attention=True).eval()
    >>> images = torch.rand(5, 1, 8, 8)
    >>> mu, log_var = vae.encode(images)
    >>> mu.shape, vae.reconstruct(images).shape, vae.sample(3).shape
    (torch.Size([5, 2]), torch.Size([5, 1, 8, 8]), torch.Size([3, 1, 8, 8]))
    >>> {block: tuple(attention.shape) for block, attention in vae.attention_maps(images).items()}
    {'encoder.stage0.block0': (5, 1, 8, 8), 'decoder.stage0.block0': (5, 1, 4, 4)}

    Raises `ValueError` for fewer than 3 units, units that are not positive, or images too small to be halved once
    per inner unit.
    """

    def __init__(
        self,
        units: Sequence[int] = (35, 25, 15, 5),
        block_depth: int = 3,
        latent_dim: int = 2,
        *,
        batch_norm: bool = True,
        dropout: float = 0.2,
        attention: str = "none",
        spatial_attention: bool = False,
        attention_kernel_size: int = 5,
        attention_norm: bool = False,
        channel_attention: bool = False,
        channel_reduction: int = 4,
        coord_conv: bool = False,
        act: str = "relu",
        variational: bool = True,
        in_channels: int = 1,
        image_size: int = 28,
    ) -> None:
        super().__init__()
        for name, value in [("block_depth", block_depth), ("latent_dim", latent_dim), ("in_channels", in_channels)]:
            if value < 1:
                raise ValueError(f"{name} {value} must be at least 1")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout {dropout} must be at least 0 and below 1")
        units = check_units(units)
        side = stage_sizes(units, image_size)[-1]
        features = side * side * units[-1]

        self.latent_dim = latent_dim
        block = partial(
            ConvBlock,
            batch_norm=batch_norm,
            dropout=dropout,
            attention=attention,
            spatial_attention=spatial_attention,
            attention_kernel_size=attention_kernel_size,
            attention_norm=attention_norm,
            channel_attention=channel_attention,
            channel_reduction=channel_reduction,
            act=act,
        )
        self.encoder = Encoder(units, block_depth, block, in_channels=in_channels, coord_conv=coord_conv)
        self.to_latent = _dense_stack(features, features, latent_dim)
        if variational:
            self.mu = glorot(nn.Linear(latent_dim, latent_dim))
            self.log_var = glorot(nn.Linear(latent_dim, latent_dim))
        self.variational = variational
        self.from_latent = _dense_stack(latent_dim, latent_dim, features)
        self.decoder = Decoder(units, block_depth, block, out_channels=in_channels, image_size=image_size)
        self._map_shape = (side, side, units[-1])

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """(B, C, H, W) -> mu and log_var of the code, (B, latent) each; log_var is None in a plain autoencoder."""
        # Height, width, channel: the order in which the original flattens.
        code = self.to_latent(self.encoder(x).permute(0, 2, 3, 1).flatten(1))
        return (self.mu(code), self.log_var(code)) if self.variational else (code, None)

    def decode_logits(self, z: Tensor) -> Tensor:
        """(B, latent) -> (B, C, H, W): what `decode` gives, before the sigmoid."""
        return self.decoder(self.from_latent(z).unflatten(1, self._map_shape).permute(0, 3, 1, 2))

    def decode(self, z: Tensor) -> Tensor:
        """(B, latent) -> images in [0, 1], (B, C, H, W)."""
        return torch.sigmoid(self.decode_logits(z))

    def forward(self, x: Tensor, eps: Tensor | None = None) -> VAEOutput:
        """(B, C, H, W) -> `VAEOutput`, with z = mu + exp(log_var / 2) * eps.

        `eps` (B, latent) makes the pass deterministic; without it, it is drawn from a standard normal distribution,
        in evaluation mode too, as in the original.
        """
        mu, log_var = self.encode(x)
        if log_var is None:
            z = mu
        else:
            eps = torch.randn_like(mu) if eps is None else eps
            z = mu + torch.exp(log_var / 2) * eps
        return VAEOutput(self.decode_logits(z), mu, log_var, z)

    def reconstruct(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the images decoded from the means of their codes, in [0, 1], (B, C, H, W).

        Call `eval()` first: in training mode batch norm and dropout act, here as in the methods below.
        """
        mu, _ = self.encode(x)
        return self.decode(mu)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n images decoded from standard normal codes, in [0, 1]: (n, C, H, W). `generator` is one on the CPU."""
        z = torch.randn(n, self.latent_dim, generator=generator)
        return self.decode(z.to(next(self.parameters())))

    def attention_maps(self, x: Tensor) -> dict[str, Tensor]:
        """The attention to positions while x is reconstructed: {path of the block: (B, 1, H, W) in (0, 1)}.

        Where each channel has weights of its own (simam, coordinate), it is their mean over channels. Empty where the
        model has no attention, or one that weights whole channels (channel, se, eca).
        """
        maps: dict[str, Tensor] = {}
        hooks = [
            module.register_forward_pre_hook(
                lambda layer, inputs, path=path: maps.__setitem__(
                    path, layer.attention_map(*inputs).mean(dim=1, keepdim=True)
                )
            )
            for path, module in ((name.rpartition(".")[0], layer) for name, layer in self.named_modules())
            if isinstance(module, WITH_MAPS)
        ]
        try:
            self.reconstruct(x)
        finally:
            for hook in hooks:
                hook.remove()
        return maps
