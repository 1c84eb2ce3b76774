"""Groups of goods as a preconditioner: fewer steps where groups are weakly tied, never a wrong answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from kantor.backends import Backend
from kantor.errors import OptionError, ProblemError
from kantor.solvers.leontief import solve_leontief
from kantor.solvers.solution import Status
from leontief_tables import residual, synthetic


def regions(count: int, size: int) -> tuple[sp.csr_array, np.ndarray, np.ndarray]:
    """Regions of radius .97 to .999 that buy very little from each other."""
    parts = [synthetic(size, 0.97 + 0.029 * k / count, 50 + k) for k in range(count)]
    inside = sp.block_diag([part[0] for part in parts])
    n = count * size
    trade = sp.random_array(
        (n, n), density=3e-5, rng=np.random.default_rng(6301), data_sampler=lambda size: np.full(size, 1e-4)
    )
    return sp.csr_array(inside + trade), np.concatenate([part[1] for part in parts]), np.repeat(np.arange(count), size)


def test_weakly_tied_regions_take_fewer_steps(backend: Backend) -> None:
    A, d, groups = regions(12, 250)
    plain = solve_leontief(A, d, backend=backend)
    grouped = solve_leontief(A, d, groups=groups, backend=backend)
    assert plain.status is grouped.status is Status.OPTIMAL
    assert residual(A, d, grouped.x) <= 1e-10
    assert grouped.iterations < 0.7 * plain.iterations
    assert "12 groups as a preconditioner" in grouped.info.why
    assert np.all(np.abs(grouped.x - plain.x) <= grouped.error_bound + plain.error_bound)


@pytest.mark.parametrize("method", ["auto", "bicgstab", "anderson"])
@pytest.mark.parametrize("k", [None, 3])
def test_groups_that_mean_nothing_do_no_harm(method: str, k: int | None) -> None:
    A, d = synthetic(900, 0.9, 61)
    D = d if k is None else d[:, None] * np.random.default_rng(6307).random((900, k))
    groups = np.random.default_rng(6311).integers(0, 7, 900)
    for transpose in (False, True):
        solution = solve_leontief(A, D, groups=groups, method=method, transpose=transpose)
        assert solution.status is Status.OPTIMAL
        assert np.max(residual(A.T if transpose else A, D, solution.x)) <= 1e-10


def test_dense_tables_and_level_names() -> None:
    rng = np.random.default_rng(6317)
    A = rng.lognormal(0.0, 1.0, (1040, 1040))
    A *= 0.9 / A.sum(axis=0)
    index = pd.MultiIndex.from_product([["SE", "NO"], range(520)], names=["region", "sector"])
    d = pd.Series(rng.random(1040), index)
    solution = solve_leontief(pd.DataFrame(A, index, index), d, groups="region")
    assert solution.info.backend == "blas"
    assert "2 groups as a preconditioner" in solution.info.why
    assert residual(A, d.to_numpy(), solution.x.to_numpy()) <= 1e-10
    with pytest.raises(ProblemError, match="no index level is called 'country'"):
        solve_leontief(pd.DataFrame(A, index, index), d, groups="country")


def test_groups_are_checked() -> None:
    A, d = synthetic(600, 0.8, 62)
    with pytest.raises(ProblemError, match=r"groups: shape \(5,\), expected \(600,\)"):
        solve_leontief(A, d, groups=np.zeros(5))
    with pytest.raises(ProblemError, match="groups: sector 3 has none"):
        solve_leontief(A, d, groups=np.where(np.arange(600) == 3, np.nan, 1.0))
    with pytest.raises(OptionError, match="takes no preconditioner"):
        solve_leontief(A, d, groups=np.zeros(600), method="neumann")
    many = solve_leontief(sp.csr_array((3000, 3000)), np.ones(3000), groups=np.arange(3000))
    assert "groups: not used, 3000 are more" in many.info.why
