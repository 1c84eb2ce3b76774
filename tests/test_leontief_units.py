"""solve_leontief: the units people report in do not matter; value residuals; dense tables; rho near 1."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.errors import OptionError, ProblemError
from kantor.solvers.leontief import solve_leontief
from kantor.solvers.solution import Status
from kantor.solvers.square_table import read_table
from leontief_tables import residual, synthetic


def in_units(A: sp.csr_array, unit: np.ndarray) -> sp.csr_array:
    return sp.csr_array(sp.diags_array(unit) @ A @ sp.diags_array(1.0 / unit))


@pytest.mark.parametrize("transpose", [False, True])
def test_a_spread_of_units_costs_nothing(transpose: bool) -> None:
    """Units that differ by a lognormal of sigma 4: the same steps, the same answer in other units."""
    A, d = synthetic(3000, 0.8, 31)
    A.data[0] = max(A.data[0], 1.5)  # counted in own outputs in both cases
    unit = 2.0 ** np.round(np.random.default_rng(6203).normal(0.0, 4.0 / np.log(2.0), 3000))
    plain = solve_leontief(A, d, transpose=transpose)
    there = 1.0 / unit if transpose else unit
    spread = solve_leontief(in_units(A, unit), there * d, transpose=transpose)
    assert spread.status is Status.OPTIMAL
    assert spread.residual <= 1e-10
    assert abs(spread.iterations - plain.iterations) <= max(3, plain.iterations // 2)  # tighter in the given units
    used = plain.x > 0.0
    np.testing.assert_allclose((spread.x / there)[used], plain.x[used], rtol=1e-5)
    assert spread.value_residuals[0] <= 1e-9
    assert "each is counted in its own output" in spread.info.why


def test_value_residuals_of_a_table_in_money() -> None:
    A, d = synthetic(900, 0.6, 32)
    A = sp.csr_array(A @ sp.diags_array(0.9 / np.maximum(1.0, A.sum(axis=0))))
    solution = solve_leontief(A, d, method="neumann", tolerance=1e-4)
    expected = np.abs(d - solution.x + A @ solution.x).sum() / d.sum()
    np.testing.assert_allclose(solution.value_residuals, [expected], rtol=1e-9)


def test_a_few_odd_sectors_do_not_make_many_units() -> None:
    A, d = synthetic(900, 0.6, 35)
    A = sp.csr_array(A @ sp.diags_array(0.9 / np.maximum(1.0, A.sum(axis=0))))
    A[0, 1] = 1.4
    for table in (A, A.tocsc(), A.toarray()):
        checked = read_table(table)
        np.testing.assert_allclose(checked.column_sums(), A.toarray().sum(axis=0), rtol=1e-12)
        assert not checked.in_many_units()
        spread = read_table(in_units(A, np.random.default_rng(6221).lognormal(0.0, 4.0, 900)))
        assert spread.in_many_units()
    assert "own output" not in solve_leontief(A, d).info.why


# ---- radius near 1 ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rho", [0.95, 0.999, 0.999999])
@pytest.mark.parametrize("transpose", [False, True])
def test_long_chains_converge_and_are_certified(rho: float, transpose: bool) -> None:
    A, d = synthetic(1500, rho, 33)
    solution = solve_leontief(A, d, transpose=transpose)
    M = A.T if transpose else A
    assert solution.status is Status.OPTIMAL
    assert solution.residual <= 1e-10
    assert residual(M, d, solution.x) <= 1e-10 + 1e-15 / (1.0 - rho)  # evaluated in another order
    assert solution.iterations < 300
    exact = np.linalg.solve(np.eye(1500) - M.toarray(), d)
    exact += np.linalg.solve(np.eye(1500) - M.toarray(), d - exact + M @ exact)
    assert np.isfinite(solution.error_bound).all()
    assert np.all(np.abs(solution.x - exact) <= solution.error_bound + 1e-9 * (1e-3 / (1 - rho)) * exact)


def test_sweeps_that_take_too_long_say_so() -> None:
    A, d = synthetic(1500, 0.9999, 34)
    solution = solve_leontief(A, d, method="neumann", max_iterations=500)
    assert solution.status is Status.ITERATION_LIMIT
    assert "iteration limit after 500 iterations" in solution.info.why
    assert np.all(solution.lower <= solution.upper)


# ---- dense tables ----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def dense() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(6211)
    A = rng.lognormal(0.0, 1.0, (1200, 1200))
    return A * (0.85 * rng.beta(4, 2, 1200) / A.sum(axis=0)), rng.lognormal(0.0, 1.0, (1200, 3))


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dense_tables_go_through_blas(dense: tuple[np.ndarray, np.ndarray], transpose: bool, order: str) -> None:
    A, D = dense
    solution = solve_leontief(np.asarray(A, order=order), D, transpose=transpose)
    assert solution.info.backend == "blas"
    assert "float32" in solution.info.why
    M = A.T if transpose else A
    assert np.max(residual(M, D, solution.x)) <= 1e-10
    exact = np.linalg.solve(np.eye(1200) - M, D)
    assert np.all(np.abs(solution.x - exact) <= solution.error_bound + 1e-13 * exact)
    assert np.max(solution.error_bound / exact) < 1e-6
    elsewhere = solve_leontief(A, D, transpose=transpose, backend="reference")
    assert elsewhere.info.backend == "reference"
    np.testing.assert_allclose(elsewhere.x, solution.x, rtol=1e-8)


def test_float32_inside_does_not_limit_the_answer(dense: tuple[np.ndarray, np.ndarray]) -> None:
    A, D = dense
    fine = solve_leontief(A, D[:, 0], tolerance=1e-14)
    assert fine.status is Status.OPTIMAL
    assert residual(A, D[:, 0], fine.x) <= 2e-14
    large = solve_leontief(A, 1e200 * D[:, 0])  # beyond the range of float32
    np.testing.assert_allclose(1e-200 * large.x, fine.x, rtol=1e-8)


def test_dense_tables_are_checked(dense: tuple[np.ndarray, np.ndarray]) -> None:
    A, D = dense[0][:600, :600].copy(), dense[1][:600]
    A[7, 9] = np.nan
    with pytest.raises(ProblemError, match="row 7, column 9 is nan"):
        solve_leontief(A, D)
    A[7, 9] = -0.01
    signed = solve_leontief(A, D[:, 0])
    assert signed.info.backend == "blas"
    assert any("1 entries of A are below zero" in note for note in signed.info.notes)
    assert np.isfinite(signed.error_bound).all()
    A[7, 9], A[3, 3] = 0.0, 1.5
    with pytest.raises(ProblemError, match="not productive"):
        solve_leontief(A, D)


def test_what_is_accepted_is_what_the_message_says() -> None:
    A, d = np.array([[0.5]]), np.ones(1)
    for tolerance in (0.0, 1.0, -1.0, np.nan, "1e-6", None, True):
        with pytest.raises(OptionError, match=r"tolerance: .*, expected a number with 0 < tolerance < 1"):
            solve_leontief(A, d, tolerance=tolerance)  # type: ignore[arg-type]
    for tolerance in (np.float64(1e-6), np.float32(1e-6), 0.999):
        assert solve_leontief(A, d, tolerance=tolerance).status is Status.OPTIMAL  # type: ignore[arg-type]
    for limit in (0, -1, 1.5, 2.0, np.nan, "10", True):
        with pytest.raises(OptionError, match=r"max_iterations: .*, expected a whole number >= 1"):
            solve_leontief(A, d, max_iterations=limit)  # type: ignore[arg-type]
    assert solve_leontief(A, d, max_iterations=np.int64(5)).status is Status.OPTIMAL  # type: ignore[arg-type]
    for bound in ("loose", 2, None):
        with pytest.raises(OptionError, match="error_bound"):
            solve_leontief(A, d, error_bound=bound)  # type: ignore[arg-type]
