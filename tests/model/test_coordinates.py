"""Coordinate channels: by hand, and what they make possible."""

import torch

from attnae.model.coordinates import CoordinateChannels
from attnae.model.vae import VAE

SMALL = {"units": (6, 5, 4, 3), "block_depth": 1, "image_size": 8}


def test_by_hand():
    x = torch.full((2, 1, 3, 5), 7.0)
    y = CoordinateChannels()(x)
    assert y.shape == (2, 3, 3, 5)
    assert torch.equal(y[:, :1], x)
    for image in y:
        assert image[1].tolist() == [[-1.0] * 5, [0.0] * 5, [1.0] * 5]
        assert image[2].tolist() == [[-1.0, -0.5, 0.0, 0.5, 1.0]] * 3
    assert CoordinateChannels()(x.double()).dtype == torch.float64
    assert CoordinateChannels()(torch.zeros(1, 2, 1, 1)).flatten().tolist() == [0, 0, -1, -1]


def test_number_of_parameters_and_position():
    """Two more channels for the 3x3 kernels of the encoder's first convolution, and no other weights."""
    plain, with_coordinates = VAE(**SMALL), VAE(**SMALL, coord_conv=True)
    counts = [sum(weight.numel() for weight in vae.parameters()) for vae in (plain, with_coordinates)]
    assert counts[1] - counts[0] == 2 * 3 * 3 * 6
    assert list(plain.state_dict()) == list(with_coordinates.state_dict())
    assert with_coordinates.encoder.stem.weight.shape == (6, 3, 3, 3)


def test_a_flat_image_looks_different_at_different_positions():
    """Away from the border, which a convolution sees by its padding."""
    x = torch.full((1, 1, 8, 8), 0.5)
    torch.manual_seed(0)
    plain, with_coordinates = VAE(**SMALL).eval(), VAE(**SMALL, coord_conv=True).eval()
    first = plain.encoder.stem(x)
    second = with_coordinates.encoder.stem(with_coordinates.encoder.coordinates(x))
    assert first[:, :, 1:-1, 1:-1].std(dim=(2, 3)).max() < 1e-6
    assert second[:, :, 1:-1, 1:-1].std(dim=(2, 3)).max() > 0.1
