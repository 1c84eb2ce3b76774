"""solve_leontief: every method on every backend reaches the tolerance, column by column."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.backends import Backend
from kantor.solvers import leontief_run
from kantor.solvers.leontief import solve_leontief
from kantor.solvers.solution import Status
from leontief_tables import residual, synthetic

METHODS = ["bicgstab", "anderson", "neumann"]


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("method", [*METHODS, "auto"])
@pytest.mark.parametrize("k", [None, 1, 4])
def test_methods_reach_the_tolerance(backend: Backend, method: str, k: int | None, transpose: bool) -> None:
    A, d = synthetic(700, 0.8, 1)
    rng = np.random.default_rng(6011)
    D = d if k is None else d[:, None] * rng.random((700, k))
    solution = solve_leontief(A, D, transpose=transpose, method=method, backend=backend)
    M = A.T if transpose else A
    assert solution.status is Status.OPTIMAL
    assert solution.x.shape == solution.error_bound.shape == D.shape
    assert np.max(residual(M, D, solution.x)) <= 1e-10
    np.testing.assert_allclose(solution.residuals, np.atleast_1d(residual(M, D, solution.x)), rtol=1e-3)
    assert solution.residual == solution.residuals.max()
    exact = np.linalg.solve(np.eye(700) - M.toarray(), D)
    assert np.all(np.abs(solution.x - exact) <= solution.error_bound + 1e-13 * np.abs(exact))
    assert np.all(solution.x >= 0.0)


@pytest.mark.parametrize(("rho", "spread"), [(0.5, 0.0), (0.95, 0.0), (0.999, 0.0), (0.8, 4.0)])
@pytest.mark.parametrize("method", ["bicgstab", "anderson"])
def test_long_supply_chains_and_odd_units(method: str, rho: float, spread: float) -> None:
    A, d = synthetic(4000, rho, 2, spread)
    solution = solve_leontief(A, d, method=method)
    assert solution.status is Status.OPTIMAL
    assert solution.iterations < 400
    assert residual(A, d, solution.x) <= 1e-10
    assert np.isfinite(solution.error_bound).all()


def test_units_cost_no_digits() -> None:
    """Goods counted in units that differ by fifteen orders of magnitude: small tables are solved to the last digits."""
    A, d = synthetic(300, 0.8, 18)
    d = d + 0.01
    expected = solve_leontief(A, d).x
    unit = 2.0 ** np.round(np.random.default_rng(6029).normal(0.0, 8.0, 300))  # powers of two: no rounding of the data
    scaled = sp.csr_array(sp.diags_array(unit) @ A @ sp.diags_array(1.0 / unit))
    solution = solve_leontief(scaled, unit * d)
    np.testing.assert_allclose(solution.x / unit, expected, rtol=1e-13)
    assert np.max(solution.error_bound / solution.x) < 1e-12


def test_auto_explains_itself() -> None:
    A, d = synthetic(600, 0.7, 3)
    large = solve_leontief(A, d, error_bound=False)
    assert large.info.method == "bicgstab"
    assert "600 sectors > 512" in large.info.why
    small = solve_leontief(A[:50][:, :50], d[:50] + 1.0, error_bound=False)
    assert small.info.method == "direct"
    assert small.iterations == 0
    assert "50 sectors <= 512" in small.info.why
    warm = solve_leontief(A[:50][:, :50], d[:50] + 1.0, x0=small.x, error_bound=False)
    assert "starting point" in warm.info.why
    assert warm.info.method == "none"
    assert warm.iterations == 0
    np.testing.assert_array_equal(warm.x, small.x)
    asked = solve_leontief(A, d, method="neumann", error_bound=False)
    assert asked.info.method == "neumann"
    assert "asked for" in asked.info.why


def test_columns_of_very_different_difficulty(backend: Backend) -> None:
    """Each column is judged by its own norm, and one that is done is left alone while others go on."""
    A, d = synthetic(700, 0.95, 4)
    easy = np.zeros(700)
    easy[int(np.argmax(A.sum(axis=0) == 0.0))] = 1.0  # needs no inputs: x = d, or nearly
    D = np.stack([d, 1e-200 * d, easy, np.zeros(700), 1e250 * d], axis=1)
    for method in METHODS:
        solution = solve_leontief(A, D, method=method, backend=backend)
        assert solution.status is Status.OPTIMAL
        np.testing.assert_array_equal(solution.x[:, 3], np.zeros(700))
        np.testing.assert_array_equal(solution.error_bound[:, 3], np.zeros(700))
        np.testing.assert_allclose(1e200 * solution.x[:, 1], solution.x[:, 0], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(1e-250 * solution.x[:, 4], solution.x[:, 0], rtol=1e-6, atol=1e-9)
        single = solve_leontief(A, d, method=method, backend=backend)
        np.testing.assert_allclose(solution.x[:, 0], single.x, rtol=1e-8, atol=1e-9)


def test_no_demand_needs_no_output(backend: Backend) -> None:
    A, _ = synthetic(600, 0.9, 5)
    for d in (np.zeros(600), np.zeros((600, 2))):
        solution = solve_leontief(A, d, backend=backend)
        assert solution.status is Status.OPTIMAL
        assert solution.iterations == 0
        assert solution.residual == 0.0
        np.testing.assert_array_equal(solution.x, d)
        np.testing.assert_array_equal(solution.error_bound, d)


def test_breakdown_starts_afresh(backend: Backend) -> None:
    """After one step the residual is orthogonal to the shadow residual, exactly: BiCGSTAB has no second direction."""
    A = np.eye(3) - np.array([[1.0, 0.5, -0.5], [1.0, 2.0, 0.3], [1.0, 0.2, 1.7]])
    d = np.array([1.0, 0.0, 0.0])
    solution = solve_leontief(A, d, method="bicgstab", backend=backend)
    assert solution.status is Status.OPTIMAL
    assert solution.iterations == 4  # the lost one, and three for three unknowns
    np.testing.assert_allclose(solution.x, np.linalg.solve(np.eye(3) - A, d), rtol=1e-9)


def test_auto_goes_on_where_bicgstab_cannot_move(backend: Backend) -> None:
    """I - A turns every vector by 90 degrees, so both coefficients of every step are 0."""
    A, d = np.array([[1.0, 0.5], [-0.5, 1.0]]), np.array([1.0, 2.0])
    stuck = solve_leontief(A, d, method="bicgstab", backend=backend)
    assert stuck.status is Status.ITERATION_LIMIT
    assert "stalled" in stuck.info.why
    solution = solve_leontief(A, d, x0=np.zeros(2), backend=backend)
    assert solution.status is Status.OPTIMAL
    np.testing.assert_allclose(solution.x, [4.0, -2.0], rtol=1e-9)
    assert solution.info.method == "bicgstab+anderson"


@pytest.mark.parametrize("method", METHODS)
def test_a_column_that_is_done_is_left_alone(backend: Backend, method: str) -> None:
    """So its residual is the one it ends with when it is solved by itself, while a harder column goes on."""
    parts = [synthetic(300, rho, 17) for rho in (0.3, 0.95)]
    A = sp.csr_array(sp.block_diag([part[0] for part in parts]))
    easy, hard = np.append(parts[0][1], np.zeros(300)), np.append(np.zeros(300), parts[1][1])
    alone = solve_leontief(A, easy, method=method, backend=backend, error_bound=False)
    both = solve_leontief(A, np.stack([easy, hard], axis=1), method=method, backend=backend, error_bound=False)
    assert both.iterations > alone.iterations
    assert both.residuals[0] == pytest.approx(alone.residual, rel=0.05)


def test_starting_point(backend: Backend) -> None:
    A, d = synthetic(700, 0.9, 6)
    cold = solve_leontief(A, d, backend=backend, error_bound=False)
    near_by = solve_leontief(A, 1.0001 * d, x0=cold.x, backend=backend, error_bound=False)
    assert near_by.iterations < cold.iterations
    np.testing.assert_allclose(near_by.x, 1.0001 * cold.x, rtol=1e-6, atol=1e-9)


def test_repeatable_to_the_bit(backend: Backend) -> None:
    A, d = synthetic(3000, 0.9, 7)
    first, second = (solve_leontief(A, d, backend=backend) for _ in range(2))
    assert first.x.tobytes() == second.x.tobytes()
    assert first.error_bound.tobytes() == second.error_bound.tobytes()


def test_signed_demand_and_one_sided_demand(backend: Backend) -> None:
    A, d = synthetic(700, 0.8, 8)
    down = solve_leontief(A, -d, backend=backend)
    assert np.all(down.x <= 0.0)
    signed = d * np.where(np.arange(700) % 3 == 0, -1.0, 1.0)
    mixed = solve_leontief(A, signed, backend=backend)
    assert mixed.status is Status.OPTIMAL
    assert np.isfinite(mixed.error_bound).all()


def test_sparse_kinds_and_memory_order() -> None:
    A, d = synthetic(600, 0.7, 9)
    expected = solve_leontief(A, d, error_bound=False).x
    for same in (
        A.tocsc(),
        A.tocoo(),
        sp.csr_matrix(A),
        A.toarray(),
        np.asfortranarray(A.toarray()),
        A.astype(np.float64),
    ):
        np.testing.assert_allclose(solve_leontief(same, d, error_bound=False).x, expected, rtol=1e-9)
    both = np.stack([d, 2.0 * d], axis=1)
    for same in (both, np.asfortranarray(both), sp.csr_array(both), both.astype(np.float32)):
        np.testing.assert_allclose(solve_leontief(A, same, error_bound=False).x[:, 1], 2.0 * expected, rtol=1e-5)
    whole = solve_leontief(np.array([[0, 0], [0, 0]]), np.array([3, 4]))
    np.testing.assert_array_equal(whole.x, [3.0, 4.0])


# ---- float32 inside --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("k", [None, 3])
def test_float32_inside_reaches_float64_residuals(
    backend: Backend, k: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leontief_run, "ROUGH_FROM", 1)
    A, d = synthetic(700, 0.9, 41)
    D = d if k is None else d[:, None] * np.random.default_rng(6021).random((700, k))
    solution = solve_leontief(A, D, tolerance=1e-13, backend=backend)
    assert solution.status is Status.OPTIMAL
    assert "float32" in solution.info.why
    assert np.max(residual(A, D, solution.x)) <= 2e-13
    exact = np.linalg.solve(np.eye(700) - A.toarray(), D)
    assert np.all(np.abs(solution.x - exact) <= solution.error_bound + 1e-13 * np.abs(exact))
    assert np.max(solution.error_bound / np.maximum(exact, 1e-12)) < 1e-6


def test_float32_is_left_where_it_is_too_coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounding moves a radius of 1 - 1e-8 beyond 1: the corrections do not help, and float64 takes over."""
    monkeypatch.setattr(leontief_run, "ROUGH_FROM", 1)
    n, rho = 600, 1.0 - 1e-8
    A = sp.csr_array(sp.diags_array(np.full(n, rho)) @ sp.csr_array(np.roll(np.eye(n), 1, axis=1)))
    d = np.ones(n)
    solution = solve_leontief(A, d, tolerance=1e-6)
    assert solution.status is Status.OPTIMAL
    np.testing.assert_allclose(solution.x, 1e8, rtol=1e-6)


def test_numbers_beyond_float32_are_read_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leontief_run, "ROUGH_FROM", 1)
    A = sp.csr_array(([-1e39], ([0], [1])), shape=(600, 600))
    solution = solve_leontief(A, np.ones(600))
    assert "float32" not in solution.info.why
    np.testing.assert_allclose(solution.x[0], -1e39)
