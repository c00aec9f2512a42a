"""What holds for all attention modules, and for the names that choose them."""

import pytest
import torch

from attnae.model.attention import ATTENTIONS
from attnae.model.attention.layers import WITH_MAPS, attention_layers
from attnae.model.blocks import ConvBlock
from attnae.model.keras_weights import from_keras, keras_paths, load_keras_weights
from attnae.model.vae import VAE

NAMES = [name for name in ATTENTIONS if name != "none"]
# For C channels and h = max(1, C // 4) hidden units; the kernel of ECA has 3 weights for 8 to 31 channels.
PARAMETERS = {
    "none": lambda c, h: 0,
    "spatial": lambda c, h: 2 * 5 * 5 + 1,
    "channel": lambda c, h: 2 * c * h,
    "cbam": lambda c, h: 2 * c * h + 2 * 7 * 7 + 2,
    "se": lambda c, h: 2 * c * h,
    "eca": lambda c, h: 3,
    "simam": lambda c, h: 0,
    "coordinate": lambda c, h: c * h + 2 * h + 2 * (h * c + c),
}
# The map of each module has the size of its input along these axes: channels, height, width.
SIZES = {
    "spatial": (False, True, True),
    "channel": (True, False, False),
    "se": (True, False, False),
    "eca": (True, False, False),
    "simam": (True, True, True),
    "coordinate": (True, True, True),
}


def attention(name, channels=6, dtype=torch.float64, **options):
    """The layers of a name as one module, with weights that are not those of the start."""
    torch.manual_seed(5)
    module = torch.nn.Sequential(*attention_layers(name, channels, **options).values()).to(dtype)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return module


def maps(*shape, dtype=torch.float64, scale=2.0):
    return scale * torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(6))


def test_names():
    assert list(ATTENTIONS) == list(PARAMETERS) == ["none", *NAMES]
    with pytest.raises(ValueError, match="unknown attention 'both': choose one of none, spatial, channel, cbam"):
        attention_layers("both", 4)


@pytest.mark.parametrize("channels", [8, 15, 25, 31])
@pytest.mark.parametrize("name", PARAMETERS)
def test_number_of_parameters(name, channels):
    layers = attention_layers(name, channels)
    count = sum(weight.numel() for layer in layers.values() for weight in layer.parameters())
    assert count == PARAMETERS[name](channels, channels // 4)


@pytest.mark.parametrize("reduction", [1, 3, 100])
@pytest.mark.parametrize("name", ["channel", "cbam", "se", "coordinate"])
def test_reduction(name, reduction):
    hidden = max(1, 7 // reduction)
    layers = attention_layers(name, 7, reduction=reduction)
    count = sum(weight.numel() for layer in layers.values() for weight in layer.parameters())
    assert count == PARAMETERS[name](7, hidden)
    with pytest.raises(ValueError, match="reduction 0 must be at least 1"):
        attention_layers(name, 7, reduction=0)


@pytest.mark.parametrize("shape", [(2, 6, 5, 7), (3, 1, 4, 4), (2, 6, 1, 1), (1, 2, 1, 5)])
@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_range(name, shape):
    x = maps(*shape)
    module = attention(name, shape[1]).eval()
    y = module(x)
    assert y.shape == x.shape
    assert torch.isfinite(y).all()
    assert (y.sign() == x.sign()).all()
    assert (y.abs() < x.abs()).all()  # the weights are below 1
    if name in SIZES:
        scales = module[0].attention_map(x)
        assert scales.shape == (
            shape[0],
            *(size if own else 1 for size, own in zip(shape[1:], SIZES[name], strict=True)),
        )
        assert 0 < scales.min() <= scales.max() < 1
        torch.testing.assert_close(y, x * scales, atol=0, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_weights_depend_on_the_input(name):
    module = attention(name).eval()
    scales = module(maps(4, 6, 5, 5)) / maps(4, 6, 5, 5)
    assert scales.std() > 0.01


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_gradient(name, training):
    module = attention(name, 4).train(training)
    x = maps(2, 4, 3, 2).requires_grad_()
    weights = tuple(module.parameters())

    def forward(x, *weights):
        return module(x)

    for layer in module.modules():  # a second forward pass must not see other statistics
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 0.0
    assert torch.autograd.gradcheck(forward, (x, *weights))


@pytest.mark.parametrize(("name", "scale"), [("spatial", 1 / 2), ("channel", 1 / 2), ("cbam", 1 / 4), ("se", 1 / 2),
                                             ("eca", 1 / 2), ("coordinate", 1 / 4)])  # fmt: skip
def test_weights_of_zero_halve_the_input_once_a_sigmoid(name, scale):
    module = attention(name).eval()
    with torch.no_grad():
        for weight in module.parameters():
            weight.zero_()
    torch.testing.assert_close(module(maps(2, 6, 3, 3)), scale * maps(2, 6, 3, 3))


@pytest.mark.parametrize("name", ["channel", "se", "eca", "simam", "coordinate"])
def test_a_map_that_is_constant_in_space_stays_so(name):
    """Its channels are multiplied by a constant each. It does not hold for a convolution over padded positions."""
    x = maps(3, 6, 1, 1).expand(3, 6, 4, 5)
    y = attention(name).eval()(x)
    torch.testing.assert_close(y, y[:, :, :1, :1].expand_as(y), atol=1e-12, rtol=0)


def test_an_attention_and_a_switch_for_another():
    with pytest.raises(ValueError, match="attention 'se' cannot be combined with spatial_attention"):
        ConvBlock(3, 4, attention="se", spatial_attention=True)


@pytest.mark.parametrize("name", ["spatial", "channel"])
def test_a_switch_is_the_attention_of_its_name(name):
    states = []
    for options in ({"attention": name}, {f"{name}_attention": True}):
        torch.manual_seed(0)
        states.append(VAE((6, 5, 4, 3), 2, image_size=8, **options).state_dict())
    assert list(states[0]) == list(states[1])
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_of_a_whole_model(name):
    """Eight blocks of 4 and 5 channels; a map for each where the weights depend on the position."""
    vae = VAE((6, 5, 4, 3), 2, image_size=8, attention=name).eval()
    plain = VAE((6, 5, 4, 3), 2, image_size=8)
    added = sum(w.numel() for w in vae.parameters()) - sum(w.numel() for w in plain.parameters())
    eca = {4: 1, 5: 1}  # too few channels for a kernel of 3
    expected = sum(eca[c] if name == "eca" else PARAMETERS[name](c, 1) for c in [5, 5, 4, 4] * 2)
    assert added == expected
    x = maps(3, 1, 8, 8, dtype=torch.float32).sigmoid()
    found = vae.attention_maps(x)
    has_map = any(isinstance(layer, WITH_MAPS) for layer in vae.modules())
    assert len(found) == 8 * has_map
    assert has_map == (name in ("spatial", "cbam", "simam", "coordinate"))
    for path, scales in found.items():
        assert path.count(".") == 2
        assert scales.shape[:2] == (3, 1)
        assert 0 < scales.min() <= scales.max() < 1


@pytest.mark.parametrize("name", ["simam", "coordinate"])
def test_attention_map_is_the_mean_over_channels(name):
    vae = VAE((6, 5, 4, 3), 2, image_size=8, attention=name).eval()
    x = maps(3, 1, 8, 8, dtype=torch.float32).sigmoid()
    block = vae.encoder.stage0.block0
    scales = block.attention.attention_map(block.conv(torch.relu(vae.encoder.stem(x))))
    assert scales.shape == (3, 5, 8, 8)
    torch.testing.assert_close(vae.attention_maps(x)["encoder.stage0.block0"], scales.mean(1, keepdim=True))


@pytest.mark.parametrize("name", ATTENTIONS)
def test_weights_in_the_order_of_keras(name):
    """Written in Keras' order of axes and read again, into a model with other weights."""
    torch.manual_seed(1)
    one, other = (VAE((6, 5, 4, 3), 1, image_size=8, attention=name) for _ in range(2))
    paths = keras_paths(one)
    assert len(set(paths.values())) == len(paths)
    order = {4: (2, 3, 1, 0), 3: (2, 1, 0), 2: (1, 0), 1: (0,)}
    weights = {paths[key]: one.state_dict()[key].numpy().transpose(order[one.state_dict()[key].ndim]) for key in paths}
    load_keras_weights(other, weights)
    assert all(torch.equal(other.state_dict()[key], one.state_dict()[key]) for key in paths)
    assert paths.keys() >= {key for key, _ in one.named_parameters()}


def test_a_convolution_over_channels_from_keras():
    """Keras: (width, in, out)."""
    array = torch.arange(6.0).view(3, 2, 1).numpy()
    assert from_keras(array).tolist() == [[[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_compiled_is_eager(name):
    torch.compiler.reset()  # The compiler gives up on a function of which it has seen too many models.
    module = attention(name)
    compiled = torch.compile(attention(name), dynamic=False)
    for training in (True, False):
        module.train(training), compiled.train(training)
        inputs = [maps(2, 6, 5, 4).requires_grad_() for _ in range(2)]
        outputs = [net(x) for net, x in zip((module, compiled), inputs, strict=True)]
        torch.testing.assert_close(outputs[1], outputs[0], atol=1e-12, rtol=0)
        for output in outputs:
            output.square().sum().backward()
        torch.testing.assert_close(inputs[1].grad, inputs[0].grad, atol=1e-10, rtol=0)
