"""The activations a block can use. This file imports no torch, so that the command line can list them."""

# Name on the command line -> class in torch.nn. The article compares the first four.
ACTIVATIONS = {
    "elu": "ELU",
    "relu": "ReLU",
    "selu": "SELU",
    "sigmoid": "Sigmoid",
    "gelu": "GELU",
    "silu": "SiLU",
    "leaky_relu": "LeakyReLU",
    "tanh": "Tanh",
    "mish": "Mish",
}
