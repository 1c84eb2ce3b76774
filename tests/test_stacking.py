"""Blocks put together as one matrix: side by side, overlapping, sharing rows."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.modelling.stacking import stacked_matrix


@pytest.mark.parametrize("seed", range(50))
def test_random_blocks_add_up_and_are_canonical(seed: int) -> None:
    rng = np.random.default_rng(seed)
    expected, parts = np.zeros((12, 12)), []
    for _ in range(rng.integers(1, 6)):
        height, width = rng.integers(1, 6, 2).tolist()
        row, column = int(rng.integers(0, 13 - height)), int(rng.integers(0, 13 - width))
        block = rng.integers(0, 3, (height, width)).astype(float)
        parts.append((row, column, sp.csr_array(block)))
        expected[row : row + height, column : column + width] += block
    found = stacked_matrix(parts, (12, 12))
    np.testing.assert_array_equal(found.toarray(), expected)
    # SciPy looks again at arrays that come without a flag
    assert sp.csr_array((found.data, found.indices, found.indptr), shape=found.shape).has_canonical_format
