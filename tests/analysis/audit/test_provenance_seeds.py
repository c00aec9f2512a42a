"""The checksum of the images follows from the seed where each run has a seed of its own."""

import pandas as pd
import pytest

from attnae.analysis.audit.provenance import mixed_versions
from attnae.reading.run import Run


@pytest.mark.parametrize(
    ("checksums", "warned"), [("abcd", False), ("aaab", True), ("aabb", True)], ids=["own", "one differs", "two kinds"]
)
def test_checksums_of_runs_with_a_seed_each(checksums, warned):
    runs = [Run(f"r{i}", None, {}, {}, provenance={"dataset/sha256": text * 64}) for i, text in enumerate(checksums)]
    cells = pd.DataFrame({"act": ["elu", "relu"] * 2})
    found = mixed_versions(runs, cells, pd.Series([11, 12, 13, 14]))
    assert bool(found) == warned
