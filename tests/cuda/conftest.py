"""Tests that need a CUDA device; where there is none, each is skipped with the reason."""

import pytest
import torch


@pytest.fixture
def cuda(tiny):
    """Makes the options of a small run on the first GPU."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")

    def make(**options):
        return tiny(**{"accelerator": "cuda", "devices": "1", "spatial_attention": True, **options})

    return make
