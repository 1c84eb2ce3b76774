"""The certified bound is never smaller than the true error, computed in exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kantor.backends import Backend
from kantor.solvers.error_bound import bound_error
from kantor.solvers.leontief import solve_leontief


def exact_solution(A: np.ndarray, d: np.ndarray) -> list[Fraction]:
    """(I - A)^-1 d by Gauss-Jordan elimination on fractions."""
    n = len(d)
    rows = [
        [Fraction(int(i == j)) - Fraction(float(A[i, j])) for j in range(n)] + [Fraction(float(d[i]))] for i in range(n)
    ]
    for i in range(n):
        pivot = next(r for r in range(i, n) if rows[r][i] != 0)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for r in range(n):
            if r != i and rows[r][i] != 0:
                factor = rows[r][i]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[n] for row in rows]


def covers(A: np.ndarray, d: np.ndarray, x: np.ndarray, bound: np.ndarray) -> bool:
    """|x - exact| <= bound in every component, with no rounding in the comparison."""
    exact = exact_solution(A, d)
    return all(
        not np.isfinite(b) or abs(Fraction(float(value)) - true) <= Fraction(float(b))
        for value, true, b in zip(x, exact, bound, strict=True)
    )


def table(seed: int, n: int, rho: float, density: float, spread: float, signed: bool) -> np.ndarray:
    """A table whose magnitudes have about the radius rho, in units of very different size."""
    rng = np.random.default_rng([5003, seed])
    A = rng.lognormal(0.0, 1.0, (n, n)) * (rng.random((n, n)) < density)
    A *= rho / max(float(np.abs(np.linalg.eigvals(A)).max()), 1e-3)
    if signed:
        A *= rng.choice([-1.0, 1.0], size=(n, n), p=[0.2, 0.8])
    unit = rng.lognormal(0.0, spread, n)
    return A * unit[:, None] / unit[None, :]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 6),
    rho=st.floats(0.05, 0.99),
    density=st.floats(0.2, 1.0),
    spread=st.floats(0.0, 4.0),
    signed=st.booleans(),
    noise=st.sampled_from([0.0, 1e-14, 1e-9, 1e-2, 10.0]),
)
def test_never_smaller_than_the_true_error(
    seed: int, n: int, rho: float, density: float, spread: float, signed: bool, noise: float
) -> None:
    A = table(seed, n, rho, density, spread, signed)
    rng = np.random.default_rng([5009, seed])
    d = rng.lognormal(0.0, spread, n) * (rng.random(n) < 0.7) * rng.choice([-1.0, 1.0], size=n, p=[0.1, 0.9])
    assume(d.any())
    x = np.linalg.solve(np.eye(n) - A, d) * (1.0 + noise * rng.standard_normal(n))
    found = bound_error(sp.csr_array(A), d, x, backend="reference")
    assert np.isfinite(found.bound).all()
    assert covers(A, d, x, found.bound)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 6),
    k=st.integers(1, 4),
    transpose=st.booleans(),
    rho=st.floats(0.1, 0.999),
)
def test_every_column_of_a_solve(seed: int, n: int, k: int, transpose: bool, rho: float) -> None:
    A = table(seed, n, rho, 0.6, 2.0, False)
    D = np.random.default_rng([5011, seed]).lognormal(0.0, 2.0, (n, k))
    for method in ("direct", "bicgstab"):
        solution = solve_leontief(A, D, transpose=transpose, method=method, backend="reference", tolerance=1e-8)
        for j in range(k):
            assert covers(A.T if transpose else A, D[:, j], solution.x[:, j], solution.error_bound[:, j])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 6),
    rho=st.floats(0.05, 0.999999),
    spread=st.floats(0.0, 4.0),
    signed=st.booleans(),
    noise=st.sampled_from([0.0, 1e-14, 1e-9, 1e-2]),
    k=st.sampled_from([None, 1, 3]),
)
def test_tight_bounds_and_both_sides(
    seed: int, n: int, rho: float, spread: float, signed: bool, noise: float, k: int | None
) -> None:
    """A tight bound holds too, and the exact solution lies between the lower and the upper side."""
    A = table(seed, n, rho, 0.7, spread, signed)
    rng = np.random.default_rng([5011, seed])
    D = rng.lognormal(0.0, spread, n if k is None else (n, k)) * rng.choice([-1.0, 1.0], p=[0.2, 0.8])
    X = np.linalg.solve(np.eye(n) - A, D) * (1.0 + noise * rng.standard_normal(n if k is None else (n, 1)))
    for tight in (True, False):
        found = bound_error(sp.csr_array(A), D, X, backend="reference", tight=tight)
        lower, upper = found.interval(X)
        for j in range(k or 1):
            column = (lambda v: v) if k is None else (lambda v, j=j: v[:, j])
            assert covers(A, column(D), column(X), column(found.bound))
            exact = exact_solution(A, column(D))
            for low, true, high in zip(column(lower), exact, column(upper), strict=True):
                assert not np.isfinite(low) or Fraction(float(low)) <= true
                assert not np.isfinite(high) or true <= Fraction(float(high))


def test_a_tight_bound_is_tighter(backend: Backend) -> None:
    rng = np.random.default_rng(5023)
    n = 800
    A = sp.random_array((n, n), density=0.01, rng=rng, data_sampler=lambda size: rng.lognormal(0.0, 1.0, size))
    A = sp.csr_array(A @ sp.diags_array(0.8 * rng.beta(4, 2, n) / np.maximum(A.sum(axis=0), 1e-9)))
    D = rng.lognormal(0.0, 2.0, (n, 4)) * (rng.random((n, 4)) < 0.3)
    cheap, tight = (
        solve_leontief(A, D, tolerance=1e-6, method="bicgstab", error_bound=kind, backend=backend)
        for kind in ("cheap", "tight")
    )
    exact = np.linalg.solve(np.eye(n) - A.toarray(), D)
    error = np.abs(tight.x - exact)
    assert np.all(error <= tight.error_bound + 1e-14 * exact)
    assert np.median(tight.error_bound / error) < 0.8 * np.median(cheap.error_bound / error)
    assert tight.info.products > cheap.info.products


def test_sweeps_from_zero_are_lower_bounds(backend: Backend) -> None:
    """Their residual is positive, so the lower side is the point itself to rounding, and only the upper side is far."""
    rng = np.random.default_rng(5027)
    A = sp.csr_array(sp.random_array((700, 700), density=0.01, rng=rng))
    A = sp.csr_array(A @ sp.diags_array(0.9 / np.maximum(A.sum(axis=0), 1e-9)))
    d = rng.random(700)
    solution = solve_leontief(A, d, tolerance=1e-3, method="neumann", backend=backend)
    exact = np.linalg.solve(np.eye(700) - A.toarray(), d)
    assert np.all(solution.lower <= exact)
    assert np.all(exact <= solution.upper)
    np.testing.assert_allclose(solution.lower, solution.x, rtol=1e-12)
    assert np.all(solution.x < exact)
    assert np.min(solution.upper / solution.x) > 1.0 + 1e-6


def test_tight(backend: Backend) -> None:
    """On a table of 3,000 sectors the bound overestimates the true error by a modest factor, and is small itself."""
    rng = np.random.default_rng(5021)
    n = 3000
    A = sp.random_array((n, n), density=0.004, rng=rng, data_sampler=lambda size: rng.lognormal(0.0, 1.0, size))
    A = sp.csr_array(A @ sp.diags_array(0.8 * rng.beta(4, 2, n) / np.maximum(A.sum(axis=0), 1e-9)))
    d = rng.lognormal(0.0, 1.0, n)
    rough = solve_leontief(A, d, tolerance=1e-5, backend=backend)
    fine = solve_leontief(A, d, tolerance=1e-14, backend=backend)
    error = np.abs(rough.x - fine.x)
    assert np.all(error <= rough.error_bound + fine.error_bound)
    assert np.median(rough.error_bound / np.maximum(error, 1e-300)) < 100.0
    assert np.max(rough.error_bound / rough.x) < 1e-2
    assert np.max(fine.error_bound / fine.x) < 1e-12


def test_sectors_nobody_demands(backend: Backend) -> None:
    """x is 0 where nothing is demanded, and the bound there is of the order of the others or below."""
    A = np.array([[0.2, 0.3, 0.0], [0.1, 0.4, 0.0], [0.2, 0.1, 0.5]])
    d = np.array([0.0, 0.0, 4.0])
    solution = solve_leontief(A.T, d, backend=backend, method="bicgstab")
    solution_there = solve_leontief(A, d, backend=backend, method="bicgstab")
    assert np.isfinite(solution.error_bound).all()
    assert solution_there.x[0] == solution_there.x[1] == 0.0
    assert np.max(solution_there.error_bound) < 1e-8


def test_no_demand_has_no_error(backend: Backend) -> None:
    found = bound_error(sp.csr_array([[0.5]]), np.zeros(1), np.zeros(1), backend=backend)
    np.testing.assert_array_equal(found.bound, [0.0])


def test_negative_entries_use_magnitudes() -> None:
    A = np.array([[0.5, -0.3], [0.2, 0.1]])
    d = np.array([1.0, 2.0])
    solution = solve_leontief(A, d)
    assert covers(A, d, solution.x, solution.error_bound)
    assert np.max(solution.error_bound) < 1e-13


def test_infinite_without_a_proof() -> None:
    """The magnitudes have radius 1.2, so nothing is proved although the system has a solution."""
    A = np.array([[0.5, -0.7], [-0.7, 0.5]])
    solution = solve_leontief(A, np.array([1.0, 2.0]))
    assert solution.status.value == "optimal"
    np.testing.assert_allclose(solution.x - A @ solution.x, [1.0, 2.0], rtol=1e-12)
    assert np.isinf(solution.error_bound).all()
    assert any("no error bound" in note and "below zero" in note for note in solution.info.notes)


def test_point_that_is_not_finite() -> None:
    found = bound_error(sp.csr_array([[0.5]]), np.ones(1), np.array([np.nan]))
    assert np.isinf(found.bound).all()


def test_a_wrong_proof_would_be_noticed(backend: Backend) -> None:
    """The bound moves with the error: twice the distance, twice the bound; so it is not merely large."""
    A = sp.csr_array(table(7, 5, 0.9, 0.8, 1.0, False))
    d = np.ones(5)
    x = np.linalg.solve(np.eye(5) - A.toarray(), d)
    bounds = [bound_error(A, d, x + size * np.arange(1.0, 6.0), backend=backend).bound for size in (1e-6, 2e-6)]
    np.testing.assert_allclose(bounds[1], 2.0 * bounds[0], rtol=1e-3)
    assert np.all(bounds[0] >= 1e-6 * np.arange(1.0, 6.0) - 1e-12)


@pytest.mark.parametrize("length", [10, 20_000])
def test_long_rows_widen_the_guard(backend: Backend, length: int) -> None:
    """A row of many entries may lose more digits: the bound is at least its rounding error."""
    rng = np.random.default_rng(5023)
    weights = rng.random(length)
    weights *= 0.5 / weights.sum()
    rows, columns = np.zeros(length, int), np.arange(1, length + 1)
    A = sp.csr_array((weights, (rows, columns)), shape=(length + 1, length + 1))
    d = rng.random(length + 1)
    true = Fraction(float(d[0])) + sum(
        (Fraction(float(a)) * Fraction(float(v)) for a, v in zip(weights, d[1:], strict=True)), Fraction(0)
    )
    x = d.copy()
    x[0] = float(d[0] + weights @ d[1:])
    found = bound_error(A, d, x, backend=backend)
    assert abs(Fraction(float(x[0])) - true) <= Fraction(float(found.bound[0]))
    assert found.bound[0] < 1e-9
