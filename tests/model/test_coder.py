"""Shapes and structure of the coders."""

from functools import partial

import pytest
import torch

from attnae.model.blocks import ConvBlock
from attnae.model.coder import Decoder, Encoder, check_units, stage_sizes


def test_stage_sizes_round_up():
    assert stage_sizes((35, 25, 15, 5), 28) == [28, 14, 7]
    assert stage_sizes((8, 6, 4, 2), 5) == [5, 3, 2]
    assert stage_sizes((8, 4, 2), 2) == [2, 1]


@pytest.mark.parametrize("size", [4, 5, 6, 7, 8, 9, 13, 28, 31])
@pytest.mark.parametrize("channels", [1, 3])
def test_decoder_mirrors_the_encoder(size, channels):
    units = (5, 4, 3, 2)
    x = torch.randn(2, channels, size, size)
    code = Encoder(units, 1, in_channels=channels)(x)
    assert code.shape == (2, 2, stage_sizes(units, size)[-1], stage_sizes(units, size)[-1])
    assert Decoder(units, 1, out_channels=channels, image_size=size)(code).shape == x.shape


def test_layers_of_the_article():
    encoder = Encoder((35, 25, 15, 5), 3)
    assert encoder.stem.weight.shape == (35, 1, 3, 3)
    assert encoder.stage0.out_channels == 35 + 3 * 25
    assert encoder.down0.weight.shape == (25, 110, 3, 3)
    assert encoder.stage1.out_channels == 25 + 3 * 15
    assert encoder.head.weight.shape == (5, 15, 3, 3)
    decoder = Decoder((35, 25, 15, 5), 3)
    assert decoder.stem.weight.shape == (5, 5, 3, 3)
    assert decoder.stage0.out_channels == 5 + 3 * 15
    assert decoder.up0.weight.shape == (50, 15, 3, 3)
    assert decoder.up1.weight.shape == (90, 25, 3, 3)
    assert decoder.head.weight.shape == (1, 25, 3, 3)


def test_units_are_sorted_descending():
    assert check_units((5, 35, 15, 25)) == (35, 25, 15, 5)


@pytest.mark.parametrize("units", [(), (3,), (5, 4), (5, 0, 3), (5, 4, -1)])
def test_bad_units(units):
    with pytest.raises(ValueError, match="units"):
        check_units(units)


def test_image_too_small():
    with pytest.raises(ValueError, match="at least 8x8"):
        stage_sizes((9, 8, 7, 6, 5), 7)


def test_block_options_reach_dense_blocks_only():
    encoder = Encoder((6, 5, 4, 3), 2, partial(ConvBlock, batch_norm=False, dropout=0.0))
    norms = [name for name, layer in encoder.named_modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert norms == ["head_norm"]
