"""The attention modules a block can use, one file each. This file imports no torch, so that the command line can list
them.

Each module multiplies its input by weights that it computes from it: x -> x * attention_map(x), where the map has the
size of x or 1 along each axis but the first. No module knows another; `layers.py` says which of them a name stands for.
"""

# Name on the command line -> what the weights depend on.
ATTENTIONS = {
    "none": "nothing",
    "spatial": "position",
    "channel": "channel",
    "cbam": "channel, then position",
    "se": "channel",
    "eca": "channel",
    "simam": "channel and position",
    "coordinate": "channel, row and column",
}
